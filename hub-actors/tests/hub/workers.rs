//! Registration keys, registration, and what is said of Workers.

use hub_actors::Mode;
use schema::wire::{
    RegisterRequest, worker_registration_client::WorkerRegistrationClient,
    worker_service_client::WorkerServiceClient,
};
use tonic::Code;

use crate::support::{Person, TestHub, TestWorker, base64, public_key};

const KEY: &str = "abcdefghijklmnop";

pub(crate) fn create(id: &str) -> String {
    format!(
        r#"{{"registrationId":"{id}","deviceAlgorithm":2,"deviceKey":"{}","deviceTag":"{}","workerName":"desk"}}"#,
        base64(&[3; 1_984]),
        base64(&[4; 64]),
    )
}

pub(crate) fn request(id: &str, byte: u8) -> RegisterRequest {
    RegisterRequest {
        registration_id: id.to_owned(),
        public_key: public_key(byte),
        encryption_mode: 2,
        tag: vec![5; 64].into(),
        version: "1.0".to_owned(),
    }
}

pub(crate) async fn client(hub: &TestHub) -> tonic::transport::Channel {
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

/// The same for a person at a Hub that asks who you are.
pub(crate) async fn register_as(
    hub: &TestHub,
    person: &Person,
    id: &str,
    byte: u8,
) -> (String, String) {
    register_in(hub, person, id, byte, "").await
}

async fn register_in(
    hub: &TestHub,
    person: &Person,
    id: &str,
    byte: u8,
    organisation: &str,
) -> (String, String) {
    let method = "WorkerService/CreateRegistrationKey";
    let place = format!(r#","organisationId":"{organisation}"}}"#);
    let body = create(id).trim_end_matches('}').to_owned() + &place;
    let created = person.call(hub, method, &body).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let mut client = WorkerRegistrationClient::new(client(hub).await);
    let registered = client.register(request(id, byte)).await.unwrap();
    let registered = registered.into_inner();
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

#[tokio::test]
async fn a_key_is_extended_in_its_last_two_minutes_and_by_nobody_else() {
    let early = TestHub::hub().await;
    let ann = early.sign_up("ann").await;
    let (create_key, extend) = (
        "WorkerService/CreateRegistrationKey",
        "WorkerService/ExtendRegistrationKey",
    );
    let named = format!(r#"{{"registrationId":"{KEY}"}}"#);
    assert_eq!(ann.call(&early, extend, &named).await.status, 404);
    ann.call(&early, create_key, &create(KEY)).await;
    let refused = ann.call(&early, extend, &named).await;
    assert_eq!(refused.json()["code"], "failed_precondition");

    let late = TestHub::with(Mode::Hub, |config| {
        config.timeouts.registration_key_ms = 119_000;
    })
    .await;
    let (ann, ben) = (late.sign_up("ann").await, late.sign_up("ben").await);
    let created = ann.call(&late, create_key, &create(KEY)).await.json();
    let before: i64 = created["expiresUnixMs"].as_str().unwrap().parse().unwrap();
    assert_eq!(ben.call(&late, extend, &named).await.status, 404);
    let extended = ann.call(&late, extend, &named).await.json();
    let after: i64 = extended["expiresUnixMs"].as_str().unwrap().parse().unwrap();
    assert!(after >= before);
}

#[tokio::test]
async fn a_worker_joins_an_organisation_of_its_registrant_only() {
    let hub = TestHub::hub().await;
    let (ann, ben) = (hub.sign_up("ann").await, hub.sign_up("ben").await);
    let (id, _) = register_in(&hub, &ann, KEY, 1, &ann.organisation_id).await;
    let listed = ann
        .call(&hub, "WorkerService/ListWorkers", "{}")
        .await
        .json();
    assert_eq!(listed["workers"][0]["workerId"], id.as_str());
    assert_eq!(
        listed["workers"][0]["organisationId"],
        ann.organisation_id.as_str()
    );
    assert_eq!(listed["workers"][0]["ownerUsername"], "ann");
    assert_eq!(listed["workers"][0]["owned"], true);
    let place = format!(r#","organisationId":"{}"}}"#, ben.organisation_id);
    let body = create("another-key-of-16-l")
        .trim_end_matches('}')
        .to_owned()
        + &place;
    let method = "WorkerService/CreateRegistrationKey";
    assert_eq!(ann.call(&hub, method, &body).await.status, 404);
}

fn asked(worker: &str) -> String {
    format!(r#"{{"workerId":"{worker}"}}"#)
}

#[tokio::test]
async fn strangers_learn_nothing_of_a_worker_and_change_nothing() {
    let hub = TestHub::hub().await;
    let (ann, ben) = (hub.sign_up("ann").await, hub.sign_up("ben").await);
    let (id, _) = register_as(&hub, &ann, KEY, 1).await;
    for (method, more) in [
        ("GetHandshakeParameters", ""),
        ("RenameWorker", r#","name":"x""#),
        ("DeregisterWorker", ""),
        ("TransferWorker", r#","userId":"u_1""#),
    ] {
        for worker in [id.as_str(), "w_nobody"] {
            let body = format!(r#"{{"workerId":"{worker}"{more}}}"#);
            let method = format!("WorkerService/{method}");
            let refused = ben.call(&hub, &method, &body).await;
            assert_eq!(refused.status, 404, "{method} {worker}");
        }
    }
    let listed = ben
        .call(&hub, "WorkerService/ListWorkers", "{}")
        .await
        .json();
    assert!(listed.get("workers").is_none());
}

#[tokio::test]
async fn a_worker_gets_another_name() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let (id, _) = register_as(&hub, &ann, KEY, 1).await;
    let method = "WorkerService/RenameWorker";
    let body = format!(r#"{{"workerId":"{id}","name":" attic "}}"#);
    assert_eq!(ann.call(&hub, method, &body).await.status, 200);
    let listed = ann
        .call(&hub, "WorkerService/ListWorkers", "{}")
        .await
        .json();
    assert_eq!(listed["workers"][0]["name"], "attic");
    let body = format!(r#"{{"workerId":"{id}","name":" "}}"#);
    assert_eq!(ann.call(&hub, method, &body).await.status, 400);
}

async fn say_goodbye(hub: &TestHub, token: &str) -> Result<(), Code> {
    let mut client = WorkerRegistrationClient::new(client(hub).await);
    let mut request = tonic::Request::new(schema::wire::DeregisterRequest {});
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let said = client.deregister(request).await;
    said.map(|_| ()).map_err(|status| status.code())
}

async fn is_listed(hub: &TestHub, person: &Person) -> Option<bool> {
    let listed = person
        .call(hub, "WorkerService/ListWorkers", "{}")
        .await
        .json();
    let first = listed.get("workers")?.get(0)?.clone();
    Some(first.get("deregistering").is_some())
}

#[tokio::test]
async fn a_worker_that_is_away_learns_of_its_end_when_it_dials_and_goes_then() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let (id, token) = register_as(&hub, &ann, KEY, 7).await;
    let method = "WorkerService/DeregisterWorker";
    let done = ann.call(&hub, method, &asked(&id)).await;
    assert_eq!((done.status, done.json().get("confirmed")), (200, None));
    assert_eq!(is_listed(&hub, &ann).await, Some(true));
    let reach = ann
        .call(&hub, "WorkerService/GetHandshakeParameters", &asked(&id))
        .await;
    assert_eq!(reach.status, 404);
    let told = TestWorker::connect(&hub, &token).await.err().unwrap();
    assert_eq!(told.code(), Code::Unauthenticated);
    assert_eq!(told.message(), schema::wire::DEREGISTERED_WORKER);
    assert_eq!(say_goodbye(&hub, &token).await, Ok(()));
    assert_eq!(is_listed(&hub, &ann).await, None);
    assert_eq!(say_goodbye(&hub, &token).await, Err(Code::Unauthenticated));
    let told = TestWorker::connect(&hub, &token).await.err().unwrap();
    assert_eq!(told.message(), schema::wire::UNKNOWN_WORKER_TOKEN);
}

#[tokio::test]
async fn a_worker_whose_machine_is_gone_is_forgotten_when_its_owner_asks_again() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let (id, token) = register_as(&hub, &ann, KEY, 7).await;
    let method = "WorkerService/DeregisterWorker";
    for listed in [Some(true), None] {
        let done = ann.call(&hub, method, &asked(&id)).await;
        assert_eq!((done.status, done.json().get("confirmed")), (200, None));
        assert_eq!(is_listed(&hub, &ann).await, listed);
    }
    assert_eq!(ann.call(&hub, method, &asked(&id)).await.status, 404);
    let told = TestWorker::connect(&hub, &token).await.err().unwrap();
    assert_eq!(told.message(), schema::wire::UNKNOWN_WORKER_TOKEN);
}

#[tokio::test]
async fn a_linked_worker_is_told_and_its_word_is_waited_for() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let (id, token) = register_as(&hub, &ann, KEY, 7).await;
    let mut worker = TestWorker::link(&hub, &token).await;
    let (method, body) = ("WorkerService/DeregisterWorker", asked(&id));
    let leaving = async {
        let goodbye = worker.end().await.expect("a goodbye");
        assert_eq!(
            goodbye.reason(),
            schema::wire::LinkGoodbyeReason::Deregistered
        );
        say_goodbye(&hub, &token).await
    };
    let (done, left) = tokio::join!(ann.call(&hub, method, &body), leaving);
    assert_eq!(left, Ok(()));
    assert_eq!(done.json()["confirmed"], true);
    assert_eq!(is_listed(&hub, &ann).await, None);
}

#[tokio::test]
async fn a_worker_may_go_by_itself_and_the_bundled_one_may_not() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let (_, token) = register_as(&hub, &ann, KEY, 7).await;
    assert_eq!(say_goodbye(&hub, &token).await, Ok(()));
    assert_eq!(is_listed(&hub, &ann).await, None);

    let solo = TestHub::solo().await;
    let bundled = solo.bundled().await;
    let refused = solo
        .call(
            "WorkerService/DeregisterWorker",
            &asked(bundled.worker_id.as_str()),
        )
        .await;
    assert_eq!(refused.json()["code"], "failed_precondition");
    let refused = say_goodbye(&solo, bundled.worker_token.expose()).await;
    assert_eq!(refused, Err(Code::FailedPrecondition));
}

#[tokio::test]
async fn a_worker_is_given_to_members_of_its_organisation_only() {
    let hub = TestHub::hub().await;
    let (ann, ben) = (hub.sign_up("ann").await, hub.sign_up("ben").await);
    let (id, _) = register_as(&hub, &ann, KEY, 7).await;
    for user in [ben.user_id.as_str(), "u_nobody", ""] {
        let body = format!(r#"{{"workerId":"{id}","userId":"{user}"}}"#);
        let refused = ann.call(&hub, "WorkerService/TransferWorker", &body).await;
        assert_eq!(refused.json()["code"], "failed_precondition", "{user}");
    }
}
