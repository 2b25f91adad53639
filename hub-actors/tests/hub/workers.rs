//! Registration keys, registration, and what is said of Workers.

use hub_actors::Mode;
use schema::wire::{
    RegisterRequest, worker_registration_client::WorkerRegistrationClient,
    worker_service_client::WorkerServiceClient,
};
use tonic::Code;

use crate::support::{TestHub, TestWorker, base64, public_key};

const KEY: &str = "abcdefghijklmnop";

fn create(id: &str) -> String {
    format!(
        r#"{{"registrationId":"{id}","deviceAlgorithm":2,"deviceKey":"{}","deviceTag":"{}","workerName":"desk"}}"#,
        base64(&[3; 1_984]),
        base64(&[4; 64]),
    )
}

fn request(id: &str, byte: u8) -> RegisterRequest {
    RegisterRequest {
        registration_id: id.to_owned(),
        public_key: public_key(byte),
        encryption_mode: 2,
        tag: vec![5; 64].into(),
        version: "1.0".to_owned(),
    }
}

async fn client(hub: &TestHub) -> tonic::transport::Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", hub.addr()));
    endpoint.unwrap().connect().await.unwrap()
}

/// Registers a Worker with a key of its own; its id and token.
pub(crate) async fn register(hub: &TestHub, id: &str, byte: u8) -> (String, String) {
    assert_eq!(
        hub.call("WorkerService/CreateRegistrationKey", &create(id))
            .await
            .status,
        200
    );
    let mut client = WorkerRegistrationClient::new(client(hub).await);
    let registered = client
        .register(request(id, byte))
        .await
        .unwrap()
        .into_inner();
    (registered.worker_id, registered.worker_token)
}

#[tokio::test]
async fn a_key_makes_one_worker_and_relays_both_tags() {
    let hub = TestHub::solo().await;
    let created = hub
        .call("WorkerService/CreateRegistrationKey", &create(KEY))
        .await;
    assert_eq!(created.status, 200);
    assert!(created.json()["expiresUnixMs"].as_str().unwrap().len() >= 13);

    let mut client = WorkerRegistrationClient::new(client(&hub).await);
    let registered = client.register(request(KEY, 9)).await.unwrap().into_inner();
    assert_eq!(registered.user_id, hub.hub.admin_user().as_str());
    assert_eq!(registered.device_algorithm, 2);
    assert_eq!(registered.device_key[..], [3; 1_984]);
    assert_eq!(registered.device_tag[..], [4; 64]);
    let again = client.register(request(KEY, 9)).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);

    let asked = format!(r#"{{"workerId":"{}"}}"#, registered.worker_id);
    let said = hub
        .call("WorkerService/GetHandshakeParameters", &asked)
        .await
        .json();
    assert_eq!(said["registrationId"], KEY);
    assert_eq!(said["registrationTag"], base64(&[5; 64]));
    assert_eq!(said["publicKey"], base64(&[9; 1664]));
    assert_eq!(said["encryptionMode"], "ENCRYPTION_MODE_POST_QUANTUM");
    TestWorker::connect(&hub, &registered.worker_token)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_key_that_finds_no_room_is_not_used_up() {
    let folder = tempfile::TempDir::new().unwrap();
    let start = |workers| {
        let mut config = crate::support::config(&folder, Mode::Solo);
        config.quotas.workers_per_user = workers;
        TestHub::on(tempfile::TempDir::new().unwrap(), config)
    };
    let full = start(0).await;
    full.call("WorkerService/CreateRegistrationKey", &create(KEY))
        .await;
    let mut registration = WorkerRegistrationClient::new(client(&full).await);
    let refused = registration.register(request(KEY, 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    full.hub.drain().await;

    let roomy = start(1).await;
    let mut registration = WorkerRegistrationClient::new(client(&roomy).await);
    assert!(registration.register(request(KEY, 1)).await.is_ok());
}

#[tokio::test]
async fn two_workers_that_race_for_a_key_get_one_identity() {
    let hub = TestHub::solo().await;
    hub.call("WorkerService/CreateRegistrationKey", &create(KEY))
        .await;
    let channel = client(&hub).await;
    let races = (0..8).map(|byte| {
        let mut client = WorkerRegistrationClient::new(channel.clone());
        async move { client.register(request(KEY, byte)).await.is_ok() }
    });
    let won = futures_util::future::join_all(races).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}

#[tokio::test]
async fn a_revoked_or_expired_key_opens_nothing() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.registration_key_ms = 0).await;
    hub.call("WorkerService/CreateRegistrationKey", &create(KEY))
        .await;
    let mut registration = WorkerRegistrationClient::new(client(&hub).await);
    let expired = registration.register(request(KEY, 1)).await.unwrap_err();
    assert_eq!(expired.code(), Code::NotFound);

    let hub = TestHub::solo().await;
    hub.call("WorkerService/CreateRegistrationKey", &create(KEY))
        .await;
    let revoke = format!(r#"{{"registrationId":"{KEY}"}}"#);
    assert_eq!(
        hub.call("WorkerService/RevokeRegistrationKey", &revoke)
            .await
            .status,
        200
    );
    let mut registration = WorkerRegistrationClient::new(client(&hub).await);
    assert_eq!(
        registration
            .register(request(KEY, 1))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn a_taken_key_id_and_one_key_too_many_are_refused() {
    let hub = TestHub::with(Mode::Solo, |config| {
        config.quotas.registration_keys_per_user = 2;
    })
    .await;
    let method = "WorkerService/CreateRegistrationKey";
    assert_eq!(hub.call(method, &create(KEY)).await.status, 200);
    assert_eq!(
        hub.call(method, &create(KEY)).await.json()["code"],
        "already_exists"
    );
    assert_eq!(
        hub.call(method, &create("qrstuvwxyz012345")).await.status,
        200
    );
    let refused = hub.call(method, &create("one-too-many-----")).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn every_field_out_of_bounds_is_named() {
    let hub = TestHub::solo().await;
    let create_with = |from: &str, to: &str| create(KEY).replace(from, to);
    let method = "WorkerService/CreateRegistrationKey";
    for (body, named) in [
        (create("short"), "registration_id"),
        (create("with spaces in it"), "registration_id"),
        (
            create_with("\"deviceAlgorithm\":2", "\"deviceAlgorithm\":1"),
            "device_key",
        ),
        (
            create_with("\"deviceAlgorithm\":2", "\"deviceAlgorithm\":9"),
            "device_key",
        ),
        (create_with(&base64(&[4; 64]), &base64(&[4; 63])), "tag"),
        (create_with("desk", &"x".repeat(129)), "worker_name"),
        (create_with("desk", "\\u0000"), "worker_name"),
    ] {
        let refused = hub.call(method, &body).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (400, &"invalid_argument".into())
        );
        assert!(refused.text().contains(named), "{}", refused.text());
    }
    let mut registration = WorkerRegistrationClient::new(client(&hub).await);
    for wrong in [
        RegisterRequest {
            public_key: vec![1; 1663].into(),
            ..request(KEY, 1)
        },
        RegisterRequest {
            encryption_mode: 0,
            ..request(KEY, 1)
        },
        RegisterRequest {
            tag: bytes::Bytes::new(),
            ..request(KEY, 1)
        },
        RegisterRequest {
            version: "v".repeat(65),
            ..request(KEY, 1)
        },
    ] {
        let refused = registration.register(wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn an_unknown_worker_is_not_found_whatever_is_asked() {
    let hub = TestHub::solo().await;
    let asked = r#"{"workerId":"w_nobody"}"#;
    let refused = hub
        .call("WorkerService/GetHandshakeParameters", asked)
        .await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (404, &"not_found".into())
    );
}

#[tokio::test]
async fn the_same_calls_are_answered_over_grpc() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut client = WorkerServiceClient::new(client(&hub).await);
    let listed = client
        .list_workers(schema::wire::ListWorkersRequest {})
        .await
        .unwrap();
    let listed = listed.into_inner().workers;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].worker_id, bundled.worker_id.as_str());
    assert!(listed[0].bundled && !listed[0].online);
    let asked = schema::wire::GetHandshakeParametersRequest {
        worker_id: "w_nobody".to_owned(),
    };
    let refused = client.get_handshake_parameters(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn the_live_mode_is_what_the_running_worker_says() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::connect(&hub, bundled.worker_token.expose())
        .await
        .unwrap();
    let classic = schema::wire::WorkerHello {
        encryption_mode: 1,
        ..crate::support::hello(7)
    };
    worker
        .say(schema::wire::from_worker::Body::Hello(classic))
        .await;
    worker.next().await.unwrap();
    let asked = format!(r#"{{"workerId":"{}"}}"#, bundled.worker_id);
    let said = hub
        .call("WorkerService/GetHandshakeParameters", &asked)
        .await
        .json();
    assert_eq!(said["encryptionMode"], "ENCRYPTION_MODE_CLASSIC");
    assert_eq!(said["online"], true);
}
