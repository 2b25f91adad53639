//! The people of a Hub: two organisations with three and more users each, the operator, and somebody
//! whose login was revoked.

use hub_actors::{HubConfig, Mode, StorageKind};
use serde_json::Value;

use crate::support::{Answer, Person, TestHub};

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
            generous(config);
            change(config);
        })
        .await;
        let root = hub.set_up().await;
        let leaver = hub.sign_up("leaver").await;
        let out = leaver.call(&hub, "AccountService/SignOut", "{}").await;
        assert_eq!(out.status, 200);
        Self {
            root,
            owner: hub.sign_up("olga").await,
            admin: hub.sign_up("abel").await,
            editor: hub.sign_up("edda").await,
            viewer: hub.sign_up("vera").await,
            member: hub.sign_up("mina").await,
            stranger: hub.sign_up("sven").await,
            neighbours: [hub.sign_up("nina").await, hub.sign_up("nora").await],
            revoked: leaver.cookie,
            hub,
        }
    }

    /// Asks, and is answered well.
    pub(super) async fn good(&self, who: &Person, method: &str, request: &Value) -> Value {
        let answer = call(&self.hub, Some(&who.cookie), method, request).await;
        assert_eq!(
            answer.status,
            200,
            "{method} by {}: {}",
            who.username,
            answer.text()
        );
        answer.json()
    }
}

/// No limit is met here.
const MANY: u32 = 1_000_000;

/// Nobody is slowed down here.
fn generous(config: &mut HubConfig) {
    let quotas = &mut config.quotas;
    quotas.sign_ups_per_hour = MANY;
    quotas.failed_sign_ins_per_minute = MANY;
    quotas.registration_keys_per_user = MANY;
    quotas.workers_per_user = MANY;
    quotas.organisations_per_user = MANY;
    quotas.workspaces_per_user = MANY;
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
