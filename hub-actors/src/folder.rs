//! The data folder: ours alone, and only one Hub's at a time.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

/// Why a data folder cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made or written.
    #[error("it cannot be written ({0}); check its owner and rights or name another --data-dir")]
    Unwritable(#[from] io::Error),
    /// Another Hub runs in it.
    #[error("another Hub runs in it; stop that one or name another --data-dir")]
    InUse,
    /// An operator has its database open, which would be replaced.
    #[error("another `leapmux admin` is at work in it; try again when that is done")]
    Operated,
    /// Its database is being replaced.
    #[error("a backup is being restored into it; try again when that is done")]
    Restoring,
}

/// Less than this, and the next transactions may not find room for their journal.
const ROOM: u64 = 1024 * 1024;

/// Whether the folder's file system has room for what has to be written down.
pub(crate) fn has_room(folder: &Path) -> bool {
    nix::sys::statvfs::statvfs(folder)
        .is_ok_and(|found| found.blocks_available() * found.fragment_size() >= ROOM)
}

/// The file that a Hub locks.
pub(crate) const LOCK: &str = "hub.lock";
/// The file that operators lock together, and alone whoever replaces the database.
const OPERATORS: &str = "admin.lock";

/// Whether a Hub runs in a folder, or somebody does what no Hub may run beside. Makes nothing.
pub(crate) fn is_in_use(path: &Path) -> io::Result<bool> {
    let file = match File::open(path.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(false),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, error)) => Err(error.into()),
    }
}

/// A data folder that nobody else may use until this is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Folder {
    /// Makes the folder where it is missing, and locks it.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        let lock = lock(path, LOCK, FlockArg::LockExclusiveNonblock)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock.ok_or(FolderError::InUse)?,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// An operator's part in a data folder: the database there stays the same file until this is dropped.
/// A Hub needs none, since it has the folder.
pub(crate) struct Part {
    _lock: Flock<File>,
}

impl Part {
    /// Beside other operators.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        let lock = lock(path, OPERATORS, FlockArg::LockSharedNonblock)?;
        let _lock = lock.ok_or(FolderError::Restoring)?;
        Ok(Self { _lock })
    }

    /// Alone, to replace the database.
    pub(crate) fn take_all(path: &Path) -> Result<Self, FolderError> {
        let lock = lock(path, OPERATORS, FlockArg::LockExclusiveNonblock)?;
        let _lock = lock.ok_or(FolderError::Operated)?;
        Ok(Self { _lock })
    }
}

/// Locks a file of a folder, which is made where it is missing; nothing where somebody else has it.
fn lock(folder: &Path, name: &str, how: FlockArg) -> io::Result<Option<Flock<File>>> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    match Flock::lock(options.open(folder.join(name))?, how) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_whether_a_hub_runs_makes_nothing_and_sees_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(!is_in_use(path).unwrap());
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
        let taken = Folder::take(path).unwrap();
        assert!(is_in_use(path).unwrap());
        drop(taken);
        assert!(!is_in_use(path).unwrap());
    }

    #[test]
    fn operators_are_there_together_and_whoever_replaces_the_database_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let parts = (Part::take(path).unwrap(), Part::take(path).unwrap());
        assert!(matches!(Part::take_all(path), Err(FolderError::Operated)));
        drop(parts);
        let _all = Part::take_all(path).unwrap();
        assert!(matches!(Part::take(path), Err(FolderError::Restoring)));
    }
}
