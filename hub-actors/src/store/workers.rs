//! Registered Workers.

use std::collections::BTreeSet;

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    Queryable, RunQueryDsl as _,
};
use schema::{
    ids::{OrganisationId, UserId, WorkerId},
    wire::OrganisationRole,
};

use super::{
    Connection, access, organisations,
    tables::{grant_certificates, memberships, users, worker_workspaces, workers},
};
use crate::{config::OrganisationQuotas, error::Fault, token::SecretHash};

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
    /// Asked to go, and not confirmed by the Worker yet.
    pub(crate) deregistering: bool,
}

/// A Worker as one of its people sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) worker: Worker,
    pub(crate) owner_username: String,
    /// The workspaces that it hosts, of those that the viewer is something in.
    pub(crate) workspaces: Vec<String>,
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

/// The Workers that a user owns or, as an owner or admin of their organisation, looks after, and those
/// that host a workspace which the user is something in and that are not about to go; by name. Or the
/// one of these with an id.
pub(crate) fn seen_by(
    conn: &mut Connection,
    user: &UserId,
    only: Option<&WorkerId>,
) -> Result<Vec<Seen>, Fault> {
    let roles = access::roles_of(conn, user)?;
    let within: Vec<&str> = roles.keys().map(|workspace| workspace.as_str()).collect();
    let hosting = worker_workspaces::table
        .filter(worker_workspaces::workspace_id.eq_any(within))
        .order(worker_workspaces::workspace_id.asc())
        .select((
            worker_workspaces::worker_id,
            worker_workspaces::workspace_id,
        ))
        .load::<(String, String)>(conn)?;
    let hosts: BTreeSet<&str> = hosting.iter().map(|(worker, _)| worker.as_str()).collect();
    let shared = workers::id
        .eq_any(hosts)
        .and(workers::deregistering_ms.is_null());
    let looked_after = memberships::table
        .filter(memberships::user_id.eq(user.as_str()))
        .filter(memberships::role.ge(small(OrganisationRole::Admin as i32)))
        .select(memberships::organisation_id)
        .load::<String>(conn)?;
    let owned = workers::owner_user_id.eq(user.as_str());
    let looked_after = workers::organisation_id.eq_any(looked_after);
    let rows = workers::table
        .inner_join(users::table)
        .filter(owned.or(looked_after).or(shared))
        .order((workers::name.asc(), workers::id.asc()))
        .select((COLUMNS, users::username))
        .load::<(Row, String)>(conn)?;
    let seen = |(row, owner_username)| {
        let worker = Worker::try_from(row)?;
        let here = hosting.iter().filter(|(id, _)| *id == worker.id.as_str());
        let workspaces = here.map(|(_, workspace)| workspace.clone()).collect();
        Ok(Seen {
            worker,
            owner_username,
            workspaces,
        })
    };
    let rows = rows
        .into_iter()
        .filter(|(row, _)| only.is_none_or(|only| only.as_str() == row.id));
    rows.map(seen).collect()
}

/// Everybody who sees a Worker: its owner, whoever looks after its organisation, and whoever is
/// something in a workspace that it hosts.
pub(crate) fn viewers(conn: &mut Connection, worker: &Worker) -> Result<BTreeSet<UserId>, Fault> {
    let admins = super::memberships::at_least(conn, &worker.organisation, OrganisationRole::Admin)?;
    let mut viewers: BTreeSet<_> = admins.into_iter().collect();
    viewers.insert(worker.owner.clone());
    for workspace in access::hosted_by(conn, &worker.id)? {
        viewers.extend(access::people_of(conn, &workspace)?.into_keys());
    }
    Ok(viewers)
}

/// What a user is in an organisation; `memberships.role`.
pub(crate) fn membership(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<Option<i16>, Fault> {
    let role = memberships::table
        .find((organisation.as_str(), user.as_str()))
        .select(memberships::role)
        .first::<i16>(conn);
    Ok(role.optional()?)
}

/// Whether an organisation may have one more Worker.
pub(crate) fn has_room(
    conn: &mut Connection,
    organisation: &OrganisationId,
    defaults: &OrganisationQuotas,
) -> Result<bool, Fault> {
    let Some(found) = organisations::find(conn, organisation)? else {
        return Ok(false);
    };
    let most = i64::from(found.quotas(defaults).workers);
    Ok(organisations::count_workers(conn, organisation)? < most)
}

/// Gives it another name.
pub(crate) fn rename(conn: &mut Connection, id: &WorkerId, name: &str) -> Result<(), Fault> {
    diesel::update(workers::table.find(id.as_str()))
        .set(workers::name.eq(name))
        .execute(conn)?;
    Ok(())
}

/// Asks it to go.
pub(crate) fn ask_to_go(conn: &mut Connection, id: &WorkerId, now_ms: i64) -> Result<(), Fault> {
    diesel::update(workers::table.find(id.as_str()))
        .set(workers::deregistering_ms.eq(now_ms))
        .execute(conn)?;
    Ok(())
}

/// Forgets it, and what hangs on it.
pub(crate) fn delete(conn: &mut Connection, id: &WorkerId) -> Result<(), Fault> {
    diesel::delete(workers::table.find(id.as_str())).execute(conn)?;
    Ok(())
}

/// Makes it another's: it hosts nothing any more, and what the old owner signed for it is gone.
pub(crate) fn transfer(conn: &mut Connection, id: &WorkerId, to: &UserId) -> Result<(), Fault> {
    let hosted = worker_workspaces::worker_id.eq(id.as_str());
    diesel::delete(worker_workspaces::table.filter(hosted)).execute(conn)?;
    let signed = grant_certificates::worker_id.eq(id.as_str());
    diesel::delete(grant_certificates::table.filter(signed)).execute(conn)?;
    diesel::update(workers::table.find(id.as_str()))
        .set(workers::owner_user_id.eq(to.as_str()))
        .execute(conn)?;
    Ok(())
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
    deregistering_ms: Option<i64>,
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
    workers::deregistering_ms,
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
    workers::deregistering_ms,
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
            deregistering: row.deregistering_ms.is_some(),
        })
    }
}

/// The protocol's modes are 0 to 2; anything else is stored as "not said".
fn small(mode: i32) -> i16 {
    i16::try_from(mode).unwrap_or_default()
}
