//! Device keys that grants can name, and the certificates by which one device of a user speaks for
//! another.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::UserId;

use super::{
    Connection,
    tables::{device_certificates, user_devices},
};
use crate::error::Fault;

/// One device of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// 1 Ed25519; 2 Ed25519 and ML-DSA-65.
    pub(crate) algorithm: i32,
    pub(crate) key: Vec<u8>,
    pub(crate) label: String,
    pub(crate) created_ms: i64,
    pub(crate) last_seen_ms: i64,
}

/// Those of a user, oldest first: a grant names the first.
pub(crate) fn of(conn: &mut Connection, user: &UserId) -> Result<Vec<Device>, Fault> {
    type Row = (i32, Vec<u8>, String, i64, i64);
    let rows = user_devices::table
        .filter(user_devices::user_id.eq(user.as_str()))
        .order((user_devices::created_ms.asc(), user_devices::key.asc()))
        .select((
            user_devices::algorithm,
            user_devices::key,
            user_devices::label,
            user_devices::created_ms,
            user_devices::last_seen_ms,
        ))
        .load::<Row>(conn)?;
    let device = |(algorithm, key, label, created_ms, last_seen_ms): Row| Device {
        algorithm,
        key,
        label,
        created_ms,
        last_seen_ms,
    };
    Ok(rows.into_iter().map(device).collect())
}

/// Notes that a device was seen; `false` for one that is not known.
pub(crate) fn touch(conn: &mut Connection, user: &UserId, seen: &Device) -> Result<bool, Fault> {
    let at = (user.as_str(), seen.key.as_slice());
    let changed = diesel::update(user_devices::table.find(at))
        .set((
            user_devices::label.eq(&seen.label),
            user_devices::last_seen_ms.eq(seen.last_seen_ms),
        ))
        .execute(conn)?;
    Ok(changed > 0)
}

/// Stores one.
pub(crate) fn insert(conn: &mut Connection, user: &UserId, new: &Device) -> Result<(), Fault> {
    diesel::insert_into(user_devices::table)
        .values((
            user_devices::user_id.eq(user.as_str()),
            user_devices::algorithm.eq(new.algorithm),
            user_devices::key.eq(&new.key),
            user_devices::label.eq(&new.label),
            user_devices::created_ms.eq(new.created_ms),
            user_devices::last_seen_ms.eq(new.last_seen_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Forgets one; `false` where it is not known.
pub(crate) fn delete(conn: &mut Connection, user: &UserId, key: &[u8]) -> Result<bool, Fault> {
    let at = (user.as_str(), key);
    Ok(diesel::delete(user_devices::table.find(at)).execute(conn)? > 0)
}

/// A certificate as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) id: String,
    pub(crate) serial: i64,
    pub(crate) signed: Vec<u8>,
    pub(crate) expires_ms: i64,
}

/// Those for a user's devices, newest first.
pub(crate) fn certificates_of(
    conn: &mut Connection,
    user: &UserId,
) -> Result<Vec<Certificate>, Fault> {
    type Row = (String, i64, Vec<u8>, i64);
    let rows = device_certificates::table
        .filter(device_certificates::user_id.eq(user.as_str()))
        .order((
            device_certificates::created_ms.desc(),
            device_certificates::id.asc(),
        ))
        .select((
            device_certificates::id,
            device_certificates::serial,
            device_certificates::signed,
            device_certificates::expires_ms,
        ))
        .load::<Row>(conn)?;
    let certificate = |(id, serial, signed, expires_ms): Row| Certificate {
        id,
        serial,
        signed,
        expires_ms,
    };
    Ok(rows.into_iter().map(certificate).collect())
}

/// Stores one.
pub(crate) fn insert_certificate(
    conn: &mut Connection,
    user: &UserId,
    new: &Certificate,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::insert_into(device_certificates::table)
        .values((
            device_certificates::id.eq(&new.id),
            device_certificates::user_id.eq(user.as_str()),
            device_certificates::serial.eq(new.serial),
            device_certificates::signed.eq(&new.signed),
            device_certificates::expires_ms.eq(new.expires_ms),
            device_certificates::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// Drops one.
pub(crate) fn delete_certificate(conn: &mut Connection, id: &str) -> Result<(), Fault> {
    diesel::delete(device_certificates::table.find(id)).execute(conn)?;
    Ok(())
}
