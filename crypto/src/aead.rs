//! ChaCha20-Poly1305 (RFC 8439) with Noise's nonce: 4 zero bytes, then the counter little-endian.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use zeroize::Zeroizing;

use crate::Error;

/// Length of a key in bytes.
pub(crate) const KEY_LEN: usize = 32;
/// Length of the authentication tag in bytes.
pub const TAG_LEN: usize = 16;

/// Ciphertext followed by the tag.
pub(crate) fn seal(
    key: &[u8; KEY_LEN],
    counter: u64,
    associated_data: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    // One allocation of the final size: growing would leave plaintext behind in freed memory.
    let mut buffer = Vec::with_capacity(plaintext.len() + TAG_LEN);
    buffer.extend_from_slice(plaintext);
    ChaCha20Poly1305::new(key.into())
        .encrypt_in_place(&nonce(counter), associated_data, &mut buffer)
        .map_err(|_| Error::PlaintextTooLong)?;
    Ok(buffer)
}

/// The plaintext, or `None` if anything at all is wrong.
pub(crate) fn open(
    key: &[u8; KEY_LEN],
    counter: u64,
    associated_data: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    ChaCha20Poly1305::new(key.into())
        .decrypt_in_place(&nonce(counter), associated_data, &mut *buffer)
        .ok()?;
    Some(buffer)
}

/// Noise revision 34, 12.3.
fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    if let Some(low) = nonce.last_chunk_mut::<8>() {
        *low = counter.to_le_bytes();
    }
    nonce.into()
}
