//! Ends only: a message apart into plaintexts that fit a frame, and together again.

use bytes::Bytes;
use schema::frame::FLAG_MORE;
use zeroize::Zeroizing;

use crate::{limits::PLAINTEXT_MAX, tally::Place};

/// A message on its way out, chunk by chunk.
///
/// Each chunk of a long message is a copy: a slice would keep the whole message in memory until
/// its last chunk is acknowledged, and nothing would be wiped before.
#[derive(Debug, Clone)]
pub struct Splitter {
    rest: Bytes,
    begun: bool,
}

/// One chunk of it, and the flags of its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// At most [`PLAINTEXT_MAX`] bytes.
    pub plaintext: Bytes,
    /// [`FLAG_MORE`] on all but the last.
    pub flags: u8,
}

impl Splitter {
    /// The whole message, at least one byte of it.
    #[must_use]
    pub const fn new(message: Bytes) -> Self {
        Self {
            rest: message,
            begun: false,
        }
    }

    /// Whether some of it was taken and some was not.
    #[must_use]
    pub const fn is_between_chunks(&self) -> bool {
        self.begun
    }

    /// Whether it fits one frame as it is.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        !self.begun && self.rest.len() <= PLAINTEXT_MAX
    }

    /// Bytes not taken yet.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next chunk, as large as it may be: smaller ones would run into the limit of chunks.
    pub fn next_chunk(&mut self) -> Chunk {
        let take = self.rest.len().min(PLAINTEXT_MAX);
        let part = self.rest.split_to(take);
        let more = !self.rest.is_empty();
        let plaintext = if more || self.begun {
            Bytes::from_owner(Zeroizing::new(part.to_vec()))
        } else {
            part
        };
        self.begun = more;
        Chunk {
            plaintext,
            flags: if more { FLAG_MORE } else { 0 },
        }
    }
}

/// The one message that is coming in chunk by chunk. Its size is the tally's to judge.
#[derive(Debug, Default)]
pub struct Joiner {
    begun: Vec<Bytes>,
}

impl Joiner {
    /// Takes one plaintext by its place; returns the message that it completed.
    pub fn join(&mut self, place: Place, plaintext: Bytes) -> Option<Bytes> {
        match place {
            Place::Whole => Some(plaintext),
            Place::Chunk => {
                self.begun.push(plaintext);
                None
            }
            Place::Last => {
                self.begun.push(plaintext);
                Some(self.whole())
            }
        }
    }

    /// Copied once, into a buffer of its size: one that grew would leave plaintext behind.
    fn whole(&mut self) -> Bytes {
        let size = self.begun.iter().map(Bytes::len).sum();
        let mut whole = Zeroizing::new(Vec::with_capacity(size));
        for chunk in self.begun.drain(..) {
            whole.extend_from_slice(&chunk);
        }
        Bytes::from_owner(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CHUNKS, MESSAGE_BYTES};
    use proptest::prelude::*;

    fn chunks_of(message: Bytes) -> Vec<Chunk> {
        let mut splitter = Splitter::new(message);
        let mut chunks = vec![splitter.next_chunk()];
        while splitter.is_between_chunks() {
            chunks.push(splitter.next_chunk());
        }
        chunks
    }

    fn joined(chunks: &[Chunk]) -> Option<Bytes> {
        let mut joiner = Joiner::default();
        let last = chunks.len() - 1;
        let place = |at| match (at == last, last) {
            (true, 0) => Place::Whole,
            (true, _) => Place::Last,
            (false, _) => Place::Chunk,
        };
        let mut whole = None;
        for (at, chunk) in chunks.iter().enumerate() {
            whole = joiner.join(place(at), chunk.plaintext.clone());
        }
        whole
    }

    #[test]
    fn the_largest_message_takes_257_frames() {
        let chunks = chunks_of(Bytes::from(vec![1; MESSAGE_BYTES]));
        assert_eq!(chunks.len(), CHUNKS);
    }

    #[test]
    fn a_full_frame_is_still_single() {
        assert!(Splitter::new(Bytes::from(vec![0; PLAINTEXT_MAX])).is_single());
        assert!(!Splitter::new(Bytes::from(vec![0; PLAINTEXT_MAX + 1])).is_single());
    }

    proptest! {
        #[test]
        fn what_is_split_comes_together_again(length in 1usize..400_000, seed: u8) {
            let message: Bytes = (0..length).map(|at| (at as u8).wrapping_add(seed)).collect();
            let chunks = chunks_of(message.clone());
            prop_assert!(chunks.iter().all(|chunk| !chunk.plaintext.is_empty()));
            prop_assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.flags == FLAG_MORE));
            prop_assert_eq!(chunks.last().map(|chunk| chunk.flags), Some(0));
            prop_assert_eq!(joined(&chunks), Some(message));
        }
    }
}
