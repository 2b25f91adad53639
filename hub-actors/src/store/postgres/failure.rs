//! What a server says went wrong, as diesel's errors: the code and the name of the constraint.
//! The server's own texts can repeat what was sent, so they stay out.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use tokio_postgres::error::{DbError, SqlState};

/// One error of a server.
struct Said {
    text: String,
    constraint: Option<String>,
    table: Option<String>,
}

impl DatabaseErrorInformation for Said {
    fn message(&self) -> &str {
        &self.text
    }

    fn details(&self) -> Option<&str> {
        None
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// In front of the five characters of a code (PostgreSQL, appendix A).
const CODE: &str = "SQLSTATE ";

/// diesel's error for one of the client's.
pub(super) fn translate(error: &tokio_postgres::Error) -> Error {
    let Some(said) = error.as_db_error() else {
        return lost();
    };
    let information = Said {
        text: text(said),
        constraint: said.constraint().map(str::to_owned),
        table: said.table().map(str::to_owned),
    };
    Error::DatabaseError(kind(said.code()), Box::new(information))
}

fn text(said: &DbError) -> String {
    match said.constraint() {
        None => format!("{CODE}{}", said.code().code()),
        Some(constraint) => format!("{CODE}{} ({constraint})", said.code().code()),
    }
}

fn kind(code: &SqlState) -> DatabaseErrorKind {
    match code.code() {
        "23505" => DatabaseErrorKind::UniqueViolation,
        "23503" => DatabaseErrorKind::ForeignKeyViolation,
        "23502" => DatabaseErrorKind::NotNullViolation,
        "23514" => DatabaseErrorKind::CheckViolation,
        "25006" => DatabaseErrorKind::ReadOnlyTransaction,
        // Two that waited for each other are as well off with another try.
        "40001" | "40P01" => DatabaseErrorKind::SerializationFailure,
        _ => DatabaseErrorKind::Unknown,
    }
}

/// The connection ended, or an answer did not come in time.
pub(super) fn lost() -> Error {
    let text = "the connection to PostgreSQL was lost".to_owned();
    Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(text))
}

/// Whether the message of an error of ours names something that passes: the server restarts, is
/// full, was too slow, or only reads at the moment.
pub(crate) fn is_passing(message: &str) -> bool {
    let Some(code) = message.strip_prefix(CODE) else {
        return false;
    };
    let class = ["08", "40", "53", "57", "58"];
    let single = ["25006", "25P03", "55P03"];
    class.iter().any(|class| code.starts_with(class))
        || single.iter().any(|one| code.starts_with(one))
}

/// Whether the message says that a text cannot be stored: one with a NUL in it, which is a caller's.
pub(crate) fn is_unstorable(message: &str) -> bool {
    message
        .strip_prefix(CODE)
        .is_some_and(|code| code.starts_with("22021"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_our_mistake() {
        for passing in [
            "57014", "55P03", "53300", "57P01", "40001", "25006", "58030",
        ] {
            assert!(is_passing(&format!("SQLSTATE {passing}")), "{passing}");
        }
        for mistake in ["42P01", "23505 (users_username_key)", "22021"] {
            assert!(!is_passing(&format!("SQLSTATE {mistake}")), "{mistake}");
        }
        assert!(!is_passing("57014"));
    }
}
