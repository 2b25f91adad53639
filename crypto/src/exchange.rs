//! The two messages of an exchange: of a handshake and, on another footing, of a renewal.
//!
//! The caller has mixed in what both sides know; here the rows of [`noise_nk`] and, in
//! post-quantum mode, of [`hybrid`] follow in the order of the protocol.

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::kem::{KemPublic, KemSecret};
use crate::symmetric::SymmetricState;
use crate::x25519::{self, DhSecret};
use crate::{Error, Identity, Mode, PublicKey, hybrid, noise_nk, wire};

/// Everything random on the client's side of one exchange. Never use one twice.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ClientRandomness {
    /// The ephemeral X25519 private key `e`.
    pub e: [u8; 32],
    /// `m` of the encapsulation to the Worker's static key (FIPS 203, algorithm 20).
    pub encapsulation: [u8; 32],
    /// The seed d || z of the ephemeral ML-KEM key.
    pub ephemeral_ml_kem: [u8; 64],
}

impl ClientRandomness {
    pub(crate) fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut drawn = Self {
            e: [0; 32],
            encapsulation: [0; 32],
            ephemeral_ml_kem: [0; 64],
        };
        rng.fill_bytes(&mut drawn.e);
        rng.fill_bytes(&mut drawn.encapsulation);
        rng.fill_bytes(&mut drawn.ephemeral_ml_kem);
        drawn
    }
}

/// Everything random on the Worker's side of one exchange. Never use one twice.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct WorkerRandomness {
    /// The ephemeral X25519 private key `e2`.
    pub e2: [u8; 32],
    /// `m` of the encapsulation to the client's ephemeral key (FIPS 203, algorithm 20).
    pub encapsulation: [u8; 32],
    /// What hedges the SLH-DSA signature (FIPS 205, algorithm 22); a renewal has none.
    pub signature: [u8; 32],
}

impl WorkerRandomness {
    pub(crate) fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut drawn = Self {
            e2: [0; 32],
            encapsulation: [0; 32],
            signature: [0; 32],
        };
        rng.fill_bytes(&mut drawn.e2);
        rng.fill_bytes(&mut drawn.encapsulation);
        rng.fill_bytes(&mut drawn.signature);
        drawn
    }
}

/// What the client keeps between the two messages.
pub(crate) struct ClientSecrets {
    e: DhSecret,
    kem: Option<KemSecret>,
}

/// What the Worker keeps of message 1; nothing of it is secret.
pub(crate) struct ClientShare {
    pub(crate) e: [u8; x25519::LEN],
    pub(crate) kem: Option<KemPublic>,
}

pub(crate) fn write_message_1(
    mode: Mode,
    state: &mut SymmetricState,
    worker: &PublicKey,
    random: &ClientRandomness,
    payload: &[u8],
) -> Result<(ClientSecrets, Vec<u8>), Error> {
    let mut message = Vec::with_capacity(mode.message_1_overhead() + payload.len());
    let e = DhSecret::from_bytes(&random.e);
    noise_nk::write_1(state, &e, worker.x25519(), &mut message)?;
    let kem = match mode {
        Mode::Classic => None,
        Mode::PostQuantum => {
            let kem = KemSecret::from_seed(&random.ephemeral_ml_kem);
            hybrid::write_1(
                state,
                worker.kem(),
                &random.encapsulation,
                &kem,
                &mut message,
            )?;
            Some(kem)
        }
    };
    message.extend_from_slice(&state.encrypt_and_hash(payload)?);
    Ok((ClientSecrets { e, kem }, message))
}

pub(crate) fn read_message_1(
    mode: Mode,
    state: &mut SymmetricState,
    identity: &Identity,
    message: &[u8],
) -> Result<(ClientShare, Zeroizing<Vec<u8>>), Error> {
    let mut rest = message;
    let e = wire::take(&mut rest).ok_or(Error::Handshake)?;
    noise_nk::read_1(state, identity.x25519(), e)?;
    let offered = match mode {
        Mode::Classic => None,
        Mode::PostQuantum => {
            let ciphertext = wire::take(&mut rest).ok_or(Error::Handshake)?;
            let offered = wire::take(&mut rest).ok_or(Error::Handshake)?;
            hybrid::read_1(state, identity.kem(), ciphertext, offered);
            Some(offered)
        }
    };
    let payload = state.decrypt_and_hash(rest)?;
    // Only after the tag: a stranger's tampering must not reach anything but the tag.
    let kem = offered
        .map(KemPublic::parse)
        .transpose()
        .map_err(|_| Error::Handshake)?;
    Ok((ClientShare { e: *e, kem }, payload))
}

/// Message 2 up to its sealed part, which the caller appends.
pub(crate) fn write_message_2(
    state: &mut SymmetricState,
    share: &ClientShare,
    random: &WorkerRandomness,
) -> Result<Vec<u8>, Error> {
    let mut message = Vec::new();
    noise_nk::write_2(
        state,
        &DhSecret::from_bytes(&random.e2),
        &share.e,
        &mut message,
    )?;
    if let Some(ephemeral) = &share.kem {
        hybrid::write_2(state, ephemeral, &random.encapsulation, &mut message);
    }
    Ok(message)
}

/// Reads message 2 up to its sealed part, and gives that back.
pub(crate) fn read_message_2<'a>(
    state: &mut SymmetricState,
    secrets: &ClientSecrets,
    message: &'a [u8],
) -> Result<&'a [u8], Error> {
    let mut rest = message;
    let e2 = wire::take(&mut rest).ok_or(Error::Handshake)?;
    noise_nk::read_2(state, &secrets.e, e2)?;
    if let Some(ephemeral) = &secrets.kem {
        let ciphertext = wire::take(&mut rest).ok_or(Error::Handshake)?;
        hybrid::read_2(state, ephemeral, ciphertext);
    }
    Ok(rest)
}
