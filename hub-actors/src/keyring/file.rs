//! The key file: whole or not there, ours alone, and never made twice.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use zeroize::Zeroizing;

use super::{
    KeyringError,
    ring::{Key, Ring, RingError, VERSIONS_MAX},
    traces::Traces,
};
use crate::{
    clock,
    error::Fault,
    private_file::{self, PrivateFileError},
};

/// The name in the data folder, where the configuration names no other file.
pub(crate) const NAME: &str = "encryption.key";
/// Where the pepper stood before there were keys.
pub(crate) const OLD_PEPPER: &str = "pepper.key";

/// A line is at most 10 digits, a colon, 44 of base64 and its end.
const SIZE_MAX: u64 = 56 * (VERSIONS_MAX as u64 + 1);

/// What tells one state of a file from another; each writing makes a new inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let about = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: (about.dev(), about.ino()),
            changed: (about.ctime(), about.ctime_nsec()),
            size: about.size(),
        })
    }
}

/// Reads a key file; nothing there is `None`.
pub(crate) fn read(path: &Path) -> Result<Option<Ring>, KeyringError> {
    let Some(content) = private_file::read(path, SIZE_MAX)?.map(Zeroizing::new) else {
        return Ok(None);
    };
    Ok(Some(parse(&content)?))
}

/// What a key file says.
pub(crate) fn parse(content: &[u8]) -> Result<Ring, KeyringError> {
    let text = std::str::from_utf8(content).map_err(|_| RingError::NotText)?;
    Ok(Ring::parse(text)?)
}

/// Writes it: a crash leaves the old keys or the new.
pub(crate) fn write(path: &Path, ring: &Ring) -> Result<(), KeyringError> {
    let written = private_file::write(path, ring.to_text().as_bytes());
    Ok(written.map_err(PrivateFileError::from)?)
}

/// A new one, for a database that has nothing sealed and no hash.
pub(super) fn create(path: &Path) -> Result<Ring, KeyringError> {
    let ring = Ring::new(1, random()?, random()?);
    write(path, &ring)?;
    tracing::info!(path = %path.display(), "a key file was made: back it up with the database");
    Ok(ring)
}

pub(crate) fn random() -> Result<Key, KeyringError> {
    let key = clock::random().map_err(|_: Fault| KeyringError::Random)?;
    Ok(Zeroizing::new(key))
}

/// Reads it, and moves the pepper of an older version into it: the new file is whole before the old
/// one goes, so a crash between leaves both, which say the same.
pub(super) fn take_over(
    path: &Path,
    old_pepper: &Path,
    traces: &Traces,
) -> Result<Option<Ring>, KeyringError> {
    let old = private_file::read(old_pepper, 32)?.map(Zeroizing::new);
    let (ring, old) = match (read(path)?, old) {
        (found, None) => return Ok(found),
        (Some(ring), Some(old)) if ring.pepper().as_slice() == old.as_slice() => (ring, old),
        (Some(_), Some(_)) => return Err(KeyringError::TwoPeppers),
        // The old file is the whole of no database that knows keys.
        (None, Some(_)) if traces.need_keys() => return Err(KeyringError::Missing),
        (None, Some(old)) => {
            let pepper = <[u8; 32]>::try_from(old.as_slice()).map_err(|_| RingError::NoPepper)?;
            let ring = Ring::new(1, random()?, Zeroizing::new(pepper));
            write(path, &ring)?;
            (ring, old)
        }
    };
    drop(old);
    private_file::remove(old_pepper).map_err(PrivateFileError::from)?;
    tracing::info!(path = %path.display(), "the pepper is in the key file now, pepper.key is gone");
    Ok(Some(ring))
}
