//! What a session, a link or a channel stands or falls with.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::{CredentialId, UserId};

use super::{Connection, tables::credentials};
use crate::{error::Fault, token::SecretHash};

/// How somebody came to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Solo's automatic admin: no secret, live while the Hub runs solo.
    Solo = 1,
    /// The access token of a Hub's data folder.
    AccessToken = 2,
    /// A browser that signed in.
    Login = 3,
    /// A family of API tokens.
    Api = 4,
    /// A bearer that a Worker minted for a child process.
    Delegation = 5,
}

/// A credential that was live when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) id: CredentialId,
    pub(crate) user: UserId,
    /// When it ends by itself.
    pub(crate) expires_ms: Option<i64>,
    pub(crate) last_used_ms: i64,
}

/// A credential to be stored.
pub(crate) struct NewCredential<'a> {
    pub(crate) id: &'a CredentialId,
    pub(crate) user: &'a UserId,
    pub(crate) kind: Kind,
    pub(crate) parent: Option<&'a CredentialId>,
    pub(crate) hash: Option<SecretHash>,
    pub(crate) expires_ms: Option<i64>,
}

/// Stores one.
pub(crate) fn insert(
    conn: &mut Connection,
    new: &NewCredential<'_>,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::insert_into(credentials::table)
        .values((
            credentials::id.eq(new.id.as_str()),
            credentials::user_id.eq(new.user.as_str()),
            credentials::kind.eq(new.kind as i16),
            credentials::parent_id.eq(new.parent.map(CredentialId::as_str)),
            credentials::secret_hash.eq(new.hash.as_ref().map(|hash| hash.as_bytes().as_slice())),
            credentials::label.eq(""),
            credentials::user_agent.eq(""),
            credentials::address.eq(""),
            credentials::scopes.eq(""),
            credentials::created_ms.eq(now_ms),
            credentials::last_used_ms.eq(now_ms),
            credentials::expires_ms.eq(new.expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// So long one that has ended is still there to be looked at: its end has to be written into the
/// ledger, and with it the end of what it made.
pub(crate) const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// Drops the logins and delegations that expired a day ago; they can open nothing, and so leave no
/// channel behind. A family of API tokens comes to life again when it is refreshed.
pub(crate) fn forget_expired(conn: &mut Connection, now_ms: i64) -> Result<usize, Fault> {
    let login = credentials::kind.eq(Kind::Login as i16);
    let expired = credentials::table
        .filter(credentials::expires_ms.le(now_ms.saturating_sub(KEPT_MS)))
        .filter(login.or(credentials::kind.eq(Kind::Delegation as i16)));
    Ok(diesel::delete(expired).execute(conn)?)
}

/// Writes down where a login came from.
pub(crate) fn note_origin(
    conn: &mut Connection,
    id: &CredentialId,
    user_agent: &str,
    address: &str,
) -> Result<(), Fault> {
    diesel::update(credentials::table.find(id.as_str()))
        .set((
            credentials::user_agent.eq(user_agent),
            credentials::address.eq(address),
        ))
        .execute(conn)?;
    Ok(())
}

/// The live logins of a user beyond the `kept` that were used last.
pub(crate) fn unused_longest(
    conn: &mut Connection,
    user: &UserId,
    kept: i64,
) -> Result<Vec<CredentialId>, Fault> {
    let rows = credentials::table
        .filter(credentials::user_id.eq(user.as_str()))
        .filter(credentials::kind.eq(Kind::Login as i16))
        .filter(credentials::revoked_ms.is_null())
        .order((credentials::last_used_ms.desc(), credentials::id.desc()))
        .select(credentials::id)
        .load::<String>(conn)?;
    let kept = usize::try_from(kept).unwrap_or_default();
    rows.iter().skip(kept).map(|id| parse(id)).collect()
}

/// Moves a login on that is in use: it was used now, and ends so much later. `false` where it was
/// moved a moment ago, or is live no more.
pub(crate) fn slide(
    conn: &mut Connection,
    id: &CredentialId,
    unless_after_ms: i64,
    now_ms: i64,
    lifetime_ms: i64,
) -> Result<bool, Fault> {
    let moved = diesel::update(credentials::table.find(id.as_str()))
        .filter(credentials::kind.eq(Kind::Login as i16))
        .filter(credentials::last_used_ms.le(unless_after_ms))
        .filter(live_at(now_ms))
        .set((
            credentials::last_used_ms.eq(now_ms),
            credentials::expires_ms.eq(now_ms.saturating_add(lifetime_ms)),
        ))
        .execute(conn)?;
    Ok(moved > 0)
}

/// The live credential of a presented secret.
pub(crate) fn find_live(
    conn: &mut Connection,
    kind: Kind,
    hash: SecretHash,
    now_ms: i64,
) -> Result<Option<Credential>, Fault> {
    let row = credentials::table
        .filter(credentials::secret_hash.eq(hash.as_bytes().as_slice()))
        .filter(credentials::kind.eq(kind as i16))
        .filter(live_at(now_ms))
        .select((
            credentials::id,
            credentials::user_id,
            credentials::expires_ms,
            credentials::last_used_ms,
        ))
        .first::<Row>(conn)
        .optional()?;
    row.map(credential).transpose()
}

/// The one live credential of its kind, and the hash of its secret, if it has one.
pub(crate) type Sole = (Credential, Option<Vec<u8>>);

/// The live credential of a kind that has only one, if it is there.
pub(crate) fn find_sole(conn: &mut Connection, kind: Kind) -> Result<Option<Sole>, Fault> {
    let row = credentials::table
        .filter(credentials::kind.eq(kind as i16))
        .filter(credentials::revoked_ms.is_null())
        .select((
            credentials::id,
            credentials::user_id,
            credentials::last_used_ms,
            credentials::secret_hash,
        ))
        .first::<(String, String, i64, Option<Vec<u8>>)>(conn)
        .optional()?;
    row.map(|(id, user, used, hash)| Ok((credential((id, user, None, used))?, hash)))
        .transpose()
}

/// Makes it another user's.
pub(crate) fn give(conn: &mut Connection, id: &CredentialId, to: &UserId) -> Result<(), Fault> {
    diesel::update(credentials::table.find(id.as_str()))
        .set(credentials::user_id.eq(to.as_str()))
        .execute(conn)?;
    Ok(())
}

/// Whether it is still good.
pub(crate) fn is_live(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<bool, Fault> {
    let row = credentials::table
        .find(id.as_str())
        .filter(live_at(now_ms))
        .select(credentials::id)
        .first::<String>(conn)
        .optional()?;
    Ok(row.is_some())
}

/// One that is live, by its id.
pub(crate) fn live(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<Option<Credential>, Fault> {
    let row = credentials::table
        .find(id.as_str())
        .filter(live_at(now_ms))
        .select((
            credentials::id,
            credentials::user_id,
            credentials::expires_ms,
            credentials::last_used_ms,
        ))
        .first::<Row>(conn)
        .optional()?;
    row.map(credential).transpose()
}

/// Whether it is there and was not revoked, expired or not.
pub(crate) fn is_unrevoked(conn: &mut Connection, id: &CredentialId) -> Result<bool, Fault> {
    let found = credentials::table
        .find(id.as_str())
        .filter(credentials::revoked_ms.is_null());
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// Revokes one, all that were traded for it, and what was made by those; names those that were
/// live.
pub(crate) fn revoke(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<Vec<CredentialId>, Fault> {
    let all = with_made(conn, vec![id.as_str().to_owned()])?;
    let rows = diesel::update(credentials::table)
        .filter(credentials::id.eq_any(all))
        .filter(credentials::revoked_ms.is_null())
        .set(credentials::revoked_ms.eq(now_ms))
        .returning(credentials::id)
        .get_results::<String>(conn)?;
    rows.iter().map(|id| parse(id)).collect()
}

/// These, all that were traded for them, and what was made by those.
pub(crate) fn with_made(conn: &mut Connection, mut all: Vec<String>) -> Result<Vec<String>, Fault> {
    let mut made = all.clone();
    while !made.is_empty() {
        made = credentials::table
            .filter(credentials::parent_id.eq_any(made))
            .select(credentials::id)
            .load::<String>(conn)?;
        all.extend(made.iter().cloned());
    }
    Ok(all)
}

/// Forgets the hashes of those of a kind that were revoked: they open nothing, and the same secret may
/// be given anew.
pub(crate) fn forget_revoked_secrets(conn: &mut Connection, kind: Kind) -> Result<(), Fault> {
    let revoked = credentials::table
        .filter(credentials::kind.eq(kind as i16))
        .filter(credentials::revoked_ms.is_not_null());
    diesel::update(revoked)
        .set(credentials::secret_hash.eq(None::<Vec<u8>>))
        .execute(conn)?;
    Ok(())
}

#[diesel::dsl::auto_type]
fn live_at(now_ms: i64) -> _ {
    let unexpired: diesel::dsl::Or<
        diesel::dsl::IsNull<credentials::expires_ms>,
        diesel::dsl::Gt<credentials::expires_ms, i64>,
    > = credentials::expires_ms
        .is_null()
        .or(credentials::expires_ms.gt(now_ms));
    credentials::revoked_ms.is_null().and(unexpired)
}

type Row = (String, String, Option<i64>, i64);

fn credential((id, user, expires_ms, last_used_ms): Row) -> Result<Credential, Fault> {
    let user = UserId::parse(&user).map_err(|_| Fault::Row("credentials.user_id"))?;
    Ok(Credential {
        id: parse(&id)?,
        user,
        expires_ms,
        last_used_ms,
    })
}

fn parse(id: &str) -> Result<CredentialId, Fault> {
    CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id"))
}

/// Whether it is a live login of this user's.
pub(crate) fn is_login_of(
    conn: &mut Connection,
    id: &CredentialId,
    user: &UserId,
) -> Result<bool, Fault> {
    let found = credentials::table
        .find(id.as_str())
        .filter(credentials::user_id.eq(user.as_str()))
        .filter(credentials::kind.eq(Kind::Login as i16))
        .filter(credentials::revoked_ms.is_null())
        .select(credentials::id);
    Ok(found.first::<String>(conn).optional()?.is_some())
}
