//! How a channel comes to be: a place in the directory, one more look, an introduction.

use std::sync::Arc;

use actix::{
    ActorFutureExt as _, Addr, ArbiterHandle, AsyncContext as _, Context, Handler,
    ResponseActFuture, WrapFuture as _,
};
use channel_actors::{
    Begin, BrowserSide, Channel, ChannelParts, LinkSide, Refusal, RefusalReason,
    fence::Fence,
    guard::Guard,
    messages::ControlToWorker,
    post::{tell, tell_addr},
};
use schema::{
    ids::{ChannelId, WorkerId},
    wire,
};

use super::{KnownChannel, KnownPath, Registry, Ways};
use crate::{
    directory::{Asked, Reservation},
    grant::{self, Grant},
    messages::{ChannelGone, LinkId, OpenChannel, SessionId},
    showing::shown,
    telemetry,
};

impl Handler<OpenChannel> for Registry {
    type Result = ResponseActFuture<Self, Result<(), Refusal>>;

    /// Registers first and looks at what it stands with second: a revocation that comes in between
    /// finds the entry, one that came before leaves a row, or a tombstone, that is found here.
    fn handle(&mut self, order: OpenChannel, _: &mut Context<Self>) -> Self::Result {
        let asked = asked(&order.grant, order.channel, order.session);
        let reservation = match self.directory.reserve(asked) {
            Ok(reservation) => reservation,
            Err(denied) => {
                denied.quota.into_iter().for_each(telemetry::quota_refusal);
                return Box::pin(actix::fut::ready(Err(denied.refusal)));
            }
        };
        let (store, granted) = (self.parts.store.clone(), order.grant.clone());
        let question = async move { grant::stands(&store, &granted).await };
        Box::pin(question.into_actor(self).map(move |answer, registry, ctx| {
            let refused = match answer {
                Ok(true) => {
                    return Ok(registry.open_channel(reservation, &order, ctx.address())?);
                }
                Ok(false) => RefusalReason::Credential,
                Err(fault) => {
                    tracing::error!(error = &fault as &dyn std::error::Error, "an open failed");
                    RefusalReason::Busy
                }
            };
            registry.directory.release(reservation);
            Err(refused.into())
        }))
    }
}

impl Registry {
    /// Introduces the two sides of a channel that has passed its last check.
    fn open_channel(
        &mut self,
        reservation: Reservation,
        order: &OpenChannel,
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
        let link = self.link_side(order.grant.worker(), link);
        let arbiter = self.arbiter_of(order.session);
        let (Some(browser), Some(link), Some(arbiter)) = (browser, link, arbiter) else {
            self.directory.release(reservation);
            return Err(RefusalReason::WorkerOffline);
        };
        if !order.claim.settle() {
            // Whoever asked has given up, or closed it already.
            self.directory.release(reservation);
            return Err(RefusalReason::Busy);
        }
        self.show(order.grant.worker(), order.grant.more_certificates());
        let begin = Begin::Open(incoming(order));
        let parts = self.parts_of(order.channel, &order.grant, begin, browser, link, me);
        self.start_channel(&arbiter, parts, order.session, fence, &order.grant);
        Ok(())
    }

    /// A fence that falls with everything that a path stands with.
    pub(super) fn raise_fence(&mut self, channel: ChannelId, session: SessionId) -> Option<Fence> {
        let topics = self.directory.topics_of(channel, session)?;
        Some(self.fences.raise(topics))
    }

    /// What a new actor of this channel is made of.
    pub(super) fn parts_of(
        &self,
        channel: ChannelId,
        grant: &Grant,
        begin: Begin,
        browser: BrowserSide,
        link: LinkSide,
        me: Addr<Self>,
    ) -> ChannelParts {
        let registry = me.clone();
        let gone = move |report| tell_addr(&registry, ChannelGone(report));
        ChannelParts {
            channel,
            worker: grant.worker().clone(),
            user: grant.user().clone(),
            credential: grant.credential().clone(),
            begin,
            browser,
            link,
            forgotten: me.recipient(),
            guard: Guard::new(channel, gone),
            limits: Arc::clone(&self.parts.limits),
            budget: Arc::clone(&self.parts.budget),
        }
    }

    pub(super) fn start_channel(
        &mut self,
        arbiter: &ArbiterHandle,
        parts: ChannelParts,
        session: SessionId,
        fence: Fence,
        grant: &Grant,
    ) {
        let channel = parts.channel;
        let rate = grant.quotas().bytes_per_second;
        self.parts.paces.came(channel, grant.payer(), rate);
        let addr = Channel::start_on(arbiter, parts);
        let plea = grant.plea().clone();
        let known = KnownChannel {
            addr,
            paths: [(session, KnownPath { fence, plea })].into(),
            passed: 0,
        };
        self.channels.insert(channel, known);
    }

    /// Shows certificates to a Worker, if it is here.
    pub(super) fn show(&self, worker: &WorkerId, pieces: &[Vec<wire::Signed>]) {
        if let Some(known) = self.links.get(worker) {
            for piece in pieces {
                tell(&known.control, ControlToWorker(shown(piece.clone())));
            }
        }
    }

    /// The thread of a session, which becomes that of the channels it asks for.
    pub(super) fn arbiter_of(&self, session: SessionId) -> Option<ArbiterHandle> {
        match &self.sessions.get(&session)?.ways {
            Ways::Relay { arbiter, .. } => Some(arbiter.clone()),
            Ways::Events(_) => None,
        }
    }

    /// How a channel speaks to a session, as long as it is here.
    pub(super) fn browser_side(&self, session: SessionId, fence: Fence) -> Option<BrowserSide> {
        let Ways::Relay {
            frames,
            control,
            meet,
            ..
        } = &self.sessions.get(&session)?.ways
        else {
            return None;
        };
        Some(BrowserSide {
            path: session.into(),
            fence,
            frames: frames.clone(),
            control: control.clone(),
            meet: meet.clone(),
        })
    }

    /// How a channel speaks to a link, as long as it is the Worker's.
    pub(super) fn link_side(&self, worker: &WorkerId, link: LinkId) -> Option<LinkSide> {
        let known = self.links.get(worker).filter(|known| known.id == link)?;
        Some(LinkSide {
            frames: known.frames.clone(),
            control: known.control.clone(),
            meet: known.meet.clone(),
        })
    }
}

/// What the directory is asked for.
pub(super) fn asked(grant: &Grant, channel: ChannelId, session: SessionId) -> Asked {
    Asked {
        channel,
        session,
        worker: grant.worker().clone(),
        user: grant.user().clone(),
        organisation: grant.payer().clone(),
        organisation_channels: grant.quotas().channels,
        topics: grant.topics().clone(),
        as_of: grant.as_of(),
    }
}

fn incoming(order: &OpenChannel) -> wire::Incoming {
    wire::Incoming {
        channel_id: order.channel.as_bytes().to_vec().into(),
        user_id: order.grant.user().as_str().to_owned(),
        organisation_id: order.grant.organisation().as_str().to_owned(),
        workspaces: order.grant.workspaces().to_vec(),
        noise: order.noise.clone(),
        max_message_bytes: order.max_message_bytes,
        certificates: order.grant.certificates().to_vec(),
        delegated: order.grant.plea().binding.is_some(),
    }
}
