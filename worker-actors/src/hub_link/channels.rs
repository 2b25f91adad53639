//! What the Hub says about channels, and what channels say to the link.

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use channel_actors::{
    close::{self, CloseReason},
    refusal::{self, Refusal, RefusalReason},
};
use schema::{
    frame::Frame,
    ids::ChannelId,
    wire::{self, control},
};

use super::{Ctx, HubLink, Lost};
use crate::{
    clock,
    messages::{ChannelGone, Detached, Path, RenewalAnswered},
    secure_channel::Leave,
};

impl HubLink {
    /// Frames of channels that are no more are late, and dropped.
    pub(super) fn frame(&mut self, frame: Frame) {
        if let Some(line) = self.channels.get(&frame.channel()) {
            line.frame(frame, self.generation);
        }
    }

    pub(super) fn control(&mut self, body: control::Body, ctx: &mut Ctx) {
        match body {
            control::Body::Incoming(mut incoming) => {
                self.heed(std::mem::take(&mut incoming.certificates), ctx);
                self.incoming(incoming, ctx);
            }
            control::Body::Close(close) => self.closed(close),
            control::Body::AccessChanged(mut changed) => {
                self.heed(std::mem::take(&mut changed.certificates), ctx);
                self.access_changed(changed);
            }
            control::Body::Renew(renew) => self.renew(renew),
            control::Body::Open(_)
            | control::Body::Opened(_)
            | control::Body::Refused(_)
            | control::Body::Renewed(_)
            | control::Body::AccessAcknowledged(_)
            | control::Body::Goodbye(_) => self.hang_up(&Lost::Nonsense, ctx),
        }
    }

    /// What the owner has signed counts whoever it is told about, and whether that channel is here or
    /// not: above all a withdrawal, whose channels are closed. All channels hear of what it changes.
    fn heed(&self, certificates: Vec<wire::Signed>, ctx: &mut Ctx) {
        if certificates.is_empty() {
            return;
        }
        let book = self.parts.services.0.devices.clone();
        // What fails is logged where it does.
        let heeding = async move { book.heed(certificates).await.is_ok() };
        ctx.spawn(heeding.into_actor(self).map(|_, _, _| ()));
    }

    /// Whoever has the channel's secrets may go on with it: nothing else is asked here. What is
    /// computed for it, is computed where the channel runs.
    fn renew(&mut self, renew: wire::Renew) {
        let Ok(channel) = ChannelId::try_from(&*renew.channel_id) else {
            return;
        };
        let (serial, generation) = (renew.serial, self.generation);
        let Some(live) = &self.live else { return };
        let frames = live.open.frames.clone();
        let path = Path { generation, frames };
        let refusal = match self.channels.get(&channel) {
            Some(line) if line.renew(renew, path) => return,
            Some(_) => Refusal {
                reason: RefusalReason::Busy,
                retry_after: RETRY_AFTER,
            },
            None => RefusalReason::Stale.into(),
        };
        self.say_control(refusal::refused_renewal(channel, refusal, serial));
    }

    fn closed(&mut self, close: wire::Close) {
        let Ok(channel) = ChannelId::try_from(&*close.channel_id) else {
            return;
        };
        if let Some(access) = self.pending.get_mut(&channel) {
            *access = None;
        }
        if let Some(line) = self.channels.get(&channel) {
            line.control(control::Body::Close(close));
        }
    }

    /// Acknowledged once it is in the channel's mailbox: every request that follows finds it
    /// there before itself. For a channel that is not here there is nothing to change, and change 0
    /// comes before a renewal, whose answer is enough.
    fn access_changed(&mut self, changed: wire::AccessChanged) {
        let Ok(channel) = ChannelId::try_from(&*changed.channel_id) else {
            return;
        };
        let acknowledged = wire::AccessAcknowledged {
            channel_id: changed.channel_id.clone(),
            change: changed.change,
        };
        if let Some(line) = self.channels.get(&channel) {
            line.control(control::Body::AccessChanged(changed));
        } else if let Some(Some(access)) = self.pending.get_mut(&channel) {
            *access = changed.workspaces;
        } else {
            return;
        }
        if acknowledged.change > 0 {
            self.say_control(control::Body::AccessAcknowledged(acknowledged));
        }
    }

    /// Ends every channel, and says so for those that the Hub knows of. By the control queue:
    /// their actors may have no time left to say it themselves.
    pub(super) fn close_all(&mut self) {
        for (channel, line) in std::mem::take(&mut self.channels) {
            if !self.adrift.has(&channel) {
                let reason = CloseReason::ClosedByWorker;
                self.say_control(close::close(channel, line.marks.epoch(), reason));
            }
            line.lost(self.generation);
            line.close(CloseReason::ClosedByWorker);
            self.adrift.found(&channel);
        }
        self.take_census();
    }

    pub(super) fn take_census(&self) {
        self.parts.census.send_replace(Census {
            channels: self.channels.len(),
            detached: self.adrift.len(),
            opening: self.pending.len(),
        });
    }
}

/// How many channels a Worker has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// In all.
    pub channels: usize,
    /// Of these, waiting for their clients to come back.
    pub detached: usize,
    /// Not counted above: waiting for their handshakes.
    pub opening: usize,
}

impl Handler<RenewalAnswered> for HubLink {
    type Result = ();

    fn handle(&mut self, answered: RenewalAnswered, _ctx: &mut Ctx) {
        // Who asked by a stream that is gone asks again by the next.
        if answered.generation == self.generation {
            self.say_control(answered.body);
        }
    }
}

impl Handler<Detached> for HubLink {
    type Result = ();

    fn handle(&mut self, Detached { channel, detached }: Detached, _ctx: &mut Ctx) {
        let Some(line) = self.channels.get(&channel) else {
            return;
        };
        let excess = if detached {
            self.adrift.lost(channel, &line.user)
        } else {
            self.adrift.found(&channel);
            None
        };
        if let Some(line) = excess.and_then(|excess| self.channels.get(&excess)) {
            line.close(CloseReason::DetachedTooLong);
        }
        self.take_census();
    }
}

impl Handler<ChannelGone> for HubLink {
    type Result = ();

    fn handle(&mut self, ChannelGone { channel, leave }: ChannelGone, _ctx: &mut Ctx) {
        let Some(line) = self.channels.remove(&channel) else {
            return;
        };
        let adrift = self.adrift.has(&channel);
        self.adrift.found(&channel);
        self.admission.closed(&channel, clock::now());
        self.take_census();
        if leave == Leave::Failed {
            tracing::error!(%channel, "a channel failed");
            if !adrift {
                let epoch = line.marks.epoch();
                self.say_control(close::close(channel, epoch, CloseReason::Internal));
            }
        }
    }
}

/// When a renewal that found the channel's queue full is worth asking again.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
