//! The primitives exactly as the handshake uses them, so that auditors test what runs.
//!
//! Nothing else in the product calls these.

use zeroize::Zeroizing;

use crate::kem::{KemPublic, KemSecret};
use crate::slh::SlhSecret;
use crate::x25519::DhSecret;
use crate::{Error, aead, hash, kem, signed, slh};

/// X25519 (RFC 7748).
///
/// # Errors
///
/// [`Error::Handshake`] for an all-zero result.
pub fn x25519(scalar: &[u8; 32], u: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Error> {
    DhSecret::from_bytes(scalar).agree(u)
}

/// ML-KEM-1024's encapsulation key of the seed d || z.
#[must_use]
pub fn ml_kem_key(seed: &[u8; kem::SEED_LEN]) -> [u8; kem::KEY_LEN] {
    KemSecret::from_seed(seed).public()
}

/// ML-KEM-1024 encapsulation with given randomness `m`.
///
/// # Errors
///
/// [`Error::Key`] for a key of the wrong length or one that fails FIPS 203, 7.2.
pub fn ml_kem_encapsulate(
    key: &[u8],
    m: &[u8; 32],
) -> Result<([u8; kem::CIPHERTEXT_LEN], Zeroizing<[u8; 32]>), Error> {
    let key = key.try_into().map_err(|_| Error::Key)?;
    Ok(KemPublic::parse(key)?.encapsulate(m))
}

/// ML-KEM-1024 decapsulation with the key of a seed; implicit rejection gives a secret too.
///
/// # Errors
///
/// [`Error::Handshake`] for a ciphertext of the wrong length.
pub fn ml_kem_decapsulate(
    seed: &[u8; kem::SEED_LEN],
    ciphertext: &[u8],
) -> Result<Zeroizing<[u8; 32]>, Error> {
    let ciphertext = ciphertext.try_into().map_err(|_| Error::Handshake)?;
    Ok(KemSecret::from_seed(seed).decapsulate(ciphertext))
}

/// SLH-DSA-SHAKE-256f secret key (128 bytes, the public key is its second half) of three seeds.
#[must_use]
pub fn slh_dsa_key(
    sk_seed: &[u8; slh::N],
    sk_prf: &[u8; slh::N],
    pk_seed: &[u8; slh::N],
) -> Zeroizing<[u8; slh::SECRET_LEN]> {
    SlhSecret::from_seeds(sk_seed, sk_prf, pk_seed).to_bytes()
}

/// SLH-DSA-SHAKE-256f, pure, external interface; deterministic without randomness.
///
/// # Errors
///
/// [`Error::Key`] for a malformed key, [`Error::Field`] for a context longer than 255 bytes.
pub fn slh_dsa_sign(
    secret_key: &[u8],
    context: &[u8],
    message: &[u8],
    randomness: Option<&[u8; slh::N]>,
) -> Result<Vec<u8>, Error> {
    let secret_key = secret_key.try_into().map_err(|_| Error::Key)?;
    SlhSecret::from_bytes(secret_key)?.sign(context, message, randomness)
}

/// Whether an SLH-DSA-SHAKE-256f signature verifies; false for any wrong length.
#[must_use]
pub fn slh_dsa_verifies(key: &[u8], context: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = key.try_into() else {
        return false;
    };
    slh::verifies(key, context, message, signature)
}

/// Whether an Ed25519 signature verifies by the strictest reading of RFC 8032.
#[must_use]
pub fn ed25519_verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    signed::ed25519_verifies(key, message, signature)
}

/// Whether an ML-DSA-65 signature verifies, pure, under a context.
#[must_use]
pub fn ml_dsa_verifies(key: &[u8], context: &[u8], message: &[u8], signature: &[u8]) -> bool {
    signed::ml_dsa_verifies(key, context, message, signature)
}

/// BLAKE2b-512.
#[must_use]
pub fn blake2b_512(input: &[u8]) -> [u8; hash::LEN] {
    hash::blake2b_512(&[input])
}

/// ChaCha20-Poly1305 sealing with Noise's nonce for `counter`.
///
/// # Errors
///
/// [`Error::PlaintextTooLong`] beyond the cipher's own limit of 256 GiB.
pub fn seal(
    key: &[u8; 32],
    counter: u64,
    associated_data: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    aead::seal(key, counter, associated_data, plaintext)
}
