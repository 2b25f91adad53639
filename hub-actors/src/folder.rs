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
}

/// Less than this, and the next transactions may not find room for their journal.
const ROOM: u64 = 1024 * 1024;

/// Whether the folder's file system has room for what has to be written down.
pub(crate) fn has_room(folder: &Path) -> bool {
    nix::sys::statvfs::statvfs(folder)
        .is_ok_and(|found| found.blocks_available() * found.fragment_size() >= ROOM)
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
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path.join("hub.lock"))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(FolderError::InUse),
            Err((_, error)) => Err(FolderError::Unwritable(error.into())),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
