//! What a Worker knows of its Hub between two runs: its name there, its owner, its token.
//!
//! `hub.json` holds what is public, `worker.token` the one secret, both with mode 0600.

use std::path::{Path, PathBuf};

use schema::ids::{UserId, WorkerId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file::{self, Unfit};

/// With what a Worker shows itself to a Hub.
pub struct Credentials {
    /// Its name there.
    pub worker_id: WorkerId,
    /// Proves the name to the Hub.
    pub token: Zeroizing<String>,
    /// Whose it is.
    pub owner: UserId,
    /// Whether the owner's first device is trusted as it comes: there was no secret at
    /// registration that could have told.
    pub first_use: bool,
    /// The Hub it registered with; None = its configuration says.
    pub hub: Option<KnownHub>,
    /// The id of the registration key that it used; None = it was registered with none.
    pub registration: Option<String>,
}

/// Where a Worker registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownHub {
    /// As the key `hub` of [`WorkerConfig`](crate::WorkerConfig) has it.
    pub url: String,
    /// As in [`WorkerConfig::ca_file`](crate::WorkerConfig::ca_file), from the root.
    pub ca_file: Option<PathBuf>,
}

impl Credentials {
    /// Those of a Worker that is started with its Hub in one process.
    #[must_use]
    pub const fn bundled(worker_id: WorkerId, token: Zeroizing<String>, owner: UserId) -> Self {
        Self {
            worker_id,
            token,
            owner,
            first_use: true,
            hub: None,
            registration: None,
        }
    }
}

/// Why the state is no use. One line that says what to do.
#[derive(Debug, Error)]
pub enum StateError {
    /// A file cannot be trusted or read.
    #[error("cannot use {path}: {unfit}")]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Why.
        unfit: Unfit,
    },
    /// A file is damaged, or the two do not belong together.
    #[error("{0} is damaged; register the Worker again")]
    Damaged(PathBuf),
    /// A file could not be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    worker_id: String,
    owner_user_id: String,
    first_use: bool,
    #[serde(default)]
    hub: Option<KnownHub>,
    #[serde(default)]
    registration: Option<String>,
}

/// What an earlier registration left; None = there was none. Blocks.
///
/// # Errors
///
/// There was one, and it is no use.
pub fn load(data_dir: &Path) -> Result<Option<Credentials>, StateError> {
    let (state, token) = (data_dir.join(STATE), data_dir.join(TOKEN));
    let Some(content) = read(&state)? else {
        return Ok(None);
    };
    let Some(secret) = read(&token)? else {
        return Err(StateError::Damaged(token));
    };
    let kept: Kept =
        serde_json::from_slice(&content).map_err(|_| StateError::Damaged(state.clone()))?;
    let damaged = |_| StateError::Damaged(state.clone());
    let text = std::str::from_utf8(&secret).map_err(|_| StateError::Damaged(token))?;
    Ok(Some(Credentials {
        worker_id: WorkerId::parse(&kept.worker_id).map_err(damaged)?,
        token: Zeroizing::new(text.trim().to_owned()),
        owner: UserId::parse(&kept.owner_user_id).map_err(damaged)?,
        first_use: kept.first_use,
        hub: kept.hub,
        registration: kept.registration,
    }))
}

/// Keeps them for the next run. Blocks.
///
/// # Errors
///
/// The files are as they were, or the token is new and the state is not, which a further
/// registration mends.
pub fn store(data_dir: &Path, credentials: &Credentials) -> Result<(), StateError> {
    let kept = Kept {
        worker_id: credentials.worker_id.as_str().to_owned(),
        owner_user_id: credentials.owner.as_str().to_owned(),
        first_use: credentials.first_use,
        hub: credentials.hub.clone(),
        registration: credentials.registration.clone(),
    };
    let content = serde_json::to_vec_pretty(&kept).unwrap_or_default();
    write(&data_dir.join(TOKEN), credentials.token.as_bytes())?;
    write(&data_dir.join(STATE), &content)
}

/// Forgets name and token. Blocks.
///
/// # Errors
///
/// The name may be gone and the token not, which nobody asks for then.
pub fn forget(data_dir: &Path) -> Result<(), StateError> {
    // The name goes first: a name without a token is called damaged.
    for file in [STATE, TOKEN] {
        let path = data_dir.join(file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StateError::Write { path, error });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
    private_file::read(path, FILE_MAX).map_err(|unfit| StateError::Unfit {
        path: path.to_owned(),
        unfit,
    })
}

fn write(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    private_file::make_folder(folder)
        .and_then(|()| private_file::write(path, content))
        .map_err(|error| StateError::Write {
            path: path.to_owned(),
            error,
        })
}

const STATE: &str = "hub.json";
const TOKEN: &str = "worker.token";
const FILE_MAX: u64 = 16 << 10;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use tempfile::tempdir;

    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            worker_id: WorkerId::parse("w1").expect("an id"),
            token: Zeroizing::new("secret".to_owned()),
            owner: UserId::parse("u1").expect("an id"),
            first_use: false,
            hub: Some(KnownHub {
                url: "https://hub.example".into(),
                ca_file: Some("/ca.pem".into()),
            }),
            registration: Some("r1".into()),
        }
    }

    #[test]
    fn what_is_stored_is_loaded_and_the_token_stands_apart() {
        let folder = tempdir().expect("a folder");
        assert!(load(folder.path()).expect("nothing").is_none());
        store(folder.path(), &credentials()).expect("stored");
        let loaded = load(folder.path()).expect("loaded").expect("some");
        assert_eq!(
            (loaded.worker_id.as_str(), loaded.token.as_str()),
            ("w1", "secret")
        );
        assert!(!loaded.first_use);
        assert_eq!(loaded.hub, credentials().hub);
        let public = fs::read_to_string(folder.path().join(STATE)).expect("a file");
        assert!(!public.contains("secret"));
        let mode = fs::metadata(folder.path().join(TOKEN))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn what_is_forgotten_is_not_there_and_can_be_stored_again() {
        let folder = tempdir().expect("a folder");
        store(folder.path(), &credentials()).expect("stored");
        forget(folder.path()).expect("forgotten");
        assert!(load(folder.path()).expect("nothing").is_none());
        assert!(!folder.path().join(TOKEN).exists());
        forget(folder.path()).expect("nothing to forget");
        store(folder.path(), &credentials()).expect("stored");
        assert!(load(folder.path()).expect("loaded").is_some());
    }

    #[test]
    fn a_damaged_or_exposed_state_is_named() {
        let folder = tempdir().expect("a folder");
        store(folder.path(), &credentials()).expect("stored");
        let token = folder.path().join(TOKEN);
        fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(matches!(load(folder.path()), Err(StateError::Unfit { .. })));
        fs::remove_file(&token).expect("removed");
        assert!(matches!(load(folder.path()), Err(StateError::Damaged(_))));
        fs::write(
            folder.path().join(STATE),
            "{\"worker_id\":\"w\",\"other\":1}",
        )
        .expect("a file");
        store(folder.path(), &credentials()).expect("stored");
        fs::write(folder.path().join(STATE), "{}").expect("a file");
        assert!(matches!(load(folder.path()), Err(StateError::Damaged(_))));
    }
}
