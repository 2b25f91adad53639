//! The one place of this crate where the time is asked.

use std::time::{Duration, Instant};

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a shell reads the clock for its brains"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time since a run began; all times of a run are told so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    begin: Instant,
}

impl Clock {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self { begin: now() }
    }

    /// How far the run is.
    pub(crate) fn elapsed(self) -> Duration {
        now().saturating_duration_since(self.begin)
    }

    /// How long until then; zero when it has passed.
    pub(crate) fn until(self, at: Duration) -> Duration {
        at.saturating_sub(self.elapsed())
    }
}
