//! From whatever a database holds to the tables of this version, all of it or nothing.
//!
//! Whoever comes second waits for a lock and finds nothing left to do: in SQLite the writer's own,
//! in PostgreSQL an advisory one, so that several Hubs may start at once.

use std::time::Duration;

use diesel::{
    QueryableByName, RunQueryDsl as _, SqliteConnection,
    backend::Backend,
    connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager},
    migration::{Migration, MigrationSource},
    sql_types::{Bool, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    open::{DatabaseError, Origin},
    postgres::{PostgresConnection, Settings},
};

/// What turns an empty file into our database and an older one into a newer.
pub(crate) const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/hub/sqlite");
/// The same for PostgreSQL.
pub(crate) const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/hub/postgres");

/// `LMXM`: the advisory lock of those that migrate.
const MIGRATORS: i64 = 0x4C4D_584D;
/// For one migration, and for the lock of somebody else's.
const PATIENCE: Duration = Duration::from_mins(10);

/// Migrates an SQLite file.
pub(crate) fn sqlite(conn: &mut SqliteConnection) -> Result<(), DatabaseError> {
    // Tables are exchanged under the eyes of others that refer to them; looked at below.
    conn.batch_execute("PRAGMA foreign_keys = OFF")?;
    conn.exclusive_transaction(|conn| {
        bring(conn, SQLITE)?;
        let dangling = diesel::sql_query("PRAGMA foreign_key_check").load::<Dangling>(conn)?;
        match dangling.first() {
            None => Ok(()),
            Some(row) => {
                tracing::error!(table = row.table, "a migration left rows without an owner");
                Err(DatabaseError::Migration)
            }
        }
    })?;
    Ok(conn.batch_execute("PRAGMA foreign_keys = ON")?)
}

#[derive(QueryableByName)]
struct Dangling {
    #[diesel(sql_type = Text)]
    table: String,
}

/// Migrates a PostgreSQL database, over a connection of its own with more time than others have.
pub(crate) fn postgres(settings: &Settings) -> Result<(), DatabaseError> {
    let settings = settings.patient(PATIENCE);
    let mut conn = PostgresConnection::open(&settings)?;
    let limits = settings.within_transaction();
    let begin = format!("{limits}; SELECT pg_advisory_xact_lock({MIGRATORS})");
    conn.begin(&begin).map_err(|_| DatabaseError::Migrating)?;
    let brought = bring(&mut conn, POSTGRES);
    if brought.is_ok() {
        AnsiTransactionManager::commit_transaction(&mut conn)?;
    }
    // What is not committed goes with the connection.
    brought
}

/// Whether there is anything of ours in the database yet.
pub(crate) fn postgres_origin(settings: &Settings) -> Result<Origin, DatabaseError> {
    #[derive(QueryableByName)]
    struct Look {
        #[diesel(sql_type = Bool)]
        found: bool,
        #[diesel(sql_type = Bool)]
        utf8: bool,
    }
    let mut conn = PostgresConnection::open(settings)?;
    let look = diesel::sql_query(
        "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found, \
         getdatabaseencoding() = 'UTF8' AS utf8",
    );
    let look = look.get_result::<Look>(&mut conn)?;
    match look {
        Look { utf8: false, .. } => Err(DatabaseError::Encoding),
        Look { found: true, .. } => Ok(Origin::Found),
        Look { found: false, .. } => Ok(Origin::New),
    }
}

fn bring<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<(), DatabaseError>
where
    DB: Backend,
    C: MigrationHarness<DB>,
{
    let known = versions::<DB>(&migrations)?;
    let applied = conn.applied_migrations().map_err(|error| failed(&*error))?;
    if applied
        .iter()
        .any(|version| !known.contains(&version.to_string()))
    {
        return Err(DatabaseError::Newer);
    }
    conn.run_pending_migrations(migrations)
        .map(|_| ())
        .map_err(|error| failed(&*error))
}

fn failed(error: &(dyn std::error::Error + Send + Sync + 'static)) -> DatabaseError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a migration failed"
    );
    DatabaseError::Migration
}

fn versions<DB: Backend>(migrations: &EmbeddedMigrations) -> Result<Vec<String>, DatabaseError> {
    let all: Vec<Box<dyn Migration<DB>>> = migrations
        .migrations()
        .map_err(|_| DatabaseError::Migration)?;
    let version = all.iter().map(|one| one.name().version().to_string());
    Ok(version.collect())
}
