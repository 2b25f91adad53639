//! What carries outer messages to a Hub and back, and how the next one is made.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _, future::BoxFuture, stream};

/// One connection to a Hub, whatever is below it. It ends when its incoming half does.
pub struct Transport {
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    /// Whether the other side answers a beat, so that its silence says something.
    pub(super) has_beats: bool,
}

/// What passes over a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// One outer message.
    Message(Bytes),
    /// Outgoing: ask for a sign of life. Incoming: there was one. A WebSocket's pings and pongs.
    Beat,
}

/// Makes the next transport when one was lost.
pub trait Dial: Send + 'static {
    /// One try. It is given up after [`DIAL_TIMEOUT`](super::DIAL_TIMEOUT).
    fn dial(&mut self) -> BoxFuture<'static, Result<Transport, DialError>>;
}

/// Why there is no next transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Nobody there, or nobody who can be understood: worth another try.
    #[error("the Hub cannot be reached")]
    Unreachable,
    /// The Hub does not know the credential any more. It will not know it the next time.
    #[error("the Hub refuses the credential")]
    Denied,
}

/// A transport broke; what a library says about it is for its own log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken;

pub(super) type Incoming = Pin<Box<dyn Stream<Item = Result<Signal, Broken>> + Send>>;
pub(super) type Outgoing = Pin<Box<dyn Sink<Signal, Error = Broken> + Send>>;

impl Transport {
    /// Of a stream and a sink of outer messages that notice by themselves when they are dead.
    pub fn of_messages<T, S, E>(incoming: T, outgoing: S) -> Self
    where
        T: Stream<Item = Result<Bytes, E>> + Send + 'static,
        S: Sink<Bytes, Error: Send> + Send + 'static,
    {
        let message = |signal| stream::iter(message_of(signal).map(Ok));
        let outgoing = outgoing.with_flat_map(message).sink_map_err(|_| Broken);
        let incoming = incoming.map(|raw| raw.map(Signal::Message).map_err(|_| Broken));
        Self {
            incoming: Box::pin(incoming),
            outgoing: Box::pin(outgoing),
            has_beats: false,
        }
    }

    /// Of a stream and a sink that know beats: after a while of silence one is sent, and after a
    /// while longer the transport counts as lost.
    pub fn with_beats<T, S, E>(incoming: T, outgoing: S) -> Self
    where
        T: Stream<Item = Result<Signal, E>> + Send + 'static,
        S: Sink<Signal> + Send + 'static,
    {
        Self {
            incoming: Box::pin(incoming.map(|signal| signal.map_err(|_| Broken))),
            outgoing: Box::pin(outgoing.sink_map_err(|_| Broken)),
            has_beats: true,
        }
    }
}

impl<F> Dial for F
where
    F: FnMut() -> BoxFuture<'static, Result<Transport, DialError>> + Send + 'static,
{
    fn dial(&mut self) -> BoxFuture<'static, Result<Transport, DialError>> {
        self()
    }
}

fn message_of(signal: Signal) -> Option<Bytes> {
    match signal {
        Signal::Message(raw) => Some(raw),
        Signal::Beat => None,
    }
}
