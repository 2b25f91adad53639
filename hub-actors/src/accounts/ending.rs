//! What ends with a password, or at its user's word: logins, API tokens, delegations.

use diesel::{BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{CredentialId, UserId};

use crate::{
    error::Fault,
    notes::Notes,
    store::{
        Connection,
        credentials::Kind,
        ledger::Reason,
        tables::{credentials, token_families},
    },
    topic::Topic,
};

/// Which of a user's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Logins, and what was made with them.
    Logins,
    /// All that were given out for a password: logins, API tokens and delegations.
    All,
}

/// Ends a user's credentials but for the one that is spared; how many.
pub(crate) fn end(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    (which, spared): (Which, Option<&CredentialId>),
    reason: Reason,
    now_ms: i64,
) -> Result<u32, Fault> {
    let spared = spared.map_or("", CredentialId::as_str);
    let live = credentials::table
        .filter(credentials::user_id.eq(user.as_str()))
        .filter(credentials::revoked_ms.is_null())
        .filter(credentials::id.ne(spared))
        .order(credentials::id.asc())
        .select((
            credentials::id,
            credentials::kind,
            credentials::parent_id,
            credentials::family_id,
        ))
        .load::<(String, i16, Option<String>, Option<String>)>(conn)?;
    let is_login = |kind: i16| kind == Kind::Login as i16;
    let logins: Vec<&str> = live
        .iter()
        .filter(|(_, kind, ..)| is_login(*kind))
        .map(|(id, ..)| id.as_str())
        .collect();
    let ends = |kind: i16, parent: Option<&String>| match which {
        Which::All => kind != Kind::Solo as i16 && kind != Kind::AccessToken as i16,
        Which::Logins => {
            is_login(kind) || parent.is_some_and(|parent| logins.contains(&parent.as_str()))
        }
    };
    let ending = live
        .iter()
        .filter(|(_, kind, parent, _)| ends(*kind, parent.as_ref()));
    let mut ended = 0;
    for (id, _, _, family) in ending {
        revoke(conn, id, family.as_deref(), reason, now_ms)?;
        let id = CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id"))?;
        notes.revoke(Topic::Credential(id), reason);
        ended += 1;
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
