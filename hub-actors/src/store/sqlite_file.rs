//! The SQLite file before SQLite may touch it: private, ours, sound.

use std::{
    fs::OpenOptions, io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration,
};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _, sql_types::Text,
};

use super::open::{DatabaseError, Origin};
use crate::private_file;

/// `LMXH`: SQLite's application id of our files, at offset 68 of the header.
const APPLICATION_ID: i32 = 0x4C4D_5848;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_LEN: u64 = 100;

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

/// Whether a file begins as SQLite's do. SQLite itself would write a journal into anything.
pub(crate) fn has_magic(path: &Path) -> bool {
    let mut header = [0; MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header == *MAGIC
}

/// Opens the file for what has to happen before it serves: marks a new one as ours, looks for
/// damage, switches to the write-ahead log.
pub(crate) fn prepare(
    path: &Path,
    origin: Origin,
    busy: Duration,
) -> Result<SqliteConnection, DatabaseError> {
    // Nothing else before the check: the file may be damaged.
    let mut conn =
        SqliteConnection::establish(&path.to_string_lossy()).map_err(|_| DatabaseError::Open)?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", busy.as_millis()))?;
    if origin == Origin::New {
        conn.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    }
    check(&mut conn)?;
    conn.batch_execute("PRAGMA journal_mode = WAL")?;
    Ok(conn)
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
