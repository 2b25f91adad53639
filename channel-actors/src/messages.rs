//! What a Channel hears and says. Introductions, orders, frames, ends.
//!
//! A control message is the body of the wire's `Control`; each kind comes once or a few times in
//! the life of a channel, so it is told. Frames are offered.

use actix::{Message, Recipient};
use schema::{
    frame::Frame,
    ids::ChannelId,
    wire::{self, control::Body},
};

use crate::{close::CloseReason, fence::Passing, post::Kept};

/// Channel -> Session, before anything else: where this channel's frames go.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MeetBrowser {
    /// Whose.
    pub channel: ChannelId,
    /// For its frames.
    pub frames: Kept<FromBrowser>,
    /// For its Close.
    pub control: Recipient<ControlFromBrowser>,
}

/// Channel -> Link, before the open is announced.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MeetWorker {
    /// Whose.
    pub channel: ChannelId,
    /// For its frames.
    pub frames: Kept<FromWorker>,
    /// For its answers and its Close.
    pub control: Recipient<ControlFromWorker>,
}

/// Registry -> Channel -> Worker: the user's access changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AnnounceAccess(pub wire::AccessChanged);

/// Session -> Channel: `Close`; anything else is a breach.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlFromBrowser(pub Body);

/// Link -> Channel: `Opened`, `Refused`, `Renewed`, `Close`, `AccessAcknowledged`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlFromWorker(pub Body);

/// Channel -> Session: `Opened`, `Refused`, `Renewed`, `Close`. After `Refused` or `Close` the
/// channel is no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlToBrowser(pub Body);

/// Channel -> Link: `Incoming`, `AccessChanged`, `Close`. After `Close` the channel is no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlToWorker(pub Body);

/// Session -> Channel.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromBrowser(pub Frame);

/// Link -> Channel.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromWorker(pub Frame);

/// Channel -> Session. The frame is taken out with [`Passing::pass`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct ToBrowser(pub Passing);

/// Channel -> Link. The frame is taken out with [`Passing::pass`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct ToWorker(pub Passing);

/// Anyone of the Hub -> Channel. Idempotent.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct Close {
    /// Why.
    pub reason: CloseReason,
}
