//! What the Registry has in hand when an open or a renewal is authorised.

use std::sync::Arc;

use actix::Recipient;
use schema::{
    ids::{ChannelId, CredentialId, UserId, WorkerId},
    wire,
};

use crate::{
    budget::Budget,
    fence::Fence,
    guard::Guard,
    limits::Limits,
    messages::{
        ControlToBrowser, ControlToWorker, MeetBrowser, MeetWorker, PathForgotten, ToBrowser,
        ToWorker,
    },
    renewals::PathId,
};

/// What a Channel is made of.
pub struct ChannelParts {
    /// The channel.
    pub channel: ChannelId,
    /// Its Worker.
    pub worker: WorkerId,
    /// Its user.
    pub user: UserId,
    /// What its first path stands or falls with.
    pub credential: CredentialId,
    /// How it begins.
    pub begin: Begin,
    /// The Session.
    pub browser: BrowserSide,
    /// The Link.
    pub link: LinkSide,
    /// The Registry, which is told when a path that went is not known here any more.
    pub forgotten: Recipient<PathForgotten>,
    /// Reports its end.
    pub guard: Guard,
    /// The numbers.
    pub limits: Arc<Limits>,
    /// What all channels of the Hub share.
    pub budget: Arc<Budget>,
}

impl ChannelParts {
    /// Places of its mailbox: the window of either direction, since both come by the one.
    pub(crate) fn mailbox(&self) -> usize {
        2 * self.limits.queue_frames
    }
}

/// How a Channel begins.
pub enum Begin {
    /// Announced to the Worker, as it is.
    Open(wire::Incoming),
    /// Known to its two ends, and not to this Hub.
    Renew(Renewal),
}

/// A renewal that was authorised.
pub struct Renewal {
    /// Passed on to the Worker, as it is.
    pub renew: wire::Renew,
    /// Told to the Worker before it, where the renewal comes over another path than the channel's.
    pub access: wire::AccessChanged,
}

/// How a Channel speaks to its Session.
pub struct BrowserSide {
    /// Tells it from other Sessions of this Hub.
    pub path: PathId,
    /// Falls when what this path stands with is revoked. The Registry keeps the same fence, and
    /// lets it fall before it says anything.
    pub fence: Fence,
    /// Frames.
    pub frames: Recipient<ToBrowser>,
    /// Control messages.
    pub control: Recipient<ControlToBrowser>,
    /// The introduction.
    pub meet: Recipient<MeetBrowser>,
}

/// How a Channel speaks to its Link.
pub struct LinkSide {
    /// Frames.
    pub frames: Recipient<ToWorker>,
    /// Control messages.
    pub control: Recipient<ControlToWorker>,
    /// The introduction.
    pub meet: Recipient<MeetWorker>,
}
