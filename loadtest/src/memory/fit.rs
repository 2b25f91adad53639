//! BRAIN: a line through readings, and how far they stray from it.

use std::fmt;

use serde::Serialize;

/// So many things, and so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Reading {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

/// Bytes for one more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Slope {
    /// Of the line that fits best (least squares).
    pub(crate) bytes: f64,
    /// Its standard error.
    pub(crate) error: f64,
    /// The flattest step between neighbouring readings,
    pub(crate) lowest: f64,
    /// and the steepest.
    pub(crate) highest: f64,
    /// How much of the difference between readings the line explains, up to 1.
    pub(crate) explained: f64,
}

impl Slope {
    /// Through at least three readings of different counts.
    pub(crate) fn through(readings: &[Reading]) -> Option<Self> {
        let many = readings.len() as f64;
        if readings.len() < 3 {
            return None;
        }
        let mean = |of: fn(&Reading) -> f64| readings.iter().map(of).sum::<f64>() / many;
        let (count, bytes) = (mean(|one| one.count), mean(|one| one.bytes));
        let sum = |of: &dyn Fn(&Reading) -> f64| readings.iter().map(of).sum::<f64>();
        let spread = sum(&|one| (one.count - count).powi(2));
        let together = sum(&|one| (one.count - count) * (one.bytes - bytes));
        let slope = (spread > 0.0).then(|| together / spread)?;
        let beside = |one: &Reading| one.bytes - bytes - slope * (one.count - count);
        let (astray, all) = (
            sum(&|one| beside(one).powi(2)),
            sum(&|one| (one.bytes - bytes).powi(2)),
        );
        let steps = steps(readings);
        Some(Self {
            bytes: slope,
            error: (astray / (many - 2.0) / spread).sqrt(),
            lowest: steps.clone().fold(f64::INFINITY, f64::min),
            highest: steps.fold(f64::NEG_INFINITY, f64::max),
            explained: if all > 0.0 { 1.0 - astray / all } else { 1.0 },
        })
    }
}

fn steps(readings: &[Reading]) -> impl Iterator<Item = f64> + Clone {
    readings.windows(2).filter_map(|pair| match pair {
        [from, to] => Some((to.bytes - from.bytes) / (to.count - from.count)),
        _ => None,
    })
}

impl fmt::Display for Slope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: f64| bytes / 1_024.0;
        write!(
            f,
            "{:.2} ± {:.2} KiB ({:.2} to {:.2}), {:.1} % explained",
            kib(self.bytes),
            kib(self.error),
            kib(self.lowest),
            kib(self.highest),
            self.explained * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(bytes: &[f64]) -> Vec<Reading> {
        let each = bytes.iter().enumerate();
        each.map(|(index, bytes)| Reading {
            count: index as f64 * 10.0,
            bytes: *bytes,
        })
        .collect()
    }

    #[test]
    fn a_line_is_found_exactly() {
        let slope = Slope::through(&readings(&[5.0, 25.0, 45.0, 65.0])).expect("four readings");
        assert!((slope.bytes - 2.0).abs() < 1e-9, "{slope:?}");
        assert!(slope.error < 1e-9 && (slope.explained - 1.0).abs() < 1e-9);
        assert_eq!((slope.lowest, slope.highest), (2.0, 2.0));
    }

    #[test]
    fn readings_beside_the_line_show_in_its_spread() {
        let slope = Slope::through(&readings(&[0.0, 30.0, 30.0, 60.0])).expect("four readings");
        assert!((slope.bytes - 1.8).abs() < 1e-9, "{slope:?}");
        assert_eq!((slope.lowest, slope.highest), (0.0, 3.0));
        // Residuals 3, 15, -3 (twice, mirrored) over 2 degrees of freedom.
        assert!(slope.error > 0.3 && slope.explained < 0.95, "{slope:?}");
    }

    #[test]
    fn two_readings_or_one_count_are_no_line() {
        assert_eq!(Slope::through(&readings(&[1.0, 2.0])), None);
        let still = Reading {
            count: 1.0,
            bytes: 1.0,
        };
        assert_eq!(Slope::through(&[still; 4]), None);
    }
}
