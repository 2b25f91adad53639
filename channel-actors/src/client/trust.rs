//! What a person, or a rule, says to a Worker whose key or mode has changed.

use crypto::{Mode, Pin, PinVerdict};
use schema::ids::WorkerId;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct PinQuestion<'a> {
    /// Whose key.
    pub worker: &'a WorkerId,
    /// What differs.
    pub verdict: PinVerdict,
    /// What was pinned.
    pub pinned: Option<&'a Pin>,
    /// The key that the Hub offers now.
    pub offered_key: &'a [u8],
    /// The mode that the Hub offers now.
    pub offered_mode: Mode,
}

/// Decides about a changed key or a weaker mode. It is asked before anything is sent.
pub trait TrustDecision: Send + Sync {
    /// Whether to go on and pin what is offered.
    fn accepts(&self, question: &PinQuestion<'_>) -> bool;
}

/// Accepts no change. What a client uses unless it is told otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct RejectChanges;

impl TrustDecision for RejectChanges {
    fn accepts(&self, _: &PinQuestion<'_>) -> bool {
        false
    }
}
