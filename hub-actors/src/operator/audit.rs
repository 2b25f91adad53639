//! The audit log: looking, proving, exporting.

use serde::Serialize;

use super::{Operator, OperatorError};
use crate::{
    error::Fault,
    store::{
        Store,
        audit::{self, Head, Search, Walk},
    },
};

/// One entry of the audit log. Exported as it stands here, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// 1 and up, without gaps.
    pub seq: i64,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: i64,
    /// `user`, `worker`, `operator`, `hub` or `anonymous`.
    pub actor_kind: String,
    /// A user's or Worker's id, or the operating system's name of an operator.
    pub actor_id: String,
    /// Where from; empty for nowhere.
    pub address: String,
    /// What was done, like `user.created`.
    pub action: String,
    /// To what kind of thing.
    pub object_kind: String,
    /// To which.
    pub object_id: String,
    /// In which organisation.
    pub organisation_id: Option<String>,
    /// A word about it.
    pub detail: String,
    /// The hash of the entry before, in hex.
    pub previous_hash: String,
    /// BLAKE2b-256 over that and all that stands above, in hex.
    pub hash: String,
}

impl From<audit::Entry> for AuditEntry {
    fn from(entry: audit::Entry) -> Self {
        Self {
            seq: entry.seq,
            at_unix_ms: entry.at_ms,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id,
            address: entry.address,
            action: entry.action,
            object_kind: entry.object_kind,
            object_id: entry.object_id,
            organisation_id: entry.organisation_id,
            detail: entry.detail,
            previous_hash: audit::hex(&entry.previous_hash),
            hash: audit::hex(&entry.hash),
        }
    }
}

/// Which entries to show.
#[derive(Debug, Clone, Default)]
pub struct AuditSearch {
    /// Only those whose action begins with this.
    pub action: Option<String>,
    /// Only what this one did, by id.
    pub actor: Option<String>,
    /// Only what was done to this one, by id.
    pub object: Option<String>,
    /// Only those of one organisation, by id.
    pub organisation: Option<String>,
    /// Only those with a lower number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

impl AuditSearch {
    /// The question to the database.
    pub(crate) fn as_search(&self) -> Search<'_> {
        Search {
            action: self.action.as_deref(),
            actor: self.actor.as_deref(),
            object: self.object.as_deref(),
            organisation: self.organisation.as_deref(),
            before: self.before,
        }
    }
}

/// What came of walking the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Nothing was found to be wrong.
    pub intact: bool,
    /// The number of the newest entry that is as it was written.
    pub entries: i64,
    /// That entry's hash, in hex: with its number the head to keep elsewhere.
    pub head: String,
    /// What is wrong.
    pub problem: Option<String>,
}

/// A head from before: `SEQ:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead(Head);

impl std::str::FromStr for KnownHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str =
            "a head is what `audit verify` printed: a number, a colon, 64 hex digits";
        let (seq, hash) = text.split_once(':').ok_or(SHAPE)?;
        let seq = seq.parse::<i64>().map_err(|_| SHAPE)?;
        let hash = audit::from_hex(hash).ok_or(SHAPE)?;
        if seq < 0 || hash.len() != 32 {
            return Err(SHAPE);
        }
        Ok(Self(Head { seq, hash }))
    }
}

/// Walks the chain, page by page, for as long as `go_on` says so. `None` where it said no.
pub(crate) async fn verify(
    store: &Store,
    known: Option<Head>,
    mut go_on: impl FnMut() -> bool,
) -> Result<Result<Verified, i64>, Fault> {
    let mut walk = Walk::new(known);
    loop {
        let (stepped, went) = store
            .run(move |conn| {
                let went = walk.step(conn)?;
                Ok((walk, went))
            })
            .await?;
        walk = stepped;
        if let Some(end) = went {
            let at = walk.head();
            return Ok(Ok(Verified {
                intact: end.is_ok(),
                entries: at.seq,
                head: audit::hex(&at.hash),
                problem: end.err().map(|broken| broken.to_string()),
            }));
        }
        if !go_on() {
            return Ok(Err(walk.head().seq));
        }
    }
}

impl Operator {
    /// The newest entries that fit, newest first.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn audit(&self, search: AuditSearch) -> Result<Vec<AuditEntry>, OperatorError> {
        let read =
            self.ask(move |conn| audit::read_before(conn, &search.as_search(), search.limit));
        Ok(read.await?.into_iter().map(AuditEntry::from).collect())
    }

    /// At most a thousand entries behind `seq`, oldest first: what an export walks through.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn audit_after(&self, seq: i64) -> Result<Vec<AuditEntry>, OperatorError> {
        let read =
            self.ask(move |conn| audit::read_after(conn, &audit::Filter::default(), seq, 1_000));
        Ok(read.await?.into_iter().map(AuditEntry::from).collect())
    }

    /// Walks the whole chain; `known` is a head from before that has to be in it.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn verify_audit(&self, known: Option<KnownHead>) -> Result<Verified, OperatorError> {
        match verify(&self.store, known.map(|known| known.0), || true).await? {
            Ok(verified) => Ok(verified),
            Err(_) => Err(Fault::Task.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_printed() {
        let text = format!("7:{}", "0f".repeat(32));
        let head = text.parse::<KnownHead>().unwrap();
        assert_eq!((head.0.seq, head.0.hash), (7, vec![0x0f; 32]));
        for bad in [
            "",
            "7",
            "7:",
            "x:00",
            "-1:00",
            &format!("7:{}", "0g".repeat(32)),
        ] {
            assert!(bad.parse::<KnownHead>().is_err(), "{bad}");
        }
    }
}
