//! A Hub that asks who you are: the access token, the cookie, the bearer.

use hub_actors::Mode;
use schema::wire::{WhoAmIRequest, account_service_client::AccountServiceClient};

use crate::support::{Answer, Browser, TestHub};

async fn sign_in(hub: &TestHub, token: &str) -> Answer {
    hub.call(
        "AccountService/SignIn",
        &format!(r#"{{"accessToken":"{token}"}}"#),
    )
    .await
}

#[tokio::test]
async fn nobody_is_told_so_and_gets_nothing() {
    let hub = TestHub::hub().await;
    let who = hub.call("AccountService/WhoAmI", "{}").await;
    assert_eq!(who.status, 200);
    assert!(who.json().get("signedIn").is_none());
    let refused = hub.call("WorkerService/ListWorkers", "{}").await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (401, &"unauthenticated".into())
    );
    assert_eq!(Browser::open_with(&hub, &[]).await.err().unwrap().0, 401);
    assert!(hub.hub.census().await.is_empty());
}

#[tokio::test]
async fn the_access_token_is_traded_for_a_cookie() {
    let hub = TestHub::hub().await;
    let answer = sign_in(&hub, &hub.token()).await;
    assert_eq!(answer.status, 200);
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=604800"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"));
    let cookie = answer.cookie();
    let who = hub
        .call_with("AccountService/WhoAmI", "{}", &[("Cookie", &cookie)])
        .await
        .json();
    assert_eq!(who["signedIn"], true);
    assert_eq!(who["userId"], hub.hub.admin_user().as_str());
    assert!(
        Browser::open_with(&hub, &[("Cookie", &cookie)])
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn behind_tls_the_cookie_insists_on_it() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.public_url = "https://hub.example".to_owned();
    })
    .await;
    let answer = sign_in(&hub, &hub.token()).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(
        set.starts_with("__Host-leapmux=") && set.contains("Secure"),
        "{set}"
    );
    assert!(answer.header("strict-transport-security").is_some());
}

#[tokio::test]
async fn the_access_token_is_also_a_bearer_for_everything() {
    let hub = TestHub::hub().await;
    let bearer = format!("Bearer {}", hub.token());
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(
        hub.call_with("WorkerService/ListWorkers", "{}", &headers)
            .await
            .status,
        200
    );
    assert!(
        Browser::open_with(&hub, &[("Authorization", &bearer)])
            .await
            .is_ok()
    );

    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", hub.addr()));
    let mut client = AccountServiceClient::new(endpoint.unwrap().connect().await.unwrap());
    let mut request = tonic::Request::new(WhoAmIRequest {});
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    assert!(
        client
            .who_am_i(request)
            .await
            .unwrap()
            .into_inner()
            .signed_in
    );
    assert!(
        !client
            .who_am_i(WhoAmIRequest {})
            .await
            .unwrap()
            .into_inner()
            .signed_in
    );
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_guessing_is_slowed_down() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 3;
    })
    .await;
    for wrong in [
        "",
        "wrong",
        "lmx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let refused = sign_in(&hub, wrong).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (401, &"unauthenticated".into())
        );
        assert!(refused.header("set-cookie").is_none());
    }
    let limited = sign_in(&hub, "wrong").await;
    assert_eq!(limited.status, 429);
    assert!(
        limited
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            <= 20
    );
    // The right one is not among the guesses, wherever it comes from.
    assert_eq!(sign_in(&hub, &hub.token()).await.status, 200);
    assert_eq!(sign_in(&hub, &"x".repeat(257)).await.status, 400);
}

#[tokio::test]
async fn right_sign_ins_are_not_slowed_down() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 2;
    })
    .await;
    for _ in 0..6 {
        assert_eq!(sign_in(&hub, &hub.token()).await.status, 200);
    }
}

#[tokio::test]
async fn a_cookie_is_good_until_sign_out_and_not_as_a_bearer() {
    let hub = TestHub::hub().await;
    let cookie = sign_in(&hub, &hub.token()).await.cookie();
    let secret = cookie.strip_prefix("leapmux=").unwrap();
    let bearer = format!("Bearer {secret}");
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(
        hub.call_with("WorkerService/ListWorkers", "{}", &headers)
            .await
            .status,
        401
    );

    let headers = [("Cookie", cookie.as_str())];
    let out = hub
        .call_with("AccountService/SignOut", "{}", &headers)
        .await;
    assert_eq!(out.status, 200);
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(
        hub.call_with("WorkerService/ListWorkers", "{}", &headers)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn no_secret_is_in_the_database() {
    let hub = TestHub::hub().await;
    let token = hub.token();
    let cookie = sign_in(&hub, &token).await.cookie();
    let secret = cookie.strip_prefix("leapmux=").unwrap();
    let (_, worker_token) = {
        let bearer = format!("Bearer {token}");
        let create = format!(
            r#"{{"registrationId":"abcdefghijklmnop","deviceAlgorithm":1,"deviceKey":"{}","deviceTag":"{}"}}"#,
            crate::support::base64(&[3; 32]),
            crate::support::base64(&[4; 64]),
        );
        let headers = [("Authorization", bearer.as_str())];
        let created = hub
            .call_with("WorkerService/CreateRegistrationKey", &create, &headers)
            .await;
        assert_eq!(created.status, 200);
        let register = format!(
            r#"{{"registrationId":"abcdefghijklmnop","publicKey":"{}","encryptionMode":2,"tag":"{}"}}"#,
            crate::support::base64(&[1; 1664]),
            crate::support::base64(&[5; 64]),
        );
        let registered = hub
            .call("WorkerRegistration/Register", &register)
            .await
            .json();
        (0, registered["workerToken"].as_str().unwrap().to_owned())
    };
    for file in ["hub.db", "hub.db-wal"] {
        let bytes = std::fs::read(hub.folder.path().join("data").join(file)).unwrap();
        for secret in [token.as_str(), secret, worker_token.as_str()] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "a secret stands in {file}");
        }
    }
}

#[tokio::test]
async fn solo_needs_no_sign_in_and_takes_one_kindly() {
    let hub = TestHub::solo().await;
    let who = hub.call("AccountService/WhoAmI", "{}").await.json();
    assert_eq!(
        (&who["signedIn"], &who["solo"]),
        (&true.into(), &true.into())
    );
    assert_eq!(sign_in(&hub, "anything").await.status, 200);
    assert_eq!(hub.call("AccountService/SignOut", "{}").await.status, 200);
    assert_eq!(
        hub.call("WorkerService/ListWorkers", "{}").await.status,
        200
    );
}
