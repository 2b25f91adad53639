//! Opens, from their announcement to the channel: admitted here, computed on the blocking pool,
//! and answered here again.

use std::{sync::Arc, time::Duration};

use actix::{
    Actor as _, ActorFutureExt as _, Addr, AsyncContext as _, Context, WrapFuture as _,
    dev::channel,
};
use channel_actors::{
    endpoint::{AcceptParts, Endpoint, Responder, SignedReply},
    limits::QUEUE_FRAMES,
    post::tell_addr,
    refusal::RefusalReason,
};
use crypto::Identity;
use schema::{
    ids::{ChannelId, UserId},
    wire,
};

use super::{Ctx, HubLink, Line, Marks};
use crate::{
    clock, entropy,
    messages::{ChannelGone, Path},
    secure_channel::{ChannelParts, Guard, LinkEars, SecureChannel},
};

impl HubLink {
    pub(super) fn incoming(&mut self, incoming: wire::Incoming, ctx: &mut Ctx) {
        let Ok(channel) = ChannelId::try_from(&*incoming.channel_id) else {
            return;
        };
        let Ok(user) = UserId::parse(&incoming.user_id) else {
            return self.refuse(channel, RefusalReason::Malformed.into());
        };
        if let Err(refusal) = self.admission.admit(channel, &user, clock::now()) {
            return self.refuse(channel, refusal);
        }
        self.pending
            .insert(channel, Some(incoming.workspaces.clone()));
        self.admission.enqueue(channel, user, incoming);
        self.sign_next(ctx);
    }

    /// Handshakes run on the blocking pool, as many at a time as there are cores.
    fn sign_next(&mut self, ctx: &mut Ctx) {
        while let Some((channel, incoming)) = self.admission.next_job() {
            let (identity, mode) = (Arc::clone(&self.parts.identity), self.parts.mode);
            let (worker, limits) = (self.parts.worker.clone(), Arc::clone(&self.limits));
            let generation = self.generation;
            let signing = tokio::task::spawn_blocking(move || {
                let begun = clock::now();
                let parts = AcceptParts {
                    identity: &identity,
                    mode,
                    worker,
                    incoming: &incoming,
                    limits,
                };
                let answer = shake_hands(parts, &identity);
                (answer, begun.elapsed())
            });
            ctx.spawn(signing.into_actor(self).map(move |signed, link, ctx| {
                let (answer, took) =
                    signed.unwrap_or((Err(RefusalReason::Handshake), Duration::ZERO));
                link.admission.done(took);
                link.answered(channel, generation, answer, ctx);
                link.sign_next(ctx);
            }));
        }
    }

    fn answered(
        &mut self,
        channel: ChannelId,
        generation: u64,
        answer: Result<(Responder, SignedReply), RefusalReason>,
        ctx: &mut Ctx,
    ) {
        let access = self.pending.remove(&channel).flatten();
        let here = access.filter(|_| generation == self.generation);
        match (answer, here, &self.live) {
            (Ok((mut responder, signed)), Some(access), Some(live)) => {
                responder.change_access(&access);
                let (endpoint, opened) = responder.reply(signed, clock::now());
                let path = Path {
                    generation,
                    frames: live.open.frames.clone(),
                };
                self.start(endpoint, path, ctx);
                self.say_control(opened);
            }
            (Err(reason), Some(_), Some(_)) => {
                self.admission.closed(&channel, clock::now());
                self.refuse(channel, reason.into());
            }
            // Closed while it waited, or its link is gone.
            (Ok(_) | Err(_), ..) => self.admission.closed(&channel, clock::now()),
        }
        self.take_census();
    }

    fn start(&mut self, endpoint: Endpoint, path: Path, ctx: &Ctx) {
        let (channel, hub) = (endpoint.channel(), ctx.address());
        let (user, marks) = (endpoint.user().clone(), Arc::<Marks>::default());
        let link = hub.clone();
        let guard = Guard::new(move |leave| tell_addr(&link, ChannelGone { channel, leave }));
        let parts = ChannelParts {
            endpoint,
            path,
            identity: Arc::clone(&self.parts.identity),
            link: LinkEars {
                detached: hub.clone().recipient(),
                renewals: hub.recipient(),
            },
            marks: Arc::clone(&marks),
            services: self.parts.services.clone(),
            guard,
        };
        let addr = self.run(parts);
        self.channels.insert(channel, Line::new(&addr, user, marks));
    }

    fn run(&mut self, parts: ChannelParts) -> Addr<SecureChannel> {
        self.turn = self.turn.wrapping_add(1);
        let arbiters = &self.parts.arbiters;
        match arbiters.get(self.turn % arbiters.len().max(1)) {
            Some(arbiter) => {
                // With its whole mailbox from the beginning: frames are offered before it runs.
                let (address, mailbox) = channel::channel(QUEUE_FRAMES);
                arbiter.spawn_fn(move || {
                    Context::with_receiver(mailbox).run(SecureChannel::new(parts));
                });
                Addr::new(address)
            }
            None => SecureChannel::new(parts).start(),
        }
    }
}

/// Both halves of a handshake: the cheap look, and the signature.
fn shake_hands(
    parts: AcceptParts<'_>,
    identity: &Identity,
) -> Result<(Responder, SignedReply), RefusalReason> {
    let (responder, job) = Responder::accept(parts)?;
    let signed = job.run(identity, &mut entropy::source())?;
    Ok((responder, signed))
}
