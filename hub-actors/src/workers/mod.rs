//! WorkerService and WorkerRegistration: whose Workers there are, and how they come to be.

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkerId},
    wire::{
        self, CreateRegistrationKeyRequest, CreateRegistrationKeyResponse, EncryptionMode,
        GetHandshakeParametersRequest, GetHandshakeParametersResponse, ListWorkersRequest,
        ListWorkersResponse, RegisterRequest, RegisterResponse, RevokeRegistrationKeyRequest,
        RevokeRegistrationKeyResponse,
    },
};

use crate::{
    asked::Asked,
    clock,
    error::{Fault, Field, Quota, Refusal},
    names,
    state::State,
    store::{
        registration_keys::{self, RegistrationKey},
        users,
        workers::{self, Worker},
    },
    telemetry::{self, KeyFate},
    token::{Purpose, SecretText},
};

/// A composite public key: x25519 32, ML-KEM-1024 1568, SLH-DSA-SHAKE-256f 64.
const PUBLIC_KEY_LEN: usize = 32 + 1568 + 64;
/// HMAC-BLAKE2b-512.
const TAG_LEN: usize = 64;

/// The caller's Workers, by name.
pub(crate) async fn list(
    asked: &Asked,
    _: ListWorkersRequest,
) -> Result<ListWorkersResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let owned = state
        .store
        .run(move |conn| workers::owned_by(conn, &caller.user))
        .await?;
    let workers = owned.iter().map(|worker| describe(state, worker)).collect();
    Ok(ListWorkersResponse { workers })
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
        ..wire::Worker::default()
    }
}

/// What a client compares with its pin before it begins a handshake.
pub(crate) async fn handshake_parameters(
    asked: &Asked,
    request: GetHandshakeParametersRequest,
) -> Result<GetHandshakeParametersResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id =
        WorkerId::parse(&request.worker_id).map_err(|_| Refusal::Malformed(Field::WorkerId))?;
    let found = state
        .store
        .run(move |conn| workers::find(conn, &id))
        .await?;
    let worker = found
        .filter(|worker| worker.owner == caller.user)
        .ok_or(Refusal::NotFound)?;
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

/// Keeps a registration key's hash and the device that may be trusted by whoever uses it.
pub(crate) async fn create_key(
    asked: &Asked,
    request: CreateRegistrationKeyRequest,
) -> Result<CreateRegistrationKeyResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id = registration_id(&request.registration_id)?;
    let algorithm = device_algorithm(&request)?;
    tag(&request.device_tag)?;
    name(&request.worker_name)?;
    let now_ms = clock::unix_ms();
    let lifetime = i64::try_from(state.config.timeouts.registration_key_ms).unwrap_or(i64::MAX);
    let key = RegistrationKey {
        user: caller.user,
        worker_name: request.worker_name,
        device_algorithm: algorithm,
        device_key: request.device_key.into(),
        device_tag: request.device_tag.into(),
        expires_ms: now_ms.saturating_add(lifetime),
    };
    let expires_unix_ms = key.expires_ms;
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let quota = i64::from(state.config.quotas.registration_keys_per_user);
    let stored = state.store.write(move |conn| {
        if registration_keys::count(conn, &key.user, now_ms)? >= quota {
            return Ok(Err(quota_refusal(Quota::RegistrationKeys)));
        }
        Ok(registration_keys::insert(conn, hash, &key)?
            .then_some(())
            .ok_or(Refusal::Exists))
    });
    stored.await??;
    telemetry::registration_key(KeyFate::Created);
    Ok(CreateRegistrationKeyResponse { expires_unix_ms })
}

/// Takes the caller's own key back; a key that is not there is as good as gone.
pub(crate) async fn revoke_key(
    asked: &Asked,
    request: RevokeRegistrationKeyRequest,
) -> Result<RevokeRegistrationKeyResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id = registration_id(&request.registration_id)?;
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let revoked = state
        .store
        .run(move |conn| registration_keys::revoke(conn, hash, &caller.user))
        .await?;
    if revoked {
        telemetry::registration_key(KeyFate::Revoked);
    }
    Ok(RevokeRegistrationKeyResponse {})
}

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
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let token = SecretText::from_random(Purpose::WorkerToken, clock::random()?);
    let token_hash = state.pepper.hash(Purpose::WorkerToken, token.expose());
    let worker_id = worker_id()?;
    let now_ms = clock::unix_ms();
    let quota = i64::from(state.config.quotas.workers_per_user);
    // Whoever guesses does not get as far as the writer's lock.
    let is_known = state
        .store
        .run_for_stranger(move |conn| registration_keys::is_good(conn, hash, now_ms));
    if !is_known.await? {
        telemetry::registration_key(KeyFate::Refused);
        return Err(Refusal::NotFound);
    }
    let registered = state.store.write(move |conn| {
        let Some(key) = registration_keys::take(conn, hash, now_ms)? else {
            return Ok(Err(Refusal::NotFound));
        };
        // A refusal gives the key back.
        if workers::count(conn, &key.user)? >= quota {
            return Ok(Err(quota_refusal(Quota::Workers)));
        }
        let owner = users::find(conn, &key.user)?.ok_or(Fault::Row("registration_keys.user_id"))?;
        let worker = Worker {
            id: worker_id.clone(),
            owner: owner.id,
            organisation: owner.organisation,
            name: named(&key.worker_name),
            public_key: request.public_key.to_vec(),
            encryption_mode: request.encryption_mode,
            bundled: false,
            version: request.version.clone(),
            registered_ms: now_ms,
            last_seen_ms: 0,
            registration_id: request.registration_id.clone(),
            registration_tag: request.tag.to_vec(),
        };
        workers::insert(conn, &worker, token_hash)?;
        Ok(Ok((worker.id, key)))
    });
    let (worker_id, key) = registered.await?.inspect_err(|_| {
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
        };
        workers::insert(conn, &worker, hash)?;
        Ok(Ok(worker.id))
    });
    Ok((registered.await??, token))
}

fn worker_id() -> Result<WorkerId, Fault> {
    WorkerId::parse(&names::id("w")?).map_err(|_| Fault::Row("a made id"))
}

fn quota_refusal(quota: Quota) -> Refusal {
    telemetry::quota_refusal(quota);
    Refusal::Quota(quota, std::time::Duration::from_secs(60))
}

/// At least 16 characters, so that nobody meets another's id by guessing.
fn registration_id(text: &str) -> Result<&str, Refusal> {
    let fits = text.len() >= 16 && WorkerId::parse(text).is_ok();
    fits.then_some(text)
        .ok_or(Refusal::Malformed(Field::RegistrationId))
}

fn device_algorithm(request: &CreateRegistrationKeyRequest) -> Result<i32, Refusal> {
    match (request.device_algorithm, request.device_key.len()) {
        (1, 32) => Ok(1),
        (2, 1_984) => Ok(2),
        _ => Err(Refusal::Malformed(Field::DeviceKey)),
    }
}

fn tag(bytes: &Bytes) -> Result<(), Refusal> {
    (bytes.len() == TAG_LEN)
        .then_some(())
        .ok_or(Refusal::Malformed(Field::Tag))
}

fn public_key(key: &Bytes, mode: i32) -> Result<(), Refusal> {
    let fits = key.len() == PUBLIC_KEY_LEN && is_mode(mode);
    fits.then_some(())
        .ok_or(Refusal::Malformed(Field::PublicKey))
}

/// Whether a Worker can run in it.
pub(crate) fn is_mode(mode: i32) -> bool {
    match EncryptionMode::try_from(mode) {
        Ok(EncryptionMode::Classic | EncryptionMode::PostQuantum) => true,
        Ok(EncryptionMode::Unspecified) | Err(_) => false,
    }
}

fn name(text: &str) -> Result<(), Refusal> {
    is_line(text, 128)
        .then_some(())
        .ok_or(Refusal::Malformed(Field::WorkerName))
}

fn version(text: &str) -> Result<(), Refusal> {
    is_version(text)
        .then_some(())
        .ok_or(Refusal::Malformed(Field::Version))
}

/// Whether a Worker may call its version so.
pub(crate) fn is_version(text: &str) -> bool {
    is_line(text, 64)
}

fn is_line(text: &str, bytes: usize) -> bool {
    text.len() <= bytes && !text.chars().any(char::is_control)
}

fn named(name: &str) -> String {
    if name.trim().is_empty() {
        "worker".to_owned()
    } else {
        name.to_owned()
    }
}

pub(crate) async fn extend_key(
    _asked: &Asked,
    _request: wire::ExtendRegistrationKeyRequest,
) -> Result<wire::ExtendRegistrationKeyResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn rename_worker(
    _asked: &Asked,
    _request: wire::RenameWorkerRequest,
) -> Result<wire::RenameWorkerResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn deregister_worker(
    _asked: &Asked,
    _request: wire::DeregisterWorkerRequest,
) -> Result<wire::DeregisterWorkerResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn transfer_worker(
    _asked: &Asked,
    _request: wire::TransferWorkerRequest,
) -> Result<wire::TransferWorkerResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
