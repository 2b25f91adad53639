//! Whether what somebody was let in by still holds.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::CredentialId;

use super::{
    Connection,
    tables::{credentials, users},
};
use crate::error::Fault;

/// When a live credential of a user who may sign in ends by itself; `None` for one that is not live.
pub(crate) fn end_of(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<Option<Option<i64>>, Fault> {
    let unexpired = credentials::expires_ms
        .is_null()
        .or(credentials::expires_ms.gt(now_ms));
    let found = credentials::table
        .inner_join(users::table)
        .filter(credentials::id.eq(id.as_str()))
        .filter(credentials::revoked_ms.is_null())
        .filter(users::disabled_ms.is_null())
        .filter(unexpired)
        .select(credentials::expires_ms);
    Ok(found.first::<Option<i64>>(conn).optional()?)
}

/// Whether a credential is live, and its user may sign in.
pub(crate) fn is_live(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<bool, Fault> {
    Ok(end_of(conn, id, now_ms)?.is_some())
}
