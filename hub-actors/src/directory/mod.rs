//! BRAIN of the Registry: who is here, who belongs to whom, who offends, and what is revoked.
//!
//! It knows names only. Each order returns what has to be told to whom; the Registry knows the
//! addresses.
//!
//! | file | holds |
//! |---|---|
//! | this one | sessions and links: who comes and who goes |
//! | [`channels`] | channels: opens, ends, offences |
//! | [`paths`] | the sessions that a channel was opened or renewed over |
//! | [`revoked`] | what a revocation ends, and what it keeps from beginning |
//!
//! Everybody is entered with a number of the ledger: all revocations up to it were known when it was
//! decided to let them in. So a revocation ends what is older than itself and nothing that was
//! granted anew since, in whichever order the two come here.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use channel_actors::{Refusal, RefusalReason};
use schema::ids::{ChannelId, CredentialId, OrganisationId, UserId, WorkerId};

use crate::{
    config::Quotas,
    error::Quota,
    messages::{Census, LinkId, SessionId},
    telemetry::SessionKind,
    topic::Topic,
};

mod channels;
mod paths;
mod revoked;

pub(crate) use self::{
    channels::{Offender, OpenChannel},
    paths::{Renewal, Topics},
    revoked::Revoked,
};

/// Who is here.
#[derive(Debug)]
pub(crate) struct Directory {
    quotas: Quotas,
    sessions: BTreeMap<SessionId, SessionEntry>,
    links: BTreeMap<WorkerId, LinkEntry>,
    channels: BTreeMap<ChannelId, ChannelEntry>,
    topics: BTreeMap<Topic, Standing>,
    users: BTreeMap<UserId, Usage>,
    /// Channels that are counted for an organisation.
    organisations: BTreeMap<OrganisationId, u32>,
    tombstones: BTreeMap<Topic, Tombstone>,
    /// Whatever was decided before this number of the ledger is worth nothing: some of the
    /// revocations up to it were lost.
    floor: i64,
    /// What is revoked does not come here any more: nobody new is let in until it does.
    blind: bool,
    draining: bool,
    last_number: u64,
}

#[derive(Debug)]
struct SessionEntry {
    user: UserId,
    credential: CredentialId,
    as_of: i64,
    kind: SessionKind,
    channels: BTreeSet<ChannelId>,
    offences: u32,
    leaving: bool,
}

#[derive(Debug)]
struct LinkEntry {
    id: LinkId,
    as_of: i64,
    channels: BTreeSet<ChannelId>,
    offences: u32,
    leaving: bool,
}

#[derive(Debug)]
struct ChannelEntry {
    number: u64,
    worker: WorkerId,
    link: LinkId,
    user: UserId,
    /// The Worker's, which it counts for.
    organisation: OrganisationId,
    /// The sessions it was opened or renewed over. Which of them is the channel's own now, only its
    /// actor knows; to revoke any of them is to tell the actor.
    paths: BTreeMap<SessionId, Path>,
    /// The number of the ledger of what its Worker was told last.
    told: i64,
    phase: Phase,
}

/// One session of a channel.
#[derive(Debug, Default)]
struct Path {
    /// What it stands with.
    topics: Topics,
    /// Renewals over it that are neither passed on nor refused.
    asking: u32,
    /// The channel's actor may use it.
    taken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its id is taken and it counts, but its credential is looked at once more.
    Reserved,
    /// Its actor runs.
    Running,
}

/// What stands or falls with one topic. Links are found by their Workers.
#[derive(Debug, Default)]
struct Standing {
    sessions: BTreeSet<SessionId>,
    channels: BTreeSet<(ChannelId, SessionId)>,
}

/// A topic that was revoked.
#[derive(Debug, Clone, Copy)]
struct Tombstone {
    /// The number of the newest revocation.
    seq: i64,
    until: Instant,
}

#[derive(Debug, Default)]
struct Usage {
    sessions: u32,
    channels: u32,
}

/// Who asks for a channel to whom. Made from a grant.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) channel: ChannelId,
    pub(crate) session: SessionId,
    pub(crate) worker: WorkerId,
    pub(crate) user: UserId,
    /// The Worker's, and how many channels it may have; 0 for any number.
    pub(crate) organisation: OrganisationId,
    pub(crate) organisation_channels: u32,
    /// What it stands with.
    pub(crate) topics: BTreeSet<Topic>,
    /// All revocations up to this one were known when it was granted.
    pub(crate) as_of: i64,
}

/// A taken channel id. Its number tells it from a later taker of the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) channel: ChannelId,
    number: u64,
}

/// A link that may stay, and the one whose place it took.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) link: LinkId,
    pub(crate) replaced: Option<(LinkId, Vec<ChannelId>)>,
}

/// Whom to say goodbye to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leavers {
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) links: Vec<(WorkerId, LinkId)>,
}

/// Why a channel may not be opened or renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied {
    /// What the client is told.
    pub(crate) refusal: Refusal,
    /// The quota that is used up, if that is why.
    pub(crate) quota: Option<Quota>,
}

impl Denied {
    const fn quota(quota: Quota, retry_after: Duration) -> Self {
        let refusal = Refusal {
            reason: RefusalReason::Quota,
            retry_after,
        };
        Self {
            refusal,
            quota: Some(quota),
        }
    }

    const fn draining() -> Self {
        let refusal = Refusal {
            reason: RefusalReason::Draining,
            retry_after: DRAIN_RETRY,
        };
        Self {
            refusal,
            quota: None,
        }
    }
}

/// What passes in a moment.
const fn busy(retry_after: Duration) -> Denied {
    let refusal = Refusal {
        reason: RefusalReason::Busy,
        retry_after,
    };
    Denied {
        refusal,
        quota: None,
    }
}

impl From<RefusalReason> for Denied {
    fn from(reason: RefusalReason) -> Self {
        Self {
            refusal: reason.into(),
            quota: None,
        }
    }
}

/// Why a session may not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSession {
    /// Its credential was revoked.
    Revoked,
    /// The user has too many.
    Quota,
    /// The Hub goes down.
    Draining,
}

/// When it is worth asking whether revocations are heard of again.
const BLIND_RETRY: Duration = Duration::from_secs(1);
/// When another replica, or this one again, will be there.
const DRAIN_RETRY: Duration = Duration::from_secs(1);

impl Directory {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            sessions: BTreeMap::new(),
            links: BTreeMap::new(),
            channels: BTreeMap::new(),
            topics: BTreeMap::new(),
            users: BTreeMap::new(),
            organisations: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            floor: 0,
            blind: false,
            draining: false,
            last_number: 0,
        }
    }

    /// A browser or command line came.
    pub(crate) fn admit_session(
        &mut self,
        user: UserId,
        credential: CredentialId,
        as_of: i64,
        kind: SessionKind,
    ) -> Result<SessionId, NoSession> {
        if self.draining || self.blind || as_of < self.floor {
            return Err(NoSession::Draining);
        }
        let topic = Topic::Credential(credential.clone());
        if self.is_revoked(&topic, as_of) {
            return Err(NoSession::Revoked);
        }
        let usage = self.users.entry(user.clone()).or_default();
        if usage.sessions >= self.quotas.sessions_per_user {
            return Err(NoSession::Quota);
        }
        usage.sessions += 1;
        let id = SessionId(self.number());
        self.topics.entry(topic).or_default().sessions.insert(id);
        let entry = SessionEntry {
            user,
            credential,
            as_of,
            kind,
            channels: BTreeSet::new(),
            offences: 0,
            leaving: false,
        };
        self.sessions.insert(id, entry);
        Ok(id)
    }

    /// Whether it still may stay: its credential may have been revoked since it was admitted, or
    /// a goodbye have gone to nobody, since it had no address yet.
    pub(crate) fn may_stay(&self, session: SessionId) -> Result<(), NoSession> {
        let entry = self.sessions.get(&session).ok_or(NoSession::Revoked)?;
        let topic = Topic::Credential(entry.credential.clone());
        if self.is_revoked(&topic, entry.as_of) {
            return Err(NoSession::Revoked);
        }
        if entry.leaving || self.blind || entry.as_of < self.floor {
            return Err(NoSession::Draining);
        }
        Ok(())
    }

    /// A session went; the channels that it was a path of are to be told.
    pub(crate) fn session_gone(&mut self, session: SessionId) -> Vec<ChannelId> {
        let Some(entry) = self.sessions.remove(&session) else {
            return Vec::new();
        };
        self.leave_topic(&Topic::Credential(entry.credential), |standing| {
            standing.sessions.remove(&session);
        });
        self.release_usage(&entry.user, |usage| {
            usage.sessions = usage.sessions.saturating_sub(1)
        });
        self.running_or_forgotten(entry.channels)
    }

    /// A Worker's link came; an older one of the same Worker is replaced.
    pub(crate) fn admit_link(
        &mut self,
        worker: WorkerId,
        as_of: i64,
    ) -> Result<Admitted, RefusalReason> {
        if self.draining || self.blind || as_of < self.floor {
            return Err(RefusalReason::Draining);
        }
        if self.is_revoked(&Topic::Worker(worker.clone()), as_of) {
            return Err(RefusalReason::Credential);
        }
        let link = LinkId(self.number());
        let replaced = self.links.remove(&worker).map(|old| {
            let channels = self.running_or_forgotten(old.channels);
            (old.id, channels)
        });
        let channels = BTreeSet::new();
        let entry = LinkEntry {
            id: link,
            as_of,
            channels,
            offences: 0,
            leaving: false,
        };
        self.links.insert(worker, entry);
        Ok(Admitted { link, replaced })
    }

    /// A link went; `None` when another had already taken its place.
    pub(crate) fn link_gone(&mut self, worker: &WorkerId, link: LinkId) -> Option<Vec<ChannelId>> {
        if self.links.get(worker)?.id != link {
            return None;
        }
        let entry = self.links.remove(worker)?;
        Some(self.running_or_forgotten(entry.channels))
    }

    /// From now on nobody new is let in.
    pub(crate) const fn drain(&mut self) {
        self.draining = true;
    }

    /// So many who have not been said goodbye to yet: sessions first, since with them the
    /// channels end, and a Worker that goes last has nobody to miss.
    pub(crate) fn send_away(&mut self, count: usize) -> Leavers {
        let sessions = self.sessions.iter_mut().filter(|(_, entry)| !entry.leaving);
        let sessions: Vec<SessionId> = sessions
            .take(count)
            .map(|(id, entry)| {
                entry.leaving = true;
                *id
            })
            .collect();
        let links = self.links.iter_mut().filter(|(_, entry)| !entry.leaving);
        let links = links
            .take(count - sessions.len())
            .map(|(worker, entry)| {
                entry.leaving = true;
                (worker.clone(), entry.id)
            })
            .collect();
        Leavers { sessions, links }
    }

    /// The channels that a session is a path of.
    pub(crate) fn channels_of(&self, session: SessionId) -> Vec<ChannelId> {
        self.sessions
            .get(&session)
            .map_or_else(Vec::new, |entry| entry.channels.iter().copied().collect())
    }

    /// The channels over one link.
    pub(crate) fn channels_over(&self, worker: &WorkerId) -> Vec<ChannelId> {
        self.links
            .get(worker)
            .map_or_else(Vec::new, |entry| entry.channels.iter().copied().collect())
    }

    /// The sessions that watch a user's Workers.
    pub(crate) fn watchers(&self, user: &UserId) -> Vec<SessionId> {
        let watches =
            |entry: &SessionEntry| entry.kind == SessionKind::Events && entry.user == *user;
        self.sessions
            .iter()
            .filter(|(_, entry)| watches(entry))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether a Worker is linked.
    pub(crate) fn is_linked(&self, worker: &WorkerId) -> bool {
        self.links.contains_key(worker)
    }

    /// The user of a session.
    pub(crate) fn user_of(&self, session: SessionId) -> Option<UserId> {
        self.sessions.get(&session).map(|entry| entry.user.clone())
    }

    pub(crate) fn census(&self) -> Census {
        let of_kind = |kind| {
            self.sessions
                .values()
                .filter(|entry| entry.kind == kind)
                .count()
        };
        let running = self
            .channels
            .values()
            .filter(|entry| entry.phase == Phase::Running)
            .count();
        Census {
            sessions: of_kind(SessionKind::Relay),
            watchers: of_kind(SessionKind::Events),
            links: self.links.len(),
            channels: running,
            opening: self.channels.len() - running,
            topics: self.topics.len(),
            waiting_bytes: 0,
        }
    }

    /// Users of whom anything is counted.
    #[cfg(feature = "brains")]
    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }

    fn leave_topic(&mut self, topic: &Topic, leave: impl FnOnce(&mut Standing)) {
        if let Some(standing) = self.topics.get_mut(topic) {
            leave(standing);
            if standing.sessions.is_empty() && standing.channels.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    fn release_usage(&mut self, user: &UserId, release: impl FnOnce(&mut Usage)) {
        if let Some(usage) = self.users.get_mut(user) {
            release(usage);
            if usage.sessions == 0 && usage.channels == 0 {
                self.users.remove(user);
            }
        }
    }

    const fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod tests;
