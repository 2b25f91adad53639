//! Who decides what becomes of an open: whoever comes first, the Registry or the one who waits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// One decision. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Decides; `false` when the other one had already.
    pub(crate) fn settle(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_decides() {
        let claim = Claim::default();
        let other = claim.clone();
        assert!(other.settle());
        assert!(!claim.settle() && !other.settle());
    }
}
