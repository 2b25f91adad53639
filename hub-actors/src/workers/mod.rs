//! WorkerService and WorkerRegistration: whose Workers there are, how they come to be, and how they
//! go.
//!
//! | file | holds |
//! |---|---|
//! | `listing` | what is said of Workers, and to whom |
//! | `keys` | registration keys |
//! | `registration` | from a key to a Worker |
//! | `changes` | another name, another owner |
//! | `departing` | the end of one |
//! | `fields` | what requests may say |

mod changes;
pub(crate) mod departing;
mod fields;
mod keys;
mod listing;
mod registration;

use std::time::Duration;

use schema::ids::{UserId, WorkerId};

pub(crate) use self::{
    changes::{rename_worker, transfer_worker},
    departing::{deregister, deregister_worker},
    fields::{is_mode, is_version},
    keys::{create_key, extend_key, revoke_key},
    listing::{handshake_parameters, list, seen},
    registration::{register, register_bundled},
};
use crate::{
    error::{Fault, Quota, Refusal},
    store::{
        Connection,
        workers::{self, Worker},
    },
    telemetry,
};

/// A member of an organisation from here on looks after what belongs to it; `memberships.role`.
const ADMIN: i16 = 2;

fn spent(quota: Quota) -> Refusal {
    telemetry::quota_refusal(quota);
    Refusal::Quota(quota, Duration::from_secs(60))
}

/// What somebody is to a Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tie {
    /// Its owner.
    Owner,
    /// Owner or admin of its organisation.
    Admin,
    /// Somebody who may see it.
    Viewer,
}

/// A Worker, and what somebody is to it; nothing for strangers, as for a Worker that is not there.
fn tie(
    conn: &mut Connection,
    user: &UserId,
    id: &WorkerId,
) -> Result<Option<(Worker, Tie)>, Fault> {
    let Some(worker) = workers::find(conn, id)? else {
        return Ok(None);
    };
    if worker.owner == *user {
        return Ok(Some((worker, Tie::Owner)));
    }
    let role = workers::membership(conn, &worker.organisation, user)?;
    if role.is_some_and(|role| role >= ADMIN) {
        return Ok(Some((worker, Tie::Admin)));
    }
    let seen = !workers::seen_by(conn, user, Some(id))?.is_empty();
    Ok(seen.then_some((worker, Tie::Viewer)))
}
