//! Users, their organisation and their workspaces.

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _,
    SqliteConnection,
};
use schema::ids::{OrganisationId, UserId, WorkspaceId};

use super::tables::{organisations, users, workspaces};
use crate::error::Fault;

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) organisation: OrganisationId,
    pub(crate) username: String,
}

/// A place where terminals stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    pub(crate) id: WorkspaceId,
    pub(crate) title: String,
}

/// Names for the rows of a first start; random bytes are the caller's business.
pub(crate) struct FirstIds {
    pub(crate) organisation: OrganisationId,
    pub(crate) user: UserId,
    pub(crate) workspace: WorkspaceId,
}

/// The admin; made with an organisation and a workspace where nobody is yet.
pub(crate) fn ensure_admin(
    conn: &mut SqliteConnection,
    ids: &FirstIds,
    now_ms: i64,
) -> Result<User, Fault> {
    let first = users::table.order(users::created_ms.asc()).select(COLUMNS);
    if let Some(row) = first.first::<Row>(conn).optional()? {
        return user(row);
    }
    diesel::insert_into(organisations::table)
        .values((
            organisations::id.eq(ids.organisation.as_str()),
            organisations::name.eq("home"),
        ))
        .execute(conn)?;
    diesel::insert_into(users::table)
        .values((
            users::id.eq(ids.user.as_str()),
            users::organisation_id.eq(ids.organisation.as_str()),
            users::username.eq("admin"),
            users::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    diesel::insert_into(workspaces::table)
        .values((
            workspaces::id.eq(ids.workspace.as_str()),
            workspaces::owner_user_id.eq(ids.user.as_str()),
            workspaces::title.eq("Workspace"),
            workspaces::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    find(conn, &ids.user)?.ok_or(Fault::Row("the user just made"))
}

/// One user.
pub(crate) fn find(conn: &mut SqliteConnection, id: &UserId) -> Result<Option<User>, Fault> {
    let row = users::table
        .find(id.as_str())
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(user).transpose()
}

/// The workspaces that belong to a user, oldest first.
pub(crate) fn workspaces_of(
    conn: &mut SqliteConnection,
    owner: &UserId,
) -> Result<Vec<Workspace>, Fault> {
    let rows = workspaces::table
        .filter(workspaces::owner_user_id.eq(owner.as_str()))
        .order((workspaces::created_ms.asc(), workspaces::id.asc()))
        .select((workspaces::id, workspaces::title))
        .load::<(String, String)>(conn)?;
    rows.into_iter()
        .map(|(id, title)| {
            let id = WorkspaceId::parse(&id).map_err(|_| Fault::Row("workspaces.id"))?;
            Ok(Workspace { id, title })
        })
        .collect()
}

type Row = (String, String, String);

const COLUMNS: (users::id, users::organisation_id, users::username) =
    (users::id, users::organisation_id, users::username);

fn user((id, organisation, username): Row) -> Result<User, Fault> {
    Ok(User {
        id: UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?,
        organisation: OrganisationId::parse(&organisation)
            .map_err(|_| Fault::Row("users.organisation_id"))?,
        username,
    })
}
