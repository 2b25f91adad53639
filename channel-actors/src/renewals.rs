//! BRAIN of a channel's renewals at the Hub: which the Worker has not answered, and who asked.
//!
//! A renewal may come over another path than the channel's. That path is no more than a candidate
//! until the Worker has answered this very renewal, and a refusal changes nothing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::refusal::RefusalReason;

/// One connection of a client to the Hub, by the number that the Hub gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u64);

/// The renewals of one channel.
#[derive(Debug)]
pub struct Renewals {
    asked: VecDeque<Asked>,
    timeout: Duration,
    newest: u32,
}

#[derive(Debug)]
struct Asked {
    serial: u32,
    /// Nobody any more when the path went, or was told that it took too long.
    path: Option<PathId>,
    until: Instant,
}

/// A renewal that somebody still waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub path: PathId,
    /// For the answer to which.
    pub serial: u32,
}

impl Renewals {
    /// None yet. The Worker has `timeout` for each answer.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self {
            asked: VecDeque::new(),
            timeout,
            newest: 0,
        }
    }

    /// Notes one that is passed on to the Worker.
    ///
    /// # Errors
    ///
    /// `busy` when as many as are remembered are waited for, `stale` for a serial that is.
    pub fn ask(&mut self, path: PathId, serial: u32, now: Instant) -> Result<(), RefusalReason> {
        if self.waiting().any(|waiting| waiting.serial == serial) {
            return Err(RefusalReason::Stale);
        }
        if self.asked.len() >= REMEMBERED {
            let forgettable = self.asked.iter().position(|asked| asked.path.is_none());
            self.asked.remove(forgettable.ok_or(RefusalReason::Busy)?);
        }
        let (path, until) = (Some(path), now + self.timeout);
        self.asked.push_back(Asked {
            serial,
            path,
            until,
        });
        self.newest = self.newest.max(serial);
        Ok(())
    }

    /// The Worker answered: who waits for it, if anybody still does.
    pub fn answered(&mut self, serial: u32) -> Option<PathId> {
        let at = self.asked.iter().position(|asked| asked.serial == serial)?;
        self.asked.remove(at)?.path
    }

    /// Whether this one was asked, and not answered.
    #[must_use]
    pub fn knows(&self, serial: u32) -> bool {
        self.asked.iter().any(|asked| asked.serial == serial)
    }

    /// A path went: what it asked for is answered to nobody.
    pub fn forget(&mut self, path: PathId) {
        let of_it = |asked: &&mut Asked| asked.path == Some(path);
        self.asked
            .iter_mut()
            .filter(of_it)
            .for_each(|asked| asked.path = None);
    }

    /// Those that took too long; nobody waits for them from now on.
    pub fn expire(&mut self, now: Instant) -> Vec<Waiting> {
        let late = self.asked.iter_mut().filter(|asked| asked.until <= now);
        late.filter_map(|asked| {
            let (path, serial) = (asked.path.take()?, asked.serial);
            Some(Waiting { path, serial })
        })
        .collect()
    }

    /// When [`expire`](Self::expire) wants to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let waited = self.asked.iter().filter(|asked| asked.path.is_some());
        waited.map(|asked| asked.until).min()
    }

    /// All that are waited for, in the order in which they were asked.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.asked.iter().filter_map(|asked| {
            let (path, serial) = (asked.path?, asked.serial);
            Some(Waiting { path, serial })
        })
    }

    /// Whether this path waits for an answer.
    #[must_use]
    pub fn awaits(&self, path: PathId) -> bool {
        self.waiting().any(|waiting| waiting.path == path)
    }

    /// The highest serial that was passed on: the Worker may be there already.
    #[must_use]
    pub const fn newest(&self) -> u32 {
        self.newest
    }
}

/// Unanswered renewals of one channel. A client has one, and another after each 30 s of silence.
const REMEMBERED: usize = 8;

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    const A: PathId = PathId(1);
    const B: PathId = PathId(2);
    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn an_answer_goes_to_who_asked_and_once() {
        let now = Instant::now();
        let mut renewals = Renewals::new(TEN);
        assert_eq!(renewals.ask(A, 3, now), Ok(()));
        assert_eq!(renewals.ask(B, 4, now), Ok(()));
        assert_eq!(renewals.newest(), 4);
        assert_eq!(renewals.answered(4), Some(B));
        assert_eq!(renewals.answered(4), None);
        assert_eq!(renewals.answered(3), Some(A));
        assert_eq!(renewals.answered(7), None);
    }

    #[test]
    fn a_serial_that_is_waited_for_is_not_asked_again() {
        let now = Instant::now();
        let mut renewals = Renewals::new(TEN);
        assert_eq!(renewals.ask(A, 3, now), Ok(()));
        assert_eq!(renewals.ask(B, 3, now), Err(RefusalReason::Stale));
        assert_eq!(renewals.answered(3), Some(A));
    }

    #[test]
    fn nobody_hears_the_answer_for_a_path_that_went() {
        let now = Instant::now();
        let mut renewals = Renewals::new(TEN);
        assert_eq!(renewals.ask(A, 1, now), Ok(()));
        assert_eq!(renewals.ask(B, 2, now), Ok(()));
        renewals.forget(A);
        assert!(!renewals.awaits(A) && renewals.awaits(B));
        assert_eq!(renewals.answered(1), None);
    }

    #[test]
    fn each_has_ten_seconds_and_is_told_once() {
        let now = Instant::now();
        let mut renewals = Renewals::new(TEN);
        assert_eq!(renewals.ask(A, 1, now), Ok(()));
        let second = now + Duration::from_secs(1);
        assert_eq!(renewals.ask(B, 2, second), Ok(()));
        assert_eq!(renewals.deadline(), Some(now + TEN));
        let expired = renewals.expire(now + TEN);
        assert_eq!(expired, [Waiting { path: A, serial: 1 }]);
        assert_eq!(renewals.expire(now + TEN), []);
        assert_eq!(renewals.deadline(), Some(second + TEN));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_nobody_waits_for_goes_first() {
        let now = Instant::now();
        let mut renewals = Renewals::new(TEN);
        for serial in 1..=8 {
            assert_eq!(renewals.ask(A, serial, now), Ok(()));
        }
        assert_eq!(renewals.ask(A, 9, now), Err(RefusalReason::Busy));
        assert_eq!(renewals.expire(now + TEN).len(), 8);
        assert_eq!(renewals.ask(A, 9, now + TEN), Ok(()));
        assert_eq!(renewals.asked.len(), 8);
    }
}
