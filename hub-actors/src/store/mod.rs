//! The database: a bounded pool, and every blocking call off the actors' threads.
//!
//! | file | holds |
//! |---|---|
//! | [`open`] | opening, checking and migrating the file |
//! | [`tables`] | the tables as diesel sees them |
//! | [`users`], [`credentials`], [`workers`], [`registration_keys`] | the questions and orders |

use std::sync::Arc;

use diesel::{
    SqliteConnection,
    r2d2::{ConnectionManager, Pool},
};
use tokio::sync::Semaphore;

use crate::error::Fault;

pub(crate) mod credentials;
pub(crate) mod open;
pub(crate) mod registration_keys;
pub(crate) mod tables;
pub(crate) mod users;
pub(crate) mod workers;

/// Connections of the pool. SQLite has one writer; the others read beside it.
const CONNECTIONS: u32 = 4;
/// Requests that may wait for a connection; beyond that the caller is told at once.
const QUEUE: usize = 256;

/// The Hub's database. Cloning shares the pool.
#[derive(Clone)]
pub(crate) struct Store {
    pool: Pool<ConnectionManager<SqliteConnection>>,
    places: Arc<Semaphore>,
}

impl Store {
    fn new(pool: Pool<ConnectionManager<SqliteConnection>>) -> Self {
        Self {
            pool,
            places: Arc::new(Semaphore::new(QUEUE)),
        }
    }

    /// Runs a question, or one statement, on a connection of the pool.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, Fault> + Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Fault::Crowded)?;
        let pool = self.pool.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&mut *pool.get()?)
        });
        answer.await.map_err(|_| Fault::Task)?
    }

    /// Runs orders in one transaction that takes the writer's lock at once: one that began as
    /// a reader could be refused in the middle, whatever the busy timeout says.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<Result<T, E>, Fault>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<Result<T, E>, Fault> + Send + 'static,
    {
        self.run(|conn| conn.immediate_transaction(work)).await
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        use diesel::RunQueryDsl as _;
        let asked = self.run(|conn| Ok(diesel::sql_query("SELECT 1").execute(conn)?));
        asked.await.is_ok()
    }
}
