//! Whom a channel believes: each claim is judged, and looked at again when trust or access change.

use actix::{ActorFutureExt as _, AsyncContext as _, Context, StreamHandler, WrapFuture as _};
use channel_actors::{
    close::CloseReason,
    endpoint::{
        ClaimedDevice,
        trust::{Standing, Verdict},
    },
};
use schema::wire;
use tokio_stream::wrappers::WatchStream;

use super::SecureChannel;
use crate::{clock, device_book::Judged, store::StoreError};

impl SecureChannel {
    pub(super) fn judge(&mut self, epoch: u32, device: ClaimedDevice, ctx: &mut Context<Self>) {
        self.stop_judging(ctx);
        let book = self.devices().clone();
        let judging = async move { (book.judge(device.clone()).await, device) };
        let judged = judging
            .into_actor(self)
            .map(move |(judged, device), channel, ctx| {
                channel.judging = None;
                channel.believe(judged, (epoch, device), ctx);
                channel.settle(ctx);
            });
        self.judging = Some(ctx.spawn(judged));
    }

    /// What is found out about the claim of an older epoch says nothing about a newer one's.
    pub(super) fn stop_judging(&mut self, ctx: &mut Context<Self>) {
        if let Some(judging) = self.judging.take() {
            ctx.cancel_future(judging);
        }
    }

    fn believe(
        &mut self,
        judged: Result<Judged, StoreError>,
        (epoch, device): (u32, ClaimedDevice),
        ctx: &mut Context<Self>,
    ) {
        match judged {
            Ok(Judged {
                verdict: Verdict::Trusted { cap, .. },
                ..
            }) => {
                self.device = Some(device);
                self.endpoint.accept_claim(epoch, cap, clock::now());
                // A removal between the judgement and this moment found no device here.
                self.recheck_device(ctx);
            }
            Ok(Judged { fingerprint, .. }) => {
                tracing::warn!(channel = %self.id(), device = fingerprint, "device not trusted");
                self.endpoint.reject_device(epoch, &fingerprint);
            }
            Err(_) => self.endpoint.close(CloseReason::Internal),
        }
    }

    /// A device that is trusted no more, or not until later, loses its channels; one whose
    /// grants have changed has what they say now.
    pub(super) fn recheck_device(&mut self, ctx: &mut Context<Self>) {
        let Some(device) = &self.device else { return };
        match self.devices().standing(device) {
            Some(Standing { cap, .. }) => {
                self.endpoint.change_cap(cap);
                self.recheck_roles(ctx);
            }
            None => {
                tracing::info!(channel = %self.id(), "its device is trusted no more");
                self.endpoint.close(CloseReason::ClosedByWorker);
            }
        }
    }

    pub(super) fn change_access(&mut self, changed: &wire::AccessChanged, ctx: &mut Context<Self>) {
        self.endpoint.change_access(&changed.workspaces);
        self.recheck_roles(ctx);
    }
}

/// The device list has changed, or somebody's trust has expired.
pub(crate) struct DevicesChanged;

impl StreamHandler<DevicesChanged> for SecureChannel {
    fn handle(&mut self, _: DevicesChanged, ctx: &mut Context<Self>) {
        self.recheck_device(ctx);
        self.settle(ctx);
    }

    /// The Worker is about to stop; it says so in another way.
    fn finished(&mut self, _ctx: &mut Context<Self>) {}
}

pub(super) fn changes(watch: WatchStream<u64>) -> impl futures_util::Stream<Item = DevicesChanged> {
    futures_util::StreamExt::map(watch, |_| DevicesChanged)
}
