//! BRAIN: two times of every message, and how late the harness itself was.
//!
//! *Response* runs from when a message should have been sent, *service* from when it was. A
//! harness that tells only the second forgets the messages that a stall held up before they were
//! sent (coordinated omission), and a stall of 300 ms vanishes from its percentiles.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::audit::Flight;

/// The times of one run, in microseconds to 60 s, three digits.
#[derive(Debug)]
pub(crate) struct Recorder {
    warmup: Duration,
    response: Histogram<u64>,
    service: Histogram<u64>,
    lag: Histogram<u64>,
}

const HIGHEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

impl Recorder {
    /// Counts nothing that should have been sent before `warmup`.
    ///
    /// # Errors
    ///
    /// None for these constants, as long as the library keeps its word.
    pub(crate) fn new(warmup: Duration) -> anyhow::Result<Self> {
        let times = || Histogram::new_with_bounds(1, HIGHEST_US, DIGITS);
        Ok(Self {
            warmup,
            response: times()?,
            service: times()?,
            lag: times()?,
        })
    }

    /// A message came back.
    pub(crate) fn returned(&mut self, flight: Flight, now: Duration) {
        if flight.intended >= self.warmup {
            self.response
                .saturating_record(micros(now.saturating_sub(flight.intended)));
            self.service
                .saturating_record(micros(now.saturating_sub(flight.sent)));
        }
    }

    /// A message was picked up for sending; nothing but the harness had held it up.
    pub(crate) fn picked_up(&mut self, intended: Duration, now: Duration) {
        if intended >= self.warmup {
            self.lag
                .saturating_record(micros(now.saturating_sub(intended)));
        }
    }

    /// From intention to answer.
    pub(crate) fn response(&self) -> Spectrum {
        Spectrum::of(&self.response)
    }

    /// From sending to answer.
    pub(crate) fn service(&self) -> Spectrum {
        Spectrum::of(&self.service)
    }

    /// From intention to sending, where nothing was in the way.
    pub(crate) fn lag(&self) -> Spectrum {
        Spectrum::of(&self.lag)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Spectrum {
    /// How many were measured.
    pub(crate) count: u64,
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
}

impl Spectrum {
    fn of(times: &Histogram<u64>) -> Self {
        Self {
            count: times.len(),
            p50_us: times.value_at_quantile(0.5),
            p90_us: times.value_at_quantile(0.9),
            p99_us: times.value_at_quantile(0.99),
            p999_us: times.value_at_quantile(0.999),
            max_us: times.max(),
        }
    }
}

impl fmt::Display for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [
            self.p50_us,
            self.p90_us,
            self.p99_us,
            self.p999_us,
            self.max_us,
        ];
        for (name, micros) in ["p50", "p90", "p99", "p99.9", "max"].into_iter().zip(shown) {
            let whole = Duration::from_micros(micros).as_secs_f64() * 1_000.0;
            write!(f, "{name} {whole:.2} ms  ")?;
        }
        write!(f, "of {}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Load, Schedule, Sizes};

    /// Serves one at a time, each in `SERVICE`, and stands still once.
    struct FakeServer {
        free_at: Duration,
    }

    const SERVICE: Duration = Duration::from_micros(100);
    const STALL_AT: Duration = Duration::from_secs(1);
    const STALL: Duration = Duration::from_millis(300);
    const SPAN: Duration = Duration::from_secs(3);
    const RATE: f64 = 2_000.0;

    impl FakeServer {
        fn serve(&mut self, intended: Duration) -> (Flight, Duration) {
            let sent = intended.max(self.free_at);
            let stalls = (STALL_AT..STALL_AT + STALL).contains(&sent);
            let begun = if stalls { STALL_AT + STALL } else { sent };
            self.free_at = begun + SERVICE;
            (Flight { intended, sent }, self.free_at)
        }
    }

    /// The response falls from the stall's length at the slope 1 - utilisation, and a hundredth
    /// of all messages are those of the first hundredth of the span after the stall began.
    fn p99_in_theory() -> f64 {
        let utilisation = RATE * SERVICE.as_secs_f64();
        STALL.as_secs_f64() - 0.01 * SPAN.as_secs_f64() * (1.0 - utilisation)
    }

    #[test]
    fn a_stall_of_300_ms_shows_in_the_response_and_not_in_the_service() {
        let load = Load {
            rate: RATE,
            channels: 1,
            sizes: Sizes { low: 64, high: 64 },
            span: SPAN,
            seed: 42,
        };
        let mut recorder = Recorder::new(Duration::ZERO).expect("good bounds");
        let mut server = FakeServer {
            free_at: Duration::ZERO,
        };
        for arrival in Schedule::new(load) {
            let (flight, back) = server.serve(arrival.at);
            recorder.returned(flight, back);
        }
        let measured = recorder.response().p99_us as f64 / 1e6;
        let theory = p99_in_theory();
        assert!(
            (measured / theory - 1.0).abs() < 0.05,
            "{measured} instead of {theory}"
        );
        assert!(recorder.service().p99_us < 1_000, "{}", recorder.service());
    }

    #[test]
    fn the_warm_up_is_left_out() {
        let mut recorder = Recorder::new(Duration::from_secs(1)).expect("good bounds");
        let at = |ms| Duration::from_millis(ms);
        recorder.returned(
            Flight {
                intended: at(999),
                sent: at(1_500),
            },
            at(2_000),
        );
        assert_eq!(recorder.response().count, 0);
        recorder.returned(
            Flight {
                intended: at(1_000),
                sent: at(1_500),
            },
            at(2_000),
        );
        recorder.picked_up(at(1_000), at(1_002));
        assert_eq!((recorder.response().count, recorder.lag().count), (1, 1));
        assert_eq!(recorder.response().max_us / 1_000, 1_000);
        assert_eq!(recorder.service().max_us / 1_000, 500);
    }
}
