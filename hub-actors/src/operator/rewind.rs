//! A database that comes back is of another day. Whatever was revoked, used or replaced since would be
//! good again: nothing of it is.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};

use super::{Operator, OperatorError, sessions};
use crate::{
    clock,
    error::Fault,
    notes::Notes,
    store::{
        Connection,
        audit::Object,
        credentials::{self, Kind},
        ledger::Reason,
        tables::invitations,
    },
    topic::Topic,
};

/// Ends what a database of another day would bring back to life; how many logins and tokens.
///
/// The data folder's access token among them: the next start takes what the file says, or makes one.
pub(super) fn end(conn: &mut Connection, notes: &mut Notes, now_ms: i64) -> Result<u32, Fault> {
    let ended = sessions::end_all(conn, notes, Reason::ForcedOut, now_ms)?;
    if let Some((token, _)) = credentials::find_sole(conn, Kind::AccessToken)? {
        for id in credentials::revoke(conn, &token.id, now_ms)? {
            notes.revoke(Topic::Credential(id), Reason::ForcedOut);
        }
    }
    let links = invitations::table.filter(invitations::secret_hash.is_not_null());
    diesel::delete(links).execute(conn)?;
    Ok(ended)
}

impl Operator {
    /// Does to a database that was restored by other means what a restore of ours does; how many logins
    /// and tokens were ended.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; keys that are not those of the database are one.
    pub async fn restored(&self) -> Result<u32, OperatorError> {
        self.keyring().await?;
        self.order(|conn, notes| {
            let ended = end(conn, notes, clock::unix_ms())?;
            notes.audit("database.restored", Object::Database, "");
            Ok(Ok(ended))
        })
        .await
    }
}
