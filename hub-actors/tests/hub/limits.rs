//! What somebody who may be anybody meets: limits by address and by user, each with a time to wait;
//! whose address that is behind proxies; and what every answer carries.

use hub_actors::{Hub, HubConfig, Mode, StartError};

use tonic::Code;

use crate::{
    support::{Answer, Browser, PASSWORD, TestHub, TestWorker, config, http},
    workers::register_as,
};

fn limited(answer: &Answer, quota: &str) {
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.json()["code"], "resource_exhausted");
    assert!(answer.text().contains(quota), "{}", answer.text());
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(after >= 1);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn from(hub: &TestHub, address: &str, method: &str, json: &str) -> Answer {
    hub.call_with(method, json, &[("X-Forwarded-For", address)])
        .await
}

async fn hub(change: impl FnOnce(&mut HubConfig)) -> TestHub {
    TestHub::with(Mode::Hub, |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
        change(config);
    })
    .await
}

#[tokio::test]
async fn accounts_are_made_so_often_from_one_address() {
    let hub = hub(|config| config.quotas.sign_ups_per_hour = 2).await;
    let sign_up = async |name: &str, address: &str| {
        let json = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
        from(&hub, address, "AccountService/SignUp", &json).await
    };
    assert_eq!(sign_up("a", "203.0.113.1").await.status, 200);
    assert_eq!(sign_up("b", "203.0.113.1").await.status, 200);
    limited(&sign_up("c", "203.0.113.1").await, "sign_ups");
    assert_eq!(sign_up("c", "203.0.113.2").await.status, 200);
}

#[tokio::test]
async fn wrong_passwords_count_for_an_address_whatever_the_name_and_for_a_network_of_ipv6() {
    let hub = hub(|config| config.quotas.failed_sign_ins_per_minute = 3).await;
    let sign_in = async |name: &str, address: &str| {
        let json = format!(r#"{{"username":"{name}","password":"wrong password"}}"#);
        from(&hub, address, "AccountService/SignIn", &json).await
    };
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        let address = format!("2001:db8::{at}");
        assert_eq!(sign_in(name, &address).await.status, 401);
    }
    limited(&sign_in("d", "2001:db8::ffff").await, "sign_ins");
    assert_eq!(sign_in("d", "2001:db8:0:1::1").await.status, 401);
}

#[tokio::test]
async fn a_flood_of_strangers_is_stopped_before_anything_is_looked_up_and_users_are_not() {
    let hub = hub(|config| {
        config.quotas.stranger_requests_burst = 5;
        config.quotas.stranger_requests_per_second = 1;
    })
    .await;
    let ann = hub.sign_up("ann").await;
    let headers = [
        ("X-Forwarded-For", "203.0.113.1"),
        ("Cookie", ann.cookie.as_str()),
    ];
    for _ in 0..20 {
        let known = hub.call_with("AccountService/WhoAmI", "{}", &headers).await;
        assert_eq!(known.status, 200);
    }
    for _ in 0..5 {
        let who = from(&hub, "203.0.113.1", "AccountService/WhoAmI", "{}").await;
        assert_eq!(who.status, 200);
    }
    let stopped = from(&hub, "203.0.113.1", "AccountService/WhoAmI", "{}").await;
    limited(&stopped, "stranger_requests");
    // A socket is a request as well.
    let headers = [("X-Forwarded-For", "203.0.113.1")];
    let refused = Browser::open_with(&hub, &headers).await.err().unwrap();
    assert_eq!(refused.0, 429);
    let other = from(&hub, "203.0.113.2", "AccountService/WhoAmI", "{}").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn ways_to_a_provider_and_back_count_for_the_address_behind_the_proxy() {
    let hub = hub(|config| {
        config.quotas.oauth_starts_per_minute = 1;
        config.quotas.stranger_requests_burst = 3;
        config.quotas.stranger_requests_per_second = 1;
    })
    .await;
    let get = async |path: &str, address: &str| {
        let headers = [("X-Forwarded-For", address)];
        http(hub.addr(), "GET", path, &headers, b"").await
    };
    let start = "/oauth/start/nobody";
    assert_eq!(get(start, "203.0.113.1").await.status, 404);
    let limited = get(start, "203.0.113.1").await;
    assert!(limited.text().contains("oauth_error=limited"));
    assert_eq!(get(start, "203.0.113.2").await.status, 404);
    let back = "/oauth/callback?state=x";
    for _ in 0..3 {
        let nobody = get(back, "203.0.113.1").await;
        assert!(nobody.text().contains("oauth_error=expired"));
    }
    let limited = get(back, "203.0.113.1").await;
    assert!(limited.text().contains("oauth_error=limited"));
    let other = get(back, "203.0.113.2").await;
    assert!(other.text().contains("oauth_error=expired"));
}

#[tokio::test]
async fn one_user_asks_so_often_from_wherever() {
    let hub = hub(|config| {
        config.quotas.requests_burst = 10;
        config.quotas.requests_per_second = 1;
    })
    .await;
    let (ann, bob) = (hub.sign_up("ann").await, hub.sign_up("bob").await);
    let mut answers = Vec::new();
    for at in 0..12 {
        let address = format!("203.0.113.{at}");
        let headers = [
            ("X-Forwarded-For", address.as_str()),
            ("Cookie", ann.cookie.as_str()),
        ];
        answers.push(hub.call_with("AccountService/WhoAmI", "{}", &headers).await);
    }
    limited(answers.last().unwrap(), "requests");
    let other = bob.call(&hub, "AccountService/WhoAmI", "{}").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn registrations_and_their_keys_have_a_limit() {
    let hub = hub(|config| config.quotas.registrations_per_hour = 2).await;
    let register = format!(
        r#"{{"registrationId":"abcdefghijklmnop","publicKey":"{}","encryptionMode":2,"tag":"{}"}}"#,
        crate::support::base64(&[1; 1664]),
        crate::support::base64(&[5; 64]),
    );
    for _ in 0..2 {
        let refused = from(
            &hub,
            "203.0.113.1",
            "WorkerRegistration/Register",
            &register,
        )
        .await;
        assert_ne!(refused.status, 429, "{}", refused.text());
    }
    let stopped = from(
        &hub,
        "203.0.113.1",
        "WorkerRegistration/Register",
        &register,
    )
    .await;
    limited(&stopped, "registrations");

    let ann = hub.sign_up("ann").await;
    let mut answers = Vec::new();
    for at in 0..3 {
        let create = format!(
            r#"{{"registrationId":"abcdefghijklmno{at}","deviceAlgorithm":1,"deviceKey":"{}","deviceTag":"{}"}}"#,
            crate::support::base64(&[3; 32]),
            crate::support::base64(&[4; 64]),
        );
        answers.push(
            ann.call(&hub, "WorkerService/CreateRegistrationKey", &create)
                .await,
        );
    }
    assert_eq!(answers[1].status, 200, "{}", answers[1].text());
    limited(&answers[2], "registrations");
}

#[tokio::test]
async fn who_is_no_proxy_is_not_believed() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 1;
    })
    .await;
    let ann = hub.sign_up("ann").await;
    let listed = ann
        .call(&hub, "AccountService/ListLogins", "{}")
        .await
        .json();
    assert_eq!(listed["logins"][0]["address"], "127.0.0.1");
    let json = r#"{"username":"a","password":"wrong password"}"#;
    let first = from(&hub, "203.0.113.1", "AccountService/SignIn", json).await;
    assert_eq!(first.status, 401);
    limited(
        &from(&hub, "203.0.113.2", "AccountService/SignIn", json).await,
        "sign_ins",
    );
}

#[tokio::test]
async fn a_login_shows_the_client_s_address_and_tls_at_the_proxy_makes_the_cookie_insist_on_it() {
    let hub = hub(|_| {}).await;
    hub.sign_up("ann").await;
    let json = format!(r#"{{"username":"ann","password":"{PASSWORD}"}}"#);
    let headers = [
        ("X-Forwarded-For", "1.1.1.1, 203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("User-Agent", "a browser"),
    ];
    let answer = hub
        .call_with("AccountService/SignIn", &json, &headers)
        .await;
    let set = answer.header("set-cookie").unwrap();
    assert!(
        set.starts_with("__Host-leapmux=") && set.contains("Secure"),
        "{set}"
    );
    assert!(answer.header("strict-transport-security").is_some());
    let cookie = answer.cookie();
    let headers = [("X-Forwarded-Proto", "https"), ("Cookie", cookie.as_str())];
    let listed = hub
        .call_with("AccountService/ListLogins", "{}", &headers)
        .await
        .json();
    let logins = listed["logins"].as_array().unwrap();
    let mine = logins
        .iter()
        .find(|login| login["thisOne"] == true)
        .unwrap();
    assert_eq!(mine["address"], "203.0.113.7");
    assert_eq!(mine["userAgent"], "a browser");
}

#[tokio::test]
async fn a_proxy_that_is_none_keeps_the_hub_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder, Mode::Hub);
    config.trusted_proxies = vec!["10.0.0.0/33".to_owned()];
    let refused = Hub::start(config).await.err().unwrap();
    assert!(matches!(refused, StartError::TrustedProxies(_)));
    assert!(refused.to_string().contains("10.0.0.0/33"), "{refused}");
}

#[tokio::test]
async fn every_answer_of_a_call_is_kept_nowhere_and_carries_the_security_headers() {
    let hub = TestHub::hub().await;
    let plain = [("Content-Type", "text/plain")];
    let path = "/leapmux.v1.AccountService/WhoAmI";
    let answers = [
        hub.call("AccountService/WhoAmI", "{}").await,
        hub.call("AccountService/WhoAmI", "no json").await,
        hub.call("WorkerService/ListWorkers", "{}").await,
        hub.call("AccountService/Nothing", "{}").await,
        http(hub.addr(), "POST", path, &plain, b"{}").await,
        crate::support::get(hub.addr(), path).await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 400, 401, 501, 415, 405]);
    for answer in &answers {
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{}",
            answer.head
        );
        for name in [
            "content-security-policy",
            "x-content-type-options",
            "referrer-policy",
        ] {
            assert!(answer.header(name).is_some(), "{name}: {}", answer.head);
        }
    }
}

#[tokio::test]
async fn one_user_signs_in_and_changes_things_so_often() {
    let hub = hub(|config| {
        config.quotas.sign_ins_per_minute = 2;
        config.quotas.orders_burst = 5;
        config.quotas.orders_per_second = 1;
    })
    .await;
    let (ann, bob) = (hub.sign_up("ann").await, hub.sign_up("bob").await);
    let sign_in = async |name: &str| {
        let json = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
        hub.call("AccountService/SignIn", &json).await
    };
    let rename = async |name: &str| {
        let json = format!(r#"{{"displayName":"{name}"}}"#);
        ann.call(&hub, "AccountService/UpdateProfile", &json).await
    };
    // What is as it was is no order.
    for _ in 0..20 {
        assert_eq!(rename("ann").await.status, 200);
    }
    assert_eq!(sign_in("ann").await.status, 200);
    assert_eq!(sign_in("ann").await.status, 200);
    limited(&sign_in("ann").await, "sign_ins");
    assert_eq!(sign_in("bob").await.status, 200);
    let mut answers = Vec::new();
    for at in 0..8 {
        answers.push(rename(&format!("Ann {at}")).await);
    }
    limited(answers.last().unwrap(), "orders");
    let json = r#"{"displayName":"Bob"}"#;
    let other = bob.call(&hub, "AccountService/UpdateProfile", json).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn links_with_wrong_tokens_count_for_their_address_and_those_of_workers_do_not() {
    let hub = hub(|config| {
        config.quotas.stranger_requests_burst = 6;
        config.quotas.stranger_requests_per_second = 1;
    })
    .await;
    let ann = hub.sign_up("ann").await;
    let (_, token) = register_as(&hub, &ann, "abcdefghijklmnop", 9).await;
    for _ in 0..10 {
        assert!(TestWorker::connect(&hub, &token).await.is_ok());
    }
    let mut said = Vec::new();
    for _ in 0..8 {
        let refused = TestWorker::connect(&hub, "wrong").await.err().unwrap();
        said.push(refused.code());
    }
    assert_eq!(said.first(), Some(&Code::Unauthenticated));
    assert_eq!(said.last(), Some(&Code::ResourceExhausted));
}
