//! The keys of what is sealed at rest, and the pepper of all hashes: one file, which belongs to the
//! database as a key to its lock.
//!
//! | file | holds |
//! |---|---|
//! | `ring` | the keys, their text, sealing and opening: a brain |
//! | `sealed` | what is sealed, and the place it is bound to |
//! | `file` | reading and writing the file, whole or not at all |
//! | `orders` | what the operator does with it |
//! | `traces` | what the database knows of its keys, so that a lost or wrong file is noticed |
//!
//! The operator changes the file while Hubs run, see [`orders`]. So a Hub looks
//! whether it is another one before it seals, when it meets an unknown version, and at most a second
//! late for hashes. Whoever seals does so inside the transaction that stores it: the operator removes
//! a key inside such a one too, and nothing can slip between.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use crate::{clock, error::Fault, private_file::PrivateFileError, store::Store};

pub(crate) mod file;
pub(crate) mod orders;
pub(crate) mod ring;
pub(crate) mod sealed;
#[cfg(test)]
mod tests;
pub(crate) mod traces;

use file::Stamp;
use ring::Ring;
pub use ring::{RingError, Unopened};
pub(crate) use sealed::{Place, Sealed};

/// Why the key file cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// It cannot be read or written.
    #[error("{0}")]
    File(#[from] PrivateFileError),
    /// It holds something else.
    #[error("{0}; restore it from the backup that belongs to the database")]
    Corrupt(#[from] RingError),
    /// The database holds what only the lost file can open or check.
    #[error(
        "it is missing, but the database needs it; restore it from the same backup, or copy it \
         from another Hub of this database. No new one is made"
    )]
    Missing,
    /// Rows refer to a version that is not there.
    #[error(
        "version {0} is missing, but the database has what was sealed with it; restore the file \
         from the same backup"
    )]
    MissingVersion(u32),
    /// A key is not the one that the database was sealed with.
    #[error(
        "its key of version {0} is not the one that this database was sealed with; restore the \
         file from the same backup, or copy it from another Hub of this database"
    )]
    WrongKey(u32),
    /// The pepper is not the one of the database's hashes.
    #[error(
        "its pepper is not the one that the hashes in this database were made with; restore the \
         file from the same backup, or copy it from another Hub of this database"
    )]
    WrongPepper,
    /// The pepper's old file says another thing.
    #[error(
        "pepper.key beside the database holds another pepper than this file; move away the one \
         that does not belong to the database"
    )]
    TwoPeppers,
    /// No random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The database did not say whether it needs it.
    #[error("the database cannot be asked which keys it needs: {0}")]
    Database(#[from] Fault),
}

/// A Hub's key ring, as the file says now.
pub(crate) struct Keyring {
    /// None for a ring that no file can change.
    path: Option<PathBuf>,
    held: RwLock<Held>,
}

struct Held {
    ring: Arc<Ring>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// Hashes may be made so long with a pepper that was replaced.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Keyring {
    /// The ring of a database: read, taken over from an older version's `pepper.key`, or made,
    /// where nothing can depend on one that was lost.
    pub(crate) async fn for_database(
        store: &Store,
        path: &Path,
        old_pepper: &Path,
    ) -> Result<Self, KeyringError> {
        let traces = store.run(traces::read).await?;
        // Before it is read: what is written in between is read when it is looked next.
        let stamp = Stamp::of(path);
        let ring = match file::take_over(path, old_pepper, &traces)? {
            Some(ring) => ring,
            None if traces.need_file() => return Err(KeyringError::Missing),
            None => file::create(path)?,
        };
        let held = Arc::new(ring);
        let judged = Arc::clone(&held);
        // Asked again where nobody else writes: another Hub may have begun the same database.
        let noted = store.write(move |conn| {
            if let Err(wrong) = traces::read(conn)?.judge(&judged) {
                return Ok(Err(wrong));
            }
            traces::note(conn, &judged).map(Ok)
        });
        noted.await??;
        Ok(Self::new(Some(path.to_owned()), held, stamp))
    }

    fn new(path: Option<PathBuf>, ring: Arc<Ring>, stamp: Option<Stamp>) -> Self {
        let held = Held {
            ring,
            stamp,
            looked: clock::now(),
        };
        let held = RwLock::new(held);
        Self { path, held }
    }

    #[cfg(test)]
    pub(crate) fn fixed(byte: u8) -> Self {
        let key = || Zeroizing::new([byte; 32]);
        Self::new(None, Arc::new(Ring::new(1, key(), key())), None)
    }

    /// Seals for one place. Call it inside the transaction that stores it.
    pub(crate) fn seal(&self, place: &Place, plain: &[u8]) -> Result<Sealed, Fault> {
        let ring = self.look();
        Ok(ring.seal(place, clock::random()?, plain))
    }

    /// Opens what was sealed for this very place.
    pub(crate) fn open(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let ring = Arc::clone(&self.read().ring);
        let opened = match ring.open(place, sealed) {
            Err(Unopened::Version(_)) => self.look().open(place, sealed),
            opened => opened,
        };
        opened.map_err(Fault::Sealed)
    }

    /// The ring for hashes, a second old at most.
    pub(crate) fn recent(&self) -> Arc<Ring> {
        let (ring, looked) = {
            let held = self.read();
            (Arc::clone(&held.ring), held.looked)
        };
        if clock::now().saturating_duration_since(looked) < LOOK_EVERY {
            return ring;
        }
        self.look()
    }

    /// The ring as its file says now. A file that cannot be used changes nothing: the operator
    /// learns of it, and what is sealed stays readable.
    fn look(&self) -> Arc<Ring> {
        let Some(path) = &self.path else {
            return Arc::clone(&self.read().ring);
        };
        let stamp = Stamp::of(path);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.looked = clock::now();
        if stamp.is_some() && stamp != held.stamp {
            match file::read(path) {
                Ok(Some(ring)) => {
                    tracing::info!(active = ring.active(), "the key file was read again");
                    (held.ring, held.stamp) = (Arc::new(ring), stamp);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        path = %path.display(),
                        "the key file was changed and cannot be used; the old keys stay in use"
                    );
                }
            }
        }
        Arc::clone(&held.ring)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}
