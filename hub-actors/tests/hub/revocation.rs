//! What a credential carried ends with it.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use hub_actors::Mode;
use schema::wire::{CloseReason, Opened, Renew, Renewed, control::Body};

use crate::support::{Browser, TestHub, TestWorker, frame, open};

async fn signed_in(hub: &TestHub) -> String {
    let body = format!(r#"{{"accessToken":"{}"}}"#, hub.token());
    let answer = hub.call("AccountService/SignIn", &body).await;
    answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

async fn worker(hub: &TestHub) -> (String, TestWorker) {
    let bearer = format!("Bearer {}", hub.token());
    let headers = [("Authorization", bearer.as_str())];
    let create = format!(
        r#"{{"registrationId":"abcdefghijklmnop","deviceAlgorithm":1,"deviceKey":"{}","deviceTag":"{}"}}"#,
        crate::support::base64(&[3; 32]),
        crate::support::base64(&[4; 64]),
    );
    hub.call_with("WorkerService/CreateRegistrationKey", &create, &headers)
        .await;
    let register = format!(
        r#"{{"registrationId":"abcdefghijklmnop","publicKey":"{}","encryptionMode":2,"tag":"{}"}}"#,
        crate::support::base64(&[7; 1664]),
        crate::support::base64(&[5; 64]),
    );
    let registered = hub
        .call("WorkerRegistration/Register", &register)
        .await
        .json();
    let token = registered["workerToken"].as_str().unwrap();
    let worker = TestWorker::link(hub, token).await;
    (registered["workerId"].as_str().unwrap().to_owned(), worker)
}

#[tokio::test]
async fn signing_out_closes_the_channels_of_that_login_and_of_no_other() {
    let hub = TestHub::hub().await;
    let (worker_id, mut worker) = worker(&hub).await;
    let (mine, other) = (signed_in(&hub).await, signed_in(&hub).await);
    let mut browser = Browser::open_with(&hub, &[("Cookie", &mine)])
        .await
        .ok()
        .unwrap();
    let mut bystander = Browser::open_with(&hub, &[("Cookie", &other)])
        .await
        .ok()
        .unwrap();
    open(&mut browser, &mut worker, 1, &worker_id).await;
    open(&mut bystander, &mut worker, 2, &worker_id).await;

    let headers = [("Cookie", mine.as_str())];
    assert_eq!(
        hub.call_with("AccountService/SignOut", "{}", &headers)
            .await
            .status,
        200
    );
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::Revoked);
    // From here on nothing of the channel passes, however it is sent.
    for correlation in 0..50 {
        worker.send(frame(1, correlation, &[0; 17])).await;
    }
    let Body::Close(heard) = browser.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::Revoked);
    assert_eq!(
        browser.end().await,
        (Some(CloseReason::Revoked), Some(1008))
    );

    bystander.send(frame(2, 1, &[0; 17])).await;
    assert_eq!(worker.frame().await.correlation(), 1);
    assert_eq!(
        Browser::open_with(&hub, &[("Cookie", &mine)])
            .await
            .err()
            .unwrap()
            .0,
        401
    );
    hub.until(|census| census.sessions == 1 && census.channels == 1)
        .await;
}

#[tokio::test]
async fn a_revocation_beats_a_browser_that_has_stopped_reading() {
    let hub = TestHub::hub().await;
    let (worker_id, mut worker) = worker(&hub).await;
    let mine = signed_in(&hub).await;
    let mut browser = Browser::open_with(&hub, &[("Cookie", &mine)])
        .await
        .ok()
        .unwrap();
    open(&mut browser, &mut worker, 1, &worker_id).await;
    // More than the sockets hold, less than the channel's lane.
    for correlation in 0..320 {
        worker.send(frame(1, correlation, &[7; 16_384])).await;
    }
    let headers = [("Cookie", mine.as_str())];
    hub.call_with("AccountService/SignOut", "{}", &headers)
        .await;
    hub.until(|census| census.channels == 0).await;
    let mut got = 0;
    while let Some(message) = browser.next().await {
        if message.is_close() {
            break;
        }
        if message.is_binary() && message.len() > 1_000 {
            got += 1;
        }
    }
    // What the sockets had: the kernel's, and two pieces on the way to it.
    assert!(got < 300, "{got} of 320 frames passed a fallen fence");
}

#[tokio::test]
async fn a_login_that_ends_by_itself_takes_its_channels_along() {
    let hub = TestHub::with(Mode::Hub, |config| config.timeouts.login_ms = 500).await;
    let (worker_id, mut worker) = worker(&hub).await;
    let mine = signed_in(&hub).await;
    let mut browser = Browser::open_with(&hub, &[("Cookie", &mine)])
        .await
        .ok()
        .unwrap();
    open(&mut browser, &mut worker, 1, &worker_id).await;
    let Body::Close(heard) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(heard.reason(), CloseReason::Revoked);
    assert_eq!(
        browser.end().await,
        (Some(CloseReason::Revoked), Some(1008))
    );
    assert_eq!(
        Browser::open_with(&hub, &[("Cookie", &mine)])
            .await
            .err()
            .unwrap()
            .0,
        401
    );
}

#[tokio::test]
async fn no_open_survives_a_revocation_that_races_it() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 1_000;
        config.quotas.opens_burst = 1_000;
    })
    .await;
    let (worker_id, mut worker) = worker(&hub).await;
    let answering = async {
        // Whatever the Worker is asked it grants, so that only the Hub can refuse.
        loop {
            if let Body::Incoming(incoming) = worker.control().await {
                let channel_id = incoming.channel_id;
                worker
                    .send(Body::Opened(Opened {
                        channel_id,
                        ..Opened::default()
                    }))
                    .await;
            }
        }
    };
    let racing = async {
        for round in 0..100_u8 {
            let mine = signed_in(&hub).await;
            let mut browser = Browser::open_with(&hub, &[("Cookie", &mine)])
                .await
                .ok()
                .unwrap();
            let headers = [("Cookie", mine.as_str())];
            let (out, ()) = tokio::join!(
                hub.call_with("AccountService/SignOut", "{}", &headers),
                browser.ask(round, &worker_id),
            );
            assert_eq!(out.status, 200);
            hub.until(|census| census.sessions == 0 && census.channels + census.opening == 0)
                .await;
        }
    };
    tokio::select! {
        () = answering => {}
        () = racing => {}
    }
}

#[tokio::test]
async fn no_renewal_survives_a_revocation_that_races_it() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 1_000;
        config.quotas.opens_burst = 1_000;
    })
    .await;
    let (worker_id, mut worker) = worker(&hub).await;
    let answering = async {
        // Whatever the Worker is asked it grants, so that only the Hub can refuse.
        loop {
            match worker.control().await {
                Body::Incoming(incoming) => {
                    let channel_id = incoming.channel_id;
                    worker
                        .send(Body::Opened(Opened {
                            channel_id,
                            ..Opened::default()
                        }))
                        .await;
                }
                Body::Renew(renew) => {
                    worker
                        .send(Body::Renewed(Renewed {
                            channel_id: renew.channel_id,
                            serial: renew.serial,
                            ..Renewed::default()
                        }))
                        .await;
                }
                _ => {}
            }
        }
    };
    let racing = async {
        for round in 0..60_u8 {
            let (mine, other) = (signed_in(&hub).await, signed_in(&hub).await);
            let mut browser = Browser::open_with(&hub, &[("Cookie", &mine)])
                .await
                .ok()
                .unwrap();
            let mut bystander = Browser::open_with(&hub, &[("Cookie", &other)])
                .await
                .ok()
                .unwrap();
            // Of a channel that stands with another login, and of one that is not at this Hub.
            let is_known = round % 2 == 0;
            if is_known {
                bystander.ask(round, &worker_id).await;
                hub.until(|census| census.channels == 1).await;
            }
            let renew = Renew {
                channel_id: vec![round; 16].into(),
                worker_id: worker_id.clone(),
                serial: 1,
                ..Renew::default()
            };
            let headers = [("Cookie", mine.as_str())];
            let (out, ()) = tokio::join!(
                hub.call_with("AccountService/SignOut", "{}", &headers),
                browser.send(Body::Renew(renew)),
            );
            assert_eq!(out.status, 200);
            // What stood with the other login stands, unless the channel had moved by then.
            hub.until(|census| census.sessions == 1 && census.opening == 0 && census.channels < 2)
                .await;
            drop(bystander);
            hub.until(|census| census.sessions + census.channels + census.opening == 0)
                .await;
        }
    };
    tokio::select! {
        () = answering => {}
        () = racing => {}
    }
}
