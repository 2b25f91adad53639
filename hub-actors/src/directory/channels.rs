//! Channels in the directory: opens, ends, offences.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use channel_actors::{RefusalReason, relay::Side};
use schema::ids::{ChannelId, WorkerId};

use super::{Asked, ChannelEntry, Denied, Directory, Phase, Reservation};
use crate::{
    error::Quota,
    messages::{LinkId, SessionId},
};

/// A connection that broke the rules too often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offender {
    /// Close this session.
    Session(SessionId),
    /// Close this link.
    Link(WorkerId, LinkId),
}

/// Channels that a connection may lose to breaches before it is lost itself.
const OFFENCES_MAX: u32 = 16;
/// When a quota of live things is worth asking again.
const QUOTA_RETRY: Duration = Duration::from_secs(5);

impl Directory {
    /// Takes a channel id, so that whatever is revoked from now on finds it.
    pub(crate) fn reserve(&mut self, asked: Asked) -> Result<Reservation, Denied> {
        self.judge(&asked)?;
        if self.channels.contains_key(&asked.channel) {
            return Err(RefusalReason::Duplicate.into());
        }
        self.enter(asked)
    }

    /// What holds for opens and renewals alike.
    pub(super) fn judge(&self, asked: &Asked) -> Result<(), Denied> {
        if self.draining {
            return Err(Denied::draining());
        }
        if self.tombstones.contains_key(&asked.credential)
            || !self.sessions.contains_key(&asked.session)
        {
            return Err(RefusalReason::Credential.into());
        }
        Ok(())
    }

    /// A new entry, for an id that has none.
    pub(super) fn enter(&mut self, asked: Asked) -> Result<Reservation, Denied> {
        let live = self.users.get(&asked.user);
        if live.map_or(0, |usage| usage.channels) >= self.quotas.channels_per_user {
            return Err(Denied::quota(Quota::Channels, QUOTA_RETRY));
        }
        let number = self.number();
        let Some(over) = self.links.get_mut(&asked.worker) else {
            return Err(RefusalReason::WorkerOffline.into());
        };
        over.channels.insert(asked.channel);
        let link = over.id;
        self.users.entry(asked.user.clone()).or_default().channels += 1;
        let channel = asked.channel;
        let entry = ChannelEntry {
            number,
            worker: asked.worker.clone(),
            link,
            user: asked.user.clone(),
            paths: BTreeMap::new(),
            phase: Phase::Reserved,
        };
        self.channels.insert(channel, entry);
        self.add_path(&asked);
        Ok(Reservation { channel, number })
    }

    /// Lets a reserved channel run, unless something ended it meanwhile.
    pub(crate) fn commit(&mut self, reservation: Reservation) -> Result<LinkId, RefusalReason> {
        let entry = self.channels.get_mut(&reservation.channel);
        let entry = entry.filter(|entry| entry.number == reservation.number);
        let entry = entry.ok_or(RefusalReason::WorkerOffline)?;
        let mut credentials = entry.paths.values();
        if credentials.any(|credential| self.tombstones.contains_key(credential)) {
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

    /// A channel ended, over this path of its client; whoever broke a rule in it once too often is
    /// named.
    pub(crate) fn channel_gone(
        &mut self,
        channel: ChannelId,
        path: Option<SessionId>,
        offender: Option<Side>,
    ) -> Option<Offender> {
        let entry = self.forget(channel)?;
        match offender? {
            Side::Client => {
                let path = path?;
                let session = self.sessions.get_mut(&path)?;
                session.offences += 1;
                (session.offences >= OFFENCES_MAX).then_some(Offender::Session(path))
            }
            Side::Worker => {
                let link = self.links.get_mut(&entry.worker)?;
                link.offences += 1;
                (link.offences >= OFFENCES_MAX).then_some(Offender::Link(entry.worker, link.id))
            }
        }
    }

    /// The connections of a channel.
    pub(crate) fn parties(&self, channel: ChannelId) -> Option<(Vec<SessionId>, WorkerId)> {
        let entry = self.channels.get(&channel)?;
        Some((entry.paths.keys().copied().collect(), entry.worker.clone()))
    }

    /// Running channels keep their entry until their actor reports; reserved ones have no actor.
    pub(super) fn running_or_forgotten(&mut self, channels: BTreeSet<ChannelId>) -> Vec<ChannelId> {
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
        for (session, credential) in &entry.paths {
            self.leave_path(channel, *session, credential);
        }
        if let Some(link) = self.links.get_mut(&entry.worker) {
            link.channels.remove(&channel);
        }
        self.release_usage(&entry.user, |usage| {
            usage.channels = usage.channels.saturating_sub(1)
        });
        Some(entry)
    }
}
