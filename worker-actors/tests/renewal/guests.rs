//! What the owner takes back counts at once, wherever the guest is.

use std::{sync::Arc, time::Duration};

use channel_actors::refusal::RefusalReason;
use crypto::{DeviceKey, Label, Mode};
use prost::Message as _;
use schema::wire::{self, Role, control};
use worker_actors::Census;

use crate::{
    fleet::{Fleet, Idle, Passport, now},
    support::{
        eventually,
        hub::{WORKER, device, rng},
    },
};

const GUEST: &str = "guest";

/// The owner's word on what a guest may do.
fn grant(signer: &DeviceKey, subject: &DeviceKey, role: Role, serial: u64) -> wire::Signed {
    let days = Duration::from_secs(10 * 24 * 3_600);
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    let body = wire::GrantCertificate {
        worker_id: WORKER.to_owned(),
        workspace_id: "garden".to_owned(),
        grantee_user_id: GUEST.to_owned(),
        grantee_device_algorithm: 1,
        grantee_device_key: subject.public_bytes(Mode::Classic).into(),
        role: role.into(),
        serial,
        expires_at: (now + days).as_secs(),
    };
    let context = WORKER.as_bytes();
    let signed = signer.sign(
        Mode::Classic,
        Label::Grant,
        context,
        body.encode_to_vec(),
        &mut rng(),
    );
    let signed = signed.expect("it can be signed");
    wire::Signed {
        algorithm: signed.algorithm.into(),
        key: signed.key.into(),
        body: signed.body.into(),
        signature: signed.signature.into(),
    }
}

#[tokio::test]
async fn a_withdrawal_counts_whichever_channel_it_comes_with() {
    let mut fleet = Fleet::new().await;
    let own = fleet.open(Idle).await;
    let owner = Arc::clone(&fleet.device);
    let device = device();
    let garden = wire::WorkspaceAccess {
        workspace_id: "garden".to_owned(),
        role: Role::Editor.into(),
    };
    let mut serial = 0;
    for channel in [vec![0; 16], own.as_bytes().to_vec()] {
        serial += 2;
        let guest = Passport {
            user: GUEST,
            certificates: vec![grant(&owner, &device, Role::Editor, serial)],
            workspaces: vec![garden.clone()],
            device: Arc::clone(&device),
        };
        fleet.open_as(&guest, Idle).await;
        fleet
            .say(control::Body::AccessChanged(wire::AccessChanged {
                channel_id: channel.into(),
                change: 0,
                workspaces: Vec::new(),
                certificates: vec![grant(&owner, &device, Role::Unspecified, serial + 1)],
            }))
            .await;
        eventually("the guest's end", || fleet.worker.census().channels == 1).await;
    }
    fleet.worker.stop().await;
}

#[tokio::test]
async fn a_grant_that_is_withdrawn_while_its_guest_is_away_ends_the_channel() {
    let mut fleet = Fleet::new().await;
    fleet.open(Idle).await;
    let owner = Arc::clone(&fleet.device);
    let device = device();
    let garden = wire::WorkspaceAccess {
        workspace_id: "garden".to_owned(),
        role: Role::Editor.into(),
    };
    let guest = Passport {
        user: GUEST,
        certificates: vec![grant(&owner, &device, Role::Editor, 1)],
        workspaces: vec![garden],
        device: Arc::clone(&device),
    };
    let channel = fleet.open_as(&guest, Idle).await;
    fleet.come_back = false;
    fleet.cut();
    fleet
        .until("a stream", |fleet| {
            fleet.link.is_some() && fleet.worker.census().detached == 2
        })
        .await;
    let told = now();
    fleet
        .say(control::Body::AccessChanged(wire::AccessChanged {
            channel_id: channel.as_bytes().to_vec().into(),
            change: 0,
            workspaces: Vec::new(),
            certificates: vec![grant(&owner, &device, Role::Unspecified, 2)],
        }))
        .await;
    let left = Census {
        channels: 1,
        detached: 1,
        opening: 0,
    };
    eventually("the guest's end", || fleet.worker.census() == left).await;
    assert!(
        told.elapsed() < Duration::from_secs(1),
        "{:?}",
        told.elapsed()
    );
    fleet.come_back = true;
    fleet
        .clients
        .keys()
        .copied()
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|id| fleet.wake(id));
    fleet
        .until("one refusal", |fleet| {
            fleet.clients[&channel].refused == Some(RefusalReason::Stale)
                && fleet.worker.census().detached == 0
        })
        .await;
    fleet.worker.stop().await;
}
