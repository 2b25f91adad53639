//! The sessions that a channel was opened or renewed over.
//!
//! Each is entered before its credential is looked at for the last time, and stays entered as long
//! as it or the channel's actor may still use it: so whatever is revoked finds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use channel_actors::{Refusal, RefusalReason};
use schema::ids::ChannelId;

use super::{Asked, ChannelEntry, Denied, Directory, Phase, Reservation};
use crate::{messages::SessionId, topic::Topic};

/// What a path stands with, and each as of which number of the ledger.
pub(crate) type Topics = BTreeMap<Topic, i64>;

/// What a renewal is at this Hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Of a channel whose actor runs.
    Known(Reservation),
    /// Of one that only its two ends know: it begins like an open.
    Anew(Reservation),
}

/// Sessions of one channel at once. One that died unnoticed is gone within a minute.
const PATHS_MAX: usize = 16;
/// When the end of a channel's older actor has been reported.
const SETTLING: Duration = Duration::from_millis(100);

impl Directory {
    /// Takes a place for a renewal, so that whatever is revoked from now on finds it. A channel of
    /// another user, or to another Worker, is one that does not exist.
    pub(crate) fn renew(&mut self, asked: Asked) -> Result<Renewal, Denied> {
        self.judge(&asked)?;
        let Some(entry) = self.channels.get(&asked.channel) else {
            return self.enter(asked).map(Renewal::Anew);
        };
        if entry.user != asked.user || entry.worker != asked.worker {
            return Err(RefusalReason::NotFound.into());
        }
        if !self.is_linked(&asked.worker) {
            return Err(RefusalReason::WorkerOffline.into());
        }
        if !self.may_be_renewed(entry, asked.session) {
            return Err(settling());
        }
        let (channel, number) = (asked.channel, entry.number);
        self.add_path(&asked);
        Ok(Renewal::Known(Reservation { channel, number }))
    }

    fn may_be_renewed(&self, entry: &ChannelEntry, session: SessionId) -> bool {
        let link = self.links.get(&entry.worker);
        let has_room = entry.paths.contains_key(&session) || entry.paths.len() < PATHS_MAX;
        // On an older link it is about to end.
        entry.phase == Phase::Running && link.is_some_and(|link| link.id == entry.link) && has_room
    }

    /// Whether a renewal of a running channel may be passed on over this session.
    ///
    /// # Errors
    ///
    /// `None`: the channel ended meanwhile, and is to be renewed anew.
    pub(crate) fn commit_path(
        &self,
        reservation: Reservation,
        session: SessionId,
    ) -> Result<(), Option<RefusalReason>> {
        let entry = self.channels.get(&reservation.channel);
        let entry = entry.filter(|entry| entry.number == reservation.number);
        let entry = entry.ok_or(None)?;
        let gone = Some(RefusalReason::Credential);
        let topics = entry.paths.get(&session).ok_or(gone)?;
        if let Some(why) = self.condemned(topics) {
            return Err(Some(why));
        }
        if !self.sessions.contains_key(&session) {
            return Err(gone);
        }
        Ok(())
    }

    /// The actor of a channel does not know a path that went.
    pub(crate) fn forget_path(&mut self, channel: ChannelId, session: SessionId) {
        if self.sessions.contains_key(&session) {
            // It may be asking again in this moment.
            return;
        }
        let entry = self.channels.get_mut(&channel);
        if let Some(topics) = entry.and_then(|entry| entry.paths.remove(&session)) {
            self.leave_path(channel, session, &topics);
        }
    }

    /// A running channel is allowed more over one of its paths: it stands with more, too. What the
    /// fence of that path is to be under; `None` when the channel or the path is no more, or what was
    /// granted is revoked.
    pub(crate) fn extend_path(
        &mut self,
        channel: ChannelId,
        session: SessionId,
        topics: &BTreeSet<Topic>,
        as_of: i64,
    ) -> Option<Topics> {
        let entry = self.channels.get(&channel)?;
        let old = entry.paths.get(&session)?;
        let is_stale = topics.iter().any(|topic| self.is_revoked(topic, as_of));
        if entry.phase != Phase::Running || self.condemned(old).is_some() || is_stale {
            return None;
        }
        let is_new = |topic: &&Topic| !old.contains_key(*topic);
        let new = topics.iter().filter(is_new);
        let new: Topics = new.map(|topic| (topic.clone(), as_of)).collect();
        self.stand_with(channel, session, new.clone());
        Some(new)
    }

    /// What a path stands with.
    pub(crate) fn topics_of(&self, channel: ChannelId, session: SessionId) -> Option<&Topics> {
        self.channels.get(&channel)?.paths.get(&session)
    }

    /// A path that stands already stands with the older of what it had and the newer of what it has
    /// not: its Worker was told no less. One that is condemned begins anew.
    pub(super) fn add_path(&mut self, asked: &Asked) {
        let (channel, session) = (asked.channel, asked.session);
        let old = self.topics_of(channel, session);
        let is_over = old.is_some_and(|old| self.condemned(old).is_some());
        if is_over && let Some(entry) = self.channels.get_mut(&channel) {
            let over = entry.paths.remove(&session).unwrap_or_default();
            self.leave_path(channel, session, &over);
        }
        let topics = asked.topics.iter();
        let topics = topics.map(|topic| (topic.clone(), asked.as_of)).collect();
        self.stand_with(channel, session, topics);
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.channels.insert(channel);
        }
    }

    fn stand_with(&mut self, channel: ChannelId, session: SessionId, topics: Topics) {
        let Some(entry) = self.channels.get_mut(&channel) else {
            return;
        };
        let path = entry.paths.entry(session).or_default();
        for (topic, as_of) in topics {
            let standing = self.topics.entry(topic.clone()).or_default();
            standing.channels.insert((channel, session));
            path.entry(topic).or_insert(as_of);
        }
    }

    /// The entry of the channel is the caller's.
    pub(super) fn leave_path(&mut self, channel: ChannelId, session: SessionId, topics: &Topics) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.channels.remove(&channel);
        }
        for topic in topics.keys() {
            self.leave_topic(topic, |standing| {
                standing.channels.remove(&(channel, session));
            });
        }
    }
}

const fn settling() -> Denied {
    let refusal = Refusal {
        reason: RefusalReason::Busy,
        retry_after: SETTLING,
    };
    Denied {
        refusal,
        quota: None,
    }
}
