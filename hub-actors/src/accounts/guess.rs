//! Whether a typed password is the one of a name. Everything that asks for a password asks here:
//! the limits of addresses and names, equal work for names that nobody has, one answer.

use std::{sync::PoisonError, time::Duration};

use schema::ids::UserId;

use super::{
    failures::Failure,
    lockout::{FORGOTTEN_AFTER, Lockout, lock_after},
    password::Password,
};
use crate::{
    abuse::Network,
    asked::Asked,
    clock,
    error::{Fault, Refusal},
    notes::Author,
    state::State,
    store::{
        Connection,
        audit::Actor,
        users::{self, Locks},
    },
    telemetry::{self, SignIn},
    token::Purpose,
};

/// A right password, for a moment: it has to be looked at again where something is changed.
pub(crate) struct Proof {
    pub(crate) user: UserId,
    password_hash: Option<String>,
    failed: u32,
}

impl Proof {
    /// Of an account that has no password: there is nothing to be known.
    pub(crate) fn without_password(locks: Locks) -> Self {
        Self {
            user: locks.id,
            password_hash: None,
            failed: locks.failed,
        }
    }

    /// Whether the password is still the one that was looked at, and its user may still come in;
    /// wrong ones before it are forgotten.
    pub(crate) fn holds(&self, conn: &mut Connection) -> Result<bool, Fault> {
        let now = users::locks_of(conn, &self.user)?;
        let holds = now.is_some_and(|now| !now.disabled && now.password_hash == self.password_hash);
        if holds && self.failed > 0 {
            users::note_failures(conn, &self.user, 0, 0)?;
        }
        Ok(holds)
    }
}

/// Looks at a password that somebody typed for a name.
///
/// # Errors
///
/// [`Refusal::WrongPassword`] for every name that it is not the password of, and for users who
/// may not come in; [`Refusal::Locked`] and [`Refusal::Quota`] before it is looked at.
pub(crate) async fn check(asked: &Asked, name: &str, password: Password) -> Result<Proof, Refusal> {
    let state = &asked.state;
    let network = Network::from(asked.from.address);
    state
        .abuse
        .sign_in(network)
        .inspect_err(|_| telemetry::sign_in(SignIn::Limited))?;
    let typed = *state.pepper.hash(Purpose::TypedName, name).as_bytes();
    let tried = lockout(state).try_once(typed, clock::now());
    let failed = tried.map_err(locked)?;
    let looked = look(state, name, password).await;
    match looked {
        Ok((Some(locks), true)) => {
            state.abuse.forgive(network);
            lockout(state).forgive(&typed);
            Ok(Proof {
                user: locks.id,
                password_hash: locks.password_hash,
                failed: locks.failed,
            })
        }
        Ok((locks, _)) => {
            telemetry::sign_in(SignIn::Wrong);
            if let Some(locks) = locks {
                write_down(asked, locks, failed);
            }
            Err(Refusal::WrongPassword)
        }
        Err(refused) => {
            // Nobody looked, so nobody guessed.
            state.abuse.forgive(network);
            lockout(state).take_back(&typed, clock::now());
            Err(refused)
        }
    }
}

/// Who has the name, if anybody, and whether the password is right.
async fn look(
    state: &State,
    name: &str,
    password: Password,
) -> Result<(Option<Locks>, bool), Refusal> {
    let name = name.to_owned();
    let locks = state
        .store
        .run_for_stranger(move |conn| users::locks(conn, &name))
        .await?;
    if let Some(left) = locks.as_ref().and_then(left) {
        // Locked by another Hub, or by this one before it was started anew.
        return Err(locked(left));
    }
    let enabled = locks.as_ref().filter(|locks| !locks.disabled);
    let kept = enabled.and_then(|locks| locks.password_hash.clone());
    let is_right = state.passwords.is_right(password, kept).await?;
    Ok((locks, is_right))
}

fn left(locks: &Locks) -> Option<Duration> {
    let left = locks.locked_until_ms.saturating_sub(clock::unix_ms());
    let left = u64::try_from(left).ok().filter(|left| *left > 0)?;
    Some(Duration::from_millis(left))
}

fn locked(left: Duration) -> Refusal {
    telemetry::sign_in(SignIn::Locked);
    Refusal::Locked(left)
}

fn write_down(asked: &Asked, locks: Locks, failed_here: u32) {
    let forgotten_ms = i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(i64::MAX);
    let is_fresh = clock::unix_ms() < locks.locked_until_ms.saturating_add(forgotten_ms);
    let before = if is_fresh { locks.failed } else { 0 };
    let failed = failed_here.max(before.saturating_add(1));
    let failure = Failure {
        user: locks.id,
        failed,
        lock: lock_after(failed),
        author: Author {
            actor: Actor::Anonymous,
            id: String::new(),
            address: asked.from.address_text(),
        },
    };
    // A full queue is a flood, of which this Hub remembers enough.
    let _full = asked.state.failures.try_send(failure);
}

/// Forgets the wrong passwords that were tried for a name.
pub(super) fn forgive(state: &State, name: &str) {
    let typed = *state.pepper.hash(Purpose::TypedName, name).as_bytes();
    lockout(state).forgive(&typed);
}

fn lockout(state: &State) -> std::sync::MutexGuard<'_, Lockout> {
    state.lockout.lock().unwrap_or_else(PoisonError::into_inner)
}
