//! What ends by itself: credentials, which others stand with, and codes, which nobody does.
//!
//! A credential may be moved on at any moment, so its end is judged inside the transaction that
//! writes it down, and it is written down once for each end that it had.

use std::collections::BTreeSet;

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::CredentialId;

use super::{
    Connection,
    ledger::{self, Reason},
    tables::{
        authorisations, credentials, device_logins, invitations, mail_codes, oauth_states,
        refresh_tokens, registration_keys,
    },
};
use crate::{error::Fault, topic::Topic};

/// Credentials that one transaction ends.
pub(crate) const SWEEP_MAX: i64 = 500;

/// Writes into the ledger what has expired, and ends what was made by it. How many they were. To be
/// called inside [`super::Store::write`].
pub(crate) fn sweep(conn: &mut Connection, now_ms: i64) -> Result<usize, Fault> {
    let unswept = credentials::swept_ms
        .is_null()
        .or(credentials::swept_ms.lt(credentials::expires_ms));
    let expired = credentials::table
        .filter(credentials::expires_ms.le(now_ms))
        .filter(credentials::revoked_ms.is_null())
        .filter(unswept)
        .order(credentials::id.asc())
        .limit(SWEEP_MAX)
        .select(credentials::id)
        .load::<String>(conn)?;
    end(conn, &expired, now_ms)?;
    Ok(expired.len())
}

/// The same for one of which somebody was told that it has expired; `false` where it is live. One
/// that is not there any more leaves an entry too.
pub(crate) fn end_one(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<bool, Fault> {
    type Row = (Option<i64>, Option<i64>, Option<i64>);
    let row = credentials::table
        .find(id.as_str())
        .select((
            credentials::expires_ms,
            credentials::revoked_ms,
            credentials::swept_ms,
        ))
        .first::<Row>(conn)
        .optional()?;
    match row {
        Some((_, Some(_), _)) => Ok(true),
        Some((None, ..)) => Ok(false),
        Some((Some(expires_ms), ..)) if expires_ms > now_ms => Ok(false),
        Some((expires_ms, _, swept_ms)) if swept_ms >= expires_ms => Ok(true),
        Some(_) | None => {
            end(conn, &[id.as_str().to_owned()], now_ms)?;
            Ok(true)
        }
    }
}

/// Ends these, and revokes whatever was traded for them or made by them.
fn end(conn: &mut Connection, expired: &[String], now_ms: i64) -> Result<(), Fault> {
    if expired.is_empty() {
        return Ok(());
    }
    diesel::update(credentials::table.filter(credentials::id.eq_any(expired)))
        .set(credentials::swept_ms.eq(credentials::expires_ms))
        .execute(conn)?;
    let mut ended: BTreeSet<String> = expired.iter().cloned().collect();
    let mut parents = expired.to_vec();
    while !parents.is_empty() {
        parents = diesel::update(credentials::table)
            .filter(credentials::parent_id.eq_any(&parents))
            .filter(credentials::revoked_ms.is_null())
            .set((
                credentials::revoked_ms.eq(now_ms),
                credentials::revoke_reason.eq(Reason::Expired as i16),
            ))
            .returning(credentials::id)
            .get_results::<String>(conn)?;
        ended.extend(parents.iter().cloned());
    }
    for id in ended {
        let id = CredentialId::parse(&id).map_err(|_| Fault::Row("credentials.id"))?;
        ledger::append(conn, &Topic::Credential(id), Reason::Expired, now_ms)?;
    }
    Ok(())
}

/// Forgets what is good for nothing any more and what nothing stands with.
pub(crate) fn forget(conn: &mut Connection, now_ms: i64) -> Result<usize, Fault> {
    macro_rules! expired {
        ($table:ident) => {
            diesel::delete($table::table.filter($table::expires_ms.le(now_ms))).execute(conn)?
        };
    }
    let codes = expired!(mail_codes)
        + expired!(oauth_states)
        + expired!(device_logins)
        + expired!(authorisations)
        + expired!(invitations)
        + expired!(refresh_tokens)
        + expired!(registration_keys);
    Ok(codes + super::credentials::forget_expired(conn, now_ms)?)
}
