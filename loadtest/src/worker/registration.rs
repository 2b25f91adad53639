//! A Worker's name at the Hub, got as any Worker gets one: a registration key, then `Register`.
//!
//! The tags are noise: they are checked by the two ends, never by the Hub, and both ends are here.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use channel_actors::endpoint::{Identity, Mode};
use rand::{Rng as _, RngExt as _};
use schema::{
    ids::WorkerId,
    wire::{
        CreateRegistrationKeyRequest, CreateRegistrationKeyResponse, EncryptionMode,
        RegisterRequest, worker_registration_client::WorkerRegistrationClient,
    },
};
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::{cli::Crypto, hub::door::Door};

/// A simulated Worker that may link.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) id: WorkerId,
    pub(crate) token: String,
    /// Composite, or noise of its length.
    pub(crate) public_key: Bytes,
    /// None where only the shape of ciphertext is sent.
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) mode: Mode,
}

/// X25519 32, ML-KEM-1024 1,568, SLH-DSA-SHAKE-256f 64.
const PUBLIC_KEY_LEN: usize = 32 + 1_568 + 64;
const TAG_LEN: usize = 64;
const DEVICE_KEY_LEN: usize = 32;
/// Of `device_algorithm`.
const ED25519: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(20);

/// So many random bytes.
pub(super) fn noise(bytes: usize) -> Bytes {
    let mut noise = vec![0; bytes];
    rand::rng().fill_bytes(&mut noise);
    noise.into()
}

/// Registers one Worker.
///
/// # Errors
///
/// The Hub refused, or did not answer.
pub(crate) async fn register(door: &Door, crypto: Crypto) -> anyhow::Result<Registered> {
    let id = format!("loadtest-{:032x}", rand::rng().random::<u128>());
    create_key(door, &id).await?;
    let mode = crypto.mode();
    let identity = crypto
        .is_real()
        .then(|| Arc::new(Identity::generate(&mut rand::rng())));
    let public_key = identity.as_ref().map_or_else(
        || noise(PUBLIC_KEY_LEN),
        |identity| Bytes::copy_from_slice(identity.public().as_bytes()),
    );
    let request = RegisterRequest {
        registration_id: id,
        public_key: public_key.clone(),
        encryption_mode: announced(mode).into(),
        tag: noise(TAG_LEN),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let answered = timeout(PATIENCE, async {
        let channel = Endpoint::from_shared(door.url())?.connect().await?;
        let answer = WorkerRegistrationClient::new(channel)
            .register(request)
            .await;
        anyhow::Ok(answer?.into_inner())
    });
    let answer = answered
        .await
        .context("no answer to a registration in time")??;
    let id = WorkerId::parse(&answer.worker_id).context("the Hub gave a Worker no name")?;
    Ok(Registered {
        id,
        token: answer.worker_token,
        public_key,
        identity,
        mode,
    })
}

async fn create_key(door: &Door, id: &str) -> anyhow::Result<()> {
    let request = CreateRegistrationKeyRequest {
        registration_id: id.to_owned(),
        device_algorithm: ED25519,
        device_key: noise(DEVICE_KEY_LEN),
        device_tag: noise(TAG_LEN),
        worker_name: "simulated".to_owned(),
        organisation_id: String::new(),
    };
    let _: CreateRegistrationKeyResponse = door
        .call("WorkerService/CreateRegistrationKey", &request)
        .await?;
    Ok(())
}

/// The mode on the wire.
pub(super) const fn announced(mode: Mode) -> EncryptionMode {
    match mode {
        Mode::Classic => EncryptionMode::Classic,
        Mode::PostQuantum => EncryptionMode::PostQuantum,
    }
}
