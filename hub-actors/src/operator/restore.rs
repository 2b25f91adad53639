//! A backup put in the place of what was there: checked to the last byte first, swapped in then, and
//! what it would bring back to life is ended before anybody can use it.
//!
//! The data folder's lock is held throughout, so no Hub runs. What was there is kept aside.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use blake2::{Blake2b, Digest as _};
use diesel::{Connection as _, connection::SimpleConnection as _};
use serde::Serialize;

use super::{
    OperatorError,
    backup::{BackupError, FORMAT, FORMAT_VERSION, Hashing, KEY_FILES, Listed, Manifest, failed},
    check_owner, operating_system_user, rewind,
    staging::Staging,
    swap::{swap, there},
    take,
};
use crate::{
    clock,
    config::{HubConfig, StorageKind},
    error::Fault,
    folder::Part,
    keyring::{file, traces},
    notes::{Author, Notes},
    start::StartError,
    store::{
        Connection,
        audit::{self, Actor, Object},
        migrate,
        open::{DatabaseError, FILE, Origin},
        sqlite_file,
    },
};

/// What is to become of what is there, and of what comes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restoring {
    /// A database that is there is kept aside.
    pub force: bool,
    /// An audit log that is not whole is put up with.
    pub accept_broken_audit: bool,
    /// Logins, tokens and codes come back as they were, those too that were revoked since.
    pub keep_sessions: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// When the backup was made, in milliseconds since 1970.
    pub made_unix_ms: i64,
    /// By which version.
    pub leapmux: String,
    /// Logins and tokens of the backup that were ended.
    pub revoked: u32,
    /// What is wrong with its audit log, where that was put up with.
    pub broken_audit: Option<String>,
    /// Where what was there before is now.
    pub kept_aside: Option<PathBuf>,
}

/// Puts a backup in the place of a Hub's database and keys. Blocking.
///
/// # Errors
///
/// [`OperatorError`]; as long as anything is wrong with the backup, nothing is touched.
pub fn restore(
    config: &HubConfig,
    from: &Path,
    restoring: Restoring,
) -> Result<Restored, OperatorError> {
    if config.storage.kind != StorageKind::Sqlite {
        return Err(BackupError::Postgres.into());
    }
    check_owner(&config.data_dir)?;
    let _hub = take(&config.data_dir)?;
    let _operators = Part::take_all(&config.data_dir).map_err(|source| StartError::Folder {
        path: config.data_dir.clone(),
        source,
    })?;
    if !there(config).is_empty() && !restoring.force {
        return Err(BackupError::NotEmpty(config.data_dir.clone()).into());
    }
    let staging = Staging::make(&config.data_dir, ".leapmux-restore-");
    let staging = staging.map_err(|source| failed(&config.data_dir, source))?;
    let manifest = unpack(from, staging.path())?;
    let settled = settle(staging.path(), &manifest, restoring)?;
    let kept_aside = swap(config, staging.path(), &manifest)?;
    Ok(Restored {
        made_unix_ms: manifest.made_unix_ms,
        leapmux: manifest.leapmux,
        revoked: settled.revoked,
        broken_audit: settled.broken_audit,
        kept_aside,
    })
}

/// More than any manifest has.
const MANIFEST_MAX: u64 = 1024 * 1024;

/// Unpacks an archive and compares every byte with its manifest.
fn unpack(from: &Path, to: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why| BackupError::Damaged {
        path: from.to_owned(),
        why,
    };
    let broken = |_: io::Error| damaged("it is no archive, or was cut");
    let file = File::open(from).map_err(|source| failed(from, source))?;
    let mut archive = tar::Archive::new(io::BufReader::new(file));
    let mut entries = archive.entries().map_err(broken)?;
    let first = entries.next().ok_or_else(|| damaged("it is empty"))?;
    let manifest = manifest(&mut first.map_err(broken)?, from)?;
    let mut missing = manifest.files.clone();
    for entry in entries {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let found = missing.iter().position(|one| path == Path::new(&one.name));
        let Some(found) = found else {
            return Err(damaged(
                "there is a file in it that its manifest does not know",
            ));
        };
        let listed = missing.swap_remove(found);
        if !is_known(&listed.name) || entry.header().entry_type() != tar::EntryType::Regular {
            return Err(damaged("there is something in it that no backup has"));
        }
        let target = to.join(&listed.name);
        let whole = unpack_one(&mut entry, &target, &listed);
        if !whole.map_err(|source| failed(from, source))? {
            return Err(damaged("a checksum does not fit"));
        }
    }
    let has_keys = manifest
        .files
        .iter()
        .any(|one| KEY_FILES.contains(&one.name.as_str()));
    if !missing.is_empty() || !has_keys || !to.join(FILE).exists() {
        return Err(damaged("a file is missing in it"));
    }
    Ok(manifest)
}

fn is_known(name: &str) -> bool {
    name == FILE || KEY_FILES.contains(&name)
}

fn manifest(entry: &mut impl io::Read, from: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why| BackupError::Damaged {
        path: from.to_owned(),
        why,
    };
    let mut text = Vec::new();
    let read = entry.take(MANIFEST_MAX).read_to_end(&mut text);
    read.map_err(|_| damaged("it was cut"))?;
    let known = serde_json::from_slice::<Manifest>(&text);
    let version = serde_json::from_slice::<serde_json::Value>(&text)
        .ok()
        .filter(|any| any.get("format").is_some_and(|format| format == FORMAT))
        .and_then(|any| {
            any.get("format_version")
                .and_then(serde_json::Value::as_u64)
        });
    match (version, known) {
        (Some(version), _) if version > u64::from(FORMAT_VERSION) => Err(BackupError::Newer),
        (Some(_), Ok(manifest)) => Ok(manifest),
        _ => Err(damaged("it does not begin with the manifest of a backup")),
    }
}

/// Whether it is what was listed.
fn unpack_one(entry: &mut impl io::Read, to: &Path, listed: &Listed) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(to)?;
    let mut hash = Hashing(Blake2b::new());
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    // One byte more than listed is enough to see that there is more.
    let mut entry = entry.take(listed.bytes.saturating_add(1));
    loop {
        let read = entry.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            break;
        };
        bytes += piece.len() as u64;
        hash.write_all(piece)?;
        file.write_all(piece)?;
    }
    file.sync_all()?;
    Ok(bytes == listed.bytes && audit::hex(&hash.0.finalize()) == listed.blake2b_256)
}

/// For SQLite's lock on a file that nobody else has.
const BUSY: Duration = Duration::from_secs(5);

/// What came of settling.
struct Settled {
    revoked: u32,
    broken_audit: Option<String>,
}

/// Checks the database in the staging folder, brings it to this version, and ends what must not live
/// again.
fn settle(
    staging: &Path,
    manifest: &Manifest,
    restoring: Restoring,
) -> Result<Settled, OperatorError> {
    let path = staging.join(FILE);
    let origin = sqlite_file::origin(&path).map_err(BackupError::Database)?;
    if origin != Origin::Found {
        return Err(BackupError::Database(DatabaseError::NotADatabase).into());
    }
    let conn = sqlite_file::prepare(&path, origin, BUSY);
    let mut conn = conn.map_err(BackupError::Database)?;
    migrate::sqlite(&mut conn).map_err(BackupError::Database)?;
    let mut conn = Connection::Sqlite(conn);
    let broken_audit = check_audit(&mut conn, manifest, restoring)?;
    check_keys(staging, &mut conn)?;
    let detail = broken_audit.as_ref().map_or("", |_| "broken_audit");
    let revoked = conn.transaction(|conn| step_back(conn, restoring, detail))?;
    if let Connection::Sqlite(conn) = &mut conn {
        // One file again, to be moved as one.
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
            .map_err(Fault::from)?;
    }
    drop(conn);
    let synced = File::open(&path).and_then(|file| file.sync_all());
    synced.map_err(|source| failed(&path, source))?;
    Ok(Settled {
        revoked,
        broken_audit,
    })
}

/// What is wrong with the audit log, where that is put up with.
fn check_audit(
    conn: &mut Connection,
    manifest: &Manifest,
    restoring: Restoring,
) -> Result<Option<String>, OperatorError> {
    let head = audit::from_hex(&manifest.audit_head).map(|hash| audit::Head {
        seq: manifest.audit_seq,
        hash,
    });
    match audit::verify(conn, head.as_ref())? {
        Ok(_) => Ok(None),
        Err(broken) if restoring.accept_broken_audit => Ok(Some(broken.to_string())),
        Err(broken) => Err(BackupError::Audit(broken.to_string()).into()),
    }
}

/// Whether the keys beside it are those of the database.
fn check_keys(staging: &Path, conn: &mut Connection) -> Result<(), OperatorError> {
    let keys = |_| BackupError::Keys;
    // An older version's pepper.key is taken over at the next start, which looks for itself.
    let Some(ring) = file::read(&staging.join(file::NAME)).map_err(keys)? else {
        return Ok(());
    };
    Ok(traces::read(conn)?.judge(&ring).map_err(keys)?)
}

/// Ends what must not live again, and writes down that this is a database of another day.
fn step_back(
    conn: &mut Connection,
    restoring: Restoring,
    detail: &'static str,
) -> Result<u32, Fault> {
    let (mut notes, now_ms) = (Notes::default(), clock::unix_ms());
    let ended = if restoring.keep_sessions {
        0
    } else {
        rewind::end(conn, &mut notes, now_ms)?
    };
    notes.audit_in(None, "database.restored", Object::Database, "", detail);
    let author = Author {
        actor: Actor::Operator,
        id: operating_system_user(),
        address: String::new(),
    };
    notes.write(conn, &author, now_ms)?;
    Ok(ended)
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
