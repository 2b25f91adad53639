//! A Worker's composite public key.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::kem::{self, KemPublic};
use crate::{Error, Mode, slh, wire, x25519};

/// Length of a composite public key in bytes: X25519 32, ML-KEM 1,568, SLH-DSA 64.
pub const PUBLIC_KEY_LEN: usize = x25519::LEN + kem::KEY_LEN + slh::KEY_LEN;

/// A Worker's public keys for both modes, 1,664 bytes.
///
/// The ML-KEM part has passed the check of FIPS 203, 7.2. Equality takes constant time.
#[derive(Clone)]
pub struct PublicKey {
    x25519: [u8; x25519::LEN],
    kem: Box<[u8; kem::KEY_LEN]>,
    slh: [u8; slh::KEY_LEN],
    composite: Box<[u8; PUBLIC_KEY_LEN]>,
}

impl PublicKey {
    /// Reads a composite key as it was received.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if the length is not 1,664 or the ML-KEM part fails its check.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let composite: &[u8; PUBLIC_KEY_LEN] = bytes.try_into().map_err(|_| Error::Key)?;
        let mut rest = bytes;
        let (Some(x25519), Some(kem), Some(slh)) = (
            wire::take(&mut rest),
            wire::take(&mut rest),
            wire::take(&mut rest),
        ) else {
            return Err(Error::Key);
        };
        KemPublic::parse(kem)?;
        Ok(Self {
            x25519: *x25519,
            kem: (*kem).into(),
            slh: *slh,
            composite: (*composite).into(),
        })
    }

    /// The composite key, always 1,664 bytes, whatever the mode.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.composite.as_slice()
    }

    /// What a channel of this mode uses of it: all, or the first 32 bytes.
    #[must_use]
    pub fn for_mode(&self, mode: Mode) -> &[u8] {
        match mode {
            Mode::Classic => &self.x25519,
            Mode::PostQuantum => self.as_bytes(),
        }
    }

    pub(crate) fn x25519(&self) -> &[u8; x25519::LEN] {
        &self.x25519
    }

    pub(crate) fn kem(&self) -> &[u8; kem::KEY_LEN] {
        &self.kem
    }

    pub(crate) fn slh(&self) -> &[u8; slh::KEY_LEN] {
        &self.slh
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").finish_non_exhaustive()
    }
}
