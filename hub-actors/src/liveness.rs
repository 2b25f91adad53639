//! BRAIN: what silence means.

use std::time::{Duration, Instant};

/// Listens to one connection.
#[derive(Debug)]
pub(crate) struct Liveness {
    heard: Instant,
    asked: Instant,
    ask_after: Duration,
    dead_after: Duration,
}

/// What is to be done about a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing yet.
    Fine,
    /// Ask whether anybody is there.
    Ask,
    /// Nobody is.
    Dead,
}

impl Liveness {
    pub(crate) const fn new(ask_after: Duration, dead_after: Duration, now: Instant) -> Self {
        Self {
            heard: now,
            asked: now,
            ask_after,
            dead_after,
        }
    }

    /// The peer said something, whatever it was.
    pub(crate) const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// To be asked now and then; each `ask_after` of silence asks once.
    pub(crate) fn judge(&mut self, now: Instant) -> Silence {
        if now.saturating_duration_since(self.heard) >= self.dead_after {
            return Silence::Dead;
        }
        let last = self.heard.max(self.asked);
        if now.saturating_duration_since(last) < self.ask_after {
            return Silence::Fine;
        }
        self.asked = now;
        Silence::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_and_then_dead() {
        let t0 = crate::clock::now();
        let after = |seconds| t0 + Duration::from_secs(seconds);
        let mut ear = Liveness::new(Duration::from_secs(5), Duration::from_secs(10), t0);
        assert_eq!(ear.judge(after(4)), Silence::Fine);
        assert_eq!(ear.judge(after(6)), Silence::Ask);
        assert_eq!(ear.judge(after(8)), Silence::Fine);
        ear.heard(after(9));
        assert_eq!(ear.judge(after(11)), Silence::Fine);
        assert_eq!(ear.judge(after(14)), Silence::Ask);
        assert_eq!(ear.judge(after(19)), Silence::Dead);
    }
}
