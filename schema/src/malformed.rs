//! Why bytes are not what they claim to be.

/// The place where parsing stopped. Nothing that the peer sent is repeated in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// An outer message of no bytes at all.
    #[error("the message is empty")]
    Empty,
    /// An outer message whose first byte is neither a frame's nor a control message's.
    #[error("the message is of an unknown kind")]
    Kind,
    /// A frame shorter than its header.
    #[error("the frame is shorter than its header")]
    Header,
    /// A control message larger than [`CONTROL_MAX`](crate::frame::CONTROL_MAX).
    #[error("the control message is too large")]
    ControlSize,
    /// A control message that is not protobuf, or says nothing.
    #[error("the control message cannot be decoded")]
    Control,
    /// A channel id that is not 16 bytes.
    #[error("the channel id is not 16 bytes")]
    ChannelId,
    /// A text id that is empty, longer than 64, or uses a character outside `A-Z a-z 0-9 - _`.
    #[error("the id is not 1 to 64 of A-Z a-z 0-9 - _")]
    TextId,
}
