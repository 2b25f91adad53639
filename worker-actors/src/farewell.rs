//! Leaving a Hub, and another owner: what the person at the machine says, or has to confirm.
//!
//! A Hub can send its Worker away, and cannot take from it what is the Worker's own: its key, its
//! devices, its terminals. It can say that the Worker belongs to somebody else, and cannot make it so.

use std::path::Path;

use schema::{
    ids::UserId,
    wire::{self, worker_registration_client::WorkerRegistrationClient},
};
use thiserror::Error;
use tonic::{Code, Request, metadata::MetadataValue};
use zeroize::Zeroizing;

use crate::{
    config::WorkerConfig,
    dial::{self, DialError, HubAddress},
    hub_state::{self, Credentials, StateError},
    store::{Store, StoreError, grants},
};

/// Why nothing was changed. One line that says what to do.
#[derive(Debug, Error)]
pub enum FarewellError {
    /// There is no registration.
    #[error("this Worker belongs to no Hub")]
    Nowhere,
    /// The Hub cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The Hub knows no such Worker.
    #[error("the Hub does not know this Worker; its registration was kept")]
    Unknown,
    /// The Hub refused.
    #[error("the Hub did not take this Worker's word that it goes ({0})")]
    Refused(Code),
    /// What is kept of the Hub is no use, or cannot be changed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The database is no use.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tells the Hub that this Worker goes, and forgets name and token once the Hub has taken it: asked
/// to by the Hub, or by the Worker's own wish. Key, devices and terminals stay.
///
/// # Errors
///
/// The registration is as it was.
pub async fn leave(config: &WorkerConfig) -> Result<(), FarewellError> {
    let folder = config.data_dir.clone();
    let loaded = tokio::task::spawn_blocking(move || hub_state::load(&folder)).await;
    let credentials = loaded.unwrap_or(Ok(None))?.ok_or(FarewellError::Nowhere)?;
    let said = tokio::time::timeout(config.timings.dial, say(config, &credentials));
    let late = |_| DialError::Unreachable(String::from("no answer in time"));
    said.await.map_err(late)??;
    let folder = config.data_dir.clone();
    let forgotten = tokio::task::spawn_blocking(move || hub_state::forget(&folder)).await;
    Ok(forgotten.unwrap_or(Ok(()))?)
}

async fn say(config: &WorkerConfig, credentials: &Credentials) -> Result<(), FarewellError> {
    let hub = config.hub(credentials.hub.as_ref());
    let address: HubAddress = hub.url.parse()?;
    let channel = dial::dial(&address, hub.ca_file.as_ref(), config.timings.dial).await?;
    let mut request = Request::new(wire::DeregisterRequest {});
    let bearer = Zeroizing::new(format!("Bearer {}", credentials.token.as_str()));
    let mut value = MetadataValue::try_from(bearer.as_str()).map_err(|_| FarewellError::Unknown)?;
    value.set_sensitive(true);
    request.metadata_mut().insert("authorization", value);
    let answer = WorkerRegistrationClient::new(channel)
        .deregister(request)
        .await;
    match answer {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::Unauthenticated => Err(FarewellError::Unknown),
        Err(status) => Err(FarewellError::Refused(status.code())),
    }
}

/// Accepts another owner, at the word of the person at the machine: what the old one's devices
/// signed holds no more, and the new one's first device is approved like any other. A running
/// Worker has to be started anew. Blocks.
///
/// # Errors
///
/// The owner is as it was.
pub fn accept_owner(data_dir: &Path, owner: UserId) -> Result<(), FarewellError> {
    let kept = hub_state::load(data_dir)?.ok_or(FarewellError::Nowhere)?;
    let credentials = Credentials {
        owner,
        first_use: false,
        ..kept
    };
    // First: an owner who is new with grants that are old would have given them.
    Store::open(data_dir)?.run_here(grants::forget_all)?;
    Ok(hub_state::store(data_dir, &credentials)?)
}
