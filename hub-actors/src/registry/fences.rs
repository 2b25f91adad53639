//! BRAIN of what a revocation stops: every fence that was raised on a credential, for as long as
//! anything is under it.
//!
//! A channel that has ended may have left frames behind, in the mailbox of a socket whose peer does
//! not read or in the queue of a link. They are under its fences, and nobody else remembers those.

use std::collections::BTreeMap;

use channel_actors::fence::Fence;
use schema::ids::CredentialId;

/// The fences of one Hub.
#[derive(Debug)]
pub(crate) struct Fences {
    raised: BTreeMap<CredentialId, Vec<Fence>>,
    count: usize,
    /// So many, and it is looked which are held no more: as often as they double.
    sweep_at: usize,
}

impl Fences {
    pub(crate) const fn new() -> Self {
        Self {
            raised: BTreeMap::new(),
            count: 0,
            sweep_at: SWEEP_AT_LEAST,
        }
    }

    /// A fence that falls with this credential.
    pub(crate) fn raise(&mut self, credential: &CredentialId) -> Fence {
        if self.count >= self.sweep_at {
            self.sweep();
        }
        let fence = Fence::new();
        let of_credential = self.raised.entry(credential.clone()).or_default();
        of_credential.push(fence.clone());
        self.count += 1;
        fence
    }

    /// What stands with this credential passes no more.
    pub(crate) fn fall(&mut self, credential: &CredentialId) {
        let fallen = self.raised.remove(credential).unwrap_or_default();
        self.count -= fallen.len();
        fallen.iter().for_each(Fence::fall);
    }

    fn sweep(&mut self) {
        self.raised.retain(|_, fences| {
            fences.retain(Fence::is_held);
            !fences.is_empty()
        });
        self.count = self.raised.values().map(Vec::len).sum();
        self.sweep_at = (2 * self.count).max(SWEEP_AT_LEAST);
    }
}

const SWEEP_AT_LEAST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(name: &str) -> CredentialId {
        CredentialId::parse(name).unwrap()
    }

    #[test]
    fn all_of_a_credential_fall_and_no_other() {
        let mut fences = Fences::new();
        let its = [(); 3].map(|()| fences.raise(&credential("a")));
        let other = fences.raise(&credential("b"));
        fences.fall(&credential("a"));
        assert!(its.iter().all(Fence::is_down) && !other.is_down());
        assert_eq!((fences.count, fences.raised.len()), (1, 1));
    }

    #[test]
    fn one_that_only_a_waiting_frame_is_under_falls_too() {
        let mut fences = Fences::new();
        let under = fences.raise(&credential("a")).clone();
        for _ in 0..2 * SWEEP_AT_LEAST {
            drop(fences.raise(&credential("a")));
        }
        fences.fall(&credential("a"));
        assert!(under.is_down());
    }

    #[test]
    fn those_that_nothing_is_under_are_forgotten() {
        let mut fences = Fences::new();
        for number in 0..10 * SWEEP_AT_LEAST {
            drop(fences.raise(&credential(&format!("login-{number}"))));
            assert!(fences.raised.len() <= SWEEP_AT_LEAST);
        }
    }
}
