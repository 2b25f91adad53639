//! One connection, whichever of the two databases it leads to. Every query is written once,
//! against this.

use diesel::SqliteConnection;

use super::postgres::PostgresConnection;

/// A connection of the pool; `store::Connection` to everybody else. In this file that name is
/// diesel's trait, which the generated code needs.
#[derive(diesel::MultiConnection)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are a few dozen of them, and each has a socket and its buffers"
)]
pub(crate) enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PostgresConnection),
}
