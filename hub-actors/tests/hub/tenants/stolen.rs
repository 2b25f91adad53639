//! A copy of the database opens nothing: every stored value is tried at every door that takes a
//! secret, of the very Hub whose database it is.

use std::{collections::BTreeSet, path::Path};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    sql_types::{Nullable, Text},
};
use hub_actors::{Hub, HubConfig};
use serde_json::json;

use super::{
    cast::{Cast, call},
    stage::{Stage, register, text},
};
use crate::support::{TestWorker, config};

#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

fn ask(conn: &mut SqliteConnection, query: &str) -> Vec<String> {
    let cells = diesel::sql_query(query).load::<Cell>(conn).unwrap();
    cells.into_iter().filter_map(|cell| cell.value).collect()
}

/// Every value of every column of every table: as text, and what is bytes in three spellings.
fn values(copy: &Path) -> BTreeSet<String> {
    let mut conn = SqliteConnection::establish(&copy.to_string_lossy()).unwrap();
    let tables = "SELECT name AS value FROM sqlite_master WHERE type = 'table'";
    let mut values = BTreeSet::new();
    for table in ask(&mut conn, tables) {
        let columns = format!("SELECT name AS value FROM pragma_table_info('{table}')");
        for column in ask(&mut conn, &columns) {
            let texts = format!(
                "SELECT CAST(\"{column}\" AS TEXT) AS value FROM \"{table}\" WHERE typeof(\"{column}\") <> 'blob'"
            );
            values.extend(ask(&mut conn, &texts));
            let blobs = format!(
                "SELECT hex(\"{column}\") AS value FROM \"{table}\" WHERE typeof(\"{column}\") = 'blob'"
            );
            for hex in ask(&mut conn, &blobs) {
                let bytes = bytes(&hex);
                // Longer than any secret: public keys, documents, certificates.
                if bytes.len() <= 128 {
                    values.insert(STANDARD.encode(&bytes));
                    values.insert(URL_SAFE_NO_PAD.encode(&bytes));
                    values.insert(hex.to_lowercase());
                }
            }
        }
    }
    values.retain(|value| (4..=256).contains(&value.len()) && !value.contains(['\r', '\n', '\0']));
    values
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// What secrets begin with.
const PREFIXES: [&str; 8] = ["", "lmx_", "lml_", "lmw_", "lma_", "lmr_", "lmd_", "lmi_"];

/// Every kind of secret that this Hub hands out, alive while the copy is made.
async fn fill(cast: &Cast) -> Stage {
    let stage = Stage::set(cast, 0).await;
    let token = json!({
        "label": "t", "scopes": ["read", "channels"], "password": crate::support::PASSWORD,
    });
    let pair = cast
        .good(&cast.owner, "TokenService/CreateApiToken", &token)
        .await;
    let bearer = format!("Bearer {}", text(&pair["accessToken"]));
    let headers = [("Authorization", bearer.as_str())];
    let listed = cast
        .hub
        .call_with("WorkerService/ListWorkers", "{}", &headers)
        .await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    let device = json!({ "client": "t" });
    cast.good(&cast.owner, "TokenService/StartDeviceLogin", &device)
        .await;
    let authorise = super::requests::request(
        "TokenService/AuthoriseCommandLine",
        cast,
        &stage,
        "",
        Some(&cast.owner),
    );
    cast.good(&cast.owner, "TokenService/AuthoriseCommandLine", &authorise)
        .await;
    stage
}

/// Secrets as they were handed out.
async fn controls(cast: &Cast, stage: &Stage) -> Vec<String> {
    let token = json!({
        "label": "t", "scopes": ["read", "channels"], "password": crate::support::PASSWORD,
    });
    let pair = cast
        .good(&cast.owner, "TokenService/CreateApiToken", &token)
        .await;
    let cookie = cast.owner.cookie.strip_prefix("leapmux=").unwrap();
    vec![
        cookie.to_owned(),
        cast.hub.token(),
        text(&pair["accessToken"]),
        text(&pair["refreshToken"]),
        stage.registration_id.clone(),
        stage.link.clone(),
    ]
}

/// Whether a value, with whatever in front, lets anybody in anywhere.
async fn opens(cast: &Cast, secret: &str) -> Option<&'static str> {
    let hub = &cast.hub;
    for prefix in PREFIXES {
        let secret = format!("{prefix}{secret}");
        let bearer = format!("Bearer {secret}");
        let who = hub
            .call_with("AccountService/WhoAmI", "{}", &[("Authorization", &bearer)])
            .await;
        if who.status == 200 && who.json()["signedIn"] == true {
            return Some("bearer");
        }
        let cookie = format!("leapmux={secret}");
        let who = hub
            .call_with("AccountService/WhoAmI", "{}", &[("Cookie", &cookie)])
            .await;
        if who.status == 200 && who.json()["signedIn"] == true {
            return Some("cookie");
        }
        for (door, request) in [
            ("AccountService/SignIn", json!({ "accessToken": secret })),
            ("AccountService/ConfirmEmail", json!({ "code": secret })),
            (
                "TokenService/RefreshToken",
                json!({ "refreshToken": secret }),
            ),
            (
                "TokenService/PollDeviceLogin",
                json!({ "deviceCode": secret }),
            ),
            ("WorkerRegistration/Register", register(&secret)),
        ] {
            if call(hub, None, door, &request).await.status == 200 {
                return Some(door);
            }
        }
        let accept = json!({ "secret": secret });
        let stranger = Some(cast.stranger.cookie.as_str());
        let joined = call(
            hub,
            stranger,
            "OrganisationService/AcceptInvitation",
            &accept,
        )
        .await;
        if joined.status == 200 {
            return Some("OrganisationService/AcceptInvitation");
        }
    }
    None
}

#[tokio::test]
async fn a_stolen_database_opens_nothing() {
    let cast = Cast::with(|_| {}).await;
    let stage = fill(&cast).await;
    // The doors are open to who has the secrets themselves.
    assert!(
        TestWorker::connect(&cast.hub, &stage.worker_token)
            .await
            .is_ok()
    );
    for secret in controls(&cast, &stage).await {
        let opened = opens(&cast, &secret).await;
        assert!(opened.is_some(), "a true secret opens nothing");
    }
    let data = cast.hub.folder.path().join("data");
    let copy = cast.hub.folder.path().join("stolen.db");
    let mut conn = SqliteConnection::establish(&data.join("hub.db").to_string_lossy()).unwrap();
    conn.batch_execute(&format!("VACUUM INTO '{}'", copy.display()))
        .unwrap();
    let values = values(&copy);
    assert!(values.len() > 100, "{} values", values.len());
    for value in &values {
        if let Some(door) = opens(&cast, value).await {
            panic!("a stored value opened {door}: {value}");
        }
    }
    for value in &values {
        let linked = TestWorker::connect(&cast.hub, value).await;
        assert!(linked.is_err(), "a stored value linked a Worker: {value}");
    }
    println!(
        "{} values, {} tries each",
        values.len(),
        PREFIXES.len() * 8 + 1
    );
}

/// Without its keys a copy does not even start, and no new keys are made for it.
#[tokio::test]
async fn a_stolen_database_does_not_start_without_its_keys() {
    let cast = Cast::with(|_| {}).await;
    fill(&cast).await;
    let home = tempfile::TempDir::new().unwrap();
    let stolen: HubConfig = config(&home, hub_actors::Mode::Hub);
    std::fs::create_dir(&stolen.data_dir).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&stolen.data_dir, private).unwrap();
    let data = cast.hub.folder.path().join("data");
    let copy = stolen.data_dir.join("hub.db");
    let mut conn = SqliteConnection::establish(&data.join("hub.db").to_string_lossy()).unwrap();
    conn.batch_execute(&format!("VACUUM INTO '{}'", copy.display()))
        .unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
    let folder = stolen.data_dir.clone();
    let refused = Hub::start(stolen).await.err().unwrap().to_string();
    assert!(refused.contains("encryption.key"), "{refused}");
    assert!(!folder.join("encryption.key").exists());
}
