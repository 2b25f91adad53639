//! Pings of both directions. The newest of each is enough.

use std::time::{Duration, Instant};

use schema::wire::{self, inner::Body};

/// What is to be asked and answered.
#[derive(Debug, Default)]
pub(super) struct Echo {
    nonce: u64,
    asked: Option<(u64, Instant)>,
    to_ask: bool,
    to_answer: Option<u64>,
}

impl Echo {
    /// A ping is wanted.
    pub(super) const fn want(&mut self) {
        self.to_ask = true;
    }

    /// A ping came.
    pub(super) const fn heed_ping(&mut self, nonce: u64) {
        self.to_answer = Some(nonce);
    }

    /// A pong came: there and back, if it answers the newest ping.
    pub(super) fn heed_pong(&mut self, nonce: u64, now: Instant) -> Option<Duration> {
        let (_, asked) = self.asked.take_if(|(asked, _)| *asked == nonce)?;
        Some(now.saturating_duration_since(asked))
    }

    /// What is to be said.
    pub(super) fn next(&mut self, now: Instant) -> Option<Body> {
        if let Some(nonce) = self.to_answer.take() {
            return Some(Body::Pong(wire::Pong { nonce }));
        }
        std::mem::take(&mut self.to_ask).then(|| self.ask(now))
    }

    /// What was under way will not arrive: who waits for a sign of life asks again.
    pub(super) const fn lost(&mut self) {
        self.to_answer = None;
        self.to_ask |= self.asked.is_some();
        self.asked = None;
    }

    fn ask(&mut self, now: Instant) -> Body {
        self.nonce += 1;
        self.asked = Some((self.nonce, now));
        Body::Ping(wire::Ping { nonce: self.nonce })
    }
}
