//! The two ways out of a Channel.

use std::sync::Arc;

use actix::{Message, Recipient};
use schema::{frame::Frame, wire::control::Body};

use crate::{
    budget::Account,
    fence::{Fence, Lane, Passing},
    limits::Limits,
    messages::{ControlToBrowser, ControlToWorker, MeetBrowser, ToBrowser, ToWorker},
    parts::{BrowserSide, LinkSide},
    post::{Kept, Overrun, tell},
    relay::Side,
    renewals::PathId,
};

/// Towards the Worker. Its lane is under the fence of the path that the channel has.
pub(crate) struct ToLink {
    frames: Kept<ToWorker>,
    lane: Lane,
    control: Recipient<ControlToWorker>,
}

/// Towards a client, over one path. A new path has a window of its own.
pub(crate) struct ToClient {
    pub(crate) path: PathId,
    pub(crate) fence: Fence,
    pub(crate) meet: Recipient<MeetBrowser>,
    frames: Kept<ToBrowser>,
    lane: Lane,
    control: Recipient<ControlToBrowser>,
}

impl ToLink {
    pub(crate) fn new(
        side: &LinkSide,
        fence: Fence,
        limits: &Limits,
        account: &Arc<Account>,
    ) -> Self {
        Self {
            frames: Kept::new(side.frames.clone()),
            lane: lane(Side::Worker, fence, limits, account),
            control: side.control.clone(),
        }
    }

    pub(crate) fn offer(&self, frame: Frame) -> Result<(), Overrun> {
        offer(&self.frames, &self.lane, frame, ToWorker)
    }

    pub(crate) fn say(&self, body: Body) {
        tell(&self.control, ControlToWorker(body));
    }

    pub(crate) fn go_under(&mut self, fence: Fence) {
        self.lane.go_under(fence);
    }
}

impl ToClient {
    pub(crate) fn new(side: BrowserSide, limits: &Limits, account: &Arc<Account>) -> Self {
        Self {
            path: side.path,
            lane: lane(Side::Client, side.fence.clone(), limits, account),
            fence: side.fence,
            meet: side.meet,
            frames: Kept::new(side.frames),
            control: side.control,
        }
    }

    pub(crate) fn offer(&self, frame: Frame) -> Result<(), Overrun> {
        offer(&self.frames, &self.lane, frame, ToBrowser)
    }

    pub(crate) fn say(&self, body: Body) {
        tell(&self.control, ControlToBrowser(body));
    }
}

fn lane(to: Side, fence: Fence, limits: &Limits, account: &Arc<Account>) -> Lane {
    let (places, bytes) = (limits.queue_frames, limits.queue_bytes());
    Lane::toward(to, Arc::clone(account), fence, places, bytes)
}

fn offer<M>(
    frames: &Kept<M>,
    lane: &Lane,
    frame: Frame,
    wrap: fn(Passing) -> M,
) -> Result<(), Overrun>
where
    M: Message<Result = ()> + Send,
{
    let passage = lane.enter(frame.as_bytes().len());
    let passage = passage.ok_or(Overrun::Full)?;
    frames.offer(wrap(Passing::new(frame, passage)))
}
