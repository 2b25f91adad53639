//! Whether a channel has a path, and what the time does to it.

use std::time::Instant;

use super::{Event, gate::Phase, live::Endpoint};
use crate::close::CloseReason;

/// What came too late to be judged: of an epoch, or a path, that is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Frames.
    pub frames: u64,
    /// Closes.
    pub closes: u64,
    /// Answers to renewals that are not waited for.
    pub renewals: u64,
}

impl Endpoint {
    /// The path is gone. A channel whose claim was never accepted ends with it; any other waits,
    /// seals nothing, and may be attached again: [`renew`](Self::renew),
    /// [`answer_renewal`](Self::answer_renewal).
    pub fn detach(&mut self, now: Instant) {
        self.ready.clear();
        self.path_stands = false;
        if self.closed().is_some() || self.is_detached() {
            return;
        }
        if !self.established {
            return self.end(CloseReason::ConnectionLost, None);
        }
        self.fall_back(now);
        self.events.push_back(Event::Detached);
    }

    /// Whether it has no path.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.phase == Phase::Detached
    }

    /// What came late.
    #[must_use]
    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// When [`expire`](Self::expire) wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.closed().is_some() {
            return None;
        }
        let acknowledge = self.receipts.deadline().filter(|_| self.phase.may_send());
        let times = [
            self.phase.deadline(),
            self.detached_until,
            self.chunk_deadline(),
            acknowledge,
            self.renewal_due(),
            self.expiry(),
        ];
        times.into_iter().flatten().min()
    }

    /// Time has passed. Acknowledgements that became due come out of `poll_outgoing`.
    pub fn expire(&mut self, now: Instant) {
        let is_over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        if self.closed().is_some() {
            return;
        }
        if self.phase.may_send() {
            self.receipts.expire(now);
        }
        if is_over(self.detached_until) {
            self.close(CloseReason::DetachedTooLong);
        } else if is_over(self.expiry()) {
            self.close(CloseReason::KeyExpired);
        } else if is_over(self.chunk_deadline()) {
            self.close(CloseReason::ChunkTimeout);
        } else if is_over(self.phase.deadline()) {
            self.overdue(now);
        } else if is_over(self.renewal_due()) {
            self.want_renewal();
        }
    }

    /// Nothing more comes or goes in this epoch, and nothing can go on until a claim is accepted in
    /// another one.
    pub(super) fn leave_epoch(&mut self, now: Instant) {
        self.ready.clear();
        self.first = None;
        self.held.clear();
        self.echo.lost();
        self.stands_still.get_or_insert(now);
    }

    /// As after a loss.
    pub(super) fn fall_back(&mut self, now: Instant) {
        self.leave_epoch(now);
        if let Some(renewals) = &mut self.renewals {
            renewals.give_up();
        }
        self.phase = Phase::Detached;
        self.detached_until
            .get_or_insert(now + self.limits.detached_max);
    }

    /// A claim was accepted: the clocks go on.
    pub(super) fn attach(&mut self, now: Instant) {
        if let Some(since) = self.stands_still.take() {
            self.tally.forgive(now.saturating_duration_since(since));
        }
        self.phase = Phase::Open;
        self.established = true;
        self.claimed = now;
        self.detached_until = None;
    }

    pub(super) fn want_renewal(&mut self) {
        let due = self.renewals.as_mut().and_then(|it| it.due.take());
        if due.is_some() {
            self.events.push_back(Event::RenewalDue);
        }
    }

    /// Client: after frames were sealed or opened, on a live path.
    pub(super) fn renew_when_tired(&mut self) {
        let tired = |epochs: &super::epoch::Epochs| epochs.newest().is_tired();
        if self.phase == Phase::Open && self.epochs.as_ref().is_some_and(tired) {
            self.want_renewal();
        }
    }

    /// An answer was due. In the first epoch the channel ends, later only the path counts as lost.
    fn overdue(&mut self, now: Instant) {
        if self.established {
            self.fall_back(now);
            self.events.push_back(Event::Detached);
        } else {
            self.close(CloseReason::ClaimTimeout);
        }
    }

    /// When the keys, or the claim, are too old: whichever is older counts.
    fn expiry(&self) -> Option<Instant> {
        let born = self.epochs.as_ref()?.born();
        Some(born.min(self.claimed) + self.limits.key_age)
    }

    fn renewal_due(&self) -> Option<Instant> {
        let live = self.phase == Phase::Open;
        self.renewals.as_ref()?.due.filter(|_| live)
    }

    fn chunk_deadline(&self) -> Option<Instant> {
        let goes_on = self.stands_still.is_none();
        self.tally.deadline().filter(|_| goes_on)
    }
}
