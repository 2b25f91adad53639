//! WorkspaceService: what stands where, who may see it, and the certificates that make it true.

use schema::{ids::WorkspaceId, wire};

use crate::{asked::Asked, error::Refusal};

pub(crate) mod effects;
mod hosting;
mod making;
mod sharing;
mod standing;
#[cfg(test)]
mod tests;

pub(crate) use hosting::{attach_worker, detach_worker};
pub(crate) use making::{
    archive_workspace, create_workspace, delete_workspace, list_workspaces, rename_workspace,
    restore_workspace, seen, transfer_workspace,
};
pub(crate) use sharing::{list_shares, share_workspace, unshare_workspace};

/// What is no id names no workspace.
fn workspace_id(text: &str) -> Result<WorkspaceId, Refusal> {
    WorkspaceId::parse(text).map_err(|_| Refusal::NotFound)
}

pub(crate) async fn list_grantees(
    _asked: &Asked,
    _request: wire::ListGranteesRequest,
) -> Result<wire::ListGranteesResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn publish_grants(
    _asked: &Asked,
    _request: wire::PublishGrantsRequest,
) -> Result<wire::PublishGrantsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_certificates(
    _asked: &Asked,
    _request: wire::ListCertificatesRequest,
) -> Result<wire::ListCertificatesResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn sync_layout(
    _asked: &Asked,
    _request: wire::SyncLayoutRequest,
) -> Result<wire::SyncLayoutResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn announce_presence(
    _asked: &Asked,
    _request: wire::AnnouncePresenceRequest,
) -> Result<wire::AnnouncePresenceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
