//! How often Workers shook hands, and how often they only renewed.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counts of all Workers of a run.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    signed: AtomicU64,
    renewed: AtomicU64,
    refused: AtomicU64,
}

/// They, at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Shaken {
    /// Handshakes from the beginning: a signature each in the post-quantum mode.
    pub(crate) signed: u64,
    /// Renewals that were answered.
    pub(crate) renewed: u64,
    /// Renewals that were refused.
    pub(crate) refused: u64,
}

impl Handshakes {
    pub(super) fn sign(&self) {
        self.signed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn renew(&self) {
        self.renewed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// So far.
    pub(crate) fn so_far(&self) -> Shaken {
        Shaken {
            signed: self.signed.load(Ordering::Relaxed),
            renewed: self.renewed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
