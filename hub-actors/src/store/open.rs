//! Which database it is, and opening it: ours, sound, and of our version.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use r2d2::Pool;

use super::{
    Store, migrate,
    pool::{Complaints, OpenError, Opener},
    postgres::{
        ConnectError, Settings,
        dsn::{self, Limits},
    },
    sqlite_file,
};
use crate::{
    config::{HubConfig, StorageKind, ms},
    private_file::PrivateFileError,
};

/// The database's name in the data folder.
pub(crate) const FILE: &str = "hub.db";

/// Connections to an SQLite file: it has one writer; the others read beside it.
const SQLITE_CONNECTIONS: u32 = 4;

/// Why the database cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be created or read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Somebody else may read or write it.
    #[error("{0}")]
    NotPrivate(#[from] PrivateFileError),
    /// The file is something else.
    #[error("it is not an SQLite database; move it away or name another --data-dir")]
    NotADatabase,
    /// The file is another program's database.
    #[error("it is the database of another program; name another --data-dir")]
    Foreign,
    /// A migration is in it that we do not know.
    #[error("a newer leapmux wrote it; start that version or restore the backup made before")]
    Newer,
    /// SQLite found it damaged.
    #[error("it is damaged; restore it from a backup")]
    Corrupt,
    /// It cannot be opened.
    #[error("it cannot be opened; is another program using it?")]
    Open,
    /// A statement of the start failed.
    #[error("it refuses a statement; is the disk full or read-only?")]
    Statement(#[from] diesel::result::Error),
    /// A migration failed and was rolled back.
    #[error(
        "it could not be brought to this version; the old state is unchanged, the log says why"
    )]
    Migration,
    /// The pool could not be filled.
    #[error("its connections cannot be opened in time")]
    Pool(#[from] r2d2::Error),
    /// PostgreSQL cannot be used.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The DSN is not there.
    #[error("storage.type is postgres: give storage.postgres_dsn or storage.postgres_dsn_file")]
    NoDsn,
    /// The DSN's file cannot be used.
    #[error(
        "storage.postgres_dsn_file cannot be read, is longer than 4096 bytes, or others may read it (run `chmod 600` on it)"
    )]
    DsnFile,
    /// The database holds text in another encoding.
    #[error("its encoding is not UTF8; make one with `createdb --encoding=UTF8`")]
    Encoding,
    /// Somebody else brings it to a version, or holds its lock for another reason.
    #[error("somebody else migrates it, and takes long; look for who holds its advisory lock")]
    Migrating,
}

impl From<OpenError> for DatabaseError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sqlite(_) | OpenError::Lost => Self::Open,
            OpenError::Pragma(error) => Self::Statement(error),
            OpenError::Postgres(error) => Self::Connect(error),
        }
    }
}

/// Whether the database was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// We are the first.
    New,
    /// It has a history.
    Found,
}

/// How far a database has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Versions of the migrations that are in it, in order.
    pub(crate) applied: Vec<String>,
    /// And of those that are not.
    pub(crate) pending: Vec<String>,
}

/// A database that may be opened.
pub(crate) enum Storage {
    /// The file of a data folder; the caller holds the folder's lock.
    Sqlite {
        /// Where.
        path: PathBuf,
        /// How long to wait for its lock, or for a connection.
        busy: Duration,
    },
    /// A server that several Hubs may share.
    Postgres {
        /// How to get there.
        settings: Box<Settings>,
        /// How many connections of the pool.
        connections: u32,
        /// How long to wait for one.
        wait: Duration,
    },
}

impl Storage {
    /// The file in a data folder.
    pub(crate) fn sqlite(folder: &Path, busy: Duration) -> Self {
        Self::Sqlite {
            path: folder.join(FILE),
            busy,
        }
    }

    /// What the configuration names.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] where a DSN or a file that it needs cannot be used. Nobody is dialled.
    pub(crate) fn new(config: &HubConfig, folder: &Path) -> Result<Self, DatabaseError> {
        let storage = &config.storage;
        let wait = ms(config.timeouts.database_ms);
        if storage.kind == StorageKind::Sqlite {
            return Ok(Self::sqlite(folder, wait));
        }
        let limits = Limits {
            connect: ms(storage.connect_ms),
            statement: ms(storage.statement_ms),
            lock: wait,
        };
        let dsn = dsn::load(&storage.postgres_dsn, storage.postgres_dsn_file.as_deref())?;
        let settings = Settings::new(&dsn, storage.postgres_ca_file.as_deref(), limits)?;
        Ok(Self::Postgres {
            settings: Box::new(settings),
            connections: storage.connections.max(1),
            wait,
        })
    }

    /// Where it is, for people; never a password.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Sqlite { path, .. } => path.display().to_string(),
            Self::Postgres { settings, .. } => settings.place(),
        }
    }

    /// Whether there is anything in it; nothing is made where there is not. Blocking.
    pub(crate) fn is_there(&self) -> Result<bool, DatabaseError> {
        Ok(match self {
            Self::Sqlite { path, .. } => {
                path.try_exists()? && sqlite_file::origin(path)? == Origin::Found
            }
            Self::Postgres { settings, .. } => migrate::postgres_origin(settings)? == Origin::Found,
        })
    }

    /// What of our migrations is in it and what is not. Blocking; it has to be there.
    pub(crate) fn standing(&self) -> Result<Standing, DatabaseError> {
        match self {
            Self::Sqlite { path, busy } => {
                let mut conn = super::pool::open_sqlite(&path.to_string_lossy(), *busy)?;
                migrate::standing(&mut conn, migrate::SQLITE)
            }
            Self::Postgres { settings, .. } => {
                let mut conn = super::postgres::PostgresConnection::open(settings)?;
                migrate::standing(&mut conn, migrate::POSTGRES)
            }
        }
    }

    /// Opens it as it is, beside whoever else has it open. Blocking.
    pub(crate) fn join(self) -> Result<Store, DatabaseError> {
        match self {
            Self::Sqlite { path, busy } => {
                let pool = pool(SQLITE_CONNECTIONS, busy, Opener::Sqlite { path, busy })?;
                Ok(Store::new(pool, String::new()))
            }
            Self::Postgres {
                settings,
                connections,
                wait,
            } => {
                let limits = settings.within_transaction();
                let pool = pool(connections.min(2), wait, Opener::Postgres(settings))?;
                Ok(Store::new(pool, limits))
            }
        }
    }

    /// Whether there is anything in it. Blocking. An SQLite file is made if there is none.
    pub(crate) fn origin(&self) -> Result<Origin, DatabaseError> {
        match self {
            Self::Sqlite { path, .. } => sqlite_file::origin(path),
            Self::Postgres { settings, .. } => migrate::postgres_origin(settings),
        }
    }

    /// Opens, checks and migrates it. Blocking.
    pub(crate) fn open(self) -> Result<Store, DatabaseError> {
        match self {
            Self::Sqlite { path, busy } => {
                let origin = sqlite_file::origin(&path)?;
                migrate::sqlite(&mut sqlite_file::prepare(&path, origin, busy)?)?;
                let pool = pool(SQLITE_CONNECTIONS, busy, Opener::Sqlite { path, busy })?;
                Ok(Store::new(pool, String::new()))
            }
            Self::Postgres {
                settings,
                connections,
                wait,
            } => {
                migrate::postgres_origin(&settings)?;
                migrate::postgres(&settings)?;
                let limits = settings.within_transaction();
                let pool = pool(connections, wait, Opener::Postgres(settings))?;
                Ok(Store::new(pool, limits))
            }
        }
    }
}

fn pool(size: u32, wait: Duration, opener: Opener) -> Result<Pool<Opener>, DatabaseError> {
    let pool = Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .connection_timeout(wait)
        .error_handler(Box::new(Complaints))
        .build(opener)?;
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};

    use super::*;

    const BUSY: Duration = Duration::from_secs(1);

    fn open(folder: &Path) -> Result<Store, DatabaseError> {
        Storage::sqlite(folder, BUSY).open()
    }

    #[test]
    fn a_new_file_is_private_and_is_found_again() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert_eq!(sqlite_file::origin(&file).unwrap(), Origin::New);
        let store = open(folder.path()).unwrap();
        for file in ["hub.db", "hub.db-wal", "hub.db-shm"] {
            let mode = folder.path().join(file).metadata().unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        drop(store);
        assert_eq!(sqlite_file::origin(&file).unwrap(), Origin::Found);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = open(folder.path());
        assert!(matches!(exposed, Err(DatabaseError::NotPrivate(_))));
    }

    #[test]
    fn another_file_under_the_name_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "not a database").unwrap();
        assert!(matches!(
            open(folder.path()),
            Err(DatabaseError::NotADatabase)
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"not a database");
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        conn.batch_execute("CREATE TABLE things (id INTEGER)")
            .unwrap();
        assert!(matches!(open(folder.path()), Err(DatabaseError::Foreign)));
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        let path = folder.path().join(FILE);
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')";
        conn.batch_execute(newer).unwrap();
        drop(conn);
        assert!(matches!(open(folder.path()), Err(DatabaseError::Newer)));
    }

    #[test]
    fn a_damaged_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        let path = folder.path().join(FILE);
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        drop(conn);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.iter_mut().skip(200).for_each(|byte| *byte = 0xA5);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(open(folder.path()), Err(DatabaseError::Corrupt)));
    }
}
