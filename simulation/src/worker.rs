//! A Worker's process: its link, its handshakes, the paths of its channels. As `worker-actors`.

use std::{collections::BTreeMap, time::Duration};

use channel_actors::{
    RefusalReason,
    endpoint::{AcceptParts, Endpoint, Event, Responder, SignedReply, admission::Admission},
    refusal,
};
use crypto::Identity;
use hub_actors::brains::{Liveness, Silence};
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, UserId, WorkerId},
    wire::{self, control::Body},
};

use crate::{
    pace::Due,
    tells::{Lane, Part, Wire},
    world::World,
};

pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) identity: &'static Identity,
    pub(crate) socket: Option<u64>,
    pub(crate) linked: bool,
    pub(crate) channels: BTreeMap<ChannelId, Held>,
    pub(crate) admission: Admission<wire::Incoming>,
    /// The newest access that was announced, or None for one that was closed meanwhile.
    pub(crate) pending: BTreeMap<ChannelId, Option<Vec<wire::WorkspaceAccess>>>,
    pub(crate) wants_link: bool,
    signing: Option<(ChannelId, u64, wire::Incoming)>,
    generation: u64,
    control: Vec<Body>,
    liveness: Option<Liveness>,
    told: Option<u64>,
    wait: u64,
}

/// One channel of a Worker.
pub(crate) struct Held {
    pub(crate) endpoint: Endpoint,
    /// The generation of the link that it goes over.
    path: Option<u64>,
}

impl Worker {
    pub(crate) fn new(
        world: &World,
        id: WorkerId,
        owner: UserId,
        identity: &'static Identity,
    ) -> Self {
        Self {
            id,
            owner,
            identity,
            socket: None,
            linked: false,
            channels: BTreeMap::new(),
            admission: Admission::new(&world.limits, 1, Duration::from_millis(1)),
            pending: BTreeMap::new(),
            wants_link: true,
            signing: None,
            generation: 0,
            control: Vec::new(),
            liveness: None,
            told: None,
            wait: 1_000,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let idle = self.admission.waiting() == 0 && self.admission.running() == 0;
        self.channels.is_empty() && self.pending.is_empty() && idle
    }
}

impl World {
    pub(crate) fn worker_dials(&mut self, worker: usize) {
        let it = &self.workers[worker];
        if it.socket.is_some() || !it.wants_link {
            return;
        }
        let socket = self.dial(Part::Worker(worker));
        let now = self.now();
        let it = &mut self.workers[worker];
        it.generation += 1;
        it.socket = Some(socket);
        it.linked = false;
        it.liveness = Some(Liveness::new(
            Duration::from_secs(5),
            Duration::from_secs(10),
            now,
        ));
    }

    pub(crate) fn worker_lost(&mut self, worker: usize) {
        let now = self.now();
        let it = &mut self.workers[worker];
        let Some(socket) = it.socket.take() else {
            return;
        };
        let generation = it.generation;
        it.linked = false;
        it.control.clear();
        for held in it.channels.values_mut() {
            if held.path == Some(generation) {
                held.path = None;
                held.endpoint.detach(now);
            }
        }
        it.pending.values_mut().for_each(|access| *access = None);
        it.generation += 1;
        let awaited = !it.channels.is_empty();
        let wait = it.told.take().unwrap_or(it.wait);
        it.wait = (it.wait * 2).min(if awaited { 5_000 } else { 20_000 });
        self.owner_side_gone(socket);
        self.worker_hears(worker);
        let wait = wait + self.draw(0..wait / 5 + 1);
        self.after(wait, Due::Dial(Part::Worker(worker)));
    }

    /// Killed with all the keys it had.
    pub(crate) fn worker_dies(&mut self, worker: usize) {
        let (id, owner) = (
            self.workers[worker].id.clone(),
            self.workers[worker].owner.clone(),
        );
        let fresh = Worker::new(self, id, owner, self.workers[worker].identity);
        let dead = std::mem::replace(&mut self.workers[worker], fresh);
        self.workers[worker].generation = dead.generation + 1;
        if let Some(socket) = dead.socket {
            self.owner_side_gone(socket);
        }
        let wait = self.draw(500..4_000);
        self.after(wait, Due::Dial(Part::Worker(worker)));
    }

    pub(crate) fn worker_ticks(&mut self, worker: usize) {
        let now = self.now();
        self.after(1_000, Due::Tick(Part::Worker(worker)));
        let it = &mut self.workers[worker];
        match it
            .liveness
            .as_mut()
            .filter(|_| it.socket.is_some())
            .map(|it| it.judge(now))
        {
            Some(Silence::Ask) if it.linked => self.worker_puts(worker, Wire::Ask),
            Some(Silence::Dead) => self.worker_lost(worker),
            Some(Silence::Ask | Silence::Fine) | None => {}
        }
        for held in self.workers[worker].channels.values_mut() {
            if held.endpoint.deadline().is_some_and(|due| due <= now) {
                held.endpoint.expire(now);
            }
        }
        self.worker_hears(worker);
        self.flush_worker(worker);
    }

    fn worker_puts(&mut self, worker: usize, wire: Wire) {
        if let Some(socket) = self.workers[worker].socket {
            self.put_up(socket, Lane::Rest, wire);
        }
    }

    fn worker_says(&mut self, worker: usize, body: Body) {
        self.worker_puts(worker, Wire::Outer(Outer::Control(body)));
    }

    pub(crate) fn worker_reads(&mut self, worker: usize, socket: u64, wire: Wire) {
        let now = self.now();
        let it = &mut self.workers[worker];
        if it.socket != Some(socket) {
            return;
        }
        if let Some(liveness) = &mut it.liveness {
            liveness.heard(now);
        }
        match wire {
            Wire::Fin => return self.worker_lost(worker),
            Wire::Goodbye(after) => {
                let after = u64::try_from(after.as_millis()).unwrap_or_default();
                it.told = (after > 0).then_some(after);
                return self.worker_lost(worker);
            }
            Wire::Ask => self.worker_puts(worker, Wire::Answer),
            // The first one is the Welcome.
            Wire::Answer => {
                it.linked = true;
                it.wait = 1_000;
            }
            Wire::Outer(Outer::Frame(frame)) => self.worker_frame(worker, frame),
            Wire::Outer(Outer::Control(body)) => self.worker_control(worker, body),
        }
        self.worker_hears(worker);
        self.flush_worker(worker);
    }

    fn worker_frame(&mut self, worker: usize, frame: Frame) {
        self.check_reached_worker(worker, &frame);
        let now = self.now();
        let it = &self.workers[worker];
        let Some(held) = it.channels.get(&frame.channel()) else {
            return;
        };
        if held.path != Some(it.generation) {
            return;
        }
        let channel = frame.channel();
        let frame = self.in_epoch(frame, held.endpoint.epoch());
        if let Some(held) = self.workers[worker].channels.get_mut(&channel) {
            held.endpoint.receive(frame, now);
        }
    }

    fn worker_control(&mut self, worker: usize, body: Body) {
        match body {
            Body::Incoming(incoming) => self.incoming(worker, incoming),
            Body::Close(close) => self.worker_close(worker, close),
            Body::AccessChanged(changed) => self.access_changed(worker, &changed),
            Body::Renew(renew) => self.worker_renew(worker, &renew),
            _ => self.find("a Worker was told what is not for Workers"),
        }
    }

    fn incoming(&mut self, worker: usize, incoming: wire::Incoming) {
        let now = self.now();
        let channel = ChannelId::try_from(&*incoming.channel_id).expect("16 bytes");
        let user = UserId::parse(&incoming.user_id).expect("an id of this world");
        let it = &mut self.workers[worker];
        if let Err(refusal) = it.admission.admit(channel, &user, now) {
            return self.worker_says(worker, refusal::refused(channel, refusal));
        }
        it.pending
            .insert(channel, Some(incoming.workspaces.clone()));
        it.admission.enqueue(channel, user, incoming);
        self.sign_next(worker);
    }

    fn sign_next(&mut self, worker: usize) {
        let it = &mut self.workers[worker];
        if it.signing.is_some() {
            return;
        }
        if let Some((channel, incoming)) = it.admission.next_job() {
            let generation = it.generation;
            it.signing = Some((channel, generation, incoming));
            let wait = self.draw(1..40);
            self.after(wait, Due::Signed(worker, generation));
        }
    }

    pub(crate) fn signed(&mut self, worker: usize, _generation: u64) {
        let it = &mut self.workers[worker];
        // None: another process was killed meanwhile.
        let Some((channel, generation, incoming)) = it.signing.take() else {
            return;
        };
        it.admission.done(Duration::from_millis(1));
        let parts = AcceptParts {
            identity: it.identity,
            mode: self.setting.mode,
            worker: it.id.clone(),
            incoming: &incoming,
            limits: self.limits.clone(),
        };
        let answer = shake_hands(parts, it.identity, &mut self.rng);
        self.answer_open(worker, channel, generation, answer);
        self.sign_next(worker);
        self.flush_worker(worker);
    }

    fn answer_open(
        &mut self,
        worker: usize,
        channel: ChannelId,
        generation: u64,
        answer: Result<(Responder, SignedReply), RefusalReason>,
    ) {
        let now = self.now();
        let it = &mut self.workers[worker];
        let access = it.pending.remove(&channel).flatten();
        let here = access.filter(|_| generation == it.generation);
        match (answer, here) {
            (Ok((mut responder, signed)), Some(access)) => {
                responder.change_access(&access);
                let (endpoint, opened) = responder.reply(signed, now);
                let path = Some(generation);
                it.channels.insert(channel, Held { endpoint, path });
                self.worker_says(worker, opened);
            }
            (Err(reason), Some(_)) => {
                it.admission.closed(&channel, now);
                self.worker_says(worker, refusal::refused(channel, reason.into()));
            }
            (Ok(_) | Err(_), None) => it.admission.closed(&channel, now),
        }
    }

    fn worker_close(&mut self, worker: usize, close: wire::Close) {
        let now = self.now();
        let channel = ChannelId::try_from(&*close.channel_id).expect("16 bytes");
        let it = &mut self.workers[worker];
        if let Some(access) = it.pending.get_mut(&channel) {
            *access = None;
        }
        if let Some(held) = it.channels.get_mut(&channel) {
            held.endpoint
                .receive_control(&Body::Close(close), &mut self.rng, now);
        }
    }

    fn access_changed(&mut self, worker: usize, changed: &wire::AccessChanged) {
        let channel = ChannelId::try_from(&*changed.channel_id).expect("16 bytes");
        let it = &mut self.workers[worker];
        if let Some(held) = it.channels.get_mut(&channel) {
            held.endpoint.change_access(&changed.workspaces);
        } else if let Some(Some(access)) = it.pending.get_mut(&channel) {
            access.clone_from(&changed.workspaces);
        } else {
            return;
        }
        let acknowledged = wire::AccessAcknowledged {
            channel_id: changed.channel_id.clone(),
            change: changed.change,
        };
        self.worker_says(worker, Body::AccessAcknowledged(acknowledged));
    }

    fn worker_renew(&mut self, worker: usize, renew: &wire::Renew) {
        let now = self.now();
        let channel = ChannelId::try_from(&*renew.channel_id).expect("16 bytes");
        let it = &mut self.workers[worker];
        let generation = it.generation;
        let answer = match it.channels.get_mut(&channel) {
            Some(held) => {
                let answered = held
                    .endpoint
                    .answer_renewal(it.identity, renew, &mut self.rng, now);
                if answered.is_ok() {
                    held.path = Some(generation);
                }
                answered
            }
            None => Err(RefusalReason::Stale),
        };
        let body = answer.unwrap_or_else(|reason| {
            refusal::refused_renewal(channel, reason.into(), renew.serial)
        });
        self.worker_says(worker, body);
    }

    /// Somebody has looked up the device of a claim.
    pub(crate) fn judged(&mut self, worker: usize, channel: ChannelId, epoch: u32) {
        let now = self.now();
        if let Some(held) = self.workers[worker].channels.get_mut(&channel) {
            held.endpoint.accept_claim(epoch, None, now);
        }
        self.worker_hears(worker);
        self.flush_worker(worker);
    }

    pub(crate) fn worker_hears(&mut self, worker: usize) {
        let now = self.now();
        let channels: Vec<_> = self.workers[worker].channels.keys().copied().collect();
        for channel in channels {
            loop {
                let held = self.workers[worker].channels.get_mut(&channel);
                let Some(event) = held.and_then(|held| held.endpoint.poll_event()) else {
                    break;
                };
                match event {
                    Event::Claimed { epoch, .. } => {
                        let wait = self.draw(0..30);
                        self.after(wait, Due::Judged(worker, channel, epoch));
                    }
                    Event::Detached => {
                        if let Some(held) = self.workers[worker].channels.get_mut(&channel) {
                            held.path = None;
                        }
                    }
                    Event::Attached => {}
                    event => self.worker_application(worker, channel, event),
                }
            }
        }
        self.bury_held(worker, now);
    }

    fn bury_held(&mut self, worker: usize, now: std::time::Instant) {
        let it = &mut self.workers[worker];
        let generation = it.generation;
        let mut last_words = Vec::new();
        let mut gone = Vec::new();
        for (channel, held) in &mut it.channels {
            if held.endpoint.closed().is_some() {
                let here = held.path == Some(generation);
                while let Some(outer) = held.endpoint.poll_outgoing(now) {
                    last_words.extend(here.then_some(outer));
                }
                gone.push(*channel);
            }
        }
        for channel in gone {
            it.channels.remove(&channel);
            it.admission.closed(&channel, now);
        }
        if let Some(socket) = it.socket {
            for outer in last_words {
                self.say_outer(socket, Lane::Frames, outer);
            }
        }
    }

    pub(crate) fn flush_worker(&mut self, worker: usize) {
        let now = self.now();
        let it = &self.workers[worker];
        if let Some(socket) = it.socket.filter(|_| it.linked) {
            let generation = it.generation;
            let mut busy: Vec<_> = it.channels.keys().copied().collect();
            while !busy.is_empty() {
                let mut still = Vec::new();
                for channel in busy {
                    if !self.sockets.get(&socket).is_some_and(|it| it.takes_up()) {
                        still.clear();
                        break;
                    }
                    let held = self.workers[worker].channels.get_mut(&channel);
                    let held = held.filter(|held| held.path == Some(generation));
                    if let Some(outer) = held.and_then(|it| it.endpoint.poll_outgoing(now)) {
                        self.say_outer(socket, Lane::Frames, outer);
                        still.push(channel);
                    }
                }
                busy = still;
            }
        }
        self.worker_hears(worker);
    }
}

fn shake_hands(
    parts: AcceptParts<'_>,
    identity: &Identity,
    rng: &mut rand::rngs::StdRng,
) -> Result<(Responder, SignedReply), RefusalReason> {
    let (responder, job) = Responder::accept(parts)?;
    let signed = job.run(identity, rng)?;
    Ok((responder, signed))
}
