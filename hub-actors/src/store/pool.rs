//! Where connections of the pool come from.

use std::{path::PathBuf, time::Duration};

use diesel::{
    Connection as _, SqliteConnection, connection::SimpleConnection as _, r2d2::R2D2Connection as _,
};

use super::{
    Connection,
    postgres::{ConnectError, PostgresConnection, Settings},
};

/// Opens connections of one kind.
pub(super) enum Opener {
    Sqlite { path: PathBuf, busy: Duration },
    Postgres(Box<Settings>),
}

/// Why the pool got no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("the file cannot be opened")]
    Sqlite(#[from] diesel::ConnectionError),
    #[error("the file's settings are refused")]
    Pragma(#[from] diesel::result::Error),
    #[error("{0}")]
    Postgres(#[from] ConnectError),
    #[error("the connection was lost")]
    Lost,
}

/// A connection to an SQLite file, set up like every one of ours.
pub(super) fn open_sqlite(path: &str, busy: Duration) -> Result<SqliteConnection, OpenError> {
    let mut conn = SqliteConnection::establish(path)?;
    // FULL: a revocation, or a key that was used, is not undone by a power cut.
    // The timeout first: the statements behind it may already have to wait.
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        busy.as_millis()
    ))?;
    Ok(conn)
}

impl r2d2::ManageConnection for Opener {
    type Connection = Connection;
    type Error = OpenError;

    fn connect(&self) -> Result<Connection, OpenError> {
        Ok(match self {
            Self::Sqlite { path, busy } => {
                Connection::Sqlite(open_sqlite(&path.to_string_lossy(), *busy)?)
            }
            Self::Postgres(settings) => Connection::Postgres(PostgresConnection::open(settings)?),
        })
    }

    fn is_valid(&self, conn: &mut Connection) -> Result<(), OpenError> {
        match conn {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(conn) if conn.is_alive() => Ok(()),
            Connection::Postgres(_) => Err(OpenError::Lost),
        }
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        // Whoever panicked may have left a transaction open.
        std::thread::panicking()
            || match conn {
                Connection::Sqlite(conn) => conn.is_broken(),
                Connection::Postgres(conn) => conn.is_broken(),
            }
    }
}

/// Writes to our log what the pool could not do.
#[derive(Debug)]
pub(super) struct Complaints;

impl r2d2::HandleError<OpenError> for Complaints {
    fn handle_error(&self, error: OpenError) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "no database connection"
        );
    }
}
