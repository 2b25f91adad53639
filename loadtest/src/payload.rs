//! BRAIN: payloads that say which they are, and show whether a byte of them was changed.
//!
//! Number u64, big-endian, then a piece of a block of noise that the number chooses. Nothing is
//! computed while the load runs.

use bytes::{BufMut as _, BytesMut};

use crate::schedule::Dice;

/// Smallest payload: its number, and some noise.
pub(crate) const PAYLOAD_MIN: usize = 16;

/// The noise of a run.
#[derive(Debug)]
pub(crate) struct Payloads {
    noise: Vec<u8>,
    largest: usize,
}

const NUMBER_LEN: usize = 8;
/// Places in the noise where a payload may begin.
const PLACES: u64 = 4_093;

impl Payloads {
    /// Noise for payloads of up to `largest` bytes.
    pub(crate) fn new(seed: u64, largest: usize) -> Self {
        let places = usize::try_from(PLACES).unwrap_or_default();
        Self {
            noise: Dice(seed).bytes(largest + places),
            largest,
        }
    }

    /// Appends the payload of this number, `bytes` long.
    pub(crate) fn put(&self, number: u64, bytes: usize, into: &mut BytesMut) {
        into.put_u64(number);
        into.put_slice(self.noise(number, bytes.saturating_sub(NUMBER_LEN)));
    }

    /// The number of a payload that came back whole; none when it was changed.
    pub(crate) fn number(&self, payload: &[u8]) -> Option<u64> {
        let (number, noise) = payload.split_first_chunk::<NUMBER_LEN>()?;
        let number = u64::from_be_bytes(*number);
        let is_whole = payload.len() <= self.largest && noise == self.noise(number, noise.len());
        is_whole.then_some(number)
    }

    fn noise(&self, number: u64, bytes: usize) -> &[u8] {
        let place = usize::try_from(number % PLACES).unwrap_or_default();
        self.noise.get(place..place + bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_itself_unless_a_byte_was_changed() {
        let payloads = Payloads::new(7, 4_096);
        for (number, bytes) in [(0, 16), (4_092, 4_096), (1 << 40, 100)] {
            let mut payload = BytesMut::new();
            payloads.put(number, bytes, &mut payload);
            assert_eq!(payload.len(), bytes);
            assert_eq!(payloads.number(&payload), Some(number));
            for at in [0, 8, bytes - 1] {
                let mut changed = payload.clone();
                changed[at] ^= 1;
                assert_ne!(payloads.number(&changed), Some(number));
            }
            assert_eq!(payloads.number(&payload[..7]), None);
        }
    }
}
