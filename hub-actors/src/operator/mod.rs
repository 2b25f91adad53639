//! What the operator of a Hub may do beside it: the orders of `leapmux admin`, on the same database
//! and key files, while the Hub runs or not.
//!
//! The rules are functions over a connection, one file a noun, and AdministrationService gives the
//! same ones: no rule is written twice. [`Operator`] runs them from another process. It does not hold
//! the data folder's lock, which is the Hub's; the database has its own. It holds a part of the
//! folder, so that no backup takes the database's place meanwhile. What an order takes back stands in
//! the ledger, and running Hubs follow that.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{HubConfig, StorageKind},
    error::{Fault, Refusal},
    folder::{Folder, FolderError, Part},
    keyring::{Keyring, orders::KeyOrderError},
    notes::{self, Author, Notes},
    start::{self, StartError},
    store::{
        Connection, Store,
        audit::{Actor, Object},
        open::{DatabaseError, Origin, Standing, Storage},
    },
    token::Pepper,
};

pub(crate) mod audit;
mod backup;
pub(crate) mod changes;
mod counts;
mod database;
mod doctor;
mod encryption_key;
mod oauth_provider;
pub(crate) mod organisations;
mod owner;
pub(crate) mod registration_keys;
mod restore;
mod rewind;
pub(crate) mod sessions;
mod staging;
mod swap;
#[cfg(test)]
mod tests;
mod tokens;
pub(crate) mod users;
pub(crate) mod workers;

pub use audit::{AuditEntry, AuditSearch, KnownHead, Verified};
pub use backup::{Backup, BackupError, back_up};
pub use changes::{Changes, Insistence, NewUser};
pub use database::{Version, place, version};
pub use doctor::{Examination, Finding, State, examine};
pub use oauth_provider::{NewProvider, Preset, ProviderAccount};
pub use organisations::OrganisationAccount;
use owner::check_owner;
pub use registration_keys::RegistrationKeyAccount;
pub use restore::{Restored, Restoring, restore};
pub use sessions::{SessionAccount, SessionKind};
pub use tokens::Issued;
pub use users::UserAccount;
pub use workers::{Mode as WorkerMode, WorkerAccount};

/// Why an order of the operator's was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no database yet.
    #[error(
        "there is no database {0}: start the Hub once, run `leapmux admin db migrate` to make one, \
         or name another --data-dir"
    )]
    NoDatabase(String),
    /// The database is of an older version.
    #[error(
        "the database is of an older version: run `leapmux admin db backup`, then `leapmux admin db \
         migrate`, or restart the Hub with this version"
    )]
    Older,
    /// The data folder is another user's.
    #[error(
        "data folder {}: it belongs to {owner}; run this as that user, like `sudo -u {owner} leapmux \
         admin …`", path.display()
    )]
    OtherOwner {
        /// Which folder.
        path: PathBuf,
        /// The operating system's name of its owner.
        owner: String,
    },
    /// What was named is not there.
    #[error("there is no {what} {name:?}")]
    Missing {
        /// Like `user`.
        what: &'static str,
        /// As it was given.
        name: String,
    },
    /// Only somebody who insists may do this.
    #[error("{0}")]
    NeedsForce(&'static str),
    /// The order was understood and refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Folder, database or keys cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The keys stay as they are.
    #[error(transparent)]
    Keys(#[from] KeyOrderError),
    /// There is no backup, or none that can be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Our side failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What kind of end an error is, for exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Something is broken.
    Error,
    /// What was asked for cannot be understood.
    Usage,
    /// What was named is not there.
    NotFound,
    /// It was understood, and a rule forbids it.
    Refused,
}

impl OperatorError {
    /// Its kind.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        match self {
            Self::NoDatabase(_)
            | Self::Missing { .. }
            | Self::Keys(KeyOrderError::NoVersion(_))
            | Self::Refused(Refusal::NotFound) => Ending::NotFound,
            Self::Refused(Refusal::Malformed(_)) => Ending::Usage,
            Self::Start(StartError::Folder {
                source: FolderError::InUse | FolderError::Operated | FolderError::Restoring,
                ..
            }) => Ending::Refused,
            Self::Refused(Refusal::Unavailable(_) | Refusal::Internal)
            | Self::Older
            | Self::OtherOwner { .. }
            | Self::Backup(
                BackupError::Io { .. }
                | BackupError::KeysChanging
                | BackupError::Damaged { .. }
                | BackupError::Newer
                | BackupError::Database(_)
                | BackupError::Keys
                | BackupError::KeyFile(_)
                | BackupError::Unfinished { .. },
            )
            | Self::Start(_)
            | Self::Keys(KeyOrderError::KeyFile { .. } | KeyOrderError::Fault(_))
            | Self::Fault(_) => Ending::Error,
            Self::Refused(_) | Self::Keys(_) | Self::Backup(_) | Self::NeedsForce(_) => {
                Ending::Refused
            }
        }
    }
}

/// The database and the key files of a Hub, in the hands of its operator.
pub struct Operator {
    store: Store,
    config: HubConfig,
    author: Author,
    _part: Option<Part>,
}

impl Operator {
    /// Opens what a Hub of this configuration uses, beside it.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; nothing is made or brought to another version.
    pub async fn open(config: HubConfig) -> Result<Self, OperatorError> {
        match Self::open_any(config).await? {
            (operator, standing) if standing.pending.is_empty() => Ok(operator),
            (_, _) => Err(OperatorError::Older),
        }
    }

    /// The same, of this version or an older one.
    async fn open_any(config: HubConfig) -> Result<(Self, Standing), OperatorError> {
        check_owner(&config.data_dir)?;
        let storage = storage(&config)?;
        let place = storage.place();
        let (is_there, storage) =
            start::blocking(storage, |storage| Ok((storage.is_there()?, storage))).await?;
        if !is_there {
            return Err(OperatorError::NoDatabase(place));
        }
        let part = part(&config)?;
        let (standing, storage) =
            start::blocking(storage, |storage| Ok((storage.standing()?, storage))).await?;
        let store = start::blocking(storage, Storage::join).await?;
        Ok((Self::new(config, store, part), standing))
    }

    /// Makes database and keys where there are none, as a Hub's first start does, and brings them to
    /// this version.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; where there is anything to be done in a data folder, no Hub may run there.
    pub async fn make(config: HubConfig) -> Result<Self, OperatorError> {
        check_owner(&config.data_dir)?;
        let before = standing(&config).await?;
        let folder = take_to_make(&config, before.as_ref())?;
        let part = part(&config)?;
        let storage = storage(&config)?;
        let (storage, origin) = start::blocking(storage, |storage| {
            let origin = storage.origin()?;
            Ok((storage, origin))
        })
        .await?;
        let store = start::blocking(storage, Storage::open).await?;
        start::load_keyring(&config, &store).await?;
        if origin == Origin::New {
            start::ensure_admin(&store).await?;
        }
        drop(folder);
        let operator = Self::new(config, store, part);
        if let Some(newest) = before.and_then(|before| before.pending.last().cloned()) {
            operator
                .order(move |_, notes| {
                    notes.audit("database.migrated", Object::Database, &newest);
                    Ok(Ok(()))
                })
                .await?;
        }
        Ok(operator)
    }

    fn new(config: HubConfig, store: Store, part: Option<Part>) -> Self {
        let author = Author {
            actor: Actor::Operator,
            id: operating_system_user(),
            address: String::new(),
        };
        Self {
            store,
            config,
            author,
            _part: part,
        }
    }

    async fn keyring(&self) -> Result<Arc<Keyring>, OperatorError> {
        Ok(start::load_keyring(&self.config, &self.store).await?)
    }

    async fn pepper(&self) -> Result<Pepper, OperatorError> {
        Ok(Pepper::new(self.keyring().await?))
    }

    async fn ask<T, F>(&self, question: F) -> Result<T, OperatorError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    {
        Ok(self.store.run(question).await?)
    }

    async fn order<T, F>(&self, order: F) -> Result<T, OperatorError>
    where
        T: Send + 'static,
        F: FnMut(&mut Connection, &mut Notes) -> Result<Result<T, Refusal>, Fault> + Send + 'static,
    {
        let (answer, _told) = notes::order(&self.store, self.author.clone(), order).await?;
        Ok(answer)
    }
}

fn storage(config: &HubConfig) -> Result<Storage, StartError> {
    start::storage(config, &config.data_dir)
}

/// How far the database has come, if there is one.
async fn standing(config: &HubConfig) -> Result<Option<Standing>, OperatorError> {
    let look = |storage: Storage| {
        let is_there = match storage.is_there() {
            Err(DatabaseError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => false,
            asked => asked?,
        };
        is_there.then(|| storage.standing()).transpose()
    };
    Ok(start::blocking(storage(config)?, look).await?)
}

fn take(path: &Path) -> Result<Folder, StartError> {
    Folder::take(path).map_err(|source| StartError::Folder {
        path: path.to_owned(),
        source,
    })
}

/// A database without keys is taken for one that has lost them, so a Hub that is just starting and we
/// must not both make some; nor does an older Hub go on when its tables are changed under it. A server
/// has a lock of its own for the latter.
fn take_to_make(
    config: &HubConfig,
    before: Option<&Standing>,
) -> Result<Option<Folder>, OperatorError> {
    match before {
        Some(_) if config.storage.kind != StorageKind::Sqlite => Ok(None),
        before => match take(&config.data_dir) {
            Err(StartError::Folder {
                source: FolderError::InUse,
                ..
            }) if before.is_some_and(|before| before.pending.is_empty()) => Ok(None),
            taken => Ok(Some(taken?)),
        },
    }
}

/// Our part in the data folder, where the database is in it.
fn part(config: &HubConfig) -> Result<Option<Part>, OperatorError> {
    if config.storage.kind != StorageKind::Sqlite {
        return Ok(None);
    }
    let part = Part::take(&config.data_dir).map_err(|source| StartError::Folder {
        path: config.data_dir.clone(),
        source,
    })?;
    Ok(Some(part))
}

/// Who sits before the terminal, as the operating system knows them.
fn operating_system_user() -> String {
    name_of(nix::unistd::getuid().as_raw())
}

fn name_of(user: u32) -> String {
    known_name(user).unwrap_or_else(|| format!("uid {user}"))
}

/// As a shell's command line takes it.
fn name_for_sudo(user: u32) -> String {
    known_name(user).unwrap_or_else(|| format!("'#{user}'"))
}

fn known_name(user: u32) -> Option<String> {
    let found = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(user));
    Some(found.ok()??.name)
}

fn missing(what: &'static str, name: &str) -> OperatorError {
    OperatorError::Missing {
        what,
        name: name.to_owned(),
    }
}

/// Names whatever an order did not find.
fn named<T>(
    answer: Result<T, OperatorError>,
    what: &'static str,
    name: &str,
) -> Result<T, OperatorError> {
    match answer {
        Err(OperatorError::Refused(Refusal::NotFound)) => Err(missing(what, name)),
        answer => answer,
    }
}
