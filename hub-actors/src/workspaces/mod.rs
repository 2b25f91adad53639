//! WorkspaceService: what stands where, who may see it, and the certificates that make it true.

use schema::ids::WorkspaceId;

use crate::error::Refusal;

pub(crate) mod effects;
mod grants;
mod hosting;
mod layout;
mod making;
mod presence;
mod sharing;
mod standing;
#[cfg(test)]
mod tests;

pub(crate) use grants::{list_certificates, list_grantees, publish_grants};
pub(crate) use hosting::{attach_worker, detach_worker};
pub(crate) use layout::sync_layout;
pub(crate) use making::{
    archive_workspace, create_workspace, delete_workspace, list_workspaces, rename_workspace,
    restore_workspace, seen, transfer_workspace,
};
pub(crate) use presence::announce_presence;
pub(crate) use sharing::{list_shares, share_workspace, unshare_workspace};

/// What is no id names no workspace.
fn workspace_id(text: &str) -> Result<WorkspaceId, Refusal> {
    WorkspaceId::parse(text).map_err(|_| Refusal::NotFound)
}
