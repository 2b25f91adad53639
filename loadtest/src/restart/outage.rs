//! BRAIN: how long a channel was dark, and when it was attached again.

use std::{fmt, time::Duration};

use serde::Serialize;

/// One channel's outage, or none. Times from the beginning of the run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outage {
    last_echo: Option<Duration>,
    lost: Option<Duration>,
    attached: Option<Duration>,
}

/// One outage that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// From the last echo before to the first after.
    pub(super) dark: Duration,
    /// From the moment when the end knew that its path is lost to the accepted claim.
    pub(super) detached: Duration,
}

impl Outage {
    /// The path is lost. Losing another on the way back makes the outage longer, not two of it.
    pub(super) fn lost(&mut self, now: Duration) {
        self.lost.get_or_insert(now);
        self.attached = None;
    }

    /// There is another.
    pub(super) const fn attached(&mut self, now: Duration) {
        self.attached = Some(now);
    }

    /// An echo came. The first after an outage ends it.
    pub(super) fn echoed(&mut self, now: Duration) -> Option<Gap> {
        let before = self.last_echo.replace(now);
        let attached = self.attached.take()?;
        let lost = self.lost.take()?;
        Some(Gap {
            dark: now.saturating_sub(before.unwrap_or(lost)),
            detached: attached.saturating_sub(lost),
        })
    }

    /// Whether the channel waits for a path, or for its first echo on one.
    pub(super) const fn lasts(&self) -> bool {
        self.lost.is_some()
    }
}

/// Percentiles of times, in milliseconds. Nearest rank: each is a time that was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    count: usize,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Spread {
    pub(super) fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        let rank = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times
                .get(place)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self {
            count: times.len(),
            p50_ms: rank(50),
            p90_ms: rank(90),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            p50_ms,
            p90_ms,
            p99_ms,
            max_ms,
        } = self;
        write!(f, "p50 {p50_ms:.0} ms  p90 {p90_ms:.0} ms  ")?;
        write!(f, "p99 {p99_ms:.0} ms  max {max_ms:.0} ms  of {count}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_outage_runs_from_the_last_echo_to_the_first() {
        let mut outage = Outage::default();
        assert_eq!(outage.echoed(at(100)), None);
        outage.lost(at(150));
        // What the socket still held.
        assert_eq!(outage.echoed(at(160)), None);
        assert!(outage.lasts());
        outage.attached(at(900));
        let gap = outage.echoed(at(1_000)).expect("it is over");
        assert_eq!((gap.dark, gap.detached), (at(840), at(750)));
        assert!(!outage.lasts());
        assert_eq!(outage.echoed(at(1_100)), None);
    }

    #[test]
    fn a_path_that_is_lost_again_makes_one_longer_outage() {
        let mut outage = Outage::default();
        outage.echoed(at(0));
        outage.lost(at(10));
        outage.attached(at(20));
        outage.lost(at(30));
        outage.lost(at(40));
        outage.attached(at(50));
        let gap = outage.echoed(at(60)).expect("it is over");
        assert_eq!((gap.dark, gap.detached), (at(60), at(40)));
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let spread = Spread::of((1..=100).rev().map(at));
        let found = [spread.p50_ms, spread.p90_ms, spread.p99_ms, spread.max_ms];
        assert_eq!((spread.count, found), (100, [50.0, 90.0, 99.0, 100.0]));
        assert_eq!(Spread::of([at(7)].into_iter()).p50_ms, 7.0);
        assert_eq!(Spread::of(std::iter::empty()), Spread::default());
    }
}
