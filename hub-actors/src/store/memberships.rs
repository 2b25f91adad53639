//! Who belongs to which organisation, as what.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::{
    ids::{OrganisationId, UserId},
    wire::OrganisationRole,
};

use super::{
    Connection,
    tables::{memberships, users},
    unless_taken,
};
use crate::error::Fault;

/// Somebody who belongs to an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) user: UserId,
    pub(crate) username: String,
    pub(crate) display_name: String,
    pub(crate) role: OrganisationRole,
    pub(crate) joined_ms: i64,
}

/// What a user is in an organisation, if anything.
pub(crate) fn role_of(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<Option<OrganisationRole>, Fault> {
    let role = memberships::table
        .find((organisation.as_str(), user.as_str()))
        .select(memberships::role)
        .first::<i16>(conn)
        .optional()?;
    role.map(read_role).transpose()
}

/// Everybody, in the order in which they came.
pub(crate) fn members(
    conn: &mut Connection,
    organisation: &OrganisationId,
) -> Result<Vec<Member>, Fault> {
    type Row = (String, String, String, i16, i64);
    let rows = memberships::table
        .inner_join(users::table)
        .filter(memberships::organisation_id.eq(organisation.as_str()))
        .order((memberships::joined_ms.asc(), memberships::user_id.asc()))
        .select((
            users::id,
            users::username,
            users::display_name,
            memberships::role,
            memberships::joined_ms,
        ))
        .load::<Row>(conn)?;
    let member = |(user, username, display_name, role, joined_ms): Row| {
        Ok(Member {
            user: user_id(&user)?,
            username,
            display_name,
            role: read_role(role)?,
            joined_ms,
        })
    };
    rows.into_iter().map(member).collect()
}

/// The same, ids only, of those who are this or more.
pub(crate) fn at_least(
    conn: &mut Connection,
    organisation: &OrganisationId,
    role: OrganisationRole,
) -> Result<Vec<UserId>, Fault> {
    let ids = memberships::table
        .filter(memberships::organisation_id.eq(organisation.as_str()))
        .filter(memberships::role.ge(small(role)))
        .order((memberships::joined_ms.asc(), memberships::user_id.asc()))
        .select(memberships::user_id)
        .load::<String>(conn)?;
    ids.iter().map(|id| user_id(id)).collect()
}

/// How many they are.
pub(crate) fn count(conn: &mut Connection, organisation: &OrganisationId) -> Result<i64, Fault> {
    let all = memberships::table.filter(memberships::organisation_id.eq(organisation.as_str()));
    Ok(all.count().get_result(conn)?)
}

/// Makes a user a member; `false` for who is one already.
pub(crate) fn insert(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
    role: OrganisationRole,
    now_ms: i64,
) -> Result<bool, Fault> {
    Ok(unless_taken(conn, |conn| {
        diesel::insert_into(memberships::table)
            .values((
                memberships::organisation_id.eq(organisation.as_str()),
                memberships::user_id.eq(user.as_str()),
                memberships::role.eq(small(role)),
                memberships::joined_ms.eq(now_ms),
            ))
            .execute(conn)
    })?)
}

/// Makes a member something else.
pub(crate) fn set_role(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
    role: OrganisationRole,
) -> Result<(), Fault> {
    diesel::update(memberships::table.find((organisation.as_str(), user.as_str())))
        .set(memberships::role.eq(small(role)))
        .execute(conn)?;
    Ok(())
}

/// Ends a membership, and nothing that rests on it.
pub(crate) fn delete(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<(), Fault> {
    diesel::delete(memberships::table.find((organisation.as_str(), user.as_str())))
        .execute(conn)?;
    Ok(())
}

/// The number of a column: `memberships.role`, `invitations.role`.
pub(crate) fn small(role: OrganisationRole) -> i16 {
    i16::try_from(i32::from(role)).unwrap_or_default()
}

/// And back.
pub(crate) fn read_role(number: i16) -> Result<OrganisationRole, Fault> {
    match OrganisationRole::try_from(i32::from(number)) {
        Ok(OrganisationRole::Unspecified) | Err(_) => Err(Fault::Row("memberships.role")),
        Ok(role) => Ok(role),
    }
}

fn user_id(text: &str) -> Result<UserId, Fault> {
    UserId::parse(text).map_err(|_| Fault::Row("users.id"))
}
