//! Starting: what is refused and how it is said, what stays, and what is private.

use std::os::unix::fs::PermissionsExt as _;

use hub_actors::{Hub, HubConfig, Mode, StartError};
use schema::wire::{WhoAmIRequest, account_service_client::AccountServiceClient};
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::support::{TestHub, config, exchange, public_key};

async fn refusal(config: HubConfig) -> StartError {
    Hub::start(config).await.err().unwrap()
}

#[tokio::test]
async fn two_hubs_live_in_one_process() {
    let (first, second) = (TestHub::solo().await, TestHub::hub().await);
    assert_eq!(
        first.call("AccountService/WhoAmI", "{}").await.json()["solo"],
        true
    );
    assert!(
        second
            .call("AccountService/WhoAmI", "{}")
            .await
            .json()
            .get("solo")
            .is_none()
    );
    drop(first);
    assert_eq!(second.call("AccountService/WhoAmI", "{}").await.status, 200);
}

#[tokio::test]
async fn who_and_what_there_is_outlives_a_restart() {
    let folder = TempDir::new().unwrap();
    let first = Hub::start(config(&folder, Mode::Solo)).await.unwrap();
    let user = first.admin_user().clone();
    let worker = first.register_bundled_worker(public_key(1)).await.unwrap();
    first.drain().await;
    let second = Hub::start(config(&folder, Mode::Solo)).await.unwrap();
    assert_eq!(*second.admin_user(), user);
    let again = second.register_bundled_worker(public_key(2)).await.unwrap();
    assert_eq!(again.worker_id, worker.worker_id);
    assert_ne!(again.worker_token.expose(), worker.worker_token.expose());
}

#[tokio::test]
async fn the_access_token_file_is_private_and_says_what_the_token_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data/access-token");
    let first = Hub::start(config(&folder, Mode::Hub)).await.unwrap();
    let made = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    first.drain().await;

    std::fs::write(&path, "a-token-of-my-own-choice\n").unwrap();
    let config = config(&folder, Mode::Hub);
    let mut hub = TestHub::on(folder, config).await;
    let sign_in = |token: &str| format!(r#"{{"accessToken":"{}"}}"#, token.trim());
    assert_eq!(
        hub.call("AccountService/SignIn", &sign_in(&made))
            .await
            .status,
        401
    );
    let chosen = sign_in("a-token-of-my-own-choice");
    assert_eq!(hub.call("AccountService/SignIn", &chosen).await.status, 200);
    hub.hub.drain().await;

    std::fs::remove_file(&path).unwrap();
    hub.restart().await;
    assert!(!path.exists());
    assert_eq!(hub.call("AccountService/SignIn", &chosen).await.status, 200);
    hub.hub.drain().await;

    // And back to the first one.
    std::fs::write(&path, &made).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    hub.restart().await;
    let first = sign_in(&made);
    assert_eq!(hub.call("AccountService/SignIn", &first).await.status, 200);
    assert_eq!(hub.call("AccountService/SignIn", &chosen).await.status, 401);
}

#[tokio::test]
async fn a_socket_file_can_be_the_only_door() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("hub.sock");
    let mut config = config(&folder, Mode::Solo);
    config.listen = format!("unix:{}", path.display());
    config.admin_listen = String::new();
    let hub = Hub::start(config).await.unwrap();
    assert_eq!(
        (hub.addr().tcp(), hub.admin_addr(), hub.warning()),
        (None, None, None)
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let stream = UnixStream::connect(&path).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(stream, request).await.status, 200);
    let stream = UnixStream::connect(&path).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(stream, request).await.status, 421);
    let socket = path.clone();
    let connector = tower::service_fn(move |_: http::Uri| {
        let socket = socket.clone();
        async move {
            UnixStream::connect(socket)
                .await
                .map(hyper_util::rt::TokioIo::new)
        }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    let mut client = AccountServiceClient::new(channel);
    assert!(
        client
            .who_am_i(WhoAmIRequest {})
            .await
            .unwrap()
            .into_inner()
            .signed_in
    );
    hub.drain().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn solo_beyond_loopback_is_warned_about_word_for_word() {
    let hub = TestHub::with(Mode::Solo, |config| config.listen = "0.0.0.0:0".to_owned()).await;
    let warning = hub.hub.warning().unwrap();
    assert!(warning.starts_with("solo mode is binding to a non-loopback address — every request"));
    assert!(warning.ends_with("or run leapmux hub for real authentication."));
    let hub = TestHub::with(Mode::Hub, |config| config.listen = "0.0.0.0:0".to_owned()).await;
    assert_eq!(hub.hub.warning(), None);
}

#[tokio::test]
async fn a_taken_port_folder_or_socket_is_named() {
    let hub = TestHub::solo().await;
    let folder = TempDir::new().unwrap();
    let mut taken = config(&folder, Mode::Solo);
    taken.listen = hub.host();
    assert!(
        refusal(taken)
            .await
            .to_string()
            .contains("the port is taken")
    );

    let mut taken = config(&folder, Mode::Solo);
    taken.admin_listen = hub.hub.admin_addr().unwrap().to_string();
    let said = refusal(taken).await.to_string();
    assert!(
        said.starts_with("admin_listen") && said.contains("the port is taken"),
        "{said}"
    );

    let taken = config(&hub.folder, Mode::Solo);
    assert!(
        refusal(taken)
            .await
            .to_string()
            .contains("another Hub runs in it")
    );

    let mut nowhere = config(&folder, Mode::Solo);
    nowhere.listen = "not an address".to_owned();
    assert!(
        refusal(nowhere)
            .await
            .to_string()
            .contains("neither ADDRESS:PORT nor unix:PATH")
    );

    let mut strange = config(&folder, Mode::Solo);
    strange.public_url = "hub.example".to_owned();
    assert!(refusal(strange).await.to_string().contains("public_url"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = TempDir::new().unwrap();
    let mut config = config(&folder, Mode::Solo);
    config.data_dir = "/proc/nothing/here".into();
    let said = refusal(config).await.to_string();
    assert!(
        said.contains("/proc/nothing/here") && said.contains("--data-dir"),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_database_and_a_lost_or_open_key_file_are_named() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/hub.db"), "not a database").unwrap();
    let said = refusal(config(&folder, Mode::Solo)).await.to_string();
    assert!(said.contains("it is not an SQLite database"), "{said}");

    let folder = TempDir::new().unwrap();
    Hub::start(config(&folder, Mode::Solo))
        .await
        .unwrap()
        .drain()
        .await;
    let keys = folder.path().join("data/encryption.key");
    assert_eq!(
        std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refusal(config(&folder, Mode::Solo)).await.to_string();
    assert!(said.contains("others may read it"), "{said}");
    std::fs::remove_file(&keys).unwrap();
    let said = refusal(config(&folder, Mode::Solo)).await.to_string();
    assert!(
        said.contains("it is missing, but the database needs it"),
        "{said}"
    );
}

#[tokio::test]
async fn a_first_start_that_fails_half_way_can_be_tried_again() {
    let folder = TempDir::new().unwrap();
    // Where the keys are written before they are renamed.
    let obstacle = folder.path().join("data/encryption.new");
    std::fs::create_dir_all(&obstacle).unwrap();
    let said = refusal(config(&folder, Mode::Solo)).await.to_string();
    assert!(said.contains("encryption.key"), "{said}");
    std::fs::remove_dir(&obstacle).unwrap();
    assert!(Hub::start(config(&folder, Mode::Solo)).await.is_ok());
}

#[tokio::test]
async fn only_solo_brings_a_worker_along_and_only_with_a_whole_key() {
    let hub = TestHub::hub().await;
    let refused = hub
        .hub
        .register_bundled_worker(public_key(1))
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, StartError::NotSolo));
    let hub = TestHub::solo().await;
    let short = bytes::Bytes::from_static(&[1; 32]);
    let refused = hub.hub.register_bundled_worker(short).await.err().unwrap();
    assert!(matches!(refused, StartError::Bundled(_)));
}
