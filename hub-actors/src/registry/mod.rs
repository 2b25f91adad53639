//! ACTOR Registry: the supervisor. It introduces, and then it stands aside.
//!
//! One per Hub and permanent: its death ends the Hub. No frame passes through it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{
    Actor, Addr, ArbiterHandle, AsyncContext as _, Context, Handler, MessageResult, Recipient,
    SpawnHandle,
};
use channel_actors::{
    Channel, CloseReason, Limits, RefusalReason,
    budget::Budget,
    fence::Fence,
    messages::{
        Close, ControlToBrowser, ControlToWorker, MeetBrowser, MeetWorker, PathGone, ToBrowser,
        ToWorker,
    },
    post::{Kept, tell, tell_addr},
};
use schema::ids::{ChannelId, WorkerId};
use tokio::sync::watch;

use crate::{
    config::{OrganisationQuotas, Quotas},
    directory::{Directory, NoSession},
    edge::Stall,
    events::EventLog,
    grant::Plea,
    messages::{
        AdmitSession, Census, ChannelStanding, Depart, DepartLink, LinkGuard, LinkId, MeetLink,
        MeetSession, Notice, RefuseNew, SendAway, SessionGuard, SessionId, SessionWays, Standing,
        TakeCensus,
    },
    pace::Paces,
    presence::{Live, Presence},
    store::Store,
    telemetry::{self, LinkEnd, SessionEnd},
    whereabouts::Whereabouts,
};

mod access;
mod expiring;
mod fences;
mod gone;
mod open;
#[cfg(test)]
mod races;
mod renew;
mod revoking;
mod telling;

pub(crate) use self::fences::Fences;

/// What a Registry is made of.
pub(crate) struct RegistryParts {
    pub(crate) quotas: Quotas,
    /// Of organisations that have none of their own.
    pub(crate) organisations: OrganisationQuotas,
    pub(crate) store: Store,
    pub(crate) presence: Presence,
    pub(crate) paces: Paces,
    pub(crate) limits: Arc<Limits>,
    pub(crate) budget: Arc<Budget>,
    /// Closes when the Registry is no more.
    pub(crate) alive: watch::Sender<()>,
    /// Where this life's event cursors begin.
    pub(crate) first_cursor: u64,
}

/// The supervisor of one Hub.
pub(crate) struct Registry {
    directory: Directory,
    sessions: BTreeMap<SessionId, KnownSession>,
    links: BTreeMap<WorkerId, KnownLink>,
    channels: BTreeMap<ChannelId, KnownChannel>,
    fences: Fences,
    /// Wakes at the end of a session's credential.
    expiries: BTreeMap<SessionId, SpawnHandle>,
    events: EventLog,
    whereabouts: Whereabouts,
    parts: Kit,
}

struct Kit {
    organisations: OrganisationQuotas,
    store: Store,
    presence: Presence,
    paces: Paces,
    limits: Arc<Limits>,
    budget: Arc<Budget>,
    _alive: watch::Sender<()>,
}

struct KnownSession {
    ways: Ways,
    depart: Recipient<Depart>,
}

enum Ways {
    Relay {
        frames: Recipient<ToBrowser>,
        control: Recipient<ControlToBrowser>,
        meet: Recipient<MeetBrowser>,
        arbiter: ArbiterHandle,
    },
    Events(Kept<Notice>),
}

struct KnownLink {
    id: LinkId,
    frames: Recipient<ToWorker>,
    control: Recipient<ControlToWorker>,
    meet: Recipient<MeetWorker>,
    depart: Recipient<DepartLink>,
}

struct KnownChannel {
    addr: Addr<Channel>,
    /// The sessions that it was opened or renewed over.
    paths: BTreeMap<SessionId, KnownPath>,
    /// Renewals that were passed on to it.
    passed: u64,
}

struct KnownPath {
    fence: Fence,
    /// What was asked for over it, as whoever has that session.
    plea: Plea,
}

impl Registry {
    pub(crate) fn new(parts: RegistryParts) -> Self {
        Self {
            directory: Directory::new(parts.quotas),
            sessions: BTreeMap::new(),
            links: BTreeMap::new(),
            channels: BTreeMap::new(),
            fences: Fences::new(),
            expiries: BTreeMap::new(),
            events: EventLog::new(parts.first_cursor),
            whereabouts: Whereabouts::default(),
            parts: Kit {
                organisations: parts.organisations,
                store: parts.store,
                presence: parts.presence,
                paces: parts.paces,
                limits: parts.limits,
                budget: parts.budget,
                _alive: parts.alive,
            },
        }
    }

    fn close(&self, channels: &[ChannelId], reason: CloseReason) {
        for known in channels
            .iter()
            .filter_map(|channel| self.channels.get(channel))
        {
            tell_addr(&known.addr, Close { reason });
        }
    }

    /// A session is no path any more, to whichever of these channels it was one.
    fn close_path(&self, session: SessionId, channels: &[ChannelId], reason: CloseReason) {
        let path = session.into();
        for known in channels
            .iter()
            .filter_map(|channel| self.channels.get(channel))
        {
            tell_addr(&known.addr, PathGone { path, reason });
        }
    }

    fn depart(&self, session: SessionId, end: SessionEnd, reconnect_after: Duration) {
        if let Some(known) = self.sessions.get(&session) {
            tell(
                &known.depart,
                Depart {
                    end,
                    reconnect_after,
                },
            );
        }
    }

    fn depart_link(&self, worker: &WorkerId, id: LinkId, goodbye: DepartLink) {
        if let Some(known) = self.links.get(worker).filter(|known| known.id == id) {
            tell(&known.depart, goodbye);
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // Orders wait for their answers, so their number is bounded by those who ask.
        ctx.set_mailbox_capacity(65_536);
        ctx.run_interval(telling::LOOK_EVERY, |registry, _| {
            registry.look_for_the_silent();
        });
    }
}

impl Handler<MeetSession> for Registry {
    type Result = Result<(), NoSession>;

    fn handle(&mut self, meet: MeetSession, _: &mut Context<Self>) -> Self::Result {
        let user = self.directory.user_of(meet.id).ok_or(NoSession::Revoked)?;
        let (ways, cursor) = match meet.ways {
            SessionWays::Relay {
                frames,
                control,
                meet,
                arbiter,
            } => (
                Ways::Relay {
                    frames,
                    control,
                    meet,
                    arbiter,
                },
                None,
            ),
            SessionWays::Events { notices, cursor } => (Ways::Events(notices), Some(cursor)),
        };
        self.sessions.insert(
            meet.id,
            KnownSession {
                ways,
                depart: meet.depart,
            },
        );
        if let Some(cursor) = cursor {
            self.replay(meet.id, &user, cursor);
        }
        self.directory.may_stay(meet.id)
    }
}

impl Handler<MeetLink> for Registry {
    type Result = Result<LinkGuard, RefusalReason>;

    fn handle(&mut self, meet: MeetLink, ctx: &mut Context<Self>) -> Self::Result {
        let admitted = self.directory.admit_link(meet.worker.clone(), meet.as_of)?;
        if let Some((old, channels)) = admitted.replaced {
            self.close(&channels, CloseReason::ConnectionLost);
            let end = LinkEnd::Replaced;
            let goodbye = DepartLink {
                end,
                reconnect_after: Duration::ZERO,
            };
            self.depart_link(&meet.worker, old, goodbye);
        }
        let known = KnownLink {
            id: admitted.link,
            frames: meet.frames,
            control: meet.control,
            meet: meet.meet,
            depart: meet.depart,
        };
        self.links.insert(meet.worker.clone(), known);
        let live = Live {
            link: admitted.link,
            encryption_mode: meet.encryption_mode,
            version: meet.version,
        };
        self.parts.presence.came(meet.worker.clone(), live);
        telemetry::link_began();
        self.announce_worker(meet.owner.clone(), meet.worker.clone(), ctx);
        Ok(LinkGuard {
            worker: meet.worker,
            owner: meet.owner,
            id: admitted.link,
            reason: LinkEnd::Error,
            registry: ctx.address(),
        })
    }
}

impl Handler<AdmitSession> for Registry {
    type Result = Result<SessionGuard, NoSession>;

    fn handle(&mut self, order: AdmitSession, ctx: &mut Context<Self>) -> Self::Result {
        let AdmitSession {
            user,
            credential,
            as_of,
            ends_in,
            kind,
        } = order;
        let id = self
            .directory
            .admit_session(user, credential.clone(), as_of, kind)?;
        if let Some(ends_in) = ends_in {
            self.expire_in(ends_in, id, credential, ctx);
        }
        telemetry::session_began(kind);
        let reason = SessionEnd::Error;
        Ok(SessionGuard {
            id,
            kind,
            reason,
            stall: Stall::default(),
            registry: ctx.address(),
        })
    }
}

impl Handler<RefuseNew> for Registry {
    type Result = usize;

    fn handle(&mut self, _: RefuseNew, _: &mut Context<Self>) -> usize {
        self.directory.drain();
        let census = self.directory.census();
        census.sessions + census.watchers + census.links
    }
}

impl Handler<SendAway> for Registry {
    type Result = ();

    /// Channels are told first, so that both of their ends hear the true reason.
    fn handle(&mut self, order: SendAway, _: &mut Context<Self>) {
        let leavers = self.directory.send_away(order.count);
        let (reason, reconnect_after) = (CloseReason::Draining, order.reconnect_after);
        for session in leavers.sessions {
            self.close_path(session, &self.directory.channels_of(session), reason);
            self.depart(session, SessionEnd::Draining, reconnect_after);
        }
        for (worker, id) in leavers.links {
            self.close(&self.directory.channels_over(&worker), reason);
            let end = LinkEnd::Draining;
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

impl Handler<ChannelStanding> for Registry {
    type Result = Option<Standing>;

    fn handle(&mut self, asked: ChannelStanding, _: &mut Context<Self>) -> Option<Standing> {
        self.directory.standing(asked.channel)
    }
}

impl Handler<TakeCensus> for Registry {
    type Result = MessageResult<TakeCensus>;

    fn handle(&mut self, _: TakeCensus, _: &mut Context<Self>) -> MessageResult<TakeCensus> {
        let waiting_bytes = self.parts.budget.held();
        let census = self.directory.census();
        MessageResult(Census {
            waiting_bytes,
            ..census
        })
    }
}
