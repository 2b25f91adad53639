//! The layout of a workspace, as the Hub keeps it: bytes in order, whatever they are.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    support::{Answer, Person, base64},
    tenancy::{Team, ask, code, heard, team, try_to, watch},
};

const SYNC: &str = "WorkspaceService/SyncLayout";

/// What a page is told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    base: Vec<u8>,
    updates: Vec<Vec<u8>>,
    sequence: u64,
    compact: bool,
}

fn bytes(value: &Value) -> Vec<u8> {
    value
        .as_str()
        .map(|text| STANDARD.decode(text).unwrap())
        .unwrap_or_default()
}

fn told(answer: &Value) -> Told {
    let updates = answer["updates"].as_array();
    Told {
        base: bytes(&answer["base"]),
        updates: updates
            .map(|updates| updates.iter().map(bytes).collect())
            .unwrap_or_default(),
        sequence: answer["sequence"]
            .as_str()
            .map_or(0, |said| said.parse().unwrap()),
        compact: answer["compact"] == true,
    }
}

async fn read(team: &Team, who: &Person, after: u64) -> Told {
    let request = json!({ "workspaceId": team.desk, "after": after.to_string() });
    told(&ask(&team.hub, who, SYNC, request).await)
}

async fn push(team: &Team, who: &Person, after: u64, update: &[u8]) -> Told {
    let answer = try_push(team, who, after, update).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    told(&answer.json())
}

async fn try_push(team: &Team, who: &Person, after: u64, update: &[u8]) -> Answer {
    let request = json!({
        "workspaceId": team.desk, "after": after.to_string(), "update": base64(update),
    });
    try_to(&team.hub, who, SYNC, request).await
}

async fn compact(team: &Team, who: &Person, replaces: u64, document: &[u8]) -> Answer {
    let request = json!({
        "workspaceId": team.desk, "after": replaces.to_string(),
        "replaces": replaces.to_string(), "update": base64(document),
    });
    try_to(&team.hub, who, SYNC, request).await
}

#[tokio::test]
async fn two_pages_hear_what_the_other_said_and_in_one_order() {
    let team = team().await;
    team.share("ROLE_EDITOR").await;
    let mut watcher = watch(&team.hub, &team.bob).await;
    let anns = push(&team, &team.ann, 0, b"of ann").await;
    assert_eq!((anns.sequence, anns.compact), (1, false));
    let heard = heard(&mut watcher, "layoutChanged").await;
    assert_eq!(heard["workspaceId"], team.desk.as_str());
    let bobs = push(&team, &team.bob, 0, b"of bob").await;
    assert_eq!(bobs.updates, [b"of ann", b"of bob"]);
    assert_eq!(bobs.sequence, 2);
    let anns = read(&team, &team.ann, 1).await;
    assert_eq!((anns.updates, anns.sequence), (vec![b"of bob".to_vec()], 2));
    assert!(read(&team, &team.ann, 2).await.updates.is_empty());
}

#[tokio::test]
async fn pages_that_push_at_once_lose_nothing() {
    let team = team().await;
    let page = async |at: u8| push(&team, &team.ann, 0, &[at; 3]).await;
    let pushes = (0..6_u8).map(page);
    let mut sequences: Vec<_> = futures_util::future::join_all(pushes)
        .await
        .iter()
        .map(|told| told.sequence)
        .collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    let mut updates = read(&team, &team.ann, 0).await.updates;
    updates.sort_unstable();
    assert_eq!(updates, (0..6_u8).map(|at| vec![at; 3]).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_viewer_reads_and_does_not_write() {
    let team = team().await;
    team.share("ROLE_VIEWER").await;
    push(&team, &team.ann, 0, b"of ann").await;
    assert_eq!(read(&team, &team.bob, 0).await.updates, [b"of ann"]);
    let pushed = try_push(&team, &team.bob, 0, b"of bob").await;
    assert_eq!(code(&pushed), "permission_denied");
    let replaced = compact(&team, &team.bob, 1, b"of bob").await;
    assert_eq!(code(&replaced), "permission_denied");
    for answer in [
        try_push(&team, &team.eve, 0, b"").await,
        try_push(&team, &team.eve, 0, b"of eve").await,
        compact(&team, &team.eve, 1, b"of eve").await,
    ] {
        assert_eq!(code(&answer), "not_found");
    }
    assert_eq!(read(&team, &team.ann, 0).await.updates, [b"of ann"]);
}

/// What once ended a Hub that merged: two sections of one client, a gap, types without end. To this
/// one they are bytes.
#[tokio::test]
async fn whatever_it_is_the_hub_keeps_it_and_does_not_look_inside() {
    let team = team().await;
    let mut nested = vec![1, 1, 1, 0, 8, 1, 1, b'a', 1];
    nested.extend(std::iter::repeat_n([117, 1], 30_000).flatten());
    let updates = [
        b"nonsense".to_vec(),
        [1, 0xff, 0xff, 0xff, 0x7f, 1, 0].to_vec(),
        [2, 1, 5, 0, 10, 9, 1, 5, 3, 0, 4, 0].to_vec(),
        nested,
    ];
    for update in &updates {
        push(&team, &team.ann, 0, update).await;
    }
    assert_eq!(read(&team, &team.ann, 0).await.updates, updates);
}

#[tokio::test]
async fn a_document_takes_the_place_of_the_log() {
    let team = team().await;
    for at in 0..64_u8 {
        let told = push(&team, &team.ann, u64::from(at), &[at]).await;
        assert_eq!(told.compact, at == 63, "{at}");
    }
    // The largest: it fits through the door.
    let document = vec![7; 512 * 1_024];
    let answer = compact(&team, &team.ann, 64, &document).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = Told {
        base: document,
        updates: Vec::new(),
        sequence: 65,
        compact: false,
    };
    assert_eq!(told(&answer.json()), all);
    assert_eq!(read(&team, &team.ann, 3).await, all);
    push(&team, &team.ann, 65, b"more").await;
    let behind = read(&team, &team.ann, 65).await;
    assert_eq!(
        (behind.base.len(), behind.updates),
        (0, vec![b"more".to_vec()])
    );
}

#[tokio::test]
async fn a_document_that_lacks_what_came_meanwhile_is_refused() {
    let team = team().await;
    // The first thing that is said may be a whole document.
    assert_eq!(compact(&team, &team.ann, 0, b"first").await.status, 200);
    push(&team, &team.ann, 1, b"meanwhile").await;
    for replaces in [0, 1, 3, u64::MAX] {
        let answer = compact(&team, &team.ann, replaces, b"late").await;
        assert_eq!(code(&answer), "aborted", "{replaces}");
    }
    let all = read(&team, &team.ann, 0).await;
    assert_eq!(
        (all.base, all.updates),
        (b"first".to_vec(), vec![b"meanwhile".to_vec()])
    );
}

#[tokio::test]
async fn who_is_ahead_of_the_hub_is_told_all_of_it() {
    let team = team().await;
    push(&team, &team.ann, 0, b"one").await;
    for after in [2, 1 << 40, u64::MAX] {
        let all = read(&team, &team.ann, after).await;
        assert_eq!(
            (all.updates, all.sequence),
            (vec![b"one".to_vec()], 1),
            "{after}"
        );
    }
}

#[tokio::test]
async fn a_full_log_takes_a_document_and_nothing_else() {
    let team = team().await;
    let update = vec![1; 64 * 1_024];
    for at in 0..16 {
        push(&team, &team.ann, at, &update).await;
    }
    let answer = try_push(&team, &team.ann, 16, b"x").await;
    assert_eq!(code(&answer), "failed_precondition");
    assert!(
        answer.text().contains("send the whole document"),
        "{}",
        answer.text()
    );
    assert_eq!(read(&team, &team.ann, 0).await.updates.len(), 16);
    assert_eq!(compact(&team, &team.ann, 16, b"whole").await.status, 200);
    push(&team, &team.ann, 17, b"x").await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let team = team().await;
    let long = try_push(&team, &team.ann, 0, &vec![1; 64 * 1_024 + 1]).await;
    assert_eq!(code(&long), "invalid_argument");
    let large = compact(&team, &team.ann, 0, &vec![1; 512 * 1_024 + 1]).await;
    assert_eq!(code(&large), "invalid_argument");
    assert_eq!(
        code(&compact(&team, &team.ann, 0, b"").await),
        "invalid_argument"
    );
    let beyond = compact(&team, &team.ann, 0, &vec![1; 600 * 1_024]).await;
    assert_eq!(code(&beyond), "resource_exhausted");
    // Nobody in particular has room for less, and so has every other method.
    let body = json!({ "workspaceId": team.desk, "update": base64(&vec![1; 300 * 1_024]) });
    let nobody = team.hub.call(SYNC, &body.to_string()).await;
    assert_eq!(code(&nobody), "unauthenticated");
    let other = try_to(
        &team.hub,
        &team.ann,
        "WorkspaceService/RenameWorkspace",
        body,
    )
    .await;
    assert_eq!(code(&other), "resource_exhausted");
    assert_eq!(read(&team, &team.ann, 0).await.sequence, 0);
}
