//! Requests that are open, at either end. Every id is used once, so that what is over is known by
//! its number.
//!
//! A client gives ids in order and sends small messages first, so a request may overtake an older
//! and larger one: the ids that were left out are remembered until they come.

use std::collections::BTreeMap;

use crate::limits::Limits;

/// What an id is to this end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is open.
    Open,
    /// It was, and is over: what still comes for it was under way.
    Over,
    /// Nobody has used it yet.
    Never,
}

/// The open requests of a channel.
#[derive(Debug)]
pub(super) struct Calls {
    open: BTreeMap<u64, Call>,
    highest: u64,
    /// First and last id of each stretch that was left out.
    gaps: BTreeMap<u64, u64>,
    bytes: usize,
    most: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Call {
    answer: Answer,
    bytes: usize,
}

/// How far the answer is. A call that is answered stays open until the answer is sealed, so that
/// answers that nobody reads are bounded too; one that is cancelled, until its handler has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Owed,
    Given,
    Cancelled,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// It is open.
    Taken,
    /// As much is open as may be: it is to be answered with an error.
    Refused,
}

/// As much is open as may be, or the id was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMore;

impl Calls {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            open: BTreeMap::new(),
            highest: 0,
            gaps: BTreeMap::new(),
            bytes: 0,
            most: limits.requests,
            bytes_max: limits.request_bytes,
        }
    }

    /// Client: the id of a new request of so many bytes.
    pub(super) fn issue(&mut self, bytes: usize) -> Result<u64, NoMore> {
        let id = self.highest + 1;
        if !self.has_room(bytes) {
            return Err(NoMore);
        }
        self.begin(id, bytes).map(|_| id)
    }

    /// A request of so many bytes begins. The answers of refused ones are bounded as well: a
    /// client that keeps to its own count is refused a few at most.
    pub(super) fn begin(&mut self, id: u64, bytes: usize) -> Result<Begun, NoMore> {
        if self.open.len() >= 2 * self.most || !self.use_up(id) {
            return Err(NoMore);
        }
        let answer = Answer::Owed;
        if self.has_room(bytes) {
            self.bytes += bytes;
            self.open.insert(id, Call { answer, bytes });
            return Ok(Begun::Taken);
        }
        self.open.insert(id, Call { answer, bytes: 0 });
        Ok(Begun::Refused)
    }

    /// Worker: a request is answered; false when it is not open, or was answered before.
    pub(super) fn answer(&mut self, id: u64) -> bool {
        match self.open.get_mut(&id) {
            Some(call) if call.answer == Answer::Owed => {
                call.answer = Answer::Given;
                true
            }
            Some(_) | None => {
                self.finish(id);
                false
            }
        }
    }

    /// Worker: a request is cancelled. While its handler runs it stays open; an id that has not
    /// come never will. False when there is nothing to tell the application.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        match self.open.get_mut(&id) {
            Some(call) if call.answer == Answer::Owed => {
                call.answer = Answer::Cancelled;
                true
            }
            Some(call) if call.answer == Answer::Given => self.end(id),
            Some(_) => false,
            None => {
                self.use_up(id);
                false
            }
        }
    }

    /// Worker: the handler of a cancelled request has ended.
    pub(super) fn finish(&mut self, id: u64) {
        let cancelled = |call: &Call| call.answer == Answer::Cancelled;
        if self.open.get(&id).is_some_and(cancelled) {
            self.end(id);
        }
    }

    /// Forgets all that are open.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.bytes = 0;
    }

    /// A request is over; false when it was not open.
    pub(super) fn end(&mut self, id: u64) -> bool {
        let ended = self.open.remove(&id);
        self.bytes -= ended.as_ref().map_or(0, |call| call.bytes);
        ended.is_some()
    }

    pub(super) fn knows(&self, id: u64) -> Known {
        match (self.open.contains_key(&id), self.is_used(id)) {
            (true, _) => Known::Open,
            (false, true) => Known::Over,
            (false, false) => Known::Never,
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.open.len() < self.most && self.bytes + bytes <= self.bytes_max
    }

    fn is_used(&self, id: u64) -> bool {
        id <= self.highest && self.gap_of(id).is_none()
    }

    fn gap_of(&self, id: u64) -> Option<(u64, u64)> {
        let (first, last) = self.gaps.range(..=id).next_back()?;
        (*last >= id).then_some((*first, *last))
    }

    /// Takes an id; false when it was used before, or is forgotten.
    fn use_up(&mut self, id: u64) -> bool {
        let gap = if id > self.highest {
            let first = self.highest + 1;
            self.highest = id;
            Some((first, id))
        } else {
            self.gap_of(id)
        };
        let Some((first, last)) = gap else {
            return false;
        };
        self.gaps.remove(&first);
        if first < id {
            self.gaps.insert(first, id - 1);
        }
        if id < last {
            self.gaps.insert(id + 1, last);
        }
        while self.gaps.len() > GAPS {
            self.gaps.pop_first();
        }
        true
    }
}

/// Stretches of left out ids that are remembered, the newest. An honest client leaves out one for
/// each request that waits behind smaller ones, 64 at most.
const GAPS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> Calls {
        Calls::new(&Limits::default())
    }

    #[test]
    fn ids_are_used_once_and_64_are_open_at_most() {
        let mut calls = calls();
        for id in 1..=64 {
            assert_eq!(calls.issue(10), Ok(id));
        }
        assert_eq!(calls.issue(10), Err(NoMore));
        assert!(calls.end(3) && !calls.end(3));
        assert_eq!(calls.begin(3, 10), Err(NoMore));
        assert_eq!(calls.begin(100, 10), Ok(Begun::Taken));
        assert_eq!(calls.knows(3), Known::Over);
        assert_eq!(calls.knows(4), Known::Open);
        assert_eq!(calls.knows(101), Known::Never);
    }

    #[test]
    fn an_id_that_was_overtaken_may_still_come_and_only_once() {
        let mut calls = calls();
        for id in [5, 2, 4, 1, 3, 9] {
            assert_eq!(calls.begin(id, 1), Ok(Begun::Taken), "{id}");
            assert_eq!(calls.begin(id, 1), Err(NoMore), "{id}");
        }
        assert_eq!((calls.gaps.len(), calls.gap_of(7)), (1, Some((6, 8))));
        assert_eq!(calls.knows(7), Known::Never);
        // Its request was cancelled before it was sent.
        assert!(!calls.cancel(7));
        assert_eq!(calls.begin(7, 1), Err(NoMore));
        assert_eq!(calls.begin(6, 1), Ok(Begun::Taken));
    }

    #[test]
    fn what_was_left_out_is_remembered_in_bounds() {
        let mut calls = calls();
        for id in 1..=10_000 {
            assert_eq!(calls.begin(2 * id, 1), Ok(Begun::Taken));
            assert!(calls.end(2 * id));
        }
        assert_eq!(calls.gaps.len(), GAPS);
        assert_eq!(calls.begin(1, 1), Err(NoMore));
        assert_eq!(calls.begin(u64::MAX, 1), Ok(Begun::Taken));
        assert_eq!(calls.begin(u64::MAX, 1), Err(NoMore));
    }

    #[test]
    fn a_cancelled_request_keeps_its_place_until_its_handler_has_ended() {
        let mut calls = calls();
        for id in 1..=64 {
            assert_eq!(calls.begin(id, 0), Ok(Begun::Taken));
            assert!(calls.cancel(id) && !calls.cancel(id));
        }
        assert_eq!(calls.begin(65, 0), Ok(Begun::Refused));
        assert!(!calls.answer(1), "nobody waits for the answer");
        calls.finish(2);
        assert!(calls.answer(65));
        assert_eq!(calls.begin(66, 0), Ok(Begun::Taken));
    }

    #[test]
    fn requests_hold_so_many_bytes_at_most() {
        let mut calls = calls();
        let half = Limits::default().request_bytes / 2;
        assert_eq!(calls.begin(1, half), Ok(Begun::Taken));
        assert_eq!(calls.begin(2, half), Ok(Begun::Taken));
        assert_eq!(calls.begin(3, 1), Ok(Begun::Refused));
        assert!(calls.end(1));
        assert_eq!(calls.begin(4, half), Ok(Begun::Taken));
    }
}
