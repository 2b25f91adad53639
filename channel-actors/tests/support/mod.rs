//! Two endpoints, a relay between them, and a wire that does as it is told.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod hostile;
pub(crate) mod simulation;
pub(crate) mod wire;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use crypto::{DeviceKey, Identity, Mode};
use rand::{SeedableRng as _, rngs::StdRng};
use schema::{
    ids::{ChannelId, UserId, WorkerId, WorkspaceId},
    wire::{Incoming, Role, WorkspaceAccess},
};

/// Another row of numbers each time it is asked for: no two channels of a process have the same
/// keys, and so none seals twice under one of them, which `crypto` watches in debug builds.
pub(crate) fn rng(seed: u64) -> StdRng {
    static ROWS: AtomicU64 = AtomicU64::new(1);
    StdRng::seed_from_u64(seed ^ ROWS.fetch_add(1, Ordering::Relaxed) << 32)
}

/// One Worker for all tests of a binary: its keys take a while to make.
pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate(&mut rng(1)))
}

pub(crate) fn device() -> Arc<DeviceKey> {
    Arc::new(DeviceKey::from_seeds(&[3; 32], &[4; 32]))
}

pub(crate) fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 16])
}

pub(crate) fn worker() -> WorkerId {
    WorkerId::parse("worker").expect("a valid id")
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a valid id")
}

pub(crate) fn workspace(name: &str) -> WorkspaceId {
    WorkspaceId::parse(name).expect("a valid id")
}

pub(crate) fn access(list: &[(&str, Role)]) -> Vec<WorkspaceAccess> {
    let one = |(id, role): &(&str, Role)| WorkspaceAccess {
        workspace_id: (*id).to_owned(),
        role: (*role).into(),
    };
    list.iter().map(one).collect()
}

/// An open as the Hub announces it.
pub(crate) fn incoming(channel: ChannelId, noise: Vec<u8>) -> Incoming {
    Incoming {
        channel_id: channel.as_bytes().to_vec().into(),
        user_id: "alice".to_owned(),
        organisation_id: "home".to_owned(),
        workspaces: access(&[("garden", Role::Owner), ("shed", Role::Viewer)]),
        noise: noise.into(),
        max_message_bytes: 0,
        certificates: Vec::new(),
        delegated: false,
    }
}

pub(crate) const CLASSIC: Mode = Mode::Classic;
pub(crate) const POST_QUANTUM: Mode = Mode::PostQuantum;
