//! The statement of who the client is: `UserIdClaim`, signed by the device's key over the hash of
//! the handshake, so that it fits no other channel, Worker or epoch (docs/protocol.md, section 4).

use bytes::Bytes;
use crypto::{Algorithm, DeviceKey, Label, Mode, SignedParts, claim_context};
use prost::Message as _;
use rand_core::CryptoRng;
use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire,
};

use super::Failure;

/// The device behind a claim whose signature and user id hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedDevice {
    /// The user that the Hub announced and the device claimed.
    pub user: UserId,
    /// The mode of the channel: it decides which signatures count.
    pub mode: Mode,
    /// 1 or 2, by the mode.
    pub algorithm: u8,
    /// The device's public key.
    pub key: Bytes,
    /// What speaks for the key. Not checked yet.
    pub certificates: Vec<wire::Signed>,
    /// The channel stands with a delegation: only the key of a program that the Worker started
    /// may claim it.
    pub delegated: bool,
}

/// What a claim is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The channel's mode.
    pub mode: Mode,
    /// h of the epoch.
    pub hash: &'a [u8; 64],
    /// This Worker.
    pub worker: &'a WorkerId,
    /// Whom the Hub announced.
    pub user: &'a UserId,
    /// Most certificates that may come along.
    pub certificates: usize,
    /// Whether the Hub announced a delegation.
    pub delegated: bool,
}

/// What a client says of itself.
pub struct Statement<'a> {
    /// The channel's mode.
    pub mode: Mode,
    /// h of the epoch.
    pub hash: &'a [u8; 64],
    /// The Worker it speaks to.
    pub worker: &'a WorkerId,
    /// Its user.
    pub user: &'a UserId,
    /// What it wants to use; nothing = all.
    pub workspaces: &'a [WorkspaceId],
    /// What speaks for its key.
    pub certificates: Vec<wire::Signed>,
}

impl Statement<'_> {
    /// The signed claim.
    ///
    /// # Errors
    ///
    /// As the signature's: an id that is too long to be signed.
    pub fn sign<R: CryptoRng + ?Sized>(
        self,
        device: &DeviceKey,
        rng: &mut R,
    ) -> Result<wire::Claim, crypto::Error> {
        let body = wire::UserIdClaim {
            user_id: self.user.as_str().to_owned(),
            workspaces: self
                .workspaces
                .iter()
                .map(|id| id.as_str().to_owned())
                .collect(),
        };
        let context = claim_context(self.hash, self.worker.as_str());
        let signed = device.sign(self.mode, Label::Claim, &context, body.encode_to_vec(), rng)?;
        Ok(wire::Claim {
            signed: Some(to_wire(signed)),
            certificates: self.certificates,
        })
    }
}

/// Checks signature, form and user id. Whether the device is trusted is another question.
///
/// # Errors
///
/// The failure to answer with.
pub fn check(
    claim: wire::Claim,
    expected: &Expected<'_>,
) -> Result<(ClaimedDevice, Vec<WorkspaceId>), Failure> {
    let signed = claim.signed.ok_or(Failure::ClaimInvalid)?;
    if claim.certificates.len() > expected.certificates {
        return Err(Failure::ClaimInvalid);
    }
    let context = claim_context(expected.hash, expected.worker.as_str());
    let body =
        verified(expected.mode, Label::Claim, &context, &signed).ok_or(Failure::ClaimInvalid)?;
    let stated = wire::UserIdClaim::decode(body).map_err(|_| Failure::ClaimInvalid)?;
    if stated.user_id != expected.user.as_str() {
        return Err(Failure::UserIdMismatch);
    }
    let workspaces = stated.workspaces.iter().map(|id| WorkspaceId::parse(id));
    let workspaces = workspaces
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::ClaimInvalid)?;
    let device = ClaimedDevice {
        user: expected.user.clone(),
        mode: expected.mode,
        algorithm: Algorithm::for_mode(expected.mode).byte(),
        key: signed.key,
        certificates: claim.certificates,
        delegated: expected.delegated,
    };
    Ok((device, workspaces))
}

/// The body of a statement whose signature holds. Verified first, parsed after.
pub(super) fn verified(
    mode: Mode,
    label: Label,
    context: &[u8],
    signed: &wire::Signed,
) -> Option<Bytes> {
    let parts = SignedParts {
        algorithm: u8::try_from(signed.algorithm).ok()?,
        key: signed.key.to_vec(),
        body: signed.body.to_vec(),
        signature: signed.signature.to_vec(),
    };
    crypto::verify(mode, label, context, &parts).ok()?;
    Some(signed.body.clone())
}

/// A signed statement as it travels.
#[must_use]
pub fn to_wire(parts: SignedParts) -> wire::Signed {
    wire::Signed {
        algorithm: parts.algorithm.into(),
        key: parts.key.into(),
        body: parts.body.into(),
        signature: parts.signature.into(),
    }
}
