//! What people are signed in with: logins, API tokens, delegations. One file for all three, since each
//! is one row and ends in the same way.

use std::collections::BTreeSet;

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::{CredentialId, UserId};
use serde::Serialize;

use super::{Operator, OperatorError, counts::AT_ONCE, named, users};
use crate::{
    clock,
    error::{Fault, Refusal},
    notes::Notes,
    store::{
        Connection,
        audit::Object,
        credentials::{self as rows, Kind},
        ledger::Reason,
        pending,
        tables::{credentials, refresh_tokens, token_families, users as user_rows},
    },
    topic::Topic,
};

/// A login, token or delegation, as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionAccount {
    /// The credential's id: names it, opens nothing.
    pub session_id: String,
    /// Whose it is.
    pub user_id: String,
    /// Its name.
    pub username: String,
    /// `solo`, `access_token`, `login`, `api_token` or `delegation`.
    pub kind: &'static str,
    /// What its holder calls it.
    pub label: String,
    /// What the client called itself at first.
    pub user_agent: String,
    /// Where it came from last.
    pub address: String,
    /// What it may be used for; empty is everything.
    pub scopes: String,
    /// What a delegation is bound to.
    pub workspace_id: Option<String>,
    /// The same.
    pub worker_id: Option<String>,
    /// The same.
    pub tab_id: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_unix_ms: i64,
    /// When it was last used.
    pub last_used_unix_ms: i64,
    /// When it ends by itself.
    pub expires_unix_ms: Option<i64>,
}

/// Which of them to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// People at browsers, and the data folder's access token.
    Logins,
    /// Programs.
    ApiTokens,
    /// Child processes of Workers.
    Delegations,
}

impl SessionKind {
    const fn numbers(self) -> &'static [i16] {
        match self {
            Self::Logins => &[Kind::AccessToken as i16, Kind::Login as i16],
            Self::ApiTokens => &[Kind::Api as i16],
            Self::Delegations => &[Kind::Delegation as i16],
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Logins => "login",
            Self::ApiTokens => "API token",
            Self::Delegations => "delegation token",
        }
    }
}

const fn label_of(kind: i16) -> &'static str {
    match kind {
        1 => "solo",
        2 => "access_token",
        3 => "login",
        4 => "api_token",
        _ => "delegation",
    }
}

/// The kinds whose rows end for good; the other two belong to the Hub's start.
const ENDABLE: [i16; 3] = [
    Kind::Login as i16,
    Kind::Api as i16,
    Kind::Delegation as i16,
];

/// The live ones of a kind, the newest first; of one user or of all.
///
/// A family of API tokens is there for as long as it can be refreshed.
pub(crate) fn list(
    conn: &mut Connection,
    kind: SessionKind,
    user: Option<&UserId>,
    now_ms: i64,
) -> Result<Vec<SessionAccount>, Fault> {
    let mut query = credentials::table
        .inner_join(user_rows::table)
        .filter(credentials::kind.eq_any(kind.numbers()))
        .filter(credentials::revoked_ms.is_null())
        .order((credentials::created_ms.desc(), credentials::id.asc()))
        .select((
            credentials::id,
            user_rows::id,
            user_rows::username,
            credentials::kind,
            credentials::label,
            credentials::user_agent,
            credentials::address,
            credentials::scopes,
            credentials::workspace_id,
            credentials::worker_id,
            credentials::tab_id,
            credentials::created_ms,
            credentials::last_used_ms,
            credentials::expires_ms,
        ))
        .into_boxed();
    if let Some(user) = user {
        query = query.filter(credentials::user_id.eq(user.as_str()));
    }
    if kind != SessionKind::ApiTokens {
        query = query.filter(
            credentials::expires_ms
                .is_null()
                .or(credentials::expires_ms.gt(now_ms)),
        );
    }
    let rows = query.load::<Row>(conn)?;
    Ok(rows.into_iter().map(account).collect())
}

type Row = (
    String,
    String,
    String,
    i16,
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    i64,
    Option<i64>,
);

fn account(row: Row) -> SessionAccount {
    SessionAccount {
        session_id: row.0,
        user_id: row.1,
        username: row.2,
        kind: label_of(row.3),
        label: row.4,
        user_agent: row.5,
        address: row.6,
        scopes: row.7,
        workspace_id: row.8,
        worker_id: row.9,
        tab_id: row.10,
        created_unix_ms: row.11,
        last_used_unix_ms: row.12,
        expires_unix_ms: row.13,
    }
}

/// One that is to end: its id, and the family that ends with it.
type Ending = (String, Option<String>);

/// Ends these for good.
fn end(
    conn: &mut Connection,
    notes: &mut Notes,
    endings: &[Ending],
    reason: Reason,
    now_ms: i64,
) -> Result<u32, Fault> {
    for some in endings.chunks(AT_ONCE) {
        let ids = some.iter().map(|(id, _)| id.as_str());
        diesel::update(credentials::table.filter(credentials::id.eq_any(ids)))
            .set((
                credentials::revoked_ms.eq(now_ms),
                credentials::revoke_reason.eq(reason as i16),
            ))
            .execute(conn)?;
        let families = some.iter().filter_map(|(_, of)| of.as_deref());
        diesel::update(token_families::table.filter(token_families::id.eq_any(families)))
            .filter(token_families::revoked_ms.is_null())
            .set(token_families::revoked_ms.eq(now_ms))
            .execute(conn)?;
    }
    for (id, _) in endings {
        notes.revoke(Topic::Credential(credential_id(id)?), reason);
    }
    Ok(u32::try_from(endings.len()).unwrap_or(u32::MAX))
}

fn credential_id(id: &str) -> Result<CredentialId, Fault> {
    CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id"))
}

/// Ends every login, API token and delegation of everybody, and what waits to become one; how many.
pub(crate) fn end_all(
    conn: &mut Connection,
    notes: &mut Notes,
    reason: Reason,
    now_ms: i64,
) -> Result<u32, Fault> {
    let endings = credentials::table
        .filter(credentials::kind.eq_any(ENDABLE))
        .filter(credentials::revoked_ms.is_null())
        .order(credentials::id.asc())
        .select((credentials::id, credentials::family_id))
        .load::<Ending>(conn)?;
    pending::forget_everybodys(conn)?;
    end(conn, notes, &endings, reason, now_ms)
}

/// What stands with any credential of a user ends now, also with those that are good again when the
/// user is.
pub(crate) fn close_all(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    reason: Reason,
) -> Result<(), Fault> {
    let ids = credentials::table
        .filter(credentials::user_id.eq(user.as_str()))
        .filter(credentials::revoked_ms.is_null())
        .order(credentials::id.asc())
        .select(credentials::id)
        .load::<String>(conn)?;
    for id in ids {
        notes.revoke(Topic::Credential(credential_id(&id)?), reason);
    }
    Ok(())
}

/// Ends one, and what was made with it.
pub(crate) fn revoke(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &str,
    kind: SessionKind,
    now_ms: i64,
) -> Result<Result<(), Refusal>, Fault> {
    let found = credentials::table
        .find(id)
        .filter(credentials::revoked_ms.is_null())
        .filter(credentials::kind.eq_any(kind.numbers()))
        .select(credentials::kind)
        .first::<i16>(conn)
        .optional()?;
    match found {
        None => return Ok(Err(Refusal::NotFound)),
        Some(found) if !ENDABLE.contains(&found) => return Ok(Err(Refusal::Forbidden)),
        Some(_) => {}
    }
    let with_it = rows::with_made(conn, vec![id.to_owned()])?;
    let endings = credentials::table
        .filter(credentials::id.eq_any(with_it))
        .filter(credentials::revoked_ms.is_null())
        .order(credentials::id.asc())
        .select((credentials::id, credentials::family_id))
        .load::<Ending>(conn)?;
    end(conn, notes, &endings, Reason::Revoked, now_ms)?;
    notes.audit("session.revoked", Object::Credential, id);
    Ok(Ok(()))
}

/// Drops the rows of what is over: how many. What still stood with one ends.
pub(crate) fn purge(conn: &mut Connection, notes: &mut Notes, now_ms: i64) -> Result<usize, Fault> {
    let refreshable = refresh_tokens::table
        .filter(refresh_tokens::expires_ms.gt(now_ms))
        .select(refresh_tokens::family_id)
        .distinct()
        .load::<String>(conn)?;
    let refreshable: BTreeSet<String> = refreshable.into_iter().collect();
    let expired = credentials::table
        .filter(credentials::kind.eq_any(ENDABLE))
        .filter(credentials::revoked_ms.is_null())
        .filter(credentials::expires_ms.le(now_ms))
        .select((credentials::id, credentials::family_id))
        .load::<Ending>(conn)?;
    let over = |(_, family): &Ending| {
        family
            .as_ref()
            .is_none_or(|family| !refreshable.contains(family))
    };
    let over: Vec<Ending> = expired.into_iter().filter(over).collect();
    end(conn, notes, &over, Reason::Expired, now_ms)?;
    for some in over.chunks(AT_ONCE) {
        let ids = some.iter().map(|(id, _)| id.clone()).collect();
        let made_with_them = credentials::table
            .filter(credentials::id.eq_any(rows::with_made(conn, ids)?))
            .filter(credentials::revoked_ms.is_null())
            .select((credentials::id, credentials::family_id))
            .load::<Ending>(conn)?;
        end(conn, notes, &made_with_them, Reason::Expired, now_ms)?;
    }
    let revoked = credentials::table.filter(credentials::revoked_ms.is_not_null());
    let purged = diesel::delete(revoked).execute(conn)?;
    if purged > 0 {
        notes.audit("session.purged", Object::Credential, "");
    }
    Ok(purged)
}

impl Operator {
    /// The live ones of a kind; of one user, by name or id, or of all.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn sessions(
        &self,
        kind: SessionKind,
        user: Option<&str>,
    ) -> Result<Vec<SessionAccount>, OperatorError> {
        let wanted = user.map(str::to_owned);
        let listed = self.ask(move |conn| {
            let user = match &wanted {
                None => None,
                Some(wanted) => match users::resolve(conn, wanted)? {
                    Some(user) => Some(user),
                    None => return Ok(None),
                },
            };
            list(conn, kind, user.as_ref(), clock::unix_ms()).map(Some)
        });
        let listed = listed.await?;
        listed.ok_or_else(|| super::missing("user", user.unwrap_or_default()))
    }

    /// Ends one of a kind; every running Hub closes what stands with it.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn revoke_session(&self, kind: SessionKind, id: &str) -> Result<(), OperatorError> {
        let wanted = id.to_owned();
        let done =
            self.order(move |conn, notes| revoke(conn, notes, &wanted, kind, clock::unix_ms()));
        match done.await {
            Err(OperatorError::Refused(Refusal::Forbidden)) => Err(OperatorError::NeedsForce(
                "the access token of the data folder is replaced, not revoked: write another one \
                 into the file access-token and restart the Hub",
            )),
            done => named(done, kind.what(), id),
        }
    }

    /// Ends every login, token and delegation of everybody; how many.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn revoke_everybody(&self) -> Result<u32, OperatorError> {
        self.order(|conn, notes| {
            let ended = end_all(conn, notes, Reason::ForcedOut, clock::unix_ms())?;
            notes.audit("session.all_revoked", Object::Credential, "");
            Ok(Ok(ended))
        })
        .await
    }

    /// Drops the rows of what is over; how many.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn purge_sessions(&self) -> Result<usize, OperatorError> {
        self.order(|conn, notes| purge(conn, notes, clock::unix_ms()).map(Ok))
            .await
    }
}
