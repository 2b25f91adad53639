//! The streams of one channel, between its endpoint and its services.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use channel_actors::endpoint::{Endpoint, SendError};
use schema::wire::RpcError;
use tokio::sync::mpsc;
use tonic::Code;

use crate::services::{
    error,
    stream::{Far, Order, Stream, stream},
};

/// Each stream's far side, and what is to be sent on it.
pub(crate) struct Streams {
    open: BTreeMap<u64, Line>,
    orders: mpsc::UnboundedSender<Order>,
    taken: Option<mpsc::UnboundedReceiver<Order>>,
}

struct Line {
    far: Far,
    /// Taken from the service and not yet by the endpoint: other streams used up its room.
    waiting: VecDeque<Bytes>,
    sent: u64,
    /// The service is done; the end follows what waits.
    ending: Option<Option<RpcError>>,
}

impl Default for Streams {
    fn default() -> Self {
        let (orders, taken) = mpsc::unbounded_channel();
        Self {
            open: BTreeMap::new(),
            orders,
            taken: Some(taken),
        }
    }
}

impl Streams {
    /// Where the services' orders come out; to be taken once.
    pub(crate) fn orders(&mut self) -> mpsc::UnboundedReceiver<Order> {
        self.taken
            .take()
            .unwrap_or_else(|| mpsc::unbounded_channel().1)
    }

    /// A stream that a request has opened.
    pub(crate) fn open(&mut self, id: u64, endpoint: &mut Endpoint) -> Stream {
        let (stream, far) = stream(id, self.orders.clone());
        let line = Line {
            far,
            waiting: VecDeque::new(),
            sent: 0,
            ending: None,
        };
        line.allow(endpoint, id);
        self.open.insert(id, line);
        stream
    }

    /// The client sent.
    pub(crate) fn data(&mut self, endpoint: &mut Endpoint, id: u64, data: Bytes) {
        let Some(line) = self.open.get(&id) else {
            return;
        };
        let bytes = data.len();
        match line.far.data.as_ref().map(|inlet| inlet.try_send(data)) {
            Some(Ok(())) => {}
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                let flooded = error(Code::ResourceExhausted, "too many small messages");
                self.finish(id, Some(flooded));
            }
            // The service reads no more, or the client said that there would be no more.
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => {
                endpoint.stream_consumed(id, bytes);
            }
        }
    }

    /// The client has ended its side.
    pub(crate) fn ended(&mut self, id: u64) {
        if let Some(line) = self.open.get_mut(&id) {
            line.far.data = None;
        }
    }

    /// A service wants something.
    pub(crate) fn heed(&mut self, order: Order, endpoint: &mut Endpoint) {
        match order {
            Order::Consumed { id, bytes } => endpoint.stream_consumed(id, bytes),
            Order::Send { id, data } => {
                if let Some(line) = self.open.get_mut(&id) {
                    line.waiting.push_back(data);
                }
            }
            Order::End { id, error } => {
                if let Some(line) = self.open.get_mut(&id) {
                    line.ending = Some(error);
                }
            }
        }
    }

    /// The service of a stream has come to its end. What it sent before is sent first: its
    /// orders are in the queue that this one joins.
    pub(crate) fn finish(&mut self, id: u64, error: Option<RpcError>) {
        // This channel holds the receiver.
        let _ = self.orders.send(Order::End { id, error });
    }

    /// Ends a stream at once. False = there is none.
    pub(crate) fn end(
        &mut self,
        id: u64,
        error: Option<RpcError>,
        endpoint: &mut Endpoint,
    ) -> bool {
        let known = self.open.remove(&id).is_some();
        if known {
            // It may be over on this side already, which is what was wanted.
            let _ = endpoint.stream_end(id, error);
        }
        known
    }

    /// Forgets a stream that is over.
    pub(crate) fn forget(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// Hands on what has room, and tells services how much they may send.
    pub(crate) fn settle(&mut self, endpoint: &mut Endpoint) {
        let mut over = Vec::new();
        for (id, line) in &mut self.open {
            line.hand_on(endpoint, *id);
            if line.waiting.is_empty()
                && let Some(error) = line.ending.take()
            {
                over.push((*id, error));
            }
        }
        for (id, error) in over {
            self.end(id, error, endpoint);
        }
    }
}

impl Line {
    fn hand_on(&mut self, endpoint: &mut Endpoint, id: u64) {
        while let Some(data) = self.waiting.pop_front() {
            let bytes = data.len() as u64;
            match endpoint.stream_send(id, data.clone()) {
                Ok(()) => self.sent += bytes,
                Err(SendError::NoRoom) => {
                    self.waiting.push_front(data);
                    return;
                }
                // The stream is over; whoever ended it is told of it in another way.
                Err(_) => self.waiting.clear(),
            }
        }
        self.allow(endpoint, id);
    }

    fn allow(&self, endpoint: &mut Endpoint, id: u64) {
        let allowed = self.sent + endpoint.stream_room(id) as u64;
        self.far.allowed.send_if_modified(|known| {
            let more = allowed > *known;
            *known = allowed.max(*known);
            more
        });
    }
}
