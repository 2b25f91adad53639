//! API tokens: families of pairs, each an access token and the refresh token that makes the next.
//!
//! A family is one credential of the same id, and everything that its access tokens open stands
//! with that: channels survive a rotation, and end together when the family does. The credential
//! expires with the newest access token.

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _, dsl::max,
};
use schema::ids::{CredentialId, UserId};

use super::{
    Connection,
    credentials::{self, Credential, Kind},
    tables::{credentials as rows, refresh_tokens, token_families, users},
};
use crate::{error::Fault, scope::Scopes, token::SecretHash};

/// A family to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewFamily {
    pub(crate) id: CredentialId,
    pub(crate) user: UserId,
    pub(crate) label: String,
    pub(crate) scopes: Scopes,
    /// Where it was asked for.
    pub(crate) address: String,
    pub(crate) user_agent: String,
}

/// A pair to be stored.
#[derive(Clone)]
pub(crate) struct NewPair {
    pub(crate) id: String,
    pub(crate) access: SecretHash,
    pub(crate) access_expires_ms: i64,
    pub(crate) refresh: SecretHash,
    pub(crate) refresh_expires_ms: i64,
}

/// A refresh token as it is stored, of a family that was not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) id: String,
    pub(crate) family: CredentialId,
    pub(crate) username: String,
    pub(crate) scopes: Scopes,
    pub(crate) expires_ms: i64,
    /// When the next pair was first made with it.
    pub(crate) used_ms: Option<i64>,
}

/// A family in its owner's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) id: CredentialId,
    pub(crate) label: String,
    pub(crate) scopes: Scopes,
    pub(crate) created_ms: i64,
    pub(crate) last_used_ms: i64,
    /// When its newest refresh token expires.
    pub(crate) expires_ms: i64,
}

/// Stores a family with its first pair.
pub(crate) fn insert(
    conn: &mut Connection,
    family: &NewFamily,
    pair: &NewPair,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::insert_into(token_families::table)
        .values((
            token_families::id.eq(family.id.as_str()),
            token_families::user_id.eq(family.user.as_str()),
            token_families::label.eq(&family.label),
            token_families::scopes.eq(family.scopes.to_string()),
            token_families::created_ms.eq(now_ms),
        ))
        .execute(conn)?;
    diesel::insert_into(rows::table)
        .values((
            rows::id.eq(family.id.as_str()),
            rows::user_id.eq(family.user.as_str()),
            rows::kind.eq(Kind::Api as i16),
            rows::family_id.eq(family.id.as_str()),
            rows::label.eq(&family.label),
            rows::user_agent.eq(&family.user_agent),
            rows::address.eq(&family.address),
            rows::scopes.eq(family.scopes.to_string()),
            rows::created_ms.eq(now_ms),
            rows::last_used_ms.eq(now_ms),
            rows::expires_ms.eq(pair.access_expires_ms),
        ))
        .execute(conn)?;
    insert_pair(conn, &family.id, pair, now_ms)
}

/// Stores a further pair; the family's credential lives as long as its access token.
pub(crate) fn add(
    conn: &mut Connection,
    family: &CredentialId,
    pair: &NewPair,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::update(rows::table.find(family.as_str()))
        .set((
            rows::expires_ms.eq(pair.access_expires_ms),
            rows::last_used_ms.eq(now_ms),
        ))
        .execute(conn)?;
    insert_pair(conn, family, pair, now_ms)
}

fn insert_pair(
    conn: &mut Connection,
    family: &CredentialId,
    pair: &NewPair,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::id.eq(&pair.id),
            refresh_tokens::family_id.eq(family.as_str()),
            refresh_tokens::secret_hash.eq(pair.refresh.as_bytes().as_slice()),
            refresh_tokens::created_ms.eq(now_ms),
            refresh_tokens::expires_ms.eq(pair.refresh_expires_ms),
            refresh_tokens::access_hash.eq(pair.access.as_bytes().as_slice()),
            refresh_tokens::access_expires_ms.eq(pair.access_expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// The live credential of a presented access token, and what it is good for.
pub(crate) fn find_access(
    conn: &mut Connection,
    access: SecretHash,
    now_ms: i64,
) -> Result<Option<(Credential, Scopes)>, Fault> {
    let found = refresh_tokens::table
        .inner_join(token_families::table)
        .filter(refresh_tokens::access_hash.eq(access.as_bytes().as_slice()))
        .filter(refresh_tokens::access_expires_ms.gt(now_ms))
        .filter(token_families::revoked_ms.is_null())
        .select((token_families::id, token_families::scopes))
        .first::<(String, String)>(conn)
        .optional()?;
    let Some((family, scopes)) = found else {
        return Ok(None);
    };
    let credential = credentials::live(conn, &id(&family)?, now_ms)?;
    let scopes = read_scopes(&scopes)?;
    Ok(credential.map(|credential| (credential, scopes)))
}

/// A refresh token, expired ones and used ones included, unless its family was revoked or its
/// user may not be here.
pub(crate) fn find_refresh(
    conn: &mut Connection,
    refresh: SecretHash,
) -> Result<Option<Refresh>, Fault> {
    type Row = (String, String, String, String, i64, Option<i64>);
    let found = refresh_tokens::table
        .inner_join(token_families::table.inner_join(users::table))
        .filter(refresh_tokens::secret_hash.eq(refresh.as_bytes().as_slice()))
        .filter(token_families::revoked_ms.is_null())
        .filter(users::disabled_ms.is_null())
        .select((
            refresh_tokens::id,
            token_families::id,
            users::username,
            token_families::scopes,
            refresh_tokens::expires_ms,
            refresh_tokens::used_ms,
        ))
        .first::<Row>(conn)
        .optional()?;
    let Some((token, family, username, scopes, expires_ms, used_ms)) = found else {
        return Ok(None);
    };
    let family = id(&family)?;
    // Whoever ends all credentials of a user ends these rows, and may know of no families.
    if !credentials::is_unrevoked(conn, &family)? {
        return Ok(None);
    }
    Ok(Some(Refresh {
        id: token,
        family,
        username,
        scopes: read_scopes(&scopes)?,
        expires_ms,
        used_ms,
    }))
}

/// Notes that the next pair was made with it.
pub(crate) fn use_up(
    conn: &mut Connection,
    refresh: &str,
    replaced_by: &str,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::update(refresh_tokens::table.find(refresh))
        .filter(refresh_tokens::used_ms.is_null())
        .set((
            refresh_tokens::used_ms.eq(now_ms),
            refresh_tokens::replaced_by.eq(replaced_by),
        ))
        .execute(conn)?;
    Ok(())
}

/// How many pairs a family got since then.
pub(crate) fn made_since(
    conn: &mut Connection,
    family: &CredentialId,
    since_ms: i64,
) -> Result<i64, Fault> {
    let made = refresh_tokens::table
        .filter(refresh_tokens::family_id.eq(family.as_str()))
        .filter(refresh_tokens::created_ms.gt(since_ms));
    Ok(made.count().get_result(conn)?)
}

/// Ends a family; names the credentials that ended: its own, and those that were made by it.
pub(crate) fn revoke(
    conn: &mut Connection,
    family: &CredentialId,
    now_ms: i64,
) -> Result<Vec<CredentialId>, Fault> {
    diesel::update(token_families::table.find(family.as_str()))
        .filter(token_families::revoked_ms.is_null())
        .set(token_families::revoked_ms.eq(now_ms))
        .execute(conn)?;
    credentials::revoke(conn, family, now_ms)
}

/// Whose family it is, if it can be used yet.
pub(crate) fn owner(conn: &mut Connection, family: &CredentialId) -> Result<Option<UserId>, Fault> {
    let found = token_families::table
        .find(family.as_str())
        .filter(token_families::revoked_ms.is_null())
        .select(token_families::user_id)
        .first::<String>(conn)
        .optional()?;
    let parse = |id: String| UserId::parse(&id).map_err(|_| Fault::Row("token_families.user_id"));
    found.map(parse).transpose()
}

/// A user's families that can be used yet, the newest first.
pub(crate) fn list(
    conn: &mut Connection,
    user: &UserId,
    now_ms: i64,
) -> Result<Vec<Family>, Fault> {
    type Row = (String, String, String, i64, i64);
    let found = rows::table
        .inner_join(token_families::table)
        .filter(rows::user_id.eq(user.as_str()))
        .filter(rows::kind.eq(Kind::Api as i16))
        .filter(rows::revoked_ms.is_null())
        .filter(token_families::revoked_ms.is_null())
        .order((rows::created_ms.desc(), rows::id.asc()))
        .select((
            token_families::id,
            token_families::label,
            token_families::scopes,
            rows::created_ms,
            rows::last_used_ms,
        ))
        .load::<Row>(conn)?;
    let mut families = Vec::new();
    for (family, label, scopes, created_ms, last_used_ms) in found {
        let expires = refresh_tokens::table
            .filter(refresh_tokens::family_id.eq(&family))
            .filter(refresh_tokens::used_ms.is_null())
            .select(max(refresh_tokens::expires_ms));
        let expires_ms: Option<i64> = expires.first(conn)?;
        if let Some(expires_ms) = expires_ms.filter(|expires_ms| *expires_ms > now_ms) {
            families.push(Family {
                id: id(&family)?,
                label,
                scopes: read_scopes(&scopes)?,
                created_ms,
                last_used_ms,
                expires_ms,
            });
        }
    }
    Ok(families)
}

/// Drops pairs whose refresh token expired, and families that have none left.
pub(crate) fn forget_expired(conn: &mut Connection, now_ms: i64) -> Result<(), Fault> {
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_ms.le(now_ms)))
        .execute(conn)?;
    let held = refresh_tokens::table.select(refresh_tokens::family_id);
    diesel::delete(token_families::table.filter(token_families::id.ne_all(held))).execute(conn)?;
    Ok(())
}

fn read_scopes(text: &str) -> Result<Scopes, Fault> {
    Scopes::parse(text.split_whitespace()).ok_or(Fault::Row("token_families.scopes"))
}

fn id(text: &str) -> Result<CredentialId, Fault> {
    CredentialId::parse(text).map_err(|_| Fault::Row("token_families.id"))
}

#[cfg(test)]
#[path = "api_tokens_tests.rs"]
mod tests;
