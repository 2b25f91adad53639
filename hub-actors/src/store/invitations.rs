//! Invitations into organisations: to somebody by name, or to whoever has a link.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, Queryable, RunQueryDsl as _,
};
use schema::{
    ids::{OrganisationId, UserId},
    wire::OrganisationRole,
};

use super::{
    Connection,
    memberships::{read_role, small},
    tables::{invitations, organisations, users},
};
use crate::{error::Fault, token::SecretHash};

/// One invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) organisation: OrganisationId,
    pub(crate) role: OrganisationRole,
    /// Whom; none for a link.
    pub(crate) user: Option<UserId>,
    /// By whom.
    pub(crate) by: UserId,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) uses_left: i32,
    /// A name that nobody has, who is invited all the same.
    pub(crate) nobody: Option<String>,
}

/// An invitation with the names that its readers see.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) invitation: Invitation,
    pub(crate) organisation_slug: String,
    pub(crate) organisation_name: String,
    /// Empty for a link.
    pub(crate) username: String,
    pub(crate) invited_by: String,
}

/// Stores one; the hash is a link's.
pub(crate) fn insert(
    conn: &mut Connection,
    new: &Invitation,
    hash: Option<SecretHash>,
) -> Result<(), Fault> {
    diesel::insert_into(invitations::table)
        .values((
            invitations::id.eq(&new.id),
            invitations::secret_hash.eq(hash.as_ref().map(|hash| hash.as_bytes().as_slice())),
            invitations::organisation_id.eq(new.organisation.as_str()),
            invitations::role.eq(small(new.role)),
            invitations::user_id.eq(new.user.as_ref().map(UserId::as_str)),
            invitations::created_by.eq(new.by.as_str()),
            invitations::created_ms.eq(new.created_ms),
            invitations::expires_ms.eq(new.expires_ms),
            invitations::uses_left.eq(new.uses_left),
            invitations::invited_name.eq(&new.nobody),
        ))
        .execute(conn)?;
    Ok(())
}

/// One that is still good.
pub(crate) fn find(
    conn: &mut Connection,
    id: &str,
    now_ms: i64,
) -> Result<Option<Invitation>, Fault> {
    let row = invitations::table
        .find(id)
        .filter(invitations::expires_ms.gt(now_ms))
        .filter(invitations::uses_left.gt(0))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(Invitation::try_from).transpose()
}

/// The one of a link's secret, if it is still good.
pub(crate) fn find_by_secret(
    conn: &mut Connection,
    hash: SecretHash,
    now_ms: i64,
) -> Result<Option<Invitation>, Fault> {
    let row = invitations::table
        .filter(invitations::secret_hash.eq(hash.as_bytes().as_slice()))
        .filter(invitations::expires_ms.gt(now_ms))
        .filter(invitations::uses_left.gt(0))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(Invitation::try_from).transpose()
}

/// Those of an organisation that are still good, newest first.
pub(crate) fn of_organisation(
    conn: &mut Connection,
    organisation: &OrganisationId,
    now_ms: i64,
) -> Result<Vec<Named>, Fault> {
    let rows = invitations::table
        .filter(invitations::organisation_id.eq(organisation.as_str()))
        .filter(invitations::expires_ms.gt(now_ms))
        .filter(invitations::uses_left.gt(0))
        .order((invitations::created_ms.desc(), invitations::id.asc()))
        .select(COLUMNS)
        .load::<Row>(conn)?;
    named(conn, rows)
}

/// Those to a user that are still good, newest first.
pub(crate) fn to_user(
    conn: &mut Connection,
    user: &UserId,
    now_ms: i64,
) -> Result<Vec<Named>, Fault> {
    let rows = invitations::table
        .filter(invitations::user_id.eq(user.as_str()))
        .filter(invitations::expires_ms.gt(now_ms))
        .filter(invitations::uses_left.gt(0))
        .order((invitations::created_ms.desc(), invitations::id.asc()))
        .select(COLUMNS)
        .load::<Row>(conn)?;
    named(conn, rows)
}

/// How many an organisation has, and drops those that are no longer good.
pub(crate) fn count(
    conn: &mut Connection,
    organisation: &OrganisationId,
    now_ms: i64,
) -> Result<i64, Fault> {
    diesel::delete(invitations::table)
        .filter(invitations::organisation_id.eq(organisation.as_str()))
        .filter(invitations::expires_ms.le(now_ms))
        .execute(conn)?;
    let its = invitations::table.filter(invitations::organisation_id.eq(organisation.as_str()));
    Ok(its.count().get_result(conn)?)
}

/// Takes one use away; with the last one the invitation is gone.
pub(crate) fn take_use(conn: &mut Connection, invitation: &Invitation) -> Result<(), Fault> {
    if invitation.uses_left <= 1 {
        return delete(conn, &invitation.id);
    }
    diesel::update(invitations::table.find(&invitation.id))
        .set(invitations::uses_left.eq(invitation.uses_left - 1))
        .execute(conn)?;
    Ok(())
}

/// Takes one back.
pub(crate) fn delete(conn: &mut Connection, id: &str) -> Result<(), Fault> {
    diesel::delete(invitations::table.find(id)).execute(conn)?;
    Ok(())
}

/// Takes back what a user was invited by before.
pub(crate) fn delete_to(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<(), Fault> {
    diesel::delete(invitations::table)
        .filter(invitations::organisation_id.eq(organisation.as_str()))
        .filter(invitations::user_id.eq(user.as_str()))
        .execute(conn)?;
    Ok(())
}

/// The same for a name that nobody had.
pub(crate) fn delete_to_nobody(
    conn: &mut Connection,
    organisation: &OrganisationId,
    name: &str,
) -> Result<(), Fault> {
    diesel::delete(invitations::table)
        .filter(invitations::organisation_id.eq(organisation.as_str()))
        .filter(invitations::invited_name.eq(name))
        .execute(conn)?;
    Ok(())
}

/// Takes back what a user gave out beyond a role, who may give no more than that any longer.
pub(crate) fn delete_by(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
    beyond: OrganisationRole,
) -> Result<(), Fault> {
    diesel::delete(invitations::table)
        .filter(invitations::organisation_id.eq(organisation.as_str()))
        .filter(invitations::created_by.eq(user.as_str()))
        .filter(invitations::role.gt(small(beyond)))
        .execute(conn)?;
    Ok(())
}

/// With the names of all, in one look each at organisations and users.
fn named(conn: &mut Connection, rows: Vec<Row>) -> Result<Vec<Named>, Fault> {
    let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.organisation_id).collect();
    let places = organisations::table
        .filter(organisations::id.eq_any(ids))
        .select((organisations::id, organisations::slug, organisations::name))
        .load::<(String, String, String)>(conn)?;
    let places: BTreeMap<_, _> = places
        .into_iter()
        .map(|(id, slug, name)| (id, (slug, name)))
        .collect();
    let invited = rows.iter().filter_map(|row| row.user_id.as_deref());
    let ids: BTreeSet<&str> = invited
        .chain(rows.iter().map(|row| &*row.created_by))
        .collect();
    let people = users::table
        .filter(users::id.eq_any(ids))
        .select((users::id, users::username))
        .load::<(String, String)>(conn)?;
    let people: BTreeMap<_, _> = people.into_iter().collect();
    // Empty for a link, and for an account that is gone.
    let name_of = |user: Option<&str>| user.and_then(|user| people.get(user).cloned());
    let one = |row: Row| {
        let place = places.get(&row.organisation_id).cloned();
        let (organisation_slug, organisation_name) =
            place.ok_or(Fault::Row("invitations.organisation_id"))?;
        Ok(Named {
            organisation_slug,
            organisation_name,
            username: name_of(row.user_id.as_deref())
                .or_else(|| row.invited_name.clone())
                .unwrap_or_default(),
            invited_by: name_of(Some(&row.created_by)).unwrap_or_default(),
            invitation: Invitation::try_from(row)?,
        })
    };
    rows.into_iter().map(one).collect()
}

#[derive(Queryable)]
struct Row {
    id: String,
    organisation_id: String,
    role: i16,
    user_id: Option<String>,
    created_by: String,
    created_ms: i64,
    expires_ms: i64,
    uses_left: i32,
    invited_name: Option<String>,
}

type Columns = (
    invitations::id,
    invitations::organisation_id,
    invitations::role,
    invitations::user_id,
    invitations::created_by,
    invitations::created_ms,
    invitations::expires_ms,
    invitations::uses_left,
    invitations::invited_name,
);

const COLUMNS: Columns = (
    invitations::id,
    invitations::organisation_id,
    invitations::role,
    invitations::user_id,
    invitations::created_by,
    invitations::created_ms,
    invitations::expires_ms,
    invitations::uses_left,
    invitations::invited_name,
);

impl TryFrom<Row> for Invitation {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let organisation = OrganisationId::parse(&row.organisation_id);
        let user = row.user_id.map(|user| UserId::parse(&user)).transpose();
        Ok(Self {
            id: row.id,
            organisation: organisation.map_err(|_| Fault::Row("invitations.organisation_id"))?,
            role: read_role(row.role)?,
            user: user.map_err(|_| Fault::Row("invitations.user_id"))?,
            by: UserId::parse(&row.created_by).map_err(|_| Fault::Row("invitations.created_by"))?,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            uses_left: row.uses_left,
            nobody: row.invited_name,
        })
    }
}
