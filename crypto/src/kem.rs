//! ML-KEM-1024 (FIPS 203). The private key is kept as its 64-byte seed d || z.
//!
//! The only place that names the generic types of the `ml-kem` crate.

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::ml_kem_1024::{Ciphertext, DecapsulationKey, EncapsulationKey};
use zeroize::Zeroizing;

use crate::Error;

/// Length of an encapsulation key in bytes (FIPS 203, table 3).
pub(crate) const KEY_LEN: usize = 1568;
/// Length of a ciphertext in bytes (FIPS 203, table 3).
pub(crate) const CIPHERTEXT_LEN: usize = 1568;
/// Length of the seed d || z in bytes (FIPS 203, 3.3).
pub(crate) const SEED_LEN: usize = 64;
/// Length of a shared secret, and of the randomness of an encapsulation, in bytes.
pub(crate) const SECRET_LEN: usize = 32;

/// A private key; wiped when dropped. Boxed, so that moving it leaves no copy behind.
pub(crate) struct KemSecret(Box<DecapsulationKey>);

impl KemSecret {
    pub(crate) fn from_seed(seed: &[u8; SEED_LEN]) -> Self {
        Self(Box::new(DecapsulationKey::from_seed((*seed).into())))
    }

    pub(crate) fn seed(&self) -> Zeroizing<[u8; SEED_LEN]> {
        Zeroizing::new(KeyExport::to_bytes(&*self.0).into())
    }

    pub(crate) fn public(&self) -> [u8; KEY_LEN] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The shared secret. A ciphertext that was tampered with gives the implicit-rejection
    /// secret (FIPS 203, 6.3), never an error, so the next authentication tag fails.
    pub(crate) fn decapsulate(
        &self,
        ciphertext: &[u8; CIPHERTEXT_LEN],
    ) -> Zeroizing<[u8; SECRET_LEN]> {
        let ciphertext: &Ciphertext = ciphertext.into();
        Zeroizing::new(self.0.decapsulate(ciphertext).into())
    }
}

/// An encapsulation key that passed the check of FIPS 203, 7.2: every coefficient is reduced.
pub(crate) struct KemPublic(Box<EncapsulationKey>);

impl KemPublic {
    pub(crate) fn parse(key: &[u8; KEY_LEN]) -> Result<Self, Error> {
        let key = EncapsulationKey::new(key.into()).map_err(|_| Error::Key)?;
        Ok(Self(Box::new(key)))
    }

    /// Ciphertext and shared secret; `m` is the 32 random bytes of FIPS 203, algorithm 20.
    pub(crate) fn encapsulate(
        &self,
        m: &[u8; SECRET_LEN],
    ) -> ([u8; CIPHERTEXT_LEN], Zeroizing<[u8; SECRET_LEN]>) {
        let (ciphertext, secret) = self.0.encapsulate_deterministic(m.into());
        (ciphertext.into(), Zeroizing::new(secret.into()))
    }
}
