//! The threads that links and channels share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix_rt::{Arbiter, ArbiterHandle};

/// The threads that links and channels share.
#[derive(Clone)]
pub(crate) struct Arbiters {
    handles: Arc<[ArbiterHandle]>,
    next: Arc<AtomicUsize>,
}

impl Arbiters {
    /// Starts so many; they end with the actix system that this is called in.
    pub(crate) fn start(count: usize) -> Self {
        let handles = (0..count.max(1)).map(|_| Arbiter::new().handle()).collect();
        Self {
            handles,
            next: Arc::default(),
        }
    }

    /// The next in turn.
    pub(crate) fn next(&self) -> &ArbiterHandle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let at = turn % self.handles.len();
        self.handles
            .get(at)
            .expect("the remainder is below the length, which start made 1")
    }
}
