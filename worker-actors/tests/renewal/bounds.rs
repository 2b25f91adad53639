//! How long channels without a path live, how many there are, and what ends them.

use std::{cell::Cell, path::Path, rc::Rc, time::Duration};

use bytes::Bytes;
use channel_actors::{
    close::CloseReason,
    endpoint::{Call, Endpoint, Event},
    refusal::RefusalReason,
};
use crypto::Mode;
use schema::ids::ChannelId;
use worker_actors::{Census, Worker, devices};

use crate::{
    commands::start,
    fleet::{Fleet, Idle, Job, now},
    support::{
        eventually,
        hub::{credentials, rng},
    },
};

/// Runs a command and only looks on.
struct Running(&'static [&'static str], Option<u64>);

impl Job for Running {
    fn heed(&mut self, _: &mut Endpoint, _: Event) {}

    fn go_on(&mut self, endpoint: &mut Endpoint) {
        if endpoint.closed().is_none() {
            self.1.get_or_insert_with(|| start(endpoint, self.0));
        }
    }

    fn is_done(&self) -> bool {
        self.1.is_some()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Asks one thing after another until it is enough.
#[derive(Default)]
struct Asking {
    asked: u64,
    answered: u64,
    enough: Rc<Cell<bool>>,
}

impl Job for Asking {
    fn heed(&mut self, _: &mut Endpoint, event: Event) {
        if let Event::Response { id, result } = event {
            assert!(result.is_ok());
            self.answered += 1;
            assert_eq!((id, self.asked), (self.answered, self.answered));
        }
    }

    fn go_on(&mut self, endpoint: &mut Endpoint) {
        if self.asked == self.answered && !self.enough.get() {
            let call = Call {
                method: "worker.info",
                payload: Bytes::new(),
                opens_stream: false,
                workspace: None,
            };
            self.asked = endpoint.request(call).expect("a request");
        }
    }

    fn is_done(&self) -> bool {
        self.enough.get() && self.asked == self.answered
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Whether a `sleep` of that length runs.
fn sleeps(length: &str) -> bool {
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let wanted = format!("sleep\0{length}\0").into_bytes();
    entries.filter_map(command).any(|command| command == wanted)
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

async fn until_counted(worker: &Worker, what: &str, expected: Census) {
    eventually(what, || worker.census() == expected).await;
}

#[tokio::test]
async fn a_client_that_stays_away_too_long_finds_nothing_and_its_command_has_ended() {
    let mut fleet = Fleet::with(|config| config.detached_max_ms = 400).await;
    let channel = fleet.open(Running(&["sleep", "1021"], None)).await;
    fleet.finish().await;
    fleet.wake(channel);
    fleet.until("the command", |_| sleeps("1021")).await;
    fleet.come_back = false;
    let lost = now();
    fleet.cut();
    eventually("its end", || !sleeps("1021")).await;
    assert!(lost.elapsed() >= Duration::from_millis(400));
    until_counted(&fleet.worker, "nobody", Census::default()).await;
    fleet.come_back = true;
    fleet
        .until("its end", |fleet| fleet.clients[&channel].closed.is_some())
        .await;
    let client = &fleet.clients[&channel];
    let ended = (client.refused, client.closed);
    let expected = (RefusalReason::Stale, CloseReason::ClosedByWorker);
    assert_eq!(ended, (Some(expected.0), Some(expected.1)));
    fleet.worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_was_killed_knows_no_channel_any_more() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.open(Idle).await;
    let config = fleet.config();
    fleet.cut();
    // As good as killed: nothing of a channel is ever written.
    let old = std::mem::replace(
        &mut fleet.worker,
        Worker::start(config, credentials())
            .await
            .expect("a worker"),
    );
    old.stop().await;
    fleet
        .until("the refusal", |fleet| {
            fleet.clients[&channel].refused == Some(RefusalReason::Stale)
        })
        .await;
    fleet.worker.stop().await;
}

#[tokio::test]
async fn two_hundred_channels_survive_twenty_lost_streams_and_leave_nothing_behind() {
    let mut fleet = Fleet::new().await;
    let enough = Rc::<Cell<bool>>::default();
    for _ in 0..200 {
        let asking = Asking {
            enough: Rc::clone(&enough),
            ..Asking::default()
        };
        fleet.open(asking).await;
    }
    let before = resident_kib();
    let begun = now();
    let mut away = Duration::ZERO;
    for round in 0..20_u32 {
        fleet.cut_after = Some(300 + 17 * round);
        fleet
            .until("a cut", |fleet| fleet.cut_after.is_none())
            .await;
        let cut = now();
        let attached: u32 = fleet.clients.values().map(|client| client.attached).sum();
        fleet
            .until("everybody", |fleet| {
                let now: u32 = fleet.clients.values().map(|client| client.attached).sum();
                now >= attached + 200
            })
            .await;
        away += cut.elapsed();
    }
    enough.set(true);
    fleet.finish().await;
    let grown = resident_kib().saturating_sub(before);
    eprintln!(
        "200 channels, 20 losses: {:?}, {:?} to be all back, {grown} KiB more",
        begun.elapsed(),
        away / 20,
    );
    // In a process of its own; else the other tests of this file are counted as well.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(grown < 32 << 10, "{grown} KiB");
    }
    until_counted(
        &fleet.worker,
        "all of them attached",
        Census {
            channels: 200,
            ..Census::default()
        },
    )
    .await;
    let ids: Vec<_> = fleet.clients.keys().copied().collect();
    for id in ids {
        let client = fleet.clients.get_mut(&id).expect("a client");
        client.endpoint.close(CloseReason::ClosedByClient);
        fleet.wake(id);
    }
    fleet
        .until("their ends", |fleet| {
            fleet.worker.census() == Census::default()
        })
        .await;
    fleet.worker.stop().await;
}

#[tokio::test]
async fn a_device_that_is_removed_while_its_client_is_away_loses_the_channel() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.open(Running(&["sleep", "1022"], None)).await;
    fleet.until("the command", |_| sleeps("1022")).await;
    fleet.come_back = false;
    fleet.cut();
    let detached = Census {
        channels: 1,
        detached: 1,
        opening: 0,
    };
    until_counted(&fleet.worker, "a channel without a path", detached).await;
    let removed = now();
    remove(
        fleet.folder.path(),
        &fleet.device.public_bytes(Mode::Classic),
    )
    .await;
    until_counted(&fleet.worker, "its end", Census::default()).await;
    assert!(
        removed.elapsed() < Duration::from_secs(1),
        "{:?}",
        removed.elapsed()
    );
    eventually("the command's end", || !sleeps("1022")).await;
    fleet.come_back = true;
    fleet
        .until("the refusal", |fleet| {
            fleet.clients[&channel].refused.is_some()
        })
        .await;
    fleet.worker.stop().await;
}

async fn remove(folder: &Path, key: &[u8]) {
    let words = crypto::fingerprint(key);
    let folder = folder.to_owned();
    let removing = tokio::task::spawn_blocking(move || devices::remove(&folder, &words));
    removing.await.expect("a thread").expect("a device");
}

#[tokio::test]
async fn a_worker_that_stops_ends_what_waits_for_absent_clients() {
    let mut fleet = Fleet::new().await;
    fleet.open(Running(&["sleep", "1023"], None)).await;
    fleet.until("the command", |_| sleeps("1023")).await;
    fleet.come_back = false;
    fleet.cut();
    eventually("a channel without a path", || {
        fleet.worker.census().detached == 1
    })
    .await;
    fleet.worker.stop().await;
    assert!(!sleeps("1023"));
}

#[tokio::test]
async fn a_channel_whose_claim_never_came_ends_with_its_stream() {
    let mut fleet = Fleet::new().await;
    let owner = fleet.owner();
    let channel = ChannelId::from_bytes([7; 16]);
    let _initiator = fleet.announce(channel, &owner).await;
    fleet.hear().await;
    eventually("a channel", || fleet.worker.census().channels == 1).await;
    fleet.cut();
    until_counted(&fleet.worker, "its end", Census::default()).await;
    fleet.worker.stop().await;
}

#[tokio::test]
async fn of_two_renewals_in_a_row_the_newer_one_counts() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.open(Asking::default()).await;
    for _ in 0..10 {
        let client = fleet.clients.get_mut(&channel).expect("a client");
        let before = client.attached;
        let mut renewals = Vec::new();
        for _ in 0..3 {
            client.endpoint.renew(&mut rng(), now()).expect("a renewal");
            renewals.extend(std::iter::from_fn(|| client.endpoint.poll_outgoing(now())));
        }
        assert_eq!(renewals.len(), 3);
        for renewal in renewals {
            fleet.send(renewal.encode()).await;
        }
        fleet
            .until("the newest", |fleet| {
                fleet.clients[&channel].attached > before
            })
            .await;
    }
    assert_eq!(fleet.clients[&channel].closed, None);
    fleet.worker.stop().await;
}
