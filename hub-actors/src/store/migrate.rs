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
    open::{DatabaseError, Origin, Standing},
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
    // That a table is there already is no news.
    let begin = format!(
        "{limits}; SET LOCAL client_min_messages = warning; \
         SELECT pg_advisory_xact_lock({MIGRATORS})"
    );
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

/// How far a database has come; one with migrations that are not ours is a newer version's.
pub(crate) fn standing<DB, C>(
    conn: &mut C,
    migrations: EmbeddedMigrations,
) -> Result<Standing, DatabaseError>
where
    DB: Backend,
    C: MigrationHarness<DB>,
{
    let known = versions::<DB>(&migrations)?;
    let applied = conn.applied_migrations().map_err(|error| failed(&*error))?;
    let mut applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
    applied.sort();
    if applied.iter().any(|version| !known.contains(version)) {
        return Err(DatabaseError::Newer);
    }
    let pending = known.into_iter().filter(|one| !applied.contains(one));
    let pending = pending.collect();
    Ok(Standing { applied, pending })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use diesel::Connection as _;

    use super::*;
    use crate::store::both;

    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = Text)]
        name: String,
    }

    fn names(rows: Vec<Name>) -> BTreeSet<String> {
        let names = rows.into_iter().map(|row| row.name);
        names.filter(|name| !name.starts_with("__")).collect()
    }

    fn in_sqlite(conn: &mut SqliteConnection) -> BTreeSet<String> {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
        names(diesel::sql_query(tables).load(conn).unwrap())
    }

    fn in_postgres(conn: &mut PostgresConnection) -> BTreeSet<String> {
        let tables = "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'";
        names(diesel::sql_query(tables).load(conn).unwrap())
    }

    fn memory() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn sqlite_goes_up_down_and_up() {
        let mut conn = memory();
        sqlite(&mut conn).unwrap();
        let tables = in_sqlite(&mut conn);
        assert_eq!(tables.len(), 28, "{tables:?}");
        conn.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
        conn.revert_all_migrations(SQLITE).unwrap();
        assert_eq!(in_sqlite(&mut conn).len(), 0);
        sqlite(&mut conn).unwrap();
        assert_eq!(in_sqlite(&mut conn), tables);
    }

    #[test]
    fn postgres_goes_up_down_and_up_and_has_the_same_tables() {
        let database = test_postgres::database();
        let settings = both::settings(&database.dsn());
        assert_eq!(postgres_origin(&settings).unwrap(), Origin::New);
        postgres(&settings).unwrap();
        assert_eq!(postgres_origin(&settings).unwrap(), Origin::Found);
        let mut conn = PostgresConnection::open(&settings).unwrap();
        let tables = in_postgres(&mut conn);
        let mut other = memory();
        sqlite(&mut other).unwrap();
        assert_eq!(tables, in_sqlite(&mut other));
        conn.revert_all_migrations(POSTGRES).unwrap();
        assert_eq!(in_postgres(&mut conn).len(), 0);
        postgres(&settings).unwrap();
        assert_eq!(in_postgres(&mut conn), tables);
    }

    /// Columns and their order, of every table.
    #[test]
    fn both_databases_have_the_same_columns() {
        let database = test_postgres::database();
        let settings = both::settings(&database.dsn());
        postgres(&settings).unwrap();
        let mut conn = PostgresConnection::open(&settings).unwrap();
        let columns = "SELECT table_name || '.' || column_name || ' ' || is_nullable || ' ' || \
             CASE data_type WHEN 'bytea' THEN 'blob' ELSE data_type END AS name \
             FROM information_schema.columns WHERE table_schema = 'public'";
        let there = names(diesel::sql_query(columns).load(&mut conn).unwrap());
        let mut conn = memory();
        sqlite(&mut conn).unwrap();
        let columns = "SELECT t.name || '.' || c.name || ' ' || \
             CASE WHEN c.\"notnull\" THEN 'NO' ELSE 'YES' END || ' ' || lower(c.type) AS name \
             FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'";
        let here = names(diesel::sql_query(columns).load(&mut conn).unwrap());
        assert_eq!(here, there);
    }

    const ONE_USER: &str = "
        INSERT INTO organisations VALUES ('o1', 'home');
        INSERT INTO users VALUES ('u1', 'o1', 'admin', 5);
        INSERT INTO workspaces VALUES ('s1', 'u1', 'Workspace', 6);
        INSERT INTO credentials VALUES ('c1', 'u1', 2, NULL, x'01', 7, NULL, NULL),
            ('c2', 'u1', 3, 'c1', x'02', 8, 900, NULL), ('c3', 'u1', 3, 'c1', x'03', 8, 900, 9);
        INSERT INTO workers
            VALUES ('w1', 'u1', 'desk', x'00', 2, x'05', 1, '1.0', 10, 11, 'r', x'06');
        INSERT INTO registration_keys VALUES (x'07', 'u1', 'd', 1, x'08', x'09', 900);";

    /// Everything that the version before knew, as one line each.
    const BEFORE: &str = "
        SELECT id || name AS name FROM organisations UNION ALL
        SELECT id || organisation_id || username || created_ms FROM users UNION ALL
        SELECT id || owner_user_id || title || created_ms FROM workspaces UNION ALL
        SELECT id || user_id || kind || coalesce(parent_id, '-') || hex(secret_hash) || created_ms
            || coalesce(expires_ms, '-') || coalesce(revoked_ms, '-') FROM credentials UNION ALL
        SELECT id || owner_user_id || name || hex(public_key) || encryption_mode || hex(token_hash)
            || bundled || version || registered_ms || last_seen_ms || registration_id
            || hex(registration_tag) FROM workers UNION ALL
        SELECT hex(id_hash) || user_id || worker_name || device_algorithm || hex(device_key)
            || hex(device_tag) || expires_ms FROM registration_keys";

    #[test]
    fn what_one_user_had_is_carried_over_and_back() {
        let mut conn = memory();
        conn.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
        conn.run_next_migration(SQLITE).unwrap();
        conn.batch_execute(ONE_USER).unwrap();
        let before = names(diesel::sql_query(BEFORE).load(&mut conn).unwrap());
        assert_eq!(before.len(), 8);
        sqlite(&mut conn).unwrap();
        let personal = "SELECT u.id || o.id || o.slug || m.role || u.admin || s.organisation_id \
             || w.organisation_id AS name FROM users AS u \
             JOIN organisations AS o ON o.personal_user_id = u.id \
             JOIN memberships AS m ON m.user_id = u.id AND m.organisation_id = o.id \
             JOIN workspaces AS s ON s.owner_user_id = u.id \
             JOIN workers AS w ON w.owner_user_id = u.id";
        let personal = names(diesel::sql_query(personal).load(&mut conn).unwrap());
        assert_eq!(personal, BTreeSet::from(["u1o1admin31o1o1".to_owned()]));
        conn.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
        // All but the very first.
        while conn.applied_migrations().unwrap().len() > 1 {
            conn.revert_last_migration(SQLITE).unwrap();
        }
        let mut back = before;
        back.remove("o1home");
        back.insert("o1admin".to_owned());
        assert_eq!(
            names(diesel::sql_query(BEFORE).load(&mut conn).unwrap()),
            back
        );
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_state() {
        let mut conn = memory();
        conn.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
        conn.run_next_migration(SQLITE).unwrap();
        conn.batch_execute(ONE_USER).unwrap();
        // A name that the migration needs for itself.
        conn.batch_execute("CREATE TABLE ledger (a INTEGER)")
            .unwrap();
        let before = in_sqlite(&mut conn);
        assert!(matches!(sqlite(&mut conn), Err(DatabaseError::Migration)));
        assert_eq!(in_sqlite(&mut conn), before);
        assert_eq!(
            names(diesel::sql_query(BEFORE).load(&mut conn).unwrap()).len(),
            8
        );
    }

    #[test]
    fn an_older_version_refuses_a_newer_postgres() {
        let database = test_postgres::database();
        let settings = both::settings(&database.dsn());
        postgres(&settings).unwrap();
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')";
        let _nothing = test_postgres::server().sql(&database, newer);
        let refused = both::postgres(&database.dsn()).open().err().unwrap();
        assert!(matches!(refused, DatabaseError::Newer));
        assert!(refused.to_string().starts_with("a newer leapmux wrote it"));
    }
}
