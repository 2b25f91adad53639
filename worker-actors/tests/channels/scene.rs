//! A Worker at a Hub, and a client that it has not met.

use channel_actors::client::CallError;
use schema::wire;
use tempfile::{TempDir, tempdir};
use worker_actors::{Worker, WorkerConfig};

use crate::support::hub::{Carried, TestHub};

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) worker: Worker,
    pub(crate) client: Carried,
    pub(crate) hub: TestHub,
}

pub(crate) async fn scene(user: &str, workspaces: Vec<wire::WorkspaceAccess>) -> Scene {
    scene_with(user, workspaces, |_| {}).await
}

pub(crate) async fn scene_with(
    user: &str,
    workspaces: Vec<wire::WorkspaceAccess>,
    change: impl FnOnce(&mut WorkerConfig),
) -> Scene {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let mut config = hub.config(folder.path());
    change(&mut config);
    let (worker, link) = hub.worker(config).await;
    Scene {
        folder,
        worker,
        client: link.carry(user, workspaces),
        hub,
    }
}

pub(crate) fn access(role: wire::Role) -> Vec<wire::WorkspaceAccess> {
    vec![wire::WorkspaceAccess {
        workspace_id: "w".into(),
        role: role.into(),
    }]
}

pub(crate) fn code<T>(result: Result<T, CallError>) -> Option<u32> {
    match result {
        Err(CallError::Worker(error)) => Some(error.code),
        Ok(_) | Err(_) => None,
    }
}
