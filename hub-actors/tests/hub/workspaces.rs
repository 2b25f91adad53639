//! Workspaces and shares, as people at browsers see them.

use serde_json::json;

use crate::{
    support::{TestWorker, base64},
    tenancy::{ask, code, heard, team, try_to, watch, worker},
};

#[tokio::test]
async fn a_share_comes_and_goes_before_the_eyes_of_whom_it_is_for() {
    let team = team().await;
    let (hub, bob) = (&team.hub, &team.bob);
    let mut watcher = watch(hub, bob).await;
    team.share("ROLE_VIEWER").await;
    let told = heard(&mut watcher, "workspaceChanged").await;
    let told = &told["workspace"];
    assert_eq!(told["workspaceId"], team.desk.as_str());
    assert_eq!(
        (&told["role"], &told["ownerUsername"]),
        (&json!("ROLE_VIEWER"), &json!("ann"))
    );
    let about = json!({ "workspaceId": team.desk });
    let shares = ask(hub, bob, "WorkspaceService/ListShares", about.clone()).await;
    assert_eq!(shares["shares"][0]["username"], "bob");
    let renamed = json!({ "workspaceId": team.desk, "title": "mine" });
    let renamed = try_to(hub, bob, "WorkspaceService/RenameWorkspace", renamed).await;
    assert_eq!(code(&renamed), "permission_denied");
    team.unshare().await;
    let gone = heard(&mut watcher, "workspaceGone").await;
    assert_eq!(gone["workspaceId"], team.desk.as_str());
    let shares = try_to(hub, bob, "WorkspaceService/ListShares", about).await;
    assert_eq!(code(&shares), "not_found");
}

#[tokio::test]
async fn a_stranger_gets_the_answer_that_nonsense_gets() {
    let team = team().await;
    let methods = [
        ("ListShares", json!({})),
        ("RenameWorkspace", json!({ "title": "mine" })),
        ("DeleteWorkspace", json!({})),
        ("SyncLayout", json!({})),
    ];
    for (method, mut about) in methods {
        let method = format!("WorkspaceService/{method}");
        let mut answers = Vec::new();
        for id in [team.desk.as_str(), "s_nonsense", "no id at all"] {
            about["workspaceId"] = id.into();
            for who in [&team.eve, &team.bob] {
                let answer = try_to(&team.hub, who, &method, about.clone()).await;
                answers.push((answer.status, answer.text()));
            }
        }
        assert_eq!(answers[0].0, 404, "{method}");
        assert!(answers.iter().all(|one| *one == answers[0]), "{method}");
    }
}

#[tokio::test]
async fn a_worker_is_seen_by_those_whose_workspace_it_hosts() {
    let team = team().await;
    let hub = &team.hub;
    team.share("ROLE_VIEWER").await;
    let (id, token) = worker(hub, &team.ann, "abcdefghijklmnop").await;
    let mut watcher = watch(hub, &team.bob).await;
    let about = json!({ "workspaceId": team.desk, "workerId": id });
    ask(
        hub,
        &team.ann,
        "WorkspaceService/AttachWorker",
        about.clone(),
    )
    .await;
    let told = heard(&mut watcher, "workerChanged").await;
    let told = &told["worker"];
    assert_eq!(told["workerId"], id.as_str());
    assert_eq!(told["ownerUsername"], "ann");
    assert_eq!(told["workspaceIds"], json!([team.desk]));
    assert!(told.get("owned").is_none() && told.get("online").is_none());
    let linked = TestWorker::link(hub, &token).await;
    while heard(&mut watcher, "workerChanged").await["worker"]["online"] != true {}
    drop(linked);
    while heard(&mut watcher, "workerChanged").await["worker"]
        .get("online")
        .is_some()
    {}
    ask(hub, &team.ann, "WorkspaceService/DetachWorker", about).await;
    assert_eq!(
        heard(&mut watcher, "workerGone").await["workerId"],
        id.as_str()
    );
}

#[tokio::test]
async fn the_owner_of_a_worker_hears_of_devices_that_need_a_grant() {
    let team = team().await;
    let hub = &team.hub;
    let (id, _) = worker(hub, &team.ann, "abcdefghijklmnop").await;
    let about = json!({ "workspaceId": team.desk, "workerId": id });
    ask(hub, &team.ann, "WorkspaceService/AttachWorker", about).await;
    let mut watcher = watch(hub, &team.ann).await;
    team.share("ROLE_EDITOR").await;
    assert_eq!(
        heard(&mut watcher, "grantsWanted").await["workerId"],
        id.as_str()
    );
    let device = json!({ "algorithm": 1, "key": base64(&[8; 32]), "label": "phone" });
    ask(hub, &team.bob, "AccountService/RegisterDevice", device).await;
    assert_eq!(
        heard(&mut watcher, "grantsWanted").await["workerId"],
        id.as_str()
    );
    let at = json!({ "workerId": id });
    let grantees = ask(hub, &team.ann, "WorkspaceService/ListGrantees", at.clone()).await;
    let bob = &grantees["grantees"][0];
    assert_eq!(
        (&bob["username"], &bob["role"]),
        (&json!("bob"), &json!("ROLE_EDITOR"))
    );
    assert_eq!(bob["devices"][0]["key"], base64(&[8; 32]));
    let others = try_to(hub, &team.bob, "WorkspaceService/ListGrantees", at.clone()).await;
    assert_eq!(code(&others), "permission_denied");
    let strangers = try_to(hub, &team.eve, "WorkspaceService/ListGrantees", at).await;
    assert_eq!(code(&strangers), "not_found");
}

#[tokio::test]
async fn where_somebody_is_is_told_to_whoever_is_there_and_to_nobody_else() {
    let team = team().await;
    let hub = &team.hub;
    team.share("ROLE_VIEWER").await;
    let mut watcher = watch(hub, &team.ann).await;
    let here = |focus: &str, leaving: bool| {
        json!({
            "workspaceId": team.desk, "clientId": "page-1", "focus": focus, "leaving": leaving,
        })
    };
    ask(
        hub,
        &team.bob,
        "WorkspaceService/AnnouncePresence",
        here("t1", false),
    )
    .await;
    let told = heard(&mut watcher, "presenceChanged").await;
    assert_eq!(
        (&told["username"], &told["focus"]),
        (&json!("bob"), &json!("t1"))
    );
    // Who comes later is told as well.
    let mut late = watch(hub, &team.ann).await;
    assert_eq!(
        heard(&mut late, "presenceChanged").await["clientId"],
        "page-1"
    );
    ask(
        hub,
        &team.bob,
        "WorkspaceService/AnnouncePresence",
        here("", true),
    )
    .await;
    assert_eq!(heard(&mut watcher, "presenceChanged").await["left"], true);
    let stranger = try_to(
        hub,
        &team.eve,
        "WorkspaceService/AnnouncePresence",
        here("t1", false),
    );
    assert_eq!(code(&stranger.await), "not_found");
}
