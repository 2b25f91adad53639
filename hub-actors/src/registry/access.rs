//! Access that became more reaches channels that are open; and what administrators ask.

use actix::{
    ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, WrapFuture as _,
};
use channel_actors::{RefusalReason, messages::AnnounceAccess, post::tell_addr};
use schema::{
    ids::{ChannelId, UserId},
    wire,
};

use super::Registry;
use crate::{
    error::Fault,
    grant::{self, Grant},
    messages::{CountChannels, ListOpenChannels, RefreshAccess, SessionId},
};

impl Handler<RefreshAccess> for Registry {
    type Result = ();

    fn handle(&mut self, order: RefreshAccess, ctx: &mut Context<Self>) {
        for user in order.users {
            self.refresh(&user, ctx);
        }
    }
}

impl Handler<ListOpenChannels> for Registry {
    type Result = MessageResult<ListOpenChannels>;

    fn handle(&mut self, _: ListOpenChannels, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.directory.open_channels())
    }
}

impl Handler<CountChannels> for Registry {
    type Result = MessageResult<CountChannels>;

    fn handle(&mut self, question: CountChannels, _: &mut Context<Self>) -> Self::Result {
        let organisations = question.organisations.iter();
        let counts = organisations.map(|id| self.directory.channels_for(id));
        MessageResult(counts.collect())
    }
}

impl Registry {
    /// Each channel is authorised anew, as it was asked for. Whoever may do less by now has been
    /// revoked, or will be in a moment.
    fn refresh(&self, user: &UserId, ctx: &mut Context<Self>) {
        for (channel, paths) in self.directory.paths_of_user(user) {
            let Some(known) = self.channels.get(&channel) else {
                continue;
            };
            let (store, defaults) = (self.parts.store.clone(), self.parts.organisations);
            let plea = known.grant.plea().clone();
            let granted = async move { grant::authorise(&store, defaults, plea).await };
            ctx.spawn(granted.into_actor(self).map(move |granted, registry, _| {
                registry.refreshed(channel, &paths, granted);
            }));
        }
    }

    fn refreshed(
        &mut self,
        channel: ChannelId,
        paths: &[SessionId],
        granted: Result<Result<Grant, RefusalReason>, Fault>,
    ) {
        match granted {
            Ok(Ok(grant)) => self.announce_access(channel, paths, grant),
            Ok(Err(reason)) => {
                tracing::debug!(%channel, reason = reason.label(), "access was not announced");
            }
            Err(fault) => {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, %channel, "access was not announced");
            }
        }
    }

    /// The channel stands with more before its Worker hears of it.
    fn announce_access(&mut self, channel: ChannelId, paths: &[SessionId], grant: Grant) {
        let Some(known) = self.channels.get_mut(&channel) else {
            return;
        };
        for session in paths {
            let (topics, as_of) = (grant.topics(), grant.as_of());
            let more = self.directory.extend_path(channel, *session, topics, as_of);
            let (Some(more), Some(fence)) = (more, known.fences.get(session)) else {
                return;
            };
            self.fences.extend(fence, &more);
        }
        let changed = wire::AccessChanged {
            channel_id: channel.as_bytes().to_vec().into(),
            // Numbered by the channel.
            change: 0,
            workspaces: grant.workspaces().to_vec(),
            certificates: grant.certificates().to_vec(),
        };
        known.grant = grant;
        tell_addr(&known.addr, AnnounceAccess(changed));
    }
}
