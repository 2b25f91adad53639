//! What the operator does with the key file: `leapmux admin encryption-key`.
//!
//! Each works while Hubs run. Whatever changes the file does so inside a transaction that writes:
//! there is one of those at a time, whoever's it is, and secrets are sealed inside them only.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{
    KeyringError, file,
    ring::{Ring, VERSIONS_MAX},
    traces,
};
use crate::{
    clock,
    error::Fault,
    notes::{Author, Notes},
    store::{
        Connection, Store,
        audit::Object,
        hashes,
        sealed::{self, Column},
    },
};

/// Why an order about the keys was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum KeyOrderError {
    /// The file cannot be used.
    #[error("key file {}: {source}", path.display())]
    KeyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KeyringError,
    },
    /// The database failed.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// There is no such version.
    #[error("the key file has no version {0}; `leapmux admin encryption-key list` shows all")]
    NoVersion(u32),
    /// It is the one that seals.
    #[error("version {0} is the active one; run `leapmux admin encryption-key rotate` first")]
    Active(u32),
    /// Something was sealed with it.
    #[error(
        "version {version} still seals {rows} rows; run `leapmux admin encryption-key reencrypt` \
         first"
    )]
    Referenced {
        /// Which.
        version: u32,
        /// How many rows.
        rows: u64,
    },
    /// There are as many as there may be.
    #[error(
        "the key file is full; run `leapmux admin encryption-key reencrypt`, then remove old \
         versions"
    )]
    Full,
}

/// One version of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyVersion {
    /// Its number.
    pub version: u32,
    /// Whether it seals.
    pub active: bool,
    /// Rows that were sealed with it.
    pub rows: u64,
}

/// What came of sealing everything anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reencrypted {
    /// With which version.
    pub version: u32,
    /// Rows that were sealed with another one before.
    pub rows: u64,
}

/// What a new pepper took along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unpeppered {
    /// Logins, API tokens, delegations and the data folder's access token.
    pub credentials: u64,
    /// Workers, which have to be registered again.
    pub workers: u64,
    /// Registration keys, invitation links, codes: whatever waited to be used.
    pub others: u64,
}

/// What whoever replaces the pepper has to know before.
pub const PEPPER_WARNING: &str = "\
A new pepper ends every secret that this Hub has given out: all logins and API tokens, delegations, \
registration keys, invitation links and mailed codes, and the tokens of all Workers, which have to \
be registered again. Passwords and linked accounts stay. The access token of the data folder works \
again after the Hub's next start. Do this when the key file may be known to somebody else; give \
--yes to do it.";

/// All versions, oldest first.
pub(crate) async fn list(store: &Store, path: &Path) -> Result<Vec<KeyVersion>, KeyOrderError> {
    let ring = read(path)?;
    let rows = store.run(sealed::references).await?;
    let known = ring.versions().map(|version| KeyVersion {
        version,
        active: version == ring.active(),
        rows: rows.get(&version).copied().unwrap_or_default(),
    });
    Ok(known.collect())
}

/// Adds a key, which seals from now on; its version.
pub(crate) async fn rotate(
    store: &Store,
    path: &Path,
    author: Author,
) -> Result<u32, KeyOrderError> {
    let path = path.to_owned();
    order(store, author, move |conn, notes| {
        let mut ring = read(&path)?;
        let known = traces::read(conn)?;
        known.judge(&ring).map_err(at(&path))?;
        if ring.versions().count() >= VERSIONS_MAX {
            return Err(KeyOrderError::Full);
        }
        let version = known.next_version(&ring).ok_or(KeyOrderError::Full)?;
        ring.add(version, file::random().map_err(at(&path))?);
        file::write(&path, &ring).map_err(at(&path))?;
        // Should this fail, the next start does it.
        traces::note(conn, &ring)?;
        notes.audit(
            "encryption_key.rotated",
            Object::EncryptionKey,
            &version.to_string(),
        );
        Ok(version)
    })
    .await
}

/// Rows in one transaction: few enough that nobody else has to wait long.
const BATCH: i64 = 64;

/// Seals everything with the active key. It can be ended at any point and run again.
pub(crate) async fn reencrypt(
    store: &Store,
    path: &Path,
    author: Author,
) -> Result<Reencrypted, KeyOrderError> {
    let mut rows = 0;
    for column in Column::ALL {
        loop {
            let path = path.to_owned();
            let silent = author.clone();
            let done = order(store, silent, move |conn, _| {
                reseal(conn, &read(&path)?, column)
            });
            match done.await? {
                0 => break,
                some => rows += some,
            }
        }
    }
    let path = path.to_owned();
    let version = order(store, author, move |_, notes| {
        let version = read(&path)?.active();
        notes.audit(
            "encryption_key.reencrypted",
            Object::EncryptionKey,
            &version.to_string(),
        );
        Ok(version)
    });
    let version = version.await?;
    Ok(Reencrypted { version, rows })
}

fn reseal(conn: &mut Connection, ring: &Ring, column: Column) -> Result<u64, KeyOrderError> {
    let mut rows = 0;
    for (place, old) in sealed::behind(conn, column, ring.active(), BATCH)? {
        let plain = ring.open(&place, &old).map_err(Fault::Sealed)?;
        let new = ring.seal(&place, clock::random()?, &plain);
        sealed::replace(conn, &place, &new)?;
        rows += 1;
    }
    Ok(rows)
}

/// Takes away a key that nothing needs.
pub(crate) async fn remove(
    store: &Store,
    path: &Path,
    version: u32,
    author: Author,
) -> Result<(), KeyOrderError> {
    let path = path.to_owned();
    order(store, author, move |conn, notes| {
        let mut ring = read(&path)?;
        if !ring.has(version) {
            return Err(KeyOrderError::NoVersion(version));
        }
        if version == ring.active() {
            return Err(KeyOrderError::Active(version));
        }
        if let Some(rows) = sealed::references(conn)?.get(&version).copied() {
            return Err(KeyOrderError::Referenced { version, rows });
        }
        ring.remove(version);
        file::write(&path, &ring).map_err(at(&path))?;
        // Should this fail, the next start forgets it: nothing refers to it any more.
        traces::note(conn, &ring)?;
        notes.audit(
            "encryption_key.removed",
            Object::EncryptionKey,
            &version.to_string(),
        );
        Ok(())
    })
    .await
}

/// Hubs go on with the old pepper so long, see [`super::Keyring::recent`]; with a second to spare.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

/// Makes a new pepper. Every hash under the old one is worthless from then on, so all that they let
/// in is revoked: once before the new pepper, and once more after `settle`, for what running Hubs
/// gave out in between. Whenever it ends early, it can be run again.
pub(crate) async fn rotate_pepper(
    store: &Store,
    path: &Path,
    author: Author,
    settle: Duration,
) -> Result<Unpeppered, KeyOrderError> {
    let (first, last) = (path.to_owned(), path.to_owned());
    let before = order(store, author.clone(), move |conn, notes| {
        let mut ring = read(&first)?;
        let swept = hashes::sweep(conn, notes, clock::unix_ms())?;
        // From here to the end any pepper is taken for the right one, as none has made anything.
        traces::forget_pepper(conn)?;
        ring.set_pepper(file::random().map_err(at(&first))?);
        file::write(&first, &ring).map_err(at(&first))?;
        Ok(swept)
    });
    let before = before.await?;
    tokio::time::sleep(settle).await;
    let after = order(store, author, move |conn, notes| {
        let swept = hashes::sweep(conn, notes, clock::unix_ms())?;
        traces::forget_pepper(conn)?;
        traces::note(conn, &read(&last)?)?;
        notes.audit("pepper.rotated", Object::EncryptionKey, "pepper");
        Ok(swept)
    });
    let after = after.await?;
    Ok(Unpeppered {
        credentials: before.credentials + after.credentials,
        workers: before.workers + after.workers,
        others: before.others + after.others,
    })
}

fn read(path: &Path) -> Result<Ring, KeyOrderError> {
    let read = file::read(path).and_then(|found| found.ok_or(KeyringError::Missing));
    read.map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(KeyringError) -> KeyOrderError {
    |source| KeyOrderError::KeyFile {
        path: path.to_owned(),
        source,
    }
}

/// One transaction, written down.
async fn order<T: Send + 'static>(
    store: &Store,
    author: Author,
    mut work: impl FnMut(&mut Connection, &mut Notes) -> Result<T, KeyOrderError> + Send + 'static,
) -> Result<T, KeyOrderError> {
    let done = store.write(move |conn| {
        let mut notes = Notes::default();
        match work(conn, &mut notes) {
            Ok(answer) => {
                notes.write(conn, &author, clock::unix_ms())?;
                Ok(Ok(answer))
            }
            // The database may ask for another try.
            Err(KeyOrderError::Fault(fault)) => Err(fault),
            Err(error) => Ok(Err(error)),
        }
    });
    done.await?
}
