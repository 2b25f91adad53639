//! Opening the database file: private, ours, sound, and of our version.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    r2d2::{ConnectionManager, CustomizeConnection, Pool},
    sql_types::Text,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::{CONNECTIONS, Store};
use crate::private_file::{self, PrivateFileError};

/// What turns an empty file into our database and an older one into a newer.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/hub/sqlite");

/// The database's name in the data folder.
pub(crate) const FILE: &str = "hub.db";

/// `LMXH`: SQLite's application id of our files, at offset 68 of the header.
const APPLICATION_ID: i32 = 0x4C4D_5848;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_LEN: u64 = 100;

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
    Open(#[from] diesel::ConnectionError),
    /// A statement of the start failed.
    #[error("it refuses a statement; is the disk full or read-only?")]
    Statement(#[from] diesel::result::Error),
    /// A migration failed and was rolled back.
    #[error("it could not be brought to this version; the old state is unchanged")]
    Migration,
    /// The pool could not be filled.
    #[error("its connections cannot be opened in time")]
    Pool(#[from] diesel::r2d2::PoolError),
}

/// Whether the file was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// We have just made it.
    New,
    /// It has a history.
    Found,
}

/// Opens, checks and migrates `folder/hub.db`. Blocking; the caller holds the folder's lock.
pub(crate) fn open(folder: &Path, busy: Duration) -> Result<Store, DatabaseError> {
    let path = folder.join(FILE);
    let origin = origin(&path)?;
    let url = path.to_string_lossy().into_owned();
    prepare(&url, origin, busy)?;
    let pool = Pool::builder()
        .max_size(CONNECTIONS)
        .min_idle(Some(1))
        .connection_timeout(busy)
        .connection_customizer(Box::new(Customs { busy }))
        .build(ConnectionManager::new(url))?;
    Ok(Store::new(pool))
}

/// Looks at the header before SQLite may touch the file; makes an empty private one if none is.
pub(crate) fn origin(path: &Path) -> Result<Origin, DatabaseError> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let mut header = Vec::new();
    (&file).take(HEADER_LEN).read_to_end(&mut header)?;
    if header.is_empty() {
        private_file::check(&file)?;
        return Ok(Origin::New);
    }
    if !header.starts_with(MAGIC) || header.len() < 100 {
        return Err(DatabaseError::NotADatabase);
    }
    let application = header.get(68..72).and_then(|bytes| bytes.try_into().ok());
    match application.map(i32::from_be_bytes) {
        Some(APPLICATION_ID) => {
            private_file::check(&file)?;
            Ok(Origin::Found)
        }
        _ => Err(DatabaseError::Foreign),
    }
}

fn prepare(url: &str, origin: Origin, busy: Duration) -> Result<(), DatabaseError> {
    let mut conn = SqliteConnection::establish(url)?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", busy.as_millis()))?;
    if origin == Origin::New {
        conn.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    }
    check(&mut conn)?;
    conn.batch_execute("PRAGMA journal_mode = WAL")?;
    migrate(&mut conn)
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

fn check(conn: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let findings = diesel::sql_query("PRAGMA quick_check(1)").load::<Finding>(conn);
    match findings {
        Ok(found) if found.iter().all(|finding| finding.quick_check == "ok") => Ok(()),
        Ok(_) | Err(diesel::result::Error::DatabaseError(..)) => Err(DatabaseError::Corrupt),
        Err(error) => Err(error.into()),
    }
}

/// Brings the schema to this version. Each migration is one transaction.
pub(crate) fn migrate(conn: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let known = known_versions()?;
    let applied = conn
        .applied_migrations()
        .map_err(|_| DatabaseError::Corrupt)?;
    if applied
        .iter()
        .any(|version| !known.contains(&version.to_string()))
    {
        return Err(DatabaseError::Newer);
    }
    conn.run_pending_migrations(MIGRATIONS)
        .map(|_| ())
        .map_err(|error| {
            tracing::error!(
                error = &*error as &dyn std::error::Error,
                "a migration failed"
            );
            DatabaseError::Migration
        })
}

fn known_versions() -> Result<Vec<String>, DatabaseError> {
    use diesel::migration::{Migration, MigrationSource};
    let all: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = MIGRATIONS
        .migrations()
        .map_err(|_| DatabaseError::Migration)?;
    Ok(all
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

#[derive(Debug)]
struct Customs {
    busy: Duration,
}

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Customs {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        // FULL: a revocation, or a key that was used, is not undone by a power cut.
        // The timeout first: the statements behind it may already have to wait.
        let pragmas = format!(
            "PRAGMA busy_timeout = {}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            self.busy.as_millis()
        );
        conn.batch_execute(&pragmas)
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Duration = Duration::from_secs(1);

    #[test]
    fn migrations_go_up_down_and_up() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let tables = |conn: &mut SqliteConnection| {
            #[derive(QueryableByName)]
            struct Name {
                #[diesel(sql_type = Text)]
                name: String,
            }
            let found: Vec<Name> =
                diesel::sql_query("SELECT name FROM sqlite_master WHERE type = 'table'")
                    .load(conn)
                    .unwrap();
            found
                .into_iter()
                .map(|row| row.name)
                .filter(|name| !name.starts_with("__"))
                .count()
        };
        migrate(&mut conn).unwrap();
        assert_eq!(tables(&mut conn), 6);
        conn.revert_all_migrations(MIGRATIONS).unwrap();
        assert_eq!(tables(&mut conn), 0);
        migrate(&mut conn).unwrap();
        assert_eq!(tables(&mut conn), 6);
    }

    #[test]
    fn a_new_file_is_private_and_is_found_again() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert_eq!(origin(&file).unwrap(), Origin::New);
        let store = open(folder.path(), BUSY).unwrap();
        for file in ["hub.db", "hub.db-wal", "hub.db-shm"] {
            let mode = folder.path().join(file).metadata().unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        drop(store);
        assert_eq!(origin(&file).unwrap(), Origin::Found);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = open(folder.path(), BUSY);
        assert!(matches!(exposed, Err(DatabaseError::NotPrivate(_))));
    }

    #[test]
    fn another_file_under_the_name_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "not a database").unwrap();
        assert!(matches!(
            open(folder.path(), BUSY),
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
        assert!(matches!(
            open(folder.path(), BUSY),
            Err(DatabaseError::Foreign)
        ));
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), BUSY).unwrap());
        let path = folder.path().join(FILE);
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')";
        conn.batch_execute(newer).unwrap();
        drop(conn);
        assert!(matches!(
            open(folder.path(), BUSY),
            Err(DatabaseError::Newer)
        ));
    }

    #[test]
    fn a_damaged_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), BUSY).unwrap());
        let path = folder.path().join(FILE);
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        drop(conn);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.iter_mut().skip(200).for_each(|byte| *byte = 0xA5);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(
            open(folder.path(), BUSY),
            Err(DatabaseError::Corrupt)
        ));
    }
}
