//! How a channel is renewed: its actor passes the renewal on, or a new one begins for a channel
//! that only its two ends know.

use std::time::Duration;

use actix::{
    ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, ResponseActFuture,
    WrapFuture as _, fut,
};
use channel_actors::{
    Begin, BrowserSide, Channel, Refusal, RefusalReason,
    fence::Fence,
    messages::{PassRenewal, PathForgotten},
};
use schema::{ids::ChannelId, wire};

use super::{KnownPath, Registry, open::asked};
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
        let PathForgotten {
            channel,
            path,
            passed,
        } = forgotten;
        let session = SessionId::from(path);
        let Some(known) = self.channels.get_mut(&channel) else {
            return;
        };
        // Else a renewal is on its way to the channel that it did not know of.
        let is_current = known.passed == passed;
        let is_here = self.sessions.contains_key(&session);
        if (is_current || !is_here) && self.directory.forget_path(channel, session) {
            known.paths.remove(&session);
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
                    match renewal {
                        Renewal::Anew(reservation) => registry.directory.release(reservation),
                        Renewal::Known(reservation) => {
                            registry.settle(reservation, order.session, None);
                        }
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
        self.show(worker, order.grant.more_certificates());
        let begin = Begin::Renew(renewal(order));
        let parts = self.parts_of(order.channel, &order.grant, begin, browser, link, me);
        self.start_channel(&arbiter, parts, order.session, fence, &order.grant);
        Ok(())
    }

    /// Another session of the client, or the same, asks for new keys of a channel that is here.
    fn pass_on(&mut self, reservation: Reservation, order: RenewChannel, tries: u32) -> Answer {
        let session = order.session;
        let (addr, browser) = match self.candidate(reservation, &order) {
            Ok(candidate) => candidate,
            Err(reason) => {
                self.settle(reservation, session, None);
                return match reason {
                    Some(reason) => refuse(reason.into()),
                    None => self.again(order, tries),
                };
            }
        };
        self.show(order.grant.worker(), order.grant.more_certificates());
        let renewal = renewal(&order);
        let passed = addr.send(PassRenewal { browser, renewal });
        Box::pin(
            passed
                .into_actor(self)
                .then(move |passed, registry, _| match passed {
                    Ok(Ok(())) => {
                        registry.settle(reservation, session, Some(&order.grant));
                        Box::pin(fut::ready(Ok(())))
                    }
                    Ok(Err(refusal)) => {
                        registry.settle(reservation, session, None);
                        refuse(refusal)
                    }
                    // It ended, and its report is under way.
                    Err(_) => {
                        registry.settle(reservation, session, None);
                        registry.again(order, tries)
                    }
                }),
        )
    }

    /// The channel, and the session that its renewal came over. The channel stands with what is
    /// granted over whichever path it has: the Worker is told of it before it answers.
    ///
    /// # Errors
    ///
    /// `None`: the channel ended meanwhile.
    fn candidate(
        &mut self,
        reservation: Reservation,
        order: &RenewChannel,
    ) -> Result<(Addr<Channel>, BrowserSide), Option<RefusalReason>> {
        let (channel, session, grant) = (order.channel, order.session, &order.grant);
        self.directory.commit_path(reservation, session)?;
        self.stand_with_all(channel, grant)?;
        let (addr, fence) = self.fence_of(channel, session, grant).ok_or(None)?;
        let browser = self.browser_side(session, fence);
        let browser = browser.ok_or(Some(RefusalReason::Credential))?;
        if let Some(known) = self.channels.get_mut(&channel) {
            known.passed += 1;
        }
        Ok((addr, browser))
    }

    /// Every path of a channel stands with what its Worker is to be told.
    pub(super) fn stand_with_all(
        &mut self,
        channel: ChannelId,
        grant: &Grant,
    ) -> Result<(), RefusalReason> {
        let (topics, as_of) = (grant.topics(), grant.as_of());
        let paths = self.directory.stand_with_all(channel, topics, as_of)?;
        let Some(known) = self.channels.get(&channel) else {
            return Err(RefusalReason::Busy);
        };
        for session in paths {
            let topics = self.directory.topics_of(channel, session);
            // One that has no fence yet gets it when it is passed on.
            if let (Some(topics), Some(path)) = (topics, known.paths.get(&session)) {
                self.fences.extend(&path.fence, topics);
            }
        }
        Ok(())
    }

    /// The channel took a renewal, by this grant, or it was refused.
    fn settle(&mut self, reservation: Reservation, session: SessionId, granted: Option<&Grant>) {
        let is_taken = granted.is_some();
        let directory = &mut self.directory;
        let is_over = directory.settle_path(reservation, session, is_taken);
        let Some(known) = self.channels.get_mut(&reservation.channel) else {
            return;
        };
        if is_over {
            known.paths.remove(&session);
        } else if let (Some(grant), Some(path)) = (granted, known.paths.get_mut(&session)) {
            path.plea = grant.plea().clone();
        }
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
        let standing = known.paths.get(&session).map(|path| path.fence.clone());
        let fence = match standing.filter(|fence| !fence.is_down()) {
            Some(fence) => {
                self.fences.extend(&fence, topics);
                fence
            }
            None => {
                let fence = self.fences.raise(topics);
                let plea = grant.plea().clone();
                let path = KnownPath {
                    fence: fence.clone(),
                    plea,
                };
                known.paths.insert(session, path);
                fence
            }
        };
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
