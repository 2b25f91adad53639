//! How a channel is renewed: its actor passes the renewal on, or a new one begins for a channel
//! that only its two ends know.

use std::time::Duration;

use actix::{
    ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, ResponseActFuture,
    WrapFuture as _, fut,
};
use channel_actors::{
    Begin, Channel, Refusal, RefusalReason, fence::Fence, messages::PassRenewal,
    messages::PathForgotten,
};
use schema::{ids::ChannelId, wire};

use super::{Registry, open::asked};
use crate::{
    directory::{Renewal, Reservation},
    grant::{self, Grant},
    messages::{RenewChannel, SessionId},
    telemetry,
};

/// How often a renewal that met the end of its channel's actor begins anew before the client has to.
const TRIES: u32 = 3;
/// When it is worth asking again for what is refused in passing. The client adds its own jitter.
const RETRY: Duration = Duration::from_millis(500);

type Answer = ResponseActFuture<Registry, Result<(), Refusal>>;

impl Handler<RenewChannel> for Registry {
    type Result = Answer;

    fn handle(&mut self, order: RenewChannel, _: &mut Context<Self>) -> Answer {
        self.renew(order, TRIES)
    }
}

impl Handler<PathForgotten> for Registry {
    type Result = ();

    fn handle(&mut self, forgotten: PathForgotten, _: &mut Context<Self>) {
        let PathForgotten { channel, path } = forgotten;
        let session = SessionId::from(path);
        self.directory.forget_path(channel, session);
        if !self.sessions.contains_key(&session) {
            self.channels
                .get_mut(&channel)
                .and_then(|known| known.fences.remove(&session));
        }
    }
}

impl Registry {
    /// Registers first and looks at the credential second, as an open does.
    fn renew(&mut self, order: RenewChannel, tries: u32) -> Answer {
        let asked = asked(&order.grant, order.channel, order.session);
        let renewal = match self.directory.renew(asked) {
            Ok(renewal) => renewal,
            Err(denied) => {
                denied.quota.into_iter().for_each(telemetry::quota_refusal);
                return refuse(denied.refusal);
            }
        };
        let (store, granted) = (self.parts.store.clone(), order.grant.clone());
        let question = async move { grant::stands(&store, &granted).await };
        Box::pin(
            question
                .into_actor(self)
                .then(move |answer, registry, ctx| {
                    let refused = match answer {
                        Ok(true) => return registry.go_on(renewal, order, tries, ctx.address()),
                        Ok(false) => RefusalReason::Credential,
                        Err(fault) => {
                            let error = &fault as &dyn std::error::Error;
                            tracing::error!(error, "a renewal failed");
                            RefusalReason::Busy
                        }
                    };
                    if let Renewal::Anew(reservation) = renewal {
                        registry.directory.release(reservation);
                    }
                    refuse(refused.into())
                }),
        )
    }

    /// The credential held.
    fn go_on(
        &mut self,
        renewal: Renewal,
        order: RenewChannel,
        tries: u32,
        me: Addr<Self>,
    ) -> Answer {
        match renewal {
            Renewal::Anew(reservation) => {
                let begun = self.attach_channel(reservation, &order, me);
                Box::pin(fut::ready(begun.map_err(|reason| retried(reason.into()))))
            }
            Renewal::Known(reservation) => self.pass_on(reservation, order, tries),
        }
    }

    fn attach_channel(
        &mut self,
        reservation: Reservation,
        order: &RenewChannel,
        me: Addr<Self>,
    ) -> Result<(), RefusalReason> {
        let link = self.directory.commit(reservation).inspect_err(|_| {
            self.directory.release(reservation);
        })?;
        let Some(fence) = self.raise_fence(order.channel, order.session) else {
            self.directory.release(reservation);
            return Err(RefusalReason::Busy);
        };
        let browser = self.browser_side(order.session, fence.clone());
        let worker = order.grant.worker();
        let (link, arbiter) = (self.link_side(worker, link), self.arbiter_of(order.session));
        let (Some(browser), Some(link), Some(arbiter)) = (browser, link, arbiter) else {
            self.directory.release(reservation);
            return Err(RefusalReason::WorkerOffline);
        };
        let begin = Begin::Renew(renewal(order));
        let fences = [(order.session, fence)].into();
        let parts = self.parts_of(order.channel, &order.grant, begin, browser, link, me);
        self.start_channel(&arbiter, parts, fences, order.grant.clone());
        Ok(())
    }

    /// Another session of the client, or the same, asks for new keys of a channel that is here.
    fn pass_on(&mut self, reservation: Reservation, order: RenewChannel, tries: u32) -> Answer {
        let (channel, session) = (order.channel, order.session);
        match self.directory.commit_path(reservation, session) {
            Ok(()) => {}
            Err(Some(reason)) => return refuse(reason.into()),
            Err(None) => return self.again(order, tries),
        }
        let Some((addr, fence)) = self.fence_of(channel, session, &order.grant) else {
            return self.again(order, tries);
        };
        let Some(browser) = self.browser_side(session, fence) else {
            return refuse(RefusalReason::Credential.into());
        };
        let renewal = renewal(&order);
        let passed = addr.send(PassRenewal { browser, renewal });
        Box::pin(
            passed
                .into_actor(self)
                .then(move |passed, registry, _| match passed {
                    Ok(Ok(())) => Box::pin(fut::ready(Ok(()))),
                    Ok(Err(refusal)) => refuse(refusal),
                    // It ended, and its report is under way.
                    Err(_) => registry.again(order, tries),
                }),
        )
    }

    fn again(&mut self, order: RenewChannel, tries: u32) -> Answer {
        match tries.checked_sub(1) {
            Some(tries) => self.renew(order, tries),
            None => refuse(RefusalReason::Busy.into()),
        }
    }

    /// The channel, and the fence of one of its paths, which falls with all that the path stands with
    /// by now. One that has fallen was another grant's.
    fn fence_of(
        &mut self,
        channel: ChannelId,
        session: SessionId,
        grant: &Grant,
    ) -> Option<(Addr<Channel>, Fence)> {
        let topics = self.directory.topics_of(channel, session)?;
        let known = self.channels.get_mut(&channel)?;
        let standing = known.fences.get(&session).filter(|fence| !fence.is_down());
        let fence = match standing {
            Some(fence) => {
                let fence = fence.clone();
                self.fences.extend(&fence, topics);
                fence
            }
            None => self.fences.raise(topics),
        };
        known.fences.insert(session, fence.clone());
        known.grant = grant.clone();
        Some((known.addr.clone(), fence))
    }
}

fn refuse(refusal: Refusal) -> Answer {
    Box::pin(fut::ready(Err(retried(refusal))))
}

/// What passes by itself is worth another try, and soon: somebody waits for a channel that lives.
fn retried(refusal: Refusal) -> Refusal {
    let passes = matches!(
        refusal.reason,
        RefusalReason::Busy | RefusalReason::WorkerOffline | RefusalReason::Timeout
    );
    let retry_after = if passes && refusal.retry_after.is_zero() {
        RETRY
    } else {
        refusal.retry_after
    };
    Refusal {
        retry_after,
        ..refusal
    }
}

fn renewal(order: &RenewChannel) -> channel_actors::Renewal {
    let channel_id = order.renew.channel_id.clone();
    channel_actors::Renewal {
        renew: order.renew.clone(),
        access: wire::AccessChanged {
            channel_id,
            // Not one of those that are acknowledged: it goes before the renewal on the same way.
            change: 0,
            workspaces: order.grant.workspaces().to_vec(),
            certificates: order.grant.certificates().to_vec(),
        },
    }
}
