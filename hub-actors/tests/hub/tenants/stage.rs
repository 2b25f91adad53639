//! One organisation with its people, a workspace with its shares, and a Worker that hosts it.

use serde_json::{Value, json};

use super::cast::Cast;
use crate::support::{Person, base64};

/// Everything that a request can name. New for each order that is carried out, since it may be the
/// last that the thing sees.
pub(super) struct Stage {
    /// A number that no other stage has.
    pub(super) number: usize,
    pub(super) organisation: String,
    pub(super) slug: String,
    pub(super) workspace: String,
    pub(super) worker: String,
    pub(super) worker_token: String,
    /// By name, to the first neighbour.
    pub(super) invitation: String,
    pub(super) link: String,
    pub(super) registration_id: String,
}

impl Stage {
    /// Sets everything up, by its people's own orders.
    pub(super) async fn set(cast: &Cast, number: usize) -> Self {
        let slug = format!("team-{number}");
        let made = json!({ "slug": slug });
        let made = cast
            .good(&cast.owner, "OrganisationService/CreateOrganisation", &made)
            .await;
        let organisation = text(&made["organisation"]["organisationId"]);
        for (who, role) in [
            (&cast.admin, "ORGANISATION_ROLE_ADMIN"),
            (&cast.editor, "ORGANISATION_ROLE_MEMBER"),
            (&cast.viewer, "ORGANISATION_ROLE_MEMBER"),
            (&cast.member, "ORGANISATION_ROLE_MEMBER"),
        ] {
            join(cast, &organisation, who, role).await;
        }
        let workspace = workspace(cast, &organisation, "Garden").await;
        for (who, role) in [(&cast.editor, "ROLE_EDITOR"), (&cast.viewer, "ROLE_VIEWER")] {
            let share = json!({
                "workspaceId": workspace, "grantee": { "userId": who.user_id }, "role": role,
            });
            cast.good(&cast.owner, "WorkspaceService/ShareWorkspace", &share)
                .await;
        }
        let (worker, worker_token) = worker(cast, &organisation, number, "host").await;
        let attach = json!({ "workspaceId": workspace, "workerId": worker });
        cast.good(&cast.owner, "WorkspaceService/AttachWorker", &attach)
            .await;
        let invitation = invite(cast, &organisation, &cast.neighbours[0]).await;
        let link = json!({
            "organisationId": organisation, "role": "ORGANISATION_ROLE_MEMBER", "uses": 100,
        });
        let link = cast
            .good(&cast.owner, "OrganisationService/CreateInviteLink", &link)
            .await;
        let registration_id = format!("open-registration-{number}");
        let key = registration(&registration_id, &organisation);
        cast.good(&cast.owner, "WorkerService/CreateRegistrationKey", &key)
            .await;
        Self {
            number,
            organisation,
            slug,
            workspace,
            worker,
            worker_token,
            invitation,
            link: text(&link["secret"]),
            registration_id,
        }
    }
}

/// A request for a registration key.
pub(super) fn registration(id: &str, organisation: &str) -> Value {
    json!({
        "registrationId": id,
        "deviceAlgorithm": 1,
        "deviceKey": base64(&[3; 32]),
        "deviceTag": base64(&[4; 64]),
        "organisationId": organisation,
    })
}

/// What a Worker says to trade a registration key.
pub(super) fn register(id: &str) -> Value {
    json!({
        "registrationId": id,
        "publicKey": base64(&[7; 1664]),
        "encryptionMode": 2,
        "tag": base64(&[5; 64]),
    })
}

async fn join(cast: &Cast, organisation: &str, who: &Person, role: &str) {
    let invite = json!({
        "organisationId": organisation, "username": who.username, "role": role,
    });
    cast.good(&cast.owner, "OrganisationService/InviteMember", &invite)
        .await;
    let accept = json!({ "invitationId": to(cast, organisation, who).await });
    cast.good(who, "OrganisationService/AcceptInvitation", &accept)
        .await;
}

async fn invite(cast: &Cast, organisation: &str, who: &Person) -> String {
    let invite = json!({
        "organisationId": organisation, "username": who.username, "role": "ORGANISATION_ROLE_MEMBER",
    });
    cast.good(&cast.owner, "OrganisationService/InviteMember", &invite)
        .await;
    to(cast, organisation, who).await
}

/// The invitation of this organisation to somebody.
async fn to(cast: &Cast, organisation: &str, who: &Person) -> String {
    let all = cast
        .good(who, "OrganisationService/ListInvitations", &json!({}))
        .await;
    let all = all["invitations"].as_array().unwrap();
    let one = all.iter().find(|one| one["organisationId"] == organisation);
    text(&one.unwrap()["invitationId"])
}

async fn workspace(cast: &Cast, organisation: &str, title: &str) -> String {
    let create = json!({ "organisationId": organisation, "title": title });
    let made = cast
        .good(&cast.owner, "WorkspaceService/CreateWorkspace", &create)
        .await;
    text(&made["workspace"]["workspaceId"])
}

async fn worker(cast: &Cast, organisation: &str, number: usize, name: &str) -> (String, String) {
    let id = format!("registration-{number}-{name}");
    let key = registration(&id, organisation);
    cast.good(&cast.owner, "WorkerService/CreateRegistrationKey", &key)
        .await;
    let method = "WorkerRegistration/Register";
    let made = cast.good(&cast.owner, method, &register(&id)).await;
    (text(&made["workerId"]), text(&made["workerToken"]))
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
