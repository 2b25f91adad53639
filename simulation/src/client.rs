//! A client's process: it dials, opens, renews what is detached. As `channel-actors/src/client`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use channel_actors::{
    CloseReason, close,
    endpoint::{DeviceKey, Endpoint, Event, Initiator, OpenParts},
};
use hub_actors::brains::{Liveness, Silence};
use rand::Rng as _;
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, CredentialId, UserId},
    wire::{self, control::Body},
};

use crate::{
    pace::Due,
    tells::{Lane, Part, Wire},
    world::World,
};

pub(crate) struct Client {
    pub(crate) user: UserId,
    pub(crate) credential: CredentialId,
    pub(crate) device: Arc<DeviceKey>,
    pub(crate) socket: Option<u64>,
    /// The Hub has taken it.
    pub(crate) connected: bool,
    pub(crate) slots: BTreeMap<ChannelId, Slot>,
    /// Of channels that are over.
    pub(crate) control: Vec<Body>,
    /// Frames that it makes up.
    pub(crate) forged: Vec<Frame>,
    /// When it reads its socket again.
    pub(crate) reads_again: u64,
    pub(crate) wants_socket: bool,
    liveness: Option<Liveness>,
    back_off: BackOff,
}

pub(crate) struct Slot {
    pub(crate) state: State,
    renew_at: Option<Instant>,
    back_off: BackOff,
}

pub(crate) enum State {
    Opening(Box<Initiator>),
    Live(Box<Endpoint>),
    Over,
}

/// Waits that double, as the client's do.
#[derive(Default)]
pub(crate) struct BackOff {
    failures: u32,
    told: Option<u64>,
}

impl BackOff {
    fn wait(&mut self, luck: u64) -> u64 {
        if let Some(told) = self.told.take() {
            return told + luck % (told / 4 + 1);
        }
        let span = (500_u64 << self.failures.min(6)).min(30_000);
        let is_first = self.failures == 0;
        self.failures += 1;
        if is_first {
            luck % span
        } else {
            span / 2 + luck % (span / 2)
        }
    }

    fn told(&mut self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis())
            .unwrap_or(60_000)
            .min(60_000);
        self.told = (delay > 0).then_some(delay);
    }
}

impl Slot {
    pub(crate) fn endpoint(&mut self) -> Option<&mut Endpoint> {
        match &mut self.state {
            State::Live(endpoint) => Some(endpoint),
            State::Opening(_) | State::Over => None,
        }
    }
}

impl Client {
    pub(crate) fn new(user: UserId, credential: CredentialId, device: Arc<DeviceKey>) -> Self {
        Self {
            user,
            credential,
            device,
            socket: None,
            connected: false,
            slots: BTreeMap::new(),
            control: Vec::new(),
            forged: Vec::new(),
            reads_again: 0,
            wants_socket: true,
            liveness: None,
            back_off: BackOff::default(),
        }
    }

    pub(crate) fn endpoint(&mut self, channel: &ChannelId) -> Option<&mut Endpoint> {
        self.slots.get_mut(channel)?.endpoint()
    }
}

impl World {
    pub(crate) fn client_dials(&mut self, client: usize) {
        let it = &self.clients[client];
        if it.socket.is_some() || !it.wants_socket {
            return;
        }
        let socket = self.dial(Part::Client(client));
        let now = self.now();
        let it = &mut self.clients[client];
        it.socket = Some(socket);
        it.connected = false;
        // A try that takes too long counts as failed.
        it.liveness = Some(Liveness::new(
            Duration::from_secs(15),
            Duration::from_secs(30),
            now,
        ));
    }

    /// The socket is gone, or given up.
    pub(crate) fn client_lost(&mut self, client: usize) {
        let now = self.now();
        let it = &mut self.clients[client];
        let Some(socket) = it.socket.take() else {
            return;
        };
        it.connected = false;
        it.control.clear();
        it.forged.clear();
        for slot in it.slots.values_mut() {
            slot.renew_at = None;
            match &mut slot.state {
                State::Opening(_) => slot.state = State::Over,
                State::Live(endpoint) => endpoint.detach(now),
                State::Over => {}
            }
        }
        self.owner_side_gone(socket);
        self.client_hears(client);
        let luck = self.rng.next_u64();
        let wait = self.clients[client].back_off.wait(luck).max(1);
        self.after(wait, Due::Dial(Part::Client(client)));
    }

    pub(crate) fn client_ticks(&mut self, client: usize) {
        let now = self.now();
        self.after(1_000, Due::Tick(Part::Client(client)));
        let it = &mut self.clients[client];
        if it.reads_again <= self.now_ms {
            match it
                .liveness
                .as_mut()
                .filter(|_| it.socket.is_some())
                .map(|it| it.judge(now))
            {
                Some(Silence::Ask) => self.client_puts(client, Wire::Ask),
                Some(Silence::Dead) => self.client_lost(client),
                Some(Silence::Fine) | None => {}
            }
        }
        let it = &mut self.clients[client];
        let mut due = Vec::new();
        for (channel, slot) in &mut it.slots {
            match &mut slot.state {
                State::Opening(initiator) if initiator.deadline() <= now => {
                    slot.state = State::Over;
                    it.control
                        .push(close::close(*channel, 0, CloseReason::ClosedByClient));
                }
                State::Live(endpoint) if endpoint.deadline().is_some_and(|due| due <= now) => {
                    endpoint.expire(now);
                }
                State::Opening(_) | State::Live(_) | State::Over => {}
            }
            if slot.renew_at.is_some_and(|at| at <= now) {
                due.push(*channel);
            }
        }
        for channel in due {
            self.client_renews(client, channel);
        }
        self.client_hears(client);
        self.flush_client(client);
    }

    pub(crate) fn client_puts(&mut self, client: usize, wire: Wire) {
        if let Some(socket) = self.clients[client]
            .socket
            .filter(|_| self.clients[client].connected)
        {
            self.put_up(socket, Lane::Frames, wire);
        }
    }

    pub(crate) fn client_reads(&mut self, client: usize, socket: u64, wire: Wire) {
        let now = self.now();
        let it = &mut self.clients[client];
        if it.socket != Some(socket) {
            return;
        }
        if let Some(liveness) = &mut it.liveness {
            liveness.heard(now);
        }
        match wire {
            Wire::Fin => return self.client_lost(client),
            Wire::Goodbye(after) => {
                it.back_off.told(after);
                return self.client_lost(client);
            }
            Wire::Ask => self.client_puts(client, Wire::Answer),
            Wire::Answer if !it.connected => self.client_connected(client),
            Wire::Answer => {}
            Wire::Outer(Outer::Frame(frame)) => self.client_frame(client, frame),
            Wire::Outer(Outer::Control(body)) => self.client_control(client, &body),
        }
        self.client_hears(client);
        self.flush_client(client);
    }

    fn client_connected(&mut self, client: usize) {
        let it = &mut self.clients[client];
        it.connected = true;
        it.back_off.failures = 0;
        let channels: Vec<_> = it.slots.keys().copied().collect();
        for channel in channels {
            let detached = self.clients[client]
                .endpoint(&channel)
                .is_some_and(|it| it.is_detached());
            if detached {
                self.client_renews(client, channel);
            }
        }
    }

    fn client_frame(&mut self, client: usize, frame: Frame) {
        self.check_reached_client(client, &frame);
        let now = self.now();
        let channel = frame.channel();
        let epoch = self.clients[client].endpoint(&channel).map(|it| it.epoch());
        if let Some(epoch) = epoch {
            let frame = self.in_epoch(frame, epoch);
            if let Some(endpoint) = self.clients[client].endpoint(&channel) {
                endpoint.receive(frame, now);
            }
        }
    }

    fn client_control(&mut self, client: usize, body: &Body) {
        let now = self.now();
        let id = match body {
            Body::Opened(opened) => &opened.channel_id,
            Body::Refused(refused) => &refused.channel_id,
            Body::Renewed(renewed) => &renewed.channel_id,
            Body::Close(close) => &close.channel_id,
            _ => return self.find("a client was told what is not for clients"),
        };
        let channel = ChannelId::try_from(&id[..]).expect("16 bytes");
        let Some(slot) = self.clients[client].slots.get_mut(&channel) else {
            return;
        };
        match (std::mem::replace(&mut slot.state, State::Over), body) {
            (State::Opening(initiator), Body::Opened(opened)) => {
                match initiator.opened(opened, &mut self.rng, now) {
                    Ok(endpoint) => slot.state = State::Live(Box::new(endpoint)),
                    Err(_) => self.find("a handshake did not hold"),
                }
            }
            (State::Opening(_), Body::Refused(refused)) => self.refused(client, channel, refused),
            (State::Opening(_), Body::Close(_)) => {}
            (State::Live(mut endpoint), body) => {
                let renewed = matches!(body, Body::Renewed(_));
                let before = endpoint.epoch();
                endpoint.receive_control(body, &mut self.rng, now);
                if renewed && endpoint.epoch() > before {
                    self.happened.renewed += 1;
                }
                slot.state = State::Live(endpoint);
            }
            (other, _) => slot.state = other,
        }
    }

    fn refused(&mut self, client: usize, channel: ChannelId, refused: &wire::Refused) {
        let known = channel_actors::RefusalReason::from_wire(refused.reason);
        *self
            .refusals
            .entry(known.map_or("unknown", |it| it.label()))
            .or_default() += 1;
        self.check_refused(client, channel, known);
    }

    pub(crate) fn client_opens(&mut self, client: usize, worker: usize, channel: ChannelId) {
        let (now, it) = (self.now(), &self.clients[client]);
        let parts = OpenParts {
            mode: self.setting.mode,
            worker_key: self.workers[worker].identity.public(),
            channel,
            worker: self.workers[worker].id.clone(),
            user: it.user.clone(),
            device: it.device.clone(),
            certificates: Vec::new(),
            workspaces: Vec::new(),
            limits: self.limits.clone(),
        };
        let Ok((initiator, open)) = Initiator::open(parts, &mut self.rng, now) else {
            return self.find("an open could not be made");
        };
        let state = State::Opening(Box::new(initiator));
        let slot = Slot {
            state,
            renew_at: None,
            back_off: BackOff::default(),
        };
        self.clients[client].slots.insert(channel, slot);
        self.clients[client].control.push(open);
    }

    pub(crate) fn client_renews(&mut self, client: usize, channel: ChannelId) {
        let now = self.now();
        let it = &mut self.clients[client];
        let Some(slot) = it.slots.get_mut(&channel) else {
            return;
        };
        slot.renew_at = None;
        if !it.connected {
            return;
        }
        if let State::Live(endpoint) = &mut slot.state
            && endpoint.renew(&mut self.rng, now).is_ok()
        {
            self.happened.renews += 1;
            slot.renew_at = Some(now + RENEW_AGAIN);
        }
    }

    /// Hands out what has happened.
    pub(crate) fn client_hears(&mut self, client: usize) {
        let channels: Vec<_> = self.clients[client].slots.keys().copied().collect();
        for channel in channels {
            while let Some(event) = self.clients[client]
                .endpoint(&channel)
                .and_then(Endpoint::poll_event)
            {
                self.client_event(client, channel, event);
            }
        }
    }

    fn client_event(&mut self, client: usize, channel: ChannelId, event: Event) {
        match event {
            Event::RenewalDue => self.client_renews(client, channel),
            Event::Detached => self.renew_later(client, channel),
            Event::RenewalRefused {
                reason,
                retry_after,
            } => {
                *self.refusals.entry(reason.label()).or_default() += 1;
                if let Some(slot) = self.clients[client].slots.get_mut(&channel) {
                    slot.back_off.told(retry_after);
                }
                self.renew_later(client, channel);
            }
            Event::Attached => {
                self.happened.attached += 1;
                if let Some(slot) = self.clients[client].slots.get_mut(&channel) {
                    slot.renew_at = None;
                    slot.back_off.failures = 0;
                }
            }
            event => self.client_application(client, channel, event),
        }
    }

    fn renew_later(&mut self, client: usize, channel: ChannelId) {
        let (now, luck) = (self.now(), self.rng.next_u64());
        let it = &mut self.clients[client];
        let connected = it.connected;
        if let Some(slot) = it.slots.get_mut(&channel).filter(|_| connected) {
            slot.renew_at = Some(now + Duration::from_millis(slot.back_off.wait(luck)));
        }
    }

    /// Seals and sends as long as the socket takes anything; channels take turns.
    pub(crate) fn flush_client(&mut self, client: usize) {
        let now = self.now();
        if let Some(socket) = self.clients[client]
            .socket
            .filter(|_| self.clients[client].connected)
        {
            let takes = |world: &Self| world.sockets.get(&socket).is_some_and(|it| it.takes_up());
            for body in std::mem::take(&mut self.clients[client].control) {
                self.say_outer(socket, Lane::Frames, Outer::Control(body));
            }
            for frame in std::mem::take(&mut self.clients[client].forged) {
                self.say_outer(socket, Lane::Frames, Outer::Frame(frame));
            }
            let mut busy: Vec<_> = self.clients[client].slots.keys().copied().collect();
            while !busy.is_empty() && takes(self) {
                let mut still = Vec::new();
                for channel in busy {
                    if !takes(self) {
                        break;
                    }
                    let outer = self.clients[client]
                        .endpoint(&channel)
                        .and_then(|endpoint| endpoint.poll_outgoing(now));
                    if let Some(outer) = outer {
                        if let Outer::Frame(frame) = &outer {
                            self.note_sealed(client, frame);
                        }
                        self.say_outer(socket, Lane::Frames, outer);
                        still.push(channel);
                    }
                }
                busy = still;
            }
        }
        self.client_hears(client);
        self.bury_slots(client, now);
    }

    fn bury_slots(&mut self, client: usize, now: Instant) {
        let it = &mut self.clients[client];
        let connected = it.connected;
        it.slots.retain(|_, slot| match &mut slot.state {
            State::Opening(_) => true,
            State::Over => false,
            State::Live(endpoint) if endpoint.closed().is_none() => true,
            // Its last word goes out first, where there is a way.
            State::Live(endpoint) => {
                connected
                    && endpoint.poll_outgoing(now).is_some_and(|outer| {
                        it.control.extend(match outer {
                            Outer::Control(body) => Some(body),
                            Outer::Frame(_) => None,
                        });
                        false
                    })
            }
        });
    }

    pub(crate) fn sign_in(&mut self, client: usize) {
        let wall = self.wall();
        let credential = self.database.sign_in(wall);
        self.clients[client].credential = credential;
    }
}

/// If nothing is heard of a renewal, it is asked for again.
const RENEW_AGAIN: Duration = Duration::from_secs(50);
