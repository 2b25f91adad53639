//! BRAIN: how long a name is locked after wrong passwords, whether or not anybody has that name.
//!
//! A try is counted before its password is looked at, and forgiven when it was right: so a
//! thousand tries at once are not a thousand guesses. The count of an account is also kept in its
//! row, for other Hubs and for later; this here is what makes names that nobody has behave alike.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Wrong passwords that lock nothing.
const FREE: u32 = 4;
/// The first lock; doubled with each wrong password after it.
const FIRST: Duration = Duration::from_secs(30);
/// No lock is longer.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A name that was left alone for so long begins anew.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Beyond this the name that was tried longest ago is forgotten: a stranger cannot grow the map.
const NAMES_MAX: usize = 16_384;

/// How long the name is locked after so many wrong passwords in a row.
pub(crate) fn lock_after(failed: u32) -> Duration {
    match failed.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(more) => FIRST
            .saturating_mul(2_u32.saturating_pow(more))
            .min(LONGEST),
    }
}

/// Names by their keyed hash.
pub(crate) type Name = [u8; 32];

/// What is known of the names that were tried.
#[derive(Debug, Default)]
pub(crate) struct Lockout {
    names: BTreeMap<Name, Tries>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    failed: u32,
    until: Instant,
}

impl Lockout {
    /// Counts a try as a wrong one: the how manyth in a row it is, or how long the name is locked.
    pub(crate) fn try_once(&mut self, name: Name, now: Instant) -> Result<u32, Duration> {
        let before = self.names.get(&name).copied();
        if let Some(locked) = before.and_then(|tries| tries.until.checked_duration_since(now))
            && !locked.is_zero()
        {
            return Err(locked);
        }
        let fresh = before.filter(|tries| now < tries.until + FORGOTTEN_AFTER);
        let failed = fresh.map_or(0, |tries| tries.failed).saturating_add(1);
        self.make_room(&name);
        let until = now + lock_after(failed);
        self.names.insert(name, Tries { failed, until });
        Ok(failed)
    }

    /// The password was right.
    pub(crate) fn forgive(&mut self, name: &Name) {
        self.names.remove(name);
    }

    /// The try was no guess: what it was to be compared with could not be had.
    pub(crate) fn take_back(&mut self, name: &Name, now: Instant) {
        if let Some(tries) = self.names.get_mut(name) {
            tries.failed = tries.failed.saturating_sub(1);
            tries.until = now;
        }
    }

    fn make_room(&mut self, name: &Name) {
        if self.names.len() < NAMES_MAX || self.names.contains_key(name) {
            return;
        }
        let oldest = self.names.iter().min_by_key(|(_, tries)| tries.until);
        if let Some(oldest) = oldest.map(|(name, _)| *name) {
            self.names.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = [1; 32];

    #[test]
    fn the_fifth_wrong_password_locks_and_each_after_it_for_twice_as_long() {
        let locks: Vec<_> = (0..=12)
            .map(|failed| lock_after(failed).as_secs())
            .collect();
        assert_eq!(locks, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(lock_after(u32::MAX), LONGEST);
    }

    #[test]
    fn a_locked_name_stays_locked_until_its_time_is_up() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        for count in 1..=5 {
            assert_eq!(lockout.try_once(NAME, t0), Ok(count));
        }
        assert_eq!(lockout.try_once(NAME, t0), Err(FIRST));
        assert_eq!(lockout.try_once([2; 32], t0), Ok(1));
        let later = t0 + FIRST;
        assert_eq!(lockout.try_once(NAME, later), Ok(6));
        assert_eq!(lockout.try_once(NAME, later), Err(FIRST * 2));
    }

    #[test]
    fn the_right_password_and_a_day_make_it_new() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        (0..4).for_each(|_| assert!(lockout.try_once(NAME, t0).is_ok()));
        lockout.forgive(&NAME);
        assert_eq!(lockout.try_once(NAME, t0), Ok(1));
        assert_eq!(lockout.try_once(NAME, t0 + FORGOTTEN_AFTER), Ok(1));
    }

    #[test]
    fn a_try_that_was_none_counts_for_nothing() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        (0..4).for_each(|_| assert!(lockout.try_once(NAME, t0).is_ok()));
        for _ in 0..10 {
            assert_eq!(lockout.try_once(NAME, t0), Ok(5));
            lockout.take_back(&NAME, t0);
        }
    }

    #[test]
    fn strangers_cannot_grow_the_map() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        for number in 0..NAMES_MAX as u64 + 100 {
            let mut name = NAME;
            name[..8].copy_from_slice(&number.to_be_bytes());
            assert!(lockout.try_once(name, t0).is_ok());
        }
        assert_eq!(lockout.names.len(), NAMES_MAX);
    }
}
