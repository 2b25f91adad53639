//! API tokens, the command line's two logins, and delegations.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hub_actors::{HubConfig, Mode};
use schema::wire::{MintDelegationRequest, delegation_service_client::DelegationServiceClient};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tonic::Code;

use crate::{
    support::{Answer, Browser, PASSWORD, Person, TestHub, TestWorker, open},
    workers::register_as,
};

async fn bearer(hub: &TestHub, token: &Value, method: &str, json: &str) -> Answer {
    let header = format!("Bearer {}", token.as_str().unwrap());
    hub.call_with(method, json, &[("Authorization", &header)])
        .await
}

async fn refresh(hub: &TestHub, pair: &Value) -> Answer {
    let json = json!({ "refreshToken": pair["refreshToken"] }).to_string();
    hub.call("TokenService/RefreshToken", &json).await
}

async fn create(hub: &TestHub, person: &Person, scopes: &[&str]) -> Answer {
    let json = json!({ "label": "laptop", "scopes": scopes, "password": PASSWORD });
    person
        .call(hub, "TokenService/CreateApiToken", &json.to_string())
        .await
}

async fn tokens(hub: &TestHub, person: &Person) -> Vec<Value> {
    let listed = person.call(hub, "TokenService/ListApiTokens", "{}").await;
    listed.json()["tokens"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap().to_owned()
}

const WHO: &str = "AccountService/WhoAmI";

#[tokio::test]
async fn a_token_is_good_for_its_scopes_and_for_no_other_token() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let pair = create(&hub, &ann, &["channels", "read"]).await.json();
    let access = &pair["accessToken"];
    assert!(access.as_str().unwrap().starts_with("lma_"));
    assert!(pair["refreshToken"].as_str().unwrap().starts_with("lmr_"));
    assert_eq!(pair["username"], "ann");
    let me = bearer(&hub, access, WHO, "{}").await.json();
    assert_eq!(me["userId"], ann.user_id.as_str());
    assert_eq!(me["scopes"], json!(["read", "channels"]));
    let list = bearer(&hub, access, "WorkerService/ListWorkers", "{}").await;
    assert_eq!(list.status, 200);
    for (method, body) in [
        ("WorkerService/RenameWorker", "{}"),
        ("TokenService/ListApiTokens", "{}"),
        ("AccountService/ListLogins", "{}"),
    ] {
        let refused = bearer(&hub, access, method, body).await;
        assert_eq!(code(&refused), "permission_denied", "{method}");
    }
    // Neither half stands for the other.
    for (token, method) in [(&pair["refreshToken"], WHO), (access, WHO)] {
        let known = bearer(&hub, token, method, "{}").await.json();
        assert_eq!(known.get("signedIn").is_some(), token == access);
    }
    let swapped = json!({ "refreshToken": access });
    assert_eq!(refresh(&hub, &swapped).await.status, 401);
}

#[tokio::test]
async fn a_token_wants_the_password_a_label_and_scopes() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    for (body, told) in [
        (
            json!({"label": "a", "scopes": ["read"], "password": "wrong"}),
            "password",
        ),
        (
            json!({"label": " ", "scopes": ["read"], "password": PASSWORD}),
            "label",
        ),
        (
            json!({"label": "a", "scopes": [], "password": PASSWORD}),
            "scopes",
        ),
        (
            json!({"label": "a", "scopes": ["all"], "password": PASSWORD}),
            "scopes",
        ),
    ] {
        let body = body.to_string();
        let refused = ann.call(&hub, "TokenService/CreateApiToken", &body).await;
        assert!(
            refused.status >= 400 && refused.text().contains(told),
            "{body}"
        );
    }
    assert!(tokens(&hub, &ann).await.is_empty());
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_both_go_on() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let pair = create(&hub, &ann, &["read"]).await.json();
    let (one, two) = tokio::join!(refresh(&hub, &pair), refresh(&hub, &pair));
    for pair in [one.json(), two.json()] {
        let me = bearer(&hub, &pair["accessToken"], WHO, "{}").await.json();
        assert_eq!(me["signedIn"], true);
        assert_eq!(refresh(&hub, &pair).await.status, 200);
    }
    assert_eq!(tokens(&hub, &ann).await.len(), 1);
}

#[tokio::test]
async fn a_refresh_token_that_comes_back_later_ends_the_family() {
    let hub = TestHub::with(Mode::Hub, |config| config.timeouts.refresh_grace_ms = 0).await;
    let ann = hub.sign_up("ann").await;
    let (pair, other) = (
        create(&hub, &ann, &["read"]).await,
        create(&hub, &ann, &["read"]).await,
    );
    let (pair, other) = (pair.json(), other.json());
    let next = refresh(&hub, &pair).await.json();
    let reused = loop {
        // Within the very millisecond it is a race.
        let again = refresh(&hub, &pair).await;
        if again.status != 200 {
            break again;
        }
    };
    assert_eq!(
        (reused.status, code(&reused)),
        (401, "unauthenticated".to_owned())
    );
    for access in [&pair["accessToken"], &next["accessToken"]] {
        let me = bearer(&hub, access, WHO, "{}").await.json();
        assert!(me.get("signedIn").is_none());
    }
    assert_eq!(refresh(&hub, &next).await.status, 401);
    assert_eq!(refresh(&hub, &other).await.status, 200);
    assert_eq!(tokens(&hub, &ann).await.len(), 1);
}

#[tokio::test]
async fn an_access_token_expires_and_its_family_is_refreshed() {
    let hub = TestHub::with(Mode::Hub, |config| config.timeouts.access_token_ms = 0).await;
    let ann = hub.sign_up("ann").await;
    let pair = create(&hub, &ann, &["read"]).await.json();
    let me = bearer(&hub, &pair["accessToken"], WHO, "{}").await.json();
    assert!(me.get("signedIn").is_none());
    // A sign-in sweeps what has expired, and leaves the family.
    hub.sign_in("ann").await;
    assert_eq!(refresh(&hub, &pair).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_is_no_business_of_others() {
    let hub = TestHub::hub().await;
    let (ann, ben) = (hub.sign_up("ann").await, hub.sign_up("ben").await);
    let pair = create(&hub, &ann, &["channels"]).await.json();
    let header = format!("Bearer {}", pair["accessToken"].as_str().unwrap());
    let mut socket = Browser::open_with(&hub, &[("Authorization", &header)])
        .await
        .map_err(|refused| refused.0)
        .unwrap();
    let revoke = json!({ "tokenId": pair["tokenId"] }).to_string();
    let strange = ben.call(&hub, "TokenService/RevokeApiToken", &revoke).await;
    assert_eq!(strange.status, 404);
    let anonymous = hub.call("TokenService/RevokeApiToken", &revoke).await;
    assert_eq!(anonymous.status, 401);
    // A program may end itself: that is what logging out is.
    let method = "TokenService/RevokeApiToken";
    let own = bearer(&hub, &pair["accessToken"], method, &revoke).await;
    assert_eq!(own.status, 200);
    socket.end().await;
    let me = bearer(&hub, &pair["accessToken"], WHO, "{}").await.json();
    assert!(me.get("signedIn").is_none());
    assert_eq!(refresh(&hub, &pair).await.status, 401);
    assert!(tokens(&hub, &ann).await.is_empty());
}

pub(crate) const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-0123456789";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:4000/callback";

pub(crate) async fn authorise(hub: &TestHub, person: &Person) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let body = json!({
        "challenge": challenge, "redirectUri": REDIRECT, "state": "s-1", "client": "leapmux on desk",
    });
    let method = "TokenService/AuthoriseCommandLine";
    let answer = person.call(hub, method, &body.to_string()).await.json();
    let to = answer["redirectTo"].as_str().unwrap().to_owned();
    let query = to.strip_prefix(&format!("{REDIRECT}?code=")).unwrap();
    query.strip_suffix("&state=s-1").unwrap().to_owned()
}

pub(crate) async fn exchange(hub: &TestHub, code: &str, verifier: &str, redirect: &str) -> Answer {
    let body = json!({ "code": code, "verifier": verifier, "redirectUri": redirect });
    hub.call("TokenService/ExchangeAuthorisation", &body.to_string())
        .await
}

#[tokio::test]
async fn a_code_is_traded_once_by_whoever_asked_for_it() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let given = authorise(&hub, &ann).await;
    let pair = exchange(&hub, &given, VERIFIER, REDIRECT).await.json();
    let me = bearer(&hub, &pair["accessToken"], WHO, "{}").await.json();
    assert_eq!(me["userId"], ann.user_id.as_str());
    assert_eq!(tokens(&hub, &ann).await[0]["label"], "leapmux on desk");
    let again = exchange(&hub, &given, VERIFIER, REDIRECT).await;
    assert_eq!(code(&again), "failed_precondition");

    let other = VERIFIER.replace('a', "b");
    for (verifier, redirect) in [
        (other.as_str(), REDIRECT),
        (VERIFIER, "http://127.0.0.1:4001/callback"),
    ] {
        let given = authorise(&hub, &ann).await;
        let wrong = exchange(&hub, &given, verifier, redirect).await;
        assert_eq!(code(&wrong), "failed_precondition");
        // It is used up by whoever tried.
        let right = exchange(&hub, &given, VERIFIER, REDIRECT).await;
        assert_eq!(code(&right), "failed_precondition");
    }
}

#[tokio::test]
async fn a_code_that_is_too_old_gives_nothing() {
    let hub = TestHub::with(Mode::Hub, |config| config.timeouts.authorisation_ms = 0).await;
    let ann = hub.sign_up("ann").await;
    let given = authorise(&hub, &ann).await;
    let late = exchange(&hub, &given, VERIFIER, REDIRECT).await;
    assert_eq!(code(&late), "failed_precondition");
}

pub(crate) async fn start(hub: &TestHub) -> Value {
    let started = hub
        .call(
            "TokenService/StartDeviceLogin",
            r#"{"client":"leapmux on desk"}"#,
        )
        .await;
    started.json()
}

pub(crate) async fn poll(hub: &TestHub, started: &Value) -> Answer {
    let body = json!({ "deviceCode": started["deviceCode"] }).to_string();
    hub.call("TokenService/PollDeviceLogin", &body).await
}

pub(crate) async fn decide(hub: &TestHub, person: &Person, typed: &str, approve: bool) -> Answer {
    let body = json!({ "userCode": typed, "approve": approve }).to_string();
    person
        .call(hub, "TokenService/DecideDeviceLogin", &body)
        .await
}

pub(crate) fn impatient(config: &mut HubConfig) {
    config.timeouts.device_poll_ms = 0;
}

#[tokio::test]
async fn a_typed_code_lets_the_command_line_in_once() {
    let hub = TestHub::with(Mode::Hub, impatient).await;
    let ann = hub.sign_up("ann").await;
    let started = start(&hub).await;
    let typed = started["userCode"].as_str().unwrap();
    assert_eq!((typed.len(), typed.find('-')), (9, Some(4)));
    assert_eq!(poll(&hub, &started).await.json()["pending"], true);
    let lower = typed.to_lowercase().replace('-', " ");
    let body = json!({ "userCode": lower }).to_string();
    let method = "TokenService/DescribeDeviceLogin";
    let described = ann.call(&hub, method, &body).await.json();
    assert_eq!(described["client"], "leapmux on desk");
    assert_eq!(described["address"], "127.0.0.1");
    assert_eq!(decide(&hub, &ann, &lower, true).await.status, 200);
    // Nobody else can take it over now.
    let ben = hub.sign_up("ben").await;
    assert_eq!(
        code(&decide(&hub, &ben, typed, true).await),
        "failed_precondition"
    );
    let let_in = poll(&hub, &started).await.json();
    let me = bearer(&hub, &let_in["tokens"]["accessToken"], WHO, "{}").await;
    assert_eq!(me.json()["userId"], ann.user_id.as_str());
    assert_eq!(code(&poll(&hub, &started).await), "failed_precondition");
}

#[tokio::test]
async fn who_asks_too_often_is_slowed_down_and_who_was_declined_is_told_so() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let started = start(&hub).await;
    assert_eq!(poll(&hub, &started).await.status, 200);
    let hasty = poll(&hub, &started).await;
    assert_eq!(
        (hasty.status, hasty.header("retry-after")),
        (429, Some("5"))
    );
    let typed = started["userCode"].as_str().unwrap();
    let hub = TestHub::with(Mode::Hub, impatient).await;
    assert_eq!(
        poll(&hub, &started).await.status,
        400,
        "another Hub knows nothing of it"
    );
    let ben = hub.sign_up("ben").await;
    let started = start(&hub).await;
    let own = started["userCode"].as_str().unwrap();
    assert_eq!(decide(&hub, &ben, own, false).await.status, 200);
    assert!(poll(&hub, &started).await.text().contains("declined"));
    assert_eq!(
        code(&decide(&hub, &ben, typed, true).await),
        "failed_precondition"
    );
    drop(ann);
}

#[tokio::test]
async fn codes_cannot_be_guessed_at_length() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let mut tried = 0;
    while decide(&hub, &ann, "BBBB-BBBB", true).await.status == 400 {
        tried += 1;
        assert!(tried <= 30);
    }
    let limited = decide(&hub, &ann, "BBBB-BBBB", true).await;
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").is_some());
    // Another account is not limited by that.
    let ben = hub.sign_up("ben").await;
    assert_eq!(decide(&hub, &ben, "BBBB-BBBB", true).await.status, 400);
}

async fn mint(
    hub: &TestHub,
    worker_token: &str,
    (channel, workspace): (u8, &str),
    seconds: u32,
) -> Result<String, Code> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", hub.addr()));
    let mut client = DelegationServiceClient::new(endpoint.unwrap().connect().await.unwrap());
    let mut request = tonic::Request::new(MintDelegationRequest {
        channel_id: vec![channel; 16].into(),
        workspace_id: workspace.to_owned(),
        tab_id: "t_1".to_owned(),
        lifetime_seconds: seconds,
    });
    let bearer = format!("Bearer {worker_token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let minted = client.mint_delegation(request).await;
    minted
        .map(|minted| minted.into_inner().delegation_token)
        .map_err(|status| status.code())
}

/// A person's Worker, linked, with a channel to it by the person's login.
struct Scene {
    hub: TestHub,
    ann: Person,
    worker_id: String,
    worker_token: String,
    workspace: String,
    _browser: Browser,
    _worker: TestWorker,
}

async fn scene() -> Scene {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let (worker_id, worker_token) = register_as(&hub, &ann, "a-key-of-16-letters", 7).await;
    let mut worker = TestWorker::link(&hub, &worker_token).await;
    let mut browser = Browser::open_with(&hub, &[("Cookie", &ann.cookie)])
        .await
        .map_err(|refused| refused.0)
        .unwrap();
    browser.ask(1, &worker_id).await;
    let schema::wire::control::Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    let workspace = incoming.workspaces[0].workspace_id.clone();
    let opened = schema::wire::Opened {
        channel_id: incoming.channel_id,
        ..schema::wire::Opened::default()
    };
    worker
        .send(schema::wire::control::Body::Opened(opened))
        .await;
    browser.control().await;
    open(&mut browser, &mut worker, 2, &worker_id).await;
    Scene {
        hub,
        ann,
        worker_id,
        worker_token,
        workspace,
        _browser: browser,
        _worker: worker,
    }
}

#[tokio::test]
async fn a_delegation_reaches_its_worker_and_nothing_else() {
    let scene = scene().await;
    let hub = &scene.hub;
    register_as(hub, &scene.ann, "another-key-of-16-l", 8).await;
    let at = (1, scene.workspace.as_str());
    let token = mint(hub, &scene.worker_token, at, 60).await.unwrap();
    assert!(token.starts_with("lmd_"));
    let token = Value::from(token);
    let listed = bearer(hub, &token, "WorkerService/ListWorkers", "{}").await;
    let listed = listed.json()["workers"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["workerId"], scene.worker_id.as_str());
    for method in [
        "WorkspaceService/ListWorkspaces",
        "WorkerService/CreateRegistrationKey",
        "TokenService/ListDelegations",
        "AccountService/RegisterDevice",
        "AccountService/PublishDeviceCertificate",
    ] {
        let refused = bearer(hub, &token, method, "{}").await;
        assert_eq!(refused.status, 403, "{method}");
    }
    let listed = scene
        .ann
        .call(hub, "TokenService/ListDelegations", "{}")
        .await
        .json();
    let delegation = &listed["delegations"][0];
    assert_eq!(delegation["tabId"], "t_1");
    assert_eq!(delegation["workspaceId"], scene.workspace.as_str());
    let revoke = json!({ "credentialId": delegation["credentialId"] }).to_string();
    let method = "TokenService/RevokeDelegation";
    assert_eq!(scene.ann.call(hub, method, &revoke).await.status, 200);
    let me = bearer(hub, &token, WHO, "{}").await.json();
    assert!(me.get("signedIn").is_none());
}

#[tokio::test]
async fn a_worker_delegates_for_its_own_live_channels_and_their_workspaces_only() {
    let scene = scene().await;
    let hub = &scene.hub;
    let (_, other) = register_as(hub, &scene.ann, "another-key-of-16-l", 8).await;
    let at = |channel| (channel, scene.workspace.as_str());
    let token = scene.worker_token.as_str();
    assert_eq!(mint(hub, token, at(9), 60).await, Err(Code::NotFound));
    assert_eq!(mint(hub, &other, at(1), 60).await, Err(Code::NotFound));
    assert_eq!(
        mint(hub, token, (1, "s_none"), 60).await,
        Err(Code::NotFound)
    );
    assert_eq!(
        mint(hub, "lmw_x", at(1), 60).await,
        Err(Code::Unauthenticated)
    );
    assert_eq!(
        mint(hub, token, at(1), 3_601).await,
        Err(Code::InvalidArgument)
    );
    assert!(mint(hub, token, at(2), 0).await.is_ok());
}

#[tokio::test]
async fn a_delegation_ends_with_the_login_behind_it() {
    let scene = scene().await;
    let hub = &scene.hub;
    let at = (1, scene.workspace.as_str());
    let token = mint(hub, &scene.worker_token, at, 60).await.unwrap();
    scene.ann.call(hub, "AccountService/SignOut", "{}").await;
    let me = bearer(hub, &Value::from(token), WHO, "{}").await.json();
    assert!(me.get("signedIn").is_none());
}
