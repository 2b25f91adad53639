//! The database, SQLite or PostgreSQL: a bounded pool, and every blocking call off the actors'
//! threads.
//!
//! | file | holds |
//! |---|---|
//! | [`open`], [`migrate`], `sqlite_file` | which database it is; checking and migrating it |
//! | [`connection`], [`postgres`], `pool` | one connection for both kinds, and where they come from |
//! | `transaction` | transactions that mean the same on both |
//! | [`tables`] | the tables as diesel sees them |
//! | [`users`], [`credentials`], [`workers`], [`registration_keys`] | the questions and orders |
//! | [`sealed`], [`hashes`] | every column that depends on the key file |
//! | [`organisations`], [`memberships`], [`invitations`] | who belongs together |
//! | [`workspaces`], [`shares`], [`access`] | what stands where, and who may do what there |
//! | [`api_tokens`], [`command_line`], [`delegations`] | credentials for programs |
//! | [`pending`] | what waits outside to let somebody in |
//! | [`layouts`], [`devices`], [`grants`] | layouts; device keys, and the certificates about them |
//! | [`ledger`], [`audit`] | revocations in order; who did what |

use std::{sync::Arc, time::Duration};

use r2d2::Pool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Fault;

pub(crate) mod access;
pub(crate) mod api_tokens;
pub(crate) mod audit;
#[cfg(test)]
pub(crate) mod both;
#[cfg(test)]
pub(crate) mod cast;
pub(crate) mod certificates;
pub(crate) mod command_line;
#[cfg(test)]
mod conformance;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod delegations;
pub(crate) mod devices;
pub(crate) mod expiry;
pub(crate) mod grants;
pub(crate) mod hashes;
pub(crate) mod invitations;
pub(crate) mod layouts;
pub(crate) mod ledger;
pub(crate) mod mail_codes;
pub(crate) mod memberships;
pub(crate) mod migrate;
pub(crate) mod oauth;
pub(crate) mod open;
pub(crate) mod organisations;
pub(crate) mod pending;
mod pool;
pub(crate) mod postgres;
pub(crate) mod registration_keys;
pub(crate) mod sealed;
pub(crate) mod settings;
pub(crate) mod shares;
pub(crate) mod sqlite_file;
pub(crate) mod standing;
pub(crate) mod tables;
mod transaction;
pub(crate) mod users;
pub(crate) mod workers;
pub(crate) mod workspaces;

pub(crate) use connection::AnyConnection as Connection;
use pool::Opener;
pub(crate) use transaction::unless_taken;
use transaction::{Access, Conflict};

/// Requests that may wait for a connection; beyond that the caller is told at once.
const QUEUE: usize = 256;

/// Requests at work of callers who have not shown who they are: strangers queue among themselves
/// and leave connections to everybody else.
const STRANGERS: usize = 2;
/// How long a stranger may queue.
const STRANGER_WAIT: Duration = Duration::from_secs(10);
/// The same for those who present a secret that may be right: they do not queue behind those who
/// present none.
const PRESENTERS: usize = 2;

/// Transactions of this Hub that write. The database has room for one anyway; here they wait
/// without a connection each, in order, and are woken instead of asking again and again.
const WRITERS: usize = 1;
/// How long one of them may wait: longer than the database lets one wait for another Hub's.
const WRITER_WAIT: Duration = Duration::from_secs(10);
/// As many may wait. They hold no place of those that ask: a crowd of them delays nobody else.
const WRITERS_WAITING: usize = 1_024;

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

impl<E> Conflict for Undone<E> {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_conflict())
    }
}

/// The Hub's database. Cloning shares the pool.
#[derive(Clone)]
pub(crate) struct Store {
    pool: Pool<Opener>,
    /// PostgreSQL's limits of time, as statements for the begin of a transaction.
    limits: Arc<str>,
    places: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    presenters: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    writers_waiting: Arc<Semaphore>,
}

impl Store {
    fn new(pool: Pool<Opener>, limits: String) -> Self {
        Self {
            pool,
            limits: limits.into(),
            places: Arc::new(Semaphore::new(QUEUE)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            presenters: Arc::new(Semaphore::new(PRESENTERS)),
            writers: Arc::new(Semaphore::new(WRITERS)),
            writers_waiting: Arc::new(Semaphore::new(WRITERS_WAITING)),
        }
    }

    /// Runs a question, or one order that stands alone.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    {
        let place = self.place()?;
        self.blocking(place, |conn, limits| match conn {
            Connection::Sqlite(_) => work(conn),
            // Only a transaction has limits of time that no pooler can lose.
            Connection::Postgres(_) => transaction::once(conn, limits, Access::Share, work),
        })
        .await
    }

    /// A place among those that wait or are at work.
    fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| Fault::Crowded)
    }

    /// Holds the place, or the turn, to the end of the work, also when nobody waits for it any more.
    async fn blocking<T, F>(&self, place: OwnedSemaphorePermit, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &str) -> Result<T, Fault> + Send + 'static,
    {
        let (pool, limits) = (self.pool.clone(), Arc::clone(&self.limits));
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&mut *pool.get()?, &limits)
        });
        answer.await.map_err(|_| Fault::Task)?
    }

    /// Runs a question for somebody who may be anybody. They wait for each other, in order.
    pub(crate) async fn run_for_stranger<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.run_in_turn(&self.strangers, work).await
    }

    /// Runs the look-up of a presented cookie or token. The same, in a queue of its own.
    pub(crate) async fn run_for_presenter<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.run_in_turn(&self.presenters, work).await
    }

    async fn run_in_turn<T, F>(&self, queue: &Arc<Semaphore>, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    {
        let turn = turn(queue, STRANGER_WAIT).await?;
        self.run(move |conn| {
            // Held to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            work(conn)
        })
        .await
    }

    /// Runs orders in one transaction, alone among those that write: what it reads stays true
    /// until it is done. Whatever ends in an error, a refusal too, leaves nothing behind. It may
    /// run again from its beginning where the database asks for another try.
    ///
    /// A statement that failed cannot be survived, see [`unless_taken`] for the one that can.
    pub(crate) async fn write<T, E, F>(&self, mut work: F) -> Result<Result<T, E>, Fault>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&mut Connection) -> Result<Result<T, E>, Fault> + Send + 'static,
    {
        let turn = self.turn_to_write().await?;
        self.blocking(turn, move |conn, limits| {
            let done =
                transaction::again(conn, limits, |conn| work(conn)?.map_err(Undone::Refused));
            match done {
                Ok(answer) => Ok(Ok(answer)),
                Err(Undone::Refused(refusal)) => Ok(Err(refusal)),
                Err(Undone::Fault(fault)) => Err(fault),
            }
        })
        .await
    }

    /// There are so few turns that whoever has one needs no place beside it.
    async fn turn_to_write(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let waits = self.writers_waiting.try_acquire();
        let _waits = waits.map_err(|_| Fault::Crowded)?;
        turn(&self.writers, WRITER_WAIT).await
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        use diesel::RunQueryDsl as _;
        let asked = self.run(|conn| Ok(diesel::sql_query("SELECT 1").execute(conn)?));
        asked.await.is_ok()
    }
}

/// A turn, within a time.
async fn turn(of: &Arc<Semaphore>, wait: Duration) -> Result<OwnedSemaphorePermit, Fault> {
    match tokio::time::timeout(wait, Arc::clone(of).acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(Fault::Crowded),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use diesel::{
        RunQueryDsl as _,
        result::{DatabaseErrorKind, Error},
    };

    use super::{both::Sandbox, *};

    both::on_both! {
        strangers_leave_the_database_to_everybody_else,
        whoever_presents_a_secret_does_not_queue_behind_those_who_have_none,
        a_refusal_leaves_nothing_behind,
        what_failed_inside_cannot_be_committed,
        those_that_write_do_so_one_at_a_time,
        those_that_write_leave_connections_to_those_that_ask,
        of_those_that_write_too_many_are_told_at_once,
        a_conflict_is_tried_again_and_not_for_ever,
        what_is_taken_can_be_survived,
        a_panic_leaves_no_transaction_open,
    }

    async fn strangers_leave_the_database_to_everybody_else(Sandbox { store, .. }: &Sandbox) {
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

    async fn whoever_presents_a_secret_does_not_queue_behind_those_who_have_none(
        Sandbox { store, .. }: &Sandbox,
    ) {
        let (go, waits) = std::sync::mpsc::channel::<()>();
        let waits = Arc::new(std::sync::Mutex::new(waits));
        let held = (0..STRANGERS).map(|_| {
            let waits = Arc::clone(&waits);
            store.run_for_stranger(move |_| Ok(waits.lock().unwrap().recv().is_err()))
        });
        let held = futures_util::future::join_all(held);
        let presented = async {
            let answer = store.run_for_presenter(|_| Ok(true)).await;
            drop(go);
            answer
        };
        let (held, presented) = tokio::join!(held, presented);
        assert!(presented.unwrap() && held.into_iter().all(|one| one.unwrap()));
    }

    async fn a_refusal_leaves_nothing_behind(Sandbox { store, .. }: &Sandbox) {
        let refused = store.write(|conn| {
            diesel::sql_query("CREATE TABLE left_behind (a INTEGER)").execute(conn)?;
            Ok(Err::<(), _>("refused"))
        });
        assert_eq!(refused.await.unwrap(), Err("refused"));
        let looked =
            store.run(|conn| Ok(diesel::sql_query("SELECT a FROM left_behind").execute(conn)?));
        assert!(looked.await.is_err());
    }

    /// A statement that both databases refuse.
    fn fail(conn: &mut Connection) {
        let failed = diesel::sql_query("SELECT a FROM nowhere").execute(conn);
        assert!(failed.is_err());
    }

    async fn what_failed_inside_cannot_be_committed(Sandbox { store, .. }: &Sandbox) {
        let done = store.write(|conn| {
            diesel::sql_query("CREATE TABLE kept (a INTEGER)").execute(conn)?;
            let sqlite = matches!(conn, Connection::Sqlite(_));
            fail(conn);
            Ok(Ok::<_, ()>(sqlite))
        });
        let done = done.await;
        let kept = store.run(|conn| Ok(diesel::sql_query("SELECT a FROM kept").execute(conn)?));
        // SQLite undoes the statement alone; PostgreSQL all, and must not be taken for done.
        assert_eq!(done.is_ok(), kept.await.is_ok());
        assert!(store.answers().await);
    }

    async fn those_that_write_do_so_one_at_a_time(Sandbox { store, .. }: &Sandbox) {
        let add = || {
            store.write(|conn| {
                use diesel::{ExpressionMethods as _, QueryDsl as _};
                use tables::settings;
                let row = settings::table
                    .select(settings::value)
                    .load::<String>(conn)?;
                let sum: u32 = row.first().map_or(0, |sum| sum.parse().unwrap());
                diesel::delete(settings::table).execute(conn)?;
                let value = (sum + 1).to_string();
                diesel::insert_into(settings::table)
                    .values((settings::key.eq("sum"), settings::value.eq(&value)))
                    .execute(conn)?;
                Ok(Ok::<_, ()>(sum + 1))
            })
        };
        let sums = futures_util::future::join_all((0..40).map(|_| add())).await;
        let mut sums: Vec<u32> = sums.into_iter().map(|sum| sum.unwrap().unwrap()).collect();
        sums.sort_unstable();
        assert_eq!(sums, (1..=40).collect::<Vec<_>>());
    }

    async fn those_that_write_leave_connections_to_those_that_ask(Sandbox { store, .. }: &Sandbox) {
        let (go, waits) = std::sync::mpsc::channel::<()>();
        let waits = std::sync::Mutex::new(waits);
        let held = store.write(move |_| Ok(Ok::<_, ()>(waits.lock().unwrap().recv().is_err())));
        let crowd = (0..QUEUE + 50).map(|_| store.write(|_| Ok(Ok::<_, ()>(true))));
        let crowd = futures_util::future::join_all(crowd);
        let asked = async {
            let answers = store.answers().await;
            drop(go);
            answers
        };
        let (held, crowd, answers) = tokio::join!(held, crowd, asked);
        assert!(held.unwrap().unwrap() && answers);
        assert!(crowd.into_iter().all(|one| one.unwrap().unwrap()));
    }

    async fn of_those_that_write_too_many_are_told_at_once(Sandbox { store, .. }: &Sandbox) {
        let (go, waits) = std::sync::mpsc::channel::<()>();
        let waits = std::sync::Mutex::new(waits);
        let held = store.write(move |_| Ok(Ok::<_, ()>(waits.lock().unwrap().recv().is_err())));
        let crowd = (0..WRITERS_WAITING).map(|_| store.write(|_| Ok(Ok::<_, ()>(true))));
        let crowd = futures_util::future::join_all(crowd);
        let more = async {
            let more = store.write(|_| Ok(Ok::<_, ()>(true))).await;
            drop(go);
            more
        };
        let (held, crowd, more) = tokio::join!(held, crowd, more);
        assert!(matches!(more, Err(Fault::Crowded)) && held.unwrap().unwrap());
        assert!(crowd.into_iter().all(|one| one.unwrap().unwrap()));
    }

    async fn a_conflict_is_tried_again_and_not_for_ever(Sandbox { store, .. }: &Sandbox) {
        let tries = Arc::new(AtomicU32::new(0));
        let conflict = || {
            let why = Box::new("conflict".to_owned());
            Fault::from(Error::DatabaseError(
                DatabaseErrorKind::SerializationFailure,
                why,
            ))
        };
        let counted = Arc::clone(&tries);
        let second = store.write(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Err(conflict()),
            tried => Ok(Ok::<_, ()>(tried)),
        });
        assert_eq!(second.await.unwrap(), Ok(1));
        let counted = Arc::clone(&tries);
        let never = store.write(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Err::<Result<(), ()>, _>(conflict())
        });
        assert!(never.await.is_err());
        assert_eq!(tries.load(Ordering::SeqCst), 2 + 5);
    }

    async fn what_is_taken_can_be_survived(Sandbox { store, .. }: &Sandbox) {
        let stored = store.write(|conn| {
            use diesel::ExpressionMethods as _;
            use tables::settings;
            let mut insert = || {
                unless_taken(conn, |conn| {
                    diesel::insert_into(settings::table)
                        .values((settings::key.eq("a"), settings::value.eq("b")))
                        .execute(conn)
                })
            };
            let (first, second) = (insert()?, insert()?);
            diesel::update(settings::table)
                .set(settings::value.eq("c"))
                .execute(conn)?;
            Ok(Ok::<_, ()>((first, second)))
        });
        assert_eq!(stored.await.unwrap(), Ok((true, false)));
    }

    async fn a_panic_leaves_no_transaction_open(Sandbox { store, .. }: &Sandbox) {
        for _ in 0..20 {
            let panicked = store.write(|_| -> Result<Result<(), ()>, Fault> {
                std::panic::resume_unwind(Box::new("no message"));
            });
            assert!(matches!(panicked.await, Err(Fault::Task)));
        }
        assert_eq!(store.write(|_| Ok(Ok::<_, ()>(7))).await.unwrap(), Ok(7));
    }
}
