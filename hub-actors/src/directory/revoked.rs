//! What a revocation ends, and what it keeps from beginning.
//!
//! A revocation and a grant may come here in any order, since each has its own way. So both carry a
//! number of the ledger: a grant that knew of the revocation is good, whichever comes first, and an
//! older one is not.

use std::time::{Duration, Instant};

use channel_actors::RefusalReason;
use schema::ids::{ChannelId, WorkerId};

use super::{Directory, Tombstone, Topics};
use crate::{
    messages::{LinkId, SessionId},
    topic::Topic,
};

/// What a revocation ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) paths: Vec<(ChannelId, SessionId)>,
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) link: Option<(WorkerId, LinkId)>,
}

/// Everybody who is here, when nobody knows any more who may be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lapsed {
    pub(crate) channels: Vec<ChannelId>,
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) links: Vec<(WorkerId, LinkId)>,
}

/// How long a revocation is remembered: longer than any request that may have read the rows before
/// it can take.
const TOMBSTONE: Duration = Duration::from_secs(600);

impl Directory {
    /// A topic was revoked by the entry of this number: what stood with it falls, and nothing that
    /// was granted before rises on it again.
    pub(crate) fn revoke(&mut self, topic: Topic, seq: i64, now: Instant) -> Revoked {
        let revoked = Revoked {
            paths: self.paths_before(&topic, seq),
            sessions: self.sessions_before(&topic, seq),
            link: self.link_before(&topic, seq),
        };
        let until = now + TOMBSTONE;
        let tombstone = Tombstone { seq, until };
        let newest = self.tombstones.entry(topic).or_insert(tombstone);
        newest.seq = newest.seq.max(seq);
        newest.until = until;
        revoked
    }

    /// Forgets revocations that nothing can be granted against any more. Once for many: it looks at
    /// them all.
    pub(crate) fn forget_old(&mut self, now: Instant) {
        self.tombstones.retain(|_, tombstone| tombstone.until > now);
    }

    /// A credential has expired: what stands with it falls now. That it did is written into the ledger
    /// and comes here again, with a number, which is what keeps anything from rising on it.
    pub(crate) fn expire(&self, credential: &Topic) -> Revoked {
        Revoked {
            paths: self.paths_before(credential, i64::MAX),
            sessions: self.sessions_before(credential, i64::MAX),
            link: None,
        }
    }

    fn paths_before(&self, topic: &Topic, seq: i64) -> Vec<(ChannelId, SessionId)> {
        let Some(standing) = self.topics.get(topic) else {
            return Vec::new();
        };
        let is_older = |(channel, session): &&(ChannelId, SessionId)| {
            let as_of = self.topics_of(*channel, *session);
            let as_of = as_of.and_then(|topics| topics.get(topic));
            as_of.is_none_or(|as_of| *as_of < seq)
        };
        standing.channels.iter().filter(is_older).copied().collect()
    }

    fn sessions_before(&self, topic: &Topic, seq: i64) -> Vec<SessionId> {
        let Some(standing) = self.topics.get(topic) else {
            return Vec::new();
        };
        let is_older = |session: &&SessionId| {
            let entry = self.sessions.get(session);
            entry.is_none_or(|entry| entry.as_of < seq)
        };
        standing.sessions.iter().filter(is_older).copied().collect()
    }

    fn link_before(&self, topic: &Topic, seq: i64) -> Option<(WorkerId, LinkId)> {
        let Topic::Worker(worker) = topic else {
            return None;
        };
        let entry = self.links.get(worker)?;
        (entry.as_of < seq).then(|| (worker.clone(), entry.id))
    }

    /// Revocations up to this number may have been lost: everybody goes, and is let in by what is
    /// true now. The channels that run are named; those that begin find out.
    pub(crate) fn lapse(&mut self, seq: i64) -> Lapsed {
        self.floor = seq;
        let links = self.links.iter();
        Lapsed {
            channels: self.channels.keys().copied().collect(),
            sessions: self.sessions.keys().copied().collect(),
            links: links.map(|(id, entry)| (id.clone(), entry.id)).collect(),
        }
    }

    /// Revocations cannot be read: until they can be, nobody is let in again either.
    pub(crate) const fn go_blind(&mut self) {
        self.blind = true;
    }

    /// All that was revoked meanwhile has taken effect.
    pub(crate) const fn see(&mut self) {
        self.blind = false;
    }

    /// Whether something that was granted then is no more.
    pub(super) fn is_revoked(&self, topic: &Topic, as_of: i64) -> bool {
        let tombstone = self.tombstones.get(topic);
        tombstone.is_some_and(|tombstone| tombstone.seq > as_of)
    }

    /// Why what stands with all of this may not go on, if something of it was revoked since it was
    /// granted.
    pub(super) fn condemned(&self, topics: &Topics) -> Option<RefusalReason> {
        if topics.values().any(|as_of| *as_of < self.floor) {
            // Asked again, it is decided anew.
            return Some(RefusalReason::Busy);
        }
        let is_over = |(topic, as_of): &(&Topic, &i64)| self.is_revoked(topic, **as_of);
        let over = topics.iter().find(is_over);
        over.map(|(topic, _)| refusal(topic))
    }
}

/// What a client is told when this is no more. Whoever may not route to a Worker any more hears what
/// a stranger hears.
pub(super) const fn refusal(topic: &Topic) -> RefusalReason {
    match topic {
        Topic::Credential(_) => RefusalReason::Credential,
        Topic::Worker(_) | Topic::Access(..) | Topic::Hosting(..) => RefusalReason::NotFound,
    }
}
