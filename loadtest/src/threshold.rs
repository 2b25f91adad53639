//! BRAIN: gates, like `response:p99<50ms`.

use std::{str::FromStr, time::Duration};

use crate::recorder::Spectrum;

/// One gate on one percentile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Threshold {
    text: String,
    time: Time,
    percentile: Percentile,
    below: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Response,
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Percentile {
    P50,
    P90,
    P99,
    P999,
    Max,
}

impl Threshold {
    /// Whether it holds. Nothing measured is nothing shown: it does not.
    pub(crate) fn holds(&self, response: &Spectrum, service: &Spectrum) -> bool {
        let spectrum = match self.time {
            Time::Response => response,
            Time::Service => service,
        };
        let micros = match self.percentile {
            Percentile::P50 => spectrum.p50_us,
            Percentile::P90 => spectrum.p90_us,
            Percentile::P99 => spectrum.p99_us,
            Percentile::P999 => spectrum.p999_us,
            Percentile::Max => spectrum.max_us,
        };
        spectrum.count > 0 && Duration::from_micros(micros) < self.below
    }

    /// As it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// What is no gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a threshold is response or service, a percentile and a time, like response:p99<50ms")]
pub(crate) struct NoThreshold;

impl FromStr for Threshold {
    type Err = NoThreshold;

    fn from_str(text: &str) -> Result<Self, NoThreshold> {
        let (time, rest) = text.split_once(':').ok_or(NoThreshold)?;
        let (percentile, below) = rest.split_once('<').ok_or(NoThreshold)?;
        let time = match time {
            "response" => Time::Response,
            "service" => Time::Service,
            _ => return Err(NoThreshold),
        };
        let percentile = match percentile {
            "p50" => Percentile::P50,
            "p90" => Percentile::P90,
            "p99" => Percentile::P99,
            "p99.9" => Percentile::P999,
            "max" => Percentile::Max,
            _ => return Err(NoThreshold),
        };
        let below = duration(below).map_err(|_| NoThreshold)?;
        Ok(Self {
            text: text.to_owned(),
            time,
            percentile,
            below,
        })
    }
}

/// What is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is a number and ms, s or m, like 10s")]
pub(crate) struct NoDuration;

/// `250ms`, `10s`, `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, NoDuration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| NoDuration)?;
    match text.get(digits.len()..) {
        Some("ms") => Ok(Duration::from_millis(number)),
        Some("s") => Ok(Duration::from_secs(number)),
        Some("m") => Ok(Duration::from_secs(
            number.checked_mul(60).ok_or(NoDuration)?,
        )),
        Some(_) | None => Err(NoDuration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(count: u64, p99_us: u64) -> Spectrum {
        Spectrum {
            count,
            p50_us: 1,
            p90_us: 1,
            p99_us,
            p999_us: p99_us,
            max_us: p99_us,
        }
    }

    #[test]
    fn a_gate_holds_below_its_time_and_not_at_it() {
        let gate: Threshold = "response:p99<50ms".parse().expect("a gate");
        let other = spectrum(1, 1);
        assert!(gate.holds(&spectrum(9, 49_999), &other));
        assert!(!gate.holds(&spectrum(9, 50_000), &other));
    }

    #[test]
    fn a_gate_without_a_sample_does_not_hold() {
        let gate: Threshold = "service:max<1s".parse().expect("a gate");
        assert!(!gate.holds(&spectrum(1, 1), &spectrum(0, 0)));
    }

    #[test]
    fn what_is_no_gate_is_refused() {
        for text in [
            "",
            "p99<1s",
            "rtt:p99<1s",
            "response:p98<1s",
            "response:p99<1",
            "response:p99>1s",
        ] {
            assert_eq!(text.parse::<Threshold>(), Err(NoThreshold), "{text}");
        }
    }
}
