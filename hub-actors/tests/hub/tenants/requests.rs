//! A request for each method, such that whoever may ask it of this stage is answered.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use schema::wire;
use serde_json::{Value, json};

use super::{
    cast::Cast,
    stage::{Stage, register, registration},
};
use crate::support::{PASSWORD, Person, base64};

/// Methods after which an account is not what it was: each caller that they let in is somebody new.
pub(super) const ABOUT_ONESELF: [&str; 5] = [
    "AccountService/SignOut",
    "AccountService/ChangePassword",
    "AccountService/DeleteAccount",
    "AccountService/RevokeOtherLogins",
    "AccountService/RequestEmailChange",
];

/// What `who` says to a method.
pub(super) fn request(
    method: &str,
    cast: &Cast,
    stage: &Stage,
    thing: &str,
    who: Option<&Person>,
) -> Value {
    let (service, name) = method.split_once('/').unwrap();
    match service {
        "AccountService" => account(name, cast, stage, thing, who),
        "OrganisationService" => organisation(name, cast, stage),
        "WorkspaceService" => workspace(name, cast, stage, who),
        "WorkerService" | "WorkerRegistration" => worker(name, cast, stage),
        "TokenService" | "DelegationService" => token(name, stage, thing),
        "AdministrationService" => administration(name, cast, stage, thing),
        _ => panic!("no request for {method}"),
    }
}

fn account(name: &str, cast: &Cast, stage: &Stage, thing: &str, who: Option<&Person>) -> Value {
    let number = stage.number;
    let username = who.map_or("", |who| who.username.as_str());
    match name {
        "SetUp" => json!({
            "accessToken": cast.hub.token(), "username": "late", "password": PASSWORD,
        }),
        "SignUp" => json!({ "username": format!("new-{number}"), "password": PASSWORD }),
        "SignIn" => json!({ "username": "olga", "password": PASSWORD }),
        "ChangePassword" => json!({ "oldPassword": PASSWORD, "newPassword": "another password" }),
        "UpdateProfile" => json!({ "displayName": "Somebody" }),
        "RequestEmailChange" => json!({ "email": "a@example.org", "password": PASSWORD }),
        "RequestPasswordReset" => json!({ "email": "a@example.org" }),
        "ConfirmEmail" => json!({ "code": "nonsense" }),
        "ResetPassword" => json!({ "code": "nonsense", "newPassword": PASSWORD }),
        "DeleteAccount" => json!({ "password": PASSWORD, "username": username }),
        "RevokeLogin" => json!({ "credentialId": thing }),
        "RegisterDevice" => json!({ "algorithm": 1, "key": key(who), "label": "a test" }),
        "ForgetDevice" => json!({ "key": thing }),
        "PublishDeviceCertificate" => json!({
            "signed": device_certificate(who), "serial": 1, "expiresUnixMs": "4102444800000",
        }),
        "BeginLink" => json!({ "password": PASSWORD }),
        "UnlinkAccount" => json!({ "providerId": "p_none", "subject": "none" }),
        _ => json!({}),
    }
}

fn organisation(name: &str, cast: &Cast, stage: &Stage) -> Value {
    let organisation = &stage.organisation;
    match name {
        "ListOrganisations" => json!({}),
        "CreateOrganisation" => json!({ "slug": format!("new-team-{}", stage.number) }),
        "UpdateOrganisation" => json!({ "organisationId": organisation, "name": "Renamed" }),
        "DeleteOrganisation" => json!({ "organisationId": organisation, "slug": stage.slug }),
        "InviteMember" => json!({
            "organisationId": organisation,
            "username": cast.neighbours[1].username,
            "role": "ORGANISATION_ROLE_MEMBER",
        }),
        "CreateInviteLink" => json!({
            "organisationId": organisation, "role": "ORGANISATION_ROLE_MEMBER", "uses": 1,
        }),
        "RevokeInvitation" | "AcceptInvitation" | "DeclineInvitation" => {
            json!({ "invitationId": stage.invitation })
        }
        "ChangeRole" => json!({
            "organisationId": organisation,
            "userId": cast.member.user_id,
            "role": "ORGANISATION_ROLE_ADMIN",
        }),
        "RemoveMember" => json!({
            "organisationId": organisation, "userId": cast.member.user_id,
        }),
        "SetQuotas" => json!({
            "organisationId": organisation, "quotas": { "members": 50, "workers": 50, "channels": 50 },
        }),
        _ => json!({ "organisationId": organisation }),
    }
}

fn workspace(name: &str, cast: &Cast, stage: &Stage, who: Option<&Person>) -> Value {
    let (workspace, worker) = (&stage.workspace, &stage.worker);
    // Whoever has a share may drop it: what is asked about is somebody else's.
    let is_viewer = who.is_some_and(|who| who.user_id == cast.viewer.user_id);
    let grantee = if is_viewer {
        &cast.editor
    } else {
        &cast.viewer
    };
    let grantee = json!({ "userId": grantee.user_id });
    match name {
        "ListWorkspaces" => json!({}),
        "CreateWorkspace" => json!({ "organisationId": stage.organisation, "title": "Another" }),
        "RenameWorkspace" => json!({ "workspaceId": workspace, "title": "Renamed" }),
        "TransferWorkspace" => json!({
            "workspaceId": workspace, "userId": cast.editor.user_id,
        }),
        "ShareWorkspace" => json!({
            "workspaceId": workspace, "grantee": grantee, "role": "ROLE_EDITOR",
        }),
        "UnshareWorkspace" => json!({ "workspaceId": workspace, "grantee": grantee }),
        "AttachWorker" | "DetachWorker" => json!({ "workspaceId": workspace, "workerId": worker }),
        "ListGrantees" | "ListCertificates" => json!({ "workerId": worker }),
        "PublishGrants" => json!({
            "workerId": worker, "signed": [grant(cast, stage)],
        }),
        "SyncLayout" => json!({ "workspaceId": workspace, "update": "AAA=" }),
        "AnnouncePresence" => json!({ "workspaceId": workspace, "clientId": "a-page" }),
        _ => json!({ "workspaceId": workspace }),
    }
}

fn worker(name: &str, cast: &Cast, stage: &Stage) -> Value {
    match name {
        "ListWorkers" | "Deregister" => json!({}),
        "CreateRegistrationKey" => {
            registration(&format!("asked-registration-{}", stage.number), "")
        }
        "ExtendRegistrationKey" | "RevokeRegistrationKey" => {
            json!({ "registrationId": stage.registration_id })
        }
        "RenameWorker" => json!({ "workerId": stage.worker, "name": "Renamed" }),
        "TransferWorker" => json!({
            "workerId": stage.worker, "userId": cast.editor.user_id,
        }),
        "Register" => register(&stage.registration_id),
        _ => json!({ "workerId": stage.worker }),
    }
}

fn token(name: &str, stage: &Stage, thing: &str) -> Value {
    match name {
        "CreateApiToken" => json!({ "label": "a test", "scopes": ["read"], "password": PASSWORD }),
        "RevokeApiToken" => json!({ "tokenId": thing }),
        "RefreshToken" => json!({ "refreshToken": thing }),
        "AuthoriseCommandLine" => json!({
            "challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "redirectUri": "http://127.0.0.1:9999/callback",
            "state": "a-state",
            "client": "a test",
        }),
        "ExchangeAuthorisation" => json!({
            "code": "nonsense",
            "verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "redirectUri": "http://127.0.0.1:9999/callback",
        }),
        "StartDeviceLogin" => json!({ "client": format!("test {}", stage.number) }),
        "DescribeDeviceLogin" => json!({ "userCode": thing }),
        "DecideDeviceLogin" => json!({ "userCode": thing, "approve": false }),
        "PollDeviceLogin" => json!({ "deviceCode": thing }),
        "RevokeDelegation" => json!({ "credentialId": thing }),
        "MintDelegation" => json!({
            "channelId": base64(&[1; 16]), "workspaceId": stage.workspace, "tabId": "t_1",
        }),
        _ => json!({}),
    }
}

fn administration(name: &str, cast: &Cast, stage: &Stage, thing: &str) -> Value {
    let user = &cast.neighbours[0].user_id;
    match name {
        "CreateUser" => json!({
            "username": format!("made-{}", stage.number), "password": PASSWORD,
        }),
        "SetUserDisabled" => json!({ "userId": user, "disabled": false }),
        "SetUserAdmin" => json!({ "userId": user, "admin": false }),
        "SetUserPassword" => json!({ "userId": cast.neighbours[1].user_id, "password": PASSWORD }),
        "DeleteUser" => json!({ "userId": thing, "username": victim(stage) }),
        "ForceLogout" => json!({ "userId": cast.neighbours[1].user_id }),
        "ForceDeregisterWorker" => json!({ "workerId": stage.worker }),
        "RevokeRegistrationKeyById" => json!({ "keyId": thing }),
        "UpdateSettings" => json!({ "signUpOpen": true }),
        _ => json!({}),
    }
}

/// Somebody whose account is only there to be deleted.
pub(super) fn victim(stage: &Stage) -> String {
    format!("victim-{}", stage.number)
}

/// A device key of somebody's own.
fn key(who: Option<&Person>) -> String {
    let byte = who.map_or(0, |who| who.user_id.bytes().fold(0, u8::wrapping_add));
    base64(&[byte; 32])
}

fn device_certificate(who: Option<&Person>) -> String {
    let body = wire::DeviceCertificate {
        user_id: who.map_or_else(String::new, |who| who.user_id.clone()),
        device_algorithm: 1,
        device_key: vec![9; 32].into(),
        serial: 1,
        expires_at: 4_102_444_800,
    };
    signed(&body)
}

fn grant(cast: &Cast, stage: &Stage) -> String {
    let body = wire::GrantCertificate {
        worker_id: stage.worker.clone(),
        workspace_id: stage.workspace.clone(),
        grantee_user_id: cast.viewer.user_id.clone(),
        grantee_device_algorithm: 1,
        grantee_device_key: vec![9; 32].into(),
        role: wire::Role::Viewer.into(),
        serial: 1,
        expires_at: tomorrow(),
    };
    signed(&body)
}

/// In Unix seconds: a grant holds for a month at most.
#[expect(clippy::disallowed_methods, reason = "a certificate holds from now on")]
fn tomorrow() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs() + 86_400
}

/// The Hub cannot check a signature; this one is none.
fn signed(body: &impl prost::Message) -> String {
    let signed = wire::Signed {
        algorithm: 1,
        key: vec![3; 32].into(),
        body: body.encode_to_vec().into(),
        signature: vec![4; 64].into(),
    };
    STANDARD.encode(signed.encode_to_vec())
}
