//! Listing and making workspaces, and what becomes of them.

use schema::{
    ids::{OrganisationId, UserId, WorkerId, WorkspaceId},
    wire,
};

use super::{
    effects::{Before, detach_strays},
    standing::Standing,
    workspace_id,
};
use crate::{
    asked::Asked,
    caller::Caller,
    clock,
    error::{Fault, Field, Quota, Refusal},
    names,
    notes::Notes,
    stop::{Stop, quota, sorted},
    store::{
        Connection, access,
        audit::Object,
        ledger::Reason,
        memberships, shares,
        workspaces::{self, NewWorkspace, Workspace},
    },
};

/// The caller's own and those shared with the caller; for an owner or admin of an organisation all
/// of it, with no role in those that the caller only looks after.
pub(crate) async fn list_workspaces(
    asked: &Asked,
    _: wire::ListWorkspacesRequest,
) -> Result<wire::ListWorkspacesResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let store = &asked.state.store;
    let workspaces = store.run(move |conn| list(conn, &caller)).await?;
    Ok(wire::ListWorkspacesResponse { workspaces })
}

fn list(conn: &mut Connection, caller: &Caller) -> Result<Vec<wire::Workspace>, Fault> {
    let seen = workspaces::seen_by(conn, &caller.user)?;
    let bound = caller.binding.as_ref();
    let is_open = |id: &WorkspaceId| bound.is_none_or(|binding| binding.workspace == *id);
    let seen: Vec<_> = seen
        .into_iter()
        .filter(|(workspace, _)| is_open(&workspace.id))
        .collect();
    let ids: Vec<_> = seen.iter().map(|(workspace, _)| &workspace.id).collect();
    let hosts = access::hosts_of_all(conn, &ids)?;
    let one = |(workspace, role): &(Workspace, wire::Role)| {
        let hosts = hosts.get(&workspace.id).map(Vec::as_slice);
        shown(workspace, *role, hosts.unwrap_or_default())
    };
    Ok(seen.iter().map(one).collect())
}

/// A workspace as somebody with this role sees it.
fn shown(workspace: &Workspace, role: wire::Role, hosts: &[WorkerId]) -> wire::Workspace {
    wire::Workspace {
        workspace_id: workspace.id.as_str().to_owned(),
        title: workspace.title.clone(),
        organisation_id: workspace.organisation.as_str().to_owned(),
        owner_user_id: workspace.owner.as_str().to_owned(),
        owner_username: workspace.owner_username.clone(),
        role: role.into(),
        created_unix_ms: workspace.created_ms,
        archived_unix_ms: workspace.archived_ms.unwrap_or_default(),
        worker_ids: hosts.iter().map(|id| id.as_str().to_owned()).collect(),
    }
}

/// What a caller sees of one workspace now, if anything.
pub(crate) fn seen(
    conn: &mut Connection,
    caller: &Caller,
    id: &WorkspaceId,
) -> Result<Option<wire::Workspace>, Fault> {
    match sorted(Standing::of(conn, caller, id))? {
        Ok(standing) => {
            let workspace = &standing.workspace;
            let hosts = access::hosts_of_all(conn, &[&workspace.id])?;
            let hosts = hosts.into_values().next().unwrap_or_default();
            Ok(Some(shown(workspace, standing.role, &hosts)))
        }
        Err(_) => Ok(None),
    }
}

pub(crate) async fn create_workspace(
    asked: &Asked,
    request: wire::CreateWorkspaceRequest,
) -> Result<wire::CreateWorkspaceResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let organisation = match request.organisation_id.as_str() {
        "" => caller.organisation.clone(),
        id => OrganisationId::parse(id).map_err(|_| Refusal::NotFound)?,
    };
    let id = WorkspaceId::parse(&names::id("s")?).map_err(|_| Fault::Row("a made id"))?;
    let new = NewWorkspace {
        id,
        organisation,
        owner: caller.user.clone(),
        title: title(&request.title)?,
    };
    let most = asked.state.config.quotas.workspaces_per_user;
    let made = asked.state.order(asked.author(), move |conn, notes| {
        sorted(create(conn, notes, &caller, &new, most))
    });
    Ok(wire::CreateWorkspaceResponse {
        workspace: made.await?,
    })
}

fn create(
    conn: &mut Connection,
    notes: &mut Notes,
    caller: &Caller,
    new: &NewWorkspace,
    most: u32,
) -> Result<Option<wire::Workspace>, Stop> {
    let member = memberships::role_of(conn, &new.organisation, &new.owner)?;
    if member.is_none() {
        return Err(Refusal::NotFound.into());
    }
    if workspaces::count_owned(conn, &new.owner)? >= i64::from(most) {
        return Err(quota(Quota::Workspaces).into());
    }
    workspaces::insert(conn, new, clock::unix_ms())?;
    let organisation = Some(new.organisation.as_str());
    let id = new.id.as_str();
    notes.audit_in(organisation, "workspace.created", Object::Workspace, id, "");
    notes.refresh.push(new.owner.clone());
    Before::of(conn, &new.organisation, &new.id)?.tell(notes);
    Ok(seen(conn, caller, &new.id)?)
}

pub(crate) async fn rename_workspace(
    asked: &Asked,
    request: wire::RenameWorkspaceRequest,
) -> Result<wire::RenameWorkspaceResponse, Refusal> {
    let title = title(&request.title)?;
    let order = move |conn: &mut Connection, notes: &mut Notes, standing: Standing| {
        standing.manages()?;
        let Workspace { id, .. } = &standing.workspace;
        workspaces::rename(conn, id, &title)?;
        write_down(notes, &standing.workspace, "workspace.renamed");
        before(conn, &standing.workspace)?.tell(notes);
        Ok(())
    };
    changed(asked, &request.workspace_id, order).await?;
    Ok(wire::RenameWorkspaceResponse {})
}

/// Puts it away: nobody but its owner is anything there until it is restored.
pub(crate) async fn archive_workspace(
    asked: &Asked,
    request: wire::ArchiveWorkspaceRequest,
) -> Result<wire::ArchiveWorkspaceResponse, Refusal> {
    changed(asked, &request.workspace_id, archive).await?;
    Ok(wire::ArchiveWorkspaceResponse {})
}

pub(super) fn archive(
    conn: &mut Connection,
    notes: &mut Notes,
    standing: Standing,
) -> Result<(), Stop> {
    standing.manages()?;
    let workspace = &standing.workspace;
    if workspace.archived_ms.is_some() {
        return Ok(());
    }
    let before = before(conn, workspace)?;
    workspaces::set_archived(conn, &workspace.id, Some(clock::unix_ms()))?;
    write_down(notes, workspace, "workspace.archived");
    Ok(before.settle(conn, notes, Reason::ShareWithdrawn)?)
}

pub(crate) async fn restore_workspace(
    asked: &Asked,
    request: wire::RestoreWorkspaceRequest,
) -> Result<wire::RestoreWorkspaceResponse, Refusal> {
    changed(asked, &request.workspace_id, restore).await?;
    Ok(wire::RestoreWorkspaceResponse {})
}

pub(super) fn restore(
    conn: &mut Connection,
    notes: &mut Notes,
    standing: Standing,
) -> Result<(), Stop> {
    standing.manages()?;
    let workspace = &standing.workspace;
    if workspace.archived_ms.is_none() {
        return Ok(());
    }
    let before = before(conn, workspace)?;
    workspaces::set_archived(conn, &workspace.id, None)?;
    write_down(notes, workspace, "workspace.restored");
    detach_strays(conn, notes, &workspace.id, Reason::ShareWithdrawn)?;
    Ok(before.settle(conn, notes, Reason::ShareWithdrawn)?)
}

pub(crate) async fn delete_workspace(
    asked: &Asked,
    request: wire::DeleteWorkspaceRequest,
) -> Result<wire::DeleteWorkspaceResponse, Refusal> {
    changed(asked, &request.workspace_id, delete).await?;
    Ok(wire::DeleteWorkspaceResponse {})
}

pub(super) fn delete(
    conn: &mut Connection,
    notes: &mut Notes,
    standing: Standing,
) -> Result<(), Stop> {
    standing.manages()?;
    let workspace = &standing.workspace;
    let before = before(conn, workspace)?;
    let delegations = workspaces::delegations_in(conn, &workspace.id)?;
    workspaces::delete(conn, &workspace.id)?;
    write_down(notes, workspace, "workspace.deleted");
    before.settle_gone(notes, delegations, Reason::WorkspaceDeleted);
    Ok(())
}

/// Gives it to another member of its organisation. Its owner of before keeps what shares give.
pub(crate) async fn transfer_workspace(
    asked: &Asked,
    request: wire::TransferWorkspaceRequest,
) -> Result<wire::TransferWorkspaceResponse, Refusal> {
    let to = UserId::parse(&request.user_id);
    let most = asked.state.config.quotas.workspaces_per_user;
    let order = move |conn: &mut Connection, notes: &mut Notes, standing: Standing| {
        standing.manages()?;
        let to = to.as_ref().map_err(|_| not_member())?;
        standing.has_member(conn, to)?;
        if *to == standing.workspace.owner {
            return Ok(());
        }
        if workspaces::count_owned(conn, to)? >= i64::from(most) {
            return Err(quota(Quota::Workspaces).into());
        }
        hand_over(conn, notes, &standing.workspace, to)
    };
    changed(asked, &request.workspace_id, order).await?;
    Ok(wire::TransferWorkspaceResponse {})
}

/// Makes somebody else the owner.
pub(super) fn hand_over(
    conn: &mut Connection,
    notes: &mut Notes,
    workspace: &Workspace,
    to: &UserId,
) -> Result<(), Stop> {
    let before = before(conn, workspace)?;
    workspaces::set_owner(conn, &workspace.id, to)?;
    shares::delete(conn, &workspace.id, &shares::Grantee::User(to.clone()))?;
    write_down_of(notes, workspace, "workspace.transferred", to);
    detach_strays(conn, notes, &workspace.id, Reason::Transferred)?;
    Ok(before.settle(conn, notes, Reason::Transferred)?)
}

/// Gives an order about one workspace that the caller may see.
pub(super) async fn changed<F>(asked: &Asked, id: &str, order: F) -> Result<(), Refusal>
where
    F: Fn(&mut Connection, &mut Notes, Standing) -> Result<(), Stop> + Send + 'static,
{
    let (caller, id) = (asked.caller()?.clone(), workspace_id(id)?);
    let done = asked.state.order(asked.author(), move |conn, notes| {
        let standing = Standing::of(conn, &caller, &id);
        sorted(standing.and_then(|standing| order(conn, notes, standing)))
    });
    done.await
}

/// How a workspace is now.
pub(super) fn before(conn: &mut Connection, workspace: &Workspace) -> Result<Before, Fault> {
    Before::of(conn, &workspace.organisation, &workspace.id)
}

/// The audit log's lines of what concerns somebody: the workspace's, and the person's.
pub(super) fn write_down_of(
    notes: &mut Notes,
    workspace: &Workspace,
    action: &'static str,
    user: &UserId,
) {
    write_down(notes, workspace, action);
    let organisation = Some(workspace.organisation.as_str());
    notes.audit_in(organisation, action, Object::User, user.as_str(), "");
}

/// The audit log's line.
pub(super) fn write_down(notes: &mut Notes, workspace: &Workspace, action: &'static str) {
    let (organisation, id) = (workspace.organisation.as_str(), workspace.id.as_str());
    notes.audit_in(Some(organisation), action, Object::Workspace, id, "");
}

const fn not_member() -> Refusal {
    Refusal::Unmet(crate::error::Unmet::NotMember)
}

/// Longest title, in bytes.
const TITLE_MAX: usize = 128;

fn title(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= TITLE_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or(Refusal::Malformed(Field::Title))
}
