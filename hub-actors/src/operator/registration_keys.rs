//! Registration keys that nobody has used yet.

use std::fmt::Write as _;

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use serde::Serialize;

use super::{Operator, OperatorError, named};
use crate::{
    clock,
    error::{Fault, Refusal},
    notes::Notes,
    store::{
        Connection,
        audit::Object,
        tables::{registration_keys, users},
    },
};

/// An unused registration key, as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistrationKeyAccount {
    /// The first 16 hex digits of the stored hash: names it, opens nothing.
    pub key_id: String,
    /// Who asked for it.
    pub user_id: String,
    /// The name of who asked for it.
    pub username: String,
    /// The name that the Worker shall have.
    pub worker_name: String,
    /// When it is over, in milliseconds since 1970.
    pub expires_unix_ms: i64,
}

/// Those that are good yet, the next to end first.
pub(crate) fn list(
    conn: &mut Connection,
    now_ms: i64,
) -> Result<Vec<RegistrationKeyAccount>, Fault> {
    let rows = registration_keys::table
        .inner_join(users::table)
        .filter(registration_keys::expires_ms.gt(now_ms))
        .order(registration_keys::expires_ms.asc())
        .select((
            registration_keys::id_hash,
            users::id,
            users::username,
            registration_keys::worker_name,
            registration_keys::expires_ms,
        ))
        .load::<(Vec<u8>, String, String, String, i64)>(conn)?;
    let account =
        |(hash, user_id, username, worker_name, expires_unix_ms): (Vec<u8>, _, _, _, _)| {
            RegistrationKeyAccount {
                key_id: key_id(&hash),
                user_id,
                username,
                worker_name,
                expires_unix_ms,
            }
        };
    Ok(rows.into_iter().map(account).collect())
}

fn key_id(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// Takes one back, whoever asked for it.
pub(crate) fn revoke(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &str,
) -> Result<Result<(), Refusal>, Fault> {
    let hashes = registration_keys::table.select(registration_keys::id_hash);
    let hashes = hashes.load::<Vec<u8>>(conn)?;
    let Some(hash) = hashes.iter().find(|hash| key_id(hash) == id) else {
        return Ok(Err(Refusal::NotFound));
    };
    diesel::delete(registration_keys::table.find(hash.as_slice())).execute(conn)?;
    notes.audit("registration_key.revoked", Object::RegistrationKey, id);
    Ok(Ok(()))
}

/// Drops those whose time is up; how many.
fn purge(conn: &mut Connection, notes: &mut Notes, now_ms: i64) -> Result<usize, Fault> {
    let expired = registration_keys::table.filter(registration_keys::expires_ms.le(now_ms));
    let purged = diesel::delete(expired).execute(conn)?;
    if purged > 0 {
        notes.audit("registration_key.purged", Object::RegistrationKey, "");
    }
    Ok(purged)
}

impl Operator {
    /// The registration keys that are good yet.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn registration_keys(&self) -> Result<Vec<RegistrationKeyAccount>, OperatorError> {
        self.ask(|conn| list(conn, clock::unix_ms())).await
    }

    /// Takes one back.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn revoke_registration_key(&self, id: &str) -> Result<(), OperatorError> {
        let wanted = id.to_owned();
        let done = self.order(move |conn, notes| revoke(conn, notes, &wanted));
        named(done.await, "registration key", id)
    }

    /// Drops those whose time is up; how many.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn purge_registration_keys(&self) -> Result<usize, OperatorError> {
        self.order(|conn, notes| purge(conn, notes, clock::unix_ms()).map(Ok))
            .await
    }
}
