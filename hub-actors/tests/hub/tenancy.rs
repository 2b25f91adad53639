//! Several people in one Hub, and what each of them hears: for the tests of organisations,
//! workspaces and layouts.

use schema::wire::{RegisterRequest, worker_registration_client::WorkerRegistrationClient};
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Person, TestHub, base64, public_key};

/// Ann's team, of which Bob is a member and Eve is not, and Ann's desk in it.
pub(crate) struct Team {
    pub(crate) hub: TestHub,
    pub(crate) ann: Person,
    pub(crate) bob: Person,
    pub(crate) eve: Person,
    pub(crate) crew: String,
    pub(crate) desk: String,
}

pub(crate) async fn team() -> Team {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let bob = hub.sign_up("bob").await;
    let eve = hub.sign_up("eve").await;
    let crew = json!({ "slug": "crew" });
    let crew = ask(&hub, &ann, "OrganisationService/CreateOrganisation", crew).await;
    let crew = text(&crew["organisation"]["organisationId"]);
    let link = json!({ "organisationId": crew, "role": "ORGANISATION_ROLE_MEMBER", "uses": 1 });
    let link = ask(&hub, &ann, "OrganisationService/CreateInviteLink", link).await;
    let secret = json!({ "secret": link["secret"] });
    ask(&hub, &bob, "OrganisationService/AcceptInvitation", secret).await;
    let desk = json!({ "organisationId": crew, "title": "desk" });
    let desk = ask(&hub, &ann, "WorkspaceService/CreateWorkspace", desk).await;
    let desk = text(&desk["workspace"]["workspaceId"]);
    Team {
        hub,
        ann,
        bob,
        eve,
        crew,
        desk,
    }
}

impl Team {
    /// Shares Ann's desk with Bob.
    pub(crate) async fn share(&self, role: &str) {
        let share = json!({
            "workspaceId": self.desk, "grantee": { "userId": self.bob.user_id }, "role": role,
        });
        ask(
            &self.hub,
            &self.ann,
            "WorkspaceService/ShareWorkspace",
            share,
        )
        .await;
    }

    /// Takes it back.
    pub(crate) async fn unshare(&self) {
        let share = json!({
            "workspaceId": self.desk, "grantee": { "userId": self.bob.user_id },
        });
        ask(
            &self.hub,
            &self.ann,
            "WorkspaceService/UnshareWorkspace",
            share,
        )
        .await;
    }
}

/// Asks for something that is not refused.
pub(crate) async fn ask(hub: &TestHub, who: &Person, method: &str, request: Value) -> Value {
    let answer = try_to(hub, who, method, request).await;
    assert_eq!(answer.status, 200, "{method}: {}", answer.text());
    answer.json()
}

/// Asks for something that may be.
pub(crate) async fn try_to(hub: &TestHub, who: &Person, method: &str, request: Value) -> Answer {
    who.call(hub, method, &request.to_string()).await
}

/// What a refusal is called.
pub(crate) fn code(answer: &Answer) -> String {
    text(&answer.json()["code"])
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Watches as somebody, from now on.
pub(crate) async fn watch(hub: &TestHub, who: &Person) -> Browser {
    let headers = [("Cookie", who.cookie.as_str())];
    let mut watcher = Browser::upgrade(hub.addr(), "/ws/events", &headers)
        .await
        .map_err(|refused| refused.0)
        .unwrap();
    assert!(watcher.text().await.get("resync").is_some());
    watcher
}

/// The next event of a kind; others may come before.
pub(crate) async fn heard(watcher: &mut Browser, kind: &str) -> Value {
    loop {
        let event = watcher.text().await;
        if let Some(body) = event.get(kind) {
            return body.clone();
        }
    }
}

/// Registers a Worker of somebody's; its id and token.
pub(crate) async fn worker(hub: &TestHub, whose: &Person, key: &str) -> (String, String) {
    let made = json!({
        "registrationId": key, "deviceAlgorithm": 1, "deviceKey": base64(&[3; 32]),
        "deviceTag": base64(&[4; 64]), "workerName": "desk",
    });
    ask(hub, whose, "WorkerService/CreateRegistrationKey", made).await;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", hub.addr()));
    let channel = endpoint.unwrap().connect().await.unwrap();
    let mut client = WorkerRegistrationClient::new(channel);
    let registered = client.register(RegisterRequest {
        registration_id: key.to_owned(),
        public_key: public_key(7),
        encryption_mode: 2,
        tag: vec![5; 64].into(),
        version: "1.0".to_owned(),
    });
    let registered = registered.await.unwrap().into_inner();
    (registered.worker_id, registered.worker_token)
}
