//! The ledger: every revocation, without gaps and in the order of commits.
//!
//! A sequence of the database would hand out numbers before commits, so that whoever reads up to
//! 8 may see 7 appear afterwards. Here the number is one row that a transaction takes last and
//! holds until it commits: a reader that has seen `n` has seen all up to `n`.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};

use super::{
    Connection,
    tables::{ledger, ledger_counter},
};
use crate::{error::Fault, topic::Topic};

/// Why; `ledger.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// Its holder signed out.
    SignedOut = 1,
    /// Its holder, or who may, took it back.
    Revoked = 2,
    /// The password was changed.
    PasswordChanged = 3,
    /// The account is gone.
    AccountDeleted = 4,
    /// The account may not be used.
    AccountDisabled = 5,
    /// An administrator ended all logins.
    ForcedOut = 6,
    /// A refresh token was used twice.
    TokenReused = 7,
    /// A share was taken back.
    ShareWithdrawn = 8,
    /// A role became less.
    RoleLowered = 9,
    /// A member left or was removed.
    MemberRemoved = 10,
    /// A Worker was deregistered.
    Deregistered = 11,
    /// A Worker or workspace has another owner.
    Transferred = 12,
    /// A workspace was deleted.
    WorkspaceDeleted = 13,
    /// An organisation was deleted.
    OrganisationDeleted = 14,
    /// Its time was up.
    Expired = 15,
}

impl Reason {
    /// Every one, in the order of their numbers.
    pub(crate) const ALL: [Self; 15] = [
        Self::SignedOut,
        Self::Revoked,
        Self::PasswordChanged,
        Self::AccountDeleted,
        Self::AccountDisabled,
        Self::ForcedOut,
        Self::TokenReused,
        Self::ShareWithdrawn,
        Self::RoleLowered,
        Self::MemberRemoved,
        Self::Deregistered,
        Self::Transferred,
        Self::WorkspaceDeleted,
        Self::OrganisationDeleted,
        Self::Expired,
    ];

    /// The word in metrics and logs.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::PasswordChanged => "password_changed",
            Self::AccountDeleted => "account_deleted",
            Self::AccountDisabled => "account_disabled",
            Self::ForcedOut => "forced_out",
            Self::TokenReused => "token_reused",
            Self::ShareWithdrawn => "share_withdrawn",
            Self::RoleLowered => "role_lowered",
            Self::MemberRemoved => "member_removed",
            Self::Deregistered => "deregistered",
            Self::Transferred => "transferred",
            Self::WorkspaceDeleted => "workspace_deleted",
            Self::OrganisationDeleted => "organisation_deleted",
            Self::Expired => "expired",
        }
    }

    fn read(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|why| *why as i16 == number)
    }
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// 1 and up, without gaps.
    pub(crate) seq: i64,
    pub(crate) topic: Topic,
    pub(crate) reason: Reason,
    pub(crate) at_ms: i64,
}

/// Writes these down, in their order; the number of the last, if there is one. To be called inside
/// [`super::Store::write`], after everything else.
pub(crate) fn append_all(
    conn: &mut Connection,
    revoked: &[(Topic, Reason)],
    now_ms: i64,
) -> Result<Option<i64>, Fault> {
    let count = i64::try_from(revoked.len()).map_err(|_| Fault::Row("ledger.seq"))?;
    if count == 0 {
        return Ok(None);
    }
    let newest = diesel::update(ledger_counter::table)
        .set(ledger_counter::last.eq(ledger_counter::last + count))
        .returning(ledger_counter::last)
        .get_result::<i64>(conn)?;
    // One by one: a connection that is of either database inserts no more at once.
    for (seq, (topic, reason)) in (newest - count + 1..).zip(revoked) {
        diesel::insert_into(ledger::table)
            .values((
                ledger::seq.eq(seq),
                ledger::kind.eq(topic.kind() as i16),
                ledger::subject_id.eq(topic.to_string()),
                ledger::reason.eq(*reason as i16),
                ledger::at_ms.eq(now_ms),
            ))
            .execute(conn)?;
    }
    Ok(Some(newest))
}

/// The number of the newest entry; 0 when there is none yet.
pub(crate) fn last(conn: &mut Connection) -> Result<i64, Fault> {
    let last = ledger_counter::table.select(ledger_counter::last);
    Ok(last.first(conn)?)
}

/// At most `limit` of those behind `seq`, in order. One that is missing in between was pruned.
pub(crate) fn read_after(conn: &mut Connection, seq: i64, limit: i64) -> Result<Vec<Entry>, Fault> {
    type Row = (i64, i16, String, i16, i64);
    let rows = ledger::table
        .filter(ledger::seq.gt(seq))
        .order(ledger::seq.asc())
        .limit(limit)
        .load::<Row>(conn)?;
    let entry = |(seq, kind, subject, reason, at_ms): Row| {
        Ok(Entry {
            seq,
            topic: Topic::read(kind, &subject).ok_or(Fault::Row("ledger.subject_id"))?,
            reason: Reason::read(reason).ok_or(Fault::Row("ledger.reason"))?,
            at_ms,
        })
    };
    rows.into_iter().map(entry).collect()
}

/// What a reader finds that has come up to some number.
#[derive(Debug)]
pub(crate) struct Page {
    /// The newest number, before the entries were read.
    pub(crate) last: i64,
    /// In order.
    pub(crate) entries: Vec<Entry>,
}

/// The next page of somebody who reads all of it.
pub(crate) fn page(conn: &mut Connection, seq: i64, limit: i64) -> Result<Page, Fault> {
    // First: what it counts is there when the entries are read, unless it was pruned.
    let last = last(conn)?;
    let entries = read_after(conn, seq, limit)?;
    Ok(Page { last, entries })
}

/// Whether any of these topics was revoked behind `seq`.
pub(crate) fn touches(
    conn: &mut Connection,
    seq: i64,
    topics: &BTreeSet<Topic>,
) -> Result<bool, Fault> {
    let behind = ledger::table
        .filter(ledger::seq.gt(seq))
        .select((ledger::kind, ledger::subject_id))
        .load::<(i16, String)>(conn)?;
    let mut behind = behind.iter();
    Ok(behind.any(|(kind, subject)| {
        // What cannot be read may be anything.
        Topic::read(*kind, subject).is_none_or(|topic| topics.contains(&topic))
    }))
}

/// Forgets what nobody needs any more: entries from before `until_ms`. Numbers go on from where
/// they are.
pub(crate) fn prune(conn: &mut Connection, until_ms: i64) -> Result<usize, Fault> {
    Ok(diesel::delete(ledger::table.filter(ledger::at_ms.lt(until_ms))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::both::{Sandbox, on_both};

    on_both! {
        eight_writers_leave_no_gap_and_no_order_but_that_of_commits,
        what_is_written_is_read_in_pages,
        numbers_go_on_behind_what_was_pruned,
        many_are_written_in_their_order_and_none_is_none,
    }

    fn append(conn: &mut Connection, topic: &Topic) -> Result<i64, Fault> {
        let one = [(topic.clone(), Reason::Revoked)];
        Ok(append_all(conn, &one, 7)?.unwrap())
    }

    async fn many_are_written_in_their_order_and_none_is_none(sandbox: &Sandbox) {
        add(sandbox, "first").await;
        let all: Vec<_> = (0..70)
            .map(|number| (credential(&format!("c{number}")), Reason::ForcedOut))
            .collect();
        let (written, many) = (all.clone(), i64::try_from(all.len()).unwrap());
        let newest = sandbox.store.write(move |conn| {
            assert_eq!(append_all(conn, &[], 7)?, None);
            append_all(conn, &written, 7).map(Ok::<_, ()>)
        });
        assert_eq!(newest.await.unwrap().unwrap(), Some(many + 1));
        let read = sandbox
            .store
            .run(move |conn| read_after(conn, 1, many + 1))
            .await
            .unwrap();
        let expected = (2..).zip(&all).map(|(seq, (topic, reason))| Entry {
            seq,
            topic: topic.clone(),
            reason: *reason,
            at_ms: 7,
        });
        assert_eq!(read, expected.collect::<Vec<_>>());
        assert_eq!(sandbox.store.run(last).await.unwrap(), many + 1);
    }

    fn credential(id: &str) -> Topic {
        Topic::Credential(schema::ids::CredentialId::parse(id).unwrap())
    }

    async fn add(sandbox: &Sandbox, subject: &'static str) -> i64 {
        let added = sandbox
            .store
            .write(move |conn| append(conn, &credential(subject)).map(Ok::<_, ()>));
        added.await.unwrap().unwrap()
    }

    /// Each of eight Hubs writes what it can; every third transaction is undone after it took its
    /// number. A reader follows meanwhile and must never be surprised by what it has passed.
    async fn eight_writers_leave_no_gap_and_no_order_but_that_of_commits(sandbox: &Sandbox) {
        const EACH: usize = 30;
        let writers = (0..8).map(|_| async {
            let store = sandbox.again().await;
            let mut kept = 0;
            for round in 0..EACH {
                let done = store.write(move |conn| {
                    append(conn, &credential("c"))?;
                    Ok(if round % 3 == 2 { Err(()) } else { Ok(()) })
                });
                kept += i64::from(done.await.unwrap().is_ok());
            }
            kept
        });
        let reader = async {
            let mut seen = 0;
            loop {
                let page = sandbox.store.run(move |conn| read_after(conn, seen, 100));
                for entry in page.await.unwrap() {
                    assert_eq!(entry.seq, seen + 1);
                    seen = entry.seq;
                }
                if seen == 160 {
                    break seen;
                }
            }
        };
        let writers = futures_util::future::join_all(writers);
        let both = futures_util::future::join(writers, reader);
        let both = tokio::time::timeout(std::time::Duration::from_secs(120), both);
        let (kept, seen) = both.await.expect("160 entries turn up");
        assert_eq!(kept.iter().sum::<i64>(), 160);
        assert_eq!(seen, 160);
        assert_eq!(sandbox.store.run(last).await.unwrap(), 160);
    }

    async fn what_is_written_is_read_in_pages(sandbox: &Sandbox) {
        for subject in ["a", "b", "c"] {
            add(sandbox, subject).await;
        }
        let page = sandbox.store.run(|conn| read_after(conn, 1, 1));
        let entry = Entry {
            seq: 2,
            topic: credential("b"),
            reason: Reason::Revoked,
            at_ms: 7,
        };
        assert_eq!(page.await.unwrap(), [entry]);
    }

    async fn numbers_go_on_behind_what_was_pruned(sandbox: &Sandbox) {
        assert_eq!(add(sandbox, "a").await, 1);
        let pruned = sandbox.store.run(|conn| prune(conn, 8));
        assert_eq!(pruned.await.unwrap(), 1);
        assert_eq!(add(sandbox, "b").await, 2);
    }

    #[test]
    fn every_number_is_read_as_what_was_written() {
        for reason in Reason::ALL {
            assert_eq!(Reason::read(reason as i16), Some(reason));
        }
        assert_eq!(Reason::read(16), None);
    }
}
