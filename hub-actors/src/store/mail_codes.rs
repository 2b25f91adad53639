//! Codes that went out by mail: each is good once, for a time, for one user and one address.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::UserId;

use super::{Connection, tables::mail_codes};
use crate::{error::Fault, token::SecretHash};

/// What a code is for; `mail_codes.purpose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Shows that an address is its user's.
    Confirm = 1,
    /// Lets its user choose another password.
    Reset = 2,
}

/// A code that went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) user: UserId,
    /// Where it went.
    pub(crate) email: String,
    pub(crate) expires_ms: i64,
}

/// Keeps a code; what went out before for the same purpose is good no more, and what is too old is
/// dropped.
pub(crate) fn insert(
    conn: &mut Connection,
    hash: SecretHash,
    purpose: Purpose,
    code: &Code,
    now_ms: i64,
) -> Result<(), Fault> {
    diesel::delete(mail_codes::table.filter(mail_codes::expires_ms.le(now_ms))).execute(conn)?;
    let before = mail_codes::table
        .filter(mail_codes::user_id.eq(code.user.as_str()))
        .filter(mail_codes::purpose.eq(purpose as i16));
    diesel::delete(before).execute(conn)?;
    diesel::insert_into(mail_codes::table)
        .values((
            mail_codes::secret_hash.eq(hash.as_bytes().as_slice()),
            mail_codes::user_id.eq(code.user.as_str()),
            mail_codes::purpose.eq(purpose as i16),
            mail_codes::email.eq(&code.email),
            mail_codes::expires_ms.eq(code.expires_ms),
        ))
        .execute(conn)?;
    Ok(())
}

/// The code of a presented secret, if it is good for this.
pub(crate) fn find(
    conn: &mut Connection,
    hash: SecretHash,
    purpose: Purpose,
    now_ms: i64,
) -> Result<Option<Code>, Fault> {
    let row = mail_codes::table
        .find(hash.as_bytes().as_slice())
        .filter(mail_codes::purpose.eq(purpose as i16))
        .filter(mail_codes::expires_ms.gt(now_ms))
        .select((
            mail_codes::user_id,
            mail_codes::email,
            mail_codes::expires_ms,
        ))
        .first::<(String, String, i64)>(conn)
        .optional()?;
    row.map(|(user, email, expires_ms)| {
        let user = UserId::parse(&user).map_err(|_| Fault::Row("mail_codes.user_id"))?;
        Ok(Code {
            user,
            email,
            expires_ms,
        })
    })
    .transpose()
}

/// Uses a code up.
pub(crate) fn take(
    conn: &mut Connection,
    hash: SecretHash,
    purpose: Purpose,
    now_ms: i64,
) -> Result<Option<Code>, Fault> {
    let found = find(conn, hash, purpose, now_ms)?;
    if found.is_some() {
        diesel::delete(mail_codes::table.find(hash.as_bytes().as_slice())).execute(conn)?;
    }
    Ok(found)
}

/// Makes every code worthless that went out to a user for this.
pub(crate) fn forget(conn: &mut Connection, user: &UserId, purpose: Purpose) -> Result<(), Fault> {
    let theirs = mail_codes::table
        .filter(mail_codes::user_id.eq(user.as_str()))
        .filter(mail_codes::purpose.eq(purpose as i16));
    diesel::delete(theirs).execute(conn)?;
    Ok(())
}
