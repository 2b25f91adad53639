//! BRAIN of the Registry: who is here, who belongs to whom, who offends, and what is revoked.
//!
//! It knows names only. Each order returns what has to be told to whom; the Registry knows the
//! addresses. Over the usual length, because the tables below change together or not at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use channel_actors::{Refusal, RefusalReason, relay::Side};
use schema::ids::{ChannelId, CredentialId, UserId, WorkerId};

use crate::{
    config::Quotas,
    error::Quota,
    messages::{Census, LinkId, SessionId},
    telemetry::SessionKind,
};

/// Who is here.
#[derive(Debug)]
pub(crate) struct Directory {
    quotas: Quotas,
    sessions: BTreeMap<SessionId, SessionEntry>,
    links: BTreeMap<WorkerId, LinkEntry>,
    channels: BTreeMap<ChannelId, ChannelEntry>,
    topics: BTreeMap<CredentialId, Topic>,
    users: BTreeMap<UserId, Usage>,
    tombstones: BTreeMap<CredentialId, Instant>,
    draining: bool,
    last_number: u64,
}

#[derive(Debug)]
struct SessionEntry {
    user: UserId,
    credential: CredentialId,
    kind: SessionKind,
    channels: BTreeSet<ChannelId>,
    offences: u32,
    leaving: bool,
}

#[derive(Debug)]
struct LinkEntry {
    id: LinkId,
    channels: BTreeSet<ChannelId>,
    offences: u32,
    leaving: bool,
}

#[derive(Debug)]
struct ChannelEntry {
    number: u64,
    session: SessionId,
    worker: WorkerId,
    user: UserId,
    credential: CredentialId,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its id is taken and it counts, but its credential is looked at once more.
    Reserved,
    /// Its actor runs.
    Running,
}

/// What stands or falls with one credential.
#[derive(Debug, Default)]
struct Topic {
    sessions: BTreeSet<SessionId>,
    channels: BTreeSet<ChannelId>,
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
    pub(crate) credential: CredentialId,
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

/// What a revocation ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) channels: Vec<ChannelId>,
    pub(crate) sessions: Vec<SessionId>,
}

/// Who is to be said goodbye to next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leavers {
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) links: Vec<(WorkerId, LinkId)>,
}

/// A connection that broke the rules too often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offender {
    /// Close this session.
    Session(SessionId),
    /// Close this link.
    Link(WorkerId, LinkId),
}

/// Why a channel may not be opened.
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

/// How long a revoked credential is remembered: longer than any request that may have read it
/// before it was revoked can take.
const TOMBSTONE: Duration = Duration::from_secs(600);
/// Channels that a connection may lose to breaches before it is lost itself.
const OFFENCES_MAX: u32 = 16;
/// When a quota of live things is worth asking again.
const QUOTA_RETRY: Duration = Duration::from_secs(5);
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
            tombstones: BTreeMap::new(),
            draining: false,
            last_number: 0,
        }
    }

    /// A browser or command line came.
    pub(crate) fn admit_session(
        &mut self,
        user: UserId,
        credential: CredentialId,
        kind: SessionKind,
    ) -> Result<SessionId, NoSession> {
        if self.draining {
            return Err(NoSession::Draining);
        }
        if self.tombstones.contains_key(&credential) {
            return Err(NoSession::Revoked);
        }
        let usage = self.users.entry(user.clone()).or_default();
        if usage.sessions >= self.quotas.sessions_per_user {
            return Err(NoSession::Quota);
        }
        usage.sessions += 1;
        let id = SessionId(self.number());
        self.topics
            .entry(credential.clone())
            .or_default()
            .sessions
            .insert(id);
        let entry = SessionEntry {
            user,
            credential,
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
        if self.tombstones.contains_key(&entry.credential) {
            return Err(NoSession::Revoked);
        }
        if entry.leaving {
            return Err(NoSession::Draining);
        }
        Ok(())
    }

    /// A session went; its channels are to be closed.
    pub(crate) fn session_gone(&mut self, session: SessionId) -> Vec<ChannelId> {
        let Some(entry) = self.sessions.remove(&session) else {
            return Vec::new();
        };
        self.leave_topic(&entry.credential, |topic| {
            topic.sessions.remove(&session);
        });
        self.release_usage(&entry.user, |usage| {
            usage.sessions = usage.sessions.saturating_sub(1)
        });
        self.running_or_forgotten(entry.channels)
    }

    /// A Worker's link came; an older one of the same Worker is replaced.
    pub(crate) fn admit_link(&mut self, worker: WorkerId) -> Result<Admitted, RefusalReason> {
        if self.draining {
            return Err(RefusalReason::Draining);
        }
        let link = LinkId(self.number());
        let replaced = self.links.remove(&worker).map(|old| {
            let channels = self.running_or_forgotten(old.channels);
            (old.id, channels)
        });
        let channels = BTreeSet::new();
        let entry = LinkEntry {
            id: link,
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

    /// Takes a channel id, so that whatever is revoked from now on finds it.
    pub(crate) fn reserve(&mut self, asked: Asked) -> Result<Reservation, Denied> {
        self.judge(&asked)?;
        let number = self.number();
        let Asked {
            channel,
            session,
            worker,
            user,
            credential,
        } = asked;
        self.topics
            .entry(credential.clone())
            .or_default()
            .channels
            .insert(channel);
        self.users.entry(user.clone()).or_default().channels += 1;
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.channels.insert(channel);
        }
        if let Some(entry) = self.links.get_mut(&worker) {
            entry.channels.insert(channel);
        }
        let phase = Phase::Reserved;
        let entry = ChannelEntry {
            number,
            session,
            worker,
            user,
            credential,
            phase,
        };
        self.channels.insert(channel, entry);
        Ok(Reservation { channel, number })
    }

    fn judge(&self, asked: &Asked) -> Result<(), Denied> {
        if self.draining {
            let (reason, retry_after) = (RefusalReason::Draining, DRAIN_RETRY);
            return Err(Denied {
                refusal: Refusal {
                    reason,
                    retry_after,
                },
                quota: None,
            });
        }
        if self.tombstones.contains_key(&asked.credential)
            || !self.sessions.contains_key(&asked.session)
        {
            return Err(RefusalReason::Credential.into());
        }
        let live = self
            .users
            .get(&asked.user)
            .map_or(0, |usage| usage.channels);
        if live >= self.quotas.channels_per_user {
            return Err(Denied::quota(Quota::Channels, QUOTA_RETRY));
        }
        if self.channels.contains_key(&asked.channel) {
            return Err(RefusalReason::Duplicate.into());
        }
        if !self.links.contains_key(&asked.worker) {
            return Err(RefusalReason::WorkerOffline.into());
        }
        Ok(())
    }

    /// Lets a reserved channel run, unless something ended it meanwhile.
    pub(crate) fn commit(&mut self, reservation: Reservation) -> Result<LinkId, RefusalReason> {
        let entry = self.channels.get_mut(&reservation.channel);
        let entry = entry.filter(|entry| entry.number == reservation.number);
        let entry = entry.ok_or(RefusalReason::WorkerOffline)?;
        if self.tombstones.contains_key(&entry.credential) {
            self.release(reservation);
            return Err(RefusalReason::Credential);
        }
        let link = self
            .links
            .get(&entry.worker)
            .ok_or(RefusalReason::WorkerOffline)?
            .id;
        entry.phase = Phase::Running;
        Ok(link)
    }

    /// Gives a reserved id back.
    pub(crate) fn release(&mut self, reservation: Reservation) {
        let entry = self.channels.get(&reservation.channel);
        if entry.is_some_and(|entry| entry.number == reservation.number) {
            self.forget(reservation.channel);
        }
    }

    /// A channel ended; whoever broke a rule in it once too often is named.
    pub(crate) fn channel_gone(
        &mut self,
        channel: ChannelId,
        offender: Option<Side>,
    ) -> Option<Offender> {
        let entry = self.forget(channel)?;
        match offender? {
            Side::Client => {
                let session = self.sessions.get_mut(&entry.session)?;
                session.offences += 1;
                (session.offences >= OFFENCES_MAX).then_some(Offender::Session(entry.session))
            }
            Side::Worker => {
                let link = self.links.get_mut(&entry.worker)?;
                link.offences += 1;
                (link.offences >= OFFENCES_MAX).then_some(Offender::Link(entry.worker, link.id))
            }
        }
    }

    /// A credential was revoked: what stood with it falls, and nothing rises on it again.
    pub(crate) fn revoke(&mut self, credential: CredentialId, now: Instant) -> Revoked {
        self.tombstones.retain(|_, until| *until > now);
        let topic = self.topics.get(&credential);
        let revoked = topic.map_or_else(Revoked::default, |topic| Revoked {
            channels: topic.channels.iter().copied().collect(),
            sessions: topic.sessions.iter().copied().collect(),
        });
        self.tombstones.insert(credential, now + TOMBSTONE);
        revoked
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

    /// The channels of one session.
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

    /// The two connections of a channel.
    pub(crate) fn parties(&self, channel: ChannelId) -> Option<(SessionId, WorkerId)> {
        self.channels
            .get(&channel)
            .map(|entry| (entry.session, entry.worker.clone()))
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
        }
    }

    /// Running channels keep their entry until their actor reports; reserved ones have no actor.
    fn running_or_forgotten(&mut self, channels: BTreeSet<ChannelId>) -> Vec<ChannelId> {
        let (running, reserved) = channels.into_iter().partition(|channel| {
            self.channels
                .get(channel)
                .is_some_and(|entry| entry.phase == Phase::Running)
        });
        let reserved: Vec<ChannelId> = reserved;
        reserved.into_iter().for_each(|channel| {
            self.forget(channel);
        });
        running
    }

    fn forget(&mut self, channel: ChannelId) -> Option<ChannelEntry> {
        let entry = self.channels.remove(&channel)?;
        if let Some(session) = self.sessions.get_mut(&entry.session) {
            session.channels.remove(&channel);
        }
        if let Some(link) = self.links.get_mut(&entry.worker) {
            link.channels.remove(&channel);
        }
        self.leave_topic(&entry.credential, |topic| {
            topic.channels.remove(&channel);
        });
        self.release_usage(&entry.user, |usage| {
            usage.channels = usage.channels.saturating_sub(1)
        });
        Some(entry)
    }

    fn leave_topic(&mut self, credential: &CredentialId, leave: impl FnOnce(&mut Topic)) {
        if let Some(topic) = self.topics.get_mut(credential) {
            leave(topic);
            if topic.sessions.is_empty() && topic.channels.is_empty() {
                self.topics.remove(credential);
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
#[path = "directory_tests.rs"]
mod tests;
