//! What a caller is to a workspace: the gate that every method of this service goes through.

use schema::{
    ids::{UserId, WorkspaceId},
    wire::{OrganisationRole, Role},
};

use crate::{
    caller::Caller,
    error::{Refusal, Unmet},
    stop::Stop,
    store::{
        Connection, access, memberships,
        workspaces::{self, Workspace},
    },
};

/// A workspace that the caller may see, and what the caller is there.
pub(crate) struct Standing {
    pub(crate) workspace: Workspace,
    /// Unspecified for who only looks after its organisation.
    pub(crate) role: Role,
    /// An owner or admin of its organisation, who may tidy up, and route nowhere.
    looks_after: bool,
}

impl Standing {
    /// Looks; whoever may not see the workspace is told what is told of one that is not there.
    pub(crate) fn of(
        conn: &mut Connection,
        caller: &Caller,
        id: &WorkspaceId,
    ) -> Result<Self, Stop> {
        let bound = caller.binding.as_ref();
        if bound.is_some_and(|binding| binding.workspace != *id) {
            return Err(Refusal::NotFound.into());
        }
        let found = workspaces::find(conn, id)?;
        let workspace = found.ok_or(Refusal::NotFound)?;
        let role = access::role_in(conn, &caller.user, id)?;
        let member = memberships::role_of(conn, &workspace.organisation, &caller.user)?;
        let looks_after = bound.is_none() && member >= Some(OrganisationRole::Admin);
        if role.is_none() && !looks_after {
            return Err(Refusal::NotFound.into());
        }
        Ok(Self {
            workspace,
            role: role.unwrap_or_default(),
            looks_after,
        })
    }

    /// For what the owner alone may do.
    pub(super) fn owns(&self) -> Result<(), Refusal> {
        allowed(self.role == Role::Owner)
    }

    /// For what the owner may do, and who looks after the organisation.
    pub(super) fn manages(&self) -> Result<(), Refusal> {
        allowed(self.role == Role::Owner || self.looks_after)
    }

    /// For what everybody may do who may change what stands in it.
    pub(super) fn edits(&self) -> Result<(), Refusal> {
        allowed(self.role >= Role::Editor)
    }

    /// For what whoever is something in it may do.
    pub(super) fn views(&self) -> Result<(), Refusal> {
        allowed(self.role >= Role::Viewer)
    }

    /// For what waits until it is restored.
    pub(super) fn is_open(&self) -> Result<(), Refusal> {
        match self.workspace.archived_ms {
            None => Ok(()),
            Some(_) => Err(Refusal::Unmet(Unmet::Archived)),
        }
    }

    /// Whether somebody belongs to the workspace's organisation.
    pub(super) fn has_member(&self, conn: &mut Connection, user: &UserId) -> Result<(), Stop> {
        let member = memberships::role_of(conn, &self.workspace.organisation, user)?;
        member
            .map(|_| ())
            .ok_or_else(|| Refusal::Unmet(Unmet::NotMember).into())
    }
}

fn allowed(is: bool) -> Result<(), Refusal> {
    is.then_some(()).ok_or(Refusal::Forbidden)
}
