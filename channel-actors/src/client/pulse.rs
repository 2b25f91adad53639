//! BRAIN: whether the other side of a transport is still there. A half-open connection is silent
//! and says nothing of it.

use std::time::{Duration, Instant};

/// How long a transport has been silent.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Instant,
    asked: Option<Instant>,
}

/// What a silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing yet.
    Fine,
    /// Ask for a sign of life.
    Ask,
    /// Nobody is there.
    Dead,
}

impl Pulse {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            heard: now,
            asked: None,
        }
    }

    /// Anything at all came.
    pub(super) const fn heard(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// When to judge next.
    pub(super) fn deadline(&self) -> Instant {
        let ask = self.asked.unwrap_or(self.heard) + ASK_AFTER;
        ask.min(self.heard + DEAD_AFTER)
    }

    /// Judges the silence up to now.
    pub(super) fn judge(&mut self, now: Instant) -> Silence {
        if now >= self.heard + DEAD_AFTER {
            Silence::Dead
        } else if now >= self.deadline() {
            self.asked = Some(now);
            Silence::Ask
        } else {
            Silence::Fine
        }
    }
}

/// A silence after which a sign of life is asked for, and between two such questions.
const ASK_AFTER: Duration = Duration::from_secs(15);
/// Two and a half times that: one lost answer is not an end.
const DEAD_AFTER: Duration = Duration::from_millis(37_500);

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "some moment to count from")]

    use super::*;

    #[test]
    fn silence_is_asked_about_twice_and_then_is_an_end() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        let mut judged = Vec::new();
        while judged.len() < 3 {
            let due = pulse.deadline();
            assert_eq!(pulse.judge(due - Duration::from_millis(1)), Silence::Fine);
            judged.push((due - start, pulse.judge(due)));
        }
        let expected = [
            (ASK_AFTER, Silence::Ask),
            (ASK_AFTER * 2, Silence::Ask),
            (DEAD_AFTER, Silence::Dead),
        ];
        assert_eq!(judged, expected);
    }

    #[test]
    fn anything_that_comes_begins_the_silence_anew() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        assert_eq!(pulse.judge(start + ASK_AFTER), Silence::Ask);
        pulse.heard(start + ASK_AFTER);
        assert_eq!(pulse.deadline(), start + ASK_AFTER * 2);
        assert_eq!(pulse.judge(start + DEAD_AFTER), Silence::Ask);
    }
}
