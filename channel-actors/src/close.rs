//! Why a channel ended. One word for it on the wire, in metrics and in logs.

use schema::{
    ids::ChannelId,
    wire::{self, control::Body},
};

macro_rules! close_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal),+ $(,)?) => {
        /// Why a channel ended (docs/protocol.md, section 6). Closed: every end has a name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CloseReason { $($(#[doc = $doc])+ $name),+ }

        impl CloseReason {
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
                match wire::CloseReason::try_from(code).ok()? {
                    wire::CloseReason::Unspecified => None,
                    $(wire::CloseReason::$name => Some(Self::$name)),+
                }
            }

            /// The code on the wire.
            #[must_use]
            pub const fn to_wire(self) -> wire::CloseReason {
                match self { $(Self::$name => wire::CloseReason::$name),+ }
            }
        }
    };
}

close_reasons! {
    /// The client closed it.
    ClosedByClient = "closed_by_client",
    /// The Worker closed it.
    ClosedByWorker = "closed_by_worker",
    /// The WebSocket or the link went away.
    ConnectionLost = "connection_lost",
    /// The Hub is about to stop.
    Draining = "draining",
    /// The other side is at another replica now.
    Moved = "moved",
    /// A ciphertext shorter or longer than allowed.
    FrameSize = "frame_size",
    /// A flag, an epoch, an order or a message that the protocol does not have.
    ProtocolError = "protocol_error",
    /// A message grew over its limit.
    MessageTooLarge = "message_too_large",
    /// A second chunked message began while one was unfinished.
    InterleavedChunks = "interleaved_chunks",
    /// A message of more frames than its size needs.
    TooManyChunks = "too_many_chunks",
    /// A message did not go on in time.
    ChunkTimeout = "chunk_timeout",
    /// The connection kept sending frames for channels that are not its own.
    ForeignChannel = "foreign_channel",
    /// A side left more unread than a conforming sender can have unacknowledged.
    TooSlow = "too_slow",
    /// A frame did not open. Final on both sides.
    DecryptFailed = "decrypt_failed",
    /// The Worker ended it before a claim held.
    Rejected = "rejected",
    /// The handshake did not finish.
    HandshakeFailed = "handshake_failed",
    /// No claim, or no answer to it, in time.
    ClaimTimeout = "claim_timeout",
    /// The keys grew too old or were used up.
    KeyExpired = "key_expired",
    /// Nobody attached to it again in time.
    DetachedTooLong = "detached_too_long",
    /// What it stood or fell with was revoked.
    Revoked = "revoked",
    /// A quota was reached.
    Quota = "quota",
    /// The Worker is not at this Hub.
    WorkerOffline = "worker_offline",
    /// The Worker did not answer the open in time.
    OpenTimeout = "open_timeout",
    /// A fault of ours.
    Internal = "internal",
}

impl CloseReason {
    /// Whether the channel may be attached again over another path.
    #[must_use]
    pub const fn may_reattach(self) -> bool {
        matches!(self, Self::ConnectionLost | Self::Draining | Self::Moved)
    }

    /// Whether everything of the channel is destroyed at once.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !self.may_reattach()
    }

    /// Whether an end may give it as its own reason. What only the Hub can know it must not.
    #[must_use]
    pub const fn is_an_ends(self) -> bool {
        !matches!(
            self,
            Self::Draining
                | Self::Moved
                | Self::ForeignChannel
                | Self::Revoked
                | Self::Quota
                | Self::WorkerOffline
                | Self::OpenTimeout
        )
    }

    /// Whether it says that a rule of the wire was broken.
    #[must_use]
    pub const fn is_a_violation(self) -> bool {
        matches!(
            self,
            Self::FrameSize
                | Self::ProtocolError
                | Self::MessageTooLarge
                | Self::InterleavedChunks
                | Self::TooManyChunks
                | Self::ChunkTimeout
                | Self::ForeignChannel
        )
    }
}

/// The control message that ends a channel.
#[must_use]
pub fn close(channel: ChannelId, epoch: u32, reason: CloseReason) -> Body {
    Body::Close(wire::Close {
        channel_id: channel.as_bytes().to_vec().into(),
        epoch,
        reason: reason.to_wire().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_the_wire() {
        for reason in CloseReason::ALL {
            assert_eq!(
                CloseReason::from_wire(reason.to_wire().into()),
                Some(*reason)
            );
        }
        assert_eq!(CloseReason::from_wire(0), None);
        assert_eq!(CloseReason::from_wire(999), None);
    }

    #[test]
    fn the_label_is_the_wire_name() {
        for reason in CloseReason::ALL {
            let name = reason.to_wire().as_str_name().to_lowercase();
            assert_eq!(name.strip_prefix("close_reason_"), Some(reason.label()));
        }
    }

    #[test]
    fn only_a_lost_path_leaves_a_channel_attachable() {
        let attachable: Vec<_> = CloseReason::ALL
            .iter()
            .filter(|reason| reason.may_reattach())
            .map(|reason| reason.label())
            .collect();
        assert_eq!(attachable, ["connection_lost", "draining", "moved"]);
    }
}
