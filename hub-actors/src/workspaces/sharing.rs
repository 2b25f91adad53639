//! With whom a workspace is shared. A share is permission to route, no more: what a Worker lets
//! somebody do rests on the certificate that its owner signs.

use schema::{
    ids::UserId,
    wire::{self, Role, grantee::Whom},
};

use super::{
    effects::detach_strays,
    making::{before, changed, write_down, write_down_of},
    standing::Standing,
    workspace_id,
};
use crate::{
    asked::Asked,
    clock,
    error::{Field, Refusal, Unmet},
    notes::Notes,
    stop::{Stop, sorted},
    store::{
        Connection,
        ledger::Reason,
        shares::{self, Grantee, Share},
        workspaces::Workspace,
    },
};

/// For everybody who sees the workspace.
pub(crate) async fn list_shares(
    asked: &Asked,
    request: wire::ListSharesRequest,
) -> Result<wire::ListSharesResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let id = workspace_id(&request.workspace_id)?;
    let listed = asked.state.store.run(move |conn| {
        sorted(Standing::of(conn, &caller, &id).and_then(|_| Ok(shares::of(conn, &id)?)))
    });
    let shares = listed.await??.into_iter().map(shown).collect();
    Ok(wire::ListSharesResponse { shares })
}

fn shown(share: Share) -> wire::Share {
    let whom = match share.grantee {
        Grantee::User(user) => Whom::UserId(user.as_str().to_owned()),
        Grantee::Organisation(_) => Whom::Organisation(true),
    };
    wire::Share {
        grantee: Some(wire::Grantee { whom: Some(whom) }),
        username: share.username,
        role: share.role.into(),
        granted_unix_ms: share.granted_ms,
    }
}

/// Shares, or changes what a share gives. The owner's business.
pub(crate) async fn share_workspace(
    asked: &Asked,
    request: wire::ShareWorkspaceRequest,
) -> Result<wire::ShareWorkspaceResponse, Refusal> {
    let role = match request.role() {
        role @ (Role::Viewer | Role::Editor) => role,
        Role::Unspecified | Role::Owner => return Err(Refusal::Malformed(Field::Role)),
    };
    let (whom, by) = (whom(request.grantee)?, asked.caller()?.user.clone());
    let order = move |conn: &mut Connection, notes: &mut Notes, standing: Standing| {
        share(conn, notes, &standing, &whom, role, &by)
    };
    changed(asked, &request.workspace_id, order).await?;
    Ok(wire::ShareWorkspaceResponse {})
}

pub(super) fn share(
    conn: &mut Connection,
    notes: &mut Notes,
    standing: &Standing,
    whom: &Whom,
    role: Role,
    by: &UserId,
) -> Result<(), Stop> {
    standing.owns()?;
    standing.is_open()?;
    let workspace = &standing.workspace;
    let grantee = grantee(workspace, whom).ok_or(Refusal::Unmet(Unmet::NotMember))?;
    if let Grantee::User(user) = &grantee {
        standing.has_member(conn, user)?;
        if *user == workspace.owner {
            return Err(Refusal::Malformed(Field::Grantee).into());
        }
    }
    let before = before(conn, workspace)?;
    shares::put(conn, &workspace.id, &grantee, role, by, clock::unix_ms())?;
    write_down_whom(notes, workspace, "workspace.shared", &grantee);
    detach_strays(conn, notes, &workspace.id, Reason::RoleLowered)?;
    Ok(before.settle(conn, notes, Reason::RoleLowered)?)
}

/// Takes a share back; a share that is not there is as good as gone. By the owner, and by whom it
/// is for.
pub(crate) async fn unshare_workspace(
    asked: &Asked,
    request: wire::UnshareWorkspaceRequest,
) -> Result<wire::UnshareWorkspaceResponse, Refusal> {
    let (whom, by) = (whom(request.grantee)?, asked.caller()?.user.clone());
    let order = move |conn: &mut Connection, notes: &mut Notes, standing: Standing| {
        unshare(conn, notes, &standing, &whom, &by)
    };
    changed(asked, &request.workspace_id, order).await?;
    Ok(wire::UnshareWorkspaceResponse {})
}

pub(super) fn unshare(
    conn: &mut Connection,
    notes: &mut Notes,
    standing: &Standing,
    whom: &Whom,
    by: &UserId,
) -> Result<(), Stop> {
    let workspace = &standing.workspace;
    let grantee = grantee(workspace, whom);
    if grantee.as_ref() != Some(&Grantee::User(by.clone())) {
        standing.owns()?;
    }
    let Some(grantee) = grantee else {
        return Ok(());
    };
    let before = before(conn, workspace)?;
    if !shares::delete(conn, &workspace.id, &grantee)? {
        return Ok(());
    }
    write_down_whom(notes, workspace, "workspace.unshared", &grantee);
    detach_strays(conn, notes, &workspace.id, Reason::ShareWithdrawn)?;
    Ok(before.settle(conn, notes, Reason::ShareWithdrawn)?)
}

/// Shared with all, the organisation that the line names says it.
fn write_down_whom(
    notes: &mut Notes,
    workspace: &Workspace,
    action: &'static str,
    grantee: &Grantee,
) {
    match grantee {
        Grantee::User(user) => write_down_of(notes, workspace, action, user),
        Grantee::Organisation(_) => write_down(notes, workspace, action),
    }
}

fn whom(grantee: Option<wire::Grantee>) -> Result<Whom, Refusal> {
    match grantee.and_then(|grantee| grantee.whom) {
        Some(Whom::Organisation(false)) | None => Err(Refusal::Malformed(Field::Grantee)),
        Some(whom) => Ok(whom),
    }
}

/// None for what is nobody's id.
fn grantee(workspace: &Workspace, whom: &Whom) -> Option<Grantee> {
    match whom {
        Whom::UserId(user) => UserId::parse(user).ok().map(Grantee::User),
        Whom::Organisation(_) => Some(Grantee::Organisation(workspace.organisation.clone())),
    }
}
