//! The Rust client over any transport: for the command line, the load test, and tests.
//!
//! One [`Session`] is one way to a Hub and one task that owns it; it carries any number of channels.
//! The transport is a stream and a sink of outer messages, whatever is below them. When it is lost
//! the session dials again and renews every channel, whose streams and calls notice nothing of it.
//! Every wait has an end: opening, each call, each write, each dialling; a channel that finds no
//! path for five minutes is over.
//!
//! | file | what it does |
//! |---|---|
//! | `session`, `channel`, `stream` | the handles, which speak to the task in orders |
//! | `task`, `traffic` | the task: a life with a transport, a life without; what passes |
//! | `opening`, `slot`, `hearing`, `flow` | one channel in it: its begin, its orders, what its endpoint tells, its streams |
//! | `transport` | what carries, and what dials |
//! | `back_off`, `pulse` | BRAINS: when to try again; whether anybody is there |

mod back_off;
mod channel;
mod flow;
mod hearing;
mod opening;
mod pulse;
mod session;
mod slot;
mod stream;
mod task;
mod traffic;
mod transport;
mod trust;

use std::time::Instant;

pub use channel::{Channel, Pending};
pub use session::{ConnectParts, Connected, Session};
pub use stream::{Received, StreamReceiver, StreamSender};
pub use task::DIAL_TIMEOUT;
pub use transport::{Dial, DialError, Signal, Transport};
pub use trust::{PinQuestion, RejectChanges, TrustDecision};

use schema::wire::RpcError;

use crate::{
    close::CloseReason,
    endpoint::{Failure, OpenError, SendError},
    refusal::Refusal,
};

/// Whether there is a path between a channel and its Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// There is.
    Connected,
    /// There is none; one is looked for.
    Reconnecting {
        /// When the last one was lost.
        since: Instant,
    },
}

/// Why there is no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The Worker's key or mode is not the pinned one, and nobody accepted the change. Nothing
    /// was sent.
    #[error("the Worker's public key or encryption mode has changed")]
    NotTrusted(crypto::PinVerdict),
    /// The Hub or the Worker refused.
    #[error("the open was refused: {}", .0.reason.label())]
    Refused(Refusal),
    /// The handshake did not hold.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The Worker did not believe the claim; the text is the protocol's.
    #[error("{0}")]
    Failed(Failure),
    /// The channel was closed before the claim was accepted.
    #[error("the channel was closed: {}", .0.label())]
    Closed(CloseReason),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection to the Hub is gone.
    #[error("the connection to the Hub is lost")]
    Disconnected,
    /// The channel id is in use in this session.
    #[error("the channel id is taken")]
    Taken,
}

/// Why a call or a stream has no good end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The Worker answered with an error. Its message is for `Debug` and for who asks for it.
    #[error("the Worker answered with error code {}", .0.code)]
    Worker(RpcError),
    /// It was not taken for sending.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The channel closed.
    #[error("the channel was closed: {}", .0.label())]
    Closed(CloseReason),
    /// No answer in time; the call was cancelled.
    #[error("no answer in time")]
    Timeout,
}
