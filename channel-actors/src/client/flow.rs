//! What waits to be sent on one stream.
//!
//! A sender waits for each message, so there are as many as there are sending tasks.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::Received;
use crate::endpoint::{Endpoint, SendError};

/// Told once the endpoint has taken a message, or never will.
pub(super) type Taken = oneshot::Sender<Result<(), SendError>>;

/// Which of the messages that wait goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Before all that wait for credit.
    First,
    /// In order, and only as long as so many bytes of credit are left for what goes first.
    InOrder { leaving: usize },
}

/// One stream: where its messages are delivered to, and what it has to send.
pub(super) struct Flow {
    deliver: mpsc::UnboundedSender<Received>,
    first: VecDeque<(Bytes, Taken)>,
    in_order: VecDeque<(Bytes, usize, Taken)>,
    /// The largest message.
    largest: usize,
}

impl Flow {
    pub(super) const fn new(deliver: mpsc::UnboundedSender<Received>, largest: usize) -> Self {
        Self {
            deliver,
            first: VecDeque::new(),
            in_order: VecDeque::new(),
            largest,
        }
    }

    pub(super) fn deliver(&self, item: Received) {
        // Who does not listen any more has cancelled, or will.
        let _ = self.deliver.send(item);
    }

    pub(super) fn push(&mut self, data: Bytes, turn: Turn, taken: Taken) {
        match turn {
            Turn::First => self.first.push_back((data, taken)),
            Turn::InOrder { leaving } => self.in_order.push_back((data, leaving, taken)),
        }
    }

    /// This side has ended: what still waits is not sent any more.
    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.in_order.clear();
    }

    /// Hands over what there is room for. Not while the channel has no path: an endpoint ends a
    /// stream that wants more room than it has then.
    pub(super) fn flush(&mut self, id: u64, endpoint: &mut Endpoint) {
        while let Some((data, taken)) = self.first.pop_front() {
            if let Some(back) = send(id, endpoint, data, taken) {
                self.first.push_front(back);
                return;
            }
        }
        while let Some((data, leaving, taken)) = self.in_order.pop_front() {
            let wanted = (data.len() + leaving).min(self.largest);
            if leaving > 0 && endpoint.stream_room(id) < wanted {
                self.in_order.push_front((data, leaving, taken));
                return;
            }
            if let Some((data, taken)) = send(id, endpoint, data, taken) {
                self.in_order.push_front((data, leaving, taken));
                return;
            }
        }
    }
}

/// Gives it back when there is no room.
fn send(id: u64, endpoint: &mut Endpoint, data: Bytes, taken: Taken) -> Option<(Bytes, Taken)> {
    match endpoint.stream_send(id, data.clone()) {
        Err(SendError::NoRoom) => Some((data, taken)),
        settled => {
            // Who asked may have gone; it is under way all the same.
            let _ = taken.send(settled);
            None
        }
    }
}
