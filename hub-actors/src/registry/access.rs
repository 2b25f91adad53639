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
    messages::{CountChannels, ListOpenChannels, RefreshAccess, SessionId, ShowCertificates},
};

impl Handler<RefreshAccess> for Registry {
    type Result = ();

    fn handle(&mut self, order: RefreshAccess, ctx: &mut Context<Self>) {
        for user in order.users {
            self.refresh(&user, ctx);
        }
    }
}

impl Handler<ShowCertificates> for Registry {
    type Result = ();

    fn handle(&mut self, order: ShowCertificates, _: &mut Context<Self>) {
        self.show(&order.worker, &order.pieces);
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

/// How often it is asked anew what somebody may do, where it changes while it is asked.
const TRIES: u32 = 3;

type Granted = Result<Result<Grant, RefusalReason>, Fault>;

impl Registry {
    /// Each channel is authorised anew, as it was asked for, over each of its paths: only its actor
    /// knows which is its own. Whoever may do less by now has been revoked, or will be in a moment.
    fn refresh(&self, user: &UserId, ctx: &mut Context<Self>) {
        for channel in self.directory.channels_of_user(user) {
            let paths = self.channels.get(&channel).map(|known| known.paths.keys());
            for session in paths.into_iter().flatten() {
                self.ask_again(channel, *session, TRIES, ctx);
            }
        }
    }

    fn ask_again(
        &self,
        channel: ChannelId,
        session: SessionId,
        tries: u32,
        ctx: &mut Context<Self>,
    ) {
        let known = self.channels.get(&channel);
        let Some(path) = known.and_then(|known| known.paths.get(&session)) else {
            return;
        };
        let (store, defaults) = (self.parts.store.clone(), self.parts.organisations);
        let plea = path.plea.clone();
        let granted = async move { grant::authorise(&store, defaults, plea).await };
        let told = granted.into_actor(self).map(move |granted, registry, ctx| {
            let is_stale = registry.refreshed(channel, session, granted);
            if let (true, Some(tries)) = (is_stale, tries.checked_sub(1)) {
                registry.ask_again(channel, session, tries, ctx);
            }
        });
        ctx.spawn(told);
    }

    /// Whether it is to be asked once more: what was granted is true no longer.
    fn refreshed(&mut self, channel: ChannelId, session: SessionId, granted: Granted) -> bool {
        match granted {
            Ok(Ok(grant)) => return self.announce_access(channel, session, &grant).is_err(),
            Ok(Err(reason)) => {
                tracing::debug!(%channel, reason = reason.label(), "access was not announced");
            }
            Err(fault) => {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, %channel, "access was not announced");
            }
        }
        false
    }

    /// The channel stands with more before its Worker hears of it.
    fn announce_access(
        &mut self,
        channel: ChannelId,
        session: SessionId,
        grant: &Grant,
    ) -> Result<(), RefusalReason> {
        self.stand_with_all(channel, grant)?;
        self.show(grant.worker(), grant.more_certificates());
        let access = wire::AccessChanged {
            channel_id: channel.as_bytes().to_vec().into(),
            // Numbered by the channel.
            change: 0,
            workspaces: grant.workspaces().to_vec(),
            certificates: grant.certificates().to_vec(),
        };
        let path = session.into();
        if let Some(known) = self.channels.get(&channel) {
            tell_addr(&known.addr, AnnounceAccess { path, access });
        }
        Ok(())
    }
}
