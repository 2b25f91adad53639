//! BRAIN: how long a name is locked after wrong passwords, whether or not anybody has that name.
//!
//! First it is locked for the network that they came from, and only when many networks have tried in
//! vain for everybody: a stranger cannot keep its owner out. Whoever is signed in and is asked for the
//! password again is counted by the login, whatever strangers do to the name.
//!
//! A try is counted before its password is looked at, and forgiven when it was right: so a
//! thousand tries at once are not a thousand guesses. The count of an account is also kept in its
//! row, for other Hubs and for later; this here is what makes names that nobody has behave alike.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use schema::ids::CredentialId;

use crate::abuse::Network;

/// Wrong passwords of one network that lock nothing.
const FREE: u32 = 4;
/// And of all networks. Each counts for as many as lock it out and for no more, so that it takes more
/// than five of them.
const FREE_EVERYWHERE: u32 = 5 * (FREE + 1);
/// The first lock; doubled with each wrong password after it.
const FIRST: Duration = Duration::from_secs(30);
/// No lock is longer.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A name that was left alone for so long begins anew.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Beyond this the one that was tried longest ago is forgotten: a stranger cannot grow the map.
const KEYS_MAX: usize = 16_384;

/// How long a name is locked for everybody after so many wrong passwords in a row.
pub(crate) fn lock_everywhere(failed: u32) -> Duration {
    lock_after(failed, FREE_EVERYWHERE)
}

fn lock_after(failed: u32, free: u32) -> Duration {
    match failed.checked_sub(free + 1) {
        None => Duration::ZERO,
        Some(more) => FIRST
            .saturating_mul(2_u32.saturating_pow(more))
            .min(LONGEST),
    }
}

/// Names by their keyed hash.
pub(crate) type Name = [u8; 32];

/// What is known of what was tried.
#[derive(Debug)]
pub(crate) struct Lockout {
    near: Book<(Name, Network)>,
    everywhere: Book<Name>,
    logins: Book<CredentialId>,
}

/// A try that was counted as a wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The how manyth in a row it is from everywhere, if it counts there.
    pub(crate) everywhere: Option<u32>,
    /// Whether it locked anything.
    pub(crate) locks: bool,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            near: Book::new(FREE),
            everywhere: Book::new(FREE_EVERYWHERE),
            logins: Book::new(FREE),
        }
    }
}

impl Lockout {
    /// Counts a try as a wrong one, or says how long the name is locked.
    pub(crate) fn try_name(
        &mut self,
        name: Name,
        from: Network,
        now: Instant,
    ) -> Result<Counted, Duration> {
        self.everywhere.is_open(&name, now)?;
        let failed = self.near.try_once((name, from), now)?;
        let counts = failed <= FREE + 1;
        let everywhere = counts
            .then(|| self.everywhere.try_once(name, now))
            .transpose()?;
        let locks_all = everywhere.is_some_and(|failed| !lock_everywhere(failed).is_zero());
        Ok(Counted {
            everywhere,
            locks: failed > FREE || locks_all,
        })
    }

    /// The same for somebody who is signed in.
    pub(crate) fn try_login(
        &mut self,
        login: &CredentialId,
        now: Instant,
    ) -> Result<Counted, Duration> {
        let failed = self.logins.try_once(login.clone(), now)?;
        Ok(Counted {
            everywhere: None,
            locks: failed > FREE,
        })
    }

    /// The password was right.
    pub(crate) fn forgive_name(&mut self, name: Name, from: Network) {
        self.near.forgive(&(name, from));
        self.everywhere.forgive(&name);
    }

    /// The same for somebody who is signed in.
    pub(crate) fn forgive_login(&mut self, login: &CredentialId) {
        self.logins.forgive(login);
    }

    /// The name has another password.
    pub(crate) fn forget(&mut self, name: &Name) {
        self.near.keys.retain(|(tried, _), _| tried != name);
        self.everywhere.forgive(name);
    }

    /// The try was no guess: what it was to be compared with could not be had.
    pub(crate) fn take_back(&mut self, name: Name, from: Network, was: Counted, now: Instant) {
        self.near.take_back(&(name, from), now);
        if was.everywhere.is_some() {
            self.everywhere.take_back(&name, now);
        }
    }

    /// The same for somebody who is signed in.
    pub(crate) fn take_back_login(&mut self, login: &CredentialId, now: Instant) {
        self.logins.take_back(login, now);
    }
}

/// Tries by what they are counted by.
#[derive(Debug)]
struct Book<K> {
    free: u32,
    keys: BTreeMap<K, Tries>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    failed: u32,
    until: Instant,
}

impl<K: Ord + Clone> Book<K> {
    const fn new(free: u32) -> Self {
        Self {
            free,
            keys: BTreeMap::new(),
        }
    }

    /// Or how long it is locked yet.
    fn is_open(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let tries = self.keys.get(key);
        match tries.and_then(|tries| tries.until.checked_duration_since(now)) {
            Some(left) if !left.is_zero() => Err(left),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a try as a wrong one: the how manyth in a row it is, or how long its key is locked.
    fn try_once(&mut self, key: K, now: Instant) -> Result<u32, Duration> {
        self.is_open(&key, now)?;
        let before = self.keys.get(&key);
        let fresh = before.filter(|tries| now < tries.until + FORGOTTEN_AFTER);
        let failed = fresh.map_or(0, |tries| tries.failed).saturating_add(1);
        self.make_room(&key);
        let until = now + lock_after(failed, self.free);
        self.keys.insert(key, Tries { failed, until });
        Ok(failed)
    }

    fn forgive(&mut self, key: &K) {
        self.keys.remove(key);
    }

    fn take_back(&mut self, key: &K, now: Instant) {
        if let Some(tries) = self.keys.get_mut(key) {
            tries.failed = tries.failed.saturating_sub(1);
            tries.until = now;
        }
    }

    fn make_room(&mut self, key: &K) {
        if self.keys.len() < KEYS_MAX || self.keys.contains_key(key) {
            return;
        }
        let oldest = self.keys.iter().min_by_key(|(_, tries)| tries.until);
        if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = [1; 32];

    fn network(number: u8) -> Network {
        Network::from(Some(std::net::IpAddr::from([192, 0, 2, number])))
    }

    #[test]
    fn the_fifth_wrong_password_locks_and_each_after_it_for_twice_as_long() {
        let locks: Vec<_> = (0..=12)
            .map(|failed| lock_after(failed, FREE).as_secs())
            .collect();
        assert_eq!(locks, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(lock_after(u32::MAX, FREE), LONGEST);
    }

    #[test]
    fn a_name_is_locked_for_the_network_that_guessed_and_stays_so_until_its_time_is_up() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        for count in 1..=5 {
            let counted = Counted {
                everywhere: Some(count),
                locks: count == 5,
            };
            assert_eq!(lockout.try_name(NAME, network(1), t0), Ok(counted));
        }
        assert_eq!(lockout.try_name(NAME, network(1), t0), Err(FIRST));
        assert!(lockout.try_name([2; 32], network(1), t0).is_ok());
        assert!(lockout.try_name(NAME, network(2), t0).is_ok());
        let later = t0 + FIRST;
        let counted = Counted {
            everywhere: None,
            locks: true,
        };
        assert_eq!(lockout.try_name(NAME, network(1), later), Ok(counted));
        assert_eq!(lockout.try_name(NAME, network(1), later), Err(FIRST * 2));
    }

    #[test]
    fn one_network_never_locks_a_name_for_others_and_six_do() {
        let (mut lockout, mut now) = (Lockout::default(), crate::clock::now());
        // Half a day of it.
        for _ in 0..50 {
            let _locked = lockout.try_name(NAME, network(1), now);
            now += LONGEST;
        }
        assert!(lockout.try_name(NAME, network(99), now).is_ok());
        for guesser in 2..=5 {
            for _ in 0..5 {
                assert!(lockout.try_name(NAME, network(guesser), now).is_ok());
            }
        }
        assert_eq!(lockout.try_name(NAME, network(98), now), Err(FIRST));
        let again = lockout.try_name(NAME, network(98), now + FIRST).unwrap();
        assert_eq!((again.everywhere, again.locks), (Some(27), true));
    }

    #[test]
    fn the_right_password_another_one_and_a_day_make_it_new() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        let count = |lockout: &mut Lockout, now| {
            let counted = lockout.try_name(NAME, network(1), now);
            counted.unwrap().everywhere
        };
        (0..4).for_each(|_| assert!(count(&mut lockout, t0).is_some()));
        lockout.forgive_name(NAME, network(1));
        assert_eq!(count(&mut lockout, t0), Some(1));
        assert_eq!(count(&mut lockout, t0 + FORGOTTEN_AFTER), Some(1));
        lockout.forget(&NAME);
        assert_eq!(count(&mut lockout, t0), Some(1));
    }

    #[test]
    fn a_login_is_locked_by_its_own_tries_and_by_no_others() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        let [mine, other] = ["mine", "other"].map(|id| CredentialId::parse(id).unwrap());
        (0..5).for_each(|_| assert!(lockout.try_login(&mine, t0).is_ok()));
        assert_eq!(lockout.try_login(&mine, t0), Err(FIRST));
        assert!(lockout.try_login(&other, t0).is_ok());
        lockout.forgive_login(&mine);
        assert!(lockout.try_login(&mine, t0).is_ok());
    }

    #[test]
    fn a_try_that_was_none_counts_for_nothing() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        (0..4).for_each(|_| assert!(lockout.try_name(NAME, network(1), t0).is_ok()));
        for _ in 0..10 {
            let counted = lockout.try_name(NAME, network(1), t0).unwrap();
            assert_eq!(counted.everywhere, Some(5));
            lockout.take_back(NAME, network(1), counted, t0);
        }
    }

    #[test]
    fn strangers_cannot_grow_the_map() {
        let (mut lockout, t0) = (Lockout::default(), crate::clock::now());
        for number in 0..KEYS_MAX as u64 + 100 {
            let mut name = NAME;
            name[..8].copy_from_slice(&number.to_be_bytes());
            assert!(lockout.try_name(name, network(1), t0).is_ok());
        }
        assert_eq!(lockout.near.keys.len(), KEYS_MAX);
        assert_eq!(lockout.everywhere.keys.len(), KEYS_MAX);
    }
}
