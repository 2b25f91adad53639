//! BRAIN: goodbyes in slices, so that not everybody comes back at once.

use std::time::Duration;

/// One slice of goodbyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    /// How many are told.
    pub(crate) count: usize,
    /// When they should come back.
    pub(crate) reconnect_after: Duration,
    /// How long to wait before the next slice.
    pub(crate) pause: Duration,
}

/// Slices are this far apart.
const STEP: Duration = Duration::from_millis(100);
/// Nobody is sent back sooner: the Hub has to be gone first.
const RECONNECT_MIN: Duration = Duration::from_millis(500);

/// Spreads so many goodbyes over so long.
pub(crate) fn slices(total: usize, spread: Duration) -> Vec<Slice> {
    let steps = usize::try_from(spread.as_millis() / STEP.as_millis())
        .unwrap_or(usize::MAX)
        .max(1);
    let count = total.div_ceil(steps).max(1);
    let pause = if spread < STEP { Duration::ZERO } else { STEP };
    (0..total.div_ceil(count))
        .map(|slice| {
            let later = STEP.saturating_mul(u32::try_from(slice).unwrap_or(u32::MAX));
            Slice {
                count: count.min(total - slice * count),
                reconnect_after: RECONNECT_MIN.saturating_add(later),
                pause,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_once_and_within_the_spread() {
        for (total, spread_ms) in [
            (0, 2_000),
            (1, 2_000),
            (7, 0),
            (19, 2_000),
            (1_000, 2_000),
            (5, 50),
        ] {
            let spread = Duration::from_millis(spread_ms);
            let slices = slices(total, spread);
            assert_eq!(slices.iter().map(|slice| slice.count).sum::<usize>(), total);
            let took: Duration = slices.iter().map(|slice| slice.pause).sum();
            assert!(took <= spread, "{total} in {took:?}");
        }
    }

    #[test]
    fn later_slices_come_back_later() {
        let slices = slices(40, Duration::from_secs(2));
        assert!(slices.windows(2).all(|pair| match pair {
            [a, b] => a.reconnect_after < b.reconnect_after,
            _ => false,
        }));
    }
}
