//! A Session: what a client's socket brings goes to its brains. As `hub-actors/src/session`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use channel_actors::{
    CloseReason, PathId, Refusal, RefusalReason, close,
    figures::Received,
    lane::Passing,
    messages::FromBrowser,
    mux::{Mux, Route},
    refusal,
    relay::Side,
};
use hub_actors::brains::{self, End, Liveness, NoSession, Silence};
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, CredentialId, UserId, WorkerId},
    wire::{self, control::Body},
};

use crate::{
    opening::{Order, Question, Wish},
    pace::Due,
    tells::{Part, Tell, ToChannel, ToRegistry, ToSession, Wire},
    world::World,
};

pub(crate) struct Session {
    pub(crate) number: u64,
    pub(crate) socket: u64,
    pub(crate) user: UserId,
    pub(crate) credential: CredentialId,
    pub(crate) outgoing: VecDeque<Parcel>,
    mux: Mux<BrowserRoute>,
    opening: BTreeMap<ChannelId, Opening>,
    renewing: BTreeMap<ChannelId, Renewing>,
    liveness: Liveness,
    received: Received,
    stage: Stage,
    /// What came before the Registry knew the way back.
    held: VecDeque<Wire>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Stage {
    Meeting,
    Running,
    Over,
}

/// What waits for a socket, and leaves only past its fence.
pub(crate) enum Parcel {
    Frame(Passing),
    Wire(Wire),
}

struct BrowserRoute {
    number: u64,
    epoch: u32,
}

struct Opening {
    claim: Arc<AtomicBool>,
    close: Option<wire::Close>,
}

struct Renewing {
    serial: u32,
    close: Option<wire::Close>,
}

impl Session {
    pub(crate) fn is_here(&self) -> bool {
        self.stage != Stage::Over
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.stage == Stage::Over && self.outgoing.is_empty()
    }

    pub(crate) fn in_hand(&self) -> (usize, usize, usize) {
        (self.mux.len(), self.opening.len(), self.renewing.len())
    }

    fn control(&mut self, body: Body) {
        self.outgoing
            .push_back(Parcel::Wire(Wire::Outer(Outer::Control(body))));
    }

    fn end_renewal(&mut self, channel: &ChannelId) -> Option<wire::Close> {
        let Renewing { serial, close } = self.renewing.remove(channel)?;
        close.map(|close| said_after(close, serial))
    }
}

impl World {
    /// False when its socket is gone already.
    pub(crate) fn begin_session(&mut self, socket: u64, number: u64) -> bool {
        let Some(client) = self.client_of(socket) else {
            return false;
        };
        let key = self.hub.life * 1_000_000 + number;
        let client = &self.clients[client];
        let session = Session {
            number,
            socket,
            user: client.user.clone(),
            credential: client.credential.clone(),
            outgoing: VecDeque::new(),
            mux: Mux::new(&self.limits),
            opening: BTreeMap::new(),
            renewing: BTreeMap::new(),
            liveness: Liveness::new(Duration::from_secs(15), Duration::from_secs(40), self.now()),
            received: Received::toward(Side::Worker),
            stage: Stage::Meeting,
            held: VecDeque::new(),
        };
        self.hub.sessions.insert(key, session);
        if !self.accept(socket, Part::Session(key)) {
            self.hub.sessions.remove(&key);
            return false;
        }
        let meet = ToRegistry::MeetSession { key };
        self.tell(Part::Session(key), Part::Registry, Tell::Registry(meet));
        self.after(3_750, Due::Tick(Part::Session(key)));
        true
    }

    pub(crate) fn session_ticks(&mut self, key: u64) {
        let now = self.now();
        let Some(session) = self.hub.sessions.get_mut(&key).filter(|it| it.is_here()) else {
            return;
        };
        match session.liveness.judge(now) {
            Silence::Fine => {}
            Silence::Ask => session.outgoing.push_back(Parcel::Wire(Wire::Ask)),
            Silence::Dead => self.session_departs(key, End::Lost, Duration::ZERO),
        }
        self.flush_session(key);
        self.after(3_750, Due::Tick(Part::Session(key)));
    }

    /// From its socket.
    pub(crate) fn session_reads(&mut self, key: u64, wire: Wire) {
        let now = self.now();
        let Some(session) = self.hub.sessions.get_mut(&key).filter(|it| it.is_here()) else {
            return;
        };
        session.liveness.heard(now);
        if session.stage == Stage::Meeting && !matches!(wire, Wire::Fin) {
            return session.held.push_back(wire);
        }
        match wire {
            Wire::Outer(Outer::Frame(frame)) => self.session_frame(key, frame),
            Wire::Outer(Outer::Control(body)) => self.session_control(key, body),
            Wire::Ask => session.outgoing.push_back(Parcel::Wire(Wire::Answer)),
            Wire::Answer | Wire::Goodbye(_) => {}
            Wire::Fin => self.session_stops(key),
        }
        self.flush_session(key);
    }

    fn session_frame(&mut self, key: u64, frame: Frame) {
        let (now, channel) = (self.now(), frame.channel());
        let Some(session) = self.hub.sessions.get_mut(&key) else {
            return;
        };
        session.received.count();
        self.books.received += 1;
        match session.mux.route(&channel, now) {
            Route::To(route) => {
                let (number, path) = (route.number, PathId(session.number));
                let frame = self.blinded(frame, number);
                let tell = ToChannel::FromBrowser(FromBrowser::new(path, frame));
                self.tell(
                    Part::Session(key),
                    Part::Channel(number),
                    Tell::Channel(tell),
                );
            }
            Route::Late => self.books.late += 1,
            Route::Foreign => {
                self.books.foreign += 1;
                self.check_foreign(key, channel);
            }
            Route::Offender => {
                self.books.foreign += 1;
                self.check_foreign(key, channel);
                self.happened.foreigners += 1;
                self.session_departs(key, End::Foreign, Duration::ZERO);
            }
        }
    }

    fn session_control(&mut self, key: u64, body: Body) {
        match body {
            Body::Open(open) => self.session_opens(key, open),
            Body::Renew(renew) => self.session_renews(key, renew),
            Body::Close(close) => self.session_closes(key, close),
            _ => self.session_departs(key, End::Protocol, Duration::ZERO),
        }
    }

    fn order(&self, key: u64, channel: ChannelId, worker: WorkerId, wish: Wish) -> Option<Order> {
        let session = self.hub.sessions.get(&key)?;
        Some(Order {
            life: self.hub.life,
            key,
            session: session.number,
            channel,
            worker,
            user: session.user.clone(),
            credential: session.credential.clone(),
            wish,
            tries: 3,
        })
    }

    fn session_opens(&mut self, key: u64, open: wire::Open) {
        let channel = ChannelId::try_from(&open.channel_id[..]).expect("16 bytes");
        let worker = WorkerId::parse(&open.worker_id).expect("an id of this world");
        let Some(session) = self.hub.sessions.get_mut(&key) else {
            return;
        };
        if session.opening.contains_key(&channel) {
            let refusal = RefusalReason::Duplicate.into();
            return session.control(refusal::refused(channel, refusal));
        }
        let claim = Arc::new(AtomicBool::new(false));
        let opening = Opening {
            claim: claim.clone(),
            close: None,
        };
        session.opening.insert(channel, opening);
        if let Some(order) = self.order(key, channel, worker, Wish::Open { open, claim }) {
            self.ask_database(Question::Grant(order));
        }
    }

    fn session_renews(&mut self, key: u64, renew: wire::Renew) {
        let channel = ChannelId::try_from(&renew.channel_id[..]).expect("16 bytes");
        let worker = WorkerId::parse(&renew.worker_id).expect("an id of this world");
        let Some(session) = self.hub.sessions.get_mut(&key) else {
            return;
        };
        let serial = renew.serial;
        if session.opening.contains_key(&channel) {
            let refusal: Refusal = RefusalReason::Stale.into();
            return session.control(refusal::refused_renewal(channel, refusal, serial));
        }
        session.renewing.insert(
            channel,
            Renewing {
                serial,
                close: None,
            },
        );
        if let Some(order) = self.order(key, channel, worker, Wish::Renew(renew)) {
            self.ask_database(Question::Grant(order));
        }
    }

    fn session_closes(&mut self, key: u64, close: wire::Close) {
        let channel = ChannelId::try_from(&close.channel_id[..]).expect("16 bytes");
        let now = self.now();
        let Some(session) = self.hub.sessions.get_mut(&key) else {
            return;
        };
        if let Some(opening) = session.opening.get_mut(&channel) {
            let undecided = !opening.claim.swap(true, Ordering::AcqRel);
            opening.close = Some(close);
            if undecided {
                session.control(close::close(channel, 0, CloseReason::ClosedByClient));
            }
            return;
        }
        let asked = session.renewing.get_mut(&channel);
        let close = match asked {
            Some(asked) if session.mux.get(&channel).is_none() => {
                asked.close = Some(close);
                return;
            }
            Some(asked) => said_after(close, asked.serial),
            None => close,
        };
        match session.mux.route(&channel, now) {
            Route::To(route) => {
                let (number, path) = (route.number, PathId(session.number));
                let tell = ToChannel::ControlFromBrowser(path, Body::Close(close));
                self.tell(
                    Part::Session(key),
                    Part::Channel(number),
                    Tell::Channel(tell),
                );
            }
            Route::Late | Route::Foreign => {}
            Route::Offender => self.session_departs(key, End::Foreign, Duration::ZERO),
        }
    }

    /// From the Registry and the channels.
    pub(crate) fn session_hears(&mut self, key: u64, tell: ToSession) {
        // What is told to one that has stopped is dropped with its mailbox.
        let Some(session) = self.hub.sessions.get_mut(&key).filter(|it| it.is_here()) else {
            return;
        };
        match tell {
            ToSession::Met(Ok(())) => {
                session.stage = Stage::Running;
                for wire in std::mem::take(&mut session.held) {
                    self.session_reads(key, wire);
                }
            }
            ToSession::Met(Err(why)) => {
                let end = match why {
                    NoSession::Draining => End::Draining,
                    NoSession::Revoked | NoSession::Quota => End::Revoked,
                };
                self.session_departs(key, end, Duration::ZERO);
            }
            ToSession::Meet { number, channel } => self.session_meets(key, number, channel),
            ToSession::Frame(passing) => session.outgoing.push_back(Parcel::Frame(passing)),
            ToSession::Control(body) => self.session_is_told(key, body),
            ToSession::NotOpened(channel, refusal) => {
                let opening = session.opening.remove(&channel);
                if opening.is_none_or(|opening| opening.close.is_none()) {
                    session.control(refusal::refused(channel, refusal));
                }
            }
            ToSession::NotRenewed(channel, serial, refusal) => {
                if session
                    .renewing
                    .get(&channel)
                    .is_some_and(|it| it.serial == serial)
                {
                    session.end_renewal(&channel);
                }
                session.control(refusal::refused_renewal(channel, refusal, serial));
            }
            ToSession::Depart { end, after } => self.session_departs(key, end, after),
        }
        self.flush_session(key);
    }

    fn session_meets(&mut self, key: u64, number: u64, channel: ChannelId) {
        let now = self.now();
        let Some(session) = self.hub.sessions.get_mut(&key) else {
            return;
        };
        let opening = session.opening.remove(&channel);
        let close = opening.and_then(|opening| opening.close);
        let close = close.or_else(|| session.end_renewal(&channel));
        session.mux.remove(&channel, now);
        let is_taken = session
            .mux
            .insert(channel, BrowserRoute { number, epoch: 0 })
            .is_err();
        let path = PathId(session.number);
        if let Some(close) = close {
            let tell = ToChannel::ControlFromBrowser(path, Body::Close(close));
            self.tell(
                Part::Session(key),
                Part::Channel(number),
                Tell::Channel(tell),
            );
        }
        if is_taken {
            self.find("a channel was introduced twice to a session");
        }
    }

    fn session_is_told(&mut self, key: u64, body: Body) {
        let now = self.now();
        let Some(session) = self.hub.sessions.get_mut(&key) else {
            return;
        };
        if let Some(channel) = brains::ended(&body) {
            session.mux.remove(&channel, now);
            session.opening.remove(&channel);
            session.end_renewal(&channel);
        }
        if let Some((channel, serial)) = brains::renewed(&body) {
            session.end_renewal(&channel);
            if let Some(route) = session.mux.get_mut(&channel) {
                route.epoch = route.epoch.max(serial);
            }
        }
        session.control(body);
    }

    /// Says why, and goes.
    fn session_departs(&mut self, key: u64, end: End, after: Duration) {
        let Some(session) = self.hub.sessions.get_mut(&key).filter(|it| it.is_here()) else {
            return;
        };
        let routes: Vec<_> = session.mux.drain().collect();
        for (channel, route) in routes {
            let reason = brains::to_channels_of_a_session(end);
            session.control(close::close(channel, route.epoch, reason));
        }
        session
            .outgoing
            .push_back(Parcel::Wire(Wire::Goodbye(after)));
        session.outgoing.push_back(Parcel::Wire(Wire::Fin));
        self.session_over(key);
        self.flush_session(key);
    }

    /// Its socket is gone.
    fn session_stops(&mut self, key: u64) {
        if let Some(session) = self.hub.sessions.get_mut(&key) {
            session.outgoing.clear();
        }
        self.session_over(key);
    }

    fn session_over(&mut self, key: u64) {
        let Some(session) = self.hub.sessions.get_mut(&key).filter(|it| it.is_here()) else {
            return;
        };
        session.stage = Stage::Over;
        session.held.clear();
        session.opening.clear();
        session.renewing.clear();
        let number = session.number;
        let gone = ToRegistry::SessionGone { number };
        self.tell(Part::Session(key), Part::Registry, Tell::Registry(gone));
        self.hub.sessions.retain(|_, session| !session.is_drained());
    }

    /// Gives its socket as much as that takes.
    pub(crate) fn flush_session(&mut self, key: u64) {
        while let Some(session) = self.hub.sessions.get_mut(&key) {
            let socket = session.socket;
            if !self.sockets.get(&socket).is_some_and(|it| it.takes_down()) {
                // Nobody will ever take it.
                if !self.sockets.contains_key(&socket) && session.stage == Stage::Over {
                    self.hub.sessions.remove(&key);
                }
                return;
            }
            let Some(parcel) = session.outgoing.pop_front() else {
                if session.stage == Stage::Over {
                    self.hub.sessions.remove(&key);
                }
                return;
            };
            let (user, credential) = (session.user.clone(), session.credential.clone());
            let wire = match parcel {
                Parcel::Wire(wire) => wire,
                Parcel::Frame(passing) => match passing.pass() {
                    Some(frame) => {
                        self.check_passed_down(&frame, &user, &credential);
                        Wire::Outer(Outer::Frame(frame))
                    }
                    None => continue,
                },
            };
            self.put_down(socket, wire);
        }
    }
}

fn said_after(close: wire::Close, serial: u32) -> wire::Close {
    wire::Close {
        epoch: close.epoch.max(serial),
        ..close
    }
}
