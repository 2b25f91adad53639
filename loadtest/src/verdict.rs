//! BRAIN: whether a run counts, and whether it was good enough.

use std::{fmt, time::Duration};

use serde::Serialize;

/// How a run ends, and the exit code that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It counts, and every gate held.
    Passed,
    /// It counts, and a gate did not hold.
    Failed,
    /// It does not count: the harness was the limit.
    Invalid,
}

impl Verdict {
    /// 0, 99 as other load-test tools have it, 4 for what says nothing about the Hub.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 99,
            Self::Invalid => 4,
        }
    }
}

/// How the harness itself fared.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Health {
    /// From intention to sending, 99th percentile, in microseconds.
    pub(crate) lag_p99_us: u64,
    /// Arrivals that found their sender's queue full.
    pub(crate) dropped: u64,
    /// Arrivals whose session had broken.
    pub(crate) orphaned: u64,
    /// Arrivals in all.
    pub(crate) arrivals: u64,
    /// CPU time of the harness, in seconds.
    pub(crate) harness_cpu_s: f64,
    /// CPU time of the Hub, in seconds, if it is known.
    pub(crate) hub_cpu_s: f64,
    /// CPU time of everything else on the machine, in seconds.
    pub(crate) others_cpu_s: f64,
    /// What they had: wall time by cores.
    pub(crate) machine_s: f64,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            harness_cpu_s,
            hub_cpu_s,
            others_cpu_s,
            machine_s,
            ..
        } = self;
        write!(f, "harness {harness_cpu_s:.2} s, Hub {hub_cpu_s:.2} s, ")?;
        write!(f, "others {others_cpu_s:.2} s of {machine_s:.2} s; ")?;
        write!(
            f,
            "{} arrivals dropped, {} orphaned",
            self.dropped, self.orphaned
        )
    }
}

/// Why a run does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Saturated {
    /// Messages were sent too late.
    Lag,
    /// More than a thousandth of them were not sent at all.
    Dropped,
    /// It took nearly all of the CPU that the Hub left to it.
    Cpu,
    /// Nothing was measured.
    Empty,
}

/// Share of the CPU left to it from which the harness counts as saturated.
const CPU_SHARE_MAX: f64 = 0.95;
const DROPPED_PER_MILLE_MAX: u64 = 1;

impl Health {
    /// The first thing that makes the run invalid.
    pub(crate) fn saturated(&self, lag_limit: Duration) -> Option<Saturated> {
        let left = self.machine_s - self.hub_cpu_s;
        if self.arrivals == 0 {
            return Some(Saturated::Empty);
        }
        if Duration::from_micros(self.lag_p99_us) > lag_limit {
            return Some(Saturated::Lag);
        }
        if self.dropped * 1_000 > self.arrivals * DROPPED_PER_MILLE_MAX {
            return Some(Saturated::Dropped);
        }
        (self.harness_cpu_s > left * CPU_SHARE_MAX).then_some(Saturated::Cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: Health = Health {
        lag_p99_us: 900,
        dropped: 1,
        orphaned: 0,
        arrivals: 10_000,
        harness_cpu_s: 6.0,
        hub_cpu_s: 9.0,
        others_cpu_s: 0.5,
        machine_s: 20.0,
    };
    const LIMIT: Duration = Duration::from_millis(10);

    #[test]
    fn a_harness_that_kept_up_is_believed() {
        assert_eq!(HEALTHY.saturated(LIMIT), None);
    }

    #[test]
    fn a_harness_that_was_the_limit_is_not() {
        let late = Health {
            lag_p99_us: 10_001,
            ..HEALTHY
        };
        assert_eq!(late.saturated(LIMIT), Some(Saturated::Lag));
        let full = Health {
            dropped: 11,
            ..HEALTHY
        };
        assert_eq!(full.saturated(LIMIT), Some(Saturated::Dropped));
        let busy = Health {
            harness_cpu_s: 10.6,
            ..HEALTHY
        };
        assert_eq!(busy.saturated(LIMIT), Some(Saturated::Cpu));
        let empty = Health {
            arrivals: 0,
            dropped: 0,
            ..HEALTHY
        };
        assert_eq!(empty.saturated(LIMIT), Some(Saturated::Empty));
    }

    #[test]
    fn invalid_is_told_apart_from_failed() {
        let codes = [Verdict::Passed, Verdict::Failed, Verdict::Invalid].map(Verdict::exit_code);
        assert_eq!(codes, [0, 99, 4]);
    }
}
