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
};

use blake2::{Blake2b, Digest as _, digest::consts::U32};
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection, sql_types::Text};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Operator, OperatorError};
use crate::{
    clock,
    config::HubConfig,
    error::Fault,
    keyring::file,
    private_file,
    store::{
        Connection, audit,
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
    /// Its audit log was changed.
    #[error("its audit log is not whole: {0}; if it shall be restored even so, add --force")]
    Audit(String),
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

impl Operator {
    /// Writes database and keys into one file, while the Hub runs or not.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; an existing file is left alone.
    pub async fn back_up(&self, to: &Path) -> Result<Backup, OperatorError> {
        if !self.is_sqlite() {
            return Err(BackupError::Postgres.into());
        }
        if to.try_exists().map_err(|source| failed(to, source))? {
            return Err(BackupError::Exists(to.to_owned()).into());
        }
        let beside = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        let beside = beside.unwrap_or_else(|| Path::new("."));
        let staging = tempfile::Builder::new()
            .prefix(".leapmux-backup-")
            .tempdir_in(beside);
        let staging = staging.map_err(|source| failed(beside, source))?;
        let database = staging.path().join(FILE);
        let keys = self.snapshot(&database).await?;
        let (config, to) = (self.config.clone(), to.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            let made = write(&config, staging.path(), &keys, &to);
            drop(staging);
            made
        });
        Ok(written.await.map_err(|_| Fault::Task)??)
    }

    /// Copies the database at one moment, with the keys that it had at that moment.
    async fn snapshot(&self, to: &Path) -> Result<Keys, OperatorError> {
        for _ in 0..TRIES {
            let before = keys(&self.config)?;
            let path = to.to_string_lossy().into_owned();
            self.ask(move |conn| Ok(copy(conn, &path)?)).await?;
            let after = keys(&self.config)?;
            if before == after {
                return Ok(after);
            }
            fs::remove_file(to).map_err(|source| failed(to, source))?;
        }
        Err(BackupError::KeysChanging.into())
    }
}

/// Contents of key files, by their names in an archive.
type Keys = Vec<(&'static str, Zeroizing<Vec<u8>>)>;

/// Reads in one transaction; whoever writes meanwhile does not wait.
fn copy(conn: &mut Connection, to: &str) -> diesel::QueryResult<()> {
    if let Connection::Sqlite(conn) = conn {
        diesel::sql_query("VACUUM INTO ?")
            .bind::<Text, _>(to)
            .execute(conn)?;
    }
    Ok(())
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
    let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or_else(|| Path::new(".")));
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

fn newest(database: &Path) -> Result<audit::Head, BackupError> {
    let conn = SqliteConnection::establish(&database.to_string_lossy());
    let conn = conn.map_err(|_| BackupError::Database(DatabaseError::Open))?;
    let head = audit::head(&mut Connection::Sqlite(conn));
    head.map_err(|_| BackupError::Database(DatabaseError::Corrupt))
}

pub(super) fn failed(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
