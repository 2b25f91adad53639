//! Why a channel was not opened.

use std::time::Duration;

use schema::{
    ids::ChannelId,
    wire::{self, control::Body},
};

macro_rules! refusal_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal),+ $(,)?) => {
        /// Why an open, or a renewal, was refused. Whatever is refused changes nothing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RefusalReason { $($(#[doc = $doc])+ $name),+ }

        impl RefusalReason {
            /// All of them, in the order of the wire.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name in metrics, logs and messages to people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            /// The reason of a wire code; none for an unspecified or unknown one.
            #[must_use]
            pub fn from_wire(code: i32) -> Option<Self> {
                match wire::RefusalReason::try_from(code).ok()? {
                    wire::RefusalReason::Unspecified => None,
                    $(wire::RefusalReason::$name => Some(Self::$name)),+
                }
            }

            /// The code on the wire.
            #[must_use]
            pub const fn to_wire(self) -> wire::RefusalReason {
                match self { $(Self::$name => wire::RefusalReason::$name),+ }
            }
        }
    };
}

refusal_reasons! {
    /// No such Worker, or not this user's: one and the same answer.
    NotFound = "not_found",
    /// The Worker is not connected.
    WorkerOffline = "worker_offline",
    /// The credential is not, or no longer, live.
    Credential = "credential",
    /// A quota was reached.
    Quota = "quota",
    /// The channel id is live or was seen lately.
    Duplicate = "duplicate",
    /// Too many handshakes wait.
    Busy = "busy",
    /// Message 1 does not fit this Worker, mode, user or channel.
    Handshake = "handshake",
    /// A renewal whose serial or base is too old.
    Stale = "stale",
    /// The Worker did not answer in time.
    Timeout = "timeout",
    /// The Hub is about to stop.
    Draining = "draining",
    /// The request could not be read.
    Malformed = "malformed",
}

/// A reason, and when it is worth asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// When to try again; zero = not by itself.
    pub retry_after: Duration,
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Self {
        Self {
            reason,
            retry_after: Duration::ZERO,
        }
    }
}

/// The control message that refuses an open.
#[must_use]
pub fn refused(channel: ChannelId, refusal: Refusal) -> Body {
    refused_renewal(channel, refusal, 0)
}

/// The control message that refuses the renewal of number `serial`.
#[must_use]
pub fn refused_renewal(channel: ChannelId, refusal: Refusal, serial: u32) -> Body {
    Body::Refused(wire::Refused {
        channel_id: channel.as_bytes().to_vec().into(),
        reason: refusal.reason.to_wire().into(),
        retry_after_ms: u32::try_from(refusal.retry_after.as_millis()).unwrap_or(u32::MAX),
        serial,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_the_wire() {
        for reason in RefusalReason::ALL {
            assert_eq!(
                RefusalReason::from_wire(reason.to_wire().into()),
                Some(*reason)
            );
            let name = reason.to_wire().as_str_name().to_lowercase();
            assert_eq!(name.strip_prefix("refusal_reason_"), Some(reason.label()));
        }
        assert_eq!(RefusalReason::from_wire(0), None);
    }
}
