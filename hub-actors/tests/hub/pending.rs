//! What was begun for somebody and waits outside ends with what was let in already.

use hub_actors::{
    Mode,
    operator::{Changes, Operator},
};
use schema::wire::worker_registration_client::WorkerRegistrationClient;
use serde_json::Value;

use crate::{
    mail::{self, PUBLIC},
    sink::{Sink, Way},
    support::{PASSWORD, Person, TestHub, config},
    tokens::{self, REDIRECT, VERIFIER},
    workers,
};

struct Scene {
    hub: TestHub,
    sink: Sink,
    root: Person,
    ann: Person,
}

const ADDRESS: &str = "mallory@one.example";

impl Scene {
    async fn set() -> Self {
        let sink = Sink::start(Way::None).await;
        let hub = TestHub::with(Mode::Hub, |config| {
            config.public_url = PUBLIC.to_owned();
            sink.configure(&mut config.mail);
            config.quotas.mails_per_hour = 1_000;
            tokens::impatient(config);
        })
        .await;
        let root = hub.set_up().await;
        let ann = hub.sign_up("ann").await;
        Self {
            hub,
            sink,
            root,
            ann,
        }
    }

    /// Begins one of each with Ann's login, as somebody does who sits at her open browser and has
    /// seen her type the password.
    async fn begin(&self) -> Begun {
        let (hub, ann) = (&self.hub, &self.ann);
        let device = tokens::start(hub).await;
        let typed = device["userCode"].as_str().unwrap();
        assert_eq!(tokens::decide(hub, ann, typed, true).await.status, 200);
        let key = workers::create(KEY);
        let made = ann.call(hub, "WorkerService/CreateRegistrationKey", &key);
        assert_eq!(made.await.status, 200);
        assert_eq!(mail::ask_change(hub, ann, ADDRESS).await.status, 200);
        Begun {
            code: tokens::authorise(hub, ann).await,
            device,
            mail: mail::code(&self.sink.to(ADDRESS, 1).await, "confirm"),
        }
    }

    /// Which of them still let somebody in.
    async fn good(&self, begun: &Begun) -> Vec<&'static str> {
        let hub = &self.hub;
        let mut good = Vec::new();
        let traded = tokens::exchange(hub, &begun.code, VERIFIER, REDIRECT).await;
        if traded.status == 200 {
            good.push("code");
        }
        let polled = tokens::poll(hub, &begun.device).await;
        if polled.status == 200 && polled.json().get("tokens").is_some() {
            good.push("device");
        }
        let mut client = WorkerRegistrationClient::new(workers::client(hub).await);
        if client.register(workers::request(KEY, 9)).await.is_ok() {
            good.push("key");
        }
        if mail::confirm(hub, &begun.mail).await.status == 200 {
            good.push("mail");
        }
        good
    }

    async fn admin(&self, method: &str, more: &str) {
        let json = format!(r#"{{"userId":"{}"{more}}}"#, self.ann.user_id);
        let method = format!("AdministrationService/{method}");
        let done = self.root.call(&self.hub, &method, &json).await;
        assert_eq!(done.status, 200, "{}", done.text());
    }
}

struct Begun {
    code: String,
    device: Value,
    mail: String,
}

const KEY: &str = "abcdefghijklmnop";
const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn without_an_event_all_of_it_lets_somebody_in() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    let all = ["code", "device", "key", "mail"];
    assert_eq!(scene.good(&begun).await, all);
}

#[tokio::test]
async fn another_password_ends_what_waits_also_of_the_login_that_is_spared() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    let json = format!(r#"{{"oldPassword":"{PASSWORD}","newPassword":"another password"}}"#);
    let ann = &scene.ann;
    let changed = ann.call(&scene.hub, "AccountService/ChangePassword", &json);
    assert_eq!(changed.await.status, 200);
    assert_eq!(scene.good(&begun).await, NOTHING);
}

#[tokio::test]
async fn a_reset_password_ends_what_waits() {
    let scene = Scene::set().await;
    mail::give_address(&scene.hub, &scene.sink, &scene.ann, "ann@one.example").await;
    let begun = scene.begin().await;
    let ask = r#"{"email":"ann@one.example"}"#;
    let asked = scene.hub.call("AccountService/RequestPasswordReset", ask);
    assert_eq!(asked.await.status, 200);
    let code = mail::code(&scene.sink.to("ann@one.example", 2).await, "reset");
    let json = format!(r#"{{"code":"{code}","newPassword":"another password"}}"#);
    let reset = scene.hub.call("AccountService/ResetPassword", &json).await;
    assert_eq!(reset.status, 200);
    assert_eq!(scene.good(&begun).await, NOTHING);
}

#[tokio::test]
async fn a_password_that_an_admin_sets_ends_what_waits() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    scene
        .admin("SetUserPassword", r#","password":"another password""#)
        .await;
    assert_eq!(scene.good(&begun).await, NOTHING);
}

#[tokio::test]
async fn a_forced_logout_ends_what_waits() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    scene.admin("ForceLogout", "").await;
    assert_eq!(scene.good(&begun).await, NOTHING);
}

#[tokio::test]
async fn a_disabled_account_is_let_in_by_nothing_that_waits_also_when_it_is_enabled_again() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    scene.admin("SetUserDisabled", r#","disabled":true"#).await;
    scene.admin("SetUserDisabled", r#","disabled":false"#).await;
    assert_eq!(scene.good(&begun).await, NOTHING);
}

#[tokio::test]
async fn what_a_login_agreed_to_ends_with_that_login_alone() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    let other = scene.hub.sign_in("ann").await;
    let kept = tokens::authorise(&scene.hub, &other).await;
    let me = scene.ann.call(&scene.hub, "AccountService/WhoAmI", "{}");
    let id = me.await.json()["credentialId"].as_str().unwrap().to_owned();
    let json = format!(r#"{{"credentialId":"{id}"}}"#);
    let ended = other.call(&scene.hub, "AccountService/RevokeLogin", &json);
    assert_eq!(ended.await.status, 200);
    assert_eq!(scene.good(&begun).await, ["key", "mail"]);
    let traded = tokens::exchange(&scene.hub, &kept, VERIFIER, REDIRECT).await;
    assert_eq!(traded.status, 200);
}

#[tokio::test]
async fn what_other_logins_agreed_to_ends_with_them() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    let other = scene.hub.sign_in("ann").await;
    let ended = other.call(&scene.hub, "AccountService/RevokeOtherLogins", "{}");
    assert_eq!(ended.await.status, 200);
    assert_eq!(scene.good(&begun).await, ["key", "mail"]);
}

#[tokio::test]
async fn another_address_by_the_operator_makes_codes_for_others_worthless() {
    let scene = Scene::set().await;
    let begun = scene.begin().await;
    let operator = Operator::open(config(&scene.hub.folder, Mode::Hub));
    let operator = operator.await.unwrap();
    let changes = Changes {
        email: Some("ann@two.example".to_owned()),
        ..Changes::default()
    };
    operator.update_user("ann", changes).await.unwrap();
    assert_eq!(scene.good(&begun).await, ["code", "device", "key"]);
}
