//! Registered Workers.

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, Queryable, RunQueryDsl as _,
};
use schema::ids::{OrganisationId, UserId, WorkerId};

use super::{Connection, tables::workers};
use crate::{error::Fault, token::SecretHash};

/// A Worker as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) organisation: OrganisationId,
    pub(crate) name: String,
    pub(crate) public_key: Vec<u8>,
    /// `wire::EncryptionMode` as it was last reported.
    pub(crate) encryption_mode: i32,
    pub(crate) bundled: bool,
    pub(crate) version: String,
    pub(crate) registered_ms: i64,
    pub(crate) last_seen_ms: i64,
    pub(crate) registration_id: String,
    pub(crate) registration_tag: Vec<u8>,
}

/// Stores a Worker that has just been registered.
pub(crate) fn insert(
    conn: &mut Connection,
    worker: &Worker,
    token: SecretHash,
) -> Result<(), Fault> {
    diesel::insert_into(workers::table)
        .values((
            workers::id.eq(worker.id.as_str()),
            workers::owner_user_id.eq(worker.owner.as_str()),
            workers::organisation_id.eq(worker.organisation.as_str()),
            workers::name.eq(&worker.name),
            workers::public_key.eq(&worker.public_key),
            workers::encryption_mode.eq(small(worker.encryption_mode)),
            workers::token_hash.eq(token.as_bytes().as_slice()),
            workers::bundled.eq(worker.bundled),
            workers::version.eq(&worker.version),
            workers::registered_ms.eq(worker.registered_ms),
            workers::last_seen_ms.eq(worker.last_seen_ms),
            workers::registration_id.eq(&worker.registration_id),
            workers::registration_tag.eq(&worker.registration_tag),
        ))
        .execute(conn)?;
    Ok(())
}

/// One Worker.
pub(crate) fn find(conn: &mut Connection, id: &WorkerId) -> Result<Option<Worker>, Fault> {
    let found = workers::table
        .find(id.as_str())
        .select(COLUMNS)
        .first::<Row>(conn);
    found.optional()?.map(Worker::try_from).transpose()
}

/// The Workers that a user owns, by name.
pub(crate) fn owned_by(conn: &mut Connection, owner: &UserId) -> Result<Vec<Worker>, Fault> {
    let rows = workers::table
        .filter(workers::owner_user_id.eq(owner.as_str()))
        .order((workers::name.asc(), workers::id.asc()))
        .select(COLUMNS)
        .load::<Row>(conn)?;
    rows.into_iter().map(Worker::try_from).collect()
}

/// How many Workers a user owns.
pub(crate) fn count(conn: &mut Connection, owner: &UserId) -> Result<i64, Fault> {
    let owned = workers::table.filter(workers::owner_user_id.eq(owner.as_str()));
    Ok(owned.count().get_result(conn)?)
}

/// The Worker of a presented token.
pub(crate) fn find_by_token(
    conn: &mut Connection,
    token: SecretHash,
) -> Result<Option<Worker>, Fault> {
    let row = workers::table
        .filter(workers::token_hash.eq(token.as_bytes().as_slice()))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?;
    row.map(Worker::try_from).transpose()
}

/// The Worker that solo brings along.
pub(crate) fn find_bundled(conn: &mut Connection) -> Result<Option<Worker>, Fault> {
    let row = workers::table
        .filter(workers::bundled.eq(true))
        .select(COLUMNS)
        .first::<Row>(conn);
    row.optional()?.map(Worker::try_from).transpose()
}

/// Gives the bundled Worker the key and token of this start.
pub(crate) fn renew_bundled(
    conn: &mut Connection,
    id: &WorkerId,
    public_key: &[u8],
    token: SecretHash,
) -> Result<(), Fault> {
    diesel::update(workers::table.find(id.as_str()))
        .set((
            workers::public_key.eq(public_key),
            workers::token_hash.eq(token.as_bytes().as_slice()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes what a link's Hello said.
pub(crate) fn note_hello(
    conn: &mut Connection,
    id: &WorkerId,
    encryption_mode: i32,
    version: &str,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::update(workers::table.find(id.as_str()))
        .set((
            workers::encryption_mode.eq(small(encryption_mode)),
            workers::version.eq(version),
            workers::last_seen_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes that a link ended.
pub(crate) fn note_seen(conn: &mut Connection, id: &WorkerId, now_ms: i64) -> Result<(), Fault> {
    diesel::update(workers::table.find(id.as_str()))
        .set(workers::last_seen_ms.eq(now_ms))
        .execute(conn)?;
    Ok(())
}

#[derive(Queryable)]
struct Row {
    id: String,
    owner_user_id: String,
    organisation_id: String,
    name: String,
    public_key: Vec<u8>,
    encryption_mode: i16,
    bundled: bool,
    version: String,
    registered_ms: i64,
    last_seen_ms: i64,
    registration_id: String,
    registration_tag: Vec<u8>,
}

type Columns = (
    workers::id,
    workers::owner_user_id,
    workers::organisation_id,
    workers::name,
    workers::public_key,
    workers::encryption_mode,
    workers::bundled,
    workers::version,
    workers::registered_ms,
    workers::last_seen_ms,
    workers::registration_id,
    workers::registration_tag,
);

const COLUMNS: Columns = (
    workers::id,
    workers::owner_user_id,
    workers::organisation_id,
    workers::name,
    workers::public_key,
    workers::encryption_mode,
    workers::bundled,
    workers::version,
    workers::registered_ms,
    workers::last_seen_ms,
    workers::registration_id,
    workers::registration_tag,
);

impl TryFrom<Row> for Worker {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        Ok(Self {
            id: WorkerId::parse(&row.id).map_err(|_| Fault::Row("workers.id"))?,
            owner: UserId::parse(&row.owner_user_id)
                .map_err(|_| Fault::Row("workers.owner_user_id"))?,
            organisation: OrganisationId::parse(&row.organisation_id)
                .map_err(|_| Fault::Row("workers.organisation_id"))?,
            name: row.name,
            public_key: row.public_key,
            encryption_mode: i32::from(row.encryption_mode),
            bundled: row.bundled,
            version: row.version,
            registered_ms: row.registered_ms,
            last_seen_ms: row.last_seen_ms,
            registration_id: row.registration_id,
            registration_tag: row.registration_tag,
        })
    }
}

/// The protocol's modes are 0 to 2; anything else is stored as "not said".
fn small(mode: i32) -> i16 {
    i16::try_from(mode).unwrap_or_default()
}
