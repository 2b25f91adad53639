//! What is taken back stays taken back: after a renewal that came to nothing, at a Worker that nobody
//! has a channel to, and from somebody who only watches.

use prost::Message as _;

use super::*;

/// What a Worker is told of this channel.
async fn told_of(worker: &mut TestWorker, channel: [u8; 16]) -> wire::AccessChanged {
    match worker.control().await {
        Body::AccessChanged(told) if told.channel_id[..] == channel => told,
        other => panic!("not told: {other:?}"),
    }
}

async fn renames(team: &Team) {
    let json = format!(
        r#"{{"workspaceId":"{}","title":"renamed"}}"#,
        team.workspace
    );
    team.workspace_call("RenameWorkspace", &json).await;
}

async fn watches(team: &Team, who: &Person) -> Browser {
    let cookie = [("Cookie", who.cookie.as_str())];
    let upgraded = Browser::upgrade(team.hub.addr(), "/ws/events", &cookie).await;
    let mut watcher = upgraded.map_err(|refused| refused.0).unwrap();
    assert!(watcher.text().await.get("resync").is_some());
    watcher
}

#[tokio::test]
async fn what_a_refused_renewal_told_the_worker_is_taken_from_the_path_that_stayed() {
    let mut team = Team::on_sqlite().await;
    let first = team.workspace.clone();
    let made = r#"{"title":"more"}"#;
    let made = team
        .root
        .call(&team.hub, "WorkspaceService/CreateWorkspace", made);
    let made = made.await.json();
    team.workspace = made["workspace"]["workspaceId"]
        .as_str()
        .unwrap()
        .to_owned();
    team.share().await;
    team.host().await;
    let mut worker = team.link().await;
    let (mut own, mut other) = (team.browser(&team.bob).await, team.browser(&team.bob).await);
    let narrow = wire::Open {
        channel_id: vec![1; 16].into(),
        worker_id: team.worker_id.clone(),
        noise: vec![1].into(),
        workspaces: vec![first],
        ..wire::Open::default()
    };
    own.send(Body::Open(narrow)).await;
    let Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    assert_eq!(incoming.workspaces.len(), 1);
    let opened = wire::Opened {
        channel_id: incoming.channel_id.clone(),
        ..wire::Opened::default()
    };
    worker.send(Body::Opened(opened)).await;
    assert!(matches!(own.control().await, Body::Opened(_)));

    let garbage = wire::Renew {
        channel_id: incoming.channel_id.clone(),
        worker_id: team.worker_id.clone(),
        serial: 1,
        ..wire::Renew::default()
    };
    other.send(Body::Renew(garbage)).await;
    let told = told_of(&mut worker, [1; 16]).await;
    assert_eq!(told.workspaces.len(), 2, "both, over the other path");
    assert!(matches!(worker.control().await, Body::Renew(_)));
    let refused = wire::Refused {
        channel_id: incoming.channel_id,
        reason: wire::RefusalReason::Stale.into(),
        serial: 1,
        ..wire::Refused::default()
    };
    worker.send(Body::Refused(refused)).await;
    assert!(matches!(other.control().await, Body::Refused(_)));

    // What becomes more is told as the path that stayed has asked for it.
    let more = format!(r#"{{{},"role":"ROLE_EDITOR"}}"#, team.grantee());
    team.workspace_call("ShareWorkspace", &more).await;
    let told = told_of(&mut worker, [1; 16]).await;
    assert_eq!((told.change, told.workspaces.len()), (1, 1));
    team.unshare().await;
    let Body::Close(close) = worker.control().await else {
        panic!("the channel runs on with what was taken back")
    };
    assert_eq!(close.reason(), CloseReason::Revoked);
    let Body::Close(close) = own.control().await else {
        panic!("not closed")
    };
    assert_eq!(close.reason(), CloseReason::Revoked);
}

/// The Hub cannot check a signature; this one is none.
fn grant(team: &Team, role: wire::Role, serial: u64) -> wire::Signed {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    let body = wire::GrantCertificate {
        worker_id: team.worker_id.clone(),
        workspace_id: team.workspace.clone(),
        grantee_user_id: team.bob.user_id.clone(),
        grantee_device_algorithm: 1,
        grantee_device_key: vec![9; 32].into(),
        role: role.into(),
        serial,
        expires_at: since.as_secs() + 86_400,
    };
    wire::Signed {
        algorithm: 1,
        key: vec![3; 32].into(),
        body: body.encode_to_vec().into(),
        signature: vec![4; 64].into(),
    }
}

#[tokio::test]
async fn a_signed_withdrawal_reaches_the_worker_though_nobody_has_a_channel() {
    let team = Team::on_sqlite().await;
    let publish = async |certificate: &wire::Signed| {
        let (worker, signed) = (&team.worker_id, base64(&certificate.encode_to_vec()));
        let json = format!(r#"{{"workerId":"{worker}","signed":["{signed}"]}}"#);
        team.workspace_call("PublishGrants", &json).await;
    };
    let given = grant(&team, wire::Role::Viewer, 1);
    let back = grant(&team, wire::Role::Unspecified, 2);
    let mut worker = team.link().await;
    publish(&given).await;
    let told = told_of(&mut worker, [0; 16]).await;
    assert_eq!((told.change, told.certificates), (0, vec![given]));
    team.unshare().await;
    publish(&back).await;
    let told = told_of(&mut worker, [0; 16]).await;
    assert!(told.workspaces.is_empty());
    assert_eq!(told.certificates, std::slice::from_ref(&back));
    // One that was away hears of it before of anything else.
    drop(worker);
    let mut worker = team.link().await;
    assert_eq!(told_of(&mut worker, [0; 16]).await.certificates, [back]);
}

#[tokio::test]
async fn a_watcher_whose_login_is_no_more_is_told_nothing() {
    let team = Team::on_sqlite().await;
    let (mut bob, mut root) = (
        watches(&team, &team.bob).await,
        watches(&team, &team.root).await,
    );
    // What the ledger does not say yet.
    let user = &team.bob.user_id;
    let gone = format!(
        "UPDATE credentials SET revoked_ms = 1, revoke_reason = 2 WHERE user_id = '{user}'"
    );
    team.rows.write(&gone).await;
    renames(&team).await;
    let told = root.text().await;
    assert_eq!(told["workspaceChanged"]["workspace"]["title"], "renamed");
    let (_, code) = bob.end().await;
    assert_eq!(code, Some(1008));
}

#[tokio::test]
async fn an_order_is_carried_out_though_whoever_gave_it_has_gone() {
    let team = Team::on_sqlite().await;
    let mut watcher = watches(&team, &team.root).await;
    let Rows::Sqlite(path) = &team.rows else {
        panic!("it is a file")
    };
    // Somebody else writes until the caller has lost patience.
    let mut held = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    held.batch_execute("BEGIN IMMEDIATE").unwrap();
    let headers = [
        ("Cookie", team.root.cookie.as_str()),
        ("Connect-Timeout-Ms", "200"),
    ];
    let json = format!(
        r#"{{"workspaceId":"{}","title":"renamed"}}"#,
        team.workspace
    );
    let method = "WorkspaceService/RenameWorkspace";
    let answer = team.hub.call_with(method, &json, &headers).await;
    assert_eq!(answer.json()["code"], "deadline_exceeded");
    held.batch_execute("COMMIT").unwrap();
    let told = watcher.text().await;
    assert_eq!(told["workspaceChanged"]["workspace"]["title"], "renamed");
}
