//! WorkspaceService: workspaces, shares, grants, layout, presence.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn list_workspaces(
    _asked: &Asked,
    _request: wire::ListWorkspacesRequest,
) -> Result<wire::ListWorkspacesResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn create_workspace(
    _asked: &Asked,
    _request: wire::CreateWorkspaceRequest,
) -> Result<wire::CreateWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn rename_workspace(
    _asked: &Asked,
    _request: wire::RenameWorkspaceRequest,
) -> Result<wire::RenameWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn archive_workspace(
    _asked: &Asked,
    _request: wire::ArchiveWorkspaceRequest,
) -> Result<wire::ArchiveWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn restore_workspace(
    _asked: &Asked,
    _request: wire::RestoreWorkspaceRequest,
) -> Result<wire::RestoreWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn delete_workspace(
    _asked: &Asked,
    _request: wire::DeleteWorkspaceRequest,
) -> Result<wire::DeleteWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn transfer_workspace(
    _asked: &Asked,
    _request: wire::TransferWorkspaceRequest,
) -> Result<wire::TransferWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_shares(
    _asked: &Asked,
    _request: wire::ListSharesRequest,
) -> Result<wire::ListSharesResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn share_workspace(
    _asked: &Asked,
    _request: wire::ShareWorkspaceRequest,
) -> Result<wire::ShareWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn unshare_workspace(
    _asked: &Asked,
    _request: wire::UnshareWorkspaceRequest,
) -> Result<wire::UnshareWorkspaceResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn attach_worker(
    _asked: &Asked,
    _request: wire::AttachWorkerRequest,
) -> Result<wire::AttachWorkerResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn detach_worker(
    _asked: &Asked,
    _request: wire::DetachWorkerRequest,
) -> Result<wire::DetachWorkerResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
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
