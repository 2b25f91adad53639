//! One end, and its peer's view of it: how it came about, and what is held against the rules of all
//! that it says and tells.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use channel_actors::{
    Limits,
    chunks::Joiner,
    endpoint::{
        AcceptParts, Endpoint, Event, Initiator, Mode, OpenParts, Responder, claim::Statement,
    },
    tally::{Place, Tally},
};
use crypto::{Established, Prologue};
use prost::Message as _;
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, UserId, WorkerId},
    wire::{self, control, inner::Body},
};

use crate::{
    channel::clock,
    crypto::{device, identity},
    dice::Dice,
};

pub(super) const MODE: Mode = Mode::Classic;
pub(super) const CHANNEL: [u8; 16] = [7; 16];

/// One end, and its peer's view of it.
pub(super) struct Scene {
    pub(super) end: Endpoint,
    pub(super) is_worker: bool,
    pub(super) keys: Established,
    pub(super) epoch: u32,
    pub(super) serial: u32,
    pub(super) correlation: u64,
    pub(super) limits: Arc<Limits>,
    pub(super) now: Instant,
    /// What the end sends has to keep to the rules.
    pub(super) tally: Tally,
    pub(super) joiner: Joiner,
    pub(super) asked: Option<wire::Renew>,
    /// Requests that the end's application was given and has not answered.
    pub(super) calls: BTreeMap<u64, usize>,
    /// Bytes of streams that it was given and has not used.
    pub(super) unread: BTreeMap<u64, usize>,
    pub(super) dice: Dice,
}

/// Small numbers, so that the fuzzer gets to where they end.
pub(super) fn limits() -> Arc<Limits> {
    Arc::new(Limits {
        requests: 6,
        request_bytes: 60_000,
        streams: 5,
        stream_credit: 40_000,
        stream_message: 12_000,
        window_frames: 48,
        window_bytes: 150_000,
        ack_frames: 4,
        ack_bytes: 20_000,
        ..Limits::default()
    })
}

fn user() -> UserId {
    UserId::parse("user").expect("it is an id")
}

fn worker() -> WorkerId {
    WorkerId::parse("worker").expect("it is an id")
}

impl Scene {
    pub(super) fn worker(limits: Arc<Limits>) -> Self {
        let prologue = Prologue::new(MODE, &CHANNEL, "worker", "user").expect("the ids are good");
        let public = identity().public();
        let (awaiting, noise) =
            crypto::initiate(MODE, &prologue, public, &mut Dice::fresh()).expect("a good key");
        let access = |(workspace, role): (&str, i32)| wire::WorkspaceAccess {
            workspace_id: workspace.to_owned(),
            role,
        };
        let incoming = wire::Incoming {
            channel_id: CHANNEL.to_vec().into(),
            user_id: "user".to_owned(),
            organisation_id: "home".to_owned(),
            workspaces: [("garden", 3), ("shed", 1)].map(access).to_vec(),
            noise: noise.into(),
            max_message_bytes: 0,
            certificates: Vec::new(),
            delegated: false,
        };
        let (responder, job) = Responder::accept(AcceptParts {
            identity: identity(),
            mode: MODE,
            worker: worker(),
            incoming: &incoming,
            limits: limits.clone(),
        })
        .expect("a good message 1");
        let signed = job
            .run(identity(), &mut Dice::fresh())
            .expect("it can be signed");
        let (end, opened) = responder.reply(signed, clock());
        let control::Body::Opened(opened) = opened else {
            panic!("an answer");
        };
        let keys = awaiting.finish(&opened.noise).expect("a good message 2");
        Self::new(end, true, keys, limits)
    }

    pub(super) fn client(limits: Arc<Limits>) -> Self {
        let parts = OpenParts {
            mode: MODE,
            worker_key: identity().public(),
            channel: ChannelId::from_bytes(CHANNEL),
            worker: worker(),
            user: user(),
            device: device().clone(),
            certificates: Vec::new(),
            workspaces: Vec::new(),
            limits: limits.clone(),
        };
        let opening = Initiator::open(parts, &mut Dice::fresh(), clock());
        let (initiator, open) = opening.expect("a good key");
        let control::Body::Open(open) = open else {
            panic!("an open");
        };
        let prologue = Prologue::new(MODE, &CHANNEL, "worker", "user").expect("the ids are good");
        let accepted = crypto::accept(identity(), MODE, &prologue, &open.noise);
        let answer = accepted.and_then(|accepted| accepted.reply(identity(), &mut Dice::fresh()));
        let (keys, noise) = answer.expect("it is genuine");
        let opened = wire::Opened {
            channel_id: CHANNEL.to_vec().into(),
            noise: noise.into(),
            max_message_bytes: 0,
        };
        let end = initiator.opened(&opened, &mut Dice::fresh(), clock());
        Self::new(end.expect("a good message 2"), false, keys, limits)
    }

    fn new(end: Endpoint, is_worker: bool, keys: Established, limits: Arc<Limits>) -> Self {
        let mut scene = Self {
            end,
            is_worker,
            keys,
            epoch: 0,
            serial: 0,
            correlation: 0,
            tally: Tally::new(&limits, limits.message_bytes),
            limits,
            now: clock(),
            joiner: Joiner::default(),
            asked: None,
            calls: BTreeMap::new(),
            unread: BTreeMap::new(),
            dice: Dice::fresh(),
        };
        scene.settle();
        scene
    }

    pub(super) fn claim(&self) -> wire::Claim {
        let statement = Statement {
            mode: MODE,
            hash: self.keys.root.hash(),
            worker: &worker(),
            user: &user(),
            workspaces: &[],
            certificates: Vec::new(),
        };
        statement
            .sign(device(), &mut Dice::new(26))
            .expect("the ids are short")
    }

    /// Takes what the end says and tells, and holds it against the rules.
    pub(super) fn settle(&mut self) {
        for _ in 0..4 {
            while let Some(event) = self.end.poll_event() {
                self.told(event);
            }
            while let Some(outer) = self.end.poll_outgoing(self.now) {
                match outer {
                    Outer::Frame(frame) => self.hear(&frame),
                    Outer::Control(control::Body::Renew(renew)) => self.asked = Some(renew),
                    Outer::Control(_) => {}
                }
            }
        }
        assert!(
            self.calls.len() <= self.limits.requests,
            "as many calls as may be"
        );
        let held: usize = self.calls.values().sum();
        assert!(
            held <= self.limits.request_bytes,
            "as many bytes of calls as may be"
        );
        let credit = usize::try_from(self.limits.stream_credit).unwrap_or(usize::MAX);
        assert!(
            self.unread.values().all(|bytes| *bytes <= credit),
            "no more than the credit"
        );
        assert!(self.end.deadline().is_some() || self.end.closed().is_some());
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::Claimed { epoch, .. } => self.end.accept_claim(epoch, None, self.now),
            Event::Request { id, payload, .. } => {
                assert!(self.is_worker);
                let known = self.calls.insert(id, payload.len());
                assert!(known.is_none(), "an id is used once");
            }
            Event::Cancelled { id } => {
                self.calls.remove(&id);
                self.end.finished(id);
            }
            Event::StreamData { id, data } => {
                *self.unread.entry(id).or_default() += data.len();
                assert!(data.len() <= self.limits.stream_message);
            }
            Event::StreamEnd { id, .. } => {
                self.unread.remove(&id);
            }
            Event::Response { .. } => assert!(!self.is_worker),
            Event::StreamRoom { room, .. } => assert!(room > 0),
            Event::Closed { .. } => {
                assert!(self.end.closed().is_some());
                self.calls.clear();
            }
            Event::Established { .. }
            | Event::Pong { .. }
            | Event::RenewalDue
            | Event::Detached
            | Event::Attached
            | Event::RenewalRefused { .. } => {}
        }
    }

    /// A frame of the end: in order, under the newest epoch, within the rules, and of its side.
    fn hear(&mut self, frame: &Frame) {
        assert_eq!(frame.epoch(), self.epoch, "the newest epoch");
        let place = self
            .tally
            .admit(frame, self.now)
            .expect("an end keeps to the rules");
        let opened = self
            .keys
            .opener
            .open(&frame.associated_data(), frame.ciphertext());
        let plaintext = Bytes::from(opened.expect("in order, and sealed by the book").to_vec());
        let Some(message) = self.joiner.join(place, plaintext) else {
            return;
        };
        let inner = wire::Inner::decode(message).expect("an end sends messages");
        let body = inner.body.expect("a message has a body");
        let of_a_client = matches!(body, Body::Claim(_) | Body::Request(_) | Body::Cancel(_));
        let of_a_worker = matches!(
            body,
            Body::ClaimAccepted(_) | Body::Failure(_) | Body::Response(_)
        );
        assert!(
            !(if self.is_worker {
                of_a_client
            } else {
                of_a_worker
            }),
            "of its own side"
        );
        assert!(place == Place::Whole || !matches!(body, Body::Ping(_) | Body::Ack(_)));
    }
}
