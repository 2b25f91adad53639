//! BRAIN: when to try again, to dial or to renew.

use std::time::{Duration, Instant};

/// Waits that double, each drawn from its upper half, the first one from nothing to half a second:
/// clients that were cut off together do not come back together.
#[derive(Debug)]
pub(super) struct BackOff {
    failures: u32,
    up_since: Option<Instant>,
    told: Option<Duration>,
}

impl BackOff {
    /// Nothing was tried yet.
    pub(super) const fn new() -> Self {
        Self {
            failures: 0,
            up_since: None,
            told: None,
        }
    }

    /// It works now.
    pub(super) const fn up(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// The other side says when to come back. That holds for the next wait and for no other.
    pub(super) fn told(&mut self, delay: Duration) {
        self.told = (!delay.is_zero()).then_some(delay.min(HINT_MAX));
    }

    /// It does not work, or no more. How long to wait; `luck` is from [0, 1).
    pub(super) fn down(&mut self, now: Instant, luck: f64) -> Duration {
        let stood = |since| now.saturating_duration_since(since) >= STEADY;
        if self.up_since.take().is_some_and(stood) {
            self.failures = 0;
        }
        if let Some(told) = self.told.take() {
            return told.mul_f64(1.0 + luck / 4.0);
        }
        let span = FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST);
        let is_first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        if is_first {
            FIRST.mul_f64(luck)
        } else {
            span.mul_f64(0.5 + luck / 2.0)
        }
    }
}

/// The first wait is shorter than this; each further one up to twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// A longer hint would be a way to keep a client away.
const HINT_MAX: Duration = Duration::from_secs(60);
/// What stood for so long counts as working: a way that opens and ends at once does not defeat
/// the back-off.
const STEADY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "some moment to count from")]

    use super::*;

    const LATEST: f64 = 0.999_999;

    fn waits(back_off: &mut BackOff, now: Instant, luck: f64, count: usize) -> Vec<u64> {
        let wait = |_| back_off.down(now, luck).as_secs_f64() * 1000.0;
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "small"
        )]
        (0..count).map(wait).map(|ms| ms.round() as u64).collect()
    }

    #[test]
    fn the_first_try_is_within_half_a_second_and_the_waits_double_up_to_half_a_minute() {
        let now = Instant::now();
        let soonest = waits(&mut BackOff::new(), now, 0.0, 9);
        assert_eq!(
            soonest,
            [0, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]
        );
        let latest = waits(&mut BackOff::new(), now, LATEST, 9);
        assert_eq!(
            latest,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
        );
    }

    #[test]
    fn only_what_stood_for_a_while_makes_the_wait_short_again() {
        let (mut back_off, now) = (BackOff::new(), Instant::now());
        waits(&mut back_off, now, LATEST, 3);
        back_off.up(now);
        assert_eq!(waits(&mut back_off, now + STEADY / 2, LATEST, 1), [4000]);
        back_off.up(now);
        assert_eq!(waits(&mut back_off, now + STEADY, LATEST, 1), [500]);
    }

    #[test]
    fn a_hint_holds_once_is_never_undercut_and_is_no_longer_than_a_minute() {
        let (mut back_off, now) = (BackOff::new(), Instant::now());
        back_off.told(Duration::from_secs(8));
        assert_eq!(waits(&mut back_off, now, 0.0, 2), [8000, 0]);
        back_off.told(Duration::from_secs(8));
        assert_eq!(waits(&mut back_off, now, LATEST, 1), [10_000]);
        back_off.told(Duration::from_secs(100_000));
        assert_eq!(waits(&mut back_off, now, 0.0, 1), [60_000]);
    }
}
