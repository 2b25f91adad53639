//! BRAIN: whether the Hub at the other end of a link is still there.

use std::time::{Duration, Instant};

/// The numbers of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// How often it is looked.
    pub tick: Duration,
    /// Silence after which the other side is asked for a sign.
    pub silence: Duration,
    /// Silence after which it is dead.
    pub dead: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(2),
            silence: Duration::from_secs(5),
            dead: Duration::from_secs(10),
        }
    }
}

/// Listens for silence.
#[derive(Debug)]
pub struct Pulse {
    rhythm: Rhythm,
    heard: Instant,
    nonce: u64,
}

/// What to do at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing.
    Rest,
    /// Send a heartbeat with this nonce; it is odd, which makes it a question.
    Ask(u64),
    /// Give the link up.
    Dead,
}

impl Pulse {
    /// A link that was just made.
    #[must_use]
    pub const fn new(rhythm: Rhythm, now: Instant) -> Self {
        Self {
            rhythm,
            heard: now,
            nonce: 1,
        }
    }

    /// Something came.
    pub const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) -> Beat {
        let silent = now.saturating_duration_since(self.heard);
        if silent >= self.rhythm.dead {
            return Beat::Dead;
        }
        if silent < self.rhythm.silence {
            return Beat::Rest;
        }
        let nonce = self.nonce;
        self.nonce = self.nonce.wrapping_add(2);
        Beat::Ask(nonce)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    #[test]
    fn silence_is_asked_about_and_then_believed() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(Rhythm::default(), begin);
        assert_eq!(pulse.tick(at(4)), Beat::Rest);
        assert_eq!(pulse.tick(at(6)), Beat::Ask(1));
        assert_eq!(pulse.tick(at(8)), Beat::Ask(3));
        pulse.heard(at(9));
        assert_eq!(pulse.tick(at(10)), Beat::Rest);
        assert_eq!(pulse.tick(at(19)), Beat::Dead);
    }
}
