//! The Rust client against a Worker in the same process, over a transport of two queues.

#![cfg(feature = "client")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

mod support;

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use channel_actors::{
    CloseReason, Limits, RefusalReason,
    client::{
        CallError, ConnectError, ConnectParts, Connected, PinQuestion, RejectChanges, Session,
        TrustDecision,
    },
    endpoint::{AcceptParts, Endpoint, Event, Failure, Responder, SendError},
    refusal,
};
use crypto::{Mode, Pin, PinVerdict};
use futures_util::{SinkExt as _, stream};
use schema::{frame::Outer, wire::control::Body};
use support::{channel, device, identity, rng, user, wire::error, worker};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(20);

/// How the Worker behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Good,
    Silent,
    Busy,
    DistrustsDevices,
    /// Answers everything but calls.
    NeverAnswers,
}

/// A Hub and a Worker behind it, as far as a client can tell.
struct Far {
    manner: Manner,
    mode: Mode,
    endpoint: Option<Endpoint>,
    /// What is to be echoed when there is room; nothing = the end.
    backlog: VecDeque<(u64, Option<Bytes>)>,
    out: mpsc::Sender<Bytes>,
    cancelled: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
}

struct Near {
    session: Session,
    cancelled: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
    far: tokio::task::JoinHandle<()>,
}

fn connected(manner: Manner, mode: Mode) -> Near {
    let (to_far, mut from_near) = mpsc::channel::<Bytes>(4);
    let (to_near, from_far) = mpsc::channel::<Bytes>(4);
    let (cancelled, closed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut far = Far {
        manner,
        mode,
        endpoint: None,
        backlog: VecDeque::new(),
        out: to_near,
        cancelled: cancelled.clone(),
        closed: closed.clone(),
    };
    let far = actix_rt::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                raw = from_near.recv() => match raw {
                    Some(raw) => far.message(raw).await,
                    None => return,
                },
                _ = tick.tick() => far.expire().await,
            }
        }
    });
    let incoming = stream::unfold(from_far, |mut from| async {
        from.recv()
            .await
            .map(|raw| (Ok::<_, Infallible>(raw), from))
    });
    let outgoing =
        futures_util::sink::unfold(
            to_far,
            |to, raw| async move { to.send(raw).await.map(|()| to) },
        );
    let limits = Arc::new(Limits::default());
    let session = Session::start(
        Box::pin(incoming),
        Box::pin(outgoing.sink_map_err(|_| ())),
        limits,
        Box::new(rng(fresh_seed())),
    );
    Near {
        session,
        cancelled,
        closed,
        far,
    }
}

/// Two channels with the same randomness would have the same keys.
fn fresh_seed() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(77);
    LAST.fetch_add(1, Ordering::SeqCst)
}

impl Far {
    async fn message(&mut self, raw: Bytes) {
        match Outer::parse(raw).expect("a good client") {
            Outer::Control(Body::Open(open)) => self.open(&open).await,
            Outer::Control(body) => {
                if matches!(body, Body::Close(_)) {
                    self.closed.store(true, Ordering::SeqCst);
                }
                self.each(|endpoint, now| endpoint.receive_control(&body, &mut rng(6), now))
                    .await;
            }
            Outer::Frame(frame) => {
                self.each(|endpoint, now| endpoint.receive(frame, now))
                    .await
            }
        }
    }

    async fn expire(&mut self) {
        self.each(|endpoint, now| endpoint.expire(now)).await;
    }

    async fn open(&mut self, open: &schema::wire::Open) {
        let id = schema::ids::ChannelId::try_from(&*open.channel_id).expect("16 bytes");
        match self.manner {
            Manner::Silent => return,
            Manner::Busy => {
                let retry_after = Duration::from_millis(250);
                let busy = refusal::Refusal {
                    reason: RefusalReason::Busy,
                    retry_after,
                };
                return self.say(Outer::Control(refusal::refused(id, busy))).await;
            }
            Manner::Good | Manner::DistrustsDevices | Manner::NeverAnswers => {}
        }
        let accepted = Responder::accept(AcceptParts {
            identity: identity(),
            mode: self.mode,
            worker: worker(),
            incoming: &support::incoming(id, open.noise.to_vec()),
            limits: Arc::new(Limits::default()),
        });
        let Ok((responder, job)) = accepted else {
            let refused = refusal::refused(id, RefusalReason::Handshake.into());
            return self.say(Outer::Control(refused)).await;
        };
        let signed = job
            .run(identity(), &mut rng(fresh_seed()))
            .expect("it can be signed");
        let (endpoint, opened) = responder.reply(signed, support::wire::start());
        self.endpoint = Some(endpoint);
        self.say(Outer::Control(opened)).await;
    }

    async fn each(&mut self, act: impl FnOnce(&mut Endpoint, std::time::Instant)) {
        let now = support::wire::start();
        let Some(mut endpoint) = self.endpoint.take() else {
            return;
        };
        act(&mut endpoint, now);
        while let Some(event) = endpoint.poll_event() {
            self.serve(&mut endpoint, event, now);
            self.echo(&mut endpoint);
        }
        while let Some(outer) = endpoint.poll_outgoing(now) {
            self.say(outer).await;
        }
        self.endpoint = Some(endpoint);
    }

    fn serve(&mut self, endpoint: &mut Endpoint, event: Event, now: std::time::Instant) {
        match event {
            Event::Claimed { epoch, .. } if self.manner == Manner::DistrustsDevices => {
                endpoint.reject_device(epoch, "able-bird-cage-dock");
            }
            Event::Claimed { epoch, .. } => endpoint.accept_claim(epoch, None, now),
            Event::Request { .. } if self.manner == Manner::NeverAnswers => {}
            Event::Request {
                id,
                method,
                payload,
                ..
            } => {
                let result = if method == "fail" {
                    Err(error(5))
                } else {
                    Ok(payload)
                };
                let _ = endpoint.respond(id, result);
            }
            Event::StreamData { id, data } => self.backlog.push_back((id, Some(data))),
            Event::StreamEnd { id, .. } => self.backlog.push_back((id, None)),
            Event::Cancelled { .. } => self.cancelled.store(true, Ordering::SeqCst),
            _ => {}
        }
    }

    fn echo(&mut self, endpoint: &mut Endpoint) {
        while let Some((id, item)) = self.backlog.front() {
            let echoed = match item {
                Some(data) => endpoint.stream_send(*id, data.clone()),
                None => endpoint.stream_end(*id, None),
            };
            if echoed == Err(SendError::NoRoom) {
                return;
            }
            endpoint.stream_consumed(*id, item.as_ref().map_or(0, Bytes::len));
            self.backlog.pop_front();
        }
    }

    async fn say(&self, outer: Outer) {
        // A client that is gone hears nothing.
        let _ = self.out.send(outer.encode()).await;
    }
}

fn parts(mode: Mode) -> ConnectParts {
    ConnectParts {
        worker: worker(),
        worker_key: identity().public().clone(),
        mode,
        pinned: None,
        trust: Arc::new(RejectChanges),
        user: user("alice"),
        device: device(),
        certificates: Vec::new(),
        workspaces: Vec::new(),
        channel: channel(1),
    }
}

async fn until(flag: &AtomicBool) {
    let set = async {
        while !flag.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, set)
        .await
        .expect("it happens in time");
}

#[actix::test]
async fn a_client_connects_calls_and_streams_in_both_modes() {
    for mode in [Mode::Classic, Mode::PostQuantum] {
        let near = connected(Manner::Good, mode);
        let Connected { channel, pin } = near.session.connect(parts(mode)).await.expect("it opens");
        let public_key = identity().public().as_bytes().to_vec();
        assert_eq!(pin, Some(Pin { public_key, mode }));
        assert_eq!(channel.workspaces().len(), 2);
        let answer = channel.call("echo", "hello".into(), None, PATIENCE).await;
        assert_eq!(answer, Ok(Bytes::from("hello")));
        let failed = channel.call("fail", Bytes::new(), None, PATIENCE).await;
        assert_eq!(failed, Err(CallError::Worker(error(5))));
        let (pending, sender, mut receiver) = channel
            .stream("echo", "go".into(), None)
            .await
            .expect("a stream is free");
        assert_eq!(pending.answer().await, Ok(Bytes::from("go")));
        for size in [1usize, 1_000, 200_000, 256 * 1024] {
            let data = Bytes::from(vec![7; size]);
            assert_eq!(sender.send(data.clone()).await, Ok(()));
            assert_eq!(receiver.next().await, Ok(Some(data)));
        }
        assert_eq!(sender.end().await, Ok(()));
        assert_eq!(receiver.next().await, Ok(None));
        assert!(channel.ping(PATIENCE).await.is_ok());
        drop(channel);
        until(&near.closed).await;
        near.session.end(PATIENCE).await;
    }
}

#[actix::test]
async fn ten_megabytes_pass_through_a_stream_whose_credit_is_one() {
    let near = connected(Manner::Good, Mode::Classic);
    let connected = near
        .session
        .connect(parts(Mode::Classic))
        .await
        .expect("it opens");
    let stream = connected.channel.stream("echo", Bytes::new(), None).await;
    let (_pending, sender, mut receiver) = stream.expect("a stream is free");
    let sending = async {
        for _ in 0..80 {
            sender
                .send(Bytes::from(vec![1; 128 * 1024]))
                .await
                .expect("it is taken");
        }
        sender.end().await.expect("it ends");
    };
    let receiving = async {
        let mut bytes = 0;
        while let Some(data) = receiver.next().await.expect("it goes on") {
            bytes += data.len();
        }
        bytes
    };
    let both = async { tokio::join!(sending, receiving).1 };
    let bytes = tokio::time::timeout(PATIENCE, both).await.expect("in time");
    assert_eq!(bytes, 80 * 128 * 1024);
}

#[actix::test]
async fn a_changed_key_or_a_weaker_mode_is_rejected_before_anything_is_sent() {
    let near = connected(Manner::Good, Mode::Classic);
    let key = identity().public().as_bytes().to_vec();
    for (pin, verdict) in [
        (
            Pin {
                public_key: vec![1; 1664],
                mode: Mode::Classic,
            },
            PinVerdict::KeyChanged,
        ),
        (
            Pin {
                public_key: key,
                mode: Mode::PostQuantum,
            },
            PinVerdict::ModeWeaker,
        ),
    ] {
        let changed = ConnectParts {
            pinned: Some(pin),
            ..parts(Mode::Classic)
        };
        let refused = near.session.connect(changed).await.err();
        assert_eq!(refused, Some(ConnectError::NotTrusted(verdict)));
    }
}

struct AcceptsAll;

impl TrustDecision for AcceptsAll {
    fn accepts(&self, question: &PinQuestion<'_>) -> bool {
        question.verdict.stops() && question.pinned.is_some()
    }
}

#[actix::test]
async fn an_accepted_change_is_pinned_and_a_pin_that_holds_is_left_alone() {
    let near = connected(Manner::Good, Mode::Classic);
    let old = Pin {
        public_key: vec![1; 1664],
        mode: Mode::Classic,
    };
    let trust: Arc<dyn TrustDecision> = Arc::new(AcceptsAll);
    let changed = ConnectParts {
        pinned: Some(old),
        trust,
        ..parts(Mode::Classic)
    };
    let first = near.session.connect(changed).await.expect("it opens");
    let pinned = first.pin;
    assert!(pinned.is_some());
    drop(first.channel);
    let again = ConnectParts {
        pinned,
        channel: channel(2),
        ..parts(Mode::Classic)
    };
    let second = near.session.connect(again).await.expect("it opens");
    assert_eq!(second.pin, None);
}

#[actix::test]
async fn a_wrong_key_fails_the_handshake_and_pins_nothing() {
    let near = connected(Manner::Good, Mode::Classic);
    let other = crypto::Identity::generate(&mut rng(99));
    let wrong = ConnectParts {
        worker_key: other.public().clone(),
        ..parts(Mode::Classic)
    };
    let refused = near.session.connect(wrong).await.err();
    let refusal = RefusalReason::Handshake.into();
    assert_eq!(refused, Some(ConnectError::Refused(refusal)));
}

#[actix::test]
async fn refusals_and_distrust_are_told_apart() {
    let busy = connected(Manner::Busy, Mode::Classic);
    let retry_after = Duration::from_millis(250);
    let refusal = refusal::Refusal {
        reason: RefusalReason::Busy,
        retry_after,
    };
    let refused = busy.session.connect(parts(Mode::Classic)).await.err();
    assert_eq!(refused, Some(ConnectError::Refused(refusal)));

    let distrusting = connected(Manner::DistrustsDevices, Mode::Classic);
    let refused = distrusting
        .session
        .connect(parts(Mode::Classic))
        .await
        .err();
    let fingerprint = "able-bird-cage-dock".to_owned();
    let failure = Failure::DeviceNotTrusted { fingerprint };
    assert_eq!(refused, Some(ConnectError::Failed(failure)));
}

#[actix::test]
async fn an_open_that_nobody_answers_is_given_up_and_the_hub_told() {
    let near = connected(Manner::Silent, Mode::Classic);
    tokio::time::pause();
    let refused = near.session.connect(parts(Mode::Classic)).await.err();
    assert_eq!(refused, Some(ConnectError::Timeout));
    until(&near.closed).await;
}

#[actix::test]
async fn a_call_that_nobody_answers_is_given_up_and_cancelled() {
    let near = connected(Manner::NeverAnswers, Mode::Classic);
    let connected = near
        .session
        .connect(parts(Mode::Classic))
        .await
        .expect("it opens");
    let patience = Duration::from_millis(50);
    let answer = connected
        .channel
        .call("m", Bytes::new(), None, patience)
        .await;
    assert_eq!(answer, Err(CallError::Timeout));
    until(&near.cancelled).await;
}

#[actix::test]
async fn a_lost_connection_fails_everything_that_waits() {
    let near = connected(Manner::NeverAnswers, Mode::Classic);
    let connected = near
        .session
        .connect(parts(Mode::Classic))
        .await
        .expect("it opens");
    let channel = connected.channel;
    let stream = channel.stream("m", Bytes::new(), None).await;
    let (pending, sender, mut receiver) = stream.expect("a stream is free");
    near.far.abort();
    let lost = CloseReason::ConnectionLost;
    assert_eq!(channel.closed().await, lost);
    assert_eq!(pending.answer().await, Err(CallError::Closed(lost)));
    assert_eq!(receiver.next().await, Err(CallError::Closed(lost)));
    assert_eq!(sender.send("x".into()).await, Err(CallError::Closed(lost)));
    let again = near.session.connect(parts(Mode::Classic)).await.err();
    assert_eq!(again, Some(ConnectError::Disconnected));
}

#[actix::test]
async fn a_stream_message_over_256_kib_is_not_taken() {
    let near = connected(Manner::Good, Mode::Classic);
    let connected = near
        .session
        .connect(parts(Mode::Classic))
        .await
        .expect("it opens");
    let stream = connected.channel.stream("echo", Bytes::new(), None).await;
    let (_pending, sender, _receiver) = stream.expect("a stream is free");
    let large = Bytes::from(vec![0; 256 * 1024 + 1]);
    assert_eq!(
        sender.send(large).await,
        Err(CallError::Send(SendError::TooLarge))
    );
}
