//! Channels in the directory: opens, ends, offences.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use channel_actors::{RefusalReason, relay::Side};
use schema::ids::{ChannelId, CredentialId, OrganisationId, UserId, WorkerId};

use super::{
    Asked, BLIND_RETRY, ChannelEntry, Denied, Directory, Phase, Reservation, busy, revoked::refusal,
};
use crate::{
    error::Quota,
    messages::{LinkId, SessionId, Standing},
    topic::Topic,
};

/// A connection that broke the rules too often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offender {
    /// Close this session.
    Session(SessionId),
    /// Close this link.
    Link(WorkerId, LinkId),
}

/// A channel whose actor runs, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenChannel {
    pub(crate) channel: ChannelId,
    pub(crate) user: UserId,
    pub(crate) worker: WorkerId,
    /// The Worker's.
    pub(crate) organisation: OrganisationId,
    /// Of its newest session.
    pub(crate) credential: Option<CredentialId>,
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
        if self.blind {
            return Err(busy(BLIND_RETRY));
        }
        if !self.sessions.contains_key(&asked.session) {
            return Err(RefusalReason::Credential.into());
        }
        if asked.as_of < self.floor {
            // Asked again, it is decided anew.
            return Err(RefusalReason::Busy.into());
        }
        let is_over = |topic: &&Topic| self.is_revoked(topic, asked.as_of);
        match asked.topics.iter().find(is_over) {
            Some(topic) => Err(refusal(topic).into()),
            None => Ok(()),
        }
    }

    /// A new entry, for an id that has none.
    pub(super) fn enter(&mut self, asked: Asked) -> Result<Reservation, Denied> {
        let live = self.users.get(&asked.user);
        if live.map_or(0, |usage| usage.channels) >= self.quotas.channels_per_user {
            return Err(Denied::quota(Quota::Channels, QUOTA_RETRY));
        }
        let limit = asked.organisation_channels;
        if limit > 0 && self.channels_for(&asked.organisation) >= limit {
            return Err(Denied::quota(Quota::OrganisationChannels, QUOTA_RETRY));
        }
        let number = self.number();
        let Some(over) = self.links.get_mut(&asked.worker) else {
            return Err(RefusalReason::WorkerOffline.into());
        };
        over.channels.insert(asked.channel);
        let link = over.id;
        self.users.entry(asked.user.clone()).or_default().channels += 1;
        *self
            .organisations
            .entry(asked.organisation.clone())
            .or_default() += 1;
        let channel = asked.channel;
        let entry = ChannelEntry {
            number,
            worker: asked.worker.clone(),
            link,
            user: asked.user.clone(),
            organisation: asked.organisation.clone(),
            paths: BTreeMap::new(),
            told: asked.as_of,
            phase: Phase::Reserved,
        };
        self.channels.insert(channel, entry);
        if let Some(path) = self.add_path(&asked) {
            path.taken = true;
        }
        Ok(Reservation { channel, number })
    }

    /// Lets a reserved channel run, unless something ended it meanwhile.
    pub(crate) fn commit(&mut self, reservation: Reservation) -> Result<LinkId, RefusalReason> {
        let entry = self.channels.get(&reservation.channel);
        let entry = entry.filter(|entry| entry.number == reservation.number);
        let entry = entry.ok_or(RefusalReason::WorkerOffline)?;
        let mut paths = entry.paths.values();
        let why = paths.find_map(|path| self.condemned(&path.topics));
        if let Some(why) = why.or_else(|| self.blind.then_some(RefusalReason::Busy)) {
            self.release(reservation);
            return Err(why);
        }
        let link = self.links.get(&entry.worker);
        let link = link.ok_or(RefusalReason::WorkerOffline)?.id;
        if let Some(entry) = self.channels.get_mut(&reservation.channel) {
            entry.phase = Phase::Running;
        }
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

    /// Whose a running channel is, and what its newest path stands with.
    pub(crate) fn standing(&self, channel: ChannelId) -> Option<Standing> {
        let entry = self.channels.get(&channel)?;
        let (_, path) = entry.paths.last_key_value()?;
        let credential = path.topics.keys().find_map(|topic| match topic {
            Topic::Credential(credential) => Some(credential),
            Topic::Worker(_) | Topic::Access(..) | Topic::Hosting(..) => None,
        })?;
        (entry.phase == Phase::Running).then(|| Standing {
            worker: entry.worker.clone(),
            user: entry.user.clone(),
            credential: credential.clone(),
        })
    }

    /// The connections of a channel.
    pub(crate) fn parties(&self, channel: ChannelId) -> Option<(Vec<SessionId>, WorkerId)> {
        let entry = self.channels.get(&channel)?;
        Some((entry.paths.keys().copied().collect(), entry.worker.clone()))
    }

    /// How many channels an organisation has, those that begin among them.
    pub(crate) fn channels_for(&self, organisation: &OrganisationId) -> u32 {
        self.organisations
            .get(organisation)
            .copied()
            .unwrap_or_default()
    }

    /// Every channel whose actor runs.
    pub(crate) fn open_channels(&self) -> Vec<OpenChannel> {
        let running = |(_, entry): &(&ChannelId, &ChannelEntry)| entry.phase == Phase::Running;
        let open = |(channel, entry): (&ChannelId, &ChannelEntry)| {
            let sessions = entry.paths.keys().rev();
            let mut sessions = sessions.filter_map(|session| self.sessions.get(session));
            OpenChannel {
                channel: *channel,
                user: entry.user.clone(),
                worker: entry.worker.clone(),
                organisation: entry.organisation.clone(),
                credential: sessions.next().map(|session| session.credential.clone()),
            }
        };
        self.channels.iter().filter(running).map(open).collect()
    }

    /// The running channels of a user.
    pub(crate) fn channels_of_user(&self, user: &UserId) -> Vec<ChannelId> {
        let its = |(_, entry): &(&ChannelId, &ChannelEntry)| {
            entry.phase == Phase::Running && entry.user == *user
        };
        let channels = self.channels.iter().filter(its);
        channels.map(|(channel, _)| *channel).collect()
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
        for (session, path) in &entry.paths {
            self.leave_path(channel, *session, &path.topics);
        }
        if let Some(count) = self.organisations.get_mut(&entry.organisation) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.organisations.remove(&entry.organisation);
            }
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
