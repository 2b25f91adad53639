//! What was begun for somebody and waits outside: codes in mailboxes, logins of the command line that
//! were agreed to, ways to a provider, keys for Workers. Each would let somebody in later, so it ends
//! with whatever was let in already.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::UserId;

use super::{
    Connection,
    tables::{
        authorisations, credentials, device_logins, link_intents, mail_codes, oauth_states,
        registration_keys,
    },
};
use crate::error::Fault;

/// Forgets all of it that is one user's.
pub(crate) fn forget(conn: &mut Connection, user: &UserId) -> Result<(), Fault> {
    macro_rules! of_user {
        ($($table:ident),+) => {
            $(diesel::delete($table::table.filter($table::user_id.eq(user.as_str())))
                .execute(conn)?;)+
        };
    }
    of_user!(
        mail_codes,
        device_logins,
        authorisations,
        oauth_states,
        registration_keys
    );
    let theirs = credentials::table
        .filter(credentials::user_id.eq(user.as_str()))
        .select(credentials::id)
        .load::<String>(conn)?;
    let intents = link_intents::table.filter(link_intents::credential_id.eq_any(theirs));
    diesel::delete(intents).execute(conn)?;
    Ok(())
}

/// Forgets all of it that is anybody's.
pub(crate) fn forget_everybodys(conn: &mut Connection) -> Result<(), Fault> {
    macro_rules! all {
        ($($table:ident),+) => {
            $(diesel::delete($table::table).execute(conn)?;)+
        };
    }
    all!(
        mail_codes,
        device_logins,
        authorisations,
        oauth_states,
        registration_keys,
        link_intents
    );
    Ok(())
}
