//! Randomness that falls the same way each time: an input has to do again what it did before.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
};

use rand_core::{TryCryptoRng, TryRng};

/// SplitMix64. Good enough to make keys that differ; nobody's secret depends on it.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// The row of throws that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Throws that nothing else in this process has: for keys that seal. The recorder of `crypto`
    /// rightly takes the same key in two inputs for a copied state. What an input does never
    /// depends on them.
    #[must_use]
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
        Self(NEXT.fetch_add(1 << 32, Ordering::Relaxed))
    }

    const fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::try_from(self.throw() >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.throw())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(8) {
            let thrown = self.throw().to_le_bytes();
            part.iter_mut()
                .zip(thrown)
                .for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// The fuzzers' keys are nobody's.
impl TryCryptoRng for Dice {}
