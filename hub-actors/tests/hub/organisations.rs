//! Organisations and invitations, as people at browsers see them.

use hub_actors::Mode;
use serde_json::json;

use crate::{
    support::{TestHub, base64},
    tenancy::{ask, code, heard, team, text, try_to, watch, worker},
};

#[tokio::test]
async fn a_link_lets_in_once_and_everybody_hears_of_it() {
    let team = team().await;
    let (hub, ann, eve) = (&team.hub, &team.ann, &team.eve);
    let mut watcher = watch(hub, ann).await;
    let link = json!({
        "organisationId": team.crew, "role": "ORGANISATION_ROLE_ADMIN", "uses": 1,
    });
    let link = ask(hub, ann, "OrganisationService/CreateInviteLink", link).await;
    assert!(text(&link["secret"]).starts_with("lmi_"));
    heard(&mut watcher, "organisationsChanged").await;
    let accept = || json!({ "secret": link["secret"] });
    let joined = ask(hub, eve, "OrganisationService/AcceptInvitation", accept()).await;
    assert_eq!(joined["organisationId"], team.crew.as_str());
    heard(&mut watcher, "organisationsChanged").await;
    let again = try_to(
        hub,
        &team.bob,
        "OrganisationService/AcceptInvitation",
        accept(),
    )
    .await;
    assert_eq!(code(&again), "failed_precondition");
    let own = ask(hub, eve, "OrganisationService/ListOrganisations", json!({})).await;
    let crew = &own["organisations"][1];
    assert_eq!(crew["role"], "ORGANISATION_ROLE_ADMIN");
    assert_eq!(crew["usage"]["members"], 3);
    assert_eq!(own["organisations"][0]["personal"], true);
}

#[tokio::test]
async fn an_invited_name_decides_and_an_unknown_one_is_not_told_apart() {
    let team = team().await;
    let (hub, ann, eve) = (&team.hub, &team.ann, &team.eve);
    let mut watcher = watch(hub, eve).await;
    let invite = |name: &str| {
        let invited = json!({
            "organisationId": team.crew, "username": name, "role": "ORGANISATION_ROLE_MEMBER",
        });
        try_to(hub, ann, "OrganisationService/InviteMember", invited)
    };
    let (known, unknown) = (invite("eve").await, invite("nobody").await);
    assert_eq!(
        (known.status, known.text()),
        (unknown.status, unknown.text())
    );
    heard(&mut watcher, "organisationsChanged").await;
    let own = ask(hub, eve, "OrganisationService/ListInvitations", json!({})).await;
    let own = own["invitations"].as_array().unwrap().clone();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["invitedBy"], "ann");
    let decline = json!({ "invitationId": own[0]["invitationId"] });
    ask(
        hub,
        eve,
        "OrganisationService/DeclineInvitation",
        decline.clone(),
    )
    .await;
    let accepted = try_to(hub, eve, "OrganisationService/AcceptInvitation", decline).await;
    assert_eq!(code(&accepted), "not_found");
}

#[tokio::test]
async fn a_stranger_gets_the_answer_that_nonsense_gets() {
    let team = team().await;
    let methods = [
        ("ListMembers", json!({})),
        ("ListInvitations", json!({})),
        ("UpdateOrganisation", json!({ "name": "ours" })),
        ("DeleteOrganisation", json!({ "slug": "crew" })),
    ];
    for (method, mut about) in methods {
        let method = format!("OrganisationService/{method}");
        let mut answers = Vec::new();
        for id in [team.crew.as_str(), "o_nonsense", "no id at all"] {
            about["organisationId"] = id.into();
            let answer = try_to(&team.hub, &team.eve, &method, about.clone()).await;
            answers.push((answer.status, answer.text()));
        }
        assert_eq!(answers[0].0, 404, "{method}");
        assert!(answers.iter().all(|one| *one == answers[0]), "{method}");
    }
}

#[tokio::test]
async fn who_is_removed_sees_the_workspaces_no_more() {
    let team = team().await;
    team.share("ROLE_EDITOR").await;
    let mut watcher = watch(&team.hub, &team.bob).await;
    let about = json!({ "organisationId": team.crew, "userId": team.bob.user_id });
    let removed = try_to(
        &team.hub,
        &team.eve,
        "OrganisationService/RemoveMember",
        about.clone(),
    );
    assert_eq!(code(&removed.await), "not_found");
    ask(
        &team.hub,
        &team.ann,
        "OrganisationService/RemoveMember",
        about,
    )
    .await;
    let gone = heard(&mut watcher, "workspaceGone").await;
    assert_eq!(gone["workspaceId"], team.desk.as_str());
    let left = ask(
        &team.hub,
        &team.bob,
        "WorkspaceService/ListWorkspaces",
        json!({}),
    )
    .await;
    assert_eq!(left["workspaces"].as_array().unwrap().len(), 1);
    let members = json!({ "organisationId": team.crew });
    let members = try_to(
        &team.hub,
        &team.bob,
        "OrganisationService/ListMembers",
        members,
    )
    .await;
    assert_eq!(code(&members), "not_found");
}

#[tokio::test]
async fn an_organisation_has_so_many_workers_by_default_and_no_more() {
    let hub = TestHub::with(Mode::Hub, |config| config.organisations.workers = 1).await;
    let root = hub.set_up().await;
    let ann = hub.sign_up("ann").await;
    worker(&hub, &ann, "abcdefghijklmnop").await;
    let crew = json!({ "slug": "crew" });
    let crew = ask(&hub, &ann, "OrganisationService/CreateOrganisation", crew).await;
    let crew = text(&crew["organisation"]["organisationId"]);
    let none = json!({ "organisationId": crew, "quotas": { "members": 5 } });
    let by_a_member = try_to(&hub, &ann, "OrganisationService/SetQuotas", none.clone()).await;
    assert_eq!(code(&by_a_member), "permission_denied");
    ask(&hub, &root, "OrganisationService/SetQuotas", none).await;
    let key = json!({
        "registrationId": "bcdefghijklmnopq", "deviceAlgorithm": 1, "deviceKey": base64(&[3; 32]),
        "deviceTag": base64(&[4; 64]), "workerName": "desk", "organisationId": crew,
    });
    let full = try_to(&hub, &ann, "WorkerService/CreateRegistrationKey", key).await;
    assert_eq!(code(&full), "resource_exhausted");
}
