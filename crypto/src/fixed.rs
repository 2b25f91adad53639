//! The same exchanges with everything random, and every payload, given by the caller.
//!
//! For test vectors and auditors: published Noise vectors carry payloads and any prologue, ours
//! fix the ephemeral keys. Reusing randomness on a real channel gives its keys away.

use zeroize::Zeroizing;

use crate::{
    Accepted, AwaitingRenewal, AwaitingReply, DeviceKey, Error, Established, Identity, Label, Mode,
    Prologue, PublicKey, Renewal, Root, SignedParts, hash, renewal,
};

pub use crate::exchange::{ClientRandomness, WorkerRandomness};

/// A prologue of any bytes.
#[must_use]
pub fn prologue(mode: Mode, bytes: &[u8]) -> Prologue {
    Prologue::verbatim(mode, bytes)
}

/// A root of any hash and renewal secret, 64 bytes each.
#[must_use]
pub fn root(hash: &[u8; hash::LEN], renewal_secret: &[u8; hash::LEN]) -> Root {
    Root::new(hash, renewal_secret)
}

/// The renewal secret of a root, to be written into a vector.
#[must_use]
pub fn renewal_secret(root: &Root) -> Zeroizing<[u8; hash::LEN]> {
    Zeroizing::new(*root.renewal_secret())
}

/// [`initiate`](crate::initiate) with a payload in message 1.
///
/// # Errors
///
/// As [`initiate`](crate::initiate).
pub fn initiate(
    mode: Mode,
    prologue: &Prologue,
    worker: &PublicKey,
    random: &ClientRandomness,
    payload: &[u8],
) -> Result<(AwaitingReply, Vec<u8>), Error> {
    AwaitingReply::begin(mode, prologue, worker, random, payload)
}

/// [`accept`](crate::accept) of a message 1 with a payload.
///
/// # Errors
///
/// As [`accept`](crate::accept).
pub fn accept(
    identity: &Identity,
    mode: Mode,
    prologue: &Prologue,
    message_1: &[u8],
) -> Result<(Accepted, Zeroizing<Vec<u8>>), Error> {
    Accepted::read(identity, mode, prologue, message_1)
}

/// [`Accepted::reply`] with a payload in message 2; in post-quantum mode the signature stands in
/// its place.
///
/// # Errors
///
/// As [`Accepted::reply`].
pub fn reply(
    accepted: Accepted,
    identity: &Identity,
    random: &WorkerRandomness,
    payload: &[u8],
) -> Result<(Established, Vec<u8>), Error> {
    accepted.write(identity, random, payload)
}

/// [`AwaitingReply::finish`] with the payload of message 2, in post-quantum mode the signature.
///
/// # Errors
///
/// As [`AwaitingReply::finish`].
pub fn finish(
    awaiting: AwaitingReply,
    message_2: &[u8],
) -> Result<(Established, Zeroizing<Vec<u8>>), Error> {
    awaiting.read(message_2)
}

/// [`renew`](crate::renew).
///
/// # Errors
///
/// As [`renew`](crate::renew).
pub fn renew(
    renewal: &Renewal,
    root: &Root,
    worker: &PublicKey,
    random: &ClientRandomness,
) -> Result<(AwaitingRenewal, Vec<u8>), Error> {
    AwaitingRenewal::begin(renewal, root, worker, random)
}

/// [`answer_renewal`](crate::answer_renewal).
///
/// # Errors
///
/// As [`answer_renewal`](crate::answer_renewal).
pub fn answer_renewal(
    renewal: &Renewal,
    root: &Root,
    identity: &Identity,
    noise: &[u8],
    random: &WorkerRandomness,
) -> Result<(Established, u64, Vec<u8>), Error> {
    renewal::answer(renewal, root, identity, noise, random)
}

/// [`DeviceKey::sign`].
///
/// # Errors
///
/// As [`DeviceKey::sign`].
pub fn sign(
    device: &DeviceKey,
    mode: Mode,
    label: Label,
    context: &[u8],
    body: Vec<u8>,
    randomness: &[u8; 32],
) -> Result<SignedParts, Error> {
    device.sign_with(mode, label, context, body, randomness)
}

/// [`Identity::sign_rotation`].
///
/// # Errors
///
/// As [`Identity::sign_rotation`].
pub fn sign_rotation(
    identity: &Identity,
    worker_id: &str,
    body: Vec<u8>,
    randomness: &[u8; 32],
) -> Result<SignedParts, Error> {
    identity.sign_rotation_with(worker_id, body, randomness)
}
