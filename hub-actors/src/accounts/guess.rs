//! Whether a typed password is the one of a name. Everything that asks for a password asks here:
//! the limits of addresses and names, equal work for names that nobody has, one answer.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use schema::ids::UserId;

use super::{
    failures::{Count, Failure},
    lockout::{Counted, FORGOTTEN_AFTER, Lockout, Name, lock_everywhere},
    password::Password,
};
use crate::{
    abuse::Network,
    asked::Asked,
    caller::Caller,
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
    fn of(locks: Locks) -> Self {
        Self {
            user: locks.id,
            password_hash: locks.password_hash,
            failed: locks.failed,
        }
    }

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

/// Looks at a password that somebody typed for a name, to sign in.
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
    let typed = typed(state, name);
    let at_ms = clock::unix_ms();
    let counted = lockout(state).try_name(typed, network, clock::now());
    let counted = counted.map_err(locked)?;
    let whose = Whose::Name(name.to_owned());
    let looked = limited(state, &typed, look(state, whose, password, at_ms)).await;
    match looked {
        Ok((Some(locks), true)) => {
            state.abuse.forgive(network);
            lockout(state).forgive_name(typed, network);
            Ok(Proof::of(locks))
        }
        Ok((locks, _)) => Err(wrong(asked, locks, counted, at_ms)),
        Err(refused) => {
            // Nobody looked, so nobody guessed.
            state.abuse.forgive(network);
            lockout(state).take_back(typed, network, counted, clock::now());
            Err(refused)
        }
    }
}

/// Looks at a password that somebody types who is signed in. Strangers who guess at the name stand
/// in nobody's way here.
///
/// # Errors
///
/// The same.
pub(crate) async fn confirm(
    asked: &Asked,
    caller: &Caller,
    password: Password,
) -> Result<Proof, Refusal> {
    let (state, login) = (&asked.state, &caller.credential);
    let at_ms = clock::unix_ms();
    let counted = lockout(state).try_login(login, clock::now());
    let counted = counted.map_err(locked)?;
    let typed = typed(state, &caller.username);
    let whose = Whose::User(caller.user.clone());
    let looked = limited(state, &typed, look(state, whose, password, at_ms)).await;
    match looked {
        Ok((Some(locks), true)) => {
            lockout(state).forgive_login(login);
            Ok(Proof::of(locks))
        }
        Ok((locks, _)) => Err(wrong(asked, locks, counted, at_ms)),
        Err(refused) => {
            lockout(state).take_back_login(login, clock::now());
            Err(refused)
        }
    }
}

/// What was looked at: an account, if it is there, and whether the password is right.
type Looked = (Option<Locks>, bool);

/// Looks, unless right passwords came too often.
async fn limited(
    state: &State,
    typed: &Name,
    look: impl Future<Output = Result<Looked, Refusal>>,
) -> Result<Looked, Refusal> {
    state.abuse.right_password(typed)?;
    let looked = look.await;
    if !matches!(looked, Ok((Some(_), true))) {
        state.abuse.wrong_password(typed);
    }
    looked
}

/// Whose password it would be.
enum Whose {
    /// That of whoever has the name, if anybody.
    Name(String),
    /// That of somebody who is known.
    User(UserId),
}

/// What stands in the way of an account, if it is there, and whether the password is right.
///
/// A name that only its row says is locked, which another Hub did or this one before it was started
/// anew, is answered as if the password was wrong and costs what that costs: `Locked` would tell
/// that somebody has it.
async fn look(
    state: &State,
    whose: Whose,
    password: Password,
    at_ms: i64,
) -> Result<Looked, Refusal> {
    let (store, is_known) = (&state.store, matches!(whose, Whose::User(_)));
    let locks = match whose {
        Whose::Name(name) => {
            store
                .run_for_stranger(move |conn| users::locks(conn, &name))
                .await?
        }
        Whose::User(user) => store.run(move |conn| users::locks_of(conn, &user)).await?,
    };
    let open = locks.as_ref().filter(|locks| {
        let is_locked = !is_known && locks.locked_until_ms > at_ms;
        !locks.disabled && !is_locked
    });
    let kept = open.and_then(|locks| locks.password_hash.clone());
    let is_right = state.passwords.is_right(password, kept).await?;
    Ok((locks, is_right))
}

fn locked(left: Duration) -> Refusal {
    telemetry::sign_in(SignIn::Locked);
    Refusal::Locked(left)
}

/// Has it written down, if there is an account to write it to.
fn wrong(asked: &Asked, locks: Option<Locks>, counted: Counted, at_ms: i64) -> Refusal {
    telemetry::sign_in(SignIn::Wrong);
    if let Some(locks) = locks {
        let failure = Failure {
            count: counted.everywhere.map(|here| count(&locks, here, at_ms)),
            user: locks.id,
            locks: counted.locks,
            author: Author {
                actor: Actor::Anonymous,
                id: String::new(),
                address: asked.from.address_text(),
            },
        };
        // A full queue is a flood, of which this Hub remembers enough.
        let _full = asked.state.failures.try_send(failure);
    }
    Refusal::WrongPassword
}

/// What the row says from now on: the lock begins when the try was counted, so that it does not
/// outlive the one that this Hub remembers.
fn count(locks: &Locks, failed_here: u32, at_ms: i64) -> Count {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let is_fresh = at_ms < locks.locked_until_ms.saturating_add(ms(FORGOTTEN_AFTER));
    let before = if is_fresh { locks.failed } else { 0 };
    let failed = failed_here.max(before.saturating_add(1));
    Count {
        failed,
        locked_until_ms: at_ms.saturating_add(ms(lock_everywhere(failed))),
    }
}

/// Forgets the wrong passwords that were tried for a name.
pub(super) fn forget(state: &State, name: &str) {
    let typed = typed(state, name);
    lockout(state).forget(&typed);
}

fn typed(state: &State, name: &str) -> Name {
    *state.pepper.hash(Purpose::TypedName, name).as_bytes()
}

fn lockout(state: &State) -> MutexGuard<'_, Lockout> {
    state.lockout.lock().unwrap_or_else(PoisonError::into_inner)
}
