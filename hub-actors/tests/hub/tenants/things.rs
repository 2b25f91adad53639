//! What a request names that a stage has no place for: made only where a method asks for it.

use serde_json::json;

use super::{
    cast::{Cast, call},
    requests::victim,
    stage::{Stage, text},
};
use crate::support::{Browser, PASSWORD, TestWorker, base64, open};

/// The thing of the owner's that a method is asked about; empty where it is asked about none.
pub(super) async fn thing(method: &str, cast: &Cast, stage: &Stage) -> String {
    match method {
        "AccountService/RevokeLogin" => login(cast).await,
        "AccountService/ForgetDevice" => device(cast, stage).await,
        "TokenService/RevokeApiToken" => token(cast, "tokenId").await,
        "TokenService/RefreshToken" => token(cast, "refreshToken").await,
        "TokenService/DescribeDeviceLogin" | "TokenService/DecideDeviceLogin" => {
            device_login(cast, "userCode").await
        }
        "TokenService/PollDeviceLogin" => device_login(cast, "deviceCode").await,
        "TokenService/RevokeDelegation" => delegation(cast, stage).await,
        "AdministrationService/DeleteUser" => cast.hub.sign_up(&victim(stage)).await.user_id,
        "AdministrationService/RevokeRegistrationKeyById" => key_id(cast, stage).await,
        _ => String::new(),
    }
}

/// One more login of the owner's.
async fn login(cast: &Cast) -> String {
    let other = cast.hub.sign_in(&cast.owner.username).await;
    let who = call(
        &cast.hub,
        Some(&other.cookie),
        "AccountService/WhoAmI",
        &json!({}),
    )
    .await;
    text(&who.json()["credentialId"])
}

async fn device(cast: &Cast, stage: &Stage) -> String {
    let byte = u8::try_from(stage.number % 200).unwrap();
    let key = base64(&[byte; 32]);
    let device = json!({ "algorithm": 1, "key": key, "label": "a test" });
    cast.good(&cast.owner, "AccountService/RegisterDevice", &device)
        .await;
    key
}

async fn token(cast: &Cast, field: &str) -> String {
    let token = json!({ "label": "t", "scopes": ["read"], "password": PASSWORD });
    let pair = cast
        .good(&cast.owner, "TokenService/CreateApiToken", &token)
        .await;
    text(&pair[field])
}

async fn device_login(cast: &Cast, field: &str) -> String {
    let started = json!({ "client": "a test" });
    let started = cast
        .good(&cast.owner, "TokenService/StartDeviceLogin", &started)
        .await;
    text(&started[field])
}

/// Minted by the Worker, for a channel of the owner's.
async fn delegation(cast: &Cast, stage: &Stage) -> String {
    let mut worker = TestWorker::link(&cast.hub, &stage.worker_token).await;
    let cookie = [("Cookie", cast.owner.cookie.as_str())];
    let mut browser = Browser::open_with(&cast.hub, &cookie).await.ok().unwrap();
    open(&mut browser, &mut worker, 1, &stage.worker).await;
    let mint = json!({
        "channelId": base64(&[1; 16]), "workspaceId": stage.workspace, "tabId": "t_1",
    });
    let bearer = format!("Bearer {}", stage.worker_token);
    let headers = [("Authorization", bearer.as_str())];
    let method = "DelegationService/MintDelegation";
    let minted = cast
        .hub
        .call_with(method, &mint.to_string(), &headers)
        .await;
    assert_eq!(minted.status, 200, "{}", minted.text());
    let all = cast
        .good(&cast.owner, "TokenService/ListDelegations", &json!({}))
        .await;
    let all = all["delegations"].as_array().unwrap();
    let ours = all.iter().find(|one| one["workerId"] == stage.worker);
    text(&ours.unwrap()["credentialId"])
}

async fn key_id(cast: &Cast, stage: &Stage) -> String {
    let method = "AdministrationService/ListRegistrationKeys";
    let all = cast.good(&cast.root, method, &json!({})).await;
    let all = all["keys"].as_array().unwrap();
    assert!(!all.is_empty(), "stage {} has left a key", stage.number);
    text(&all[0]["keyId"])
}
