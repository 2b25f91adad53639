//! Whether what somebody was let in by still holds, and what an organisation may have.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::{CredentialId, OrganisationId};

use super::{
    Connection,
    tables::{credentials, organisations, users},
};
use crate::{config::OrganisationQuotas, error::Fault};

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

/// What an organisation may have: what its row says, and else the Hub's defaults.
pub(crate) fn quotas(
    conn: &mut Connection,
    id: &OrganisationId,
    defaults: &OrganisationQuotas,
) -> Result<OrganisationQuotas, Fault> {
    type Row = (Option<i32>, Option<i32>, Option<i32>, Option<i64>);
    let row = organisations::table
        .find(id.as_str())
        .select((
            organisations::max_members,
            organisations::max_workers,
            organisations::max_channels,
            organisations::max_bytes_per_second,
        ))
        .first::<Row>(conn)
        .optional()?;
    let (members, workers, channels, bytes) = row.unwrap_or_default();
    let number = |own: Option<i32>, default| {
        own.map_or(default, |own| u32::try_from(own).unwrap_or_default())
    };
    Ok(OrganisationQuotas {
        members: number(members, defaults.members),
        workers: number(workers, defaults.workers),
        channels: number(channels, defaults.channels),
        bytes_per_second: bytes.map_or(defaults.bytes_per_second, |own| {
            u64::try_from(own).unwrap_or_default()
        }),
    })
}
