//! The Workers of a Hub, whoever owns them.

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::WorkerId;
use serde::Serialize;

use super::{Operator, OperatorError, missing, named};
use crate::{
    error::Fault,
    store::{
        Connection,
        tables::{organisations, users, workers},
    },
    workers::departing,
};

/// A Worker, as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerAccount {
    /// Its id.
    pub worker_id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner_user_id: String,
    /// The owner's name.
    pub owner: String,
    /// Its organisation.
    pub organisation_id: String,
    /// The organisation's slug.
    pub organisation: String,
    /// As it last said.
    pub encryption_mode: Mode,
    /// What solo brings along.
    pub bundled: bool,
    /// What it last said of itself.
    pub version: String,
    /// In milliseconds since 1970.
    pub registered_unix_ms: i64,
    /// When its last link began or ended; 0 for never.
    pub last_seen_unix_ms: i64,
    /// Asked to go, and not confirmed yet.
    pub deregistering: bool,
}

/// How a Worker's channels are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It has not said yet.
    Unknown,
    /// Against today's computers.
    Classic,
    /// Against tomorrow's too.
    PostQuantum,
}

impl Mode {
    const fn of(number: i16) -> Self {
        match number {
            1 => Self::Classic,
            2 => Self::PostQuantum,
            _ => Self::Unknown,
        }
    }

    /// As the protocol counts.
    pub(crate) const fn number(self) -> i32 {
        self as i32
    }

    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Classic => "classic",
            Self::PostQuantum => "post-quantum",
        }
    }
}

type Row = (
    String,
    String,
    String,
    String,
    String,
    String,
    i16,
    bool,
    String,
    i64,
    i64,
    Option<i64>,
);

fn account(row: Row) -> WorkerAccount {
    WorkerAccount {
        worker_id: row.0,
        name: row.1,
        owner_user_id: row.2,
        owner: row.3,
        organisation_id: row.4,
        organisation: row.5,
        encryption_mode: Mode::of(row.6),
        bundled: row.7,
        version: row.8,
        registered_unix_ms: row.9,
        last_seen_unix_ms: row.10,
        deregistering: row.11.is_some(),
    }
}

/// At most `limit` Workers whose ids come behind `after`; or the one that is named.
pub(crate) fn list(
    conn: &mut Connection,
    only: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<WorkerAccount>, Fault> {
    let mut query = workers::table
        .inner_join(users::table)
        .inner_join(organisations::table)
        .filter(workers::id.gt(after))
        .order(workers::id.asc())
        .limit(limit)
        .select((
            workers::id,
            workers::name,
            users::id,
            users::username,
            organisations::id,
            organisations::slug,
            workers::encryption_mode,
            workers::bundled,
            workers::version,
            workers::registered_ms,
            workers::last_seen_ms,
            workers::deregistering_ms,
        ))
        .into_boxed();
    if let Some(id) = only {
        query = query.filter(workers::id.eq(id));
    }
    let rows = query.load::<Row>(conn)?;
    Ok(rows.into_iter().map(account).collect())
}

impl Operator {
    /// Every Worker, by id.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn workers(&self) -> Result<Vec<WorkerAccount>, OperatorError> {
        self.ask(|conn| list(conn, None, "", i64::MAX)).await
    }

    /// One Worker.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn worker(&self, id: &str) -> Result<WorkerAccount, OperatorError> {
        let wanted = id.to_owned();
        let found = self
            .ask(move |conn| list(conn, Some(&wanted), "", 1))
            .await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| missing("Worker", id))
    }

    /// Asks it to go, and ends its link and every channel to it. One that was asked before, and never
    /// came to hear it, is forgotten.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn deregister_worker(&self, id: &str) -> Result<(), OperatorError> {
        let worker = WorkerId::parse(id).map_err(|_| missing("Worker", id))?;
        let done = self.order(move |conn, notes| departing::send_away(conn, notes, &worker));
        named(done.await, "Worker", id)
    }
}
