//! A backup put in the place of what was there: checked to the last byte first, swapped in then, and
//! what it would bring back to life is ended before anybody can use it.
//!
//! The data folder's lock is held throughout, so no Hub runs. What was there is kept aside.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use blake2::{Blake2b, Digest as _};
use diesel::{
    Connection as _, ExpressionMethods as _, RunQueryDsl as _, connection::SimpleConnection as _,
};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    OperatorError,
    backup::{
        BackupError, FORMAT, FORMAT_VERSION, Hashing, KEY_FILES, Listed, Manifest, failed, key_path,
    },
    check_owner, operating_system_user, sessions, take,
};
use crate::{
    clock,
    config::{HubConfig, StorageKind},
    error::Fault,
    keyring::{file, traces},
    notes::{Author, Notes},
    private_file,
    store::{
        Connection,
        audit::{self, Actor, Object},
        ledger::Reason,
        migrate,
        open::{DatabaseError, FILE, Origin},
        sqlite_file,
        tables::{
            authorisations, device_logins, invitations, mail_codes, oauth_states, registration_keys,
        },
    },
};

/// What is to become of what is there, and of what comes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restoring {
    /// A database that is there is kept aside, and an audit log that is not whole is put up with.
    pub force: bool,
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
    let lock = take(&config.data_dir)?;
    let there = there(config);
    if !there.is_empty() && !restoring.force {
        return Err(BackupError::NotEmpty(config.data_dir.clone()).into());
    }
    let staging = tempfile::Builder::new()
        .prefix(".leapmux-restore-")
        .tempdir_in(&config.data_dir)
        .map_err(|source| failed(&config.data_dir, source))?;
    let manifest = unpack(from, staging.path())?;
    let revoked = settle(staging.path(), &manifest, restoring)?;
    let kept_aside = keep_aside(config, &there)?;
    put_in_place(config, staging.path(), &manifest)
        .map_err(|source| failed(&config.data_dir, source))?;
    drop(lock);
    Ok(Restored {
        made_unix_ms: manifest.made_unix_ms,
        leapmux: manifest.leapmux,
        revoked,
        kept_aside,
    })
}

/// Files that would be replaced.
fn there(config: &HubConfig) -> Vec<PathBuf> {
    let wal = [FILE, "hub.db-wal", "hub.db-shm"].map(|name| config.data_dir.join(name));
    let keys = KEY_FILES.map(|name| key_path(config, name));
    let there = wal.into_iter().chain(keys);
    there.filter(|path| path.exists()).collect()
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

/// Checks the database in the staging folder, brings it to this version, and ends what must not live
/// again; how many logins and tokens.
fn settle(staging: &Path, manifest: &Manifest, restoring: Restoring) -> Result<u32, OperatorError> {
    let path = staging.join(FILE);
    let origin = sqlite_file::origin(&path).map_err(BackupError::Database)?;
    if origin != Origin::Found {
        return Err(BackupError::Database(DatabaseError::NotADatabase).into());
    }
    let conn = sqlite_file::prepare(&path, origin, BUSY);
    let mut conn = conn.map_err(BackupError::Database)?;
    migrate::sqlite(&mut conn).map_err(BackupError::Database)?;
    let mut conn = Connection::Sqlite(conn);
    check_audit(&mut conn, manifest, restoring)?;
    check_keys(staging, &mut conn)?;
    let revoked = conn.transaction(|conn| end(conn, restoring))?;
    if let Connection::Sqlite(conn) = &mut conn {
        // One file again, to be moved as one.
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
            .map_err(Fault::from)?;
    }
    drop(conn);
    let synced = File::open(&path).and_then(|file| file.sync_all());
    synced.map_err(|source| failed(&path, source))?;
    Ok(revoked)
}

fn check_audit(
    conn: &mut Connection,
    manifest: &Manifest,
    restoring: Restoring,
) -> Result<(), OperatorError> {
    let head = audit::from_hex(&manifest.audit_head).map(|hash| audit::Head {
        seq: manifest.audit_seq,
        hash,
    });
    match audit::verify(conn, head.as_ref())? {
        Err(broken) if !restoring.force => Err(BackupError::Audit(broken.to_string()).into()),
        Ok(_) | Err(_) => Ok(()),
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

/// Whatever was revoked, used or replaced since the backup would be good again: nothing of it is.
fn end(conn: &mut Connection, restoring: Restoring) -> Result<u32, Fault> {
    let (mut notes, now_ms) = (Notes::default(), clock::unix_ms());
    let mut ended = 0;
    if !restoring.keep_sessions {
        ended = sessions::end_all(conn, &mut notes, Reason::ForcedOut, now_ms)?;
        diesel::delete(registration_keys::table).execute(conn)?;
        diesel::delete(mail_codes::table).execute(conn)?;
        diesel::delete(oauth_states::table).execute(conn)?;
        diesel::delete(device_logins::table).execute(conn)?;
        diesel::delete(authorisations::table).execute(conn)?;
        let links = invitations::table;
        diesel::delete(diesel::QueryDsl::filter(
            links,
            invitations::secret_hash.is_not_null(),
        ))
        .execute(conn)?;
    }
    notes.audit("database.restored", Object::Database, "");
    let author = Author {
        actor: Actor::Operator,
        id: operating_system_user(),
        address: String::new(),
    };
    notes.write(conn, &author, now_ms)?;
    Ok(ended)
}

/// Gives what is there a place of its own, whole before anything of it is replaced.
fn keep_aside(config: &HubConfig, there: &[PathBuf]) -> Result<Option<PathBuf>, OperatorError> {
    if there.is_empty() {
        return Ok(None);
    }
    let folder = config
        .data_dir
        .join(format!("before-restore-{}", clock::unix_ms() / 1_000));
    let said = |source| failed(&folder, source);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(said)?;
    for path in there {
        let name = path.file_name().unwrap_or_default();
        // Another name for the same file: the first is there until something takes its place.
        fs::hard_link(path, folder.join(name))
            .or_else(|_| fs::copy(path, folder.join(name)).map(drop))
            .map_err(said)?;
    }
    let synced = File::open(&folder).and_then(|folder| folder.sync_all());
    synced.map_err(said)?;
    Ok(Some(folder))
}

/// The journal of the old database first, its own file last: a Hub that is started in between finds
/// the old database without its newest changes, or new keys that do not fit, and says so.
fn put_in_place(config: &HubConfig, staging: &Path, manifest: &Manifest) -> io::Result<()> {
    for name in ["hub.db-wal", "hub.db-shm"] {
        match fs::remove_file(config.data_dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for name in KEY_FILES {
        let target = key_path(config, name);
        if manifest.files.iter().any(|listed| listed.name == name) {
            // It may belong on another file system than the data folder.
            let content = Zeroizing::new(fs::read(staging.join(name))?);
            private_file::write(&target, &content)?;
        } else if target.exists() {
            // A key of another age would be taken for one that contradicts the restored.
            fs::remove_file(&target)?;
        }
    }
    fs::rename(staging.join(FILE), config.data_dir.join(FILE))?;
    File::open(&config.data_dir)?.sync_all()
}
