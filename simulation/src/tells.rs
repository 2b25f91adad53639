//! What parts say to each other, and where it waits.

use std::{collections::VecDeque, time::Duration};

use channel_actors::{
    CloseReason, PathId, Refusal,
    guard::ChannelReport,
    lane::Passing,
    messages::{FromBrowser, FromWorker, PathForgotten},
};
use hub_actors::brains::{End, NoSession};
use schema::{
    frame::Outer,
    ids::{ChannelId, CredentialId},
    wire::control::Body,
};

use crate::{opening::Order, world::World};

/// Somebody who is delayed, and frozen, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Client(usize),
    Worker(usize),
    Registry,
    Session(u64),
    Link(u64),
    /// One actor, by its number in this world.
    Channel(u64),
}

/// A queue: what goes in first comes out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Of a socket, towards the Hub. A Worker has one queue for frames and one for the rest.
    Up(u64, Lane),
    /// Of a socket, towards a process.
    Down(u64),
    Between(Part, Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Frames,
    Rest,
}

/// What a socket carries.
pub(crate) enum Wire {
    Outer(Outer),
    /// A WebSocket's ping, a link's heartbeat.
    Ask,
    Answer,
    Goodbye(Duration),
    /// The other side is gone.
    Fin,
}

pub(crate) enum Tell {
    Wire(Wire),
    Session(ToSession),
    Link(ToLink),
    Registry(ToRegistry),
    Channel(ToChannel),
}

pub(crate) enum ToSession {
    Met(Result<(), NoSession>),
    Meet { number: u64, channel: ChannelId },
    Frame(Passing),
    Control(Body),
    NotOpened(ChannelId, Refusal),
    NotRenewed(ChannelId, u32, Refusal),
    Depart { end: End, after: Duration },
}

pub(crate) enum ToLink {
    /// Whose it is, and the number that the directory gave; none while the Hub drains.
    Welcome(Option<(usize, u64)>),
    Meet {
        number: u64,
        channel: ChannelId,
    },
    Frame(Passing),
    Control(Body),
    Depart {
        end: End,
        after: Duration,
    },
}

pub(crate) enum ToRegistry {
    /// Somebody wants a session over this socket.
    Admit {
        socket: u64,
    },
    MeetSession {
        key: u64,
    },
    MeetLink {
        key: u64,
    },
    SessionGone {
        number: u64,
    },
    LinkGone {
        worker: usize,
        number: u64,
    },
    Order(Box<Order>),
    ChannelGone(ChannelReport),
    Forgotten(PathForgotten),
    Revoked(CredentialId),
    /// A Channel took a renewal, or refused it, or was not there any more.
    Passed(Box<Order>, Option<Result<(), Refusal>>),
}

pub(crate) enum ToChannel {
    FromBrowser(FromBrowser),
    ControlFromBrowser(PathId, Body),
    FromWorker(FromWorker),
    ControlFromWorker(Body),
    PassRenewal(Box<Order>, channel_actors::fence::Fence),
    PathGone(PathId, CloseReason),
    Close(CloseReason),
}

impl World {
    /// Says something; it comes after all that was said before by this way, and after a delay.
    pub(crate) fn say(&mut self, way: Way, tell: Tell) {
        let slowest = if matches!(way, Way::Between(..)) {
            12
        } else {
            60
        };
        let delay = self.draw(0..slowest);
        self.say_in(delay, way, tell);
    }

    pub(crate) fn say_in(&mut self, delay: u64, way: Way, tell: Tell) {
        let at = self.now_ms + delay;
        let at = self.latest.get(&way).map_or(at, |latest| at.max(*latest));
        self.latest.insert(way, at);
        self.queues.entry(way).or_default().push_back(tell);
        self.schedule(at, crate::pace::Due::Arrival(way));
    }

    /// Between two parts of the Hub.
    pub(crate) fn tell(&mut self, from: Part, to: Part, tell: Tell) {
        self.say(Way::Between(from, to), tell);
    }

    /// What waits by one way.
    pub(crate) fn take_queue(&mut self, way: Way) -> VecDeque<Tell> {
        self.latest.remove(&way);
        self.queues.remove(&way).unwrap_or_default()
    }
}
