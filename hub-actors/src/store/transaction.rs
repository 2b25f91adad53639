//! Transactions that mean the same on both databases: of those that write there is one at a time.
//!
//! SQLite has one writer anyway; `BEGIN IMMEDIATE` makes it known at once, since a transaction
//! that began as a reader could be refused in the middle, whatever the busy timeout says. In
//! PostgreSQL the writers of all Hubs queue for one advisory lock. Each change ends in the audit
//! log's chain and most in the ledger's counter, so they would queue there in any case, and this
//! way each sees everything that was committed before it: whatever is read may be acted on.

use std::time::Duration;

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, TransactionManager},
    result::{DatabaseErrorKind, Error},
};

use super::Connection;
use crate::{clock, error::Fault};

/// `LMXW`: the advisory lock of those that write.
const WRITERS: i64 = 0x4C4D_5857;

/// Tries for one piece of work, the first included.
const TRIES: u32 = 5;
/// Between them, at first; doubled each time, and halved at random.
const PAUSE: Duration = Duration::from_millis(8);

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Ask, or give one order that stands alone.
    Share,
    /// Read, decide and write.
    Write,
}

/// Runs `work` in one transaction. What ends in an error leaves nothing behind.
pub(super) fn once<T, E: From<Error>>(
    conn: &mut Connection,
    limits: &str,
    access: Access,
    work: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    begin(conn, limits, access)?;
    let done = work(conn);
    if done.is_ok() {
        <Connection as TransactionManager<Connection>>::commit_transaction(conn)?;
    } else {
        // Where even this fails the pool drops the connection, and with it the transaction.
        let _undone = <Connection as TransactionManager<Connection>>::rollback_transaction(conn);
    }
    done
}

/// Like [`once`], and again where the database says that another try will do.
pub(super) fn again<T, E: From<Error> + Conflict>(
    conn: &mut Connection,
    limits: &str,
    mut work: impl FnMut(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    let mut tried = 1;
    loop {
        match once(conn, limits, Access::Write, &mut work) {
            Err(error) if error.is_conflict() && tried < TRIES => pause(tried),
            done => return done,
        }
        tried += 1;
    }
}

fn begin(conn: &mut Connection, limits: &str, access: Access) -> QueryResult<()> {
    match (conn, access) {
        (Connection::Sqlite(conn), Access::Share) => {
            AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN")
        }
        (Connection::Sqlite(conn), Access::Write) => {
            AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")
        }
        (Connection::Postgres(conn), Access::Share) => conn.begin(limits),
        (Connection::Postgres(conn), Access::Write) => conn.begin(&format!(
            "{limits}; SELECT pg_advisory_xact_lock({WRITERS})"
        )),
    }
}

/// Blocks the thread, which is one for blocking work.
fn pause(tried: u32) {
    let longest = PAUSE * 2_u32.saturating_pow(tried);
    let random = clock::random::<1>().map_or(0, |[byte]| byte);
    std::thread::sleep(longest / 2 + longest * u32::from(random) / 512);
}

/// Tells conflicts, which pass, from everything else.
pub(super) trait Conflict {
    fn is_conflict(&self) -> bool;
}

impl Conflict for Error {
    fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::DatabaseError(DatabaseErrorKind::SerializationFailure, _)
        )
    }
}

impl Conflict for Fault {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_conflict())
    }
}

/// Stores what may be there already: `false` where a unique column says so. Alone of all errors
/// this one may be survived inside a transaction.
pub(crate) fn unless_taken(
    conn: &mut Connection,
    insert: impl FnOnce(&mut Connection) -> QueryResult<usize>,
) -> QueryResult<bool> {
    use diesel::Connection as _;
    match conn.transaction(insert) {
        Ok(rows) => Ok(rows > 0),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error),
    }
}
