//! One channel in the session's task: its endpoint, and who waits for what.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use crypto::Pin;
use schema::{frame::Outer, wire::control::Body};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    CallError, ConnectError, Received,
    channel::{Channel, Way},
    session::{Connected, Order},
};
use crate::{
    close::{self, CloseReason},
    endpoint::{Call, Endpoint, Event, Initiator, SendError},
    refusal::{Refusal, RefusalReason},
};

pub(super) type ConnectAnswer = oneshot::Sender<Result<Connected, ConnectError>>;

/// A channel that is being opened, or is open.
pub(super) struct Slot {
    pub(super) state: State,
    connecting: Option<Connecting>,
    closed: watch::Sender<Option<CloseReason>>,
    calls: BTreeMap<u64, oneshot::Sender<Result<Bytes, CallError>>>,
    streams: BTreeMap<u64, Stream>,
    pings: VecDeque<oneshot::Sender<Duration>>,
}

pub(super) enum State {
    Opening(Box<Initiator>),
    Live(Box<Endpoint>),
    Over,
}

pub(super) struct Connecting {
    pub(super) way: Way,
    pub(super) pin: Option<Pin>,
    pub(super) answer: ConnectAnswer,
}

struct Stream {
    deliver: mpsc::UnboundedSender<Received>,
    /// A sender waits for each, so there is one for each sending task.
    unsent: VecDeque<(Bytes, oneshot::Sender<Result<(), SendError>>)>,
}

impl Slot {
    pub(super) const fn opening(
        initiator: Box<Initiator>,
        connecting: Connecting,
        closed: watch::Sender<Option<CloseReason>>,
    ) -> Self {
        Self {
            state: State::Opening(initiator),
            connecting: Some(connecting),
            closed,
            calls: BTreeMap::new(),
            streams: BTreeMap::new(),
            pings: VecDeque::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Opening(initiator) => Some(initiator.deadline()),
            State::Live(endpoint) => endpoint.deadline(),
            State::Over => None,
        }
    }

    /// Whether nobody is to hear of it any more.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub(super) fn endpoint(&mut self) -> Option<&mut Endpoint> {
        match &mut self.state {
            State::Live(endpoint) => Some(endpoint),
            State::Opening(_) | State::Over => None,
        }
    }

    /// The Hub or the Worker said something about the channel. What to answer, if anything.
    pub(super) fn control(
        &mut self,
        body: &Body,
        rng: &mut dyn rand_core::CryptoRng,
        now: Instant,
    ) -> Option<Body> {
        match (std::mem::replace(&mut self.state, State::Over), body) {
            (State::Opening(initiator), Body::Opened(opened)) => {
                let channel = initiator.channel();
                match initiator.opened(opened, rng, now) {
                    Ok(endpoint) => self.state = State::Live(Box::new(endpoint)),
                    Err(error) => {
                        self.refuse(error.into());
                        return Some(close::close(channel, 0, CloseReason::HandshakeFailed));
                    }
                }
            }
            (State::Opening(_), Body::Refused(refused)) => {
                let reason = RefusalReason::from_wire(refused.reason);
                let retry_after = Duration::from_millis(refused.retry_after_ms.into());
                let reason = reason.unwrap_or(RefusalReason::Malformed);
                self.refuse(ConnectError::Refused(Refusal {
                    reason,
                    retry_after,
                }));
            }
            (State::Opening(_), Body::Close(close)) => {
                let reason = CloseReason::from_wire(close.reason);
                let reason = reason.unwrap_or(CloseReason::ProtocolError);
                self.refuse(ConnectError::Closed(reason));
            }
            (State::Live(mut endpoint), body) => {
                endpoint.receive_control(body);
                self.state = State::Live(endpoint);
            }
            (other, _) => self.state = other,
        }
        None
    }

    /// Carries out what the user of the channel wants.
    pub(super) fn order(&mut self, order: Order) {
        let State::Live(endpoint) = &mut self.state else {
            return;
        };
        match order {
            Order::Call {
                method,
                payload,
                workspace,
                deliver,
                begun,
                answer,
                ..
            } => {
                let call = Call {
                    method: &method,
                    payload,
                    opens_stream: deliver.is_some(),
                    workspace: workspace.as_ref(),
                };
                match endpoint.request(call) {
                    Ok(id) => {
                        self.calls.insert(id, answer);
                        let stream = |deliver| Stream {
                            deliver,
                            unsent: VecDeque::new(),
                        };
                        self.streams
                            .extend(deliver.map(|deliver| (id, stream(deliver))));
                        if begun.send(Ok(id)).is_err() {
                            self.cancel(id);
                        }
                    }
                    Err(error) => {
                        let _ = begun.send(Err(error.into()));
                    }
                }
            }
            Order::Send { id, data, done, .. } => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.unsent.push_back((data, done));
                    stream.flush(id, endpoint);
                } else {
                    let _ = done.send(Err(SendError::Unknown));
                }
            }
            Order::EndStream {
                id, error, done, ..
            } => {
                let _ = done.send(endpoint.stream_end(id, error));
            }
            Order::Consumed { id, bytes, .. } => endpoint.stream_consumed(id, bytes),
            Order::Ping { answer, .. } => {
                endpoint.ping();
                self.pings.push_back(answer);
            }
            Order::Connect { .. } | Order::End => {}
        }
    }

    /// Gives a request, and its stream, up.
    pub(super) fn cancel(&mut self, id: u64) {
        self.calls.remove(&id);
        self.streams.remove(&id);
        if let Some(endpoint) = self.endpoint() {
            endpoint.cancel(id);
        }
    }

    /// The user let the channel go.
    pub(super) fn close(&mut self) {
        if let Some(endpoint) = self.endpoint() {
            endpoint.close(CloseReason::ClosedByClient);
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self) {
        if let Some(endpoint) = self.endpoint() {
            endpoint.lost();
        }
        self.events();
        self.refuse(ConnectError::Disconnected);
        self.state = State::Over;
    }

    pub(super) fn expire(&mut self, now: Instant) {
        match &mut self.state {
            State::Opening(initiator) if initiator.deadline() <= now => {
                self.state = State::Over;
                self.refuse(ConnectError::Timeout);
            }
            State::Live(endpoint) if endpoint.deadline().is_some_and(|due| due <= now) => {
                endpoint.expire(now);
            }
            State::Opening(_) | State::Live(_) | State::Over => {}
        }
    }

    /// The next message to send. A closed channel is over once its last word is out.
    pub(super) fn outgoing(&mut self, now: Instant) -> Option<Outer> {
        let State::Live(endpoint) = &mut self.state else {
            return None;
        };
        let outer = endpoint.poll_outgoing(now);
        if outer.is_none() && endpoint.closed().is_some() {
            self.events();
            self.state = State::Over;
        }
        outer
    }

    /// Hands out what has happened.
    pub(super) fn events(&mut self) {
        while let Some(event) = self.endpoint().and_then(Endpoint::poll_event) {
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Established { workspaces } => {
                if let Some(Connecting { way, pin, answer }) = self.connecting.take() {
                    let channel = Channel::new(way, workspaces);
                    // Who does not wait any more drops the channel, and that closes it.
                    let _ = answer.send(Ok(Connected { channel, pin }));
                }
            }
            Event::Response { id, result } => {
                if let Err(error) = &result {
                    self.deliver(id, Received::End(Some(error.clone())));
                    self.streams.remove(&id);
                }
                if let Some(answer) = self.calls.remove(&id) {
                    let _ = answer.send(result.map_err(CallError::Worker));
                }
            }
            Event::StreamData { id, data } => self.deliver(id, Received::Data(data)),
            Event::StreamEnd { id, error } => {
                let failed = error.is_some();
                self.deliver(id, Received::End(error));
                if failed {
                    self.streams.remove(&id);
                }
            }
            Event::StreamRoom { id, .. } => {
                if let (State::Live(endpoint), Some(stream)) =
                    (&mut self.state, self.streams.get_mut(&id))
                {
                    stream.flush(id, endpoint);
                }
            }
            Event::Pong { rtt } => {
                for answer in self.pings.drain(..) {
                    let _ = answer.send(rtt);
                }
            }
            Event::Closed { reason, failure } => {
                self.closed.send_replace(Some(reason));
                let error = failure.map_or(ConnectError::Closed(reason), ConnectError::Failed);
                self.refuse(error);
            }
            // A channel lives for 70 minutes without a renewal; whoever uses one for longer opens
            // the next in time. The others are the Worker's.
            Event::RenewalDue
            | Event::Claimed(_)
            | Event::Request { .. }
            | Event::Cancelled { .. } => {}
        }
    }

    fn deliver(&self, id: u64, item: Received) {
        if let Some(stream) = self.streams.get(&id) {
            // Who does not listen any more has cancelled, or will.
            let _ = stream.deliver.send(item);
        }
    }

    /// It did not open, or is open no more: whoever waits is told, by the end of the watch at the
    /// latest.
    fn refuse(&mut self, error: ConnectError) {
        if let Some(connecting) = self.connecting.take() {
            let _ = connecting.answer.send(Err(error));
        }
        let reason = CloseReason::ConnectionLost;
        self.closed
            .send_if_modified(|closed| closed.replace(closed.unwrap_or(reason)).is_none());
        for (_, answer) in std::mem::take(&mut self.calls) {
            let reason = self.closed.borrow().unwrap_or(reason);
            let _ = answer.send(Err(CallError::Closed(reason)));
        }
        self.streams.clear();
        self.pings.clear();
    }
}

impl Stream {
    /// Sends what there is room for, in order.
    fn flush(&mut self, id: u64, endpoint: &mut Endpoint) {
        while let Some((data, done)) = self.unsent.pop_front() {
            match endpoint.stream_send(id, data.clone()) {
                Err(SendError::NoRoom) => {
                    self.unsent.push_front((data, done));
                    return;
                }
                settled => {
                    let _ = done.send(settled);
                }
            }
        }
    }
}
