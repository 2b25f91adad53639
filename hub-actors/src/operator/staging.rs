//! Where a backup or a restore puts together what is not whole yet: a folder for us alone, gone when
//! that is done. What a killed process left there is swept up by the next one.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

use crate::clock;

/// A folder with the copy of a database and its keys in it.
pub(super) struct Staging {
    folder: TempDir,
    // Says that we live. Some file systems have no locks on folders, and nobody sweeps there.
    _lock: Option<Flock<File>>,
}

impl Staging {
    /// A new one in `folder`, under a name with this beginning.
    pub(super) fn make(folder: &Path, prefix: &str) -> io::Result<Self> {
        sweep(folder, prefix, clock::unix_ms());
        let folder = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(folder)?;
        let lock = lock(folder.path());
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn lock(folder: &Path) -> Option<Flock<File>> {
    let file = File::open(folder).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// A younger one may be about to be locked.
const YOUNG_MS: i64 = 60_000;

/// Removes what is ours, has this beginning, and nobody holds. What cannot be removed stays.
fn sweep(folder: &Path, prefix: &str, now_ms: i64) {
    let me = nix::unistd::geteuid().as_raw();
    let left = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in left {
        let (name, path) = (entry.file_name(), entry.path());
        let old = fs::symlink_metadata(&path).is_ok_and(|about| {
            about.is_dir()
                && about.uid() == me
                && about.mtime().saturating_mul(1_000) < now_ms - YOUNG_MS
        });
        if !old || !name.to_string_lossy().starts_with(prefix) {
            continue;
        }
        let removed = lock(&path).is_some_and(|_lock| fs::remove_dir_all(&path).is_ok());
        tracing::warn!(path = %path.display(), removed, "a process that was killed left a copy behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = ".leapmux-backup-";

    #[test]
    fn nobody_else_may_look_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::make(folder.path(), PREFIX).unwrap();
        let mode = fs::metadata(staging.path()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn what_a_killed_one_left_is_swept_up_and_what_one_that_lives_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let living = Staging::make(folder.path(), PREFIX).unwrap();
        let killed = folder.path().join(".leapmux-backup-killed");
        let other = folder.path().join("other");
        for left in [&killed, &other] {
            fs::create_dir(left).unwrap();
            fs::write(left.join("hub.db"), "copy").unwrap();
        }
        let now_ms = clock::unix_ms();
        sweep(folder.path(), PREFIX, now_ms);
        assert!(killed.exists(), "it is young");
        sweep(folder.path(), PREFIX, now_ms + 2 * YOUNG_MS);
        assert!(!killed.exists());
        assert!(living.path().exists() && other.exists());
    }
}
