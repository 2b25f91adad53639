//! Who is believed, and for how long.

use std::time::Duration;

use channel_actors::{client::ConnectError, endpoint::Failure};
use crypto::Mode;
use schema::wire::{self};
use tempfile::tempdir;
use tokio::time::timeout;
use worker_actors::{WorkerConfig, devices};

use crate::{
    scene::{access, scene, scene_with},
    support::hub::{OWNER, TestHub, ask, device},
};

#[tokio::test]
async fn the_owners_first_device_is_trusted_and_may_ask_in_both_modes() {
    for mode in ["classic", "post-quantum"] {
        let scene = scene_with(OWNER, Vec::new(), |config| {
            config.encryption_mode = mode.into()
        })
        .await;
        let channel = scene.client.connect(&device()).await.expect("a channel");
        let info: wire::WorkerInfo = ask(&channel, "worker.info", &wire::WorkerInfoRequest {})
            .await
            .expect("an answer");
        assert_eq!(info.device_trust, "known-devices");
        assert_eq!(info.operating_system, "linux");
        scene.worker.stop().await;
    }
}

#[tokio::test]
async fn a_second_device_waits_until_somebody_approves_it_and_can_be_removed_again() {
    let scene = scene(OWNER, Vec::new()).await;
    let (first, second) = (device(), device());
    let old = scene.client.connect(&first).await.expect("a channel");
    let words = crypto::fingerprint(&second.public_bytes(Mode::Classic));
    let refused = scene.client.connect(&second).await.map(drop);
    let expected = Failure::DeviceNotTrusted {
        fingerprint: words.clone(),
    };
    assert_eq!(refused, Err(ConnectError::Failed(expected)));

    let list: wire::DeviceList = ask(&old, "devices.list", &wire::DeviceListRequest {})
        .await
        .expect("devices");
    let told: Vec<_> = list
        .devices
        .iter()
        .map(|device| (device.state(), device.this_one))
        .collect();
    assert_eq!(
        told,
        [
            (wire::DeviceState::Trusted, true),
            (wire::DeviceState::Waiting, false)
        ]
    );
    let approve = wire::DeviceApprove {
        key: list.devices[1].key.clone(),
        ..Default::default()
    };
    let list: wire::DeviceList = ask(&old, "devices.approve", &approve)
        .await
        .expect("devices");
    assert_eq!(list.devices[1].label, "approved");

    let new = scene.client.connect(&second).await.expect("a channel");
    let remove = wire::DeviceRemove {
        key: second.public_bytes(Mode::Classic).into(),
        ..Default::default()
    };
    let _: wire::DeviceList = ask(&old, "devices.remove", &remove).await.expect("devices");
    assert!(timeout(Duration::from_secs(1), new.closed()).await.is_ok());
    assert!(scene.client.connect(&second).await.is_err());
    scene.worker.stop().await;
}

#[tokio::test]
async fn the_command_line_beside_the_worker_approves_and_removes_within_a_second() {
    let scene = scene(OWNER, Vec::new()).await;
    let (first, second) = (device(), device());
    let _old = scene.client.connect(&first).await.expect("a channel");
    assert!(scene.client.connect(&second).await.is_err());
    let words = crypto::fingerprint(&second.public_bytes(Mode::Classic));
    let folder = scene.folder.path().to_owned();
    devices::approve(&folder, &words).expect("approved");
    assert_eq!(
        devices::approve(&folder, &words),
        Err(devices::AdminError::Unknown)
    );
    let trusted = async {
        loop {
            if let Ok(channel) = scene.client.connect(&second).await {
                return channel;
            }
        }
    };
    let channel = timeout(Duration::from_secs(1), trusted)
        .await
        .expect("noticed in time");
    devices::remove(&folder, &words).expect("removed");
    assert!(
        timeout(Duration::from_secs(1), channel.closed())
            .await
            .is_ok()
    );
    assert_eq!(devices::list(&folder).expect("devices").len(), 1);
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_device_known_by_its_post_quantum_key_is_known_in_classic_mode_until_it_is_removed() {
    let folder = tempdir().expect("a folder");
    let known = device();
    let mut hub = TestHub::start().await;
    for mode in ["post-quantum", "classic"] {
        let config = WorkerConfig {
            encryption_mode: mode.into(),
            ..hub.config(folder.path())
        };
        let (worker, link) = hub.worker(config).await;
        let client = link.carry(OWNER, Vec::new());
        let channel = client.connect(&known).await.expect("a channel");
        assert!(
            client.connect(&device()).await.is_err(),
            "a stranger in {mode}"
        );
        if mode == "classic" {
            let words = crypto::fingerprint(&known.public_bytes(Mode::PostQuantum));
            devices::remove(folder.path(), &words).expect("removed");
            assert!(
                timeout(Duration::from_secs(1), channel.closed())
                    .await
                    .is_ok()
            );
            assert!(client.connect(&known).await.is_err());
        }
        worker.stop().await;
    }
}

#[tokio::test]
async fn this_machines_own_command_line_is_trusted_and_uses_up_nothing() {
    let local = device();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let hex = hex::encode(local.public_bytes(Mode::Classic));
    std::fs::write(file.path(), format!("{hex}\n")).expect("a file");
    let path = file.path().to_owned();
    let scene = scene_with(OWNER, Vec::new(), |config| {
        config.local_device_file = Some(path)
    })
    .await;
    scene
        .client
        .connect(&local)
        .await
        .map(drop)
        .expect("a channel");
    scene
        .client
        .connect(&device())
        .await
        .map(drop)
        .expect("the first device of a browser");
    assert!(scene.client.connect(&device()).await.is_err());
    let words = crypto::fingerprint(&local.public_bytes(Mode::Classic));
    let channel = scene.client.connect(&local).await.expect("a channel");
    devices::remove(scene.folder.path(), &words).expect("removed");
    let closed = timeout(Duration::from_secs(1), channel.closed()).await;
    assert!(closed.is_ok());
    assert!(scene.client.connect(&local).await.is_err());
    scene.worker.stop().await;
}

#[tokio::test]
async fn another_users_device_is_not_believed_and_the_waiting_are_bounded() {
    let scene = scene("mallory", access(wire::Role::Editor)).await;
    for _ in 0..6 {
        let refused = scene.client.connect(&device()).await;
        assert!(matches!(
            refused,
            Err(ConnectError::Failed(Failure::DeviceNotTrusted { .. }))
        ));
    }
    assert_eq!(
        devices::list(scene.folder.path()).expect("devices").len(),
        4
    );
    scene.worker.stop().await;
}
