//! From a key to a Worker.

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkerId},
    wire::{EncryptionMode, RegisterRequest, RegisterResponse},
};

use super::{
    fields::{named, public_key, registration_id, tag, version},
    keys::may_register,
    spent,
};
use crate::{
    abuse::Network,
    asked::Asked,
    clock,
    error::{Fault, Quota, Refusal},
    names,
    notes::About,
    state::State,
    store::{
        audit::Object,
        registration_keys, users,
        workers::{self, Worker},
    },
    telemetry::{self, KeyFate},
    token::{Purpose, SecretText},
};

/// Trades a registration key, exactly once, for an identity at this Hub.
pub(crate) async fn register(
    asked: &Asked,
    request: RegisterRequest,
) -> Result<RegisterResponse, Refusal> {
    let state = &asked.state;
    let id = registration_id(&request.registration_id)?;
    public_key(&request.public_key, request.encryption_mode)?;
    tag(&request.tag)?;
    version(&request.version)?;
    state
        .abuse
        .registration(Network::from(asked.from.address))?;
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let token = SecretText::from_random(Purpose::WorkerToken, clock::random()?);
    let token_hash = state.pepper.hash(Purpose::WorkerToken, token.expose());
    let worker_id = worker_id()?;
    let now_ms = clock::unix_ms();
    let quota = i64::from(state.config.quotas.workers_per_user);
    let defaults = state.config.organisations;
    // Whoever guesses does not get as far as the writer's lock.
    let is_known = state
        .store
        .run_for_stranger(move |conn| registration_keys::is_good(conn, hash, now_ms));
    if !is_known.await? {
        telemetry::registration_key(KeyFate::Refused);
        return Err(Refusal::NotFound);
    }
    let registered = state.order(asked.author(), move |conn, notes| {
        let Some(key) = registration_keys::take(conn, hash, now_ms)? else {
            return Ok(Err(Refusal::NotFound));
        };
        // A refusal gives the key back.
        if workers::count(conn, &key.user)? >= quota {
            return Ok(Err(spent(Quota::Workers)));
        }
        // Whoever made the key may not be let in any more.
        let Some(owner) = users::find_enabled(conn, &key.user)? else {
            return Ok(Err(Refusal::NotFound));
        };
        let organisation = key.organisation.clone().unwrap_or(owner.organisation);
        // Whoever made the key may have left meanwhile.
        if let Err(refusal) = may_register(conn, &owner.id, &organisation, &defaults)? {
            return Ok(Err(refusal));
        }
        let worker = Worker {
            id: worker_id.clone(),
            owner: owner.id,
            organisation,
            name: named(&key.worker_name),
            public_key: request.public_key.to_vec(),
            encryption_mode: request.encryption_mode,
            bundled: false,
            version: request.version.clone(),
            registered_ms: now_ms,
            last_seen_ms: 0,
            registration_id: request.registration_id.clone(),
            registration_tag: request.tag.to_vec(),
            deregistering: false,
        };
        workers::insert(conn, &worker, token_hash)?;
        let (place, id) = (Some(worker.organisation.as_str()), worker.id.as_str());
        notes.audit_in(place, "worker.registered", Object::Worker, id, "");
        notes.tell([worker.owner], About::Worker(worker.id.clone()));
        Ok(Ok((worker.id, key)))
    });
    let (worker_id, key) = registered.await.inspect_err(|_| {
        telemetry::registration_key(KeyFate::Refused);
    })?;
    telemetry::registration_key(KeyFate::Used);
    tracing::info!(worker = %worker_id, user = %key.user, "a Worker was registered");
    Ok(RegisterResponse {
        worker_id: worker_id.as_str().to_owned(),
        worker_token: token.expose().to_owned(),
        user_id: key.user.as_str().to_owned(),
        device_algorithm: u32::try_from(key.device_algorithm).unwrap_or_default(),
        device_key: key.device_key.into(),
        device_tag: key.device_tag.into(),
    })
}

/// The Worker that solo brings along: the same id for the same data folder, a new token at each
/// start, and the key that the Worker has now.
pub(crate) async fn register_bundled(
    state: &State,
    owner: UserId,
    key: Bytes,
) -> Result<(WorkerId, SecretText), Refusal> {
    public_key(&key, EncryptionMode::PostQuantum.into())?;
    let token = SecretText::from_random(Purpose::WorkerToken, clock::random()?);
    let hash = state.pepper.hash(Purpose::WorkerToken, token.expose());
    let new_id = worker_id()?;
    let now_ms = clock::unix_ms();
    let registered = state.store.write(move |conn| {
        if let Some(found) = workers::find_bundled(conn)? {
            workers::renew_bundled(conn, &found.id, &key, hash)?;
            return Ok(Ok::<_, Refusal>(found.id));
        }
        let owner = users::find(conn, &owner)?.ok_or(Fault::Row("users.id"))?;
        let worker = Worker {
            id: new_id.clone(),
            owner: owner.id,
            organisation: owner.organisation,
            name: "this machine".to_owned(),
            public_key: key.to_vec(),
            encryption_mode: EncryptionMode::Unspecified.into(),
            bundled: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            registered_ms: now_ms,
            last_seen_ms: 0,
            registration_id: String::new(),
            registration_tag: Vec::new(),
            deregistering: false,
        };
        workers::insert(conn, &worker, hash)?;
        Ok(Ok(worker.id))
    });
    Ok((registered.await??, token))
}

fn worker_id() -> Result<WorkerId, Fault> {
    WorkerId::parse(&names::id("w")?).map_err(|_| Fault::Row("a made id"))
}
