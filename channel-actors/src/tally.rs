//! Counting, not keeping.
//!
//! A relay may not look into a message, yet it has to know how long one has grown. A [`Tally`]
//! remembers a few numbers of the one unfinished message of a direction and forgets every byte.
//! The receiving end counts again with another tally, on the same numbers: what a ciphertext
//! holds beyond its tag is the plaintext.

use std::time::{Duration, Instant};

use schema::frame::{CIPHERTEXT_MAX, CIPHERTEXT_MIN, FLAG_MORE, Frame};

use crate::{
    close::CloseReason,
    limits::{Limits, TAG_LEN},
};

/// What one direction of one epoch has begun and not finished.
#[derive(Debug, Clone)]
pub struct Tally {
    message_bytes: usize,
    chunks: usize,
    timeout: Duration,
    unfinished: Option<Unfinished>,
}

/// Where a frame stands in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A message by itself.
    Whole,
    /// A chunk that another follows.
    Chunk,
    /// The last chunk.
    Last,
}

#[derive(Debug, Clone, Copy)]
struct Unfinished {
    correlation: u64,
    bytes: usize,
    frames: usize,
    progress: Instant,
}

impl Tally {
    /// Nothing begun, under these limits; `message_bytes` is the channel's own.
    #[must_use]
    pub const fn new(limits: &Limits, message_bytes: usize) -> Self {
        let Limits {
            chunks,
            chunk_timeout,
            ..
        } = limits;
        Self {
            message_bytes,
            chunks: *chunks,
            timeout: *chunk_timeout,
            unfinished: None,
        }
    }

    /// Lets one more frame through, or names the rule it broke.
    ///
    /// # Errors
    ///
    /// The reason is final. Close the channel; asking again gets no better answer.
    pub fn admit(&mut self, frame: &Frame, now: Instant) -> Result<Place, CloseReason> {
        let bytes = check_shape(frame)?;
        let correlation = frame.correlation();
        match (self.unfinished, frame.more()) {
            (None, false) => self.whole(bytes),
            (None, true) => self.count(Unfinished::begin(correlation, now), bytes, now),
            (Some(open), more) if open.correlation == correlation => {
                self.count(open, bytes, now)?;
                Ok(if more { Place::Chunk } else { self.finish() })
            }
            (Some(_), true) => Err(CloseReason::InterleavedChunks),
            (Some(_), false) => self.whole(bytes),
        }
    }

    /// When an unfinished message is given up.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.unfinished.map(|open| open.progress + self.timeout)
    }

    /// Nothing could come for so long: an unfinished message has as much more time.
    pub fn forgive(&mut self, stood_still: Duration) {
        if let Some(open) = &mut self.unfinished {
            open.progress += stood_still;
        }
    }

    /// Whether an unfinished message has stood still for too long.
    #[must_use]
    pub fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    fn whole(&self, bytes: usize) -> Result<Place, CloseReason> {
        if bytes > self.message_bytes {
            return Err(CloseReason::MessageTooLarge);
        }
        Ok(Place::Whole)
    }

    fn count(
        &mut self,
        open: Unfinished,
        bytes: usize,
        now: Instant,
    ) -> Result<Place, CloseReason> {
        let open = Unfinished {
            bytes: open.bytes.saturating_add(bytes),
            frames: open.frames.saturating_add(1),
            progress: now,
            ..open
        };
        if open.bytes > self.message_bytes {
            return Err(CloseReason::MessageTooLarge);
        }
        if open.frames > self.chunks {
            return Err(CloseReason::TooManyChunks);
        }
        self.unfinished = Some(open);
        Ok(Place::Chunk)
    }

    const fn finish(&mut self) -> Place {
        self.unfinished = None;
        Place::Last
    }
}

impl Unfinished {
    const fn begin(correlation: u64, now: Instant) -> Self {
        Self {
            correlation,
            bytes: 0,
            frames: 0,
            progress: now,
        }
    }
}

/// The plaintext bytes of a frame whose size and flags are allowed.
fn check_shape(frame: &Frame) -> Result<usize, CloseReason> {
    let bytes = frame.ciphertext().len();
    if !(CIPHERTEXT_MIN..=CIPHERTEXT_MAX).contains(&bytes) {
        return Err(CloseReason::FrameSize);
    }
    if frame.flags() & !FLAG_MORE != 0 {
        return Err(CloseReason::ProtocolError);
    }
    Ok(bytes - TAG_LEN)
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
