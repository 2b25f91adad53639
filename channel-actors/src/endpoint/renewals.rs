//! The client's half of renewal: what its claims are made of, serials, and the one Renew that waits
//! for its answer. A serial is used once, whatever became of it; only the newest counts.

use std::{sync::Arc, time::Instant};

use crypto::{AwaitingRenewal, DeviceKey, Established, PublicKey, Renewal};
use rand_core::CryptoRng;
use schema::{
    ids::WorkspaceId,
    wire::{self, control},
};

use super::{claim::Statement, epoch::Epoch, live::Parties};

/// Kept by a client as long as its channel lives.
pub(super) struct Renewals {
    pub(super) worker_key: PublicKey,
    pub(super) device: Arc<DeviceKey>,
    pub(super) certificates: Vec<wire::Signed>,
    pub(super) workspaces: Vec<WorkspaceId>,
    /// The newest that was used.
    serial: u32,
    awaiting: Option<AwaitingRenewal>,
    /// When the keys of this epoch are to be renewed; none once that was said.
    pub(super) due: Option<Instant>,
}

/// What a Renewed is to this client.
pub(super) enum Answer {
    /// Not the answer that is waited for.
    Stale,
    /// The answer to the newest Renew, and it does not hold.
    Bad,
    /// The new epoch's keys, and how many counted frames the Worker has received.
    Good(Established, u64),
}

/// Why a renewal was not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// The channel is closed.
    #[error("the channel is closed")]
    Closed,
    /// Clients renew.
    #[error("this end of a channel cannot do that")]
    WrongEnd,
    /// No claim was accepted yet: such a channel is opened anew.
    #[error("the channel was never established")]
    NeverEstablished,
    /// All 2^32 - 1 serials are used up.
    #[error("the channel has been renewed too often")]
    Exhausted,
    /// The Worker's key cannot be used; the text is the crypto layer's.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

impl Renewals {
    pub(super) const fn new(
        worker_key: PublicKey,
        device: Arc<DeviceKey>,
        certificates: Vec<wire::Signed>,
        workspaces: Vec<WorkspaceId>,
    ) -> Self {
        Self {
            worker_key,
            device,
            certificates,
            workspaces,
            serial: 0,
            awaiting: None,
            due: None,
        }
    }

    /// A new Renew, based on `base`. `received`: counted frames opened since the channel opened.
    pub(super) fn begin<R: CryptoRng + ?Sized>(
        &mut self,
        parties: &Parties,
        base: &Epoch,
        received: u64,
        rng: &mut R,
    ) -> Result<control::Body, RenewError> {
        self.awaiting = None;
        let serial = self.serial.checked_add(1).ok_or(RenewError::Exhausted)?;
        let renewal = Renewal {
            mode: parties.mode,
            serial,
            base: base.number,
            received,
        };
        let (awaiting, noise) = crypto::renew(&renewal, &base.keys.root, &self.worker_key, rng)?;
        self.serial = serial;
        self.awaiting = Some(awaiting);
        Ok(control::Body::Renew(wire::Renew {
            channel_id: parties.channel.as_bytes().to_vec().into(),
            worker_id: parties.worker.as_str().to_owned(),
            serial,
            base: renewal.base,
            noise: noise.into(),
        }))
    }

    /// The newest serial that was used.
    pub(super) const fn serial(&self) -> u32 {
        self.serial
    }

    /// The serial of the Renew that waits for its answer.
    pub(super) fn awaited(&self) -> Option<u32> {
        self.awaiting.as_ref().map(|_| self.serial)
    }

    /// Reads an answer. Whatever it is, the newest is waited for no more.
    pub(super) fn finish(&mut self, renewed: &wire::Renewed) -> Answer {
        if self.awaited() != Some(renewed.serial) {
            return Answer::Stale;
        }
        match self.awaiting.take().map(|it| it.finish(&renewed.noise)) {
            None => Answer::Stale,
            Some(Err(_)) => Answer::Bad,
            Some(Ok((established, received))) => Answer::Good(established, received),
        }
    }

    /// Waits no more; the ephemeral secrets are wiped.
    pub(super) fn give_up(&mut self) {
        self.awaiting = None;
    }

    /// The claim for the epoch whose final hash is `hash`.
    pub(super) fn claim<R: CryptoRng + ?Sized>(
        &self,
        parties: &Parties,
        hash: &[u8; 64],
        rng: &mut R,
    ) -> Result<wire::Claim, crypto::Error> {
        let statement = Statement {
            mode: parties.mode,
            hash,
            worker: &parties.worker,
            user: &parties.user,
            workspaces: &self.workspaces,
            certificates: self.certificates.clone(),
        };
        statement.sign(&self.device, rng)
    }
}
