//! Channels that get new keys, over the path that stands or over another.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use hub_actors::Mode;
use schema::{
    frame::Frame,
    wire::{self, CloseReason, RefusalReason, control::Body},
};

use crate::{
    stage::{Stage, closed, stage},
    support::{Browser, Stopwatch, TestHub, TestWorker, channel, frame, open},
};

/// A frame of a later epoch.
fn frame_of(byte: u8, epoch: u32, correlation: u64) -> Frame {
    Frame::new(channel(byte), epoch, correlation, 0, &[3; 40])
}

fn renew(byte: u8, worker_id: &str, serial: u32, base: u32) -> Body {
    Body::Renew(wire::Renew {
        channel_id: vec![byte; 16].into(),
        worker_id: worker_id.to_owned(),
        serial,
        base,
        noise: vec![9; 56].into(),
    })
}

fn renewed(byte: u8, serial: u32) -> Body {
    Body::Renewed(wire::Renewed {
        channel_id: vec![byte; 16].into(),
        serial,
        noise: vec![8; 56].into(),
    })
}

fn refused(byte: u8, serial: u32, reason: RefusalReason) -> Body {
    Body::Refused(wire::Refused {
        channel_id: vec![byte; 16].into(),
        reason: reason.into(),
        retry_after_ms: 0,
        serial,
    })
}

fn close_of(byte: u8, epoch: u32, reason: CloseReason) -> Body {
    Body::Close(wire::Close {
        channel_id: vec![byte; 16].into(),
        epoch,
        reason: reason.into(),
    })
}

/// What the Worker is asked: the serial, and whether what the user may do was told before it.
async fn asked(worker: &mut TestWorker) -> (u32, bool) {
    let mut told = false;
    loop {
        match worker.control().await {
            Body::AccessChanged(access) => {
                assert_eq!(access.change, 0);
                assert!(!access.workspaces.is_empty());
                told = true;
            }
            Body::Renew(renew) => return (renew.serial, told),
            other => panic!("no Renew: {other:?}"),
        }
    }
}

async fn refusal(browser: &mut Browser) -> (RefusalReason, u32) {
    let Body::Refused(refused) = browser.control().await else {
        panic!("not refused")
    };
    (refused.reason(), refused.serial)
}

async fn ended(worker: &mut TestWorker) -> (CloseReason, u32) {
    let Body::Close(close) = worker.control().await else {
        panic!("no Close")
    };
    (close.reason(), close.epoch)
}

/// The Worker takes a renewal, and the browser hears it.
async fn answer(worker: &mut TestWorker, browser: &mut Browser, byte: u8, serial: u32) {
    worker.send(renewed(byte, serial)).await;
    let Body::Renewed(heard) = browser.control().await else {
        panic!("not renewed")
    };
    assert_eq!((heard.serial, &heard.noise[..]), (serial, &[8; 56][..]));
}

/// Frames of this epoch pass both ways.
async fn talks(worker: &mut TestWorker, browser: &mut Browser, byte: u8, epoch: u32) {
    let (up, down) = (frame_of(byte, epoch, 1), frame_of(byte, epoch, 2));
    browser.send(up.clone()).await;
    assert_eq!(worker.frame().await, up);
    worker.send(down.clone()).await;
    assert_eq!(browser.frame().await, down);
}

#[tokio::test]
async fn a_live_path_gets_new_keys_and_what_is_of_the_old_ones_is_dropped() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    browser.send(renew(1, &worker_id, 1, 0)).await;
    assert_eq!(asked(&mut worker).await, (1, false), "the path is the same");
    answer(&mut worker, &mut browser, 1, 1).await;
    // Sealed before, and late.
    browser.send(frame(1, 7, &[0; 17])).await;
    browser
        .send(close_of(1, 0, CloseReason::ClosedByClient))
        .await;
    worker.send(frame(1, 7, &[0; 17])).await;
    worker
        .send(close_of(1, 0, CloseReason::ClosedByWorker))
        .await;
    talks(&mut worker, &mut browser, 1, 1).await;
    assert_eq!(hub.hub.census().await.channels, 1);
    hub.settled().await;
}

#[tokio::test]
async fn a_second_socket_takes_the_channel_over_once_the_worker_has_said_so() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        browser: mut old,
    } = stage().await;
    open(&mut old, &mut worker, 1, &worker_id).await;
    let mut new = Browser::open(&hub).await;
    new.send(renew(1, &worker_id, 1, 0)).await;
    assert_eq!(asked(&mut worker).await, (1, true));
    // Until then nothing has changed.
    talks(&mut worker, &mut old, 1, 0).await;
    answer(&mut worker, &mut new, 1, 1).await;
    let Body::Close(moved) = old.control().await else {
        panic!("not told")
    };
    assert_eq!((moved.reason(), moved.epoch), (CloseReason::Moved, 0));
    talks(&mut worker, &mut new, 1, 1).await;
    // The old one says nothing that counts, and goes without taking anything along.
    old.send(frame_of(1, 1, 9)).await;
    old.send(close_of(1, 99, CloseReason::ClosedByClient)).await;
    drop(old);
    hub.until(|census| census.sessions == 1).await;
    talks(&mut worker, &mut new, 1, 1).await;
    assert_eq!(hub.hub.census().await.channels, 1);
    hub.settled().await;
}

#[tokio::test]
async fn a_channel_moves_to_and_fro() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        browser: mut first,
    } = stage().await;
    open(&mut first, &mut worker, 1, &worker_id).await;
    let mut second = Browser::open(&hub).await;
    for serial in 1..6 {
        let (to, from) = match serial % 2 {
            1 => (&mut second, &mut first),
            _ => (&mut first, &mut second),
        };
        to.send(renew(1, &worker_id, serial, serial - 1)).await;
        assert_eq!(asked(&mut worker).await, (serial, true));
        answer(&mut worker, to, 1, serial).await;
        assert_eq!(closed(from).await, CloseReason::Moved);
        talks(&mut worker, to, 1, serial).await;
    }
    hub.settled().await;
}

#[tokio::test]
async fn a_channel_whose_socket_has_gone_is_attached_again() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    for serial in 1..4 {
        if serial == 1 {
            open(&mut browser, &mut worker, 1, &worker_id).await;
        }
        drop(browser);
        let epoch = serial - 1;
        assert_eq!(
            ended(&mut worker).await,
            (CloseReason::ConnectionLost, epoch)
        );
        hub.until(|census| census.channels + census.sessions == 0)
            .await;
        browser = Browser::open(&hub).await;
        browser.send(renew(1, &worker_id, serial, epoch)).await;
        assert_eq!(asked(&mut worker).await, (serial, true));
        answer(&mut worker, &mut browser, 1, serial).await;
        talks(&mut worker, &mut browser, 1, serial).await;
    }
    hub.settled().await;
}

#[tokio::test]
async fn the_old_socket_may_go_while_the_worker_thinks() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        browser: mut old,
    } = stage().await;
    open(&mut old, &mut worker, 1, &worker_id).await;
    let mut new = Browser::open(&hub).await;
    new.send(renew(1, &worker_id, 1, 0)).await;
    asked(&mut worker).await;
    drop(old);
    hub.until(|census| census.sessions == 1).await;
    // What is of the old keys goes nowhere any more.
    worker.send(frame(1, 1, &[0; 17])).await;
    answer(&mut worker, &mut new, 1, 1).await;
    talks(&mut worker, &mut new, 1, 1).await;
    hub.settled().await;
}

#[tokio::test]
async fn the_new_socket_may_go_while_the_worker_thinks() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        browser: mut old,
    } = stage().await;
    open(&mut old, &mut worker, 1, &worker_id).await;
    let mut new = Browser::open(&hub).await;
    new.send(renew(1, &worker_id, 1, 0)).await;
    asked(&mut worker).await;
    drop(new);
    hub.until(|census| census.sessions == 1).await;
    worker.send(refused(1, 1, RefusalReason::Stale)).await;
    talks(&mut worker, &mut old, 1, 0).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_lost_link_leaves_the_channel_to_be_attached_over_the_next() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let (id, token) = (bundled.worker_id.as_str(), bundled.worker_token.expose());
    let mut worker = TestWorker::link(&hub, token).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, id).await;
    drop(worker);
    assert_eq!(closed(&mut browser).await, CloseReason::ConnectionLost);
    hub.until(|census| census.links + census.channels == 0)
        .await;
    browser.send(renew(1, id, 1, 0)).await;
    let Body::Refused(offline) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!(
        (offline.reason(), offline.serial),
        (RefusalReason::WorkerOffline, 1)
    );
    assert!(offline.retry_after_ms > 0);
    let mut worker = TestWorker::link(&hub, token).await;
    browser.send(renew(1, id, 2, 0)).await;
    assert_eq!(asked(&mut worker).await, (2, true));
    answer(&mut worker, &mut browser, 1, 2).await;
    talks(&mut worker, &mut browser, 1, 2).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_worker_that_dials_anew_takes_its_channels_to_the_new_link() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let (id, token) = (bundled.worker_id.as_str(), bundled.worker_token.expose());
    let mut old = TestWorker::link(&hub, token).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut old, 1, id).await;
    let mut new = TestWorker::link(&hub, token).await;
    assert_eq!(closed(&mut browser).await, CloseReason::ConnectionLost);
    hub.until(|census| census.channels == 0).await;
    browser.send(renew(1, id, 1, 0)).await;
    assert_eq!(asked(&mut new).await, (1, true));
    answer(&mut new, &mut browser, 1, 1).await;
    talks(&mut new, &mut browser, 1, 1).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_hub_that_was_started_again_lets_channels_go_on() {
    let mut hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let id = bundled.worker_id.as_str().to_owned();
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, &id).await;
    let ends = async {
        assert_eq!(closed(&mut browser).await, CloseReason::Draining);
        assert_eq!(ended(&mut worker).await, (CloseReason::Draining, 0));
    };
    tokio::join!(hub.hub.drain(), ends);
    hub.restart().await;
    let bundled = hub.bundled().await;
    assert_eq!(bundled.worker_id.as_str(), id);
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    browser.send(renew(1, &id, 1, 0)).await;
    assert_eq!(asked(&mut worker).await, (1, true));
    answer(&mut worker, &mut browser, 1, 1).await;
    talks(&mut worker, &mut browser, 1, 1).await;
    hub.settled().await;
}

#[tokio::test]
async fn whatever_is_refused_changes_nothing() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let mut other = Browser::open(&hub).await;
    for (serial, over_other) in [(1, false), (2, true), (3, true), (4, false)] {
        let asker = if over_other { &mut other } else { &mut browser };
        asker.send(renew(1, &worker_id, serial, 0)).await;
        asked(&mut worker).await;
        worker
            .send(refused(1, serial, RefusalReason::Handshake))
            .await;
        assert_eq!(refusal(asker).await, (RefusalReason::Handshake, serial));
        talks(&mut worker, &mut browser, 1, 0).await;
    }
    hub.settled().await;
}

#[tokio::test]
async fn what_cannot_be_a_renewal_is_refused_by_its_name() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let mut large = renew(1, &worker_id, 2, 0);
    if let Body::Renew(renew) = &mut large {
        renew.noise = vec![0; 3_193].into();
    }
    for (body, expected) in [
        (renew(1, &worker_id, 0, 0), (RefusalReason::Malformed, 0)),
        (large, (RefusalReason::Malformed, 2)),
        (renew(1, "no/id", 3, 0), (RefusalReason::NotFound, 3)),
        (renew(1, "w_nobody", 4, 0), (RefusalReason::NotFound, 4)),
    ] {
        browser.send(body).await;
        assert_eq!(refusal(&mut browser).await, expected);
    }
    talks(&mut worker, &mut browser, 1, 0).await;
    // A serial that is behind the channel's epoch needs no Worker to be refused.
    browser.send(renew(1, &worker_id, 5, 0)).await;
    asked(&mut worker).await;
    answer(&mut worker, &mut browser, 1, 5).await;
    browser.send(renew(1, &worker_id, 5, 0)).await;
    assert_eq!(refusal(&mut browser).await, (RefusalReason::Stale, 5));
    talks(&mut worker, &mut browser, 1, 5).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_channel_of_another_worker_does_not_exist_and_is_unharmed() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    let (other_id, other_token) = crate::workers::register(&hub, "abcdefghijklmnop", 8).await;
    let other = TestWorker::connect(&hub, &other_token).await.unwrap();
    let hello = crate::support::hello(8);
    other.say(wire::from_worker::Body::Hello(hello)).await;
    hub.until(|census| census.links == 2).await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let mut stranger = Browser::open(&hub).await;
    stranger.send(renew(1, &other_id, 1, 0)).await;
    assert_eq!(refusal(&mut stranger).await, (RefusalReason::NotFound, 1));
    talks(&mut worker, &mut browser, 1, 0).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_worker_that_does_not_know_the_channel_ends_nothing_but_the_attempt() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    browser.send(renew(1, &worker_id, 7, 6)).await;
    assert_eq!(asked(&mut worker).await, (7, true));
    worker.send(refused(1, 7, RefusalReason::Stale)).await;
    assert_eq!(refusal(&mut browser).await, (RefusalReason::Stale, 7));
    assert_eq!(
        ended(&mut worker).await,
        (CloseReason::ConnectionLost, 7),
        "a path less, and no final word"
    );
    hub.until(|census| census.channels == 0).await;
    // The id is free again.
    open(&mut browser, &mut worker, 1, &worker_id).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_close_behind_a_renewal_ends_the_channel_in_its_new_epoch() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let mut new = Browser::open(&hub).await;
    // Over the path that stands, and over another.
    browser.send(renew(1, &worker_id, 1, 0)).await;
    asked(&mut worker).await;
    browser
        .send(close_of(1, 0, CloseReason::ClosedByClient))
        .await;
    assert_eq!(ended(&mut worker).await, (CloseReason::ClosedByClient, 1));
    assert_eq!(closed(&mut browser).await, CloseReason::ClosedByClient);
    open(&mut browser, &mut worker, 2, &worker_id).await;
    new.send(renew(2, &worker_id, 1, 0)).await;
    asked(&mut worker).await;
    new.send(close_of(2, 0, CloseReason::ClosedByClient)).await;
    // The socket is read in order, so the Close is there when this is answered.
    new.ask(3, "w_nobody").await;
    assert_eq!(refusal(&mut new).await.0, RefusalReason::NotFound);
    answer(&mut worker, &mut new, 2, 1).await;
    assert_eq!(ended(&mut worker).await, (CloseReason::ClosedByClient, 1));
    assert_eq!(closed(&mut new).await, CloseReason::ClosedByClient);
    hub.until(|census| census.channels == 0).await;
    hub.settled().await;
}

#[tokio::test]
async fn the_answers_to_older_renewals_reach_who_asked() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    for serial in 1..=3 {
        browser.send(renew(1, &worker_id, serial, 0)).await;
        assert_eq!(asked(&mut worker).await.0, serial);
    }
    for serial in 1..=3 {
        answer(&mut worker, &mut browser, 1, serial).await;
    }
    talks(&mut worker, &mut browser, 1, 3).await;
    hub.settled().await;
}

#[tokio::test]
async fn more_renewals_than_are_remembered_are_told_to_wait() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    for serial in 1..=8 {
        browser.send(renew(1, &worker_id, serial, 0)).await;
        assert_eq!(asked(&mut worker).await.0, serial);
    }
    browser.send(renew(1, &worker_id, 9, 0)).await;
    let Body::Refused(busy) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!((busy.reason(), busy.serial), (RefusalReason::Busy, 9));
    assert!(busy.retry_after_ms > 0);
    answer(&mut worker, &mut browser, 1, 8).await;
    talks(&mut worker, &mut browser, 1, 8).await;
    hub.settled().await;
}

#[tokio::test]
async fn a_worker_that_answers_what_nobody_asked_ends_its_channel() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    worker.send(renewed(1, 4)).await;
    assert_eq!(closed(&mut browser).await, CloseReason::ProtocolError);
    hub.until(|census| census.channels == 0).await;
}

#[tokio::test]
async fn renewals_are_limited_in_time_and_say_when_to_come_back() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.quotas.renewals_burst = 2;
        config.quotas.renewals_per_second = 1;
        config.quotas.opens_burst = 1;
    })
    .await;
    let mut browser = Browser::open(&hub).await;
    for serial in 1..=2 {
        browser.send(renew(1, "w_nobody", serial, 0)).await;
        assert_eq!(
            refusal(&mut browser).await,
            (RefusalReason::NotFound, serial)
        );
    }
    browser.send(renew(1, "w_nobody", 3, 0)).await;
    let Body::Refused(limited) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!(
        (limited.reason(), limited.serial),
        (RefusalReason::Quota, 3)
    );
    assert!((1..=1_000).contains(&limited.retry_after_ms));
    // Opens have a limit of their own.
    browser.ask(2, "w_nobody").await;
    assert_eq!(refusal(&mut browser).await.0, RefusalReason::NotFound);
}

#[tokio::test]
async fn all_channels_of_a_session_come_back_at_once() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    let watch = Stopwatch::start();
    let asking = async {
        for byte in 0..=255 {
            browser.send(renew(byte, &worker_id, 1, 0)).await;
        }
        let mut back = [false; 256];
        while !back.iter().all(|one| *one) {
            match browser.control().await {
                Body::Renewed(renewed) => back[usize::from(renewed.channel_id[0])] = true,
                other => panic!("not renewed: {other:?}"),
            }
        }
    };
    let answering = async {
        for _ in 0..256 {
            let mut body = worker.control().await;
            if let Body::AccessChanged(_) = body {
                body = worker.control().await;
            }
            let Body::Renew(renew) = body else {
                panic!("no Renew: {body:?}")
            };
            worker
                .send(Body::Renewed(wire::Renewed {
                    channel_id: renew.channel_id,
                    serial: 1,
                    noise: vec![8; 56].into(),
                }))
                .await;
        }
    };
    tokio::join!(asking, answering);
    eprintln!("256 channels were back after {:?}", watch.elapsed());
    assert_eq!(hub.hub.census().await.channels, 256);
    assert!(watch.elapsed() < crate::support::PATIENCE);
    hub.settled().await;
}
