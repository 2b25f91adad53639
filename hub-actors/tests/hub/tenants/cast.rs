//! The people of a Hub: two organisations with three and more users each, the operator, and somebody
//! whose login was revoked.

use hub_actors::{HubConfig, Mode, StorageKind};
use serde_json::{Value, json};

use crate::support::{Answer, TestHub};

/// Somebody who is signed in.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) user_id: String,
    pub(super) cookie: String,
}

/// Everybody.
pub(super) struct Cast {
    pub(super) hub: TestHub,
    /// An admin of the whole Hub, who belongs to no team.
    pub(super) root: Person,
    /// Owner of the organisation, of its workspace and of the Worker that hosts it.
    pub(super) owner: Person,
    /// An admin of the organisation.
    pub(super) admin: Person,
    /// The workspace is shared with them.
    pub(super) editor: Person,
    pub(super) viewer: Person,
    /// A member with whom nothing is shared.
    pub(super) member: Person,
    /// Of another organisation, which has a workspace and a Worker too.
    pub(super) stranger: Person,
    pub(super) neighbours: [Person; 2],
    /// A cookie that was good once.
    pub(super) revoked: String,
}

/// What everybody here types.
pub(super) const PASSWORD: &str = "correct horse battery staple";

impl Cast {
    /// A new Hub on a new database of the tests' PostgreSQL.
    pub(super) async fn on_postgres(database: &test_postgres::Database) -> Self {
        let dsn = database.dsn();
        Self::with(move |config| {
            config.storage.kind = StorageKind::Postgres;
            config.storage.postgres_dsn = dsn.into();
        })
        .await
    }

    pub(super) async fn with(change: impl FnOnce(&mut HubConfig)) -> Self {
        let hub = TestHub::with(Mode::Hub, |config| {
            config.sign_up = true;
            generous(config);
            change(config);
        })
        .await;
        let root = set_up(&hub).await;
        let leaver = sign_up(&hub, "leaver").await;
        let out = call(&hub, Some(&leaver.cookie), "AccountService/SignOut", &json!({})).await;
        assert_eq!(out.status, 200);
        Self {
            root,
            owner: sign_up(&hub, "olga").await,
            admin: sign_up(&hub, "abel").await,
            editor: sign_up(&hub, "edda").await,
            viewer: sign_up(&hub, "vera").await,
            member: sign_up(&hub, "mina").await,
            stranger: sign_up(&hub, "sven").await,
            neighbours: [sign_up(&hub, "nina").await, sign_up(&hub, "nora").await],
            revoked: leaver.cookie,
            hub,
        }
    }

    /// Asks, and is answered well.
    pub(super) async fn good(&self, who: &Person, method: &str, request: &Value) -> Value {
        let answer = call(&self.hub, Some(&who.cookie), method, request).await;
        assert_eq!(answer.status, 200, "{method} by {}: {}", who.name, answer.text());
        answer.json()
    }
}

/// Nobody is slowed down here.
fn generous(config: &mut HubConfig) {
    config.quotas.sign_ups_per_hour = 1_000_000;
    config.quotas.failed_sign_ins_per_minute = 1_000_000;
}

/// One call, with a login's cookie or none.
pub(super) async fn call(
    hub: &TestHub,
    cookie: Option<&str>,
    method: &str,
    request: &Value,
) -> Answer {
    let headers: Vec<_> = cookie.iter().map(|cookie| ("Cookie", *cookie)).collect();
    hub.call_with(method, &request.to_string(), &headers).await
}

async fn set_up(hub: &TestHub) -> Person {
    let request = json!({
        "accessToken": hub.token(), "username": "root", "password": PASSWORD,
    });
    let answer = call(hub, None, "AccountService/SetUp", &request).await;
    person(hub, "root", answer).await
}

/// Makes an account.
pub(super) async fn sign_up(hub: &TestHub, name: &'static str) -> Person {
    let request = json!({ "username": name, "password": PASSWORD });
    let answer = call(hub, None, "AccountService/SignUp", &request).await;
    person(hub, name, answer).await
}

async fn person(hub: &TestHub, name: &'static str, answer: Answer) -> Person {
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    let cookie = answer.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let who = call(hub, Some(&cookie), "AccountService/WhoAmI", &json!({})).await;
    let user_id = who.json()["userId"].as_str().unwrap().to_owned();
    Person {
        name,
        user_id,
        cookie,
    }
}
