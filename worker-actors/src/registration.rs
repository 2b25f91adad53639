//! Trading a registration key for a name at a Hub, both keys verified (docs/protocol.md, §10).

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use channel_actors::endpoint::trust::{Change, Source, TrustedDevice};
use crypto::{Algorithm, Identity, Mode};
use schema::{
    ids::{UserId, WorkerId},
    wire::{self, worker_registration_client::WorkerRegistrationClient},
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    clock,
    config::WorkerConfig,
    dial::{self, DialError, HubAddress},
    hub_state::{self, Credentials, KnownHub, StateError},
    identity::{self, IdentityError},
    store::{Store, StoreError, devices, grants},
};

pub use crate::hub_state::load as stored;

/// A registration that succeeded on both sides.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The Worker's name at the Hub.
    pub worker_id: WorkerId,
    /// Who registered it.
    pub owner: UserId,
    /// This Worker's key in four words.
    pub worker_words: String,
    /// The registering device's key in four words.
    pub device_words: String,
}

/// Why the Worker is not registered. One line that says what to do.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The key is none.
    #[error("the registration key must be ID.SECRET, as `leapmux remote worker register` shows it")]
    Key,
    /// The Worker has no keys of its own.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The Hub cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The Hub refused: the key is used, expired or unknown.
    #[error("the Hub refused the registration key; make a new one on its page ({0})")]
    Refused(tonic::Code),
    /// What the Hub answered is no answer.
    #[error("the Hub's answer cannot be understood")]
    Answer,
    /// The device's tag is missing or wrong: the Hub, or somebody before it, put in another key.
    #[error(
        "the registering device's key was not confirmed by the registration key: somebody may \
         have replaced it; nothing was stored, make a new registration key"
    )]
    Tag,
    /// What came of it cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The device cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether this key is the one that the Worker was registered with: it was started again by the same
/// command, and there is nothing to do.
#[must_use]
pub fn is_known(credentials: Option<&Credentials>, key: &str) -> bool {
    let used = credentials.and_then(|known| known.registration.as_deref());
    used.is_some() && used == parse(key).map(|(id, _)| id)
}

/// Registers this Worker: sends its key with a tag under the secret, checks the tag of the
/// registering device, trusts that device, and keeps name and token. The secret itself never
/// leaves.
///
/// # Errors
///
/// Nothing was kept then.
pub async fn register(config: &WorkerConfig, key: &str) -> Result<Registered, RegisterError> {
    let (id, secret) = parse(key).ok_or(RegisterError::Key)?;
    let identity = load_identity(config).await?;
    let hub = config.hub(None);
    let address: HubAddress = hub.url.parse()?;
    let mode = Mode::resolve(&config.encryption_mode);
    let public_key = identity.public().as_bytes();
    let tag = crypto::worker_tag(&secret, id, public_key).map_err(|_| RegisterError::Key)?;
    let request = wire::RegisterRequest {
        registration_id: id.to_owned(),
        public_key: public_key.to_vec().into(),
        encryption_mode: crate::announced_mode(mode).into(),
        tag: tag.to_vec().into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let channel = dial::dial(&address, hub.ca_file.as_ref(), config.timings.dial).await?;
    let answering = async {
        WorkerRegistrationClient::new(channel)
            .register(request)
            .await
    };
    let late = |_| RegisterError::Dial(DialError::Unreachable(String::from("no answer in time")));
    let answer = tokio::time::timeout(config.timings.dial, answering)
        .await
        .map_err(late)?;
    let answer = answer
        .map_err(|status| RegisterError::Refused(status.code()))?
        .into_inner();
    let confirmed = confirm(&answer, id, &secret)?;
    keep(config.clone(), identity, answer, confirmed).await
}

/// The part of the answer that the secret vouches for.
struct Confirmed {
    worker_id: WorkerId,
    owner: UserId,
    algorithm: u8,
    registration: String,
}

fn confirm(
    answer: &wire::RegisterResponse,
    id: &str,
    secret: &[u8; 32],
) -> Result<Confirmed, RegisterError> {
    let worker_id = WorkerId::parse(&answer.worker_id).map_err(|_| RegisterError::Answer)?;
    let owner = UserId::parse(&answer.user_id).map_err(|_| RegisterError::Answer)?;
    let known = [Algorithm::Ed25519, Algorithm::Ed25519MlDsa65];
    let sent = u8::try_from(answer.device_algorithm).ok();
    let algorithm = known.into_iter().find(|known| Some(known.byte()) == sent);
    let algorithm = algorithm.ok_or(RegisterError::Tag)?;
    let (key, tag) = (&answer.device_key, &answer.device_tag);
    crypto::verify_device_tag(secret, id, owner.as_str(), algorithm, key, tag)
        .map_err(|_| RegisterError::Tag)?;
    let token_given = !answer.worker_token.is_empty();
    let confirmed = Confirmed {
        worker_id,
        owner,
        algorithm: algorithm.byte(),
        registration: id.to_owned(),
    };
    token_given
        .then_some(confirmed)
        .ok_or(RegisterError::Answer)
}

async fn load_identity(config: &WorkerConfig) -> Result<Identity, IdentityError> {
    let folder = config.data_dir.clone();
    let loading = tokio::task::spawn_blocking(move || identity::load_or_create(&folder)).await;
    loading.unwrap_or_else(|_| Err(IdentityError::Damaged(config.data_dir.clone())))
}

async fn keep(
    config: WorkerConfig,
    identity: Identity,
    answer: wire::RegisterResponse,
    confirmed: Confirmed,
) -> Result<Registered, RegisterError> {
    let keeping = tokio::task::spawn_blocking(move || {
        let Confirmed {
            worker_id,
            owner,
            algorithm,
            registration,
        } = confirmed;
        let key = answer.device_key;
        let device = TrustedDevice {
            user: owner.clone(),
            algorithm,
            key: key.clone(),
            source: Source::Registration,
            expires_at: None,
            signer: None,
        };
        let store = Store::open(&config.data_dir)?;
        let now = clock::unix_ms();
        store.run_here(|connection| {
            grants::forget_all(connection)?;
            let changes = vec![Change::Trusted(device)];
            devices::keep(connection, changes, &crypto::fingerprint, now)
        })?;
        let credentials = Credentials {
            worker_id: worker_id.clone(),
            token: Zeroizing::new(answer.worker_token),
            owner: owner.clone(),
            first_use: false,
            hub: Some(known_hub(&config)),
            registration: Some(registration),
        };
        hub_state::store(&config.data_dir, &credentials)?;
        let worker_words = crypto::fingerprint(identity.public().as_bytes());
        Ok(Registered {
            worker_id,
            owner,
            worker_words,
            device_words: crypto::fingerprint(&key),
        })
    });
    keeping.await.unwrap_or(Err(RegisterError::Answer))
}

/// What later starts need to find the same Hub, from wherever they are started.
fn known_hub(config: &WorkerConfig) -> KnownHub {
    let hub = config.hub(None);
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    KnownHub {
        ca_file: hub.ca_file.map(absolute),
        ..hub
    }
}

/// `id.secret`; the secret is 32 bytes, base64url without padding.
pub(crate) fn parse(key: &str) -> Option<(&str, Zeroizing<[u8; 32]>)> {
    let (id, secret) = key.trim().split_once('.')?;
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).ok()?);
    let secret = <[u8; 32]>::try_from(decoded.as_slice()).ok()?;
    WorkerId::parse(id).ok()?;
    Some((id, Zeroizing::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_key_is_an_id_and_a_secret() {
        let secret = URL_SAFE_NO_PAD.encode([7; 32]);
        assert!(parse(&format!("reg-1.{secret}\n")).is_some_and(|(id, _)| id == "reg-1"));
        for bad in [
            "",
            "reg",
            "reg.",
            &format!(".{secret}"),
            &format!("re g.{secret}"),
            "reg.AAAA",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_secret_makes_a_devices_key_believable() {
        let (secret, key) = ([1; 32], vec![5; 32]);
        let tag =
            crypto::device_tag(&secret, "reg", "user", Algorithm::Ed25519, &key).expect("a tag");
        let answer = wire::RegisterResponse {
            worker_id: "w".into(),
            worker_token: "t".into(),
            user_id: "user".into(),
            device_algorithm: 1,
            device_key: key.into(),
            device_tag: tag.to_vec().into(),
        };
        assert!(confirm(&answer, "reg", &secret).is_ok());
        assert!(matches!(
            confirm(&answer, "reg", &[2; 32]),
            Err(RegisterError::Tag)
        ));
        let other = wire::RegisterResponse {
            user_id: "mallory".into(),
            ..answer.clone()
        };
        assert!(matches!(
            confirm(&other, "reg", &secret),
            Err(RegisterError::Tag)
        ));
        let none = wire::RegisterResponse {
            device_tag: Vec::new().into(),
            ..answer.clone()
        };
        assert!(matches!(
            confirm(&none, "reg", &secret),
            Err(RegisterError::Tag)
        ));
        let exchanged = wire::RegisterResponse {
            device_key: vec![6; 32].into(),
            ..answer
        };
        assert!(matches!(
            confirm(&exchanged, "reg", &secret),
            Err(RegisterError::Tag)
        ));
    }
}
