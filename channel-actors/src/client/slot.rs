//! One channel in the session's task: its endpoint, and who waits for what. What the endpoint tells
//! is heard in `hearing`.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use crypto::Pin;
use rand_core::CryptoRng;
use schema::{frame::Outer, wire::control::Body};
use tokio::sync::{oneshot, watch};

use super::{
    CallError, ConnectError, Connection,
    back_off::BackOff,
    channel::Way,
    flow::Flow,
    session::{Connected, Order},
};
use crate::{
    close::{self, CloseReason},
    endpoint::{Call, Endpoint, Initiator, SendError},
    refusal::{Refusal, RefusalReason},
};

pub(super) type ConnectAnswer = oneshot::Sender<Result<Connected, ConnectError>>;

/// A channel that is being opened, or is open.
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) connecting: Option<Connecting>,
    pub(super) watched: Watched,
    pub(super) calls: BTreeMap<u64, oneshot::Sender<Result<Bytes, CallError>>>,
    pub(super) streams: BTreeMap<u64, Flow>,
    pub(super) pings: VecDeque<oneshot::Sender<Duration>>,
    pub(super) renewal: Renewal,
    /// The largest message of a stream.
    largest: usize,
}

/// What the user of a channel can watch.
pub(super) struct Watched {
    pub(super) closed: watch::Sender<Option<CloseReason>>,
    pub(super) connection: watch::Sender<Connection>,
}

/// When a channel is to be renewed.
pub(super) struct Renewal {
    pub(super) back_off: BackOff,
    /// Only while there is a path: without one nothing can be renewed.
    pub(super) at: Option<Instant>,
}

/// What a slot may use of the session's task.
pub(super) struct Around<'a> {
    pub(super) now: Instant,
    pub(super) rng: &'a mut dyn CryptoRng,
    /// Whether there is a transport.
    pub(super) has_path: bool,
}

impl Around<'_> {
    /// From [0, 1): 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
    pub(super) fn luck(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
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

impl Slot {
    pub(super) const fn opening(
        initiator: Box<Initiator>,
        connecting: Connecting,
        watched: Watched,
        largest: usize,
    ) -> Self {
        Self {
            state: State::Opening(initiator),
            connecting: Some(connecting),
            watched,
            renewal: Renewal {
                back_off: BackOff::new(),
                at: None,
            },
            largest,
            calls: BTreeMap::new(),
            streams: BTreeMap::new(),
            pings: VecDeque::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Opening(initiator) => Some(initiator.deadline()),
            State::Live(endpoint) => {
                let times = [endpoint.deadline(), self.renewal.at];
                times.into_iter().flatten().min()
            }
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
    pub(super) fn control(&mut self, body: &Body, around: &mut Around<'_>) -> Option<Body> {
        match (std::mem::replace(&mut self.state, State::Over), body) {
            (State::Opening(initiator), Body::Opened(opened)) => {
                let channel = initiator.channel();
                match initiator.opened(opened, around.rng, around.now) {
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
                endpoint.receive_control(body, around.rng, around.now);
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
                        let flow = |deliver| Flow::new(deliver, self.largest);
                        self.streams
                            .extend(deliver.map(|deliver| (id, flow(deliver))));
                        if begun.send(Ok(id)).is_err() {
                            self.cancel(id);
                        }
                    }
                    Err(error) => {
                        let _ = begun.send(Err(error.into()));
                    }
                }
            }
            Order::Send {
                id,
                data,
                turn,
                done,
                ..
            } => {
                if let Some(flow) = self.streams.get_mut(&id) {
                    flow.push(data, turn, done);
                    self.flush();
                } else {
                    let _ = done.send(Err(SendError::Unknown));
                }
            }
            Order::EndStream {
                id, error, done, ..
            } => {
                let ended = endpoint.stream_end(id, error);
                if let (Ok(()), Some(flow)) = (ended, self.streams.get_mut(&id)) {
                    flow.clear();
                }
                let _ = done.send(ended);
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

    /// The transport is gone. An accepted channel waits for the next one, another is over.
    pub(super) fn detach(&mut self, around: &mut Around<'_>) {
        self.renewal.at = None;
        match &mut self.state {
            State::Opening(_) => {
                self.state = State::Over;
                self.refuse(ConnectError::Disconnected);
            }
            State::Live(endpoint) => {
                endpoint.detach(around.now);
                self.hear(around);
            }
            State::Over => {}
        }
        self.bury();
    }

    /// There is a transport again.
    pub(super) fn attach(&mut self, around: &mut Around<'_>) {
        if self
            .endpoint()
            .is_some_and(|endpoint| endpoint.is_detached())
        {
            self.renew(around);
        }
    }

    /// Ends it for good, with nobody to tell but its user.
    pub(super) fn end(&mut self, reason: CloseReason, around: &mut Around<'_>) {
        if let Some(endpoint) = self.endpoint() {
            endpoint.close(reason);
        }
        self.hear(around);
        self.refuse(ConnectError::Disconnected);
        self.state = State::Over;
    }

    /// A channel that ended where nothing more can be sent is over.
    pub(super) fn bury(&mut self) {
        if self
            .endpoint()
            .is_some_and(|endpoint| endpoint.closed().is_some())
        {
            self.state = State::Over;
        }
    }

    pub(super) fn expire(&mut self, around: &mut Around<'_>) {
        let now = around.now;
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
        if self.renewal.at.is_some_and(|at| at <= now) {
            self.renew(around);
        }
    }

    /// The next message to send. A closed channel is over once its last word is out.
    pub(super) fn outgoing(&mut self, around: &mut Around<'_>) -> Option<Outer> {
        let outer = self.endpoint()?.poll_outgoing(around.now);
        if outer.is_none() {
            self.hear(around);
            self.bury();
        }
        outer
    }

    /// Asks for a new epoch. If nothing is heard of it, it is asked for again.
    pub(super) fn renew(&mut self, around: &mut Around<'_>) {
        self.renewal.at = None;
        if !around.has_path {
            return;
        }
        let renewed = self
            .endpoint()
            .map(|endpoint| endpoint.renew(around.rng, around.now));
        match renewed {
            Some(Ok(())) => self.renewal.at = Some(around.now + RENEW_AGAIN),
            Some(Err(error)) => tracing::debug!(%error, "the channel cannot be renewed"),
            None => {}
        }
    }
}

/// Longer than the 30 s in which `Renewed` has to come and the time for a claim together.
const RENEW_AGAIN: Duration = Duration::from_secs(50);
