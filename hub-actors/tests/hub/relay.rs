//! Channels through the real relay: opaque frames both ways, refusals, breaches.

use hub_actors::Mode;
use schema::wire::{self, CloseReason, LinkGoodbyeReason, RefusalReason, control::Body};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    stage::{Stage, closed, refusal, stage},
    support::{Browser, Stopwatch, TestHub, TestWorker, channel, frame, open},
};

#[tokio::test]
async fn frames_pass_both_ways_unchanged_and_in_order() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    for correlation in 0..200 {
        let sent = frame(
            1,
            correlation,
            &vec![u8::try_from(correlation).unwrap(); 17 + 300],
        );
        browser.send(sent.clone()).await;
        assert_eq!(worker.frame().await, sent);
        worker.send(sent.clone()).await;
        assert_eq!(browser.frame().await, sent);
    }
    let largest = frame(1, 1_000, &vec![9; 65_535]);
    browser.send(largest.clone()).await;
    assert_eq!(worker.frame().await, largest);
    worker.send(largest.clone()).await;
    assert_eq!(browser.frame().await, largest);
    let census = hub.hub.census().await;
    assert_eq!((census.sessions, census.links, census.channels), (1, 1, 1));
}

#[tokio::test]
async fn the_worker_hears_who_and_what_is_granted() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    browser.ask(1, &worker_id).await;
    let Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    assert_eq!(incoming.user_id, hub.hub.admin_user().as_str());
    assert!(!incoming.organisation_id.is_empty());
    assert_eq!(incoming.workspaces.len(), 1);
    assert_eq!(incoming.workspaces[0].role(), wire::Role::Owner);
    assert_eq!(&incoming.noise[..], b"message 1");
}

#[tokio::test]
async fn a_close_by_either_end_reaches_the_other_and_frees_everything() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let close = |reason: CloseReason| {
        Body::Close(wire::Close {
            channel_id: vec![1; 16].into(),
            epoch: 0,
            reason: reason.into(),
        })
    };
    browser.send(close(CloseReason::ClosedByClient)).await;
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::ClosedByClient);
    hub.until(|census| census.channels == 0).await;

    assert_eq!(closed(&mut browser).await, CloseReason::ClosedByClient);
    open(&mut browser, &mut worker, 1, &worker_id).await;
    worker.send(close(CloseReason::ClosedByWorker)).await;
    assert_eq!(closed(&mut browser).await, CloseReason::ClosedByWorker);
    hub.until(|census| census.channels == 0).await;
}

#[tokio::test]
async fn a_worker_that_is_unknown_foreign_or_no_id_is_one_and_the_same_answer() {
    let Stage {
        hub: _hub,
        worker: _worker,
        mut browser,
        ..
    } = stage().await;
    for (id, worker) in [(1, "w_nobody"), (2, ""), (3, "no/id"), (4, "\u{1F600}")] {
        browser.ask(id, worker).await;
        assert_eq!(
            refusal(&mut browser).await,
            RefusalReason::NotFound,
            "{worker}"
        );
    }
}

#[tokio::test]
async fn an_offline_worker_and_a_taken_id_are_refused_by_their_names() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    browser.ask(1, &worker_id).await;
    assert_eq!(refusal(&mut browser).await, RefusalReason::Duplicate);
    drop(worker);
    assert_eq!(closed(&mut browser).await, CloseReason::ConnectionLost);
    hub.until(|census| census.links == 0).await;
    browser.ask(2, &worker_id).await;
    assert_eq!(refusal(&mut browser).await, RefusalReason::WorkerOffline);
}

#[tokio::test]
async fn what_the_worker_refuses_the_browser_hears() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    browser.ask(1, &worker_id).await;
    let Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    let refused = wire::Refused {
        channel_id: incoming.channel_id,
        reason: RefusalReason::Busy.into(),
        retry_after_ms: 1_234,
        serial: 0,
    };
    worker.send(Body::Refused(refused)).await;
    let Body::Refused(heard) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!(
        (heard.reason(), heard.retry_after_ms),
        (RefusalReason::Busy, 1_234)
    );
    hub.until(|census| census.channels == 0).await;
}

#[tokio::test]
async fn one_worker_cannot_answer_for_another() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    let (other_id, other_token) = crate::workers::register(&hub, "abcdefghijklmnop", 8).await;
    let mut other = TestWorker::connect(&hub, &other_token).await.unwrap();
    other
        .say(wire::from_worker::Body::Hello(crate::support::hello(8)))
        .await;
    other.next().await.unwrap();
    assert_ne!(other_id, worker_id);

    browser.ask(1, &worker_id).await;
    let Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    let forged = wire::Opened {
        channel_id: incoming.channel_id.clone(),
        ..wire::Opened::default()
    };
    other.send(Body::Opened(forged)).await;
    let opened = wire::Opened {
        channel_id: incoming.channel_id,
        noise: bytes::Bytes::from_static(b"the real one"),
        max_message_bytes: 0,
    };
    worker.send(Body::Opened(opened)).await;
    let Body::Opened(heard) = browser.control().await else {
        panic!("not opened")
    };
    assert_eq!(&heard.noise[..], b"the real one");
}

#[tokio::test]
async fn a_first_message_that_no_handshake_has_is_refused_by_its_name() {
    let Stage {
        mut worker,
        worker_id,
        mut browser,
        hub: _hub,
    } = stage().await;
    for (id, length) in [(1, 3_184), (2, 3_185)] {
        let open = wire::Open {
            channel_id: vec![id; 16].into(),
            worker_id: worker_id.clone(),
            noise: vec![9; length].into(),
            ..wire::Open::default()
        };
        browser.send(Body::Open(open)).await;
    }
    assert_eq!(refusal(&mut browser).await, RefusalReason::Malformed);
    let Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    assert_eq!(incoming.noise.len(), 3_184);
}

#[tokio::test]
async fn a_breach_closes_its_channel_only_and_both_ends_hear_the_reason() {
    let Stage {
        hub: _hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    open(&mut browser, &mut worker, 2, &worker_id).await;
    browser.send(frame(1, 1, &[0; 16])).await;
    assert_eq!(closed(&mut browser).await, CloseReason::FrameSize);
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::FrameSize);
    browser.send(frame(2, 1, &[0; 17])).await;
    assert_eq!(worker.frame().await.channel(), channel(2));
}

#[tokio::test]
async fn the_sixteenth_foreign_frame_ends_the_session() {
    let Stage {
        hub, mut browser, ..
    } = stage().await;
    for correlation in 0..16 {
        browser.send(frame(9, correlation, &[0; 17])).await;
    }
    let (goodbye, code) = browser.end().await;
    assert_eq!(goodbye, Some(CloseReason::ForeignChannel));
    assert_eq!(code, Some(1008));
    hub.until(|census| census.sessions == 0).await;
}

#[tokio::test]
async fn the_sixteenth_foreign_frame_ends_the_link() {
    let Stage {
        hub, mut worker, ..
    } = stage().await;
    for correlation in 0..16 {
        worker.send(frame(9, correlation, &[0; 17])).await;
    }
    let goodbye = worker.end().await.unwrap();
    assert_eq!(goodbye.reason(), LinkGoodbyeReason::Offender);
    hub.until(|census| census.links == 0).await;
}

#[tokio::test]
async fn whoever_keeps_breaking_rules_loses_the_connection() {
    let Stage {
        hub: _hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    for id in 0..16 {
        open(&mut browser, &mut worker, id, &worker_id).await;
        browser.send(frame(id, 1, &[0; 16])).await;
        assert_eq!(closed(&mut browser).await, CloseReason::FrameSize);
        let Body::Close(_) = worker.control().await else {
            panic!("no Close")
        };
    }
    assert_eq!(browser.end().await.0, Some(CloseReason::ProtocolError));
}

#[tokio::test]
async fn an_undecodable_message_ends_the_session_and_nothing_else() {
    let garbage: [&[u8]; 8] = [
        b"",
        b"\x02",
        b"\x00",
        &[0; 29],
        b"\x01",
        b"\x01\xff\xff\xff",
        b"\x01\x0a\xff\xff\xff\xff\x0f",
        &[0xff; 4_096],
    ];
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    for bytes in garbage {
        let mut other = Browser::open(&hub).await;
        other.send_raw(Message::Binary(bytes.to_vec().into())).await;
        let (goodbye, code) = other.end().await;
        assert_eq!(
            (goodbye, code),
            (Some(CloseReason::ProtocolError), Some(1002)),
            "{bytes:?}"
        );
    }
    let mut other = Browser::open(&hub).await;
    other.send_raw(Message::Text("hello".into())).await;
    assert_eq!(other.end().await.0, Some(CloseReason::ProtocolError));
    browser.send(frame(1, 1, &[0; 17])).await;
    assert_eq!(worker.frame().await.correlation(), 1);
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_session_before_it_is_kept() {
    let Stage { hub, .. } = stage().await;
    let mut browser = Browser::open(&hub).await;
    browser
        .send_raw(Message::Binary(vec![0; 128 * 1024 + 1].into()))
        .await;
    assert_eq!(browser.end().await.0, Some(CloseReason::ProtocolError));
    hub.until(|census| census.sessions == 0).await;
}

#[tokio::test]
async fn control_messages_of_the_other_direction_end_the_session() {
    let Stage { hub, .. } = stage().await;
    for body in [
        Body::Incoming(wire::Incoming::default()),
        Body::Opened(wire::Opened::default()),
        Body::AccessChanged(wire::AccessChanged::default()),
        Body::Goodbye(wire::Goodbye::default()),
        Body::Open(wire::Open {
            channel_id: vec![1; 15].into(),
            ..wire::Open::default()
        }),
    ] {
        let mut browser = Browser::open(&hub).await;
        browser.send(body).await;
        assert_eq!(browser.end().await.0, Some(CloseReason::ProtocolError));
    }
}

#[tokio::test]
async fn a_session_that_goes_takes_its_channels_along() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    drop(browser);
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::ConnectionLost);
    hub.until(|census| census.sessions == 0 && census.channels == 0)
        .await;
    drop(worker);
    hub.until(|census| census.is_empty()).await;
}

#[tokio::test]
async fn quotas_name_themselves_and_when_to_come_back() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.quotas.channels_per_user = 1;
        config.quotas.sessions_per_user = 2;
    })
    .await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, bundled.worker_id.as_str()).await;
    browser.ask(2, bundled.worker_id.as_str()).await;
    let Body::Refused(refused) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!(refused.reason(), RefusalReason::Quota);
    assert!(refused.retry_after_ms > 0);
    let _second = Browser::open(&hub).await;
    assert_eq!(Browser::open_with(&hub, &[]).await.err().unwrap().0, 429);
}

#[tokio::test]
async fn opens_are_limited_in_time_whatever_they_ask_for() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.quotas.opens_burst = 2;
        config.quotas.opens_per_second = 1;
    })
    .await;
    let mut browser = Browser::open(&hub).await;
    for id in 0..2 {
        browser.ask(id, "w_nobody").await;
        assert_eq!(refusal(&mut browser).await, RefusalReason::NotFound);
    }
    browser.ask(2, "w_nobody").await;
    let Body::Refused(refused) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!(refused.reason(), RefusalReason::Quota);
    assert!((1..=1_000).contains(&refused.retry_after_ms));
}

#[tokio::test]
async fn a_close_on_the_heels_of_its_open_leaves_nothing_behind() {
    let Stage {
        hub,
        worker,
        worker_id,
        mut browser,
    } = stage().await;
    for id in 0..40 {
        browser.ask(id, &worker_id).await;
        let close = wire::Close {
            channel_id: vec![id; 16].into(),
            epoch: 0,
            reason: CloseReason::ClosedByClient.into(),
        };
        browser.send(Body::Close(close)).await;
        assert_eq!(closed(&mut browser).await, CloseReason::ClosedByClient);
    }
    hub.until(|census| census.channels + census.opening == 0)
        .await;
    // The session is no offender by that, and its ids are free.
    browser.ask(0, &worker_id).await;
    hub.until(|census| census.channels == 1).await;
    drop(worker);
}

#[tokio::test]
async fn the_last_word_before_a_connection_breaks_is_heard() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        ..
    } = stage().await;
    for id in 0..20 {
        let mut browser = Browser::open(&hub).await;
        open(&mut browser, &mut worker, id, &worker_id).await;
        let close = wire::Close {
            channel_id: vec![id; 16].into(),
            epoch: 0,
            reason: CloseReason::ClosedByClient.into(),
        };
        browser.send(Body::Close(close)).await;
        drop(browser);
        let Body::Close(heard) = worker.control().await else {
            panic!("no Close")
        };
        assert_eq!(heard.reason(), CloseReason::ClosedByClient);
    }
}

#[tokio::test]
async fn a_browser_that_stops_reading_loses_its_channel_and_the_hub_no_memory() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let watch = Stopwatch::start();
    let mut sent = 0_u64;
    // The browser reads nothing; its channel's window fills, and the channel ends.
    let ended = loop {
        for _ in 0..64 {
            worker.send(frame(1, sent, &[7; 1_024])).await;
            sent += 1;
        }
        if hub.hub.census().await.channels == 0 {
            break true;
        }
        if watch.elapsed() > crate::support::PATIENCE {
            break false;
        }
    };
    assert!(ended, "{sent} frames were taken");
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::TooSlow);
}

#[tokio::test]
async fn a_message_in_fragments_is_one_message() {
    let Stage {
        hub: _hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let whole = frame(1, 1, &[3; 1_000]);
    let raw = whole.as_bytes();
    let part = |range: std::ops::Range<usize>, opcode, is_last| {
        Message::Frame(Frame::message(
            raw.slice(range),
            OpCode::Data(opcode),
            is_last,
        ))
    };
    browser.send_raw(part(0..7, Data::Binary, false)).await;
    browser.send_raw(part(7..400, Data::Continue, false)).await;
    browser
        .send_raw(part(400..raw.len(), Data::Continue, true))
        .await;
    assert_eq!(worker.frame().await, whole);
}

#[tokio::test]
async fn a_socket_that_takes_no_byte_is_closed_by_the_edge() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.write_stall_ms = 200).await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, bundled.worker_id.as_str()).await;
    // More than the sockets hold, less than the channel's lane.
    for correlation in 0..320 {
        worker.send(frame(1, correlation, &[7; 16_384])).await;
    }
    hub.until(|census| census.sessions == 0 && census.channels == 0)
        .await;
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::ConnectionLost);
}

#[tokio::test]
async fn a_browser_that_answers_no_ping_is_let_go() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.timeouts.ping_after_ms = 40;
        config.timeouts.session_dead_ms = 200;
    })
    .await;
    // It is not polled, so it answers nothing.
    let _silent = Browser::open(&hub).await;
    assert_eq!(hub.hub.census().await.sessions, 1);
    hub.until(|census| census.sessions == 0).await;
}
