//! Requests that are open, at either end. Ids rise, so that what is over is known by its number.

use std::collections::BTreeMap;

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
    open: BTreeMap<u64, Answer>,
    highest: u64,
    most: usize,
}

/// How far the answer is. A call that is answered stays open until the answer is sealed, so that
/// answers that nobody reads are bounded too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Owed,
    Given,
}

/// As many are open as may be, or the id does not rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMore;

impl Calls {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            highest: 0,
            most,
        }
    }

    /// Client: the id of a new request.
    pub(super) fn issue(&mut self) -> Result<u64, NoMore> {
        let id = self.highest + 1;
        self.begin(id).map(|()| id)
    }

    /// A request begins.
    pub(super) fn begin(&mut self, id: u64) -> Result<(), NoMore> {
        if id <= self.highest || self.open.len() >= self.most {
            return Err(NoMore);
        }
        self.highest = id;
        self.open.insert(id, Answer::Owed);
        Ok(())
    }

    /// Worker: a request is answered; false when it is not open, or was answered before.
    pub(super) fn answer(&mut self, id: u64) -> bool {
        match self.open.get_mut(&id) {
            Some(answer @ Answer::Owed) => {
                *answer = Answer::Given;
                true
            }
            Some(Answer::Given) | None => false,
        }
    }

    /// Forgets all that are open.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// A request is over; false when it was not open.
    pub(super) fn end(&mut self, id: u64) -> bool {
        self.open.remove(&id).is_some()
    }

    pub(super) fn knows(&self, id: u64) -> Known {
        match (self.open.contains_key(&id), id <= self.highest) {
            (true, _) => Known::Open,
            (false, true) => Known::Over,
            (false, false) => Known::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_64_are_open_at_most() {
        let mut calls = Calls::new(64);
        for id in 1..=64 {
            assert_eq!(calls.issue(), Ok(id));
        }
        assert_eq!(calls.issue(), Err(NoMore));
        assert!(calls.end(3) && !calls.end(3));
        assert_eq!(calls.begin(3), Err(NoMore));
        assert_eq!(calls.begin(100), Ok(()));
        assert_eq!(calls.knows(3), Known::Over);
        assert_eq!(calls.knows(4), Known::Open);
        assert_eq!(calls.knows(101), Known::Never);
    }
}
