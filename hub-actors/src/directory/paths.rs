//! The sessions that a channel was opened or renewed over.
//!
//! Each is entered before its credential is looked at for the last time, and stays entered as long
//! as it or the channel's actor may still use it: so whatever is revoked finds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use channel_actors::RefusalReason;
use schema::ids::ChannelId;

use super::{Asked, ChannelEntry, Denied, Directory, Path, Phase, Reservation, busy};
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

/// Sessions of one channel at once: its own, those that ask for it, and such as died unnoticed.
const PATHS_MAX: usize = 4;
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
            return Err(busy(SETTLING));
        }
        let (channel, number) = (asked.channel, entry.number);
        if let Some(path) = self.add_path(&asked) {
            path.asking += 1;
        }
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
        let path = entry.paths.get(&session).ok_or(gone)?;
        if let Some(why) = self.condemned(&path.topics) {
            return Err(Some(why));
        }
        if !self.sessions.contains_key(&session) {
            return Err(gone);
        }
        if self.blind {
            return Err(Some(RefusalReason::Busy));
        }
        Ok(())
    }

    /// What became of a renewal of a running channel: whether its actor took it. A path that nothing
    /// else came over is given back; true if it was.
    pub(crate) fn settle_path(
        &mut self,
        reservation: Reservation,
        session: SessionId,
        is_taken: bool,
    ) -> bool {
        let entry = self.channels.get_mut(&reservation.channel);
        let entry = entry.filter(|entry| entry.number == reservation.number);
        let Some(path) = entry.and_then(|entry| entry.paths.get_mut(&session)) else {
            return false;
        };
        path.asking = path.asking.saturating_sub(1);
        path.taken |= is_taken;
        let is_idle = path.asking == 0 && !path.taken;
        if is_idle {
            self.drop_path(reservation.channel, session);
        }
        is_idle
    }

    /// The actor of a channel does not know a path: one that went, or one that it does not use any
    /// more. What is asked over it in this moment keeps it. True if it was given back.
    pub(crate) fn forget_path(&mut self, channel: ChannelId, session: SessionId) -> bool {
        let entry = self.channels.get_mut(&channel);
        let Some(path) = entry.and_then(|entry| entry.paths.get_mut(&session)) else {
            return true;
        };
        let is_here = self.sessions.contains_key(&session);
        if is_here && path.asking > 0 {
            path.taken = false;
            return false;
        }
        self.drop_path(channel, session);
        true
    }

    /// What the Worker of a running channel is to be told was granted by this. Whichever of its paths
    /// is the channel's own, the Worker means it: so each stands with it, before the Worker hears of
    /// it. Not with the credential, which is of one path. The paths that go on.
    ///
    /// # Errors
    ///
    /// `busy`: something of it was revoked since, or the Worker was told what is newer.
    pub(crate) fn stand_with_all(
        &mut self,
        channel: ChannelId,
        topics: &BTreeSet<Topic>,
        as_of: i64,
    ) -> Result<Vec<SessionId>, RefusalReason> {
        let entry = self.channels.get(&channel).ok_or(RefusalReason::Busy)?;
        let is_over = topics.iter().any(|topic| self.is_revoked(topic, as_of));
        let is_stale = is_over || as_of < entry.told.max(self.floor);
        if entry.phase != Phase::Running || is_stale || self.blind {
            return Err(RefusalReason::Busy);
        }
        let common = topics.iter().filter(|topic| is_common(topic));
        let common: Topics = common.map(|topic| (topic.clone(), as_of)).collect();
        let paths = entry.paths.iter();
        let live = paths.filter(|(_, path)| self.condemned(&path.topics).is_none());
        let live: Vec<SessionId> = live.map(|(session, _)| *session).collect();
        for session in &live {
            self.stand_with(channel, *session, common.clone());
        }
        if let Some(entry) = self.channels.get_mut(&channel) {
            entry.told = as_of;
        }
        Ok(live)
    }

    /// What a path stands with.
    pub(crate) fn topics_of(&self, channel: ChannelId, session: SessionId) -> Option<&Topics> {
        let path = self.channels.get(&channel)?.paths.get(&session);
        path.map(|path| &path.topics)
    }

    /// A path that stands already stands with the older of what it had and the newer of what it has
    /// not: its Worker was told no less. One that is condemned begins anew.
    pub(super) fn add_path(&mut self, asked: &Asked) -> Option<&mut Path> {
        let (channel, session) = (asked.channel, asked.session);
        let old = self.topics_of(channel, session);
        let is_over = old.is_some_and(|old| self.condemned(old).is_some());
        if is_over {
            self.clear_path(channel, session);
        }
        let topics = asked.topics.iter();
        let topics = topics.map(|topic| (topic.clone(), asked.as_of)).collect();
        self.stand_with(channel, session, topics);
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.channels.insert(channel);
        }
        self.channels.get_mut(&channel)?.paths.get_mut(&session)
    }

    fn clear_path(&mut self, channel: ChannelId, session: SessionId) {
        let entry = self.channels.get_mut(&channel);
        if let Some(path) = entry.and_then(|entry| entry.paths.get_mut(&session)) {
            path.taken = false;
            let over = std::mem::take(&mut path.topics);
            self.leave_path(channel, session, &over);
        }
    }

    fn drop_path(&mut self, channel: ChannelId, session: SessionId) {
        let entry = self.channels.get_mut(&channel);
        if let Some(path) = entry.and_then(|entry| entry.paths.remove(&session)) {
            self.leave_path(channel, session, &path.topics);
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
            path.topics.entry(topic).or_insert(as_of);
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

/// Whether all paths of a channel stand with it: a credential is of one.
const fn is_common(topic: &Topic) -> bool {
    match topic {
        Topic::Credential(_) => false,
        Topic::Worker(_) | Topic::Access(..) | Topic::Hosting(..) => true,
    }
}
