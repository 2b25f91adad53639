//! What ends with a password, or at its user's word: logins, API tokens, delegations.

use diesel::{BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{CredentialId, UserId};

use crate::{
    error::Fault,
    notes::Notes,
    store::{
        Connection,
        credentials::{self as rows, Kind},
        ledger::Reason,
        pending,
        tables::{credentials, token_families},
    },
    topic::Topic,
};

/// Which of a user's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Logins, and what was made with them.
    Logins,
    /// All that were given out for a password: logins, API tokens and delegations, and what waits
    /// to become one.
    All,
}

/// Ends a user's credentials but for the one that is spared, and with all of them whatever waits to
/// let somebody in as the user; how many were good until now.
pub(crate) fn end(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    (which, spared): (Which, Option<&CredentialId>),
    reason: Reason,
    now_ms: i64,
) -> Result<u32, Fault> {
    type Row = (String, i16, Option<String>, Option<i64>);
    let spared = spared.map_or("", CredentialId::as_str);
    let unrevoked = credentials::table
        .filter(credentials::user_id.eq(user.as_str()))
        .filter(credentials::revoked_ms.is_null())
        .filter(credentials::id.ne(spared))
        .order(credentials::id.asc())
        .select((
            credentials::id,
            credentials::kind,
            credentials::family_id,
            credentials::expires_ms,
        ))
        .load::<Row>(conn)?;
    let logins = unrevoked
        .iter()
        .filter(|(_, kind, ..)| *kind == Kind::Login as i16)
        .map(|(id, ..)| id.clone())
        .collect();
    let of_logins = rows::with_made(conn, logins)?;
    let ends = |id: &String, kind: i16| match which {
        Which::All => kind != Kind::Solo as i16 && kind != Kind::AccessToken as i16,
        Which::Logins => of_logins.contains(id),
    };
    let ending = unrevoked.iter().filter(|(id, kind, ..)| ends(id, *kind));
    let mut ended = 0;
    for (id, _, family, expires_ms) in ending {
        revoke(conn, id, family.as_deref(), reason, now_ms)?;
        let id = CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id"))?;
        notes.revoke(Topic::Credential(id), reason);
        ended += u32::from(expires_ms.is_none_or(|expires_ms| expires_ms > now_ms));
    }
    if which == Which::All {
        pending::forget(conn, user)?;
    }
    Ok(ended)
}

fn revoke(
    conn: &mut Connection,
    id: &str,
    family: Option<&str>,
    reason: Reason,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::update(credentials::table.find(id))
        .set((
            credentials::revoked_ms.eq(now_ms),
            credentials::revoke_reason.eq(reason as i16),
        ))
        .execute(conn)?;
    if let Some(family) = family {
        let live = token_families::id
            .eq(family)
            .and(token_families::revoked_ms.is_null());
        diesel::update(token_families::table.filter(live))
            .set(token_families::revoked_ms.eq(now_ms))
            .execute(conn)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
