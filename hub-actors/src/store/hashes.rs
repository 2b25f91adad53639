//! Every column that holds a hash under the pepper.

use diesel::{
    ExpressionMethods as _, NullableExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::{CredentialId, WorkerId};

use super::{
    Connection,
    credentials::Kind,
    ledger::Reason,
    tables::{
        authorisations, credentials, device_logins, invitations, mail_codes, oauth_states,
        refresh_tokens, registration_keys, token_families, workers,
    },
};
use crate::{error::Fault, keyring::orders::Unpeppered, notes::Notes, topic::Topic};

/// Whether there is one at all.
pub(crate) fn any(conn: &mut Connection) -> Result<bool, Fault> {
    macro_rules! holds {
        ($table:ident, $column:ident) => {
            $table::table
                .select($table::$column.nullable())
                .filter($table::$column.nullable().is_not_null())
                .first::<Option<Vec<u8>>>(conn)
                .optional()?
                .is_some()
        };
    }
    Ok(holds!(credentials, secret_hash)
        || holds!(workers, token_hash)
        || holds!(refresh_tokens, secret_hash)
        || holds!(registration_keys, id_hash)
        || holds!(invitations, secret_hash)
        || holds!(mail_codes, secret_hash)
        || holds!(device_logins, code_hash)
        || holds!(authorisations, code_hash)
        || holds!(oauth_states, secret_hash))
}

/// Ends all that hashes let in: logins, tokens and delegations are revoked, and so are Workers,
/// which are registered again with a token of their own; what waited to be used is gone. A Worker
/// that its Hub brings along gets a new token at the Hub's next start.
pub(crate) fn sweep(
    conn: &mut Connection,
    notes: &mut Notes,
    now_ms: i64,
) -> Result<Unpeppered, Fault> {
    let credentials = revoke_credentials(conn, notes, now_ms)?;
    let workers = remove_workers(conn, notes)?;
    diesel::update(token_families::table.filter(token_families::revoked_ms.is_null()))
        .set(token_families::revoked_ms.eq(now_ms))
        .execute(conn)?;
    let links = invitations::table.filter(invitations::secret_hash.is_not_null());
    let others = diesel::delete(refresh_tokens::table).execute(conn)?
        + diesel::delete(registration_keys::table).execute(conn)?
        + diesel::delete(links).execute(conn)?
        + diesel::delete(mail_codes::table).execute(conn)?
        + diesel::delete(device_logins::table).execute(conn)?
        + diesel::delete(authorisations::table).execute(conn)?
        + diesel::delete(oauth_states::table).execute(conn)?;
    Ok(Unpeppered {
        credentials,
        workers,
        others: others as u64,
    })
}

/// All but solo's own, which has no secret.
fn revoke_credentials(conn: &mut Connection, notes: &mut Notes, now_ms: i64) -> Result<u64, Fault> {
    let ids = diesel::update(credentials::table)
        .filter(credentials::kind.ne(Kind::Solo as i16))
        .filter(credentials::revoked_ms.is_null())
        .set((
            credentials::revoked_ms.eq(now_ms),
            credentials::revoke_reason.eq(Reason::ForcedOut as i16),
        ))
        .returning(credentials::id)
        .get_results::<String>(conn)?;
    for id in &ids {
        let id = CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id"))?;
        notes.revoke(Topic::Credential(id), Reason::ForcedOut);
    }
    Ok(ids.len() as u64)
}

fn remove_workers(conn: &mut Connection, notes: &mut Notes) -> Result<u64, Fault> {
    let ids = diesel::delete(workers::table.filter(workers::bundled.eq(false)))
        .returning(workers::id)
        .get_results::<String>(conn)?;
    for id in &ids {
        let id = WorkerId::parse(id).map_err(|_| Fault::Row("workers.id"))?;
        notes.revoke(Topic::Worker(id), Reason::Deregistered);
    }
    Ok(ids.len() as u64)
}
