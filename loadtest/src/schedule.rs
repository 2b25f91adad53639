//! BRAIN: when which channel sends how much. An open model: nothing waits for an answer.
//!
//! Arrivals are Poisson: senders that fire in lock step measure their own step. The numbers come
//! from a generator of our own, so that a seed gives the same load in every version.

use std::time::Duration;

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Messages in a second, over all channels.
    pub(crate) rate: f64,
    /// Channels that send, each as often as any other.
    pub(crate) channels: usize,
    /// Bytes of a payload.
    pub(crate) sizes: Sizes,
    /// For how long.
    pub(crate) span: Duration,
    /// Replays it.
    pub(crate) seed: u64,
}

/// From so many bytes to so many, all as likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Not less.
    pub(crate) low: usize,
    /// Not more.
    pub(crate) high: usize,
}

/// One message that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// When, from the beginning of the run.
    pub(crate) at: Duration,
    /// On which channel, from 0.
    pub(crate) channel: usize,
    /// How large.
    pub(crate) bytes: usize,
}

/// All arrivals of a run, in order.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    load: Load,
    dice: Dice,
    at_seconds: f64,
}

impl Schedule {
    /// The same for the same load.
    pub(crate) const fn new(load: Load) -> Self {
        Self {
            load,
            dice: Dice(load.seed),
            at_seconds: 0.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.at_seconds += -(1.0 - self.dice.unit()).ln() / self.load.rate;
        let at = Duration::try_from_secs_f64(self.at_seconds).ok()?;
        if at >= self.load.span {
            return None;
        }
        let Sizes { low, high } = self.load.sizes;
        let channel = self.dice.below(self.load.channels);
        let bytes = low + self.dice.below(high.saturating_sub(low) + 1);
        Some(Arrival { at, channel, bytes })
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same for ever.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 to just below 1, in 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 0 to just below `end`; 0 when there is nothing below. The bias is below 2^-40 here.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.flatten().take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load {
        rate: 1_000.0,
        channels: 7,
        sizes: Sizes { low: 64, high: 96 },
        span: Duration::from_secs(20),
        seed: 42,
    };

    #[test]
    fn a_seed_replays_and_another_does_not() {
        let again: Vec<_> = Schedule::new(LOAD).collect();
        assert_eq!(Schedule::new(LOAD).collect::<Vec<_>>(), again);
        let other = Load { seed: 43, ..LOAD };
        assert_ne!(Schedule::new(other).collect::<Vec<_>>(), again);
    }

    #[test]
    fn the_rate_is_kept_over_all_channels_and_sizes() {
        let arrivals: Vec<_> = Schedule::new(LOAD).collect();
        // 20,000 expected, with a standard deviation of 141.
        assert!(
            (19_300..20_700).contains(&arrivals.len()),
            "{}",
            arrivals.len()
        );
        for channel in 0..7 {
            let count = arrivals.iter().filter(|one| one.channel == channel).count();
            assert!(
                (2_550..3_150).contains(&count),
                "channel {channel}: {count}"
            );
        }
        assert!(arrivals.iter().all(|one| (64..=96).contains(&one.bytes)));
        assert!(arrivals.iter().any(|one| one.bytes == 64));
        assert!(arrivals.iter().any(|one| one.bytes == 96));
        assert!(arrivals.is_sorted_by_key(|one| one.at));
    }

    #[test]
    fn gaps_are_exponential_and_not_a_beat() {
        let at: Vec<_> = Schedule::new(LOAD)
            .map(|one| one.at.as_secs_f64())
            .collect();
        let gaps: Vec<_> = at
            .windows(2)
            .filter_map(|pair| Some(pair.last()? - pair.first()?))
            .collect();
        let long = gaps.iter().filter(|gap| **gap > 0.002).count();
        // e^-2 = 13.5 % of exponential gaps are longer than twice their mean.
        let share = long as f64 / gaps.len() as f64;
        assert!((0.12..0.15).contains(&share), "{share}");
    }
}
