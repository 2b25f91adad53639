//! Workers and registration keys.

use schema::{ids::WorkerId, wire};

use super::{limit, page, rows};
use crate::{
    asked::Asked,
    clock,
    error::Refusal,
    operator::{RegistrationKeyAccount, WorkerAccount, registration_keys, workers},
    state::State,
    workers::departing,
};

pub(crate) async fn list_all_workers(
    asked: &Asked,
    request: wire::ListAllWorkersRequest,
) -> Result<wire::ListAllWorkersResponse, Refusal> {
    let limit = limit(request.limit);
    let listed = asked
        .state
        .store
        .run(move |conn| workers::list(conn, None, &request.after, rows(limit)));
    let (listed, next_after) = page(listed.await?, limit, |one| &one.worker_id);
    let me = asked.caller()?.user.as_str();
    let workers = listed
        .into_iter()
        .map(|one| describe(&asked.state, me, one));
    Ok(wire::ListAllWorkersResponse {
        workers: workers.collect(),
        next_after,
    })
}

fn describe(state: &State, me: &str, one: WorkerAccount) -> wire::Worker {
    let live = WorkerId::parse(&one.worker_id).ok();
    let live = live.and_then(|id| state.presence.get(&id));
    wire::Worker {
        worker_id: one.worker_id,
        name: one.name,
        online: live.is_some(),
        encryption_mode: live
            .as_ref()
            .map_or_else(|| one.encryption_mode.number(), |live| live.encryption_mode),
        last_seen_unix_ms: one.last_seen_unix_ms,
        bundled: one.bundled,
        version: live.map_or(one.version, |live| live.version),
        registered_unix_ms: one.registered_unix_ms,
        organisation_id: one.organisation_id,
        owned: one.owner_user_id == me,
        owner_user_id: one.owner_user_id,
        owner_username: one.owner,
        deregistering: one.deregistering,
        // An admin of the Hub may not see into workspaces.
        workspace_ids: Vec::new(),
    }
}

pub(crate) async fn force_deregister_worker(
    asked: &Asked,
    request: wire::ForceDeregisterWorkerRequest,
) -> Result<wire::ForceDeregisterWorkerResponse, Refusal> {
    let state = &asked.state;
    let id = WorkerId::parse(&request.worker_id).map_err(|_| Refusal::NotFound)?;
    let departures = state.departures.subscribe();
    let online = state.presence.get(&id).is_some();
    let worker = id.clone();
    let done = state.order(asked.author(), move |conn, notes| {
        departing::send_away(conn, notes, &worker)
    });
    done.await?;
    let confirmed = online && departing::is_gone_soon(state, &id, departures).await?;
    Ok(wire::ForceDeregisterWorkerResponse { confirmed })
}

pub(crate) async fn list_registration_keys(
    asked: &Asked,
    _: wire::ListRegistrationKeysRequest,
) -> Result<wire::ListRegistrationKeysResponse, Refusal> {
    let keys = asked
        .state
        .store
        .run(|conn| registration_keys::list(conn, clock::unix_ms()));
    Ok(wire::ListRegistrationKeysResponse {
        keys: keys.await?.into_iter().map(key).collect(),
    })
}

fn key(one: RegistrationKeyAccount) -> wire::RegistrationKeyAccount {
    wire::RegistrationKeyAccount {
        key_id: one.key_id,
        user_id: one.user_id,
        username: one.username,
        worker_name: one.worker_name,
        expires_unix_ms: one.expires_unix_ms,
    }
}

pub(crate) async fn revoke_registration_key_by_id(
    asked: &Asked,
    request: wire::RevokeRegistrationKeyByIdRequest,
) -> Result<wire::RevokeRegistrationKeyByIdResponse, Refusal> {
    let revoked = asked.state.order(asked.author(), move |conn, notes| {
        registration_keys::revoke(conn, notes, &request.key_id)
    });
    revoked.await?;
    Ok(wire::RevokeRegistrationKeyByIdResponse {})
}
