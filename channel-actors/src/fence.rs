//! What stops a frame that is already on its way.
//!
//! After a revocation not one more frame of the channel may pass, also not one that waits in the
//! mailbox of a socket whose peer has stopped reading. So what travels is an envelope
//! ([`Passing`](crate::lane::Passing)), and whoever opens it asks the fence first.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A flag that falls once. The Registry lets it fall first and says goodbye second.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    down: Arc<AtomicBool>,
}

impl Fence {
    /// A fence that is up: frames pass.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing passes. It cannot be raised again.
    pub fn fall(&self) {
        self.down.store(true, Ordering::Release);
    }

    /// Whether anybody else has it still.
    #[must_use]
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.down) > 1
    }

    /// Whether it has fallen.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }
}
