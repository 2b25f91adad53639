//! BRAIN: what a bench says. Medians over the turns, and how far the turns lie apart.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{cli::RelayOptions, verdict::Verdict};

/// One turn of one relay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Frames relayed, in both directions.
    pub(super) frames: u64,
    /// CPU time of the relay.
    pub(super) relay: Duration,
    /// CPU time of the harness.
    pub(super) harness: Duration,
    /// CPU time of everything on the machine.
    pub(super) machine: Duration,
    pub(super) wall: Duration,
}

impl Turn {
    fn cpu_us_per_frame(&self) -> f64 {
        self.relay.as_secs_f64() * 1e6 / (self.frames.max(1) as f64)
    }

    fn other_load(&self) -> f64 {
        let ours = self.relay + self.harness;
        self.machine.saturating_sub(ours).as_secs_f64() / self.wall.as_secs_f64()
    }

    fn relay_load(&self) -> f64 {
        self.relay.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// A median and the extremes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    /// All zero for nothing.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let (middle, last) = (values.len() / 2, values.len().saturating_sub(1));
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self {
            median,
            lowest: at(0),
            highest: at(last),
        }
    }

    /// How far the extremes lie apart, of the median.
    fn width(self) -> f64 {
        (self.highest - self.lowest) / self.median.max(f64::MIN_POSITIVE)
    }
}

/// One size.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    bytes: u64,
    window: u64,
    hub_cpu_us_per_frame: Spread,
    splice_cpu_us_per_frame: Spread,
    /// Of neighbouring turns.
    ratio: Spread,
    hub_frames_per_second: f64,
    splice_frames_per_second: f64,
    /// Cores that the Hub used.
    hub_cores: f64,
    /// Cores that the harness used meanwhile.
    harness_cores: f64,
    /// Cores that everything else used.
    other_cores: f64,
    /// Whether the Hub was kept busy, and the turns agree.
    is_valid: bool,
}

/// A Hub that idles meets each frame alone, and does not show what a busy one costs.
const HUB_CORES_MIN: f64 = 0.3;
/// Turns that lie further apart say nothing about a ratio.
const WIDTH_MAX: f64 = 0.5;

impl Row {
    pub(super) fn new(bytes: u64, window: u64, hub: &[Turn], splice: &[Turn]) -> Self {
        let median = |turns: &[Turn], of: fn(&Turn) -> f64| Spread::of(turns.iter().map(of)).median;
        let rate = |turn: &Turn| turn.frames as f64 / turn.wall.as_secs_f64();
        let pairs = hub.iter().zip(splice);
        let ratio = Spread::of(
            pairs.map(|(hub, splice)| hub.cpu_us_per_frame() / splice.cpu_us_per_frame()),
        );
        let hub_cores = median(hub, Turn::relay_load);
        Self {
            bytes,
            window,
            hub_cpu_us_per_frame: Spread::of(hub.iter().map(Turn::cpu_us_per_frame)),
            splice_cpu_us_per_frame: Spread::of(splice.iter().map(Turn::cpu_us_per_frame)),
            ratio,
            hub_frames_per_second: median(hub, rate),
            splice_frames_per_second: median(splice, rate),
            hub_cores,
            harness_cores: median(hub, |turn| {
                turn.harness.as_secs_f64() / turn.wall.as_secs_f64()
            }),
            other_cores: median(hub, Turn::other_load),
            is_valid: hub_cores >= HUB_CORES_MIN && ratio.width() <= WIDTH_MAX,
        }
    }
}

/// All sizes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    scenario: &'static str,
    pub(super) verdict: Verdict,
    sessions: u64,
    alternations: u64,
    seconds: f64,
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(options: &RelayOptions, rows: Vec<Row>) -> Self {
        let is_valid = !rows.is_empty() && rows.iter().all(|row| row.is_valid);
        Self {
            schema: 1,
            scenario: "bench relay",
            verdict: if is_valid {
                Verdict::Passed
            } else {
                Verdict::Invalid
            },
            sessions: options.sessions,
            alternations: options.alternations,
            seconds: options.duration.as_secs_f64(),
            rows,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "bench relay: {} connections, {} turns of {} s each, CPU per frame and direction",
            self.sessions, self.alternations, self.seconds
        )?;
        writeln!(
            f,
            "   bytes  window  Hub us            splice us         ratio             Hub/s     splice/s  cores Hub/harness/others"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:>8}  {:>6}  {:<16}  {:<16}  {:<16}  {:<8.0}  {:<8.0}  {:.2}/{:.2}/{:.2}{}",
                row.bytes,
                row.window,
                row.hub_cpu_us_per_frame.to_string(),
                row.splice_cpu_us_per_frame.to_string(),
                row.ratio.to_string(),
                row.hub_frames_per_second,
                row.splice_frames_per_second,
                row.hub_cores,
                row.harness_cores,
                row.other_cores,
                if row.is_valid { "" } else { "  not valid" },
            )?;
        }
        write!(f, "median (lowest-highest); verdict {:?}", self.verdict)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} ({:.2}-{:.2})",
            self.median, self.lowest, self.highest
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(cpu_ms: u64) -> Turn {
        Turn {
            frames: 1_000,
            relay: Duration::from_millis(cpu_ms),
            harness: Duration::from_millis(500),
            machine: Duration::from_millis(2_000),
            wall: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_ratio_is_of_neighbouring_turns() {
        // The machine is twice as slow in the second pair; the ratio does not care.
        let row = Row::new(256, 8, &[turn(600), turn(1_200)], &[turn(100), turn(200)]);
        assert_eq!(
            row.ratio,
            Spread {
                median: 6.0,
                lowest: 6.0,
                highest: 6.0
            }
        );
        assert!(row.is_valid);
    }

    #[test]
    fn a_hub_that_idles_or_turns_that_disagree_are_not_valid() {
        assert!(!Row::new(256, 8, &[turn(100)], &[turn(50)]).is_valid);
        let apart = Row::new(256, 8, &[turn(600), turn(1_200)], &[turn(100), turn(100)]);
        assert!(!apart.is_valid);
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!(
            spread,
            Spread {
                median: 2.0,
                lowest: 1.0,
                highest: 3.0
            }
        );
        assert!((Spread::of([1.0, 2.0].into_iter()).median - 1.5).abs() < 1e-9);
    }
}
