//! With whom a workspace is shared, and which Workers host it.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::{
    ids::{OrganisationId, UserId, WorkerId, WorkspaceId},
    wire::Role,
};

use super::{
    Connection,
    access::{TO_ORGANISATION, TO_USER, shared_role},
    tables::{users, worker_workspaces, workers, workspace_shares, workspaces},
    unless_taken,
};
use crate::error::Fault;

/// With whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grantee {
    /// One member of the workspace's organisation.
    User(UserId),
    /// All of them.
    Organisation(OrganisationId),
}

impl Grantee {
    const fn kind(&self) -> i16 {
        match self {
            Self::User(_) => TO_USER,
            Self::Organisation(_) => TO_ORGANISATION,
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::User(user) => user.as_str(),
            Self::Organisation(organisation) => organisation.as_str(),
        }
    }
}

/// One share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) grantee: Grantee,
    /// Empty for the organisation.
    pub(crate) username: String,
    pub(crate) role: Role,
    pub(crate) granted_ms: i64,
}

/// All shares of a workspace, oldest first.
pub(crate) fn of(conn: &mut Connection, workspace: &WorkspaceId) -> Result<Vec<Share>, Fault> {
    type Row = (i16, String, i16, i64);
    let rows = workspace_shares::table
        .filter(workspace_shares::workspace_id.eq(workspace.as_str()))
        .order((
            workspace_shares::granted_ms.asc(),
            workspace_shares::grantee_id.asc(),
        ))
        .select((
            workspace_shares::grantee_kind,
            workspace_shares::grantee_id,
            workspace_shares::role,
            workspace_shares::granted_ms,
        ))
        .load::<Row>(conn)?;
    let ids: Vec<&str> = rows.iter().map(|(_, id, ..)| id.as_str()).collect();
    let names = users::table
        .filter(users::id.eq_any(&ids))
        .select((users::id, users::username))
        .load::<(String, String)>(conn)?;
    let share = |(kind, id, role, granted_ms): &Row| {
        let name = names.iter().find(|(user, _)| user == id);
        Ok(Share {
            grantee: grantee(*kind, id)?,
            username: name.map_or_else(String::new, |(_, name)| name.clone()),
            role: shared_role(*role)?,
            granted_ms: *granted_ms,
        })
    };
    rows.iter().map(share).collect()
}

/// Shares with somebody, or shares as something else.
pub(crate) fn put(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    grantee: &Grantee,
    role: Role,
    by: &UserId,
    now_ms: i64,
) -> Result<(), Fault> {
    let at = (workspace.as_str(), grantee.kind(), grantee.id());
    let role = i16::try_from(i32::from(role)).unwrap_or_default();
    let values = (
        workspace_shares::role.eq(role),
        workspace_shares::granted_by.eq(by.as_str()),
        workspace_shares::granted_ms.eq(now_ms),
    );
    let changed = diesel::update(workspace_shares::table.find(at))
        .set(values)
        .execute(conn)?;
    if changed == 0 {
        let key = (
            workspace_shares::workspace_id.eq(at.0),
            workspace_shares::grantee_kind.eq(at.1),
            workspace_shares::grantee_id.eq(at.2),
        );
        diesel::insert_into(workspace_shares::table)
            .values((key, values))
            .execute(conn)?;
    }
    Ok(())
}

/// Takes a share back; `false` where there is none.
pub(crate) fn delete(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    grantee: &Grantee,
) -> Result<bool, Fault> {
    let at = (workspace.as_str(), grantee.kind(), grantee.id());
    Ok(diesel::delete(workspace_shares::table.find(at)).execute(conn)? > 0)
}

/// Takes back what is shared with a user in an organisation, archived or not.
pub(crate) fn delete_in(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<(), Fault> {
    let its = workspaces::table
        .filter(workspaces::organisation_id.eq(organisation.as_str()))
        .select(workspaces::id);
    diesel::delete(workspace_shares::table)
        .filter(workspace_shares::grantee_kind.eq(TO_USER))
        .filter(workspace_shares::grantee_id.eq(user.as_str()))
        .filter(workspace_shares::workspace_id.eq_any(its))
        .execute(conn)?;
    Ok(())
}

/// A Worker that hosts a workspace, and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
}

/// The Workers that host a workspace.
pub(crate) fn hosts(conn: &mut Connection, workspace: &WorkspaceId) -> Result<Vec<Host>, Fault> {
    let rows = worker_workspaces::table
        .inner_join(workers::table)
        .filter(worker_workspaces::workspace_id.eq(workspace.as_str()))
        .order(workers::id.asc())
        .select((workers::id, workers::owner_user_id))
        .load::<(String, String)>(conn)?;
    rows.iter()
        .map(|(worker, owner)| host(worker, owner))
        .collect()
}

/// The Workers that host any of these workspaces, each once.
pub(crate) fn hosts_of_all(
    conn: &mut Connection,
    workspaces: &BTreeSet<&WorkspaceId>,
) -> Result<Vec<Host>, Fault> {
    let ids = workspaces.iter().map(|id| id.as_str());
    let rows = worker_workspaces::table
        .inner_join(workers::table)
        .filter(worker_workspaces::workspace_id.eq_any(ids))
        .order(workers::id.asc())
        .select((workers::id, workers::owner_user_id))
        .distinct()
        .load::<(String, String)>(conn)?;
    rows.iter()
        .map(|(worker, owner)| host(worker, owner))
        .collect()
}

/// Which of a user's Workers host which workspaces of an organisation.
pub(crate) fn hosted_in(
    conn: &mut Connection,
    organisation: &OrganisationId,
    owner: &UserId,
) -> Result<Vec<(WorkerId, WorkspaceId)>, Fault> {
    let rows = worker_workspaces::table
        .inner_join(workers::table)
        .inner_join(workspaces::table)
        .filter(workspaces::organisation_id.eq(organisation.as_str()))
        .filter(workers::owner_user_id.eq(owner.as_str()))
        .order((workers::id.asc(), workspaces::id.asc()))
        .select((workers::id, workspaces::id))
        .load::<(String, String)>(conn)?;
    rows.iter()
        .map(|(worker, workspace)| Ok((worker_id(worker)?, workspace_id(workspace)?)))
        .collect()
}

/// How many workspaces a Worker hosts.
pub(crate) fn count_hosted(conn: &mut Connection, worker: &WorkerId) -> Result<i64, Fault> {
    let its = worker_workspaces::table.filter(worker_workspaces::worker_id.eq(worker.as_str()));
    Ok(its.count().get_result(conn)?)
}

/// Lets a Worker host a workspace; `false` where it does already.
pub(crate) fn attach(
    conn: &mut Connection,
    worker: &WorkerId,
    workspace: &WorkspaceId,
) -> Result<bool, Fault> {
    Ok(unless_taken(conn, |conn| {
        diesel::insert_into(worker_workspaces::table)
            .values((
                worker_workspaces::worker_id.eq(worker.as_str()),
                worker_workspaces::workspace_id.eq(workspace.as_str()),
            ))
            .execute(conn)
    })?)
}

/// And no longer; `false` where it does not.
pub(crate) fn detach(
    conn: &mut Connection,
    worker: &WorkerId,
    workspace: &WorkspaceId,
) -> Result<bool, Fault> {
    let at = (worker.as_str(), workspace.as_str());
    Ok(diesel::delete(worker_workspaces::table.find(at)).execute(conn)? > 0)
}

fn grantee(kind: i16, id: &str) -> Result<Grantee, Fault> {
    match kind {
        TO_USER => user_id(id).map(Grantee::User),
        TO_ORGANISATION => OrganisationId::parse(id)
            .map(Grantee::Organisation)
            .map_err(|_| Fault::Row("workspace_shares.grantee_id")),
        _ => Err(Fault::Row("workspace_shares.grantee_kind")),
    }
}

fn host(worker: &str, owner: &str) -> Result<Host, Fault> {
    Ok(Host {
        worker: worker_id(worker)?,
        owner: user_id(owner)?,
    })
}

fn user_id(text: &str) -> Result<UserId, Fault> {
    UserId::parse(text).map_err(|_| Fault::Row("users.id"))
}

fn worker_id(text: &str) -> Result<WorkerId, Fault> {
    WorkerId::parse(text).map_err(|_| Fault::Row("workers.id"))
}

fn workspace_id(text: &str) -> Result<WorkspaceId, Fault> {
    WorkspaceId::parse(text).map_err(|_| Fault::Row("workspaces.id"))
}
