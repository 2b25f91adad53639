//! The last step of a restore: what was checked takes the place of what is there.
//!
//! Whatever ends it in between, what was there is whole in a folder of its own, and under the
//! database's name is either the old one, with its newest changes, or the new one. The keys come
//! first: a Hub that is started in between finds keys that do not fit, and says so.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use zeroize::Zeroizing;

use super::backup::{BackupError, KEY_FILES, Manifest, failed, key_path};
use crate::{
    clock,
    config::HubConfig,
    private_file,
    store::{open::FILE, sqlite_file},
};

/// What SQLite keeps beside a database, and takes for a part of whichever has the name.
const JOURNALS: [&str; 3] = ["hub.db-wal", "hub.db-shm", "hub.db-journal"];

/// Files that would be replaced.
pub(super) fn there(config: &HubConfig) -> Vec<PathBuf> {
    let database = [FILE].into_iter().chain(JOURNALS);
    let database = database.map(|name| config.data_dir.join(name));
    let keys = KEY_FILES.map(|name| key_path(config, name));
    database.chain(keys).filter(|path| path.exists()).collect()
}

/// What a swap has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The old database's journal is in its file.
    Settled,
    /// What was there has a second name.
    Kept,
    /// The new keys are in place.
    Keyed,
    /// The old database has no journal.
    Cleared,
    /// The new one has the name.
    Renamed,
}

/// Replaces database and keys by those in the staging folder; where what was there is now.
pub(super) fn swap(
    config: &HubConfig,
    staging: &Path,
    manifest: &Manifest,
) -> Result<Option<PathBuf>, BackupError> {
    let _held = Held::signals();
    swap_by(config, staging, manifest, &mut |_| Ok(()))
}

/// The same, and after each step `go_on` may end it there, as a crash would.
fn swap_by(
    config: &HubConfig,
    staging: &Path,
    manifest: &Manifest,
    go_on: &mut dyn FnMut(Step) -> io::Result<()>,
) -> Result<Option<PathBuf>, BackupError> {
    let said = |source| failed(&config.data_dir, source);
    settle_journal(&config.data_dir.join(FILE));
    go_on(Step::Settled).map_err(said)?;
    let aside = keep_aside(config)?;
    let mut put = || {
        go_on(Step::Kept)?;
        put_in_place(config, staging, manifest, go_on)
    };
    match (put(), aside) {
        (Ok(()), aside) => Ok(aside),
        (Err(source), None) => Err(said(source)),
        (Err(source), Some(aside)) => Err(BackupError::Unfinished { aside, source }),
    }
}

/// Brings the journal into the database's file, as its next start would, so that the file alone is all
/// of it. What is too damaged for that is kept as it is, journal and all.
fn settle_journal(database: &Path) {
    if !sqlite_file::has_magic(database) {
        return;
    }
    let conn = SqliteConnection::establish(&database.to_string_lossy());
    let settled = conn.is_ok_and(|mut conn| {
        let checkpoint = "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)";
        conn.batch_execute(checkpoint).is_ok()
    });
    tracing::debug!(settled, "the old database's journal");
}

/// Gives what is there a place of its own, whole before anything of it is replaced.
fn keep_aside(config: &HubConfig) -> Result<Option<PathBuf>, BackupError> {
    let there = there(config);
    if there.is_empty() {
        return Ok(None);
    }
    let name = format!("before-restore-{}", clock::unix_ms());
    let folder = config.data_dir.join(name);
    let keep = || {
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        for path in &there {
            let kept = folder.join(path.file_name().unwrap_or_default());
            // Another name for the same file: the first is there until something takes its place.
            if fs::hard_link(path, &kept).is_err() {
                fs::copy(path, &kept)?;
                sync(&kept)?;
            }
        }
        sync(&folder)?;
        sync(&config.data_dir)
    };
    keep().map_err(|source| failed(&folder, source))?;
    Ok(Some(folder))
}

fn put_in_place(
    config: &HubConfig,
    staging: &Path,
    manifest: &Manifest,
    go_on: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    for name in KEY_FILES {
        let target = key_path(config, name);
        if manifest.files.iter().any(|listed| listed.name == name) {
            // It may belong on another file system than the data folder.
            let content = Zeroizing::new(fs::read(staging.join(name))?);
            private_file::write(&target, &content)?;
        } else {
            // A key of another age would be taken for one that contradicts the restored.
            private_file::remove(&target)?;
        }
    }
    go_on(Step::Keyed)?;
    for name in JOURNALS {
        private_file::remove(&config.data_dir.join(name))?;
    }
    go_on(Step::Cleared)?;
    fs::rename(staging.join(FILE), config.data_dir.join(FILE))?;
    sync(&config.data_dir)?;
    go_on(Step::Renamed)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Signals that would end us wait until this is dropped. No other thread runs meanwhile that could
/// take them.
struct Held {
    before: Option<SigSet>,
}

impl Held {
    fn signals() -> Self {
        let mut set = SigSet::empty();
        for signal in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
        ] {
            set.add(signal);
        }
        Self {
            before: set.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok(),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            // One that was set can be set again.
            let _set = before.thread_set_mask();
        }
    }
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
