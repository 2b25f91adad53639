//! Registration keys: each opens the door once, within five minutes.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{OrganisationId, UserId};

use super::{Connection, tables::registration_keys, unless_taken};
use crate::{error::Fault, token::SecretHash};

/// What waits for the Worker: who asked for it, and the device key that it may trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistrationKey {
    pub(crate) user: UserId,
    /// Where the Worker is to belong; none means the user's personal organisation.
    pub(crate) organisation: Option<OrganisationId>,
    pub(crate) worker_name: String,
    pub(crate) device_algorithm: i32,
    pub(crate) device_key: Vec<u8>,
    pub(crate) device_tag: Vec<u8>,
    pub(crate) expires_ms: i64,
}

/// Stores one; `false` when the id is taken.
pub(crate) fn insert(
    conn: &mut Connection,
    id: SecretHash,
    key: &RegistrationKey,
) -> Result<bool, Fault> {
    let stored = unless_taken(conn, |conn| {
        diesel::insert_into(registration_keys::table)
            .values((
                registration_keys::id_hash.eq(id.as_bytes().as_slice()),
                registration_keys::user_id.eq(key.user.as_str()),
                registration_keys::worker_name.eq(&key.worker_name),
                registration_keys::device_algorithm.eq(key.device_algorithm),
                registration_keys::device_key.eq(&key.device_key),
                registration_keys::device_tag.eq(&key.device_tag),
                registration_keys::expires_ms.eq(key.expires_ms),
                registration_keys::organisation_id
                    .eq(key.organisation.as_ref().map(OrganisationId::as_str)),
            ))
            .execute(conn)
    });
    Ok(stored?)
}

/// Whether one could be taken now.
pub(crate) fn is_good(conn: &mut Connection, id: SecretHash, now_ms: i64) -> Result<bool, Fault> {
    let good = registration_keys::table
        .find(id.as_bytes().as_slice())
        .filter(registration_keys::expires_ms.gt(now_ms));
    Ok(diesel::select(diesel::dsl::exists(good)).get_result(conn)?)
}

/// Takes one out for good; an expired one is gone as well, but gives nothing.
pub(crate) fn take(
    conn: &mut Connection,
    id: SecretHash,
    now_ms: i64,
) -> Result<Option<RegistrationKey>, Fault> {
    let row = diesel::delete(registration_keys::table.find(id.as_bytes().as_slice()))
        .returning((
            registration_keys::user_id,
            registration_keys::worker_name,
            registration_keys::device_algorithm,
            registration_keys::device_key,
            registration_keys::device_tag,
            registration_keys::expires_ms,
            registration_keys::organisation_id,
        ))
        .get_result::<Row>(conn)
        .optional()?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (user, worker_name, device_algorithm, device_key, device_tag, expires_ms, place) = row;
    let user = UserId::parse(&user).map_err(|_| Fault::Row("registration_keys.user_id"))?;
    let place = place.as_deref().map(OrganisationId::parse).transpose();
    let key = RegistrationKey {
        user,
        organisation: place.map_err(|_| Fault::Row("registration_keys.organisation_id"))?,
        worker_name,
        device_algorithm,
        device_key,
        device_tag,
        expires_ms,
    };
    Ok((expires_ms > now_ms).then_some(key))
}

type Row = (String, String, i32, Vec<u8>, Vec<u8>, i64, Option<String>);

/// When a user's own key expires, if it has not.
pub(crate) fn expiry(
    conn: &mut Connection,
    id: SecretHash,
    user: &UserId,
    now_ms: i64,
) -> Result<Option<i64>, Fault> {
    let found = registration_keys::table
        .find(id.as_bytes().as_slice())
        .filter(registration_keys::user_id.eq(user.as_str()))
        .filter(registration_keys::expires_ms.gt(now_ms))
        .select(registration_keys::expires_ms)
        .first::<i64>(conn);
    Ok(found.optional()?)
}

/// Lets one live on.
pub(crate) fn extend(conn: &mut Connection, id: SecretHash, expires_ms: i64) -> Result<(), Fault> {
    diesel::update(registration_keys::table.find(id.as_bytes().as_slice()))
        .set(registration_keys::expires_ms.eq(expires_ms))
        .execute(conn)?;
    Ok(())
}

/// Takes back a user's own key; whether it was there.
pub(crate) fn revoke(conn: &mut Connection, id: SecretHash, user: &UserId) -> Result<bool, Fault> {
    let rows = diesel::delete(registration_keys::table.find(id.as_bytes().as_slice()))
        .filter(registration_keys::user_id.eq(user.as_str()))
        .execute(conn)?;
    Ok(rows == 1)
}

/// How many unused keys a user has, once the expired ones are gone.
pub(crate) fn count(conn: &mut Connection, user: &UserId, now_ms: i64) -> Result<i64, Fault> {
    let expired = registration_keys::table.filter(registration_keys::expires_ms.le(now_ms));
    diesel::delete(expired).execute(conn)?;
    let own = registration_keys::table.filter(registration_keys::user_id.eq(user.as_str()));
    Ok(own.count().get_result(conn)?)
}
