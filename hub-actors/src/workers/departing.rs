//! The end of a Worker. Its link and channels end at once; its row stays until the Worker has said
//! that it goes, so that one which is away meanwhile learns of it when it dials next.

use schema::{
    ids::WorkerId,
    wire::{
        DeregisterRequest, DeregisterResponse, DeregisterWorkerRequest, DeregisterWorkerResponse,
    },
};

use super::{Tie, changes::note, tie};
use crate::{
    asked::Asked,
    clock,
    config::ms,
    error::{Fault, Refusal, Unmet},
    notes::{About, Author, Notes},
    state::State,
    store::{
        Connection,
        audit::Actor,
        delegations,
        ledger::Reason,
        workers::{self, Worker},
    },
    token::Purpose,
    topic::Topic,
};

/// Asks a Worker to go, and waits a moment for its word. One that was asked before and has not come
/// is forgotten: its machine may be gone.
pub(crate) async fn deregister_worker(
    asked: &Asked,
    request: DeregisterWorkerRequest,
) -> Result<DeregisterWorkerResponse, Refusal> {
    let (state, user) = (&asked.state, asked.caller()?.user.clone());
    let id = WorkerId::parse(&request.worker_id).map_err(|_| Refusal::NotFound)?;
    let departures = state.departures.subscribe();
    let online = state.presence.get(&id).is_some();
    let worker = id.clone();
    let order = state.order(asked.author(), move |conn, notes| {
        let found = match tie(conn, &user, &worker)? {
            None => return Ok(Err(Refusal::NotFound)),
            Some((_, Tie::Viewer)) => return Ok(Err(Refusal::Forbidden)),
            Some((found, Tie::Owner | Tie::Admin)) => found,
        };
        Ok(send_away(conn, notes, &found.id)?.map(|()| found.deregistering))
    });
    let was_asked_before = order.await?;
    let confirmed = online && !was_asked_before && is_gone_soon(state, &id, departures).await?;
    Ok(DeregisterWorkerResponse { confirmed })
}

/// From now on nobody reaches it, and it is told as soon as it can be.
fn ask_to_go(conn: &mut Connection, notes: &mut Notes, worker: &Worker) -> Result<(), Fault> {
    let now_ms = clock::unix_ms();
    let viewers = workers::viewers(conn, worker)?;
    workers::ask_to_go(conn, &worker.id, now_ms)?;
    revoke_all(conn, notes, &worker.id, Reason::Deregistered, now_ms)?;
    note(notes, worker, "worker.deregistered");
    notes.tell(viewers, About::Worker(worker.id.clone()));
    Ok(())
}

/// Whatever stands with a Worker ends: its link, its channels, and what it has delegated.
pub(super) fn revoke_all(
    conn: &mut Connection,
    notes: &mut Notes,
    worker: &WorkerId,
    reason: Reason,
    now_ms: i64,
) -> Result<(), Fault> {
    for credential in delegations::revoke_of_worker(conn, worker, now_ms)? {
        notes.revoke(Topic::Credential(credential), reason);
    }
    notes.revoke(Topic::Worker(worker.clone()), reason);
    Ok(())
}

/// Forgets a Worker without its word: for one that never comes back. Whether it was there, and not
/// solo's own.
pub(crate) fn take_away(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &WorkerId,
) -> Result<Result<(), Refusal>, Fault> {
    let Some(worker) = workers::find(conn, id)? else {
        return Ok(Err(Refusal::NotFound));
    };
    if worker.bundled {
        return Ok(Err(Refusal::Unmet(Unmet::Bundled)));
    }
    if !worker.deregistering {
        ask_to_go(conn, notes, &worker)?;
    }
    forget(conn, notes, &worker)?;
    Ok(Ok(()))
}

/// It is asked to go, and one that was asked before and never came is forgotten.
pub(crate) fn send_away(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &WorkerId,
) -> Result<Result<(), Refusal>, Fault> {
    match workers::find(conn, id)? {
        None => Ok(Err(Refusal::NotFound)),
        Some(worker) if worker.bundled => Ok(Err(Refusal::Unmet(Unmet::Bundled))),
        Some(worker) if worker.deregistering => forget(conn, notes, &worker).map(Ok),
        Some(worker) => ask_to_go(conn, notes, &worker).map(Ok),
    }
}

fn forget(conn: &mut Connection, notes: &mut Notes, worker: &Worker) -> Result<(), Fault> {
    let viewers = workers::viewers(conn, worker)?;
    workers::delete(conn, &worker.id)?;
    note(notes, worker, "worker.forgotten");
    notes.tell(viewers, About::Worker(worker.id.clone()));
    Ok(())
}

/// The Worker's own word that it goes, asked to or not.
pub(crate) async fn deregister(
    asked: &Asked,
    _: DeregisterRequest,
) -> Result<DeregisterResponse, Refusal> {
    let state = &asked.state;
    let token = asked.bearer.as_ref().ok_or(Refusal::NotSignedIn)?;
    let token = state.pepper.hash(Purpose::WorkerToken, token.expose());
    let found = state
        .store
        .run_for_presenter(move |conn| workers::find_by_token(conn, token));
    let worker = found.await?.ok_or(Refusal::NotSignedIn)?;
    let author = Author {
        actor: Actor::Worker,
        id: worker.id.as_str().to_owned(),
        address: asked.from.address_text(),
    };
    let order = state.order(author, move |conn, notes| {
        take_away(conn, notes, &worker.id)
    });
    order.await?;
    state.departures.send_modify(|count| *count += 1);
    Ok(DeregisterResponse {})
}

/// Whether it says that it goes, within a moment.
pub(crate) async fn is_gone_soon(
    state: &State,
    id: &WorkerId,
    mut departures: tokio::sync::watch::Receiver<u64>,
) -> Result<bool, Fault> {
    let gone = async {
        loop {
            let id = id.clone();
            let found = state.store.run(move |conn| workers::find(conn, &id));
            if found.await?.is_none() {
                return Ok(true);
            }
            if departures.changed().await.is_err() {
                return Ok(false);
            }
        }
    };
    let longest = ms(state.config.timeouts.farewell_ms);
    tokio::time::timeout(longest, gone)
        .await
        .unwrap_or(Ok(false))
}
