//! Users, their organisation and their workspaces.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{OrganisationId, UserId, WorkspaceId};

use super::{
    Connection,
    tables::{memberships, organisations, users, workspaces},
};
use crate::error::Fault;

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) organisation: OrganisationId,
    pub(crate) username: String,
    /// Of the whole Hub.
    pub(crate) admin: bool,
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

/// The first of the admins; made with an organisation and a workspace where nobody is yet.
pub(crate) fn ensure_admin(
    conn: &mut Connection,
    ids: &FirstIds,
    now_ms: i64,
) -> Result<User, Fault> {
    let first = users::table
        .filter(users::admin.eq(true))
        .order((users::created_ms.asc(), users::id.asc()));
    let first = first.select(users::id).first::<String>(conn).optional()?;
    if let Some(id) = first {
        let id = UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?;
        return find(conn, &id)?.ok_or(Fault::Row("organisations.personal_user_id"));
    }
    insert_admin(conn, ids, now_ms)?;
    insert_home(conn, ids, now_ms)?;
    find(conn, &ids.user)?.ok_or(Fault::Row("the user just made"))
}

/// The name of the first user, and of the organisation that goes with it.
const ADMIN: &str = "admin";
/// `memberships.role` of an owner.
const OWNER: i16 = 3;

fn insert_admin(conn: &mut Connection, ids: &FirstIds, now_ms: i64) -> Result<(), Fault> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(ids.user.as_str()),
            users::username.eq(ADMIN),
            users::display_name.eq(ADMIN),
            users::email_verified.eq(false),
            users::admin.eq(true),
            users::created_ms.eq(now_ms),
            users::failed_logins.eq(0),
            users::locked_until_ms.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// The personal organisation and the first workspace in it.
fn insert_home(conn: &mut Connection, ids: &FirstIds, now_ms: i64) -> Result<(), Fault> {
    diesel::insert_into(organisations::table)
        .values((
            organisations::id.eq(ids.organisation.as_str()),
            organisations::slug.eq(ADMIN),
            organisations::name.eq(ADMIN),
            organisations::personal_user_id.eq(ids.user.as_str()),
            organisations::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    diesel::insert_into(memberships::table)
        .values((
            memberships::organisation_id.eq(ids.organisation.as_str()),
            memberships::user_id.eq(ids.user.as_str()),
            memberships::role.eq(OWNER),
            memberships::joined_ms.eq(now_ms),
        ))
        .execute(conn)?;
    diesel::insert_into(workspaces::table)
        .values((
            workspaces::id.eq(ids.workspace.as_str()),
            workspaces::organisation_id.eq(ids.organisation.as_str()),
            workspaces::owner_user_id.eq(ids.user.as_str()),
            workspaces::title.eq("Workspace"),
            workspaces::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// One user, with the personal organisation that everybody has.
pub(crate) fn find(conn: &mut Connection, id: &UserId) -> Result<Option<User>, Fault> {
    let row = users::table
        .inner_join(organisations::table)
        .filter(users::id.eq(id.as_str()))
        .select((users::id, organisations::id, users::username, users::admin))
        .first::<Row>(conn)
        .optional()?;
    row.map(user).transpose()
}

/// The workspaces that belong to a user, oldest first.
pub(crate) fn workspaces_of(
    conn: &mut Connection,
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

type Row = (String, String, String, bool);

fn user((id, organisation, username, admin): Row) -> Result<User, Fault> {
    Ok(User {
        id: UserId::parse(&id).map_err(|_| Fault::Row("users.id"))?,
        organisation: OrganisationId::parse(&organisation)
            .map_err(|_| Fault::Row("organisations.id"))?,
        username,
        admin,
    })
}
