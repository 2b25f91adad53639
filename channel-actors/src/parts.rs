//! What the Registry has in hand when an open is authorised.

use std::sync::Arc;

use actix::Recipient;
use schema::{
    ids::{ChannelId, CredentialId, UserId, WorkerId},
    wire,
};

use crate::{
    fence::Fence,
    guard::Guard,
    limits::Limits,
    messages::{ControlToBrowser, ControlToWorker, MeetBrowser, MeetWorker, ToBrowser, ToWorker},
};

/// What a Channel is made of.
pub struct ChannelParts {
    /// The channel.
    pub channel: ChannelId,
    /// Its Worker.
    pub worker: WorkerId,
    /// Its user.
    pub user: UserId,
    /// What it stands or falls with.
    pub credential: CredentialId,
    /// What is announced to the Worker, as it is.
    pub incoming: wire::Incoming,
    /// The Session.
    pub browser: BrowserSide,
    /// The Link.
    pub link: LinkSide,
    /// Reports its end.
    pub guard: Guard,
    /// The Registry keeps the same fence, and lets it fall before it says anything.
    pub fence: Fence,
    /// The numbers.
    pub limits: Arc<Limits>,
}

/// How a Channel speaks to its Session.
pub struct BrowserSide {
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
