//! Statements that devices and Workers sign, and how they are verified.
//!
//! What is signed is signed as sent: nobody encodes a body again, and a body is parsed only after
//! its signature was verified (`docs/protocol.md#claim`).

use std::fmt;

use ed25519_dalek::{Signature as EdSignature, VerifyingKey as EdKey};
use ml_dsa::{MlDsa65, Signature as DsaSignature, VerifyingKey as DsaKey};
use rand_core::CryptoRng;

use crate::{Error, Identity, Mode, hash, slh, wire};

/// How a statement is signed; the byte is part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// A device in classic mode. Key 32 bytes, signature 64.
    Ed25519 = 1,
    /// A device in post-quantum mode: both sign, both must verify. Key 1,984, signature 3,373.
    Ed25519MlDsa65 = 2,
    /// A Worker's old SLH-DSA key, for a rotation. Key 64, signature 49,856.
    SlhDsa = 3,
}

/// What a statement is for, so that none fits another purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// A user claims a channel. Context: [`claim_context`].
    Claim,
    /// A trusted device introduces another. Context: the user id.
    Device,
    /// An owner lets another user in. Context: the Worker id.
    Grant,
    /// A Worker changes its keys. Context: the Worker id.
    Rotation,
}

/// A signed statement as it travels; the fields of the protobuf message `Signed`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedParts {
    /// The [`Algorithm`]'s byte; not yet known to be one.
    pub algorithm: u8,
    /// The public key of the signer.
    pub key: Vec<u8>,
    /// The statement, protobuf bytes.
    pub body: Vec<u8>,
    /// The signature, or both signatures one after the other.
    pub signature: Vec<u8>,
}

impl Algorithm {
    /// The algorithm that devices use in this mode; the other mode's is refused in it.
    #[must_use]
    pub const fn for_mode(mode: Mode) -> Self {
        match mode {
            Mode::Classic => Self::Ed25519,
            Mode::PostQuantum => Self::Ed25519MlDsa65,
        }
    }

    /// The algorithm of a byte on the wire, if there is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Ed25519),
            2 => Some(Self::Ed25519MlDsa65),
            3 => Some(Self::SlhDsa),
            _ => None,
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Ed25519MlDsa65 => 2,
            Self::SlhDsa => 3,
        }
    }

    /// Length of a public key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Ed25519 => ED25519_KEY_LEN,
            Self::Ed25519MlDsa65 => ED25519_KEY_LEN + ML_DSA_KEY_LEN,
            Self::SlhDsa => slh::KEY_LEN,
        }
    }

    /// Length of a signature in bytes.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Ed25519 => ED25519_SIGNATURE_LEN,
            Self::Ed25519MlDsa65 => ED25519_SIGNATURE_LEN + ML_DSA_SIGNATURE_LEN,
            Self::SlhDsa => slh::SIGNATURE_LEN,
        }
    }
}

impl Label {
    /// The text that is signed with the statement.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "leapmux user claim v1",
            Self::Device => "leapmux device v1",
            Self::Grant => "leapmux grant v1",
            Self::Rotation => "leapmux rotation v1",
        }
    }

    /// The one algorithm that may sign this in `mode`.
    ///
    /// A rotation is signed by the post-quantum half alone, so classic mode has none.
    fn algorithm(self, mode: Mode) -> Result<Algorithm, Error> {
        match (self, mode) {
            (Self::Rotation, Mode::PostQuantum) => Ok(Algorithm::SlhDsa),
            (Self::Rotation, Mode::Classic) => Err(Error::Mode),
            (Self::Claim | Self::Device | Self::Grant, mode) => Ok(Algorithm::for_mode(mode)),
        }
    }
}

impl fmt::Debug for SignedParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedParts")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The context of a claim: final hash of the handshake or renewal, then the Worker's id. So a
/// claim fits no other channel, Worker or epoch.
#[must_use]
pub fn claim_context(hash: &[u8; hash::LEN], worker_id: &str) -> Vec<u8> {
    [hash, worker_id.as_bytes()].concat()
}

/// Verifies a statement. Call it before parsing the body.
///
/// Says only that the holder of `parts.key` signed this; whether that key is trusted is the
/// caller's question.
///
/// # Errors
///
/// [`Error::Mode`] if the algorithm is not this label's in this mode, [`Error::Signature`] for
/// anything else that is wrong.
pub fn verify(mode: Mode, label: Label, context: &[u8], parts: &SignedParts) -> Result<(), Error> {
    let algorithm = label.algorithm(mode)?;
    if parts.algorithm != algorithm.byte() {
        return Err(Error::Mode);
    }
    let covered = covered(label, algorithm, context, &parts.key, &parts.body)
        .map_err(|_| Error::Signature)?;
    let genuine = match algorithm {
        Algorithm::Ed25519 => ed25519_verifies(&parts.key, &covered, &parts.signature),
        Algorithm::Ed25519MlDsa65 => both_verify(label, &parts.key, &covered, &parts.signature),
        Algorithm::SlhDsa => slh_verifies(label, &parts.key, &covered, &parts.signature),
    };
    if genuine {
        Ok(())
    } else {
        Err(Error::Signature)
    }
}

/// What a signature covers: LP(label), algorithm, LP(context), LP(key), LP(body).
pub(crate) fn covered(
    label: Label,
    algorithm: Algorithm,
    context: &[u8],
    key: &[u8],
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    wire::put_lp(&mut out, label.as_str().as_bytes())?;
    out.push(algorithm.byte());
    wire::put_lp(&mut out, context)?;
    wire::put_lp(&mut out, key)?;
    wire::put_lp(&mut out, body)?;
    Ok(out)
}

impl Identity {
    /// Signs `body`, the successor of this identity, with this identity's SLH-DSA key.
    ///
    /// # Errors
    ///
    /// [`Error::Identifier`] for a bad id, [`Error::Field`] for an empty or overlong body.
    pub fn sign_rotation<R: CryptoRng + ?Sized>(
        &self,
        worker_id: &str,
        body: Vec<u8>,
        rng: &mut R,
    ) -> Result<SignedParts, Error> {
        let mut randomness = [0; slh::N];
        rng.fill_bytes(&mut randomness);
        self.sign_rotation_with(worker_id, body, &randomness)
    }

    pub(crate) fn sign_rotation_with(
        &self,
        worker_id: &str,
        body: Vec<u8>,
        randomness: &[u8; slh::N],
    ) -> Result<SignedParts, Error> {
        let (label, algorithm) = (Label::Rotation, Algorithm::SlhDsa);
        let key = self.public().slh().to_vec();
        let covered = covered(label, algorithm, wire::id(worker_id)?, &key, &body)?;
        let context = label.as_str().as_bytes();
        let signature = self.slh().sign(context, &covered, Some(randomness))?;
        Ok(SignedParts {
            algorithm: algorithm.byte(),
            key,
            body,
            signature,
        })
    }
}

fn both_verify(label: Label, key: &[u8], covered: &[u8], signature: &[u8]) -> bool {
    let keys = key.split_at_checked(ED25519_KEY_LEN);
    let signatures = signature.split_at_checked(ED25519_SIGNATURE_LEN);
    let (Some((ed_key, dsa_key)), Some((ed, dsa))) = (keys, signatures) else {
        return false;
    };
    let context = label.as_str().as_bytes();
    ed25519_verifies(ed_key, covered, ed) && ml_dsa_verifies(dsa_key, context, covered, dsa)
}

/// RFC 8032 as strictly as it can be read: canonical encodings, no point of small order.
pub(crate) fn ed25519_verifies(key: &[u8], covered: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = <&[u8; ED25519_KEY_LEN]>::try_from(key) else {
        return false;
    };
    let Ok(signature) = EdSignature::from_slice(signature) else {
        return false;
    };
    let Ok(parsed) = EdKey::from_bytes(key) else {
        return false;
    };
    // The library reads y >= p as well (ZIP 215); other implementations do not, and all of ours
    // have to agree on what is a signature.
    let canonical = parsed.to_edwards().compress().as_bytes() == key;
    canonical && parsed.verify_strict(covered, &signature).is_ok()
}

/// FIPS 204, algorithm 3; a context longer than 255 bytes verifies nothing.
pub(crate) fn ml_dsa_verifies(
    key: &[u8],
    context: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(key) = key.try_into() else {
        return false;
    };
    let Ok(signature) = DsaSignature::<MlDsa65>::try_from(signature) else {
        return false;
    };
    let short = context.len() <= 255;
    short && DsaKey::<MlDsa65>::decode(key).verify_with_context(message, context, &signature)
}

fn slh_verifies(label: Label, key: &[u8], covered: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = key.try_into() else {
        return false;
    };
    slh::verifies(key, label.as_str().as_bytes(), covered, signature)
}

/// RFC 8032, 5.1.
pub(crate) const ED25519_KEY_LEN: usize = 32;
const ED25519_SIGNATURE_LEN: usize = 64;
/// FIPS 204, table 2.
const ML_DSA_KEY_LEN: usize = 1952;
const ML_DSA_SIGNATURE_LEN: usize = 3309;
