//! The scripted wire: a Hub that relays by the book, and a hook that plays the one in the middle.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use channel_actors::{
    CloseReason, Limits,
    endpoint::{
        AcceptParts, Call, Endpoint, Event, Initiator, OpenParts, Responder, SendError,
        access::Roles,
    },
    refusal::refused_renewal,
    relay::{Relay, Side, Verdict},
};
use crypto::Mode;
use rand::rngs::StdRng;
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, WorkspaceId},
    wire::{self, control::Body},
};

use super::{channel, device, identity, incoming, rng, user, worker};

/// What the one in the middle makes of a frame, and of the sender it came from.
pub(crate) type Hook = Box<dyn FnMut(Side, Frame) -> Vec<Frame>>;

pub(crate) struct Wire {
    pub(crate) now: Instant,
    pub(crate) relay: Relay,
    pub(crate) client: Endpoint,
    pub(crate) worker: Endpoint,
    pub(crate) client_events: Vec<Event>,
    pub(crate) worker_events: Vec<Event>,
    pub(crate) hook: Hook,
    /// Frames that passed, by sender.
    pub(crate) passed: Vec<(Side, usize)>,
    pub(crate) judge: Judge,
    pub(crate) rng: StdRng,
}

/// What the Worker says to a claim.
pub(crate) enum Judge {
    Accept(Option<Roles>),
    Reject(&'static str),
    Later,
}

pub(crate) struct Setup {
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    pub(crate) claims: &'static str,
    pub(crate) announces: &'static str,
    pub(crate) workspaces: Vec<WorkspaceId>,
    pub(crate) judge: Judge,
    pub(crate) channel: u8,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: Mode::Classic,
            limits: Limits::default(),
            claims: "alice",
            announces: "alice",
            workspaces: Vec::new(),
            judge: Judge::Accept(None),
            channel: 9,
        }
    }
}

impl Wire {
    /// A channel with keys on both sides; the claim has not been sent yet.
    pub(crate) fn opened(setup: Setup) -> Self {
        let limits = Arc::new(setup.limits);
        let now = start();
        let id = channel(setup.channel);
        // Ephemeral keys differ from channel to channel, as they do in life.
        let seed = u64::from(setup.channel) * 100;
        let (initiator, open) = Initiator::open(
            open_parts(
                setup.mode,
                id,
                setup.claims,
                setup.workspaces,
                limits.clone(),
            ),
            &mut rng(seed),
            now,
        )
        .expect("a good open");
        let Body::Open(open) = open else {
            panic!("an open")
        };
        let mut announced = incoming(id, open.noise.to_vec());
        announced.user_id = setup.announces.to_owned();
        announced.max_message_bytes = open.max_message_bytes;
        let mut relay = Relay::opening(&limits, open.max_message_bytes, now);
        let (responder, job) = Responder::accept(AcceptParts {
            identity: identity(),
            mode: setup.mode,
            worker: worker(),
            incoming: &announced,
            limits: limits.clone(),
        })
        .expect("a good message 1");
        let signed = job
            .run(identity(), &mut rng(seed + 1))
            .expect("it can be signed");
        let (worker, reply) = responder.reply(signed, now);
        let Body::Opened(reply) = reply else {
            panic!("an answer")
        };
        assert_eq!(relay.opened(reply.max_message_bytes), Ok(()));
        let client = initiator
            .opened(&reply, &mut rng(seed + 2), now)
            .expect("a good message 2");
        Self {
            now,
            relay,
            client,
            worker,
            client_events: Vec::new(),
            worker_events: Vec::new(),
            hook: Box::new(|_, frame| vec![frame]),
            passed: Vec::new(),
            judge: setup.judge,
            rng: rng(seed + 3),
        }
    }

    /// A channel whose claim was accepted.
    pub(crate) fn established(setup: Setup) -> Self {
        let mut wire = Self::opened(setup);
        wire.run();
        assert!(matches!(
            wire.client_events.first(),
            Some(Event::Established { .. })
        ));
        wire.client_events.clear();
        wire.worker_events.clear();
        wire.passed.clear();
        wire
    }

    /// A channel in classic mode with the protocol's numbers.
    pub(crate) fn classic() -> Self {
        Self::established(Setup::default())
    }

    /// Lets both ends speak until neither has anything to say.
    pub(crate) fn run(&mut self) {
        while self.turn() {}
    }

    /// One message of each end; false when there was none.
    pub(crate) fn turn(&mut self) -> bool {
        let to_worker = self.client.poll_outgoing(self.now);
        let to_client = self.worker.poll_outgoing(self.now);
        let any = to_worker.is_some() || to_client.is_some();
        to_worker
            .into_iter()
            .for_each(|outer| self.carry(Side::Client, outer));
        to_client
            .into_iter()
            .for_each(|outer| self.carry(Side::Worker, outer));
        self.collect();
        any
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        self.client.expire(self.now);
        self.worker.expire(self.now);
        self.collect();
    }

    /// Gives a frame to an end as if the other had sent it.
    pub(crate) fn inject(&mut self, to: Side, frame: Frame) {
        match to {
            Side::Client => self.client.receive(frame, self.now),
            Side::Worker => self.worker.receive(frame, self.now),
        }
        self.collect();
    }

    pub(crate) fn call(&mut self, method: &str, payload: Bytes) -> Result<u64, SendError> {
        self.request(method, payload, false)
    }

    pub(crate) fn open_stream(&mut self, method: &str) -> u64 {
        self.request(method, Bytes::new(), true)
            .expect("a stream is free")
    }

    fn request(&mut self, method: &str, payload: Bytes, stream: bool) -> Result<u64, SendError> {
        let workspace = None;
        self.client.request(Call {
            method,
            payload,
            opens_stream: stream,
            workspace,
        })
    }

    /// Why both ends are closed.
    pub(crate) fn closed(&self) -> (Option<CloseReason>, Option<CloseReason>) {
        (self.client.closed(), self.worker.closed())
    }

    /// What the next frames of an end are, without delivering them.
    pub(crate) fn take_frames(&mut self, from: Side) -> Vec<Frame> {
        let end = match from {
            Side::Client => &mut self.client,
            Side::Worker => &mut self.worker,
        };
        let outgoing = std::iter::from_fn(|| end.poll_outgoing(self.now));
        let frame = |outer| match outer {
            Outer::Frame(frame) => Some(frame),
            Outer::Control(_) => None,
        };
        outgoing.filter_map(frame).collect()
    }

    fn carry(&mut self, from: Side, outer: Outer) {
        match outer {
            Outer::Frame(frame) => self.carry_frame(from, frame),
            Outer::Control(body) => self.carry_control(from, &body),
        }
    }

    fn carry_control(&mut self, from: Side, body: &Body) {
        match (from, body) {
            (Side::Client, Body::Renew(renew)) => {
                self.relay.renewal_asked();
                let answer = self.answer(renew);
                self.carry_control(Side::Worker, &answer);
            }
            (Side::Client, body) => self.worker.receive_control(body, &mut self.rng, self.now),
            (Side::Worker, body) => {
                if let Body::Renewed(renewed) = body {
                    let passed = self.relay.renewed(renewed.serial, renewed.noise.len());
                    assert_eq!(passed, Ok(()));
                }
                self.client.receive_control(body, &mut self.rng, self.now);
            }
        }
        if let Body::Close(close) = body
            && self.relay.heeds_close(close.epoch)
        {
            self.relay.close();
        }
    }

    /// What a Worker says to a Renew.
    pub(crate) fn answer(&mut self, renew: &wire::Renew) -> Body {
        let answered = self
            .worker
            .answer_renewal(identity(), renew, &mut self.rng, self.now);
        answered.unwrap_or_else(|reason| {
            refused_renewal(self.worker.channel(), reason.into(), renew.serial)
        })
    }

    /// Both ends hear that the path is lost, and have a new one.
    pub(crate) fn cut_and_renew(&mut self) {
        self.client.detach(self.now);
        self.worker.detach(self.now);
        self.collect();
        self.renew();
    }

    pub(crate) fn renew(&mut self) {
        assert_eq!(self.client.renew(&mut self.rng, self.now), Ok(()));
        self.run();
    }

    fn carry_frame(&mut self, from: Side, frame: Frame) {
        match self.relay.admit(from, &frame, self.now) {
            Verdict::Pass => {}
            Verdict::Drop(_) => return,
            Verdict::Close(reason) => panic!("a conforming end broke a rule: {}", reason.label()),
        }
        self.passed.push((from, frame.ciphertext().len()));
        for frame in (self.hook)(from, frame) {
            self.inject(from.other(), frame);
        }
    }

    pub(crate) fn collect(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.client_events.push(event);
        }
        while let Some(event) = self.worker.poll_event() {
            if let Event::Claimed { epoch, .. } = event {
                match &self.judge {
                    Judge::Accept(cap) => self.worker.accept_claim(epoch, cap.clone(), self.now),
                    Judge::Reject(fingerprint) => self.worker.reject_device(epoch, fingerprint),
                    Judge::Later => {}
                }
            }
            self.worker_events.push(event);
        }
    }
}

pub(crate) fn open_parts(
    mode: Mode,
    id: ChannelId,
    name: &str,
    workspaces: Vec<WorkspaceId>,
    limits: Arc<Limits>,
) -> OpenParts<'static> {
    OpenParts {
        mode,
        worker_key: identity().public(),
        channel: id,
        worker: worker(),
        user: user(name),
        device: device(),
        certificates: Vec::new(),
        workspaces,
        limits,
    }
}

#[expect(clippy::disallowed_methods, reason = "some moment to count from")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) fn error(code: u32) -> wire::RpcError {
    wire::RpcError {
        code,
        message: "no".to_owned(),
    }
}
