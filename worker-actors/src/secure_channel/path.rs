//! The way of a channel to its client: one stream of the link after another.
//!
//! Frames go out only into places of the link's queue that were reserved before they are sealed, so
//! a slow link holds up sealing and loses nothing. Without a path nothing is sealed.

use actix::{ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use channel_actors::{
    post::tell,
    refusal::{self, RefusalReason},
};
use schema::{
    frame::Outer,
    wire::{self, control, from_worker},
};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::SecureChannel;
use crate::{
    clock, entropy,
    messages::{FromHub, LinkLost, Path, RenewFromHub, RenewalAnswered},
};

type Frames = mpsc::Sender<wire::FromWorker>;

impl SecureChannel {
    /// Sends what there is and room for. True = there may be more to hear.
    pub(super) fn send(&mut self, ctx: &mut Context<Self>) -> bool {
        let mut sent = false;
        let Some(frames) = self.path.as_ref().map(|path| path.frames.clone()) else {
            return false;
        };
        while self.waiting.is_none() {
            match frames.try_reserve() {
                Ok(place) => {
                    let Some(outer) = self.endpoint.poll_outgoing(clock::now()) else {
                        break;
                    };
                    place.send(relay(outer));
                    sent = true;
                }
                Err(TrySendError::Full(())) => self.wait_for_place(&frames, ctx),
                Err(TrySendError::Closed(())) => {
                    self.lose_path(ctx);
                    return true;
                }
            }
        }
        sent
    }

    fn wait_for_place(&mut self, frames: &Frames, ctx: &mut Context<Self>) {
        let place = frames.clone().reserve_owned().into_actor(self);
        self.waiting = Some(ctx.spawn(place.map(|place, channel, ctx| {
            // Given back at once: what is to be sent now is decided now.
            drop(place);
            channel.waiting = None;
            channel.settle(ctx);
        })));
    }

    fn lose_path(&mut self, ctx: &mut Context<Self>) {
        self.leave_path(ctx);
        self.endpoint.detach(clock::now());
    }

    /// Sends nothing more by the path, and waits for no place in it.
    pub(super) fn leave_path(&mut self, ctx: &mut Context<Self>) {
        self.path = None;
        if let Some(waiting) = self.waiting.take() {
            ctx.cancel_future(waiting);
        }
    }

    fn take_path(&mut self, path: Path, ctx: &mut Context<Self>) {
        self.leave_path(ctx);
        self.path = Some(path);
    }

    fn is_path(&self, generation: u64) -> bool {
        let path = self.path.as_ref();
        path.is_some_and(|path| path.generation == generation)
    }

    /// Whatever is refused changes nothing.
    fn renewal(&mut self, asked: RenewFromHub, ctx: &mut Context<Self>) -> control::Body {
        let RenewFromHub {
            renew,
            path,
            number,
        } = asked;
        let answer = if self.marks.is_newest(number) {
            let (identity, mut rng) = (self.identity.clone(), entropy::source());
            self.endpoint
                .answer_renewal(&identity, &renew, &mut rng, clock::now())
        } else {
            // A newer one waits behind it, and it will not be asked for again.
            Err(RefusalReason::Stale)
        };
        match answer {
            Ok(renewed) => {
                self.stop_judging(ctx);
                self.take_path(path, ctx);
                self.marks.renewed(renew.serial);
                renewed
            }
            Err(reason) => refusal::refused_renewal(self.id(), reason.into(), renew.serial),
        }
    }
}

impl Handler<FromHub> for SecureChannel {
    type Result = ();

    fn handle(&mut self, FromHub { frame, generation }: FromHub, ctx: &mut Context<Self>) {
        if !self.is_path(generation) {
            self.strays += 1;
            return;
        }
        self.endpoint.receive(frame, clock::now());
        self.settle(ctx);
    }
}

impl Handler<RenewFromHub> for SecureChannel {
    type Result = ();

    fn handle(&mut self, asked: RenewFromHub, ctx: &mut Context<Self>) {
        let generation = asked.path.generation;
        let body = self.renewal(asked, ctx);
        tell(&self.link.renewals, RenewalAnswered { generation, body });
        self.settle(ctx);
    }
}

impl Handler<LinkLost> for SecureChannel {
    type Result = ();

    fn handle(&mut self, LinkLost { generation }: LinkLost, ctx: &mut Context<Self>) {
        if self.is_path(generation) {
            self.lose_path(ctx);
            self.settle(ctx);
        }
    }
}

fn relay(outer: Outer) -> wire::FromWorker {
    wire::FromWorker {
        body: Some(from_worker::Body::Relay(outer.encode())),
    }
}
