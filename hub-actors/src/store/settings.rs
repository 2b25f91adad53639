//! What an admin set while the Hub ran; it goes before the configuration.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};

use super::{Connection, tables::settings};
use crate::error::Fault;

/// Whether anybody may make an account: `true` or `false`.
pub(crate) const SIGN_UP: &str = "sign_up";

/// The value of a key, if it was ever set.
pub(crate) fn get(conn: &mut Connection, key: &str) -> Result<Option<String>, Fault> {
    let value = settings::table.find(key).select(settings::value);
    Ok(value.first(conn).optional()?)
}

/// Sets a key.
pub(crate) fn set(conn: &mut Connection, key: &str, value: &str) -> Result<(), Fault> {
    diesel::delete(settings::table.find(key)).execute(conn)?;
    diesel::insert_into(settings::table)
        .values((settings::key.eq(key), settings::value.eq(value)))
        .execute(conn)?;
    Ok(())
}

/// Whether anybody may make an account.
pub(crate) fn sign_up(conn: &mut Connection, configured: bool) -> Result<bool, Fault> {
    Ok(get(conn, SIGN_UP)?.map_or(configured, |value| value == "true"))
}
