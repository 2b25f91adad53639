//! The Worker's half of an open: a cheap look at message 1, a signature elsewhere, message 2.
//!
//! Signing takes a fifth of a second in the post-quantum mode. So it is a value of its own that a
//! pool of threads runs, and comes back as an input.

use std::{sync::Arc, time::Instant};

use crypto::{Accepted, Established, Identity, Mode, Prologue};
use rand_core::CryptoRng;
use schema::{
    ids::{ChannelId, UserId, WorkerId},
    wire::{self, control},
};

use super::{
    access::Access,
    gate::Phase,
    initiator::announced,
    live::{Endpoint, Parties, Start},
};
use crate::{limits::Limits, refusal::RefusalReason, relay::Side};

/// What a Worker accepts a channel with. [`Admission`](super::admission::Admission) was asked
/// before.
pub struct AcceptParts<'a> {
    /// This Worker's keys.
    pub identity: &'a Identity,
    /// Its live mode.
    pub mode: Mode,
    /// This Worker.
    pub worker: WorkerId,
    /// What the Hub announced.
    pub incoming: &'a wire::Incoming,
    /// The numbers.
    pub limits: Arc<Limits>,
}

/// An open that waits for its signature.
pub struct Responder {
    parties: Parties,
    access: Access,
    message_bytes: usize,
    limits: Arc<Limits>,
}

/// The expensive half of a handshake. It needs nothing but the identity.
pub struct SigningJob {
    accepted: Accepted,
}

/// What a signing job gives back.
pub struct SignedReply {
    established: Established,
    message_2: Vec<u8>,
}

impl Responder {
    /// Reads message 1. What was altered, or made for another Worker, mode, channel or user, ends
    /// here, before anything expensive.
    ///
    /// # Errors
    ///
    /// The reason to refuse with.
    pub fn accept(parts: AcceptParts<'_>) -> Result<(Self, SigningJob), RefusalReason> {
        let AcceptParts {
            identity,
            mode,
            worker,
            incoming,
            limits,
        } = parts;
        let malformed = |_| RefusalReason::Malformed;
        let channel = ChannelId::try_from(&*incoming.channel_id).map_err(malformed)?;
        let user = UserId::parse(&incoming.user_id).map_err(malformed)?;
        let handshake = |_| RefusalReason::Handshake;
        let prologue = Prologue::new(mode, channel.as_bytes(), worker.as_str(), user.as_str())
            .map_err(handshake)?;
        let accepted =
            crypto::accept(identity, mode, &prologue, &incoming.noise).map_err(handshake)?;
        let responder = Self {
            parties: Parties {
                channel,
                worker,
                user,
                mode,
                delegated: incoming.delegated,
            },
            access: Access::announced(&incoming.workspaces),
            message_bytes: limits.message_bytes_with(incoming.max_message_bytes),
            limits,
        };
        Ok((responder, SigningJob { accepted }))
    }

    /// The channel it answers.
    #[must_use]
    pub const fn channel(&self) -> ChannelId {
        self.parties.channel
    }

    /// The signature is there. The control message goes to the Hub; the endpoint waits for the
    /// claim from now on.
    #[must_use]
    pub fn reply(self, signed: SignedReply, now: Instant) -> (Endpoint, control::Body) {
        let opened = control::Body::Opened(wire::Opened {
            channel_id: self.parties.channel.as_bytes().to_vec().into(),
            noise: signed.message_2.into(),
            max_message_bytes: announced(&self.limits),
        });
        let endpoint = Endpoint::new(Start {
            parties: self.parties,
            side: Side::Worker,
            message_bytes: self.message_bytes,
            phase: Phase::AwaitingClaim {
                until: now + self.limits.claim_timeout,
            },
            limits: self.limits,
            established: signed.established,
            access: self.access,
            first: None,
            renewals: None,
            now,
        });
        (endpoint, opened)
    }

    /// The Hub announced other access while the signature was made.
    pub fn change_access(&mut self, workspaces: &[wire::WorkspaceAccess]) {
        self.access.announce(workspaces);
    }
}

impl SigningJob {
    /// Makes message 2. Some 0.2 s in the post-quantum mode: never on a thread that serves others.
    ///
    /// # Errors
    ///
    /// The reason to refuse with.
    pub fn run<R: CryptoRng + ?Sized>(
        self,
        identity: &Identity,
        rng: &mut R,
    ) -> Result<SignedReply, RefusalReason> {
        let reply = self.accepted.reply(identity, rng);
        let (established, message_2) = reply.map_err(|_| RefusalReason::Handshake)?;
        Ok(SignedReply {
            established,
            message_2,
        })
    }
}
