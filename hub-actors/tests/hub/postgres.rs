//! A Hub whose database is a PostgreSQL.

use std::os::unix::fs::PermissionsExt as _;

use hub_actors::{Hub, HubConfig, Mode, StorageKind};
use tempfile::TempDir;

use crate::support::{PATIENCE, Stopwatch, TestHub, base64, config, http, public_key};

fn on(database: &test_postgres::Database) -> impl FnOnce(&mut HubConfig) {
    let dsn = database.dsn();
    move |config| {
        config.storage.kind = StorageKind::Postgres;
        config.storage.postgres_dsn = dsn.into();
    }
}

async fn refusal(config: HubConfig) -> String {
    Hub::start(config).await.err().unwrap().to_string()
}

#[tokio::test]
async fn who_and_what_there_is_outlives_a_restart() {
    let database = test_postgres::database();
    let mut hub = TestHub::with(Mode::Hub, on(&database)).await;
    let user = hub.hub.admin_user().clone();
    let sign_in = format!(r#"{{"accessToken":"{}"}}"#, hub.token());
    assert_eq!(
        hub.call("AccountService/SignIn", &sign_in).await.status,
        200
    );
    hub.hub.drain().await;
    hub.restart().await;
    assert_eq!(*hub.hub.admin_user(), user);
    assert_eq!(
        hub.call("AccountService/SignIn", &sign_in).await.status,
        200
    );
}

#[tokio::test]
async fn a_worker_is_registered_and_listed() {
    let database = test_postgres::database();
    let hub = TestHub::with(Mode::Solo, on(&database)).await;
    let worker = hub
        .hub
        .register_bundled_worker(public_key(1))
        .await
        .unwrap();
    let listed = hub.call("WorkerService/ListWorkers", "{}").await;
    assert_eq!(listed.status, 200);
    assert_eq!(
        listed.json()["workers"][0]["workerId"],
        worker.worker_id.as_str()
    );
}

#[tokio::test]
async fn two_hubs_may_start_at_once_on_one_database() {
    let database = test_postgres::database();
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let start = |folder: &TempDir| {
        let mut config = config(folder, Mode::Solo);
        on(&database)(&mut config);
        std::fs::create_dir_all(&config.data_dir).unwrap();
        // Hubs of one database share their keys.
        let keys = config.key_file();
        let key = base64(&[7; 32]);
        std::fs::write(&keys, format!("1:{key}\npepper:{key}\n")).unwrap();
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
        Hub::start(config)
    };
    let [one, other] = folders.each_ref();
    let (one, other) = tokio::join!(start(one), start(other));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.admin_user(), other.admin_user());
    one.drain().await;
    other.drain().await;
}

#[tokio::test]
async fn a_database_that_is_known_needs_its_key() {
    let database = test_postgres::database();
    let hub = TestHub::with(Mode::Solo, on(&database)).await;
    hub.hub.drain().await;
    let folder = TempDir::new().unwrap();
    let mut config = config(&folder, Mode::Solo);
    on(&database)(&mut config);
    let refused = refusal(config).await;
    assert!(
        refused.contains("it is missing, but the database needs it"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_named_without_its_password() {
    let database = test_postgres::database();
    let folder = TempDir::new().unwrap();
    let mut config = config(&folder, Mode::Solo);
    config.storage.kind = StorageKind::Postgres;
    config.storage.connect_ms = 2_000;
    assert!(
        refusal(config.clone())
            .await
            .contains("give storage.postgres_dsn")
    );
    let port = database.port();
    for (dsn, said) in [
        (
            "host=127.0.0.1 user=a password=hunter2 hots=b".to_owned(),
            "cannot be read",
        ),
        (
            format!("postgres://nobody:hunter2@127.0.0.1:{port}/test"),
            "refuses the user, the password",
        ),
        (
            format!("postgres://postgres:hunter2@127.0.0.1:{port}/test?sslmode=verify-full"),
            "no protected connection",
        ),
        (
            "postgres://postgres:hunter2@127.0.0.1:1/test".to_owned(),
            "nobody answers there",
        ),
    ] {
        config.storage.postgres_dsn = dsn.into();
        let refused = refusal(config.clone()).await;
        assert!(refused.contains(said), "{said}: {refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[tokio::test]
async fn a_file_with_the_dsn_may_be_read_by_no_stranger() {
    let database = test_postgres::database();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dsn");
    std::fs::write(&path, format!("{}\n", database.dsn())).unwrap();
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    let mut config = config(&folder, Mode::Solo);
    config.storage.kind = StorageKind::Postgres;
    config.storage.postgres_dsn_file = Some(path.clone());
    mode(0o644).unwrap();
    assert!(refusal(config.clone()).await.contains("chmod 600"));
    mode(0o440).unwrap();
    Hub::start(config).await.unwrap().drain().await;
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let database = test_postgres::database();
    let hub = TestHub::with(Mode::Solo, on(&database)).await;
    let who = || hub.call("AccountService/WhoAmI", "{}");
    assert_eq!(who().await.status, 200);
    let killed = test_postgres::server().sql(
        &database,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert_ne!(killed.trim(), "0");
    let watch = Stopwatch::start();
    while who().await.status != 200 {
        assert!(watch.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn a_text_with_a_nul_is_its_senders_mistake() {
    let database = test_postgres::database();
    let hub = TestHub::with(Mode::Hub, on(&database)).await;
    let json = r#"{"username":"a\u0000b","password":"correct horse"}"#;
    let refused = hub.call("AccountService/SignIn", json).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    let nowhere = http(hub.addr(), "GET", "/oauth/start/a%00b", &[], b"").await;
    assert_eq!(nowhere.status, 404, "{}", nowhere.text());
}
