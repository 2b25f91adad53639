//! One file with everything that a Hub on SQLite cannot do without: the database as it was at one
//! moment, and the keys that belong to it. It is written while the Hub runs.
//!
//! A tar archive, its first entry a manifest with the checksums of the others, so that what was cut or
//! damaged is noticed before anything is replaced. It holds no credential that opens an account: the
//! access token stays out, and the database has only hashes. Whoever has it can still guess passwords
//! and open what is sealed, so it is for safe places.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use blake2::{Blake2b, Digest as _, digest::consts::U32};
use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Text},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Operator, OperatorError, staging::Staging};
use crate::{
    clock,
    config::{HubConfig, StorageKind},
    error::Fault,
    keyring::{KeyringError, file, traces},
    private_file,
    store::{
        Connection,
        audit::{self, Object},
        open::{DatabaseError, FILE},
    },
};

/// Why there is no backup, or none that can be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is a server's.
    #[error(
        "this Hub's database is a PostgreSQL server's, which has its own tools: run `pg_dump \
         --format=custom`, and copy the key file with it; see docs/administration.md"
    )]
    Postgres,
    /// Nothing is overwritten.
    #[error("{} exists: name another file", .0.display())]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The keys change all the time.
    #[error("the key file changed while it was read; try again when the rotation is over")]
    KeysChanging,
    /// It is something else, or not all of it.
    #[error("{} is not a whole backup: {why}; take another one", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        why: &'static str,
    },
    /// A later program made it.
    #[error("a newer leapmux made it: restore it with that version")]
    Newer,
    /// Something would be replaced.
    #[error(
        "the data folder {} has a database already; with --force it is kept aside under another name",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// The database in it cannot be used.
    #[error("the database in it: {0}")]
    Database(#[from] DatabaseError),
    /// The keys in it are not those of the database in it.
    #[error("the keys in it are not those of the database in it; take another backup")]
    Keys,
    /// The keys beside a database are not its own.
    #[error("the key file is not the one of this database, so this would be no backup: {0}")]
    KeyFile(KeyringError),
    /// Its audit log was changed.
    #[error(
        "its audit log is not whole: {0}; if it shall be restored even so, add --accept-broken-audit"
    )]
    Audit(String),
    /// It ended in the middle.
    #[error(
        "the restore is not finished ({source}); what was there is whole in {}: mend that, and run \
         it again with --force before a Hub is started", aside.display()
    )]
    Unfinished {
        /// Where what was there is.
        aside: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What stands in front of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) format_version: u32,
    /// The version of the program that made it.
    pub(super) leapmux: String,
    pub(super) made_unix_ms: i64,
    /// How far the audit log went.
    pub(super) audit_seq: i64,
    pub(super) audit_head: String,
    pub(super) files: Vec<Listed>,
}

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// In hex.
    pub(super) blake2b_256: String,
}

pub(super) const FORMAT: &str = "leapmux hub backup";
pub(super) const FORMAT_VERSION: u32 = 1;
pub(super) const MANIFEST: &str = "manifest.json";
/// The names of key files in an archive.
pub(super) const KEY_FILES: [&str; 2] = [file::NAME, file::OLD_PEPPER];
/// More than any key file has.
const KEYS_MAX: u64 = 1024 * 1024;
/// Times that keys may change under our hands.
const TRIES: u32 = 5;
/// Between them: a transaction that changes keys is over by then.
const PAUSE: Duration = Duration::from_millis(200);

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Where it is.
    pub file: PathBuf,
    /// How large.
    pub bytes: u64,
    /// When, in milliseconds since 1970.
    pub made_unix_ms: i64,
    /// How far its audit log goes.
    pub audit_entries: i64,
    /// With the number, the head to keep elsewhere.
    pub audit_head: String,
}

/// Writes database and keys into one file, while the Hub runs or not. The database may be of an older
/// version: this is what to do before it is brought to this one.
///
/// # Errors
///
/// [`OperatorError`]; an existing file is left alone.
pub async fn back_up(config: HubConfig, to: &Path) -> Result<Backup, OperatorError> {
    if config.storage.kind != StorageKind::Sqlite {
        return Err(BackupError::Postgres.into());
    }
    if to.try_exists().map_err(|source| failed(to, source))? {
        return Err(BackupError::Exists(to.to_owned()).into());
    }
    let (operator, standing) = Operator::open_any(config).await?;
    let age = if standing.pending.is_empty() {
        Age::Current
    } else {
        Age::Older
    };
    operator.back_up(to, age).await
}

/// Of which version a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Current,
    /// Not every table is there.
    Older,
}

impl Operator {
    async fn back_up(&self, to: &Path, age: Age) -> Result<Backup, OperatorError> {
        let beside = folder_of(to);
        let staging = Staging::make(beside, ".leapmux-backup-");
        let staging = staging.map_err(|source| failed(beside, source))?;
        if age == Age::Current {
            self.write_down().await;
        }
        let database = staging.path().join(FILE);
        let keys = self.snapshot(&database, age).await?;
        let (config, to) = (self.config.clone(), to.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            let made = write(&config, staging.path(), &keys, &to);
            drop(staging);
            made
        });
        Ok(written.await.map_err(|_| Fault::Task)??)
    }

    /// Whoever has a backup has all of it, so it is written down first. A database that takes no
    /// changes any more is backed up all the same.
    async fn write_down(&self) {
        let written = self.order(|_, notes| {
            notes.audit("database.backed_up", Object::Database, "");
            Ok(Ok(()))
        });
        if let Err(error) = written.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the audit log does not know of this backup");
        }
    }

    /// Copies the database at one moment, with the keys that it had at that moment. While a pepper is
    /// replaced, those are neither the file's of before nor of after.
    async fn snapshot(&self, to: &Path, age: Age) -> Result<Keys, OperatorError> {
        let mut why = BackupError::KeysChanging;
        for tried in 0..TRIES {
            if tried > 0 {
                fs::remove_file(to).map_err(|source| failed(to, source))?;
                tokio::time::sleep(PAUSE).await;
            }
            // SQLite would make a file that everybody may read, so it finds an empty one.
            let mut options = OpenOptions::new();
            let made = options.write(true).create_new(true).mode(0o600).open(to);
            drop(made.map_err(|source| failed(to, source))?);
            let (before, path) = (keys(&self.config)?, to.to_owned());
            let taken = self.ask(move |conn| {
                copy(conn, &path)?;
                Ok(match age {
                    Age::Current => judge(&path, &before).map(|()| before),
                    Age::Older => Ok(before),
                })
            });
            match taken.await? {
                Ok(before) if before == keys(&self.config)? => return Ok(before),
                Ok(_) => why = BackupError::KeysChanging,
                Err(wrong) => why = wrong,
            }
        }
        Err(why.into())
    }
}

fn folder_of(file: &Path) -> &Path {
    let folder = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Contents of key files, by their names in an archive.
type Keys = Vec<(&'static str, Zeroizing<Vec<u8>>)>;

/// Reads in one transaction; whoever writes meanwhile does not wait.
fn copy(conn: &mut Connection, to: &Path) -> diesel::QueryResult<()> {
    if let Connection::Sqlite(conn) = conn {
        diesel::sql_query("VACUUM INTO ?")
            .bind::<Text, _>(to.to_string_lossy())
            .execute(conn)?;
    }
    Ok(())
}

/// Whether these are the keys of a copy.
fn judge(database: &Path, keys: &Keys) -> Result<(), BackupError> {
    // An older version's pepper.key is taken over at the next start, which looks for itself.
    let Some((_, text)) = keys.iter().find(|(name, _)| *name == file::NAME) else {
        return Ok(());
    };
    let ring = file::parse(text).map_err(BackupError::KeyFile)?;
    let traces = traces::read(&mut open(database)?);
    let traces = traces.map_err(|_| BackupError::Database(DatabaseError::Corrupt))?;
    traces.judge(&ring).map_err(BackupError::KeyFile)
}

/// Where a key file of this name in an archive stands.
pub(super) fn key_path(config: &HubConfig, name: &str) -> PathBuf {
    if name == file::NAME {
        return config.key_file();
    }
    config.data_dir.join(name)
}

fn keys(config: &HubConfig) -> Result<Keys, BackupError> {
    let mut keys = Vec::new();
    for name in KEY_FILES {
        let path = key_path(config, name);
        match private_file::read(&path, KEYS_MAX) {
            Ok(Some(content)) => keys.push((name, Zeroizing::new(content))),
            Ok(None) => {}
            Err(source) => return Err(failed(&path, io::Error::other(source))),
        }
    }
    Ok(keys)
}

fn write(
    config: &HubConfig,
    staging: &Path,
    keys: &Keys,
    to: &Path,
) -> Result<Backup, BackupError> {
    if keys.is_empty() {
        return Err(failed(&config.key_file(), io::ErrorKind::NotFound.into()));
    }
    let database = staging.join(FILE);
    let mut files = vec![list_file(&database, FILE)?];
    for (name, content) in keys {
        files.push(Listed {
            name: (*name).to_owned(),
            bytes: content.len() as u64,
            blake2b_256: audit::hex(&Blake2b::<U32>::digest(content.as_slice())),
        });
    }
    let head = newest(&database)?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        leapmux: env!("CARGO_PKG_VERSION").to_owned(),
        made_unix_ms: clock::unix_ms(),
        audit_seq: head.seq,
        audit_head: audit::hex(&head.hash),
        files,
    };
    let archive = staging.join("archive");
    pack(&archive, &manifest, &database, keys).map_err(|source| failed(to, source))?;
    let bytes = fs::metadata(&archive)
        .map_err(|source| failed(to, source))?
        .len();
    // A link, not a rename: it fails where a file of this name has come in between.
    fs::hard_link(&archive, to).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            BackupError::Exists(to.to_owned())
        } else {
            failed(to, source)
        }
    })?;
    let folder = File::open(folder_of(to));
    let synced = folder.and_then(|folder| folder.sync_all());
    synced.map_err(|source| failed(to, source))?;
    Ok(Backup {
        file: to.to_owned(),
        bytes,
        made_unix_ms: manifest.made_unix_ms,
        audit_entries: manifest.audit_seq,
        audit_head: manifest.audit_head,
    })
}

fn pack(to: &Path, manifest: &Manifest, database: &Path, keys: &Keys) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(to)?;
    let mut archive = tar::Builder::new(io::BufWriter::new(file));
    let at_s = u64::try_from(manifest.made_unix_ms / 1_000).unwrap_or_default();
    let header = |bytes: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(at_s);
        header
    };
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut add = |name: &str, bytes: u64, content: &mut dyn io::Read| {
        archive.append_data(&mut header(bytes), name, content)
    };
    add(MANIFEST, text.len() as u64, &mut text.as_slice())?;
    let mut database = File::open(database)?;
    add(FILE, database.metadata()?.len(), &mut database)?;
    for (name, content) in keys {
        add(name, content.len() as u64, &mut content.as_slice())?;
    }
    let mut file = archive.into_inner()?;
    file.flush()?;
    file.into_inner()?.sync_all()
}

fn list_file(path: &Path, name: &str) -> Result<Listed, BackupError> {
    let said = |source| failed(path, source);
    let mut file = File::open(path).map_err(said)?;
    let mut hash = Hashing(Blake2b::new());
    let bytes = io::copy(&mut file, &mut hash).map_err(said)?;
    Ok(Listed {
        name: name.to_owned(),
        bytes,
        blake2b_256: audit::hex(&hash.0.finalize()),
    })
}

/// Hashes what is written to it.
pub(super) struct Hashing(pub(super) Blake2b<U32>);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How far the audit log of a copy goes; the first version had none.
fn newest(database: &Path) -> Result<audit::Head, BackupError> {
    #[derive(QueryableByName)]
    struct Table {
        #[diesel(sql_type = BigInt)]
        there: i64,
    }
    let conn = &mut open(database)?;
    let there = "SELECT count(*) AS there FROM sqlite_master \
                 WHERE type = 'table' AND name = 'audit_log'";
    let head = match diesel::sql_query(there).get_result::<Table>(conn) {
        Ok(Table { there: 0 }) => Ok(audit::Head::none()),
        Ok(_) => audit::head(conn),
        Err(error) => Err(error.into()),
    };
    head.map_err(|_| BackupError::Database(DatabaseError::Corrupt))
}

fn open(database: &Path) -> Result<Connection, BackupError> {
    let conn = SqliteConnection::establish(&database.to_string_lossy());
    let conn = conn.map_err(|_| BackupError::Database(DatabaseError::Open))?;
    Ok(Connection::Sqlite(conn))
}

pub(super) fn failed(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
