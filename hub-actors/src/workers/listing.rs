//! What is said of Workers, and to whom.

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkerId},
    wire::{
        self, GetHandshakeParametersRequest, GetHandshakeParametersResponse, ListWorkersRequest,
        ListWorkersResponse,
    },
};

use crate::{
    asked::Asked,
    caller::Caller,
    error::{Fault, Field, Refusal},
    state::State,
    store::{
        Connection, access,
        workers::{self, Seen, Worker},
    },
};

/// The caller's Workers, those that host workspaces shared with the caller, and those of organisations
/// that the caller looks after, by name.
pub(crate) async fn list(
    asked: &Asked,
    _: ListWorkersRequest,
) -> Result<ListWorkersResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let user = caller.user.clone();
    let seen = state
        .store
        .run(move |conn| seen_by(conn, &caller, None))
        .await?;
    let workers = seen.into_iter().map(|seen| shown(state, &user, seen));
    Ok(ListWorkersResponse {
        workers: workers.collect(),
    })
}

fn shown(state: &State, user: &UserId, seen: Seen) -> wire::Worker {
    wire::Worker {
        owned: seen.worker.owner == *user,
        owner_username: seen.owner_username,
        workspace_ids: seen.workspaces,
        ..describe(state, &seen.worker)
    }
}

/// What a caller sees of one Worker now, if anything.
pub(crate) fn seen(
    conn: &mut Connection,
    state: &State,
    caller: &Caller,
    id: &WorkerId,
) -> Result<Option<wire::Worker>, Fault> {
    let mut found = seen_by(conn, caller, Some(id))?.into_iter();
    let found = found.find(|seen| seen.worker.id == *id);
    Ok(found.map(|seen| shown(state, &caller.user, seen)))
}

/// What a caller sees: a delegation its own Worker only, and of what that hosts its own workspace.
fn seen_by(
    conn: &mut Connection,
    caller: &Caller,
    only: Option<&WorkerId>,
) -> Result<Vec<Seen>, Fault> {
    let Some(bound) = &caller.binding else {
        return workers::seen_by(conn, &caller.user, only);
    };
    let mut seen = workers::seen_by(conn, &caller.user, Some(&bound.worker))?;
    for one in &mut seen {
        one.workspaces.retain(|id| id == bound.workspace.as_str());
    }
    Ok(seen)
}

/// What a Worker is right now: stored, and live where it is linked.
pub(crate) fn describe(state: &State, worker: &Worker) -> wire::Worker {
    let live = state.presence.get(&worker.id);
    wire::Worker {
        worker_id: worker.id.as_str().to_owned(),
        name: worker.name.clone(),
        online: live.is_some(),
        encryption_mode: live
            .as_ref()
            .map_or(worker.encryption_mode, |live| live.encryption_mode),
        last_seen_unix_ms: worker.last_seen_ms,
        bundled: worker.bundled,
        version: live.map_or_else(|| worker.version.clone(), |live| live.version),
        registered_unix_ms: worker.registered_ms,
        organisation_id: worker.organisation.as_str().to_owned(),
        owner_user_id: worker.owner.as_str().to_owned(),
        deregistering: worker.deregistering,
        ..wire::Worker::default()
    }
}

/// What a client compares with its pin before it begins a handshake: for whoever may route to the
/// Worker.
pub(crate) async fn handshake_parameters(
    asked: &Asked,
    request: GetHandshakeParametersRequest,
) -> Result<GetHandshakeParametersResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id =
        WorkerId::parse(&request.worker_id).map_err(|_| Refusal::Malformed(Field::WorkerId))?;
    if caller
        .binding
        .as_ref()
        .is_some_and(|bound| bound.worker != id)
    {
        return Err(Refusal::NotFound);
    }
    let found = state.store.run(move |conn| {
        if access::reach(conn, &caller.user, &id)?.is_none() {
            return Ok(None);
        }
        workers::find(conn, &id)
    });
    let worker = found.await?.ok_or(Refusal::NotFound)?;
    let live = describe(state, &worker);
    Ok(GetHandshakeParametersResponse {
        public_key: worker.public_key.into(),
        encryption_mode: live.encryption_mode,
        online: live.online,
        rotation_certificate: Bytes::new(),
        registration_id: worker.registration_id,
        registration_tag: worker.registration_tag.into(),
    })
}
