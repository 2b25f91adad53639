//! What stops a frame that is already on its way.
//!
//! After a revocation not one more frame of the channel may pass, also not one that waits in the
//! mailbox of a socket whose peer has stopped reading. So what travels is an envelope
//! ([`Passing`](crate::lane::Passing)), and whoever opens it asks the fence first.

use std::sync::{
    Arc, Weak,
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

    /// Whether it has fallen.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// A line by which it can be let fall, and that does not hold it.
    #[must_use]
    pub fn line(&self) -> Line {
        Line(Arc::downgrade(&self.down))
    }
}

/// A line to a fence. There may be many to one: it falls with whatever is revoked first.
#[derive(Debug, Clone)]
pub struct Line(Weak<AtomicBool>);

impl Line {
    /// From now on nothing passes.
    pub fn fall(&self) {
        if let Some(down) = self.0.upgrade() {
            down.store(true, Ordering::Release);
        }
    }

    /// Whether it leads to this fence.
    #[must_use]
    pub fn is_of(&self, fence: &Fence) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&fence.down))
    }

    /// Whether anything is under the fence still.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
}
