//! SLH-DSA-SHAKE-256f (FIPS 205), the pure external interface with a context string, hedged.
//!
//! The only place that names the generic types of the `slh-dsa` crate: it is generic, so a
//! signature is as fast as the crate that names its types was compiled to be.

use slh_dsa::{Shake256f, Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::Error;

/// Length of a public key in bytes (FIPS 205, table 2).
pub(crate) const KEY_LEN: usize = 64;
/// Length of a secret key in bytes: SK.seed, SK.prf, PK.seed, PK.root.
pub(crate) const SECRET_LEN: usize = 128;
/// Length of a signature in bytes (FIPS 205, table 2).
pub(crate) const SIGNATURE_LEN: usize = 49_856;
/// Length n of each seed and of the randomness that hedges a signature, in bytes.
pub(crate) const N: usize = 32;

/// A signing key; wiped when dropped. Boxed, so that moving it leaves no copy behind.
pub(crate) struct SlhSecret(Box<SigningKey<Shake256f>>);

impl SlhSecret {
    /// FIPS 205, algorithm 18 (`slh_keygen_internal`). About 10 ms.
    pub(crate) fn from_seeds(sk_seed: &[u8; N], sk_prf: &[u8; N], pk_seed: &[u8; N]) -> Self {
        Self(Box::new(SigningKey::slh_keygen_internal(
            sk_seed, sk_prf, pk_seed,
        )))
    }

    pub(crate) fn from_bytes(bytes: &[u8; SECRET_LEN]) -> Result<Self, Error> {
        let key = SigningKey::try_from(bytes.as_slice()).map_err(|_| Error::Key)?;
        Ok(Self(Box::new(key)))
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; SECRET_LEN]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    pub(crate) fn public(&self) -> [u8; KEY_LEN] {
        let public: &VerifyingKey<Shake256f> = (*self.0).as_ref();
        public.to_bytes().into()
    }

    /// Signs `message` under `context` (at most 255 bytes). About 0.2 s of one core.
    ///
    /// `randomness` hedges the signature; without it the deterministic variant is made, which
    /// only test vectors ask for.
    pub(crate) fn sign(
        &self,
        context: &[u8],
        message: &[u8],
        randomness: Option<&[u8; N]>,
    ) -> Result<Vec<u8>, Error> {
        let randomness = randomness.map(<[u8; N]>::as_slice);
        let signature = self.0.try_sign_with_context(message, context, randomness);
        Ok(signature.map_err(|_| Error::Field)?.to_vec())
    }
}

/// Whether `signature` is `key`'s over `message` under `context`. About 5 ms.
pub(crate) fn verifies(
    key: &[u8; KEY_LEN],
    context: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(key) = VerifyingKey::<Shake256f>::try_from(key.as_slice()) else {
        return false;
    };
    let Ok(signature) = Signature::<Shake256f>::try_from(signature) else {
        return false;
    };
    key.try_verify_with_context(message, context, &signature)
        .is_ok()
}
