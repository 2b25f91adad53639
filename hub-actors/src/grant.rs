//! Who may open a channel to which Worker. Only this file makes a [`Grant`].

use channel_actors::RefusalReason;
use schema::{
    ids::{CredentialId, OrganisationId, UserId, WorkerId},
    wire::{Role, WorkspaceAccess},
};

use crate::{
    caller::Caller,
    clock,
    error::Fault,
    store::{Store, credentials, users, workers},
};

/// Proof that a credential may open a channel to a Worker.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    user: UserId,
    organisation: OrganisationId,
    credential: CredentialId,
    worker: WorkerId,
    workspaces: Vec<WorkspaceAccess>,
}

impl Grant {
    pub(crate) const fn user(&self) -> &UserId {
        &self.user
    }

    pub(crate) const fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    pub(crate) const fn credential(&self) -> &CredentialId {
        &self.credential
    }

    pub(crate) const fn worker(&self) -> &WorkerId {
        &self.worker
    }

    pub(crate) fn workspaces(&self) -> &[WorkspaceAccess] {
        &self.workspaces
    }
}

/// Checks, in this order: the credential is live; the Worker exists and is the caller's, which
/// is one and the same answer; the workspaces asked for, none meaning all that are granted.
pub(crate) async fn authorise(
    store: &Store,
    caller: Caller,
    worker: WorkerId,
    asked: Vec<String>,
) -> Result<Result<Grant, RefusalReason>, Fault> {
    store
        .run(move |conn| {
            if !credentials::is_live(conn, &caller.credential, clock::unix_ms())? {
                return Ok(Err(RefusalReason::Credential));
            }
            let found = workers::find(conn, &worker)?;
            if found.is_none_or(|found| found.owner != caller.user) {
                return Ok(Err(RefusalReason::NotFound));
            }
            let owned = users::workspaces_of(conn, &caller.user)?;
            let wanted = |id: &str| asked.is_empty() || asked.iter().any(|one| one == id);
            let workspaces: Vec<WorkspaceAccess> = owned
                .into_iter()
                .filter(|workspace| wanted(workspace.id.as_str()))
                .map(|workspace| WorkspaceAccess {
                    workspace_id: workspace.id.as_str().to_owned(),
                    role: Role::Owner.into(),
                })
                .collect();
            if workspaces.is_empty() {
                return Ok(Err(RefusalReason::NotFound));
            }
            let Caller {
                user,
                organisation,
                credential,
                ..
            } = caller;
            Ok(Ok(Grant {
                user,
                organisation,
                credential,
                worker,
                workspaces,
            }))
        })
        .await
}
