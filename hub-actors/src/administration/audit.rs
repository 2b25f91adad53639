//! The audit log.

use std::time::Duration;

use schema::wire;

use super::limit;
use crate::{
    asked::Asked,
    clock,
    error::Refusal,
    operator::{AuditSearch, audit},
    store::audit::{self as log, Entry},
};

pub(crate) async fn list_audit(
    asked: &Asked,
    request: wire::ListAuditRequest,
) -> Result<wire::ListAuditResponse, Refusal> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let search = AuditSearch {
        action: given(request.action),
        actor: given(request.actor_id),
        object: given(request.object_id),
        organisation: given(request.organisation_id),
        before: Some(request.before).filter(|before| *before > 0),
        limit: i64::try_from(limit(request.limit)).unwrap_or(i64::MAX),
    };
    let read = asked
        .state
        .store
        .run(move |conn| log::read_before(conn, &search.as_search(), search.limit));
    Ok(wire::ListAuditResponse {
        entries: read.await?.into_iter().map(entry).collect(),
    })
}

fn entry(entry: Entry) -> wire::AuditEntry {
    wire::AuditEntry {
        seq: entry.seq,
        at_unix_ms: entry.at_ms,
        actor_kind: entry.actor_kind,
        actor_id: entry.actor_id,
        address: entry.address,
        action: entry.action,
        object_kind: entry.object_kind,
        object_id: entry.object_id,
        organisation_id: entry.organisation_id.unwrap_or_default(),
        detail: entry.detail,
        hash: entry.hash.into(),
    }
}

/// Shorter than a call may take.
const WALK: Duration = Duration::from_secs(15);

/// Walks the chain for as long as a page waits; the operator's command has more time.
pub(crate) async fn verify_audit(
    asked: &Asked,
    _: wire::VerifyAuditRequest,
) -> Result<wire::VerifyAuditResponse, Refusal> {
    let begun = clock::now();
    let go_on = || clock::now().saturating_duration_since(begun) < WALK;
    let verified = audit::verify(&asked.state.store, None, go_on).await?;
    Ok(match verified {
        Ok(verified) => wire::VerifyAuditResponse {
            intact: verified.intact,
            entries: verified.entries,
            head: log::from_hex(&verified.head).unwrap_or_default().into(),
            problem: verified.problem.unwrap_or_default(),
        },
        Err(entries) => wire::VerifyAuditResponse {
            problem: "it is too long to be walked here: run `leapmux admin audit verify`"
                .to_owned(),
            entries,
            ..wire::VerifyAuditResponse::default()
        },
    })
}
