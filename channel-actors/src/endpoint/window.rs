//! What is sent and not acknowledged, and what is received and not yet said so.
//!
//! Counted are all frames but claim, its answer, Ack and ping. An acknowledgement says how many
//! were decrypted since the channel opened, whatever the epoch; so it does not depend on anybody
//! consuming anything, and two opposite bulk transfers cannot wait for each other.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::limits::{Limits, PLAINTEXT_MAX};

/// The sender's side.
#[derive(Debug)]
pub(super) struct Window {
    frames_max: usize,
    bytes_max: usize,
    acknowledged: u64,
    unacknowledged: VecDeque<usize>,
    bytes: usize,
}

impl Window {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            frames_max: limits.window_frames,
            bytes_max: limits.window_bytes,
            acknowledged: 0,
            unacknowledged: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Whether a full frame more fits.
    pub(super) fn has_room(&self) -> bool {
        self.unacknowledged.len() < self.frames_max
            && self.bytes + PLAINTEXT_MAX <= self.bytes_max.max(PLAINTEXT_MAX)
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.unacknowledged.push_back(bytes);
        self.bytes += bytes;
    }

    /// Takes an acknowledgement; false when it names what was never sent, or less than before.
    pub(super) fn acknowledge(&mut self, received: u64) -> bool {
        let Some(fresh) = received.checked_sub(self.acknowledged) else {
            return false;
        };
        let Ok(fresh) = usize::try_from(fresh) else {
            return false;
        };
        if fresh > self.unacknowledged.len() {
            return false;
        }
        self.bytes -= self.unacknowledged.drain(..fresh).sum::<usize>();
        self.acknowledged = received;
        true
    }
}

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
        let old = self.deadline().is_some_and(|deadline| deadline <= now);
        if !(many || large || old) {
            return None;
        }
        self.acknowledged = self.received;
        self.bytes = 0;
        self.first = None;
        Some(self.received)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.first.map(|first| first + self.delay)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

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
    fn the_window_holds_4096_frames_or_4_mib() {
        let mut window = Window::new(&Limits::default());
        (0..4_096).for_each(|_| window.sent(1));
        assert!(!window.has_room());
        assert!(window.acknowledge(1) && window.has_room());
        let mut window = Window::new(&Limits::default());
        while window.has_room() {
            window.sent(PLAINTEXT_MAX);
        }
        assert!(window.bytes <= 4 * 1024 * 1024 && window.bytes > 4 * 1024 * 1024 - 65_536);
    }

    #[test]
    fn what_was_not_sent_cannot_be_acknowledged_nor_anything_twice_less() {
        let mut window = Window::new(&Limits::default());
        (0..3).for_each(|_| window.sent(10));
        assert!(!window.acknowledge(4));
        assert!(!window.acknowledge(u64::MAX));
        assert!(window.acknowledge(2) && window.acknowledge(2));
        assert!(!window.acknowledge(1));
        assert_eq!(window.bytes, 10);
    }
}
