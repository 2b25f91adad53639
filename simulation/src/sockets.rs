//! Sockets between processes and Hubs: they take a few messages at a time, and break in every way.

use schema::frame::{Frame, Outer};

use crate::{
    pace::Due,
    tells::{Lane, Part, Tell, Way, Wire},
    world::{Control, World},
};

pub(crate) struct Socket {
    pub(crate) owner: Part,
    /// Session or Link, once there is one.
    pub(crate) hub: Option<Part>,
    /// What is put in is lost, and nobody is told.
    pub(crate) half_open: bool,
    /// Broken: what is under way may come, and nothing else does.
    cut: bool,
    hub_gone: bool,
    owner_gone: bool,
    down: usize,
    up: usize,
}

/// Messages that a socket holds each way.
const HOLDS: usize = 16;

impl Socket {
    pub(crate) fn takes_down(&self) -> bool {
        self.half_open || self.cut || self.owner_gone || self.down < HOLDS
    }

    pub(crate) fn takes_up(&self) -> bool {
        self.half_open || self.cut || self.hub_gone || self.up < HOLDS
    }
}

impl World {
    pub(crate) fn dial(&mut self, owner: Part) -> u64 {
        self.last_number += 1;
        let socket = self.last_number;
        let new = Socket {
            owner,
            hub: None,
            half_open: false,
            cut: false,
            hub_gone: false,
            owner_gone: false,
            down: 0,
            up: 0,
        };
        self.sockets.insert(socket, new);
        let wait = self.draw(1..80);
        self.after(wait, Due::Dialled(socket));
        socket
    }

    pub(crate) fn dialled(&mut self, socket: u64) {
        let Some(owner) = self.sockets.get(&socket).map(|it| it.owner) else {
            return;
        };
        if !self.hub.is_up {
            return self.turn_away(socket);
        }
        match owner {
            Part::Worker(worker) => self.begin_link(worker, socket),
            _ => self.knock(socket),
        }
    }

    fn knock(&mut self, socket: u64) {
        let Some(client) = self.client_of(socket) else {
            return;
        };
        let credential = self.clients[client].credential.clone();
        if !self.database.is_live(&credential, self.wall()) {
            return self.turn_away(socket);
        }
        let admit = crate::tells::ToRegistry::Admit { socket };
        self.tell(Part::Session(0), Part::Registry, Tell::Registry(admit));
    }

    /// The process is told that there is no connection.
    pub(crate) fn turn_away(&mut self, socket: u64) {
        if let Some(it) = self.sockets.get_mut(&socket) {
            it.hub_gone = true;
            self.say(Way::Down(socket), Tell::Wire(Wire::Fin));
        }
    }

    /// The Hub has somebody for this socket; false when it is gone already.
    pub(crate) fn accept(&mut self, socket: u64, part: Part) -> bool {
        let Some(it) = self.sockets.get_mut(&socket) else {
            return false;
        };
        if it.owner_gone || it.cut {
            it.hub_gone = true;
            self.forget_socket(socket);
            return false;
        }
        it.hub = Some(part);
        if matches!(part, Part::Session(_)) {
            self.say(Way::Down(socket), Tell::Wire(Wire::Answer));
        }
        true
    }

    pub(crate) fn client_of(&self, socket: u64) -> Option<usize> {
        match self.sockets.get(&socket)?.owner {
            Part::Client(client) => Some(client),
            _ => None,
        }
    }

    pub(crate) fn put_down(&mut self, socket: u64, wire: Wire) {
        let Some(it) = self.sockets.get_mut(&socket) else {
            return;
        };
        it.hub_gone |= matches!(wire, Wire::Fin);
        if it.half_open || it.cut || it.owner_gone {
            self.happened.swallowed += 1;
            return self.forget_socket(socket);
        }
        it.down += 1;
        self.say(Way::Down(socket), Tell::Wire(wire));
    }

    pub(crate) fn put_up(&mut self, socket: u64, lane: Lane, wire: Wire) {
        let Some(it) = self.sockets.get_mut(&socket) else {
            return;
        };
        if it.half_open || it.cut || it.hub_gone || it.owner_gone {
            self.happened.swallowed += 1;
            return;
        }
        it.up += 1;
        self.say(Way::Up(socket, lane), Tell::Wire(wire));
    }

    pub(crate) fn hub_reads(&mut self, socket: u64, wire: Wire) {
        let Some(it) = self.sockets.get_mut(&socket) else {
            return;
        };
        it.up = it.up.saturating_sub(1);
        let (hub, owner) = (it.hub, it.owner);
        if matches!(wire, Wire::Fin) {
            it.hub_gone = true;
        }
        match hub {
            Some(Part::Session(key)) => self.session_reads(key, wire),
            Some(Part::Link(key)) => self.link_reads(key, wire),
            _ => {}
        }
        self.forget_socket(socket);
        match owner {
            Part::Client(client) => self.flush_client(client),
            Part::Worker(worker) => self.flush_worker(worker),
            _ => {}
        }
    }

    pub(crate) fn process_reads(&mut self, socket: u64, wire: Wire) {
        let Some(it) = self.sockets.get_mut(&socket) else {
            return;
        };
        it.down = it.down.saturating_sub(1);
        let (hub, owner) = (it.hub, it.owner);
        if matches!(wire, Wire::Fin) {
            it.owner_gone = true;
        }
        match owner {
            Part::Client(client) => self.client_reads(client, socket, wire),
            Part::Worker(worker) => self.worker_reads(worker, socket, wire),
            _ => {}
        }
        self.forget_socket(socket);
        match hub {
            Some(Part::Session(key)) => self.flush_session(key),
            Some(Part::Link(key)) => self.flush_link(key),
            _ => {}
        }
    }

    /// Of what is under way each way a part from the end on is lost; the rest may come. Either side
    /// hears of the break, or finds out.
    pub(crate) fn cut(&mut self, socket: u64) {
        let Some(it) = self.sockets.get_mut(&socket) else {
            return;
        };
        it.cut = true;
        let ways = [
            Way::Down(socket),
            Way::Up(socket, Lane::Frames),
            Way::Up(socket, Lane::Rest),
        ];
        for way in ways {
            let length = self
                .queues
                .get(&way)
                .map_or(0, std::collections::VecDeque::len);
            let kept = self.draw(0..length as u64 + 1) as usize;
            self.happened.lost += (length - kept) as u64;
            if let Some(queue) = self.queues.get_mut(&way) {
                queue.truncate(kept);
            }
        }
        if !self.one_in(3) {
            self.say_fin(Way::Down(socket));
        }
        if !self.one_in(3) {
            self.say_fin(Way::Up(socket, Lane::Rest));
        }
    }

    fn say_fin(&mut self, way: Way) {
        // Behind everything else that still comes, whichever queue it is in.
        let wait = 60 + self.draw(0..400);
        self.say_in(wait, way, Tell::Wire(Wire::Fin));
    }

    /// The process has closed its end, or is no more; what it has sent may still come.
    pub(crate) fn owner_side_gone(&mut self, socket: u64) {
        if let Some(it) = self.sockets.get_mut(&socket).filter(|it| !it.owner_gone) {
            it.owner_gone = true;
            if !(it.half_open || it.cut) {
                self.say_fin(Way::Up(socket, Lane::Rest));
            }
        }
        self.forget_socket(socket);
    }

    pub(crate) fn hub_side_gone(&mut self, socket: u64) {
        if let Some(it) = self.sockets.get_mut(&socket).filter(|it| !it.hub_gone) {
            it.hub_gone = true;
            it.hub = None;
            if !(it.half_open || it.cut) {
                self.say_fin(Way::Down(socket));
            }
        }
        self.forget_socket(socket);
    }

    fn forget_socket(&mut self, socket: u64) {
        let over = self
            .sockets
            .get(&socket)
            .is_some_and(|it| it.owner_gone && it.hub_gone);
        if over {
            self.sockets.remove(&socket);
            for way in [
                Way::Down(socket),
                Way::Up(socket, Lane::Frames),
                Way::Up(socket, Lane::Rest),
            ] {
                self.take_queue(way);
            }
            self.sweep_links();
        }
    }

    /// For the negative control: what a receiver without the epoch in the header believes.
    pub(crate) fn blinded(&self, frame: Frame, number: u64) -> Frame {
        match self.actors.get(&number) {
            Some(actor) => self.in_epoch(frame, actor.epoch),
            None => frame,
        }
    }

    pub(crate) fn in_epoch(&self, frame: Frame, epoch: u32) -> Frame {
        if self.setting.control != Control::NoEpochInTheHeader {
            return frame;
        }
        let (correlation, flags) = (frame.correlation(), frame.flags());
        Frame::new(
            frame.channel(),
            epoch,
            correlation,
            flags,
            frame.ciphertext(),
        )
    }

    pub(crate) fn say_outer(&mut self, socket: u64, lane: Lane, outer: Outer) {
        self.put_up(socket, lane, Wire::Outer(outer));
    }
}
