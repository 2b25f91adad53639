//! Workspaces: where they are, whose they are, and what they are called.

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, Queryable, RunQueryDsl as _,
};
use schema::{
    ids::{CredentialId, OrganisationId, UserId, WorkspaceId},
    wire::{OrganisationRole, Role},
};

use super::{
    Connection, access,
    memberships::small,
    tables::{credentials, memberships, users, workspaces},
};
use crate::error::Fault;

/// A workspace as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    pub(crate) id: WorkspaceId,
    pub(crate) organisation: OrganisationId,
    pub(crate) owner: UserId,
    pub(crate) owner_username: String,
    pub(crate) title: String,
    pub(crate) created_ms: i64,
    pub(crate) archived_ms: Option<i64>,
}

/// A workspace to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewWorkspace {
    pub(crate) id: WorkspaceId,
    pub(crate) organisation: OrganisationId,
    pub(crate) owner: UserId,
    pub(crate) title: String,
}

/// One workspace.
pub(crate) fn find(conn: &mut Connection, id: &WorkspaceId) -> Result<Option<Workspace>, Fault> {
    let row = workspaces::table
        .inner_join(users::table)
        .filter(workspaces::id.eq(id.as_str()))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(Workspace::try_from).transpose()
}

/// What a user may see, oldest first, and what the user is there: those that the user is something
/// in, and all of the organisations that the user looks after.
pub(crate) fn seen_by(
    conn: &mut Connection,
    user: &UserId,
) -> Result<Vec<(Workspace, Role)>, Fault> {
    let roles = access::roles_of(conn, user)?;
    let ids: Vec<&str> = roles.keys().map(WorkspaceId::as_str).collect();
    let looked_after = memberships::table
        .filter(memberships::user_id.eq(user.as_str()))
        .filter(memberships::role.ge(small(OrganisationRole::Admin)))
        .select(memberships::organisation_id)
        .load::<String>(conn)?;
    let mut rows = load(conn, &ids)?;
    let others = workspaces::table
        .inner_join(users::table)
        .filter(workspaces::organisation_id.eq_any(&looked_after))
        .select(COLUMNS)
        .load::<Row>(conn)?;
    rows.extend(
        others
            .into_iter()
            .filter(|row| !ids.contains(&row.id.as_str())),
    );
    rows.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
    let with_role = |row| {
        let workspace = Workspace::try_from(row)?;
        let role = roles.get(&workspace.id).copied();
        Ok((workspace, role.unwrap_or_default()))
    };
    rows.into_iter().map(with_role).collect()
}

fn load(conn: &mut Connection, ids: &[&str]) -> Result<Vec<Row>, Fault> {
    Ok(workspaces::table
        .inner_join(users::table)
        .filter(workspaces::id.eq_any(ids))
        .select(COLUMNS)
        .load::<Row>(conn)?)
}

/// How many a user owns.
pub(crate) fn count_owned(conn: &mut Connection, owner: &UserId) -> Result<i64, Fault> {
    let owned = workspaces::table.filter(workspaces::owner_user_id.eq(owner.as_str()));
    Ok(owned.count().get_result(conn)?)
}

/// All of an organisation.
pub(crate) fn of_organisation(
    conn: &mut Connection,
    organisation: &OrganisationId,
) -> Result<Vec<WorkspaceId>, Fault> {
    let ids = workspaces::table
        .filter(workspaces::organisation_id.eq(organisation.as_str()))
        .order(workspaces::id.asc())
        .select(workspaces::id)
        .load::<String>(conn)?;
    ids.iter().map(|id| workspace_id(id)).collect()
}

/// Those of an organisation that a user owns.
pub(crate) fn owned_in(
    conn: &mut Connection,
    organisation: &OrganisationId,
    owner: &UserId,
) -> Result<Vec<WorkspaceId>, Fault> {
    let ids = workspaces::table
        .filter(workspaces::organisation_id.eq(organisation.as_str()))
        .filter(workspaces::owner_user_id.eq(owner.as_str()))
        .order(workspaces::id.asc())
        .select(workspaces::id)
        .load::<String>(conn)?;
    ids.iter().map(|id| workspace_id(id)).collect()
}

/// Stores one.
pub(crate) fn insert(conn: &mut Connection, new: &NewWorkspace, now_ms: i64) -> Result<(), Fault> {
    diesel::insert_into(workspaces::table)
        .values((
            workspaces::id.eq(new.id.as_str()),
            workspaces::organisation_id.eq(new.organisation.as_str()),
            workspaces::owner_user_id.eq(new.owner.as_str()),
            workspaces::title.eq(&new.title),
            workspaces::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Calls it something else.
pub(crate) fn rename(conn: &mut Connection, id: &WorkspaceId, title: &str) -> Result<(), Fault> {
    diesel::update(workspaces::table.find(id.as_str()))
        .set(workspaces::title.eq(title))
        .execute(conn)?;
    Ok(())
}

/// Puts it away, or with no time brings it back.
pub(crate) fn set_archived(
    conn: &mut Connection,
    id: &WorkspaceId,
    archived_ms: Option<i64>,
) -> Result<(), Fault> {
    diesel::update(workspaces::table.find(id.as_str()))
        .set(workspaces::archived_ms.eq(archived_ms))
        .execute(conn)?;
    Ok(())
}

/// Gives it to somebody else.
pub(crate) fn set_owner(
    conn: &mut Connection,
    id: &WorkspaceId,
    owner: &UserId,
) -> Result<(), Fault> {
    diesel::update(workspaces::table.find(id.as_str()))
        .set(workspaces::owner_user_id.eq(owner.as_str()))
        .execute(conn)?;
    Ok(())
}

/// Deletes it, and everything in it.
pub(crate) fn delete(conn: &mut Connection, id: &WorkspaceId) -> Result<(), Fault> {
    diesel::delete(workspaces::table.find(id.as_str())).execute(conn)?;
    Ok(())
}

/// The delegations that are confined to it, which go with it.
pub(crate) fn delegations_in(
    conn: &mut Connection,
    id: &WorkspaceId,
) -> Result<Vec<CredentialId>, Fault> {
    let ids = credentials::table
        .filter(credentials::workspace_id.eq(id.as_str()))
        .filter(credentials::revoked_ms.is_null())
        .order(credentials::id.asc())
        .select(credentials::id)
        .load::<String>(conn)?;
    ids.iter()
        .map(|id| CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id")))
        .collect()
}

#[derive(Queryable)]
struct Row {
    id: String,
    organisation_id: String,
    owner_user_id: String,
    owner_username: String,
    title: String,
    created_ms: i64,
    archived_ms: Option<i64>,
}

type Columns = (
    workspaces::id,
    workspaces::organisation_id,
    workspaces::owner_user_id,
    users::username,
    workspaces::title,
    workspaces::created_ms,
    workspaces::archived_ms,
);

const COLUMNS: Columns = (
    workspaces::id,
    workspaces::organisation_id,
    workspaces::owner_user_id,
    users::username,
    workspaces::title,
    workspaces::created_ms,
    workspaces::archived_ms,
);

impl TryFrom<Row> for Workspace {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let organisation = OrganisationId::parse(&row.organisation_id);
        let owner = UserId::parse(&row.owner_user_id);
        Ok(Self {
            id: workspace_id(&row.id)?,
            organisation: organisation.map_err(|_| Fault::Row("workspaces.organisation_id"))?,
            owner: owner.map_err(|_| Fault::Row("workspaces.owner_user_id"))?,
            owner_username: row.owner_username,
            title: row.title,
            created_ms: row.created_ms,
            archived_ms: row.archived_ms,
        })
    }
}

fn workspace_id(text: &str) -> Result<WorkspaceId, Fault> {
    WorkspaceId::parse(text).map_err(|_| Fault::Row("workspaces.id"))
}
