//! BRAIN: what has lately changed, so that a watcher that was away can go on where it was.

use std::collections::VecDeque;

use schema::ids::UserId;

use crate::notes::About;

/// The last changes, oldest first. A cursor names the place after a change.
#[derive(Debug)]
pub(crate) struct EventLog {
    changes: VecDeque<Change>,
    next: u64,
    first: u64,
}

#[derive(Debug, Clone)]
struct Change {
    cursor: u64,
    user: UserId,
    about: About,
}

/// What a watcher missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missed {
    /// These things changed, each at its cursor.
    Changes(Vec<(u64, About)>),
    /// More than is remembered: read everything again, and go on from this cursor.
    Everything(u64),
}

/// Changes that are remembered.
const KEPT: usize = 1_024;

impl EventLog {
    /// `start`: larger than any cursor of an earlier life, e.g. microseconds since 1970.
    pub(crate) const fn new(start: u64) -> Self {
        Self {
            changes: VecDeque::new(),
            next: start,
            first: start,
        }
    }

    /// Notes that something of a user's changed; the cursor of it.
    pub(crate) fn note(&mut self, user: UserId, about: About) -> u64 {
        self.next += 1;
        if self.changes.len() >= KEPT {
            self.first = self
                .changes
                .pop_front()
                .map_or(self.next, |oldest| oldest.cursor);
        }
        self.changes.push_back(Change {
            cursor: self.next,
            user,
            about,
        });
        self.next
    }

    /// The cursor behind all that is noted.
    pub(crate) const fn newest(&self) -> u64 {
        self.next
    }

    /// What a user's watcher has missed since its cursor.
    pub(crate) fn since(&self, cursor: Option<u64>, user: &UserId) -> Missed {
        let Some(cursor) = cursor.filter(|at| (self.first..=self.next).contains(at)) else {
            return Missed::Everything(self.next);
        };
        let missed = self
            .changes
            .iter()
            .filter(|one| one.cursor > cursor && one.user == *user);
        Missed::Changes(missed.map(|one| (one.cursor, one.about.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn worker(name: &str) -> About {
        About::Worker(schema::ids::WorkerId::parse(name).unwrap())
    }

    #[test]
    fn a_watcher_goes_on_where_it_was() {
        let mut log = EventLog::new(100);
        let first = log.note(user("a"), worker("w1"));
        let second = log.note(user("a"), worker("w2"));
        log.note(user("b"), worker("w3"));
        let missed = log.since(Some(first), &user("a"));
        assert_eq!(missed, Missed::Changes(vec![(second, worker("w2"))]));
        assert_eq!(
            log.since(Some(100), &user("c")),
            Missed::Changes(Vec::new())
        );
    }

    #[test]
    fn a_cursor_that_is_too_old_too_new_or_missing_means_everything() {
        let mut log = EventLog::new(100);
        (0..KEPT + 2).for_each(|_| {
            log.note(user("a"), worker("w"));
        });
        let end = 100 + u64::try_from(KEPT).unwrap() + 2;
        for cursor in [None, Some(0), Some(101), Some(end + 1)] {
            assert_eq!(
                log.since(cursor, &user("a")),
                Missed::Everything(end),
                "{cursor:?}"
            );
        }
        assert!(
            matches!(log.since(Some(102), &user("a")), Missed::Changes(all) if all.len() == KEPT)
        );
    }
}
