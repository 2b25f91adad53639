//! BRAIN of what the Worker is told of a running channel's access, and has not acknowledged.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Announcements that are waited for; beyond it the oldest counts as unanswered.
const REMEMBERED: usize = 64;

/// The announcements of one channel.
#[derive(Debug)]
pub(crate) struct Announcements {
    asked: VecDeque<(u64, Instant)>,
    timeout: Duration,
    last: u64,
}

impl Announcements {
    /// None yet. The Worker has `timeout` for each.
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            asked: VecDeque::new(),
            timeout,
            last: 0,
        }
    }

    /// The number of the next one, and how many are given up for it.
    pub(crate) fn ask(&mut self, now: Instant) -> (u64, usize) {
        self.last += 1;
        self.asked.push_back((self.last, now + self.timeout));
        let excess = self.asked.len().saturating_sub(REMEMBERED);
        (self.last, self.asked.drain(..excess).count())
    }

    /// The Worker has taken this one in, and with it all before: they came by one way. How many.
    pub(crate) fn acknowledged(&mut self, change: u64) -> usize {
        let taken = self.asked.iter().take_while(|(asked, _)| *asked <= change);
        let taken = taken.count();
        self.asked.drain(..taken).count()
    }

    /// Those that took too long: how many.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let late = self.asked.iter().take_while(|(_, until)| *until <= now);
        let late = late.count();
        self.asked.drain(..late).count()
    }

    /// When [`expire`](Self::expire) wants to be asked.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.asked.front().map(|(_, until)| *until)
    }

    /// How many are waited for.
    pub(crate) fn waiting(&self) -> usize {
        self.asked.len()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn an_acknowledgement_is_one_of_all_before_it() {
        let now = Instant::now();
        let mut announcements = Announcements::new(TEN);
        for number in 1..=3 {
            assert_eq!(announcements.ask(now), (number, 0));
        }
        assert_eq!(announcements.acknowledged(2), 2);
        assert_eq!(announcements.acknowledged(2), 0);
        assert_eq!(announcements.acknowledged(9), 1, "it is the Worker's word");
        assert_eq!(announcements.deadline(), None);
    }

    #[test]
    fn each_has_ten_seconds_and_is_given_up_once() {
        let now = Instant::now();
        let mut announcements = Announcements::new(TEN);
        let _first = announcements.ask(now);
        let _second = announcements.ask(now + TEN / 2);
        assert_eq!(announcements.deadline(), Some(now + TEN));
        assert_eq!(announcements.expire(now + TEN), 1);
        assert_eq!(announcements.expire(now + TEN), 0);
        assert_eq!(announcements.waiting(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut announcements = Announcements::new(TEN);
        let given_up: usize = (0..100).map(|_| announcements.ask(now).1).sum();
        assert_eq!((announcements.waiting(), given_up), (REMEMBERED, 36));
    }
}
