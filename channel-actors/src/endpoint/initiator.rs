//! The client's half of an open: message 1 out, message 2 in, the claim queued as frame 0.

use std::{sync::Arc, time::Instant};

use crypto::{AwaitingReply, DeviceKey, Mode, Prologue, PublicKey};
use rand_core::CryptoRng;
use schema::{
    ids::{ChannelId, UserId, WorkerId, WorkspaceId},
    wire::{self, control, inner},
};

use super::{
    access::Access,
    gate::Phase,
    live::{Endpoint, Parties, Start},
    renewal::jitter,
    renewals::Renewals,
};
use crate::{
    limits::{Limits, MESSAGE_BYTES},
    relay::Side,
};

/// What a client opens a channel with. Pins were compared before.
pub struct OpenParts<'a> {
    /// The Worker's live mode.
    pub mode: Mode,
    /// Its composite key, as pinned or accepted.
    pub worker_key: &'a PublicKey,
    /// 16 fresh random bytes.
    pub channel: ChannelId,
    /// The Worker.
    pub worker: WorkerId,
    /// The user who is signed in at the Hub.
    pub user: UserId,
    /// This client's own key.
    pub device: Arc<DeviceKey>,
    /// What speaks for it.
    pub certificates: Vec<wire::Signed>,
    /// What to use; nothing = all that is granted.
    pub workspaces: Vec<WorkspaceId>,
    /// The numbers.
    pub limits: Arc<Limits>,
}

/// Why an open did not become a channel. Everything of it is wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The handshake did not hold; the text is the crypto layer's.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// The answer is for another channel.
    #[error("the answer is for another channel")]
    OtherChannel,
}

/// An open that waits for its answer.
pub struct Initiator {
    awaiting: AwaitingReply,
    parties: Parties,
    renewals: Box<Renewals>,
    limits: Arc<Limits>,
    until: Instant,
}

impl Initiator {
    /// Begins. The control message goes to the Hub.
    ///
    /// # Errors
    ///
    /// A key or an id that cannot be used.
    pub fn open<R: CryptoRng + ?Sized>(
        parts: OpenParts<'_>,
        rng: &mut R,
        now: Instant,
    ) -> Result<(Self, control::Body), OpenError> {
        let OpenParts {
            mode,
            channel,
            worker,
            user,
            limits,
            ..
        } = parts;
        let prologue = Prologue::new(mode, channel.as_bytes(), worker.as_str(), user.as_str())?;
        let (awaiting, noise) = crypto::initiate(mode, &prologue, parts.worker_key, rng)?;
        let open = control::Body::Open(wire::Open {
            channel_id: channel.as_bytes().to_vec().into(),
            worker_id: worker.as_str().to_owned(),
            noise: noise.into(),
            workspaces: parts.workspaces.iter().map(ToString::to_string).collect(),
            max_message_bytes: announced(&limits),
        });
        let initiator = Self {
            awaiting,
            parties: Parties {
                channel,
                worker,
                user,
                mode,
                delegated: false,
            },
            renewals: Box::new(Renewals::new(
                parts.worker_key.clone(),
                parts.device,
                parts.certificates,
                parts.workspaces,
            )),
            until: now + limits.client_open_timeout,
            limits,
        };
        Ok((initiator, open))
    }

    /// The channel it opens.
    #[must_use]
    pub const fn channel(&self) -> ChannelId {
        self.parties.channel
    }

    /// When to give up waiting for the answer: drop it then.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.until
    }

    /// The answer came. The endpoint's first frame is the claim.
    ///
    /// # Errors
    ///
    /// The seal or the signature of message 2 does not hold.
    pub fn opened<R: CryptoRng + ?Sized>(
        self,
        opened: &wire::Opened,
        rng: &mut R,
        now: Instant,
    ) -> Result<Endpoint, OpenError> {
        if opened.channel_id != self.parties.channel.as_bytes().as_slice() {
            return Err(OpenError::OtherChannel);
        }
        let established = self.awaiting.finish(&opened.noise)?;
        let mut renewals = self.renewals;
        let claim = renewals.claim(&self.parties, established.root.hash(), rng)?;
        renewals.due = Some(now + self.limits.key_renewal_age + jitter(rng));
        Ok(Endpoint::new(Start {
            parties: self.parties,
            side: Side::Client,
            message_bytes: self.limits.message_bytes_with(opened.max_message_bytes),
            phase: Phase::AwaitingAnswer {
                until: now + self.limits.answer_timeout,
            },
            limits: self.limits,
            established,
            access: Access::default(),
            first: Some(inner::Body::Claim(claim)),
            renewals: Some(renewals),
            now,
        }))
    }
}

/// What an end announces as its limit of a message: 0 when it is the protocol's.
pub(super) fn announced(limits: &Limits) -> u32 {
    if limits.message_bytes >= MESSAGE_BYTES {
        return 0;
    }
    u32::try_from(limits.message_bytes).unwrap_or_default()
}
