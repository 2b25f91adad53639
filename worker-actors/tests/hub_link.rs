//! The link to a Hub that a test plays.

mod support;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Algorithm, Mode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use schema::wire::{self, from_worker, to_worker};
use support::{
    PATIENCE,
    hub::{OWNER, TOKEN, TestHub, WORKER, credentials, device, quick},
};
use tempfile::tempdir;
use tonic::{Status, transport::Identity};
use worker_actors::{
    Credentials, EndReason, LinkState, StartError, Worker, WorkerConfig, devices, farewell,
    registration,
};
use zeroize::Zeroizing;

async fn until(worker: &Worker, holds: impl Fn(LinkState) -> bool) -> LinkState {
    let mut states = worker.watch();
    let waiting = states.wait_for(|state| holds(*state));
    *tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("in time")
        .expect("a state")
}

#[tokio::test]
async fn a_worker_says_hello_with_its_token_key_and_live_mode() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let (worker, link) = hub.worker(hub.config(folder.path())).await;
    assert_eq!(link.authorization, format!("Bearer {TOKEN}"));
    assert_eq!(link.hello.encryption_mode(), wire::EncryptionMode::Classic);
    assert_eq!(link.hello.public_key, worker.public_key().as_bytes());
    assert_eq!(worker.words(), crypto::fingerprint(&link.hello.public_key));
    until(&worker, |state| state == LinkState::Connected).await;
    worker.stop().await;
}

#[tokio::test]
async fn silence_is_asked_about_and_an_answer_keeps_the_link() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let (worker, mut link) = hub.worker(hub.config(folder.path())).await;
    // Longer than it takes to be found dead.
    for _ in 0..6 {
        let Some(from_worker::Body::Heartbeat(asked)) = link.hear().await else {
            panic!("no heartbeat")
        };
        assert_eq!(asked.nonce % 2, 1);
        link.say(to_worker::Body::Heartbeat(wire::Heartbeat {
            nonce: asked.nonce + 1,
        }))
        .await;
    }
    assert_eq!(worker.state(), LinkState::Connected);
    link.say(to_worker::Body::Heartbeat(wire::Heartbeat { nonce: 41 }))
        .await;
    let answered = async {
        while !matches!(link.hear().await, Some(from_worker::Body::Heartbeat(answer)) if answer.nonce == 42)
        {
        }
    };
    assert!(tokio::time::timeout(PATIENCE, answered).await.is_ok());
    worker.stop().await;
}

#[tokio::test]
async fn a_silent_hub_is_given_up_and_dialled_again() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let (worker, mut link) = hub.worker(hub.config(folder.path())).await;
    let hung_up = async { while link.hear().await.is_some() {} };
    assert!(tokio::time::timeout(PATIENCE, hung_up).await.is_ok());
    let _second = hub.welcomed().await;
    until(&worker, |state| state == LinkState::Connected).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_goodbyes_delay_is_honoured_once() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let (worker, link) = hub.worker(hub.config(folder.path())).await;
    until(&worker, |state| state == LinkState::Connected).await;
    let told = Duration::from_millis(777);
    link.goodbye(wire::LinkGoodbyeReason::Draining, told).await;
    let waits = until(&worker, |state| matches!(state, LinkState::Waiting { .. })).await;
    assert_eq!(waits, LinkState::Waiting { retry_after: told });
    let link = hub.welcomed().await;
    until(&worker, |state| state == LinkState::Connected).await;
    drop(link);
    let waits = until(&worker, |state| matches!(state, LinkState::Waiting { .. })).await;
    let LinkState::Waiting { retry_after } = waits else {
        panic!("{waits:?}")
    };
    assert!(retry_after < Duration::from_millis(100), "{retry_after:?}");
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_was_deregistered_ends_and_says_why() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let (worker, link) = hub.worker(hub.config(folder.path())).await;
    link.goodbye(wire::LinkGoodbyeReason::Deregistered, Duration::ZERO)
        .await;
    let ended = tokio::time::timeout(PATIENCE, worker.ended()).await;
    assert_eq!(ended, Ok(EndReason::Deregistered));
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_forgets_its_registration_once_the_hub_has_taken_its_word() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let config = hub.config(folder.path());
    let (worker, link) = hub.worker(config.clone()).await;
    link.goodbye(wire::LinkGoodbyeReason::Deregistered, Duration::ZERO)
        .await;
    let ended = tokio::time::timeout(PATIENCE, worker.ended()).await;
    assert_eq!(ended, Ok(EndReason::Deregistered));
    worker.stop().await;
    // A goodbye alone makes nobody forget anything.
    let kept = registration::stored(folder.path()).expect("kept");
    assert!(kept.is_some());
    farewell::leave(&config).await.expect("the Hub takes it");
    hub.farewell().await;
    let kept = registration::stored(folder.path()).expect("forgotten");
    assert!(kept.is_none() && folder.path().join("identity.key").exists());
    let again = farewell::leave(&config).await;
    assert!(matches!(again, Err(farewell::FarewellError::Nowhere)));
}

#[tokio::test]
async fn a_hub_that_knows_no_such_worker_makes_it_forget_nothing() {
    let folder = tempdir().expect("a folder");
    let hub = TestHub::start().await;
    let strange = Credentials {
        token: Zeroizing::new("another token".to_owned()),
        ..credentials()
    };
    worker_actors::hub_state::store(folder.path(), &strange).expect("stored");
    let refused = farewell::leave(&hub.config(folder.path())).await;
    assert!(matches!(refused, Err(farewell::FarewellError::Unknown)));
    assert!(registration::stored(folder.path()).expect("kept").is_some());
}

#[tokio::test]
async fn a_hub_that_names_another_owner_changes_nothing_before_the_machines_own_word() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let config = hub.config(folder.path());
    let worker = Worker::start(config, credentials()).await.expect("a start");
    let link = hub.link().await;
    link.say(to_worker::Body::Welcome(wire::WorkerWelcome {
        worker_id: WORKER.to_owned(),
        owner_user_id: "eve".to_owned(),
        ..wire::WorkerWelcome::default()
    }))
    .await;
    until(&worker, |state| state == LinkState::Connected).await;
    worker.stop().await;
    let owner = || {
        registration::stored(folder.path())
            .expect("kept")
            .expect("some")
            .owner
    };
    assert_eq!(owner().as_str(), OWNER);
    let eve = schema::ids::UserId::parse("eve").expect("an id");
    farewell::accept_owner(folder.path(), eve).expect("accepted");
    assert_eq!(owner().as_str(), "eve");
}

#[tokio::test]
async fn what_no_hub_may_send_ends_the_stream_and_nothing_else() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let (worker, mut link) = hub.worker(hub.config(folder.path())).await;
    for nonsense in [&b""[..], b"\x00short", b"\x01\xff\xff\xff", b"\x07"] {
        link.say(to_worker::Body::Relay(nonsense.to_vec().into()))
            .await;
        let hung_up = async { while link.hear().await.is_some() {} };
        assert!(
            tokio::time::timeout(PATIENCE, hung_up).await.is_ok(),
            "{nonsense:?}"
        );
        link = hub.welcomed().await;
    }
    until(&worker, |state| state == LinkState::Connected).await;
    worker.stop().await;
}

#[tokio::test]
async fn only_the_hubs_own_word_ends_a_worker() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let worker = Worker::start(hub.config(folder.path()), credentials())
        .await
        .expect("a worker");
    // A proxy may say these, before the Hub is reached and in the middle.
    for status in [
        Status::unauthenticated("log in"),
        Status::permission_denied("maintenance"),
    ] {
        let link = hub.link().await;
        link.to.send(Err(status.clone())).await.expect("a worker");
        let link = hub.welcomed().await;
        link.to.send(Err(status)).await.expect("a worker");
    }
    let link = hub.link().await;
    let unknown = Status::unauthenticated(wire::UNKNOWN_WORKER_TOKEN);
    link.to.send(Err(unknown)).await.expect("a worker");
    let ended = tokio::time::timeout(PATIENCE, worker.ended()).await;
    assert_eq!(ended, Ok(EndReason::Deregistered));
    worker.stop().await;
}

#[tokio::test]
async fn the_bundled_worker_knows_its_owner_and_dials_once() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let Credentials {
        worker_id,
        token,
        owner,
        ..
    } = credentials();
    let bundled = Credentials::bundled(worker_id, token, owner.clone());
    let worker = Worker::start(hub.config(folder.path()), bundled)
        .await
        .expect("a worker");
    let _link = hub.welcomed().await;
    until(&worker, |state| state == LinkState::Connected).await;
    let kept = registration::stored(folder.path())
        .expect("a state")
        .expect("credentials");
    assert_eq!((kept.owner, kept.first_use), (owner, true));
    worker.stop().await;
}

/// A certificate authority's PEM, and a certificate of it for `localhost`.
fn certificates() -> (String, Identity) {
    let mut about = CertificateParams::new(Vec::new()).expect("parameters");
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = about.self_signed(&key).expect("an authority");
    let issuer = Issuer::new(about, key);
    let leaf_key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".into()]).expect("parameters");
    let leaf = leaf.signed_by(&leaf_key, &issuer).expect("a certificate");
    (
        authority.pem(),
        Identity::from_pem(leaf.pem(), leaf_key.serialize_pem()),
    )
}

#[tokio::test]
async fn tls_holds_with_the_right_authority_and_with_no_other() {
    let folder = tempdir().expect("a folder");
    let (authority, identity) = certificates();
    let (stranger, _) = certificates();
    let mut hub = TestHub::with_tls(identity).await;
    let file = folder.path().join("authorities.pem");
    let config = || WorkerConfig {
        ca_file: Some(file.clone()),
        ..hub.config(folder.path())
    };
    let refused = [Some(stranger.as_str()), None];
    for pem in refused {
        let config = WorkerConfig {
            ca_file: pem.map(|_| file.clone()),
            ..config()
        };
        std::fs::write(&file, pem.unwrap_or_default()).expect("a file");
        let worker = Worker::start(config, credentials())
            .await
            .expect("a worker");
        until(&worker, |state| matches!(state, LinkState::Waiting { .. })).await;
        worker.stop().await;
    }
    std::fs::write(&file, authority).expect("a file");
    let config = config();
    let (worker, _link) = hub.worker(config).await;
    until(&worker, |state| state == LinkState::Connected).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_hub_on_a_unix_socket_is_reached_without_any_port() {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::on_socket(&folder.path().join("hub.sock"));
    let config = hub.config(&folder.path().join("worker"));
    let (worker, _link) = hub.worker(config).await;
    until(&worker, |state| state == LinkState::Connected).await;
    worker.stop().await;
}

#[tokio::test]
async fn an_unreachable_hub_is_dialled_until_it_is_there() {
    let folder = tempdir().expect("a folder");
    let config = WorkerConfig {
        hub: "http://127.0.0.1:1".into(),
        data_dir: folder.path().to_owned(),
        timings: quick(),
        ..WorkerConfig::default()
    };
    let worker = Worker::start(config, credentials())
        .await
        .expect("a worker");
    until(&worker, |state| matches!(state, LinkState::Waiting { .. })).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_says_so_in_one_line() {
    let folder = tempdir().expect("a folder");
    let config = |hub: &str| WorkerConfig {
        hub: hub.into(),
        data_dir: folder.path().to_owned(),
        ..WorkerConfig::default()
    };
    let start = async |hub: &str| Worker::start(config(hub), credentials()).await.map(drop);
    let address = start("ftp://hub").await.expect_err("an error");
    assert!(matches!(address, StartError::Address(_)));
    std::fs::write(folder.path().join("identity.key"), "damaged").expect("a file");
    let key = start("http://127.0.0.1:1").await.expect_err("an error");
    assert!(matches!(key, StartError::Identity(_)));
    for error in [address, key] {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn registration_sends_no_secret_and_trusts_the_registering_device() {
    let folder = tempdir().expect("a folder");
    let (secret, device) = ([9; 32], device());
    let key = device.public_bytes(Mode::PostQuantum);
    let sent_key = key.clone();
    let registrar = move |request: wire::RegisterRequest| {
        let tag = crypto::verify_worker_tag(
            &secret,
            &request.registration_id,
            &request.public_key,
            &request.tag,
        );
        tag.map_err(|_| Status::permission_denied("tag"))?;
        let algorithm = Algorithm::Ed25519MlDsa65;
        let tag = crypto::device_tag(&secret, "reg", OWNER, algorithm, &sent_key).expect("a tag");
        Ok(wire::RegisterResponse {
            worker_id: WORKER.into(),
            worker_token: "new token".into(),
            user_id: OWNER.into(),
            device_algorithm: 2,
            device_key: sent_key.clone().into(),
            device_tag: tag.to_vec().into(),
        })
    };
    let hub = TestHub::registering(Box::new(registrar)).await;
    let config = hub.config(folder.path());
    let wrong = format!("reg.{}", URL_SAFE_NO_PAD.encode([8; 32]));
    assert!(registration::register(&config, &wrong).await.is_err());
    assert!(
        registration::stored(folder.path())
            .expect("a state")
            .is_none()
    );
    let right = format!("reg.{}", URL_SAFE_NO_PAD.encode(secret));
    let registered = registration::register(&config, &right)
        .await
        .expect("registered");
    assert_eq!(registered.device_words, crypto::fingerprint(&key));
    let kept = registration::stored(folder.path())
        .expect("a state")
        .expect("credentials");
    assert_eq!(kept.token, Zeroizing::new("new token".to_owned()));
    assert!(!kept.first_use);
    assert_eq!(kept.hub.as_ref().map(|known| &known.url), Some(&hub.url));
    let unnamed = WorkerConfig {
        hub: String::new(),
        ..config
    };
    let mut hub = hub;
    let worker = Worker::start(unnamed, kept).await.expect("a worker");
    assert_eq!(hub.welcomed().await.authorization, "Bearer new token");
    worker.stop().await;
    let listed = devices::list(folder.path()).expect("devices");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].label.as_str(), &listed[0].key[..]),
        ("registration", &key[..])
    );
}
