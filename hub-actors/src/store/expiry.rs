//! What ends by itself: credentials, which others stand with, and codes, which nobody does.
//!
//! A credential may be moved on at any moment, so its end is judged inside the transaction that
//! writes it down, and it is written down once for each end that it had.

use std::collections::BTreeSet;

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::CredentialId;

use super::{
    Connection,
    ledger::{self, Reason},
    tables::{
        authorisations, credentials, device_logins, invitations, link_intents, mail_codes,
        oauth_states, refresh_tokens, registration_keys,
    },
};
use crate::{error::Fault, topic::Topic};

/// Credentials that one transaction ends.
pub(crate) const SWEEP_MAX: i64 = 500;

/// Writes into the ledger what has expired, and ends what was made by it. How many they were. To be
/// called inside [`super::Store::write`].
pub(crate) fn sweep(conn: &mut Connection, now_ms: i64) -> Result<usize, Fault> {
    let unswept = credentials::swept_ms
        .is_null()
        .or(credentials::swept_ms.lt(credentials::expires_ms));
    let expired = credentials::table
        .filter(credentials::expires_ms.le(now_ms))
        .filter(credentials::revoked_ms.is_null())
        .filter(unswept)
        .order(credentials::id.asc())
        .limit(SWEEP_MAX)
        .select(credentials::id)
        .load::<String>(conn)?;
    end(conn, &expired, now_ms)?;
    Ok(expired.len())
}

/// The same for one of which somebody was told that it has expired; `false` where it is live. One
/// that is not there any more leaves an entry too.
pub(crate) fn end_one(
    conn: &mut Connection,
    id: &CredentialId,
    now_ms: i64,
) -> Result<bool, Fault> {
    type Row = (Option<i64>, Option<i64>, Option<i64>);
    let row = credentials::table
        .find(id.as_str())
        .select((
            credentials::expires_ms,
            credentials::revoked_ms,
            credentials::swept_ms,
        ))
        .first::<Row>(conn)
        .optional()?;
    match row {
        Some((_, Some(_), _)) => Ok(true),
        Some((None, ..)) => Ok(false),
        Some((Some(expires_ms), ..)) if expires_ms > now_ms => Ok(false),
        Some((expires_ms, _, swept_ms)) if swept_ms >= expires_ms => Ok(true),
        Some(_) | None => {
            end(conn, &[id.as_str().to_owned()], now_ms)?;
            Ok(true)
        }
    }
}

/// Ends these, and revokes whatever was traded for them or made by them.
fn end(conn: &mut Connection, expired: &[String], now_ms: i64) -> Result<(), Fault> {
    if expired.is_empty() {
        return Ok(());
    }
    diesel::update(credentials::table.filter(credentials::id.eq_any(expired)))
        .set(credentials::swept_ms.eq(credentials::expires_ms))
        .execute(conn)?;
    let mut ended: BTreeSet<String> = expired.iter().cloned().collect();
    let mut parents = expired.to_vec();
    while !parents.is_empty() {
        parents = diesel::update(credentials::table)
            .filter(credentials::parent_id.eq_any(&parents))
            .filter(credentials::revoked_ms.is_null())
            .set((
                credentials::revoked_ms.eq(now_ms),
                credentials::revoke_reason.eq(Reason::Expired as i16),
            ))
            .returning(credentials::id)
            .get_results::<String>(conn)?;
        ended.extend(parents.iter().cloned());
    }
    let topic = |id: &String| match CredentialId::parse(id) {
        Ok(id) => Ok((Topic::Credential(id), Reason::Expired)),
        Err(_) => Err(Fault::Row("credentials.id")),
    };
    let ended = ended.iter().map(topic).collect::<Result<Vec<_>, _>>()?;
    ledger::append_all(conn, &ended, now_ms)?;
    Ok(())
}

/// Forgets what is good for nothing any more and what nothing stands with.
pub(crate) fn forget(conn: &mut Connection, now_ms: i64) -> Result<usize, Fault> {
    macro_rules! expired {
        ($table:ident) => {
            diesel::delete($table::table.filter($table::expires_ms.le(now_ms))).execute(conn)?
        };
    }
    let codes = expired!(mail_codes)
        + expired!(oauth_states)
        + expired!(device_logins)
        + expired!(authorisations)
        + expired!(link_intents)
        + expired!(invitations)
        + expired!(refresh_tokens)
        + expired!(registration_keys);
    Ok(codes + super::credentials::forget_expired(conn, now_ms)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        caller::Caller,
        store::{
            both::{Sandbox, on_both},
            cast,
            credentials::{self, Kind, NewCredential},
        },
    };

    on_both! {
        an_end_is_written_down_once_and_ends_what_was_made_by_it,
        one_that_was_moved_on_is_live_and_its_next_end_counts_again,
        one_that_is_not_there_any_more_leaves_an_entry,
    }

    async fn credential(
        sandbox: &Sandbox,
        of: &Caller,
        id: &'static str,
        kind: Kind,
        parent: Option<&'static str>,
        expires_ms: i64,
    ) {
        let user = of.user.clone();
        let made = cast::ask(sandbox, move |conn| {
            let parse = |id| CredentialId::parse(id).unwrap();
            let parent = parent.map(parse);
            let new = NewCredential {
                id: &parse(id),
                user: &user,
                kind,
                parent: parent.as_ref(),
                hash: None,
                expires_ms: Some(expires_ms),
            };
            credentials::insert(conn, &new, 1)
        });
        made.await;
    }

    async fn swept(sandbox: &Sandbox, now_ms: i64) -> usize {
        let swept = sandbox
            .store
            .write(move |conn| sweep(conn, now_ms).map(Ok::<_, ()>));
        swept.await.unwrap().unwrap()
    }

    async fn ended(sandbox: &Sandbox, id: &'static str, now_ms: i64) -> bool {
        let id = CredentialId::parse(id).unwrap();
        let ended = sandbox
            .store
            .write(move |conn| end_one(conn, &id, now_ms).map(Ok::<_, ()>));
        ended.await.unwrap().unwrap()
    }

    /// The topics in the ledger, in order, all for one reason.
    async fn entries(sandbox: &Sandbox) -> Vec<String> {
        let entries = cast::ask(sandbox, |conn| ledger::read_after(conn, 0, 100)).await;
        assert!(entries.iter().all(|entry| entry.reason == Reason::Expired));
        entries
            .iter()
            .map(|entry| entry.topic.to_string())
            .collect()
    }

    async fn an_end_is_written_down_once_and_ends_what_was_made_by_it(sandbox: &Sandbox) {
        let ann = cast::person(sandbox, "ann").await;
        credential(sandbox, &ann, "a", Kind::Login, None, 50).await;
        credential(sandbox, &ann, "b", Kind::Delegation, Some("a"), 90).await;
        credential(sandbox, &ann, "c", Kind::Delegation, Some("b"), 90).await;
        credential(sandbox, &ann, "d", Kind::Login, None, 51).await;
        assert_eq!(swept(sandbox, 49).await, 0);
        assert!(!ended(sandbox, "a", 49).await);
        assert_eq!(swept(sandbox, 50).await, 1);
        assert_eq!(entries(sandbox).await, ["a", "b", "c"]);
        assert_eq!(swept(sandbox, 50).await, 0);
        assert!(ended(sandbox, "a", 50).await && ended(sandbox, "b", 50).await);
        assert_eq!(entries(sandbox).await.len(), 3);
        assert!(ended(sandbox, "d", 51).await);
        assert_eq!(swept(sandbox, 60).await, 0);
        assert_eq!(entries(sandbox).await.len(), 4);
    }

    async fn one_that_was_moved_on_is_live_and_its_next_end_counts_again(sandbox: &Sandbox) {
        let ann = cast::person(sandbox, "ann").await;
        credential(sandbox, &ann, "api", Kind::Api, None, 50).await;
        assert_eq!(swept(sandbox, 60).await, 1);
        cast::ask(sandbox, |conn| {
            let moved = diesel::update(credentials_table().find("api"));
            Ok(moved
                .set(super::credentials::expires_ms.eq(100))
                .execute(conn)?)
        })
        .await;
        assert_eq!(swept(sandbox, 99).await, 0);
        assert!(!ended(sandbox, "api", 99).await);
        assert_eq!(swept(sandbox, 100).await, 1);
        assert_eq!(entries(sandbox).await, ["api", "api"]);
    }

    async fn one_that_is_not_there_any_more_leaves_an_entry(sandbox: &Sandbox) {
        assert!(ended(sandbox, "gone", 1).await);
        assert_eq!(entries(sandbox).await, ["gone"]);
        let forgotten = cast::ask(sandbox, |conn| forget(conn, 1)).await;
        assert_eq!(forgotten, 0);
    }

    fn credentials_table() -> super::credentials::table {
        super::credentials::table
    }
}
