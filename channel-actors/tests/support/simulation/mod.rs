//! Both ends of one channel over paths that are cut at random, lose what was last on them and
//! deliver the rest late. Everything comes from one seed, so that a seed replays.

mod delivery;
mod script;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use channel_actors::{
    Limits,
    endpoint::{AcceptParts, Call, Endpoint, Initiator, Responder},
};
use rand::{SeedableRng as _, rngs::StdRng};
use schema::{
    frame::Outer,
    wire::{self, control::Body},
};

use super::{
    channel, identity, incoming,
    wire::{open_parts, start},
    worker,
};

/// What was on a path and may still arrive, in order, each way.
#[derive(Default)]
struct Path {
    is_alive: bool,
    up: VecDeque<Outer>,
    down: VecDeque<Outer>,
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

/// What the wire does with the epoch of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Kept,
    /// A receiver without it can only try the keys that it has.
    TakenOut,
}

/// How much of what is to be proved has happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Happened {
    pub(crate) cuts: u64,
    pub(crate) moves: u64,
    pub(crate) late: u64,
    pub(crate) lost: u64,
    pub(crate) replays: u64,
    pub(crate) rekeys: u64,
    pub(crate) reattached: u64,
    pub(crate) full_windows: u64,
    pub(crate) messages: u64,
}

/// Numbers of one direction of one stream.
#[derive(Default)]
struct Count {
    sent: u32,
    arrived: Vec<u32>,
}

pub(crate) struct Simulation {
    pub(crate) happened: Happened,
    pub(crate) client: Endpoint,
    pub(crate) worker: Endpoint,
    /// Why the channel ended, which it never should.
    pub(crate) broken: Option<String>,
    pub(crate) rng: StdRng,
    header: Header,
    now: std::time::Instant,
    paths: Vec<Path>,
    client_path: usize,
    worker_path: usize,
    /// Epochs whose claims are being looked at.
    claims: Vec<u32>,
    renews: Vec<wire::Renew>,
    streams: Vec<u64>,
    up: Vec<Count>,
    down: Vec<Count>,
    asked: u64,
    answered: Vec<u64>,
}

impl Simulation {
    pub(crate) fn new(seed: u64, header: Header) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let limits = Arc::new(patient());
        let now = start();
        let id = channel(9);
        let parts = open_parts(super::CLASSIC, id, "alice", Vec::new(), limits.clone());
        let (initiator, open) = Initiator::open(parts, &mut rng, now).expect("a good open");
        let Body::Open(open) = open else {
            panic!("an open")
        };
        let (responder, job) = Responder::accept(AcceptParts {
            identity: identity(),
            mode: super::CLASSIC,
            worker: worker(),
            incoming: &incoming(id, open.noise.to_vec()),
            limits,
        })
        .expect("a good message 1");
        let signed = job.run(identity(), &mut rng).expect("it can be signed");
        let (worker, opened) = responder.reply(signed, now);
        let Body::Opened(opened) = opened else {
            panic!("an answer")
        };
        let client = initiator.opened(&opened, &mut rng, now);
        let mut it = Self {
            happened: Happened::default(),
            client: client.expect("a good message 2"),
            worker,
            broken: None,
            rng,
            header,
            now,
            paths: vec![Path::alive()],
            client_path: 0,
            worker_path: 0,
            claims: Vec::new(),
            renews: Vec::new(),
            streams: Vec::new(),
            up: Vec::new(),
            down: Vec::new(),
            asked: 0,
            answered: Vec::new(),
        };
        it.open_streams();
        it
    }

    /// Runs the script, then lets a path stand until all has arrived or nothing moves any more.
    pub(crate) fn run(mut self, steps: usize) -> Self {
        self.steps(steps);
        for _ in 0..60 {
            if self.broken.is_some() || self.is_complete() {
                break;
            }
            self.settle();
        }
        self.happened.messages = self
            .up
            .iter()
            .chain(&self.down)
            .map(|it| u64::from(it.sent))
            .sum();
        self
    }

    pub(crate) fn steps(&mut self, steps: usize) {
        for _ in 0..steps {
            if self.broken.is_none() {
                self.step();
            }
        }
    }

    /// Everything that was sent arrived, once and in order.
    pub(crate) fn is_complete(&self) -> bool {
        let whole = |count: &Count| count.arrived.iter().copied().eq(0..count.sent);
        let mut answered = self.answered.clone();
        answered.sort_unstable();
        let ids = (0..self.asked).map(|number| number + 1 + STREAMS as u64);
        self.up.iter().chain(&self.down).all(whole) && answered.into_iter().eq(ids)
    }

    /// Whether nothing came twice or out of order, whatever is still missing.
    pub(crate) fn is_in_order(&self) -> bool {
        let prefix = |count: &Count| {
            let length = u32::try_from(count.arrived.len()).expect("few messages");
            length <= count.sent && count.arrived.iter().copied().eq(0..length)
        };
        self.up.iter().chain(&self.down).all(prefix)
    }

    /// Both ends hear that there is no path.
    pub(crate) fn cut_both(&mut self) {
        if let Some(path) = self.paths.get_mut(self.client_path) {
            *path = Path::default();
        }
        self.client.detach(self.now);
        self.worker.detach(self.now);
        self.pump();
    }

    fn open_streams(&mut self) {
        for _ in 0..STREAMS {
            let opened = self.client.request(Call {
                method: "stream",
                payload: Bytes::new(),
                opens_stream: true,
                workspace: None,
            });
            self.streams.push(opened.expect("a stream is free"));
            self.up.push(Count::default());
            self.down.push(Count::default());
        }
        while self.answered.len() < STREAMS {
            self.pump();
            self.judge();
            self.deliver(0, Way::Up);
            self.deliver(0, Way::Down);
        }
        self.answered.clear();
    }
}

impl Path {
    fn alive() -> Self {
        Self {
            is_alive: true,
            ..Self::default()
        }
    }
}

/// Small windows, so that they are full at times; and nothing but the script ends a channel.
fn patient() -> Limits {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
    Limits {
        window_frames: 48,
        window_bytes: 200_000,
        ack_frames: 16,
        ack_bytes: 50_000,
        stream_credit: 100_000,
        detached_max: YEAR,
        key_age: YEAR,
        key_renewal_age: YEAR,
        chunk_timeout: YEAR,
        ..Limits::default()
    }
}

const STREAMS: usize = 3;
