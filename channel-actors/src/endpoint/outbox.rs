//! Whose turn it is.
//!
//! Every request or stream has a lane, in which messages keep their order. Lanes take turns frame
//! by frame; small messages go first, up to a few in a row. One long message at a time may be
//! between its chunks; single frames of other lanes pass in between. So a keystroke never waits
//! behind a file, and a file never starves.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::chunks::Splitter;

/// One frame's worth, ready to be sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) correlation: u64,
    pub(super) flags: u8,
    pub(super) plaintext: Bytes,
    /// The request whose response is out with this.
    pub(super) answered: Option<u64>,
}

/// What a message is, as far as a queue has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// With so many bytes of payload.
    Stream(usize),
    Response,
    Other,
}

/// Counted messages that wait to be sealed.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    correlation: u64,
    credits: VecDeque<Bytes>,
    lanes: BTreeMap<u64, VecDeque<Waiting>>,
    turns: VecDeque<u64>,
    between: Option<u64>,
    small_in_a_row: u32,
    stream_bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    content: Splitter,
    kind: Kind,
    correlation: Option<u64>,
}

impl Outbox {
    /// The number of a new message.
    pub(super) const fn next_correlation(&mut self) -> u64 {
        self.correlation += 1;
        self.correlation
    }

    /// Queues a grant of credit: it goes before all else that is counted, and fits one frame.
    pub(super) fn push_credit(&mut self, content: Bytes) {
        self.credits.push_back(content);
    }

    /// Queues a message behind the others of its lane.
    pub(super) fn push(&mut self, lane: u64, content: Bytes, kind: Kind) {
        if let Kind::Stream(bytes) = kind {
            self.stream_bytes += bytes;
        }
        let waiting = self.lanes.entry(lane).or_default();
        if waiting.is_empty() {
            self.turns.push_back(lane);
        }
        waiting.push_back(Waiting {
            content: Splitter::new(content),
            kind,
            correlation: None,
        });
    }

    /// Forgets what a lane has not begun to send.
    pub(super) fn purge(&mut self, lane: u64) {
        self.forget(lane, |_| true);
    }

    /// Forgets the stream payload that a lane has not begun to send.
    pub(super) fn purge_stream(&mut self, lane: u64) {
        self.forget(lane, |kind| matches!(kind, Kind::Stream(_)));
    }

    /// The next frame's worth.
    pub(super) fn next(&mut self) -> Option<Departure> {
        if let Some(plaintext) = self.credits.pop_front() {
            let correlation = self.next_correlation();
            return Some(Departure {
                correlation,
                flags: 0,
                plaintext,
                answered: None,
            });
        }
        let lane = self.choose()?;
        self.depart(lane)
    }

    /// Stream payload that waits.
    pub(super) const fn stream_bytes(&self) -> usize {
        self.stream_bytes
    }

    /// Forgets everything: the channel is closed.
    pub(super) fn clear(&mut self) {
        *self = Self {
            correlation: self.correlation,
            ..Self::default()
        };
    }

    fn forget(&mut self, lane: u64, which: impl Fn(Kind) -> bool) {
        let Some(waiting) = self.lanes.get_mut(&lane) else {
            return;
        };
        let unbegun = |message: &Waiting| message.correlation.is_none();
        let (gone, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(waiting)
            .into_iter()
            .partition(|message| unbegun(message) && which(message.kind));
        if kept.is_empty() {
            self.lanes.remove(&lane);
            self.turns.retain(|turn| *turn != lane);
        } else {
            *waiting = kept;
        }
        for message in gone {
            self.release(message.kind);
        }
    }

    /// Takes the next lane out of the line.
    fn choose(&mut self) -> Option<u64> {
        let small = self.turns.iter().position(|lane| self.is_small(*lane));
        let any = self.turns.iter().position(|lane| self.may_go(*lane));
        let at = match small {
            Some(at) if self.small_in_a_row < SMALL_IN_A_ROW => {
                self.small_in_a_row += 1;
                Some(at)
            }
            _ => {
                self.small_in_a_row = 0;
                self.turns
                    .iter()
                    .position(|lane| self.may_go(*lane) && !self.is_small(*lane))
                    .or(any)
            }
        }?;
        self.turns.remove(at)
    }

    fn depart(&mut self, lane: u64) -> Option<Departure> {
        let fresh = self.correlation + 1;
        let waiting = self.lanes.get_mut(&lane)?;
        let message = waiting.front_mut()?;
        let correlation = *message.correlation.get_or_insert(fresh);
        let chunk = message.content.next_chunk();
        let (more, kind) = (message.content.is_between_chunks(), message.kind);
        if !more {
            waiting.pop_front();
        }
        let empty = waiting.is_empty();
        self.correlation = self.correlation.max(correlation);
        self.after(lane, more, empty, kind);
        let answered = (!more && kind == Kind::Response).then_some(lane);
        Some(Departure {
            correlation,
            flags: chunk.flags,
            plaintext: chunk.plaintext,
            answered,
        })
    }

    fn after(&mut self, lane: u64, more: bool, empty: bool, kind: Kind) {
        if more {
            self.between = Some(lane);
        } else {
            self.between = self.between.filter(|between| *between != lane);
            self.release(kind);
        }
        if empty {
            self.lanes.remove(&lane);
        } else {
            self.turns.push_back(lane);
        }
    }

    const fn release(&mut self, kind: Kind) {
        if let Kind::Stream(bytes) = kind {
            self.stream_bytes = self.stream_bytes.saturating_sub(bytes);
        }
    }

    fn head(&self, lane: u64) -> Option<&Splitter> {
        self.lanes
            .get(&lane)?
            .front()
            .map(|message| &message.content)
    }

    fn is_small(&self, lane: u64) -> bool {
        let small = |head: &Splitter| head.is_single() && head.remaining() <= SMALL_BYTES;
        self.head(lane).is_some_and(small)
    }

    /// Whether the rule of one unfinished message lets this lane go on.
    fn may_go(&self, lane: u64) -> bool {
        let single = self.head(lane).is_some_and(Splitter::is_single);
        single || self.between.is_none_or(|between| between == lane)
    }
}

/// A keystroke, a resize, a line of output: bytes of a small message.
const SMALL_BYTES: usize = 4_096;
/// After so many small messages a larger one has its turn.
const SMALL_IN_A_ROW: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PLAINTEXT_MAX;
    use proptest::prelude::*;
    use schema::frame::FLAG_MORE;

    fn bytes(length: usize) -> Bytes {
        Bytes::from(vec![0; length])
    }

    #[test]
    fn a_keystroke_does_not_wait_behind_a_file() {
        let mut outbox = Outbox::default();
        outbox.push(1, bytes(10 * PLAINTEXT_MAX), Kind::Other);
        assert_eq!(outbox.next().map(|frame| frame.flags), Some(FLAG_MORE));
        outbox.push(2, bytes(5), Kind::Other);
        assert_eq!(outbox.next().map(|frame| frame.plaintext.len()), Some(5));
        assert_eq!(outbox.next().map(|frame| frame.correlation), Some(1));
    }

    #[test]
    fn small_messages_do_not_starve_a_large_one() {
        let mut outbox = Outbox::default();
        outbox.push(1, bytes(3 * PLAINTEXT_MAX), Kind::Other);
        (0..100).for_each(|_| outbox.push(2, bytes(1), Kind::Other));
        let sizes: Vec<_> = std::iter::from_fn(|| outbox.next()).take(20).collect();
        assert!(
            sizes
                .iter()
                .any(|frame| frame.plaintext.len() == PLAINTEXT_MAX)
        );
    }

    #[test]
    fn a_credit_goes_first() {
        let mut outbox = Outbox::default();
        outbox.push(1, bytes(1), Kind::Other);
        outbox.push_credit(bytes(9));
        assert_eq!(outbox.next().map(|frame| frame.plaintext.len()), Some(9));
    }

    #[test]
    fn purging_keeps_what_has_begun_and_forgets_the_rest() {
        let mut outbox = Outbox::default();
        outbox.push(1, bytes(2 * PLAINTEXT_MAX), Kind::Stream(7));
        outbox.push(1, bytes(1), Kind::Stream(5));
        assert!(outbox.next().is_some());
        outbox.purge(1);
        assert_eq!(outbox.stream_bytes(), 7);
        assert_eq!(outbox.next().map(|frame| frame.flags), Some(0));
        assert_eq!((outbox.next(), outbox.stream_bytes()), (None, 0));
    }

    #[test]
    fn a_response_is_told_to_be_out_with_its_last_frame() {
        let mut outbox = Outbox::default();
        outbox.push(4, bytes(PLAINTEXT_MAX + 1), Kind::Response);
        assert_eq!(outbox.next().and_then(|frame| frame.answered), None);
        assert_eq!(outbox.next().and_then(|frame| frame.answered), Some(4));
    }

    proptest! {
        #[test]
        fn every_message_leaves_whole_in_the_order_of_its_lane_and_none_interleave(
            messages in proptest::collection::vec((0u64..5, 1usize..200_000), 1..40)
        ) {
            let mut outbox = Outbox::default();
            let mut expected: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (lane, length) in &messages {
                // The first byte says whose it is.
                let mut content = vec![0; *length];
                content[0] = *lane as u8;
                outbox.push(*lane, Bytes::from(content), Kind::Other);
                expected.entry(*lane).or_default().push(*length);
            }
            let mut open: Option<(u64, u64, usize)> = None;
            let mut left: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            while let Some(frame) = outbox.next() {
                let more = frame.flags & FLAG_MORE != 0;
                match open {
                    Some((correlation, lane, length)) if correlation == frame.correlation => {
                        let length = length + frame.plaintext.len();
                        open = more.then_some((correlation, lane, length));
                        if !more {
                            left.entry(lane).or_default().push(length);
                        }
                    }
                    _ => {
                        let lane = u64::from(frame.plaintext[0]);
                        prop_assert!(!(more && open.is_some()), "interleaved");
                        if more {
                            open = Some((frame.correlation, lane, frame.plaintext.len()));
                        } else {
                            left.entry(lane).or_default().push(frame.plaintext.len());
                        }
                    }
                }
            }
            prop_assert_eq!(left, expected);
        }
    }
}
