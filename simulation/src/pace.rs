//! The scheduler: what is due next, and who is frozen.

use std::time::{Duration, Instant};

use rand::RngExt as _;

use crate::{
    opening::Question,
    tells::{Part, Tell, Way},
    world::World,
};

/// Something that happens at its time.
#[derive(Clone)]
pub(crate) enum Due {
    Arrival(Way),
    /// The database is read now.
    Read(Box<Question>),
    /// What it said.
    Answer(Box<Question>, bool),
    /// A socket reached the Hub, or found none.
    Dialled(u64),
    /// A process tries to get a socket.
    Dial(Part),
    /// Deadlines and heartbeats.
    Tick(Part),
    /// A signature is ready.
    Signed(usize, u64),
    /// A Worker has looked a device up.
    Judged(usize, schema::ids::ChannelId, u32),
    /// Applications do something.
    Talk,
    /// Something goes wrong.
    Fault,
    HubUp,
    /// The next slice of goodbyes.
    SendAway,
    /// The process of a Hub that drains ends.
    HubEnds(u64),
    SignIn(usize),
    Revoke(usize),
}

impl World {
    pub(crate) fn draw(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.rng.random_range(range)
    }

    /// True in one of so many cases.
    pub(crate) fn one_in(&mut self, cases: u64) -> bool {
        self.draw(0..cases) == 0
    }

    pub(crate) fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.now_ms)
    }

    pub(crate) fn schedule(&mut self, at: u64, due: Due) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), due);
    }

    pub(crate) fn after(&mut self, delay: u64, due: Due) {
        self.schedule(self.now_ms + delay, due);
    }

    /// Lets the world run until then, or until `is_enough`.
    pub(crate) async fn until(&mut self, end: u64, is_enough: impl Fn(&Self) -> bool) -> bool {
        while self.broken.is_none() {
            if is_enough(self) {
                return true;
            }
            let next = self.agenda.first_key_value().map(|(key, _)| key.0);
            let Some(at) = next.filter(|at| *at <= end) else {
                self.move_clock(end).await;
                break;
            };
            self.move_clock(at).await;
            if let Some((_, due)) = self.agenda.pop_first() {
                self.step(due).await;
            }
        }
        is_enough(self)
    }

    async fn move_clock(&mut self, to: u64) {
        if to > self.now_ms {
            let wait = Duration::from_millis(to - self.now_ms);
            self.now_ms = to;
            tokio::time::advance(wait).await;
            if !self.actors.is_empty() {
                self.hear_actors().await;
            }
        }
    }

    async fn step(&mut self, due: Due) {
        self.steps += 1;
        let until = self
            .who(&due)
            .and_then(|part| self.frozen.get(&part).copied());
        if let Some(until) = until.filter(|until| *until > self.now_ms) {
            return self.schedule(until, due);
        }
        let Due::Arrival(way) = due else {
            self.happen(due);
            return self.hear_actors().await;
        };
        let tell = self
            .queues
            .get_mut(&way)
            .and_then(std::collections::VecDeque::pop_front);
        let Some(tell) = tell else { return };
        let is_for_an_actor = matches!(tell, Tell::Channel(_));
        self.digest = self.digest.wrapping_mul(0x0100_0000_01b3) ^ self.now_ms ^ self.sequence;
        self.arrive(way, tell);
        if is_for_an_actor || self.stirred {
            self.hear_actors().await;
        }
    }

    /// Who does it, and hence who can be too frozen to.
    fn who(&self, due: &Due) -> Option<Part> {
        match due {
            Due::Arrival(Way::Between(_, to)) => Some(*to),
            Due::Arrival(Way::Up(socket, _)) => self.sockets.get(socket)?.hub,
            Due::Arrival(Way::Down(socket)) => {
                let owner = self.sockets.get(socket)?.owner;
                // A process that reads slowly does everything else.
                if let Part::Client(client) = owner
                    && self.clients[client].reads_again > self.now_ms
                {
                    return Some(Part::Channel(u64::MAX - client as u64));
                }
                Some(owner)
            }
            Due::Answer(..) => Some(Part::Registry),
            Due::Tick(part) | Due::Dial(part) => Some(*part),
            Due::Signed(worker, _) | Due::Judged(worker, ..) => Some(Part::Worker(*worker)),
            Due::Read(_) | Due::Dialled(_) | Due::Talk | Due::Fault => None,
            Due::HubUp | Due::SendAway | Due::HubEnds(_) | Due::SignIn(_) | Due::Revoke(_) => None,
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrival(_) => {}
            Due::Read(question) => self.read(question),
            Due::Answer(question, live) => self.answered(*question, live),
            Due::Dialled(socket) => self.dialled(socket),
            Due::Dial(Part::Client(client)) => self.client_dials(client),
            Due::Dial(Part::Worker(worker)) => self.worker_dials(worker),
            Due::Tick(part) => self.tick(part),
            Due::Signed(worker, generation) => self.signed(worker, generation),
            Due::Judged(worker, channel, epoch) => self.judged(worker, channel, epoch),
            Due::Talk => self.talk(),
            Due::Fault => self.fault(),
            Due::HubUp => self.hub_up(),
            Due::SendAway => self.send_away(),
            Due::HubEnds(life) if life == self.hub.life => self.hub_dies(),
            Due::SignIn(client) => self.sign_in(client),
            Due::Revoke(client) => self.revoke(client),
            Due::Dial(_) | Due::HubEnds(_) => {}
        }
    }

    fn arrive(&mut self, way: Way, tell: Tell) {
        self.trace(way, &tell);
        match (way, tell) {
            (Way::Up(socket, _), Tell::Wire(wire)) => self.hub_reads(socket, wire),
            (Way::Down(socket), Tell::Wire(wire)) => self.process_reads(socket, wire),
            (Way::Between(_, Part::Session(key)), Tell::Session(tell)) => {
                self.session_hears(key, tell);
            }
            (Way::Between(_, Part::Link(key)), Tell::Link(tell)) => self.link_hears(key, tell),
            (Way::Between(..), Tell::Registry(tell)) => self.registry_hears(tell),
            (Way::Between(_, Part::Channel(number)), Tell::Channel(tell)) => {
                self.channel_hears(number, tell);
            }
            _ => self.find("a tell that nobody can hear"),
        }
    }

    fn tick(&mut self, part: Part) {
        match part {
            Part::Client(client) => self.client_ticks(client),
            Part::Worker(worker) => self.worker_ticks(worker),
            Part::Session(key) => self.session_ticks(key),
            Part::Link(key) => self.link_ticks(key),
            Part::Registry | Part::Channel(_) => {}
        }
    }

    /// Nothing reaches a part, and it does nothing, for so long.
    pub(crate) fn freeze(&mut self, part: Part, for_ms: u64) {
        self.frozen.insert(part, self.now_ms + for_ms);
        if for_ms >= 20_000 {
            self.wedged.insert(part);
        }
    }
}
