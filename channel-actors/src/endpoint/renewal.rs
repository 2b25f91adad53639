//! New epochs of a channel that exists (docs/protocol.md, section 5): the client asks, the Worker
//! answers, and from there on neither uses anything of the base epoch.

use std::time::{Duration, Instant};

use crypto::{Identity, Renewal};
use rand_core::CryptoRng;
use schema::{
    frame::Outer,
    wire::{self, control, inner::Body},
};

use super::{
    Event,
    epoch::Epoch,
    gate::Phase,
    live::Endpoint,
    renewals::{Answer, RenewError},
};
use crate::{
    close::{self, CloseReason},
    refusal::RefusalReason,
    relay::Side,
};

impl Endpoint {
    /// Client: asks for new keys. On a live path that is a rekey; on a new one, after
    /// [`detach`](Self::detach), the channel is attached again. The Renew is the next message of
    /// [`poll_outgoing`](Self::poll_outgoing); nothing of the base epoch is used from now on. A
    /// Renew that waits for its answer is given up for this one.
    ///
    /// # Errors
    ///
    /// Nothing has changed then.
    pub fn renew<R: CryptoRng + ?Sized>(
        &mut self,
        rng: &mut R,
        now: Instant,
    ) -> Result<(), RenewError> {
        let renewals = match (self.closed(), &mut self.renewals) {
            (Some(_), _) => return Err(RenewError::Closed),
            (None, None) => return Err(RenewError::WrongEnd),
            (None, Some(renewals)) => renewals,
        };
        let epochs = self.epochs.as_ref().ok_or(RenewError::Closed)?;
        if !self.established {
            return Err(RenewError::NeverEstablished);
        }
        let received = self.receipts.received();
        let renew = renewals.begin(&self.parties, epochs.newest(), received, rng)?;
        self.receipts.told();
        self.path_stood = std::mem::replace(&mut self.path_stands, true);
        self.leave_epoch(now);
        self.ready.push_back(Outer::Control(renew));
        self.phase = Phase::Renewing {
            until: now + self.limits.renew_timeout,
        };
        Ok(())
    }

    /// Client: what speaks for its device in the claims to come.
    pub fn set_certificates(&mut self, certificates: Vec<wire::Signed>) {
        if let Some(renewals) = &mut self.renewals {
            renewals.certificates = certificates;
        }
    }

    /// Worker: answers a Renew. The answer goes back over the path by which the Renew came; that
    /// path is the channel's from now on. Frames wait for the claim of the new epoch.
    ///
    /// # Errors
    ///
    /// The reason to refuse with. Nothing has changed then.
    pub fn answer_renewal<R: CryptoRng + ?Sized>(
        &mut self,
        identity: &Identity,
        renew: &wire::Renew,
        rng: &mut R,
        now: Instant,
    ) -> Result<control::Body, RefusalReason> {
        if renew.channel_id != self.parties.channel.as_bytes().as_slice() {
            return Err(RefusalReason::Malformed);
        }
        if renew.worker_id != self.parties.worker.as_str() {
            return Err(RefusalReason::NotFound);
        }
        if self.side != Side::Worker || !self.established || renew.serial <= self.accepted_serial {
            return Err(RefusalReason::Stale);
        }
        let epochs = self.epochs.as_mut().ok_or(RefusalReason::Stale)?;
        let base = epochs.base(renew.base).ok_or(RefusalReason::Stale)?;
        let renewal = Renewal {
            mode: self.parties.mode,
            serial: renew.serial,
            base: renew.base,
            received: self.receipts.received(),
        };
        let answered =
            crypto::answer_renewal(&renewal, &base.keys.root, identity, &renew.noise, rng);
        let (keys, received, noise) = answered.map_err(|_| RefusalReason::Handshake)?;
        if !self.window.acknowledge(received) {
            return Err(RefusalReason::Malformed);
        }
        let (number, born) = (renewal.serial, now);
        epochs.propose(renewal.base, Epoch { number, born, keys });
        self.accepted_serial = number;
        self.path_stands = true;
        self.await_claim(now);
        Ok(control::Body::Renewed(wire::Renewed {
            channel_id: renew.channel_id.clone(),
            serial: number,
            noise: noise.into(),
        }))
    }

    fn await_claim(&mut self, now: Instant) {
        self.receipts.told();
        self.leave_epoch(now);
        self.window.rewind();
        self.phase = Phase::AwaitingClaim {
            until: now + self.limits.claim_timeout,
        };
    }

    /// Client: only the answer to the newest Renew counts, and only while it is waited for.
    pub(super) fn heed_renewed<R: CryptoRng + ?Sized>(
        &mut self,
        renewed: &wire::Renewed,
        rng: &mut R,
        now: Instant,
    ) {
        let Some(renewals) = &mut self.renewals else {
            return;
        };
        let (keys, received) = match renewals.finish(renewed) {
            Answer::Stale => return self.dropped.renewals += 1,
            Answer::Bad => return self.close(CloseReason::HandshakeFailed),
            Answer::Good(keys, received) => (keys, received),
        };
        let Ok(claim) = renewals.claim(&self.parties, keys.root.hash(), rng) else {
            return self.close(CloseReason::Internal);
        };
        renewals.due = Some(now + self.limits.key_renewal_age + jitter(rng));
        let (number, born) = (renewed.serial, now);
        if let Some(epochs) = &mut self.epochs {
            epochs.replace(Epoch { number, born, keys });
        }
        if !self.window.acknowledge(received) {
            return self.close(CloseReason::ProtocolError);
        }
        self.window.rewind();
        self.first = Some(Body::Claim(claim));
        self.phase = Phase::AwaitingAnswer {
            until: now + self.limits.answer_timeout,
        };
    }

    /// Client: the refusal of the newest Renew counts. Some reasons pass, and then the channel is
    /// as it is after a loss; with the others it is over.
    pub(super) fn heed_refused(&mut self, refused: &wire::Refused, now: Instant) {
        let awaited = self.renewals.as_ref().and_then(|it| it.awaited());
        if awaited.is_none() || awaited != Some(refused.serial) {
            self.dropped.renewals += 1;
            return;
        }
        self.path_stands = self.path_stood;
        let reason = RefusalReason::from_wire(refused.reason).unwrap_or(RefusalReason::Malformed);
        match consequence(reason) {
            None => {
                self.fall_back(now);
                let retry_after = Duration::from_millis(refused.retry_after_ms.into());
                self.events.push_back(Event::RenewalRefused {
                    reason,
                    retry_after,
                });
            }
            Some(consequence) => self.end_refused(consequence),
        }
    }

    /// A rekey that was refused for good leaves a channel on the way that nobody uses any more.
    fn end_refused(&mut self, reason: CloseReason) {
        if self.path_stands {
            let (channel, epoch) = (self.parties.channel, self.sent_under());
            let close = close::close(channel, epoch, CloseReason::ClosedByClient);
            self.ready.push_back(Outer::Control(close));
        }
        self.end(reason, None);
    }
}

/// Up to three minutes: clients that opened together do not renew together, and all do so within
/// the hour.
pub(super) fn jitter<R: CryptoRng + ?Sized>(rng: &mut R) -> Duration {
    Duration::from_millis(u64::from(rng.next_u32()) % RENEWAL_JITTER_MS)
}

const RENEWAL_JITTER_MS: u64 = 3 * 60 * 1_000;

/// What a refused renewal ends a channel with; none where the same may succeed later.
const fn consequence(reason: RefusalReason) -> Option<CloseReason> {
    match reason {
        RefusalReason::WorkerOffline
        | RefusalReason::Quota
        | RefusalReason::Busy
        | RefusalReason::Timeout
        | RefusalReason::Draining => None,
        // The Hub lets this user no more to this Worker.
        RefusalReason::NotFound | RefusalReason::Credential => Some(CloseReason::Revoked),
        RefusalReason::Handshake => Some(CloseReason::HandshakeFailed),
        // The Worker has the channel no more, or a later state of it.
        RefusalReason::Stale => Some(CloseReason::ClosedByWorker),
        RefusalReason::Duplicate | RefusalReason::Malformed => Some(CloseReason::ProtocolError),
    }
}
