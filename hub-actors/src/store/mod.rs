//! The database: a bounded pool, and every blocking call off the actors' threads.
//!
//! | file | holds |
//! |---|---|
//! | [`open`] | opening, checking and migrating the file |
//! | [`tables`] | the tables as diesel sees them |
//! | [`users`], [`credentials`], [`workers`], [`registration_keys`] | the questions and orders |

use std::{sync::Arc, time::Duration};

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

/// Requests at work of callers who have not shown who they are: strangers queue among themselves
/// and leave connections to everybody else.
const STRANGERS: usize = 2;
/// How long a stranger may queue.
const STRANGER_WAIT: Duration = Duration::from_secs(10);

/// Why a transaction was rolled back.
enum Undone<E> {
    Fault(Fault),
    Refused(E),
}

impl<E, F: Into<Fault>> From<F> for Undone<E> {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// The Hub's database. Cloning shares the pool.
#[derive(Clone)]
pub(crate) struct Store {
    pool: Pool<ConnectionManager<SqliteConnection>>,
    places: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Store {
    fn new(pool: Pool<ConnectionManager<SqliteConnection>>) -> Self {
        Self {
            pool,
            places: Arc::new(Semaphore::new(QUEUE)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
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

    /// Runs a question for somebody who may be anybody. They wait for each other, in order.
    pub(crate) async fn run_for_stranger<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, Fault> + Send + 'static,
    {
        let turn = Arc::clone(&self.strangers).acquire_owned();
        let turn = tokio::time::timeout(STRANGER_WAIT, turn).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Fault::Crowded);
        };
        self.run(move |conn| {
            // Held to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            work(conn)
        })
        .await
    }

    /// Runs orders in one transaction that takes the writer's lock at once: one that began as
    /// a reader could be refused in the middle, whatever the busy timeout says. Whatever ends in
    /// an error, a refusal too, leaves nothing behind.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<Result<T, E>, Fault>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<Result<T, E>, Fault> + Send + 'static,
    {
        let ordered = self.run(|conn| {
            let done = conn.immediate_transaction(|conn| work(conn)?.map_err(Undone::Refused));
            match done {
                Ok(answer) => Ok(Ok(answer)),
                Err(Undone::Refused(refusal)) => Ok(Err(refusal)),
                Err(Undone::Fault(fault)) => Err(fault),
            }
        });
        ordered.await
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        use diesel::RunQueryDsl as _;
        let asked = self.run(|conn| Ok(diesel::sql_query("SELECT 1").execute(conn)?));
        asked.await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use diesel::RunQueryDsl as _;

    use super::*;

    fn store(folder: &tempfile::TempDir) -> Store {
        let opened = open::open(folder.path(), Duration::from_secs(1));
        opened.unwrap()
    }

    #[tokio::test]
    async fn strangers_leave_the_database_to_everybody_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (go, waits) = std::sync::mpsc::channel::<()>();
        let waits = std::sync::Mutex::new(waits);
        let held = store.run_for_stranger(move |_| Ok(waits.lock().unwrap().recv().is_err()));
        let crowd = (0..1_000).map(|_| store.run_for_stranger(|_| Ok(true)));
        let crowd = futures_util::future::join_all(crowd);
        let known = async {
            let answers = store.answers().await;
            drop(go);
            answers
        };
        let (held, crowd, answers) = tokio::join!(held, crowd, known);
        assert!(held.unwrap() && answers);
        assert!(crowd.into_iter().all(|answer| answer.unwrap()));
    }

    #[tokio::test]
    async fn a_refusal_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let refused = store.write(|conn| {
            diesel::sql_query("CREATE TABLE left_behind (a INTEGER)").execute(conn)?;
            Ok(Err::<(), _>("refused"))
        });
        assert_eq!(refused.await.unwrap(), Err("refused"));
        let looked =
            store.run(|conn| Ok(diesel::sql_query("SELECT a FROM left_behind").execute(conn)?));
        assert!(looked.await.is_err());
    }
}
