//! What becomes of the others when one of them ends, or has to.

use std::time::Duration;

use actix::{AsyncContext as _, Context, Handler, WrapFuture as _};
use channel_actors::{
    CloseReason, close,
    messages::{ControlToBrowser, ControlToWorker},
    post::tell,
    relay::Ending,
};
use schema::ids::{ChannelId, UserId, WorkerId};

use super::{KnownSession, Registry, Ways};
use crate::{
    clock,
    directory::Offender,
    messages::{ChannelGone, ChannelOverrun, DepartLink, LinkGone, SessionGone, SessionId},
    store::workers,
    telemetry::{self, LinkEnd, SessionEnd},
};

/// How long a peer that offended should stay away.
const OFFENDER_RETRY: Duration = Duration::from_secs(60);
/// A link that is back by then was never gone, as far as anybody who watches is concerned. Longer
/// than a Worker waits before it first dials again.
const FLAP: Duration = Duration::from_millis(1_500);

impl Handler<SessionGone> for Registry {
    type Result = ();

    fn handle(&mut self, gone: SessionGone, ctx: &mut Context<Self>) {
        if let Some(expiry) = self.expiries.remove(&gone.id) {
            ctx.cancel_future(expiry);
        }
        let channels = self.directory.session_gone(gone.id);
        self.close_path(gone.id, &channels, CloseReason::ConnectionLost);
        self.sessions.remove(&gone.id);
        telemetry::session_ended(gone.kind, gone.reason);
        tracing::info!(session = %gone.id, reason = gone.reason.label(), "a session ended");
    }
}

impl Handler<LinkGone> for Registry {
    type Result = ();

    fn handle(&mut self, gone: LinkGone, ctx: &mut Context<Self>) {
        telemetry::link_ended(gone.reason);
        tracing::info!(worker = %gone.worker, reason = gone.reason.label(), "a link ended");
        let Some(channels) = self.directory.link_gone(&gone.worker, gone.id) else {
            return;
        };
        // Both ends keep the channel: the Worker may be back in a moment.
        self.close(&channels, CloseReason::ConnectionLost);
        self.links.remove(&gone.worker);
        self.parts.presence.went(&gone.worker, gone.id);
        let (owner, worker) = (gone.owner, gone.worker.clone());
        ctx.run_later(FLAP, move |registry, ctx| {
            registry.announce_absence(owner, worker, ctx)
        });
        self.note_seen(gone.worker, ctx);
    }
}

impl Handler<ChannelGone> for Registry {
    type Result = ();

    fn handle(&mut self, ChannelGone(report): ChannelGone, _: &mut Context<Self>) {
        self.channels.remove(&report.channel);
        self.parts.paces.went(&report.channel);
        if report.ending == Ending::Closed(CloseReason::Internal) {
            self.bury(report.channel, report.epoch);
        }
        let path = report.path.map(SessionId::from);
        let offender = self
            .directory
            .channel_gone(report.channel, path, report.offender);
        if let Some(offender) = offender {
            self.punish(offender);
        }
    }
}

impl Handler<ChannelOverrun> for Registry {
    type Result = ();

    fn handle(&mut self, event: ChannelOverrun, _: &mut Context<Self>) {
        self.close(&[event.channel], CloseReason::TooSlow);
    }
}

impl Registry {
    fn note_seen(&self, worker: WorkerId, ctx: &mut Context<Self>) {
        let store = self.parts.store.clone();
        let note = async move {
            let noted = store.run(move |conn| workers::note_seen(conn, &worker, clock::unix_ms()));
            if let Err(fault) = noted.await {
                tracing::warn!(
                    error = &fault as &dyn std::error::Error,
                    "not noted: last seen"
                );
            }
        };
        ctx.spawn(note.into_actor(self));
    }

    /// A Worker that comes back at once was never away.
    fn announce_absence(&mut self, owner: UserId, worker: WorkerId, ctx: &mut Context<Self>) {
        if !self.links.contains_key(&worker) {
            self.announce_worker(owner, worker, ctx);
        }
    }

    /// A channel that died could not say goodbye.
    fn bury(&self, channel: ChannelId, epoch: u32) {
        let Some((sessions, worker)) = self.directory.parties(channel) else {
            return;
        };
        let close = close::close(channel, epoch, CloseReason::Internal);
        for session in sessions {
            if let Some(KnownSession {
                ways: Ways::Relay { control, .. },
                ..
            }) = self.sessions.get(&session)
            {
                tell(control, ControlToBrowser(close.clone()));
            }
        }
        if let Some(known) = self.links.get(&worker) {
            tell(&known.control, ControlToWorker(close));
        }
    }

    fn punish(&self, offender: Offender) {
        match offender {
            Offender::Session(session) => {
                self.depart(session, SessionEnd::Offender, OFFENDER_RETRY);
            }
            Offender::Link(worker, id) => {
                let end = LinkEnd::Offender;
                let reconnect_after = OFFENDER_RETRY;
                self.depart_link(
                    &worker,
                    id,
                    DepartLink {
                        end,
                        reconnect_after,
                    },
                );
            }
        }
    }
}
