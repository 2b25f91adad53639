//! What the post-quantum mode adds to `Noise_NK`.
//!
//! Message 1 encapsulates to the Worker's static ML-KEM key and brings an ephemeral one; message 2
//! encapsulates to that and carries an SLH-DSA signature, sealed, over the handshake hash. So the
//! keys hold as long as X25519 or ML-KEM holds, stolen static keys open no recorded session, and
//! the Worker's post-quantum identity is bound to this exchange without the Hub seeing it
//! (`docs/protocol.md#handshake`).

use zeroize::Zeroizing;

use crate::kem::{self, KemPublic, KemSecret};
use crate::slh::{self, SlhSecret};
use crate::symmetric::SymmetricState;
use crate::{Error, PublicKey};

/// The context string of FIPS 205 under which the Worker signs the handshake hash.
const SIGNATURE_CONTEXT: &[u8] = b"leapmux channel v1";

/// The Worker's other two public keys are known to the client as well.
pub(crate) fn mix_static(state: &mut SymmetricState, worker: &PublicKey) {
    state.mix_hash(worker.kem());
    state.mix_hash(worker.slh());
}

/// Encapsulates to the Worker's static key and brings the ephemeral one.
pub(crate) fn write_1(
    state: &mut SymmetricState,
    worker: &[u8; kem::KEY_LEN],
    m: &[u8; kem::SECRET_LEN],
    ephemeral: &KemSecret,
    message: &mut Vec<u8>,
) -> Result<(), Error> {
    let (ciphertext, secret) = KemPublic::parse(worker)?.encapsulate(m);
    mix_encapsulation(state, &ciphertext, &secret);
    let ephemeral = ephemeral.public();
    state.mix_hash(&ephemeral);
    message.extend_from_slice(&ciphertext);
    message.extend_from_slice(&ephemeral);
    Ok(())
}

/// The same at the Worker. The ephemeral key is hashed here and checked after the tag.
pub(crate) fn read_1(
    state: &mut SymmetricState,
    worker: &KemSecret,
    ciphertext: &[u8; kem::CIPHERTEXT_LEN],
    ephemeral: &[u8; kem::KEY_LEN],
) {
    let secret = worker.decapsulate(ciphertext);
    mix_encapsulation(state, ciphertext, &secret);
    state.mix_hash(ephemeral);
}

/// Encapsulates to the client's ephemeral key.
pub(crate) fn write_2(
    state: &mut SymmetricState,
    ephemeral: &KemPublic,
    m: &[u8; kem::SECRET_LEN],
    message: &mut Vec<u8>,
) {
    let (ciphertext, secret) = ephemeral.encapsulate(m);
    mix_encapsulation(state, &ciphertext, &secret);
    message.extend_from_slice(&ciphertext);
}

/// The same at the client.
pub(crate) fn read_2(
    state: &mut SymmetricState,
    ephemeral: &KemSecret,
    ciphertext: &[u8; kem::CIPHERTEXT_LEN],
) {
    let secret = ephemeral.decapsulate(ciphertext);
    mix_encapsulation(state, ciphertext, &secret);
}

/// The Worker's signature over everything exchanged so far.
pub(crate) fn sign(
    state: &SymmetricState,
    worker: &SlhSecret,
    randomness: &[u8; slh::N],
) -> Result<Vec<u8>, Error> {
    worker.sign(SIGNATURE_CONTEXT, state.hash(), Some(randomness))
}

/// Checks the signature over `hash`, the handshake hash before the signature was sealed.
///
/// # Errors
///
/// [`Error::WorkerSignature`]: whoever answered does not hold the Worker's SLH-DSA key.
pub(crate) fn verify(hash: &[u8], worker: &PublicKey, signature: &[u8]) -> Result<(), Error> {
    let genuine = slh::verifies(worker.slh(), SIGNATURE_CONTEXT, hash, signature);
    if genuine {
        Ok(())
    } else {
        Err(Error::WorkerSignature)
    }
}

fn mix_encapsulation(
    state: &mut SymmetricState,
    ciphertext: &[u8; kem::CIPHERTEXT_LEN],
    secret: &Zeroizing<[u8; kem::SECRET_LEN]>,
) {
    state.mix_hash(ciphertext);
    state.mix_key(&**secret);
}
