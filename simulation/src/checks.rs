//! What has to hold, after every step and at the end.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use channel_actors::{CloseReason, RefusalReason};
use schema::{
    frame::Frame,
    ids::{ChannelId, CredentialId, UserId},
};

use crate::{
    opening::Order,
    session::Parcel,
    world::{Control, World},
};

/// Where a frame comes from that a client sealed.
pub(crate) struct Origin {
    client: usize,
    credential: CredentialId,
}

impl World {
    /// Something does not hold. The first find is kept.
    pub(crate) fn find(&mut self, what: &str) {
        if self.broken.is_none() {
            self.broken = Some(format!("{what} (after {} ms)", self.now_ms));
        }
    }

    pub(crate) fn note_sealed(&mut self, client: usize, frame: &Frame) {
        let credential = self.clients[client].credential.clone();
        let socket = self.clients[client]
            .socket
            .and_then(|it| self.sockets.get(&it)?.hub);
        let session = match socket {
            Some(crate::tells::Part::Session(key)) => self.hub.sessions.get(&key),
            _ => None,
        };
        // Its session may stand with an older one than the client has by now.
        let credential = session.map_or(credential, |session| session.credential.clone());
        self.sealed
            .insert(mark(frame), Origin { client, credential });
    }

    /// The negative control: a relay that loses a frame and says nothing.
    pub(crate) fn loses_one(&mut self) -> bool {
        self.setting.control == Control::LosesFramesSilently && self.one_in(200)
    }

    /// I1, and I2 at a session: what is put on a client's socket.
    pub(crate) fn check_passed_down(&mut self, frame: &Frame, user: &UserId, with: &CredentialId) {
        self.happened.frames += 1;
        if self.fallen.contains(with) {
            self.find(&format!(
                "a frame of {} went to a session behind its fence, {}",
                frame.channel(),
                with.as_str()
            ));
        }
        let owner = self.talks.get(&frame.channel()).map(|talk| talk.client);
        if owner.is_none_or(|owner| self.clients[owner].user != *user) {
            self.find("a frame went to another user's session");
        }
    }

    /// I1: what is put on a Worker's stream.
    pub(crate) fn check_passed_up(&mut self, frame: &Frame, worker: usize) {
        self.happened.frames += 1;
        let Some(talk) = self.talks.get(&frame.channel()) else {
            return self.find("a frame of a channel that nobody opened went to a Worker");
        };
        if talk.worker != worker {
            return self.find("a frame went to another Worker");
        }
        if self.setting.control == Control::NoEpochInTheHeader || talk.forsaken {
            return;
        }
        match self.sealed.get(&mark(frame)) {
            None => self.find("a frame that nobody sealed went to a Worker"),
            Some(origin) if self.fallen.contains(&origin.credential) => {
                self.find("a frame went to a Worker behind its fence");
            }
            Some(origin) if origin.client != talk.client => {
                self.find("a stranger's frame went to a Worker");
            }
            Some(_) => {}
        }
    }

    /// I2 at the Worker.
    pub(crate) fn check_reached_worker(&mut self, worker: usize, frame: &Frame) {
        if let Some(talk) = self.talks.get(&frame.channel())
            && talk.worker != worker
        {
            self.find("a frame reached another Worker");
        }
        self.sealed.remove(&mark(frame));
    }

    /// I2 at the client.
    pub(crate) fn check_reached_client(&mut self, client: usize, frame: &Frame) {
        let is_its = self
            .talks
            .get(&frame.channel())
            .is_some_and(|talk| talk.client == client);
        if !is_its {
            self.find("a frame reached another client");
        }
    }

    /// Nothing begins to stand with what has fallen.
    pub(crate) fn check_rising(&mut self, order: &Order) {
        if self.fallen.contains(&order.credential) {
            self.find("a channel rose on a credential that was revoked");
        }
    }

    pub(crate) fn check_foreign(&mut self, key: u64, channel: ChannelId) {
        let session = self.hub.sessions.get(&key).map(|it| it.user.clone());
        let Some(talk) = self.talks.get(&channel) else {
            return;
        };
        if talk.forsaken {
            return;
        }
        // A stranger's, or one that was made up.
        if session.is_some_and(|user| user == self.clients[talk.client].user)
            && !self.forgers.contains(&talk.client)
            && !self.wedged.contains(&crate::tells::Part::Session(key))
        {
            self.find("a frame of a client that keeps to the rules was foreign");
        }
    }

    pub(crate) fn check_refused(
        &mut self,
        client: usize,
        channel: ChannelId,
        reason: Option<RefusalReason>,
    ) {
        let Some(talk) = self.talks.get_mut(&channel) else {
            return;
        };
        talk.ended[0].get_or_insert(CloseReason::OpenTimeout);
        let owner = &self.workers[talk.worker].owner;
        let is_own = *owner == self.clients[client].user;
        match reason {
            Some(RefusalReason::NotFound) if is_own && !talk.forsaken => {
                self.find("a user's own Worker was not found");
            }
            Some(RefusalReason::NotFound) if !is_own => self.happened.strangers += 1,
            Some(RefusalReason::Handshake | RefusalReason::Malformed | RefusalReason::Stale) => {
                self.find("an open was refused that had nothing wrong");
            }
            _ => {}
        }
    }

    /// An end says that its channel is over.
    pub(crate) fn check_ended(&mut self, channel: ChannelId, end: usize, reason: CloseReason) {
        *self.closes.entry(reason.label()).or_default() += 1;
        let Some(talk) = self.talks.get_mut(&channel) else {
            return self.find("a channel ended that nobody opened");
        };
        talk.ended[end].get_or_insert(reason);
        if talk.forsaken {
            return;
        }
        let (client, worker) = (talk.client, talk.worker);
        let is_fault = matches!(
            reason,
            CloseReason::DecryptFailed
                | CloseReason::ProtocolError
                | CloseReason::Internal
                | CloseReason::InterleavedChunks
                | CloseReason::TooManyChunks
                | CloseReason::MessageTooLarge
                | CloseReason::FrameSize
                | CloseReason::TooSlow
                | CloseReason::Rejected
                | CloseReason::HandshakeFailed
                | CloseReason::KeyExpired
                | CloseReason::Quota
        );
        if is_fault {
            return self.find(&format!("{} at end {end} of {channel}", reason.label()));
        }
        let revoked = self.revoked.contains(&client);
        if reason == CloseReason::Revoked && !revoked {
            return self.find(&format!("end {end} of {channel} was revoked by nobody"));
        }
        let has = |held: &crate::worker::Held| held.endpoint.closed().is_none();
        let still = self.workers[worker].channels.get(&channel).is_some_and(has);
        if end == 0 && reason == CloseReason::ClosedByWorker && still {
            self.find(&format!(
                "the client gave {channel} up, and its Worker has it"
            ));
        }
    }

    /// What is bounded stays within its bounds.
    pub(crate) fn check_bounds(&mut self) {
        let (places, sockets) = (self.limits.queue_frames, self.sockets.len() * 8);
        let most = |parcels: &std::collections::VecDeque<Parcel>| {
            let frames = parcels.iter().filter(|it| matches!(it, Parcel::Frame(_)));
            frames.count()
        };
        let channels = self.hub.channels.len().max(1) * 3;
        let sessions = self.hub.sessions.values().map(|it| most(&it.outgoing));
        let links = self.hub.links.values().map(|it| most(&it.outgoing));
        let fullest = sessions.chain(links).max().unwrap_or_default();
        self.happened.fullest = self.happened.fullest.max(fullest as u64);
        if fullest > places * channels {
            self.find("more frames wait for a socket than its channels have places");
        }
        let opens = self.happened.opens as usize;
        let in_hand = self.hub.sessions.values().map(|it| it.in_hand());
        if in_hand
            .into_iter()
            .any(|(a, b, c)| a > opens || b > opens || c > opens)
        {
            self.find("a session knows more channels than there are");
        }
        let lanes = 2 * self.actors.len() + sockets;
        if self.budget.held() > lanes * (self.limits.queue_bytes() + 256 * places) {
            self.find("lanes hold more than their bounds together");
        }
    }

    /// Everything was closed: nobody remembers anything.
    pub(crate) fn check_emptiness(&mut self) {
        let census = self.hub.directory.census();
        let hub = &self.hub;
        let left = [
            ("sessions in the directory", census.sessions),
            ("links in the directory", census.links),
            (
                "channels in the directory",
                census.channels + census.opening,
            ),
            ("topics in the directory", census.topics),
            ("users in the directory", hub.directory.users()),
            ("sessions", hub.sessions.len()),
            ("links", hub.links.len()),
            (
                "channels of links",
                hub.links.values().map(crate::link::Link::channels).sum(),
            ),
            ("known sessions", hub.known_sessions.len()),
            ("known links", hub.known_links.len()),
            ("known channels", hub.channels.len()),
            ("actors", self.actors.len()),
            ("sockets", self.sockets.len()),
            ("bytes in the budget", self.budget.held()),
            (
                "slots of clients",
                self.clients.iter().map(|it| it.slots.len()).sum(),
            ),
            (
                "Workers with something",
                self.workers.iter().filter(|it| !it.is_empty()).count(),
            ),
        ];
        let left: Vec<_> = left.into_iter().filter(|(_, count)| *count > 0).collect();
        if !left.is_empty() {
            self.find(&format!("left behind: {left:?}"));
        }
    }
}

fn mark(frame: &Frame) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.channel().hash(&mut hasher);
    frame.ciphertext().hash(&mut hasher);
    hasher.finish()
}
