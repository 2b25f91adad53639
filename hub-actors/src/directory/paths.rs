//! The sessions that a channel was opened or renewed over.
//!
//! Each is entered before its credential is looked at for the last time, and stays entered as long
//! as it or the channel's actor may still use it: so whatever is revoked finds it.

use std::time::{Duration, Instant};

use channel_actors::{Refusal, RefusalReason};
use schema::ids::{ChannelId, CredentialId};

use super::{Asked, ChannelEntry, Denied, Directory, Phase, Reservation};
use crate::messages::SessionId;

/// What a renewal is at this Hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Of a channel whose actor runs.
    Known(Reservation),
    /// Of one that only its two ends know: it begins like an open.
    Anew(Reservation),
}

/// What a revocation ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) paths: Vec<(ChannelId, SessionId)>,
    pub(crate) sessions: Vec<SessionId>,
}

/// How long a revoked credential is remembered: longer than any request that may have read it
/// before it was revoked can take.
const TOMBSTONE: Duration = Duration::from_secs(600);
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
        let credential = entry.paths.get(&session).ok_or(gone)?;
        if self.tombstones.contains_key(credential) || !self.sessions.contains_key(&session) {
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
        if let Some(credential) = entry.and_then(|entry| entry.paths.remove(&session)) {
            self.leave_path(channel, session, &credential);
        }
    }

    /// A credential was revoked: what stood with it falls, and nothing rises on it again.
    pub(crate) fn revoke(&mut self, credential: CredentialId, now: Instant) -> Revoked {
        self.tombstones.retain(|_, until| *until > now);
        let topic = self.topics.get(&credential);
        let revoked = topic.map_or_else(Revoked::default, |topic| Revoked {
            paths: topic.channels.iter().copied().collect(),
            sessions: topic.sessions.iter().copied().collect(),
        });
        self.tombstones.insert(credential, now + TOMBSTONE);
        revoked
    }

    pub(super) fn add_path(&mut self, asked: &Asked) {
        let Asked {
            channel,
            session,
            credential,
            ..
        } = asked;
        if let Some(entry) = self.channels.get_mut(channel) {
            entry.paths.insert(*session, credential.clone());
        }
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.channels.insert(*channel);
        }
        self.topics
            .entry(credential.clone())
            .or_default()
            .channels
            .insert((*channel, *session));
    }

    /// The entry of the channel is the caller's.
    pub(super) fn leave_path(
        &mut self,
        channel: ChannelId,
        session: SessionId,
        credential: &CredentialId,
    ) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.channels.remove(&channel);
        }
        self.leave_topic(credential, |topic| {
            topic.channels.remove(&(channel, session));
        });
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
