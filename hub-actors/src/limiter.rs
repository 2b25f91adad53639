//! BRAIN: how often something may happen, per key, with a bound on the keys.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A bucket of tokens for each key. Full buckets are forgotten, so idle keys cost nothing.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    rate: Rate,
    buckets: BTreeMap<K, Bucket>,
}

/// How many at once, and how long until one more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) every: Duration,
}

/// Control messages that a peer may send at once, and how often one more. They are told, not
/// offered: this is the bound of the mailboxes that they go to.
pub(crate) const CONTROLS: Rate = Rate {
    burst: 4_096,
    every: Duration::from_millis(5),
};

/// And of a Worker: after a restart of the Hub, all of its channels come back within seconds. It may
/// have 4,096 of them, and some answers to each.
pub(crate) const LINK_CONTROLS: Rate = Rate {
    burst: 4 * CONTROLS.burst,
    every: CONTROLS.every,
};

#[derive(Debug)]
struct Bucket {
    /// When it will be full again; each token moves this on by `every`.
    full_at: Instant,
}

/// Keys beyond this push out those that are fullest: a stranger cannot grow the map.
const KEYS_MAX: usize = 16_384;

impl<K: Ord + Clone> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: BTreeMap::new(),
        }
    }

    /// Takes a token, or says how long to wait for one.
    pub(crate) fn take(&mut self, key: &K, now: Instant) -> Result<(), Duration> {
        self.check(key, now)?;
        self.spend(key, now);
        Ok(())
    }

    /// Gives back a token that was taken for nothing.
    pub(crate) fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            // Before the beginning of time a bucket is as full as now.
            bucket.full_at = bucket
                .full_at
                .checked_sub(self.rate.every)
                .unwrap_or(bucket.full_at);
        }
    }

    fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let owed = self.owed(key, now);
        let room = self
            .rate
            .every
            .saturating_mul(self.rate.burst.saturating_sub(1));
        if owed <= room {
            Ok(())
        } else {
            Err(owed - room)
        }
    }

    fn spend(&mut self, key: &K, now: Instant) {
        let full_at = now + self.owed(key, now) + self.rate.every;
        if self.buckets.len() >= KEYS_MAX {
            self.forget(now);
        }
        self.buckets.insert(key.clone(), Bucket { full_at });
    }

    fn owed(&self, key: &K, now: Instant) -> Duration {
        self.buckets.get(key).map_or(Duration::ZERO, |bucket| {
            bucket.full_at.saturating_duration_since(now)
        })
    }

    fn forget(&mut self, now: Instant) {
        self.buckets.retain(|_, bucket| bucket.full_at > now);
        if self.buckets.len() >= KEYS_MAX {
            let fullest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.full_at);
            if let Some(key) = fullest.map(|(key, _)| key.clone()) {
                self.buckets.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        crate::clock::now()
    }

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let mut limiter = Limiter::new(Rate {
            burst: 3,
            every: Duration::from_secs(1),
        });
        let t0 = start();
        (0..3).for_each(|_| limiter.take(&"a", t0).unwrap());
        assert_eq!(limiter.take(&"a", t0), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take(&"b", t0), Ok(()));
        assert_eq!(limiter.take(&"a", t0 + Duration::from_secs(1)), Ok(()));
        assert!(
            limiter
                .take(&"a", t0 + Duration::from_millis(1_500))
                .is_err()
        );
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let mut limiter = Limiter::new(Rate {
            burst: 1,
            every: Duration::from_secs(1),
        });
        let t0 = start();
        for _ in 0..3 {
            assert_eq!(limiter.take(&"a", t0), Ok(()));
            assert!(limiter.take(&"a", t0).is_err());
            limiter.give_back(&"a");
        }
        limiter.give_back(&"b");
        assert_eq!(limiter.buckets.len(), 1);
    }

    #[test]
    fn strangers_cannot_grow_the_map() {
        let mut limiter = Limiter::new(Rate {
            burst: 1,
            every: Duration::from_secs(60),
        });
        let t0 = start();
        (0..KEYS_MAX + 100).for_each(|key| limiter.spend(&key, t0));
        assert!(limiter.buckets.len() <= KEYS_MAX);
    }
}
