//! Wrong passwords are written down after the answer: an account that is there takes a row and a
//! line of the audit log, a name that nobody has takes neither, and the answer must not tell.
//!
//! How many there can be is bounded by what makes them, the [lock-out](super::lockout) of names;
//! what finds the queue full is not written down, for this Hub remembers it anyway.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use schema::ids::UserId;
use tokio::sync::mpsc;

use crate::{
    clock,
    error::Refusal,
    notes::Author,
    state::State,
    store::{audit::Object, users},
};

/// One wrong password for an account.
pub(crate) struct Failure {
    pub(crate) user: UserId,
    /// Wrong ones in a row, this included.
    pub(crate) failed: u32,
    /// How long that locks the account.
    pub(crate) lock: Duration,
    pub(crate) author: Author,
}

/// Where they are left.
pub(crate) type Failures = mpsc::Sender<Failure>;

/// As many may wait.
const QUEUE: usize = 256;

/// Where they are left, and where they come out.
pub(crate) fn queue() -> (Failures, mpsc::Receiver<Failure>) {
    mpsc::channel(QUEUE)
}

/// Writes them down, one by one, until the Hub ends: the task is its actix system's.
pub(crate) fn keep(state: &Arc<State>, mut kept: mpsc::Receiver<Failure>) {
    let state: Weak<State> = Arc::downgrade(state);
    actix_rt::spawn(async move {
        while let Some(failure) = kept.recv().await {
            let Some(state) = state.upgrade() else {
                return;
            };
            // A failing database was logged; the lock holds in this Hub.
            let _written = write(&state, failure).await;
        }
    });
}

async fn write(state: &State, failure: Failure) -> Result<(), Refusal> {
    let Failure {
        user,
        failed,
        lock,
        author,
    } = failure;
    let lock_ms = i64::try_from(lock.as_millis()).unwrap_or(i64::MAX);
    let action = if lock.is_zero() {
        "login.failed"
    } else {
        "login.locked"
    };
    state
        .order(author, move |conn, notes| {
            let until_ms = clock::unix_ms().saturating_add(lock_ms);
            users::note_failures(conn, &user, failed, until_ms)?;
            notes.audit(action, Object::User, user.as_str());
            Ok(Ok(()))
        })
        .await
}
