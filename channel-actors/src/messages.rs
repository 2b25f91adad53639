//! What a Channel hears and says. Introductions, orders, events, frames, ends.
//!
//! A control message is the body of the wire's `Control`; each kind comes once or a few times in
//! the life of a channel, so it is told. Frames are offered.

use actix::{Message, Recipient};
use schema::{
    frame::Frame,
    ids::ChannelId,
    wire::{self, control::Body},
};

use crate::{
    arrival::Arrival,
    close::CloseReason,
    lane::Passing,
    parts::{BrowserSide, Renewal},
    post::Kept,
    refusal::Refusal,
    renewals::PathId,
};

/// Channel -> Session, before anything else, and once the Worker has taken a path: where this
/// channel's frames go.
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

/// Channel -> Link, before the open or the renewal is announced.
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

/// Registry -> Channel: pass a renewal on. Its answer goes to the Session that asked; the
/// refusal that comes back at once changes nothing.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct PassRenewal {
    /// The Session that it came over.
    pub browser: BrowserSide,
    /// What it is.
    pub renewal: Renewal,
}

/// Registry -> Channel -> Worker: the user's access became more. The channel gives it its number and
/// waits for the Worker's acknowledgement.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AnnounceAccess {
    /// Whoever has this Session may do it: told if the channel uses that one.
    pub path: PathId,
    /// What.
    pub access: wire::AccessChanged,
}

/// Registry -> Channel: a Session went, or has to. Whether that is the end of the channel, only
/// the channel knows.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct PathGone {
    /// Which.
    pub path: PathId,
    /// Why.
    pub reason: CloseReason,
}

/// Channel -> Registry: a path means nothing, or nothing any more, to this channel.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct PathForgotten {
    /// Whose.
    pub channel: ChannelId,
    /// Which.
    pub path: PathId,
    /// So many renewals had been passed on to it by then: the path may be a candidate again by one
    /// that comes later.
    pub passed: u64,
}

/// Session -> Channel: `Close`; anything else is a breach.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlFromBrowser {
    /// The Session.
    pub path: PathId,
    /// What it says.
    pub body: Body,
}

/// Link -> Channel: `Opened`, `Refused`, `Renewed`, `Close`, `AccessAcknowledged`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlFromWorker(pub Body);

/// Channel -> Session: `Opened`, `Refused`, `Renewed`, `Close`. After the `Refused` of an open, or a
/// `Close`, the channel is no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlToBrowser(pub Body);

/// Channel -> Link: `Incoming`, `Renew`, `AccessChanged`, `Close`. After `Close` the channel is no
/// more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ControlToWorker(pub Body);

/// Session -> Channel.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromBrowser {
    pub(crate) path: PathId,
    pub(crate) frame: Arrival,
}

impl FromBrowser {
    /// A frame that came over this path.
    #[must_use]
    pub fn new(path: PathId, frame: Frame) -> Self {
        let frame = frame.into();
        Self { path, frame }
    }
}

/// Link -> Channel.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromWorker(pub(crate) Arrival);

impl FromWorker {
    /// A frame that came over the channel's link.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        Self(frame.into())
    }
}

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
