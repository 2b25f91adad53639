//! How a channel comes to be: a place in the directory, one more look, an introduction.

use std::sync::Arc;

use actix::{
    ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, ResponseActFuture,
    WrapFuture as _,
};
use channel_actors::{
    BrowserSide, Channel, ChannelParts, LinkSide, Refusal, RefusalReason, fence::Fence,
    guard::Guard, post::tell_addr,
};
use schema::{ids::WorkerId, wire};

use super::{KnownChannel, Registry, Ways};
use crate::{
    clock,
    directory::{Asked, Reservation},
    messages::{ChannelGone, LinkId, OpenChannel, SessionId},
    store::credentials,
    telemetry,
};

impl Handler<OpenChannel> for Registry {
    type Result = ResponseActFuture<Self, Result<(), Refusal>>;

    /// Registers first and looks at the credential second: a revocation that comes in between
    /// finds the entry, one that came before leaves a row, or a tombstone, that is found here.
    fn handle(&mut self, order: OpenChannel, _: &mut Context<Self>) -> Self::Result {
        let asked = Asked {
            channel: order.channel,
            session: order.session,
            worker: order.grant.worker().clone(),
            user: order.grant.user().clone(),
            credential: order.grant.credential().clone(),
        };
        let reservation = match self.directory.reserve(asked) {
            Ok(reservation) => reservation,
            Err(denied) => {
                denied.quota.into_iter().for_each(telemetry::quota_refusal);
                return Box::pin(actix::fut::ready(Err(denied.refusal)));
            }
        };
        let store = self.parts.store.clone();
        let credential = order.grant.credential().clone();
        let question = async move {
            store
                .run(move |conn| credentials::is_live(conn, &credential, clock::unix_ms()))
                .await
        };
        Box::pin(question.into_actor(self).map(move |answer, registry, ctx| {
            let refused = match answer {
                Ok(true) => {
                    return Ok(registry.start_channel(reservation, order, ctx.address())?);
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
    fn start_channel(
        &mut self,
        reservation: Reservation,
        order: OpenChannel,
        me: Addr<Self>,
    ) -> Result<(), RefusalReason> {
        let link = self.directory.commit(reservation).inspect_err(|_| {
            self.directory.release(reservation);
        })?;
        let sides = self.sides(order.session, order.grant.worker(), link);
        let Some((browser, link)) = sides else {
            self.directory.release(reservation);
            return Err(RefusalReason::WorkerOffline);
        };
        if !order.claim.settle() {
            // Whoever asked has given up, or closed it already.
            self.directory.release(reservation);
            return Err(RefusalReason::Busy);
        }
        let (channel, fence) = (order.channel, Fence::new());
        let gone = move |report| tell_addr(&me, ChannelGone(report));
        let parts = ChannelParts {
            channel,
            worker: order.grant.worker().clone(),
            user: order.grant.user().clone(),
            credential: order.grant.credential().clone(),
            incoming: incoming(&order),
            browser,
            link,
            guard: Guard::new(channel, gone),
            fence: fence.clone(),
            limits: Arc::clone(&self.parts.limits),
        };
        let addr = Channel::start_on(self.parts.arbiters.next(), parts);
        self.channels.insert(channel, KnownChannel { addr, fence });
        Ok(())
    }

    fn sides(
        &self,
        session: SessionId,
        worker: &WorkerId,
        link: LinkId,
    ) -> Option<(BrowserSide, LinkSide)> {
        let Ways::Relay {
            frames,
            control,
            meet,
        } = &self.sessions.get(&session)?.ways
        else {
            return None;
        };
        let known = self.links.get(worker).filter(|known| known.id == link)?;
        let browser = BrowserSide {
            frames: frames.clone(),
            control: control.clone(),
            meet: meet.clone(),
        };
        let link = LinkSide {
            frames: known.frames.clone(),
            control: known.control.clone(),
            meet: known.meet.clone(),
        };
        Some((browser, link))
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
        certificates: Vec::new(),
    }
}
