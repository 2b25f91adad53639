//! What is sent and not acknowledged, and what is received and not yet said so.
//!
//! Counted are all frames but claim, its answer, Ack and ping. An acknowledgement says how many
//! were decrypted since the channel opened, whatever the epoch; so it does not depend on anybody
//! consuming anything, and two opposite bulk transfers cannot wait for each other.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::limits::{Limits, PLAINTEXT_MAX};

/// A frame before it is sealed.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) correlation: u64,
    pub(super) flags: u8,
    /// Wiped when it is dropped, and all that it keeps in memory.
    pub(super) plaintext: Bytes,
}

/// The sender's side: frames stay until they are acknowledged, because a renewal seals them anew.
pub(super) struct Window {
    frames_max: usize,
    bytes_max: usize,
    acknowledged: u64,
    kept: VecDeque<Kept>,
    /// So many of the kept frames have been sealed in this epoch.
    sealed: usize,
    bytes: usize,
}

impl Window {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            frames_max: limits.window_frames,
            bytes_max: limits.window_bytes,
            acknowledged: 0,
            kept: VecDeque::new(),
            sealed: 0,
            bytes: 0,
        }
    }

    /// Whether a full frame more fits.
    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < self.frames_max
            && self.bytes + PLAINTEXT_MAX <= self.bytes_max.max(PLAINTEXT_MAX)
    }

    /// A frame that was sealed for the first time, after all that are kept.
    pub(super) fn keep(&mut self, frame: Kept) {
        self.bytes += frame.plaintext.len();
        self.kept.push_back(frame);
        self.sealed += 1;
    }

    /// A new epoch: nothing that is kept has been sealed in it.
    pub(super) const fn rewind(&mut self) {
        self.sealed = 0;
    }

    /// The next of the kept frames to seal in this epoch, in the order in which they were sealed
    /// first.
    pub(super) fn again(&mut self) -> Option<Kept> {
        let frame = self.kept.get(self.sealed)?.clone();
        self.sealed += 1;
        Some(frame)
    }

    /// Takes an acknowledgement; false, and nothing changes, when it names what was never sent in
    /// this epoch, or less than before.
    pub(super) fn acknowledge(&mut self, received: u64) -> bool {
        let Some(fresh) = received.checked_sub(self.acknowledged) else {
            return false;
        };
        let Ok(fresh) = usize::try_from(fresh) else {
            return false;
        };
        if fresh > self.sealed {
            return false;
        }
        let gone = self.kept.drain(..fresh);
        self.bytes -= gone.map(|frame| frame.plaintext.len()).sum::<usize>();
        self.sealed -= fresh;
        self.acknowledged = received;
        if self.kept.is_empty() {
            self.kept.shrink_to(KEPT_PLACES);
        }
        true
    }

    /// The channel is closed: nothing goes again.
    pub(super) fn clear(&mut self) {
        self.kept = VecDeque::new();
        self.sealed = 0;
        self.bytes = 0;
    }
}

/// Places for frames that an idle channel keeps: 64 * 48 bytes. A full window has 4,096.
const KEPT_PLACES: usize = 64;

/// The receiver's side.
#[derive(Debug)]
pub(super) struct Receipts {
    frames_due: u64,
    bytes_due: usize,
    delay: Duration,
    received: u64,
    acknowledged: u64,
    bytes: usize,
    first: Option<Instant>,
    /// The delay is over: the next frame out is the Ack, whenever there is a place for it.
    overdue: bool,
}

impl Receipts {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            frames_due: limits.ack_frames,
            bytes_due: limits.ack_bytes,
            delay: limits.ack_delay,
            received: 0,
            acknowledged: 0,
            bytes: 0,
            first: None,
            overdue: false,
        }
    }

    pub(super) fn count(&mut self, bytes: usize, now: Instant) {
        self.received += 1;
        self.bytes += bytes;
        self.first.get_or_insert(now);
    }

    /// The number to acknowledge, if it is time to.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<u64> {
        let many = self.received - self.acknowledged >= self.frames_due;
        let large = self.bytes >= self.bytes_due;
        self.expire(now);
        if !(many || large || self.overdue) {
            return None;
        }
        self.told();
        Some(self.received)
    }

    /// Counted frames opened since the channel opened, whatever the epoch.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// The other end is told the number now: by an Ack, or by a renewal.
    pub(super) const fn told(&mut self) {
        self.acknowledged = self.received;
        self.bytes = 0;
        self.first = None;
        self.overdue = false;
    }

    /// When [`expire`](Self::expire) wants to be asked; not again for what it has found due, which
    /// may wait long for a place.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let first = self.first.filter(|_| !self.overdue);
        first.map(|first| first + self.delay)
    }

    /// Time has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.overdue = true;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    fn frame(bytes: usize) -> Kept {
        Kept {
            correlation: 0,
            flags: 0,
            plaintext: Bytes::from(vec![0; bytes]),
        }
    }

    #[test]
    fn an_acknowledgement_is_due_after_64_frames_256_kib_or_a_second() {
        let now = Instant::now();
        let mut receipts = Receipts::new(&Limits::default());
        (0..63).for_each(|_| receipts.count(1, now));
        assert_eq!(receipts.take_due(now), None);
        receipts.count(1, now);
        assert_eq!(receipts.take_due(now), Some(64));
        (0..4).for_each(|_| receipts.count(65_519, now));
        assert_eq!(receipts.take_due(now), None);
        receipts.count(65_519, now);
        assert_eq!(receipts.take_due(now), Some(69));
        receipts.count(1, now);
        assert_eq!(receipts.take_due(now + Duration::from_millis(999)), None);
        assert_eq!(receipts.take_due(now + Duration::from_secs(1)), Some(70));
        assert_eq!(receipts.deadline(), None);
    }

    #[test]
    fn an_acknowledgement_that_is_due_and_finds_no_place_wakes_nobody_again() {
        let now = Instant::now();
        let mut receipts = Receipts::new(&Limits::default());
        receipts.count(1, now);
        let due = now + Duration::from_secs(1);
        assert_eq!(receipts.deadline(), Some(due));
        receipts.expire(due);
        assert_eq!(receipts.deadline(), None);
        assert_eq!(receipts.take_due(due), Some(1));
    }

    #[test]
    fn the_window_holds_4096_frames_or_4_mib() {
        let mut window = Window::new(&Limits::default());
        (0..4_096).for_each(|_| window.keep(frame(1)));
        assert!(!window.has_room());
        assert!(window.acknowledge(1) && window.has_room());
        assert!(window.acknowledge(4_096) && window.kept.capacity() <= 2 * KEPT_PLACES);
        let mut window = Window::new(&Limits::default());
        while window.has_room() {
            window.keep(frame(PLAINTEXT_MAX));
        }
        assert!(window.bytes <= 4 * 1024 * 1024 && window.bytes > 4 * 1024 * 1024 - 65_536);
    }

    #[test]
    fn what_was_not_sent_cannot_be_acknowledged_nor_anything_twice_less() {
        let mut window = Window::new(&Limits::default());
        (0..3).for_each(|_| window.keep(frame(10)));
        assert!(!window.acknowledge(4));
        assert!(!window.acknowledge(u64::MAX));
        assert!(window.acknowledge(2) && window.acknowledge(2));
        assert!(!window.acknowledge(1));
        assert_eq!(window.bytes, 10);
    }

    #[test]
    fn in_a_new_epoch_what_is_kept_goes_again_in_its_order_and_only_that_can_be_acknowledged() {
        let mut window = Window::new(&Limits::default());
        (1..=3).for_each(|bytes| window.keep(frame(bytes)));
        assert!(window.acknowledge(1) && window.again().is_none());
        window.rewind();
        assert!(!window.acknowledge(2), "not yet sealed in this epoch");
        assert_eq!(window.again().map(|frame| frame.plaintext.len()), Some(2));
        assert!(window.acknowledge(2) && !window.acknowledge(3));
        assert_eq!(window.again().map(|frame| frame.plaintext.len()), Some(3));
        assert!(window.again().is_none() && window.acknowledge(3));
        assert_eq!(window.bytes, 0);
    }

    #[test]
    fn plaintext_is_let_go_when_it_is_acknowledged_and_when_the_channel_ends() {
        /// Wipes, in life; here it says that it would have.
        struct Owner(std::sync::Arc<[u8; 6]>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &*self.0
            }
        }
        let mut window = Window::new(&Limits::default());
        let held = std::sync::Arc::new(*b"secret");
        for _ in 0..3 {
            window.keep(Kept {
                plaintext: Bytes::from_owner(Owner(held.clone())),
                ..frame(0)
            });
        }
        assert!(window.acknowledge(1));
        assert_eq!(std::sync::Arc::strong_count(&held), 3);
        window.clear();
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
}
