//! A session whose transports are lost, against a Worker that keeps its channel.

#![cfg(feature = "client")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

#[path = "../support/mod.rs"]
mod support;

mod hub;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use channel_actors::{
    CloseReason, Limits,
    client::{
        CallError, Channel, ConnectParts, Connection, RejectChanges, Session, StreamReceiver,
        StreamSender,
    },
};
use crypto::Mode;
use hub::{Door, Far, Script, State, Tale, now, pattern};
use rand::RngExt as _;
use support::{channel, device, identity, rng, user, worker};

/// Of fake time.
const PATIENCE: Duration = Duration::from_secs(3_600);

struct Scene {
    session: Session,
    door: Door,
    tale: Arc<Tale>,
    far: tokio::task::JoinHandle<()>,
}

/// Small numbers, so that every limit is met.
fn narrow() -> Limits {
    Limits {
        stream_credit: 32 * 1024,
        stream_message: 8 * 1024,
        window_bytes: 48 * 1024,
        window_frames: 40,
        outbox_bytes: 64 * 1024,
        ack_bytes: 8 * 1024,
        ack_frames: 8,
        ..Limits::default()
    }
}

fn script(seed: u64) -> Script {
    Script {
        seed,
        limits: Arc::new(narrow()),
        cuts: 0,
        sends: 0,
        reads_nothing: false,
    }
}

fn scene(script: Script, has_beats: bool) -> Scene {
    let (door, connected) = Door::new(has_beats);
    let (limits, seed) = (script.limits.clone(), script.seed);
    let (far, tale) = Far::new(script, door.clone());
    let far = actix_rt::spawn(far.run(connected));
    let first = door.transport().expect("the door is open");
    let session = Session::lasting(first, door.clone(), limits, Box::new(rng(seed + 1)));
    Scene {
        session,
        door,
        tale,
        far,
    }
}

impl Scene {
    async fn channel(&self) -> Channel {
        let parts = ConnectParts {
            worker: worker(),
            worker_key: identity().public().clone(),
            mode: Mode::Classic,
            pinned: None,
            trust: Arc::new(RejectChanges),
            user: user("alice"),
            device: device(),
            certificates: Vec::new(),
            workspaces: Vec::new(),
            channel: channel(1),
        };
        self.session.connect(parts).await.expect("it opens").channel
    }

    /// Cuts the wire; whatever was under way is lost.
    fn breaks(&self) {
        self.far.abort();
    }

    fn dialled(&self) -> Vec<std::time::Instant> {
        self.door.dialled.lock().expect("not poisoned").clone()
    }
}

async fn upload(sender: &StreamSender, seed: u64, bytes: usize) {
    let mut rng = rng(seed + 2);
    let mut sent = 0;
    while sent < bytes {
        let size = rng.random_range(1..8 * 1024).min(bytes - sent);
        let data = pattern(seed, sent, size);
        sender.send(data).await.expect("it is taken");
        sent += size;
    }
    sender.end().await.expect("it ends");
}

async fn download(receiver: &mut StreamReceiver) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(data) = receiver.next().await.expect("it goes on") {
        all.extend_from_slice(&data);
    }
    all
}

/// Half the bytes of an upload and a download, cut at random.
async fn survives(seed: u64) -> (u32, u32) {
    const BYTES: usize = 150_000;
    let scene = scene(
        Script {
            cuts: 12,
            sends: BYTES,
            ..script(seed)
        },
        seed.is_multiple_of(2),
    );
    let channel = scene.channel().await;
    let stream = channel.stream("both", "go".into(), None).await;
    let (pending, sender, mut receiver) = stream.expect("a stream is free");
    let calls = async {
        for call in 0..20u8 {
            let payload = Bytes::from(vec![call; 3_000]);
            let answer = channel.call("echo", payload.clone(), None, PATIENCE).await;
            assert_eq!(answer, Ok(payload));
        }
    };
    let everything = async {
        let uploading = upload(&sender, seed, BYTES);
        let (downloaded, ()) = tokio::join!(download(&mut receiver), async {
            tokio::join!(uploading, calls);
        });
        assert_eq!(pending.answer().await, Ok(Bytes::from("go")));
        downloaded
    };
    let downloaded = tokio::time::timeout(PATIENCE, everything).await;
    assert!(
        downloaded.expect("in time") == pattern(seed, 0, BYTES),
        "what came down"
    );
    while scene.tale.ended.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let uploaded = scene.tale.received.lock().expect("not poisoned").concat();
    assert!(uploaded == pattern(seed, 0, BYTES), "what went up");
    scene.session.end(PATIENCE).await;
    let tale = &scene.tale;
    (
        tale.cuts.load(Ordering::SeqCst),
        tale.renewed.load(Ordering::SeqCst),
    )
}

#[actix::test]
async fn streams_and_calls_lose_and_double_nothing_whatever_is_cut() {
    tokio::time::pause();
    let first = first_seed();
    let (mut cuts, mut renewed) = (0, 0);
    for seed in first..first + 300 {
        // A test that fails shows which one it was.
        println!("RETURNING_SEED={seed}");
        let (cut, back) = survives(seed).await;
        cuts += cut;
        renewed += back;
    }
    println!("300 seeds, {cuts} cuts, {renewed} renewals");
    assert!(
        cuts > 1_000 && renewed > 1_000,
        "{cuts} cuts, {renewed} renewals"
    );
}

fn first_seed() -> u64 {
    let given = std::env::var_os("RETURNING_SEED");
    let seed = given.and_then(|seed| seed.to_str()?.parse().ok());
    // The other tests have theirs below: two channels with the same randomness have the same keys.
    seed.unwrap_or(1_000)
}

#[actix::test]
async fn dialling_is_tried_soon_then_less_and_less_and_as_long_as_the_channel_lives() {
    tokio::time::pause();
    let scene = scene(script(7), false);
    let channel = scene.channel().await;
    let connection = channel.connection();
    assert_eq!(*connection.borrow(), Connection::Connected);
    let lost = now();
    scene.door.set(State::Closed);
    scene.breaks();
    assert_eq!(channel.closed().await, CloseReason::DetachedTooLong);
    assert_eq!(
        *connection.borrow(),
        Connection::Reconnecting { since: lost }
    );
    assert_eq!(now().duration_since(lost).as_secs(), 300);
    let tries = scene.dialled().split_off(1);
    let mut before = lost;
    for (nth, at) in tries.iter().enumerate() {
        let span = Duration::from_millis(500 << nth.min(6)).min(Duration::from_secs(30));
        let waited = at.duration_since(before);
        // The timer's grain is a millisecond.
        let soonest = if nth == 0 { Duration::ZERO } else { span / 2 };
        assert!(
            waited >= soonest && waited <= span + Duration::from_millis(1),
            "{nth}: {waited:?}"
        );
        before = *at;
    }
    assert!((15..=30).contains(&tries.len()), "{}", tries.len());
    until_over(&scene.session).await;
}

async fn until_over(session: &Session) {
    while !session.is_over() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[actix::test]
async fn a_hub_that_refuses_the_credential_is_not_asked_again() {
    tokio::time::pause();
    let scene = scene(script(8), false);
    let channel = scene.channel().await;
    let (_pending, sender, mut receiver) = channel
        .stream("m", Bytes::new(), None)
        .await
        .expect("a stream is free");
    assert_eq!(receiver.next().await, Ok(None));
    scene.door.set(State::Denies);
    scene.breaks();
    assert_eq!(channel.closed().await, CloseReason::Revoked);
    let sent = sender.send("x".into()).await;
    assert_eq!(sent, Err(CallError::Closed(CloseReason::Revoked)));
    assert_eq!(scene.dialled().len(), 2);
    until_over(&scene.session).await;
}

#[actix::test]
async fn a_hub_that_accepts_and_says_nothing_is_left_and_dialled_again() {
    tokio::time::pause();
    let (door, mut connected) = Door::new(true);
    let (far, _tale) = Far::new(script(9), door.clone());
    let (wires, through) = tokio::sync::mpsc::unbounded_channel();
    let far_task = actix_rt::spawn(far.run(through));
    // The first wire leads to the Hub, all others to nobody who answers.
    let first = door.transport().expect("the door is open");
    wires
        .send(connected.recv().await.expect("dialled"))
        .expect("it runs");
    let rng = Box::new(rng(10));
    let session = Session::lasting(first, door.clone(), Arc::new(narrow()), rng);
    let scene = Scene {
        session,
        door,
        tale: Arc::default(),
        far: far_task,
    };
    let channel = scene.channel().await;
    scene.breaks();
    let silent = async {
        let mut kept = Vec::new();
        while let Some(wire) = connected.recv().await {
            kept.push(wire);
        }
    };
    let reason = tokio::select! {
        reason = channel.closed() => reason,
        () = silent => panic!("the door stays"),
    };
    assert_eq!(reason, CloseReason::DetachedTooLong);
    // 300 s at 37.5 s and a wait for each.
    let tries = scene.dialled().len();
    assert!((5..=9).contains(&tries), "{tries}");
}

#[actix::test]
async fn keys_are_renewed_under_a_stream_that_goes_on_and_on() {
    tokio::time::pause();
    let limits = Arc::new(Limits {
        key_renewal_age: Duration::from_secs(60),
        ..Limits::default()
    });
    let scene = scene(
        Script {
            limits,
            ..script(11)
        },
        true,
    );
    let channel = scene.channel().await;
    let (_pending, sender, _receiver) = channel
        .stream("m", Bytes::new(), None)
        .await
        .expect("a stream is free");
    let mut connection = channel.connection();
    connection.mark_unchanged();
    for second in 0..6_000u32 {
        sender
            .send(second.to_be_bytes().to_vec().into())
            .await
            .expect("it is taken");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let expected: Vec<Bytes> = (0..6_000u32)
        .map(|n| n.to_be_bytes().to_vec().into())
        .collect();
    assert!(*scene.tale.received.lock().expect("not poisoned") == expected);
    let renewed = scene.tale.renewed.load(Ordering::SeqCst);
    assert!((24..=100).contains(&renewed), "{renewed}");
    assert!(*connection.borrow() == Connection::Connected);
}

#[actix::test]
async fn what_goes_first_does_not_stand_behind_input_that_nobody_reads() {
    let scene = scene(
        Script {
            reads_nothing: true,
            ..script(12)
        },
        false,
    );
    let channel = scene.channel().await;
    let (_pending, sender, _receiver) = channel
        .stream("m", Bytes::new(), None)
        .await
        .expect("a stream is free");
    let filling = async {
        loop {
            let data = Bytes::from(vec![0; 4_096]);
            sender.send_leaving(data, 1_024).await.expect("it is taken");
        }
    };
    let arrives = async {
        let received = || scene.tale.received.lock().expect("not poisoned").len();
        while received() < 7 {
            tokio::task::yield_now().await;
        }
        sender.send_first("now".into()).await.expect("it is taken");
        while received() < 8 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = filling => panic!("it has no end"),
        () = async { tokio::time::timeout(Duration::from_secs(20), arrives).await.expect("in time") } => {}
    }
    let last = scene
        .tale
        .received
        .lock()
        .expect("not poisoned")
        .last()
        .cloned();
    assert_eq!(last, Some(Bytes::from("now")));
}

#[actix::test]
async fn a_session_without_a_channel_does_not_dial_again() {
    tokio::time::pause();
    let scene = scene(script(13), false);
    drop(scene.channel().await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.breaks();
    until_over(&scene.session).await;
    assert_eq!(scene.dialled().len(), 1);
}
