//! Last screens.

use diesel::prelude::*;

use super::{StoreError, tables::terminals};

/// A terminal as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = terminals)]
pub struct KeptTerminal {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The workspace it was opened in; empty = the owner's own.
    pub workspace_id: String,
    /// Columns.
    pub width: i32,
    /// Rows.
    pub height: i32,
    /// `wire::TerminalState`.
    pub state: i32,
    /// For one that ended.
    pub exit_code: i32,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub kept_ms: i64,
    /// The bytes that rebuild its screen.
    pub screen: Vec<u8>,
    /// Bytes of output up to that screen; 0 = not known.
    pub sequence: i64,
}

/// Stores or replaces.
///
/// # Errors
///
/// Logged already.
pub fn keep(connection: &mut SqliteConnection, terminal: &KeptTerminal) -> Result<(), StoreError> {
    diesel::replace_into(terminals::table)
        .values(terminal)
        .execute(connection)?;
    Ok(())
}

/// Everything that is kept, the oldest first.
///
/// # Errors
///
/// Logged already.
pub fn all(connection: &mut SqliteConnection) -> Result<Vec<KeptTerminal>, StoreError> {
    Ok(terminals::table
        .order((terminals::created_ms, terminals::id))
        .load(connection)?)
}

/// Forgets one.
///
/// # Errors
///
/// Logged already.
pub fn forget(connection: &mut SqliteConnection, id: &str) -> Result<(), StoreError> {
    diesel::delete(terminals::table.find(id)).execute(connection)?;
    Ok(())
}
