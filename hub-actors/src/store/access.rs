//! Who may do what in which workspace, and who may route to which Worker: the one place that decides.
//! `docs/access.md` is the text to it.
//!
//! * The owner of a workspace is its owner; whoever it is shared with, by name or as a member of its
//!   organisation, is a viewer or editor, the better of the two. Nobody outside the organisation is
//!   anything, whatever a share says. In an archived workspace only its owner is something.
//! * A Worker is routed to by its owner, and by whoever is something in a workspace that it hosts.

use std::collections::BTreeMap;

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::{
    ids::{OrganisationId, UserId, WorkerId, WorkspaceId},
    wire::Role,
};

use super::{
    Connection,
    tables::{memberships, worker_workspaces, workers, workspace_shares, workspaces},
};
use crate::error::Fault;

/// `workspace_shares.grantee_kind` of one user.
pub(crate) const TO_USER: i16 = 1;
/// And of all members of the workspace's organisation.
pub(crate) const TO_ORGANISATION: i16 = 2;

/// Roles by workspace.
pub(crate) type Roles = BTreeMap<WorkspaceId, Role>;

/// How a user may route to a Worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Whose Worker it is.
    pub(crate) owner: UserId,
    /// The Worker's organisation, which its traffic counts for.
    pub(crate) organisation: OrganisationId,
    /// What to announce: for the Worker's owner, all workspaces that the owner is something in; for
    /// anybody else, those that the Worker hosts.
    pub(crate) roles: Roles,
}

/// The role that a row of `workspace_shares` gives.
pub(crate) fn shared_role(number: i16) -> Result<Role, Fault> {
    match number {
        1 => Ok(Role::Viewer),
        2 => Ok(Role::Editor),
        _ => Err(Fault::Row("workspace_shares.role")),
    }
}

/// Every workspace that a user is something in, and what.
pub(crate) fn roles_of(conn: &mut Connection, user: &UserId) -> Result<Roles, Fault> {
    let member_of = memberships::table
        .filter(memberships::user_id.eq(user.as_str()))
        .select(memberships::organisation_id)
        .load::<String>(conn)?;
    let mut roles = Roles::new();
    let by_name = workspace_shares::grantee_kind
        .eq(TO_USER)
        .and(workspace_shares::grantee_id.eq(user.as_str()));
    let as_member = workspace_shares::grantee_kind
        .eq(TO_ORGANISATION)
        .and(workspace_shares::grantee_id.eq_any(&member_of));
    let shared = workspace_shares::table
        .inner_join(workspaces::table)
        .filter(by_name.or(as_member))
        .filter(workspaces::organisation_id.eq_any(&member_of))
        .filter(workspaces::archived_ms.is_null())
        .select((workspaces::id, workspace_shares::role))
        .load::<(String, i16)>(conn)?;
    for (workspace, role) in shared {
        raise(&mut roles, workspace_id(&workspace)?, shared_role(role)?);
    }
    let owned = workspaces::table
        .filter(workspaces::owner_user_id.eq(user.as_str()))
        .filter(workspaces::organisation_id.eq_any(&member_of))
        .select(workspaces::id)
        .load::<String>(conn)?;
    for workspace in owned {
        raise(&mut roles, workspace_id(&workspace)?, Role::Owner);
    }
    Ok(roles)
}

/// What a user is in one workspace.
pub(crate) fn role_in(
    conn: &mut Connection,
    user: &UserId,
    workspace: &WorkspaceId,
) -> Result<Option<Role>, Fault> {
    Ok(people_of(conn, workspace)?.get(user).copied())
}

/// Everybody who is something in a workspace, and what.
pub(crate) fn people_of(
    conn: &mut Connection,
    workspace: &WorkspaceId,
) -> Result<BTreeMap<UserId, Role>, Fault> {
    let found = workspaces::table
        .find(workspace.as_str())
        .select((
            workspaces::organisation_id,
            workspaces::owner_user_id,
            workspaces::archived_ms,
        ))
        .first::<(String, String, Option<i64>)>(conn)
        .optional()?;
    let Some((organisation, owner, archived)) = found else {
        return Ok(BTreeMap::new());
    };
    let members = memberships::table
        .filter(memberships::organisation_id.eq(&organisation))
        .select(memberships::user_id)
        .load::<String>(conn)?;
    let shares = workspace_shares::table
        .filter(workspace_shares::workspace_id.eq(workspace.as_str()))
        .select((
            workspace_shares::grantee_kind,
            workspace_shares::grantee_id,
            workspace_shares::role,
        ))
        .load::<(i16, String, i16)>(conn)?;
    let mut people = BTreeMap::new();
    for (kind, grantee, role) in shares.iter().filter(|_| archived.is_none()) {
        let role = shared_role(*role)?;
        let everybody = *kind == TO_ORGANISATION && *grantee == organisation;
        for member in &members {
            if everybody || (*kind == TO_USER && member == grantee) {
                raise(&mut people, user_id(member)?, role);
            }
        }
    }
    if members.contains(&owner) {
        raise(&mut people, user_id(&owner)?, Role::Owner);
    }
    Ok(people)
}

/// Whether and how a user may route to a Worker. `None` for one that is not there, that is to be
/// deregistered, or that the user has nothing to do with: one and the same answer.
pub(crate) fn reach(
    conn: &mut Connection,
    user: &UserId,
    worker: &WorkerId,
) -> Result<Option<Reach>, Fault> {
    let found = workers::table
        .find(worker.as_str())
        .filter(workers::deregistering_ms.is_null())
        .select((workers::owner_user_id, workers::organisation_id))
        .first::<(String, String)>(conn)
        .optional()?;
    let Some((owner, organisation)) = found else {
        return Ok(None);
    };
    let (owner, mut roles) = (user_id(&owner)?, roles_of(conn, user)?);
    if owner != *user {
        let hosted = hosted_by(conn, worker)?;
        roles.retain(|workspace, _| hosted.contains(workspace));
        if roles.is_empty() {
            return Ok(None);
        }
    }
    let organisation = OrganisationId::parse(&organisation);
    let organisation = organisation.map_err(|_| Fault::Row("workers.organisation_id"))?;
    Ok(Some(Reach {
        owner,
        organisation,
        roles,
    }))
}

/// The workspaces that a Worker hosts.
pub(crate) fn hosted_by(
    conn: &mut Connection,
    worker: &WorkerId,
) -> Result<Vec<WorkspaceId>, Fault> {
    let hosted = worker_workspaces::table
        .filter(worker_workspaces::worker_id.eq(worker.as_str()))
        .select(worker_workspaces::workspace_id)
        .load::<String>(conn)?;
    hosted.iter().map(|id| workspace_id(id)).collect()
}

/// The Workers that host each of these workspaces.
pub(crate) fn hosts_of_all(
    conn: &mut Connection,
    workspaces: &[&WorkspaceId],
) -> Result<BTreeMap<WorkspaceId, Vec<WorkerId>>, Fault> {
    let ids = workspaces.iter().map(|id| id.as_str());
    let rows = worker_workspaces::table
        .filter(worker_workspaces::workspace_id.eq_any(ids))
        .select((
            worker_workspaces::workspace_id,
            worker_workspaces::worker_id,
        ))
        .order(worker_workspaces::worker_id.asc())
        .load::<(String, String)>(conn)?;
    let mut hosts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (workspace, worker) in rows {
        let worker =
            WorkerId::parse(&worker).map_err(|_| Fault::Row("worker_workspaces.worker_id"))?;
        hosts
            .entry(workspace_id(&workspace)?)
            .or_default()
            .push(worker);
    }
    Ok(hosts)
}

fn raise<K: Ord>(roles: &mut BTreeMap<K, Role>, at: K, role: Role) {
    let best = roles.entry(at).or_insert(role);
    *best = role.max(*best);
}

fn user_id(text: &str) -> Result<UserId, Fault> {
    UserId::parse(text).map_err(|_| Fault::Row("users.id"))
}

fn workspace_id(text: &str) -> Result<WorkspaceId, Fault> {
    WorkspaceId::parse(text).map_err(|_| Fault::Row("workspaces.id"))
}
