//! A Hub and a Worker behind it, in one task, that lose what they are told to lose.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use channel_actors::{
    CloseReason, Limits, RefusalReason,
    client::{Dial, DialError, Signal, Transport},
    close,
    endpoint::{AcceptParts, Endpoint, Event, Responder, SendError},
    refusal::{self, Refusal},
};
use crypto::Mode;
use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture, sink, stream};
use rand::{RngExt as _, rngs::StdRng};
use schema::{frame::Outer, ids::ChannelId, wire, wire::control::Body};
use tokio::sync::{mpsc, oneshot};

use crate::support::{self, identity, rng, worker};

/// What is lost, and when.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) limits: Arc<Limits>,
    /// How often something is lost.
    pub(crate) cuts: u32,
    /// Bytes that the Worker's side of the stream sends.
    pub(crate) sends: usize,
    /// The Worker uses nothing of what comes.
    pub(crate) reads_nothing: bool,
}

/// The door of the Hub: what a client dials.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) connections: mpsc::UnboundedSender<Wire>,
    pub(crate) state: Arc<Mutex<State>>,
    /// Tries to dial, and when.
    pub(crate) dialled: Arc<Mutex<Vec<Instant>>>,
    pub(crate) has_beats: bool,
}

/// What the door does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Closed,
    Denies,
    ClosedUntil(Instant),
}

/// The Hub's end of a transport.
pub(crate) struct Wire {
    pub(crate) from: mpsc::Receiver<Signal>,
    to: mpsc::UnboundedSender<Signal>,
    /// Dropped, it takes everything away that is under way.
    _cut: oneshot::Sender<()>,
}

/// What the test hears at its end.
#[derive(Debug, Default)]
pub(crate) struct Tale {
    pub(crate) cuts: AtomicU32,
    pub(crate) renewed: AtomicU32,
    pub(crate) received: Mutex<Vec<Bytes>>,
    /// The client has ended its side of the stream.
    pub(crate) ended: AtomicU32,
}

impl Door {
    pub(crate) fn new(has_beats: bool) -> (Self, mpsc::UnboundedReceiver<Wire>) {
        let (connections, connected) = mpsc::unbounded_channel();
        let door = Self {
            connections,
            state: Arc::new(Mutex::new(State::Open)),
            dialled: Arc::default(),
            has_beats,
        };
        (door, connected)
    }

    pub(crate) fn set(&self, state: State) {
        *self.state.lock().expect("not poisoned") = state;
    }

    pub(crate) fn transport(&self) -> Result<Transport, DialError> {
        self.dialled.lock().expect("not poisoned").push(now());
        match *self.state.lock().expect("not poisoned") {
            State::Open => {}
            State::ClosedUntil(until) if until <= now() => {}
            State::Closed | State::ClosedUntil(_) => return Err(DialError::Unreachable),
            State::Denies => return Err(DialError::Denied),
        }
        let (to_hub, from_client) = mpsc::channel(4);
        let (to_client, from_hub) = mpsc::unbounded_channel();
        let (cut, is_cut) = oneshot::channel();
        let wire = Wire {
            from: from_client,
            to: to_client,
            _cut: cut,
        };
        self.connections
            .send(wire)
            .map_err(|_| DialError::Unreachable)?;
        Ok(self.of(from_hub, is_cut, to_hub))
    }

    fn of(
        &self,
        from_hub: mpsc::UnboundedReceiver<Signal>,
        is_cut: oneshot::Receiver<()>,
        to_hub: mpsc::Sender<Signal>,
    ) -> Transport {
        let incoming = stream::unfold((from_hub, is_cut), |(mut from, mut is_cut)| async move {
            tokio::select! {
                biased;
                _ = &mut is_cut => None,
                signal = from.recv() => Some((Ok::<_, ()>(signal?), (from, is_cut))),
            }
        });
        let outgoing = sink::unfold(to_hub, |to, signal| async move {
            to.send(signal).await.map(|()| to).map_err(|_| ())
        });
        if self.has_beats {
            return Transport::with_beats(incoming, outgoing);
        }
        let messages = incoming.map(|signal| {
            signal.map(|signal| match signal {
                Signal::Message(raw) => raw,
                Signal::Beat => panic!("a beat where none are"),
            })
        });
        Transport::of_messages(
            messages,
            outgoing.with(async |raw| Ok::<_, ()>(Signal::Message(raw))),
        )
    }
}

impl Dial for Door {
    fn dial(&mut self) -> BoxFuture<'static, Result<Transport, DialError>> {
        let door = self.clone();
        Box::pin(async move { door.transport() })
    }
}

/// The task behind the door.
pub(crate) struct Far {
    script: Script,
    door: Door,
    tale: Arc<Tale>,
    rng: StdRng,
    wire: Option<Wire>,
    endpoint: Option<Endpoint>,
    /// The newest epoch that passed, which a Close names.
    epoch: u32,
    link_down_until: Option<Instant>,
    until_cut: u32,
    cuts_left: u32,
    stream: Option<u64>,
    sent: usize,
}

impl Far {
    pub(crate) fn new(script: Script, door: Door) -> (Self, Arc<Tale>) {
        let tale = Arc::new(Tale::default());
        let mut rng = rng(script.seed);
        let far = Self {
            tale: tale.clone(),
            wire: None,
            endpoint: None,
            epoch: 0,
            link_down_until: None,
            until_cut: rng.random_range(4..60),
            cuts_left: script.cuts,
            stream: None,
            sent: 0,
            script,
            door,
            rng,
        };
        (far, tale)
    }

    pub(crate) async fn run(mut self, mut connected: mpsc::UnboundedReceiver<Wire>) {
        loop {
            let deadline = self.endpoint.as_ref().and_then(Endpoint::deadline);
            let deadline = deadline.unwrap_or_else(|| now() + Duration::from_secs(3_600));
            tokio::select! {
                wire = connected.recv() => match wire {
                    Some(wire) => self.wire = Some(wire),
                    None => return,
                },
                signal = next(&mut self.wire) => match signal {
                    Some(Signal::Message(raw)) => self.message(raw),
                    Some(Signal::Beat) => self.say_signal(Signal::Beat),
                    None => self.lose_wire(),
                },
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
            if let Some(endpoint) = &mut self.endpoint {
                endpoint.expire(now());
            }
            self.pump();
        }
    }

    fn message(&mut self, raw: Bytes) {
        self.until_cut = self.until_cut.saturating_sub(1);
        if self.until_cut == 0 && self.cuts_left > 0 && self.endpoint.is_some() {
            return self.cut();
        }
        let link_is_down = self.link_is_down();
        match Outer::parse(raw).expect("a good client") {
            Outer::Control(Body::Open(open)) => self.open(&open),
            Outer::Control(Body::Renew(renew)) => self.renew(&renew),
            Outer::Control(body) => {
                if let Some(endpoint) = &mut self.endpoint {
                    endpoint.receive_control(&body, &mut self.rng, now());
                }
            }
            Outer::Frame(_) if link_is_down => {}
            Outer::Frame(frame) => {
                if let Some(endpoint) = &mut self.endpoint {
                    endpoint.receive(frame, now());
                }
            }
        }
    }

    fn link_is_down(&self) -> bool {
        self.link_down_until.is_some_and(|until| now() < until)
    }

    fn open(&mut self, open: &wire::Open) {
        let id = ChannelId::try_from(&*open.channel_id).expect("16 bytes");
        let (responder, job) = Responder::accept(AcceptParts {
            identity: identity(),
            mode: Mode::Classic,
            worker: worker(),
            incoming: &support::incoming(id, open.noise.to_vec()),
            limits: self.script.limits.clone(),
        })
        .expect("a good open");
        let signed = job.run(identity(), &mut rng(5)).expect("it can be signed");
        let (endpoint, opened) = responder.reply(signed, now());
        self.endpoint = Some(endpoint);
        self.say(Outer::Control(opened));
    }

    fn renew(&mut self, renew: &wire::Renew) {
        let id = ChannelId::try_from(&*renew.channel_id).expect("16 bytes");
        if self.link_is_down() {
            let offline = Refusal {
                reason: RefusalReason::WorkerOffline,
                retry_after: Duration::from_millis(200),
            };
            let refused = refusal::refused_renewal(id, offline, renew.serial);
            return self.say(Outer::Control(refused));
        }
        let endpoint = self.endpoint.as_mut().expect("it was opened");
        let answer = endpoint.answer_renewal(identity(), renew, &mut self.rng, now());
        if answer.is_ok() {
            self.epoch = renew.serial;
            self.tale.renewed.fetch_add(1, Ordering::SeqCst);
        }
        let answer = answer
            .unwrap_or_else(|reason| refusal::refused_renewal(id, reason.into(), renew.serial));
        self.say(Outer::Control(answer));
    }

    /// Something is lost.
    fn cut(&mut self) {
        self.cuts_left -= 1;
        self.tale.cuts.fetch_add(1, Ordering::SeqCst);
        // Half of the cuts come within the next renewal.
        let most = if self.rng.random() { 8 } else { 60 };
        self.until_cut = self.rng.random_range(1..most);
        let pause = Duration::from_millis(self.rng.random_range(0..4_000));
        match self.rng.random_range(0..4) {
            0 => self.lose_wire(),
            1 => {
                self.lose_wire();
                self.door.set(State::ClosedUntil(now() + pause));
            }
            // What was said before still arrives.
            2 => {
                self.say_lost();
                self.endpoint.iter_mut().for_each(|it| it.detach(now()));
                if let Some(wire) = &mut self.wire {
                    wire.from.close();
                    while wire.from.try_recv().is_ok() {}
                }
            }
            _ => {
                self.endpoint.iter_mut().for_each(|it| it.detach(now()));
                self.link_down_until = Some(now() + pause);
                self.say_lost();
            }
        }
    }

    /// The socket is gone, with everything that was under way.
    fn lose_wire(&mut self) {
        self.wire = None;
        self.endpoint.iter_mut().for_each(|it| it.detach(now()));
    }

    fn say_lost(&mut self) {
        let Some(endpoint) = &self.endpoint else {
            return;
        };
        let lost = close::close(endpoint.channel(), self.epoch, CloseReason::ConnectionLost);
        self.say(Outer::Control(lost));
    }

    fn pump(&mut self) {
        let Some(mut endpoint) = self.endpoint.take() else {
            return;
        };
        while let Some(event) = endpoint.poll_event() {
            self.serve(&mut endpoint, event);
        }
        self.send(&mut endpoint);
        while let Some(outer) = endpoint.poll_outgoing(now()) {
            self.say(outer);
        }
        self.endpoint = Some(endpoint);
    }

    fn serve(&mut self, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::Claimed { epoch, .. } => endpoint.accept_claim(epoch, None, now()),
            Event::Request {
                id,
                payload,
                opens_stream,
                ..
            } => {
                self.stream = self.stream.or_else(|| opens_stream.then_some(id));
                assert_eq!(endpoint.respond(id, Ok(payload)), Ok(()));
            }
            Event::StreamData { id, data } => {
                if !self.script.reads_nothing {
                    endpoint.stream_consumed(id, data.len());
                }
                self.tale.received.lock().expect("not poisoned").push(data);
            }
            Event::StreamEnd { error, .. } => {
                assert_eq!(error, None);
                self.tale.ended.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }

    /// The Worker's side of the stream. A pipe is not read while there is no room.
    fn send(&mut self, endpoint: &mut Endpoint) {
        let Some(id) = self.stream else { return };
        while self.sent < self.script.sends {
            let left = self.script.sends - self.sent;
            let size = endpoint.stream_room(id).min(left).min(5_000);
            if size == 0 {
                return;
            }
            let data = pattern(self.script.seed, self.sent, size);
            match endpoint.stream_send(id, data) {
                Ok(()) => self.sent += size,
                Err(SendError::NoRoom) => return,
                Err(error) => panic!("the Worker cannot send: {error}"),
            }
        }
        self.stream = None;
        assert_eq!(endpoint.stream_end(id, None), Ok(()));
    }

    fn say(&self, outer: Outer) {
        self.say_signal(Signal::Message(outer.encode()));
    }

    fn say_signal(&self, signal: Signal) {
        if let Some(wire) = &self.wire {
            // A client that is gone hears nothing.
            let _ = wire.to.send(signal);
        }
    }
}

async fn next(wire: &mut Option<Wire>) -> Option<Signal> {
    match wire {
        Some(wire) => wire.from.recv().await,
        None => std::future::pending().await,
    }
}

/// What stands at a place of a stream.
pub(crate) fn pattern(seed: u64, from: usize, size: usize) -> Bytes {
    let byte = |at: usize| {
        (at as u64 ^ seed)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .to_be_bytes()[0]
    };
    (from..from + size).map(byte).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a task reads the clock for its brains"
)]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
