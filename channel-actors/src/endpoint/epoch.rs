//! The keys of a channel: of its current epoch and, at a Worker, of at most one candidate beside it.

use std::time::Instant;

use crypto::Established;

/// One epoch. Dropping it wipes its keys.
pub(super) struct Epoch {
    /// The serial of its renewal; the handshake's is 0.
    pub(super) number: u32,
    pub(super) born: Instant,
    pub(super) keys: Established,
}

/// The epochs that a channel has.
///
/// Only the newest one seals and opens. The current one stays beside a candidate for its root: the
/// client that never heard of the candidate bases its next renewal on it.
pub(super) struct Epochs {
    current: Epoch,
    candidate: Option<Epoch>,
}

impl Epoch {
    /// Whether either counter has passed the soft limit.
    pub(super) const fn is_tired(&self) -> bool {
        self.keys.sealer.wants_renewal() || self.keys.opener.wants_renewal()
    }
}

impl Epochs {
    pub(super) const fn new(first: Epoch) -> Self {
        Self {
            current: first,
            candidate: None,
        }
    }

    /// The one whose frames count.
    pub(super) fn newest(&self) -> &Epoch {
        self.candidate.as_ref().unwrap_or(&self.current)
    }

    pub(super) fn newest_mut(&mut self) -> &mut Epoch {
        self.candidate.as_mut().unwrap_or(&mut self.current)
    }

    /// Since when the current keys exist.
    pub(super) const fn born(&self) -> Instant {
        self.current.born
    }

    /// An epoch that a renewal may begin from.
    pub(super) fn base(&self, number: u32) -> Option<&Epoch> {
        [Some(&self.current), self.candidate.as_ref()]
            .into_iter()
            .flatten()
            .find(|epoch| epoch.number == number)
    }

    /// Client: goes over. What was before is wiped.
    pub(super) fn replace(&mut self, epoch: Epoch) {
        self.candidate = None;
        self.current = epoch;
    }

    /// Worker: a valid renewal, based on the epoch of number `base`. It replaces the candidate; one
    /// that it names as its base was taken over by the client and becomes current.
    pub(super) fn propose(&mut self, base: u32, epoch: Epoch) {
        if self.candidate.as_ref().is_some_and(|it| it.number == base) {
            self.promote();
        }
        self.candidate = Some(epoch);
    }

    /// Worker: the candidate becomes current, and the older one is wiped.
    pub(super) fn promote(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            self.current = candidate;
        }
    }

    /// Starts the newest counters elsewhere.
    pub(super) fn at_counters(&mut self, sealed: u64, opened: u64) {
        let keys = &mut self.newest_mut().keys;
        keys.sealer.skip_to(sealed);
        keys.opener.skip_to(opened);
    }
}
