//! The two ways out of a Channel.

use std::{sync::Arc, time::Instant};

use actix::{Message, Recipient};
use schema::{frame::Frame, wire::control::Body};
use tokio::runtime::Handle;

use crate::{
    budget::Account,
    channel::Channel,
    fence::Fence,
    lane::{Lane, Passing},
    limits::Limits,
    messages::{ControlToBrowser, ControlToWorker, MeetBrowser, ToBrowser, ToWorker},
    parts::{BrowserSide, LinkSide},
    post::{Kept, Overrun, tell},
    relay::{Dropped, Side},
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

    pub(crate) fn offer(&mut self, frame: Frame, now: Instant) -> Result<(), Overrun> {
        offer(&self.frames, &mut self.lane, frame, now, ToWorker)
    }

    const fn lane(&mut self) -> &mut Lane {
        &mut self.lane
    }

    /// Lets go what waits.
    pub(crate) fn release(&self, why: Dropped) {
        self.lane.release(why);
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

    pub(crate) fn offer(&mut self, frame: Frame, now: Instant) -> Result<(), Overrun> {
        offer(&self.frames, &mut self.lane, frame, now, ToBrowser)
    }

    const fn lane(&mut self) -> &mut Lane {
        &mut self.lane
    }

    /// Lets go what waits.
    pub(crate) fn release(&self, why: Dropped) {
        self.lane.release(why);
    }

    pub(crate) fn say(&self, body: Body) {
        tell(&self.control, ControlToBrowser(body));
    }
}

impl Channel {
    /// Lets go what waits for either side.
    pub(crate) fn release(&self, why: Dropped) {
        self.link.release(why);
        let clients = self.browser.iter().chain(&self.candidates);
        clients.for_each(|client| client.release(why));
    }

    /// Lets it go after a while: nobody asks any more how long it waits, and sockets that other
    /// things keep alive would hold it for ever.
    pub(crate) fn release_later(&self) {
        let clients = self.browser.iter().chain(&self.candidates);
        let lanes = clients.map(|client| &client.lane).chain([&self.link.lane]);
        let remains: Vec<_> = lanes.filter_map(Lane::remains).collect();
        let farewell = self.limits.farewell;
        if remains.is_empty() {
            return;
        }
        match Handle::try_current() {
            // Its owner is the thread, since nothing of an actor runs on when it has stopped.
            Ok(thread) => {
                let _goes_by_itself = thread.spawn(async move {
                    tokio::time::sleep(farewell).await;
                    remains.iter().for_each(|lane| lane.let_go());
                });
            }
            Err(_) => remains.iter().for_each(|lane| lane.let_go()),
        }
    }

    /// Whether a frame has waited for its socket for longer than one may.
    pub(crate) fn is_stuck(&mut self, now: Instant) -> bool {
        let patience = self.limits.lane_wait;
        let browser = self.browser.as_mut().map(ToClient::lane);
        let lanes = browser.into_iter().chain([self.link.lane()]);
        // All are asked, so that each knows which frame is next.
        let stuck = lanes.filter_map(|lane| lane.is_overdue(patience, now).then_some(()));
        stuck.count() > 0
    }

    /// When [`is_stuck`](Self::is_stuck) wants to be asked.
    pub(crate) fn lane_deadline(&mut self) -> Option<Instant> {
        let patience = self.limits.lane_wait;
        let browser = self.browser.as_mut().map(ToClient::lane);
        let lanes = browser.into_iter().chain([self.link.lane()]);
        lanes.filter_map(|lane| lane.deadline(patience)).min()
    }
}

fn lane(to: Side, fence: Fence, limits: &Limits, account: &Arc<Account>) -> Lane {
    let (places, bytes) = (limits.queue_frames, limits.queue_bytes());
    Lane::toward(to, Arc::clone(account), fence, places, bytes)
}

fn offer<M>(
    frames: &Kept<M>,
    lane: &mut Lane,
    frame: Frame,
    now: Instant,
    wrap: fn(Passing) -> M,
) -> Result<(), Overrun>
where
    M: Message<Result = ()> + Send,
{
    let passing = lane.enter(frame, now).ok_or(Overrun::Full)?;
    frames.offer(wrap(passing))
}
