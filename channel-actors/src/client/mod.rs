//! The Rust client over any transport: for the command line, the load test, and tests.
//!
//! One [`Session`] is one connection to a Hub and one task that owns it; it carries any number of
//! channels. The transport is a stream and a sink of outer messages, whatever is below them. Every
//! wait has an end: opening, each call, each write.

mod channel;
mod session;
mod slot;
mod stream;
mod task;
mod trust;

pub use channel::{Channel, Pending};
pub use session::{ConnectParts, Connected, Session};
pub use stream::{Received, StreamReceiver, StreamSender};
pub use trust::{PinQuestion, RejectChanges, TrustDecision};

use schema::wire::RpcError;

use crate::{
    close::CloseReason,
    endpoint::{Failure, OpenError, SendError},
    refusal::Refusal,
};

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
