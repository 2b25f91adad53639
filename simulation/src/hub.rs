//! One Hub after another: what dies with a process, how it dies and how it drains.

use std::collections::BTreeMap;

use actix::Addr;
use channel_actors::{Channel, CloseReason, fence::Fence, post::tell_addr};
use hub_actors::{
    Quotas,
    brains::{Directory, End, Fences},
};
use schema::ids::{ChannelId, WorkerId};

use crate::{
    link::Link,
    pace::Due,
    session::Session,
    tells::{Part, Tell, ToChannel, ToLink, ToSession, Way},
    world::World,
};

/// All that is in the memory of one process.
pub(crate) struct Hub {
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    pub(crate) drains: bool,
    pub(crate) directory: Directory,
    pub(crate) raised: Fences,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) links: BTreeMap<u64, Link>,
    /// By the directory's numbers: those that the Registry has met.
    pub(crate) known_sessions: BTreeMap<u64, u64>,
    /// The directory's number and ours.
    pub(crate) known_links: BTreeMap<WorkerId, (u64, u64)>,
    pub(crate) channels: BTreeMap<ChannelId, KnownChannel>,
}

pub(crate) struct KnownChannel {
    pub(crate) number: u64,
    pub(crate) fences: BTreeMap<u64, Fence>,
}

/// A Channel actor that runs.
pub(crate) struct Actor {
    pub(crate) addr: Addr<Channel>,
    /// The newest that it passed on, for the negative control.
    pub(crate) epoch: u32,
}

impl Hub {
    pub(crate) fn new(life: u64) -> Self {
        Self {
            life,
            is_up: true,
            drains: false,
            directory: Directory::new(Quotas::default()),
            raised: Fences::default(),
            sessions: BTreeMap::new(),
            links: BTreeMap::new(),
            known_sessions: BTreeMap::new(),
            known_links: BTreeMap::new(),
            channels: BTreeMap::new(),
        }
    }

    /// Our number of a link that is still the Worker's.
    pub(crate) fn link_of(&self, worker: &WorkerId, number: u64) -> Option<u64> {
        let (known, key) = self.known_links.get(worker)?;
        (*known == number).then_some(*key)
    }
}

impl World {
    /// Killed: nothing is said any more, and what waited in its memory is gone.
    pub(crate) fn hub_dies(&mut self) {
        let next = self.hub.life + 1;
        let mut dead = std::mem::replace(&mut self.hub, Hub::new(next));
        self.hub.is_up = false;
        for actor in self.actors.values() {
            let reason = CloseReason::ConnectionLost;
            tell_addr(&actor.addr, channel_actors::messages::Close { reason });
        }
        self.stirred = true;
        self.bury_books(&mut dead);
        let inside: Vec<Way> = self
            .queues
            .keys()
            .copied()
            .filter(|way| matches!(way, Way::Between(..)))
            .collect();
        for way in inside {
            self.take_queue(way);
        }
        let sockets: Vec<u64> = self.sockets.keys().copied().collect();
        for socket in sockets {
            self.hub_side_gone(socket);
        }
        self.frozen
            .retain(|part, _| matches!(part, Part::Client(_) | Part::Worker(_)));
        let wait = self.draw(200..6_000);
        self.after(wait, Due::HubUp);
    }

    pub(crate) fn hub_up(&mut self) {
        self.hub.is_up = true;
    }

    /// The first signal.
    pub(crate) fn hub_drains(&mut self) {
        if !self.hub.is_up || self.hub.drains {
            return;
        }
        self.hub.drains = true;
        self.hub.directory.drain();
        self.send_away();
        let (life, wait) = (self.hub.life, self.draw(2_000..8_000));
        self.after(wait, Due::HubEnds(life));
    }

    /// A slice of goodbyes: channels first, sessions before links.
    pub(crate) fn send_away(&mut self) {
        if !self.hub.drains {
            return;
        }
        let leavers = self.hub.directory.send_away(2);
        let after = std::time::Duration::from_millis(500);
        let end = End::Draining;
        let more = !leavers.sessions.is_empty() || !leavers.links.is_empty();
        for session in leavers.sessions {
            let channels = self.hub.directory.channels_of(session);
            self.close_path(session, &channels, CloseReason::Draining);
            self.depart(session, end, after);
        }
        for (worker, number) in leavers.links {
            let channels = self.hub.directory.channels_over(&worker);
            self.close_channels(&channels, CloseReason::Draining);
            self.depart_link(&worker, number, end, after);
        }
        if more {
            self.after(100, Due::SendAway);
        }
    }

    pub(crate) fn close_channels(&mut self, channels: &[ChannelId], reason: CloseReason) {
        for channel in channels {
            if let Some(known) = self.hub.channels.get(channel) {
                let to = Part::Channel(known.number);
                self.tell(Part::Registry, to, Tell::Channel(ToChannel::Close(reason)));
            }
        }
    }

    /// A session is no path any more, to whichever of these channels it was one.
    pub(crate) fn close_path(&mut self, session: u64, channels: &[ChannelId], why: CloseReason) {
        for channel in channels {
            if let Some(known) = self.hub.channels.get(channel) {
                let to = Part::Channel(known.number);
                let gone = ToChannel::PathGone(channel_actors::PathId(session), why);
                self.tell(Part::Registry, to, Tell::Channel(gone));
            }
        }
    }

    pub(crate) fn depart(&mut self, session: u64, end: End, after: std::time::Duration) {
        if let Some(key) = self.hub.known_sessions.get(&session) {
            let to = Part::Session(*key);
            self.tell(
                Part::Registry,
                to,
                Tell::Session(ToSession::Depart { end, after }),
            );
        }
    }

    pub(crate) fn depart_link(
        &mut self,
        worker: &WorkerId,
        number: u64,
        end: End,
        after: std::time::Duration,
    ) {
        if let Some(key) = self.hub.link_of(worker, number) {
            let to = Part::Link(key);
            self.tell(
                Part::Registry,
                to,
                Tell::Link(ToLink::Depart { end, after }),
            );
        }
    }
}
