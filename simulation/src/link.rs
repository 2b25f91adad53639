//! A Link: what a Worker's stream brings goes to its brains. As `hub-actors/src/link.rs`.

use std::{collections::VecDeque, time::Duration};

use channel_actors::{
    close,
    figures::Received,
    messages::FromWorker,
    mux::{Mux, Route},
    relay::Side,
};
use hub_actors::brains::{self, End, Liveness, Silence};
use schema::{
    frame::{Frame, Outer},
    ids::ChannelId,
    wire::control::Body,
};

use crate::{
    pace::Due,
    session::Parcel,
    tells::{Part, Tell, ToChannel, ToLink, ToRegistry, Wire},
    world::World,
};

pub(crate) struct Link {
    pub(crate) worker: usize,
    pub(crate) socket: u64,
    pub(crate) outgoing: VecDeque<Parcel>,
    /// What the directory calls it; none before it is welcome.
    number: Option<u64>,
    mux: Mux<WorkerRoute>,
    received: Received,
    liveness: Liveness,
    over: bool,
}

struct WorkerRoute {
    number: u64,
    epoch: u32,
}

impl Link {
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn channels(&self) -> usize {
        self.mux.len()
    }

    fn control(&mut self, body: Body) {
        self.outgoing
            .push_back(Parcel::Wire(Wire::Outer(Outer::Control(body))));
    }
}

impl World {
    pub(crate) fn begin_link(&mut self, worker: usize, socket: u64) {
        self.last_number += 1;
        let key = self.last_number;
        let link = Link {
            worker,
            socket,
            outgoing: VecDeque::new(),
            number: None,
            mux: Mux::new(&self.limits),
            received: Received::toward(Side::Client),
            liveness: Liveness::new(Duration::from_secs(5), Duration::from_secs(10), self.now()),
            over: false,
        };
        self.hub.links.insert(key, link);
        if !self.accept(socket, Part::Link(key)) {
            self.hub.links.remove(&key);
            return;
        }
        let meet = ToRegistry::MeetLink { key };
        self.tell(Part::Link(key), Part::Registry, Tell::Registry(meet));
        self.after(2_000, Due::Tick(Part::Link(key)));
    }

    pub(crate) fn link_ticks(&mut self, key: u64) {
        let now = self.now();
        let Some(link) = self.hub.links.get_mut(&key).filter(|link| !link.over) else {
            return;
        };
        match link.liveness.judge(now) {
            Silence::Fine => {}
            Silence::Ask => link.outgoing.push_back(Parcel::Wire(Wire::Ask)),
            Silence::Dead => return self.link_stops(key),
        }
        self.flush_link(key);
        self.after(2_000, Due::Tick(Part::Link(key)));
    }

    pub(crate) fn link_reads(&mut self, key: u64, wire: Wire) {
        let now = self.now();
        let Some(link) = self.hub.links.get_mut(&key).filter(|link| !link.over) else {
            return;
        };
        link.liveness.heard(now);
        match wire {
            Wire::Outer(Outer::Frame(frame)) => self.link_frame(key, frame),
            Wire::Outer(Outer::Control(body)) => self.link_control(key, body),
            Wire::Ask => link.outgoing.push_back(Parcel::Wire(Wire::Answer)),
            Wire::Answer | Wire::Goodbye(_) => {}
            Wire::Fin => self.link_stops(key),
        }
        self.flush_link(key);
    }

    fn link_frame(&mut self, key: u64, frame: Frame) {
        let (now, channel) = (self.now(), frame.channel());
        let Some(link) = self.hub.links.get_mut(&key) else {
            return;
        };
        link.received.count();
        self.books.received += 1;
        match link.mux.route(&channel, now) {
            Route::To(route) => {
                let number = route.number;
                let frame = self.blinded(frame, number);
                let tell = ToChannel::FromWorker(FromWorker::new(frame));
                self.tell(Part::Link(key), Part::Channel(number), Tell::Channel(tell));
            }
            Route::Late => self.books.late += 1,
            Route::Foreign | Route::Offender => {
                self.books.foreign += 1;
                self.find("a Worker sent a frame for a channel that is not its link's");
            }
        }
    }

    fn link_control(&mut self, key: u64, body: Body) {
        let id = match &body {
            Body::Opened(opened) => &opened.channel_id,
            Body::Refused(refused) => &refused.channel_id,
            Body::Renewed(renewed) => &renewed.channel_id,
            Body::Close(close) => &close.channel_id,
            Body::AccessAcknowledged(acknowledged) => &acknowledged.channel_id,
            _ => return self.find("a Worker said what a Worker does not say"),
        };
        let channel = ChannelId::try_from(&id[..]).expect("16 bytes");
        let now = self.now();
        let is_refused = matches!(&body, Body::Refused(refused) if refused.serial == 0);
        let Some(link) = self.hub.links.get_mut(&key) else {
            return;
        };
        let number = match link.mux.route(&channel, now) {
            Route::To(route) => route.number,
            Route::Late => return,
            Route::Foreign | Route::Offender => {
                return self.find("a Worker answered for a channel that is not its link's");
            }
        };
        if is_refused {
            link.mux.remove(&channel, now);
        }
        let tell = ToChannel::ControlFromWorker(body);
        self.tell(Part::Link(key), Part::Channel(number), Tell::Channel(tell));
    }

    pub(crate) fn link_hears(&mut self, key: u64, tell: ToLink) {
        let now = self.now();
        let Some(link) = self.hub.links.get_mut(&key).filter(|link| !link.over) else {
            if let ToLink::Welcome(Some((worker, number))) = tell {
                // Its guard was on the way to nobody.
                let gone = ToRegistry::LinkGone { worker, number };
                self.tell(Part::Link(key), Part::Registry, Tell::Registry(gone));
            }
            return;
        };
        match tell {
            ToLink::Welcome(Some((_, number))) => {
                link.number = Some(number);
                link.outgoing.push_back(Parcel::Wire(Wire::Answer));
            }
            ToLink::Welcome(None) => {
                self.link_departs(key, End::Draining, Duration::from_secs(1));
            }
            ToLink::Meet { number, channel } => {
                let route = WorkerRoute { number, epoch: 0 };
                if link.mux.insert(channel, route).is_err() {
                    self.find("a channel was introduced twice to a link");
                }
            }
            ToLink::Frame(passing) => link.outgoing.push_back(Parcel::Frame(passing)),
            ToLink::Control(body) => {
                if let Some(channel) = brains::ended(&body) {
                    link.mux.remove(&channel, now);
                }
                if let Some((channel, serial)) = brains::asked(&body)
                    && let Some(route) = link.mux.get_mut(&channel)
                {
                    route.epoch = route.epoch.max(serial);
                }
                link.control(body);
            }
            ToLink::Depart { end, after } => self.link_departs(key, end, after),
        }
        self.flush_link(key);
    }

    fn link_departs(&mut self, key: u64, end: End, after: Duration) {
        let Some(link) = self.hub.links.get_mut(&key).filter(|link| !link.over) else {
            return;
        };
        if end != End::Draining {
            link.outgoing
                .retain(|parcel| matches!(parcel, Parcel::Wire(_)));
        }
        let routes: Vec<_> = link.mux.drain().collect();
        for (channel, route) in routes {
            let reason = brains::to_channels_of_a_link(end);
            link.control(close::close(channel, route.epoch, reason));
        }
        link.outgoing.push_back(Parcel::Wire(Wire::Goodbye(after)));
        link.outgoing.push_back(Parcel::Wire(Wire::Fin));
        self.link_over(key);
        self.flush_link(key);
    }

    fn link_stops(&mut self, key: u64) {
        if let Some(link) = self.hub.links.get_mut(&key) {
            link.outgoing.clear();
            let socket = link.socket;
            self.link_over(key);
            self.hub_side_gone(socket);
        }
    }

    fn link_over(&mut self, key: u64) {
        let Some(link) = self.hub.links.get_mut(&key).filter(|link| !link.over) else {
            return;
        };
        link.over = true;
        let (worker, number) = (link.worker, link.number);
        // One that is not welcome yet tells the Registry when it is found to be over.
        if let Some(number) = number {
            let gone = ToRegistry::LinkGone { worker, number };
            self.tell(Part::Link(key), Part::Registry, Tell::Registry(gone));
        }
    }

    pub(crate) fn flush_link(&mut self, key: u64) {
        while let Some(link) = self.hub.links.get_mut(&key) {
            let socket = link.socket;
            if !self.sockets.get(&socket).is_some_and(|it| it.takes_down()) {
                return;
            }
            let Some(parcel) = link.outgoing.pop_front() else {
                return;
            };
            let worker = link.worker;
            let wire = match parcel {
                Parcel::Wire(wire) => wire,
                Parcel::Frame(passing) => match passing.pass() {
                    Some(frame) => {
                        if self.loses_one() {
                            continue;
                        }
                        self.check_passed_up(&frame, worker);
                        Wire::Outer(Outer::Frame(frame))
                    }
                    None => continue,
                },
            };
            self.put_down(socket, wire);
        }
    }

    /// Links that are over, and have said all that somebody takes.
    pub(crate) fn sweep_links(&mut self) {
        let sockets = &self.sockets;
        self.hub.links.retain(|_, link| {
            let done = link.outgoing.is_empty() || !sockets.contains_key(&link.socket);
            !(link.over && done)
        });
        self.hub.sessions.retain(|_, session| {
            session.is_here() || (!session.is_drained() && sockets.contains_key(&session.socket))
        });
    }
}
