//! The Worker's door: tokens, Hello, heartbeats, replacement, garbage.

use hub_actors::Mode;
use schema::wire::{self, LinkGoodbyeReason, control::Body, from_worker, to_worker};
use tonic::Code;

use crate::support::{Browser, TestHub, TestWorker, frame, hello, open, public_key};

#[tokio::test]
async fn a_wrong_token_is_refused_with_its_grpc_code() {
    let hub = TestHub::solo().await;
    hub.bundled().await;
    for token in [
        "",
        "nobody",
        "lmw_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let refused = TestWorker::connect(&hub, token).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    assert!(hub.hub.census().await.is_empty());
}

#[tokio::test]
async fn welcome_says_how_to_stay_alive() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::connect(&hub, bundled.worker_token.expose())
        .await
        .unwrap();
    worker.say(from_worker::Body::Hello(hello(7))).await;
    let Some(to_worker::Body::Welcome(welcome)) = worker.next().await else {
        panic!("no welcome")
    };
    assert_eq!(welcome.worker_id, bundled.worker_id.as_str());
    assert_eq!(welcome.owner_user_id, hub.hub.admin_user().as_str());
    assert_eq!(
        (welcome.heartbeat_after_ms, welcome.dead_after_ms),
        (5_000, 10_000)
    );
}

#[tokio::test]
async fn a_worker_may_answer_for_thousands_of_channels_at_once() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, bundled.worker_id.as_str()).await;
    for change in 0..12_000 {
        let acknowledged = wire::AccessAcknowledged {
            channel_id: vec![1; 16].into(),
            change,
        };
        worker.send(Body::AccessAcknowledged(acknowledged)).await;
    }
    worker
        .say(from_worker::Body::Heartbeat(wire::Heartbeat { nonce: 1 }))
        .await;
    let answer = worker.next().await;
    assert_eq!(
        answer,
        Some(to_worker::Body::Heartbeat(wire::Heartbeat { nonce: 2 }))
    );
}

#[tokio::test]
async fn a_question_is_answered_with_its_number_and_one() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    worker
        .say(from_worker::Body::Heartbeat(wire::Heartbeat { nonce: 41 }))
        .await;
    let answer = worker.next().await;
    assert_eq!(
        answer,
        Some(to_worker::Body::Heartbeat(wire::Heartbeat { nonce: 42 }))
    );
}

#[tokio::test]
async fn a_link_without_hello_is_let_go() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.timeouts.hello_ms = 50;
        config.timeouts.link_tick_ms = 10;
    })
    .await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::connect(&hub, bundled.worker_token.expose())
        .await
        .unwrap();
    assert_eq!(
        worker.end().await.unwrap().reason(),
        LinkGoodbyeReason::ProtocolError
    );
}

#[tokio::test]
async fn silence_is_asked_about_and_then_ends_the_link() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.timeouts.link_tick_ms = 10;
        config.timeouts.heartbeat_after_ms = 50;
        config.timeouts.link_dead_ms = 200;
    })
    .await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let Some(to_worker::Body::Heartbeat(question)) = worker.next().await else {
        panic!("no heartbeat")
    };
    assert_eq!(question.nonce % 2, 1);
    assert_eq!(worker.end().await, None);
    hub.until(|census| census.links == 0).await;
}

#[tokio::test]
async fn a_newer_link_of_the_same_worker_wins() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut old = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let _new = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    assert_eq!(
        old.end().await.unwrap().reason(),
        LinkGoodbyeReason::Replaced
    );
    assert_eq!(hub.hub.census().await.links, 1);
    let listed = hub.call("WorkerService/ListWorkers", "{}").await.json();
    assert_eq!(listed["workers"][0]["online"], true);
}

#[tokio::test]
async fn a_hello_that_is_not_the_registered_worker_s_is_refused() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let wrong = [
        wire::WorkerHello {
            public_key: public_key(8),
            ..hello(7)
        },
        wire::WorkerHello {
            public_key: bytes::Bytes::new(),
            ..hello(7)
        },
        wire::WorkerHello {
            encryption_mode: 0,
            ..hello(7)
        },
        wire::WorkerHello {
            encryption_mode: 77,
            ..hello(7)
        },
        wire::WorkerHello {
            version: "x".repeat(65),
            ..hello(7)
        },
        wire::WorkerHello {
            version: "1\n2".to_owned(),
            ..hello(7)
        },
    ];
    for said in wrong {
        let mut worker = TestWorker::connect(&hub, bundled.worker_token.expose())
            .await
            .unwrap();
        worker.say(from_worker::Body::Hello(said)).await;
        assert_eq!(
            worker.end().await.unwrap().reason(),
            LinkGoodbyeReason::ProtocolError
        );
    }
    assert_eq!(hub.hub.census().await.links, 0);
}

#[tokio::test]
async fn garbage_on_a_link_ends_it_by_name() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let garbage = [
        from_worker::Body::Relay(bytes::Bytes::new()),
        from_worker::Body::Relay(bytes::Bytes::from_static(b"\x07what")),
        from_worker::Body::Relay(bytes::Bytes::from_static(&[0; 29])),
        from_worker::Body::Relay(bytes::Bytes::from_static(b"\x01\xff\xff")),
        from_worker::Body::Hello(hello(7)),
    ];
    for said in garbage {
        let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
        worker.say(said).await;
        assert_eq!(
            worker.end().await.unwrap().reason(),
            LinkGoodbyeReason::ProtocolError
        );
    }
    for body in [
        Body::Open(wire::Open::default()),
        Body::Goodbye(wire::Goodbye::default()),
    ] {
        let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
        worker.send(body).await;
        assert_eq!(
            worker.end().await.unwrap().reason(),
            LinkGoodbyeReason::ProtocolError
        );
    }
    hub.until(|census| census.links == 0).await;
}

#[tokio::test]
async fn frames_before_hello_end_the_link() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::connect(&hub, bundled.worker_token.expose())
        .await
        .unwrap();
    worker.send(frame(1, 1, &[0; 17])).await;
    assert_eq!(
        worker.end().await.unwrap().reason(),
        LinkGoodbyeReason::ProtocolError
    );
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_link() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    worker
        .say(from_worker::Body::Relay(vec![0; 128 * 1024 + 65].into()))
        .await;
    assert_eq!(worker.end().await, None);
    hub.until(|census| census.links == 0).await;
}
