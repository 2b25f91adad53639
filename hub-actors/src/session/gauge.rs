//! BRAIN: how long the frame is that a WebSocket's bytes belong to (RFC 6455, 5.2).
//!
//! actix-http looks at a frame's length when all of the frame is in memory. So it is looked at
//! before, in the bytes as they come.

/// The longest head: two bytes, a length of eight, a mask of four.
const HEAD_MAX: usize = 14;

/// Follows the frames of one direction; what is in them it does not look at.
#[derive(Debug)]
pub(super) struct Gauge {
    /// Bytes of payload that a frame may have.
    limit: u64,
    /// The beginning of a head.
    head: [u8; HEAD_MAX],
    known: usize,
    /// Bytes of payload that are still to come.
    left: u64,
}

/// A frame says that it is longer than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Gauge {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            head: [0; HEAD_MAX],
            known: 0,
            left: 0,
        }
    }

    /// Looks at the next bytes, however they were cut.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        loop {
            let skipped =
                usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((next, rest)) = bytes.split_first() else {
                return Ok(());
            };
            bytes = rest;
            self.note(*next)?;
        }
    }

    fn note(&mut self, byte: u8) -> Result<(), TooLong> {
        if let Some(place) = self.head.get_mut(self.known) {
            *place = byte;
            self.known += 1;
        }
        let Some((head_len, length)) = self.measure() else {
            return Ok(());
        };
        if length > self.limit {
            return Err(TooLong);
        }
        if self.known == head_len {
            (self.known, self.left) = (0, length);
        }
        Ok(())
    }

    /// The lengths of head and payload, once the second is known.
    fn measure(&self) -> Option<(usize, u64)> {
        let [_, second, lengths @ ..] = self.head;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (field, length) = match second & 0x7F {
            126 => (2, u64::from(u16::from_be_bytes(*lengths.first_chunk()?))),
            127 => (8, u64::from_be_bytes(*lengths.first_chunk()?)),
            length => (0, u64::from(length)),
        };
        (self.known >= 2 + field).then_some((2 + field + mask, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut raw = vec![0x82];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ ..126), _) => raw.push(0x80 | length),
            (_, Ok(length)) => {
                raw.push(0x80 | 126);
                raw.extend(length.to_be_bytes());
            }
            _ => {
                raw.push(0x80 | 127);
                raw.extend((length as u64).to_be_bytes());
            }
        }
        raw.extend([0xFF; 4]);
        raw.extend(vec![0xFF; length]);
        raw
    }

    #[test]
    fn frames_of_all_lengths_pass_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 65_535, 65_536, 70_000, 0, 5];
        let stream = lengths.map(frame).concat();
        for cut in [1, 2, 3, 13, 1_000, stream.len()] {
            let mut gauge = Gauge::new(70_000);
            for piece in stream.chunks(cut) {
                assert_eq!(gauge.look(piece), Ok(()), "cut every {cut}");
            }
            assert_eq!((gauge.known, gauge.left), (0, 0));
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_known_by_its_head() {
        for (limit, length) in [(100, 101), (300, 301), (70_000, 70_001)] {
            let raw = frame(length);
            let mut gauge = Gauge::new(limit);
            assert_eq!(gauge.look(&frame(limit)), Ok(()));
            assert_eq!(gauge.look(&raw[..10]), Err(TooLong));
        }
        let mut gauge = Gauge::new(usize::MAX - 1);
        assert_eq!(gauge.look(&[0x82, 0xFF, 0xFF]), Ok(()));
        assert_eq!(gauge.look(&[0xFF; 7]), Err(TooLong));
    }
}
