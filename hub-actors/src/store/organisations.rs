//! Organisations: their names and quotas.

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, Queryable, RunQueryDsl as _,
};
use schema::{
    ids::{OrganisationId, UserId},
    wire::OrganisationRole,
};

use super::{
    Connection, memberships,
    tables::{memberships as rows, organisations, users, workers},
    unless_taken,
};
use crate::{config::OrganisationQuotas, error::Fault};

/// An organisation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Organisation {
    pub(crate) id: OrganisationId,
    pub(crate) slug: String,
    pub(crate) name: String,
    /// Whose personal one it is.
    pub(crate) personal: Option<UserId>,
    pub(crate) created_ms: i64,
    quotas: Own,
}

/// Quotas of its own; what is none is the Hub's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Own {
    members: Option<i32>,
    workers: Option<i32>,
    channels: Option<i32>,
    bytes_per_second: Option<i64>,
}

impl Organisation {
    /// Its quotas in force.
    pub(crate) fn quotas(&self, defaults: &OrganisationQuotas) -> OrganisationQuotas {
        let number = |own: Option<i32>, default: u32| {
            own.map_or(default, |own| u32::try_from(own).unwrap_or_default())
        };
        let bytes = self.quotas.bytes_per_second;
        OrganisationQuotas {
            members: number(self.quotas.members, defaults.members),
            workers: number(self.quotas.workers, defaults.workers),
            channels: number(self.quotas.channels, defaults.channels),
            bytes_per_second: bytes.map_or(defaults.bytes_per_second, |own| {
                u64::try_from(own).unwrap_or_default()
            }),
        }
    }
}

/// Whether a name is an organisation's or a user's already: they share one name space.
pub(crate) fn is_taken(conn: &mut Connection, name: &str) -> Result<bool, Fault> {
    let slugs = organisations::table.filter(organisations::slug.eq(name));
    let names = users::table.filter(users::username.eq(name));
    let of_organisations: i64 = slugs.count().get_result(conn)?;
    let of_users: i64 = names.count().get_result(conn)?;
    Ok(of_organisations + of_users > 0)
}

/// One organisation.
pub(crate) fn find(
    conn: &mut Connection,
    id: &OrganisationId,
) -> Result<Option<Organisation>, Fault> {
    let row = organisations::table
        .find(id.as_str())
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(Organisation::try_from).transpose()
}

/// Those that a user belongs to, the personal one first, and as what.
pub(crate) fn of_user(
    conn: &mut Connection,
    user: &UserId,
) -> Result<Vec<(Organisation, OrganisationRole)>, Fault> {
    let found = rows::table
        .inner_join(organisations::table)
        .filter(rows::user_id.eq(user.as_str()))
        .order(organisations::slug.asc())
        .select((COLUMNS, rows::role))
        .load::<(Row, i16)>(conn)?;
    let one =
        |(row, role): (Row, i16)| Ok((Organisation::try_from(row)?, memberships::read_role(role)?));
    let mut all: Vec<_> = found.into_iter().map(one).collect::<Result<_, Fault>>()?;
    all.sort_by_key(|(organisation, _)| organisation.personal.as_ref() != Some(user));
    Ok(all)
}

/// Stores a team's organisation; `false` where the slug is taken.
pub(crate) fn insert(
    conn: &mut Connection,
    id: &OrganisationId,
    slug: &str,
    name: &str,
    now_ms: i64,
) -> Result<bool, Fault> {
    if is_taken(conn, slug)? {
        return Ok(false);
    }
    Ok(unless_taken(conn, |conn| {
        diesel::insert_into(organisations::table)
            .values((
                organisations::id.eq(id.as_str()),
                organisations::slug.eq(slug),
                organisations::name.eq(name),
                organisations::created_ms.eq(now_ms),
            ))
            .execute(conn)
    })?)
}

/// Gives it another slug and name.
pub(crate) fn rename(
    conn: &mut Connection,
    id: &OrganisationId,
    slug: &str,
    name: &str,
) -> Result<(), Fault> {
    diesel::update(organisations::table.find(id.as_str()))
        .set((organisations::slug.eq(slug), organisations::name.eq(name)))
        .execute(conn)?;
    Ok(())
}

/// Deletes it, and everything in it.
pub(crate) fn delete(conn: &mut Connection, id: &OrganisationId) -> Result<(), Fault> {
    diesel::delete(organisations::table.find(id.as_str())).execute(conn)?;
    Ok(())
}

/// Sets its own quotas; none means the Hub's defaults again. `false` where there is no such one.
pub(crate) fn set_quotas(
    conn: &mut Connection,
    id: &OrganisationId,
    quotas: Option<&OrganisationQuotas>,
) -> Result<bool, Fault> {
    let number =
        |of: fn(&OrganisationQuotas) -> u32| quotas.and_then(|own| i32::try_from(of(own)).ok());
    let bytes = quotas.and_then(|own| i64::try_from(own.bytes_per_second).ok());
    let changed = diesel::update(organisations::table.find(id.as_str()))
        .set((
            organisations::max_members.eq(number(|own| own.members)),
            organisations::max_workers.eq(number(|own| own.workers)),
            organisations::max_channels.eq(number(|own| own.channels)),
            organisations::max_bytes_per_second.eq(bytes),
        ))
        .execute(conn)?;
    Ok(changed > 0)
}

/// How many Workers are registered in it.
pub(crate) fn count_workers(conn: &mut Connection, id: &OrganisationId) -> Result<i64, Fault> {
    let its = workers::table.filter(workers::organisation_id.eq(id.as_str()));
    Ok(its.count().get_result(conn)?)
}

/// How many of them are not this user's.
pub(crate) fn count_workers_of_others(
    conn: &mut Connection,
    id: &OrganisationId,
    user: &UserId,
) -> Result<i64, Fault> {
    let its = workers::table
        .filter(workers::organisation_id.eq(id.as_str()))
        .filter(workers::owner_user_id.ne(user.as_str()));
    Ok(its.count().get_result(conn)?)
}

/// Takes a user's Workers home: from this organisation to another one.
pub(crate) fn move_workers(
    conn: &mut Connection,
    user: &UserId,
    from: &OrganisationId,
    to: &OrganisationId,
) -> Result<(), Fault> {
    diesel::update(workers::table)
        .filter(workers::organisation_id.eq(from.as_str()))
        .filter(workers::owner_user_id.eq(user.as_str()))
        .set(workers::organisation_id.eq(to.as_str()))
        .execute(conn)?;
    Ok(())
}

/// The personal organisation of a user.
pub(crate) fn personal_of(
    conn: &mut Connection,
    user: &UserId,
) -> Result<Option<OrganisationId>, Fault> {
    let id = organisations::table
        .filter(organisations::personal_user_id.eq(user.as_str()))
        .select(organisations::id)
        .first::<String>(conn)
        .optional()?;
    id.map(|id| OrganisationId::parse(&id).map_err(|_| Fault::Row("organisations.id")))
        .transpose()
}

#[derive(Queryable)]
struct Row {
    id: String,
    slug: String,
    name: String,
    personal_user_id: Option<String>,
    created_ms: i64,
    max_members: Option<i32>,
    max_workers: Option<i32>,
    max_channels: Option<i32>,
    max_bytes_per_second: Option<i64>,
}

type Columns = (
    organisations::id,
    organisations::slug,
    organisations::name,
    organisations::personal_user_id,
    organisations::created_ms,
    organisations::max_members,
    organisations::max_workers,
    organisations::max_channels,
    organisations::max_bytes_per_second,
);

const COLUMNS: Columns = (
    organisations::id,
    organisations::slug,
    organisations::name,
    organisations::personal_user_id,
    organisations::created_ms,
    organisations::max_members,
    organisations::max_workers,
    organisations::max_channels,
    organisations::max_bytes_per_second,
);

impl TryFrom<Row> for Organisation {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let personal = row.personal_user_id.map(|user| UserId::parse(&user));
        Ok(Self {
            id: OrganisationId::parse(&row.id).map_err(|_| Fault::Row("organisations.id"))?,
            slug: row.slug,
            name: row.name,
            personal: personal
                .transpose()
                .map_err(|_| Fault::Row("organisations.personal_user_id"))?,
            created_ms: row.created_ms,
            quotas: Own {
                members: row.max_members,
                workers: row.max_workers,
                channels: row.max_channels,
                bytes_per_second: row.max_bytes_per_second,
            },
        })
    }
}
