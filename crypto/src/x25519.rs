//! X25519 (RFC 7748) with the one check that Noise leaves open: an all-zero result is an error.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// A public key, a secret key and a shared secret are 32 bytes each.
pub(crate) const LEN: usize = 32;

/// A private key; wiped when dropped.
pub(crate) struct DhSecret(StaticSecret);

impl DhSecret {
    pub(crate) fn from_bytes(bytes: &[u8; LEN]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; LEN] {
        self.0.as_bytes()
    }

    pub(crate) fn public(&self) -> [u8; LEN] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The shared secret with `theirs`.
    ///
    /// RFC 7748, 6.1: a low-order point gives zero whatever our secret is. Checked without a
    /// branch on the bytes themselves.
    pub(crate) fn agree(&self, theirs: &[u8; LEN]) -> Result<Zeroizing<[u8; LEN]>, Error> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*theirs));
        if !shared.was_contributory() {
            return Err(Error::Handshake);
        }
        let mut bytes = shared.to_bytes();
        let kept = Zeroizing::new(bytes);
        bytes.zeroize();
        Ok(kept)
    }
}
