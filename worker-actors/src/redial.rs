//! BRAIN: when to dial the Hub again.

use std::time::{Duration, Instant};

/// The numbers of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// The longest wait while channels wait for their clients, which cannot come back before.
    pub awaited: Duration,
    /// A link that lasted so long counts as good: the next wait is the first again.
    pub stable: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(180),
            awaited: Duration::from_secs(5),
            stable: Duration::from_secs(30),
        }
    }
}

/// Waits that double, each 20 % more or less than it says, the first one too: a Hub that comes
/// back is not met by everybody at once.
#[derive(Debug)]
pub struct Redial {
    numbers: BackOff,
    next: Duration,
    up_since: Option<Instant>,
    told: Option<Duration>,
}

impl Redial {
    /// Nothing was dialled yet.
    #[must_use]
    pub const fn new(numbers: BackOff) -> Self {
        Self {
            numbers,
            next: numbers.first,
            up_since: None,
            told: None,
        }
    }

    /// The link is up.
    pub const fn up(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// The Hub says when to come back. That holds for the next wait and for no other.
    pub fn told(&mut self, delay: Duration) {
        self.told = (!delay.is_zero()).then_some(delay.min(self.numbers.longest));
    }

    /// The link is down, or did not come up. Says how long to wait; `awaited`: there are channels
    /// whose clients want to come back; `luck` is from [0, 1).
    pub fn down(&mut self, now: Instant, awaited: bool, luck: f64) -> Duration {
        let up_for = self
            .up_since
            .take()
            .map(|since| now.saturating_duration_since(since));
        if up_for.is_some_and(|time| time >= self.numbers.stable) {
            self.next = self.numbers.first;
        }
        if let Some(told) = self.told.take() {
            return told;
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.numbers.longest);
        let wait = if awaited {
            wait.min(self.numbers.awaited)
        } else {
            wait
        };
        wait.mul_f64(0.8 + 0.4 * luck)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn seconds(redial: &mut Redial, now: Instant) -> f64 {
        redial.down(now, false, MIDDLE).as_secs_f64()
    }

    #[test]
    fn waits_double_up_to_three_minutes() {
        let (mut redial, now) = (Redial::new(BackOff::default()), Instant::now());
        let waits: Vec<_> = (0..10).map(|_| seconds(&mut redial, now)).collect();
        assert_eq!(waits, [1., 2., 4., 8., 16., 32., 64., 128., 180., 180.]);
    }

    #[test]
    fn clients_that_want_to_come_back_are_waited_for_with_short_waits() {
        let (mut redial, now) = (Redial::new(BackOff::default()), Instant::now());
        let mut awaited = || redial.down(now, true, MIDDLE).as_secs_f64();
        let waits: Vec<_> = (0..6).map(|_| awaited()).collect();
        assert_eq!(waits, [1., 2., 4., 5., 5., 5.]);
        // Once the last of them is given up, everything is as it would have been.
        assert_eq!(seconds(&mut redial, now), 64.);
    }

    #[test]
    fn every_wait_is_jittered_by_a_fifth_and_the_first_one_too() {
        let now = Instant::now();
        for (luck, wait) in [(0.0, 0.8), (MIDDLE, 1.0), (0.999_999, 1.2)] {
            let first = Redial::new(BackOff::default())
                .down(now, false, luck)
                .as_secs_f64();
            assert!((first - wait).abs() < 1e-4, "{first}");
        }
    }

    #[test]
    fn only_a_link_that_lasted_makes_the_wait_short_again() {
        let (mut redial, now) = (Redial::new(BackOff::default()), Instant::now());
        for _ in 0..5 {
            redial.down(now, false, MIDDLE);
        }
        redial.up(now);
        assert_eq!(seconds(&mut redial, now + Duration::from_secs(29)), 32.);
        redial.up(now);
        assert_eq!(seconds(&mut redial, now + Duration::from_secs(30)), 1.);
    }

    #[test]
    fn what_the_hub_says_holds_once_and_costs_no_doubling() {
        let (mut redial, now) = (Redial::new(BackOff::default()), Instant::now());
        redial.told(Duration::from_secs(7));
        assert_eq!(seconds(&mut redial, now), 7.);
        assert_eq!(seconds(&mut redial, now), 1.);
        redial.told(Duration::from_secs(100_000));
        assert_eq!(seconds(&mut redial, now), 180.);
        redial.told(Duration::ZERO);
        assert_eq!(seconds(&mut redial, now), 2.);
    }
}
