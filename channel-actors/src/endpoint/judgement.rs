//! Claims as they come in and are answered, in the first epoch and in those that follow.

use std::time::Instant;

use bytes::Bytes;
use schema::{
    frame::Frame,
    wire::{self, inner::Body},
};

use super::{
    Event, Failure,
    access::{Access, Roles},
    arrivals::{BREACH, Heeded, decode},
    claim::{self, Expected},
    gate::{Phase, Shut},
    live::Endpoint,
};
use crate::{close::CloseReason, tally::Place};

impl Endpoint {
    /// Worker: the device of the claim of this epoch is trusted. `cap` is what certificates grant
    /// at most. It changes nothing when a newer epoch has begun meanwhile.
    pub fn accept_claim(&mut self, epoch: u32, cap: Option<Roles>, now: Instant) {
        if !self.is_judging(epoch) {
            return;
        }
        if let Some(epochs) = &mut self.epochs {
            epochs.promote();
        }
        self.access.claim(std::mem::take(&mut self.asked));
        self.access.sign(cap);
        let workspaces = self.access.effective();
        let accepted = wire::ClaimAccepted {
            workspaces: workspaces.clone(),
        };
        self.first = Some(Body::ClaimAccepted(accepted));
        self.tell_attached(workspaces);
        self.attach(now);
        for frame in std::mem::take(&mut self.held) {
            self.receive(frame, now);
        }
    }

    /// Worker: the device of the claim of this epoch is not trusted. `fingerprint` is the one of
    /// its key.
    pub fn reject_device(&mut self, epoch: u32, fingerprint: &str) {
        if self.is_judging(epoch) {
            self.fail(&Failure::DeviceNotTrusted {
                fingerprint: fingerprint.to_owned(),
            });
        }
    }

    pub(super) fn expect_claim(&mut self, place: Place, plaintext: Bytes, now: Instant) -> Heeded {
        let not_verified = || Shut::Fail(Failure::UserIdNotVerified);
        let Some(Body::Claim(claim)) = decode(plaintext).filter(|_| place == Place::Whole) else {
            return Err(not_verified());
        };
        let newest = self.epochs.as_ref().ok_or(BREACH)?.newest();
        let epoch = newest.number;
        let expected = Expected {
            mode: self.parties.mode,
            hash: newest.keys.root.hash(),
            worker: &self.parties.worker,
            user: &self.parties.user,
            certificates: self.limits.certificates,
            delegated: self.parties.delegated,
        };
        let (device, workspaces) = claim::check(claim, &expected).map_err(Shut::Fail)?;
        self.asked = workspaces;
        self.phase = Phase::Judging {
            until: now + self.limits.claim_timeout,
        };
        self.events.push_back(Event::Claimed { epoch, device });
        Ok(())
    }

    /// Keeps a frame that came behind a claim which is being looked at.
    pub(super) fn hold_back(&mut self, frame: Frame) -> Heeded {
        let held: usize = self.held.iter().map(|frame| frame.ciphertext().len()).sum();
        let full = self.held.len() >= self.limits.queue_frames
            || held + frame.ciphertext().len() > 2 * self.limits.window_bytes;
        if full {
            return Err(Shut::Close(CloseReason::TooSlow));
        }
        self.held.push_back(frame);
        Ok(())
    }

    pub(super) fn heed_acceptance(&mut self, accepted: wire::ClaimAccepted, now: Instant) {
        let workspaces = accepted.workspaces;
        self.access = Access::announced(&workspaces);
        self.tell_attached(workspaces);
        self.attach(now);
        self.renew_when_tired();
    }

    fn tell_attached(&mut self, workspaces: Vec<wire::WorkspaceAccess>) {
        self.events.push_back(if self.established {
            Event::Attached
        } else {
            Event::Established { workspaces }
        });
    }

    fn is_judging(&self, epoch: u32) -> bool {
        let judging = matches!(self.phase, Phase::Judging { .. });
        judging && self.closed().is_none() && epoch == self.epoch()
    }
}
