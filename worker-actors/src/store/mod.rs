//! The Worker's own SQLite: last screens and devices.
//!
//! One file, `worker.db`, mode 0600, WAL. It may be opened twice: the running Worker and
//! `leapmux worker devices …` beside it.

pub mod devices;
pub(crate) mod grants;
mod tables;
pub mod terminals;

use std::{
    fs::{File, OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use diesel::{
    Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
    sql_query,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use thiserror::Error;

/// A query or the file under it failed. The cause is in the log, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The file cannot be created or opened.
    #[error("the Worker's database cannot be opened")]
    Open,
    /// It was written by a newer version, or is not a database of ours.
    #[error("the Worker's database does not fit this version")]
    Migrate,
    /// A query failed.
    #[error("a query of the Worker's database failed")]
    Query,
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        tracing::error!(%error, "query failed");
        Self::Query
    }
}

/// The database, shared by whoever needs it.
#[derive(Clone)]
pub struct Store(Arc<Mutex<SqliteConnection>>);

impl Store {
    /// Opens `worker.db` in the data folder, creates and migrates it where needed. Blocks.
    ///
    /// # Errors
    ///
    /// Named as above; the cause is logged.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE);
        private(&path).map_err(|error| opening(&error))?;
        let name = path.to_str().ok_or(StoreError::Open)?;
        let mut connection = SqliteConnection::establish(name).map_err(|error| opening(&error))?;
        connection.batch_execute(PRAGMAS)?;
        connection
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| {
                tracing::error!(%error, "migrating the Worker's database failed");
                StoreError::Migrate
            })?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs a query on the blocking pool.
    ///
    /// # Errors
    ///
    /// Logged already.
    pub async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || store.run_here(query)).await;
        done.unwrap_or(Err(StoreError::Query))
    }

    /// Runs a query on this thread. Blocks.
    ///
    /// # Errors
    ///
    /// Logged already.
    pub fn run_here<T>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        query(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A number that changes when another connection has written (SQLite, `PRAGMA data_version`).
///
/// # Errors
///
/// Logged already.
pub fn foreign_writes(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Version {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        data_version: i64,
    }
    let version: Version = sql_query("PRAGMA data_version").get_result(connection)?;
    Ok(version.data_version)
}

/// Creates the file before SQLite does, so that it is never readable to others; SQLite gives its
/// side files the same mode.
fn private(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn opening(error: &dyn std::error::Error) -> StoreError {
    tracing::error!(%error, "opening the Worker's database failed");
    StoreError::Open
}

const FILE: &str = "worker.db";
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/worker");
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                       PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;";
