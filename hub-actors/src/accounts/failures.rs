//! Wrong passwords are written down after the answer: an account that is there takes a row and a
//! line of the audit log, a name that nobody has takes neither, and the answer must not tell.
//!
//! How many there can be is bounded by what makes them, the [lock-out](super::lockout) of names;
//! what finds the queue full is not written down, for this Hub remembers it anyway.

use std::sync::{Arc, Weak};

use schema::ids::UserId;
use tokio::sync::mpsc;

use crate::{
    error::Refusal,
    notes::Author,
    state::State,
    store::{audit::Object, users},
};

/// One wrong password for an account.
pub(crate) struct Failure {
    pub(crate) user: UserId,
    /// What becomes of the count in its row, if it counts there.
    pub(crate) count: Option<Count>,
    /// Whether it locked anything.
    pub(crate) locks: bool,
    pub(crate) author: Author,
}

/// How many there were, and what comes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    /// Wrong ones in a row, this included.
    pub(crate) failed: u32,
    /// Until when that locks the account.
    pub(crate) locked_until_ms: i64,
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
        count,
        locks,
        author,
    } = failure;
    let action = if locks {
        "login.locked"
    } else {
        "login.failed"
    };
    state
        .order(author, move |conn, notes| {
            if let Some(count) = count {
                users::note_failures(conn, &user, count.failed, count.locked_until_ms)?;
            }
            notes.audit(action, Object::User, user.as_str());
            Ok(Ok(()))
        })
        .await
}
