//! A Worker's private keys.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::kem::{self, KemSecret};
use crate::slh::{self, SlhSecret};
use crate::x25519::{self, DhSecret};
use crate::{Error, PublicKey, hash, wire};

/// First byte of an encoded identity.
const VERSION: u8 = 1;
const CHECKSUM_LEN: usize = 32;
const ENCODED_LEN: usize = 1 + x25519::LEN + kem::SEED_LEN + slh::SECRET_LEN + CHECKSUM_LEN;

/// A Worker's composite private key; every part of it is wiped when it is dropped.
///
/// Neither printable nor copyable. Which mode a channel uses is not a property of the key: the
/// Worker holds all three parts in both modes, so that changing the mode changes no identity.
pub struct Identity {
    x25519: DhSecret,
    kem: KemSecret,
    slh: SlhSecret,
    public: PublicKey,
}

/// The 224 bytes from which an identity follows, for [`Identity::from_seeds`].
#[derive(zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct IdentitySeeds {
    /// The X25519 private key.
    pub x25519: [u8; 32],
    /// The ML-KEM-1024 seed d || z (FIPS 203, 7.1).
    pub ml_kem: [u8; 64],
    /// SK.seed of SLH-DSA (FIPS 205, 10.1).
    pub slh_dsa_sk_seed: [u8; 32],
    /// SK.prf of SLH-DSA.
    pub slh_dsa_sk_prf: [u8; 32],
    /// PK.seed of SLH-DSA.
    pub slh_dsa_pk_seed: [u8; 32],
}

impl Identity {
    /// Makes a new identity. About 10 ms, nearly all of it SLH-DSA.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seeds = IdentitySeeds {
            x25519: [0; 32],
            ml_kem: [0; 64],
            slh_dsa_sk_seed: [0; 32],
            slh_dsa_sk_prf: [0; 32],
            slh_dsa_pk_seed: [0; 32],
        };
        rng.fill_bytes(&mut seeds.x25519);
        rng.fill_bytes(&mut seeds.ml_kem);
        rng.fill_bytes(&mut seeds.slh_dsa_sk_seed);
        rng.fill_bytes(&mut seeds.slh_dsa_sk_prf);
        rng.fill_bytes(&mut seeds.slh_dsa_pk_seed);
        Self::from_seeds(&seeds)
    }

    /// The identity that follows from these seeds. For vectors; [`generate`](Self::generate)
    /// calls it with fresh ones.
    #[must_use]
    pub fn from_seeds(seeds: &IdentitySeeds) -> Self {
        let slh = SlhSecret::from_seeds(
            &seeds.slh_dsa_sk_seed,
            &seeds.slh_dsa_sk_prf,
            &seeds.slh_dsa_pk_seed,
        );
        let kem = KemSecret::from_seed(&seeds.ml_kem);
        // ML-KEM generated the key that is checked here, three lines above.
        Self::assemble(DhSecret::from_bytes(&seeds.x25519), kem, slh)
            .expect("a generated ML-KEM key passes the check of FIPS 203, 7.2")
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for another version, another length or a checksum that does not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let encoded: &[u8; ENCODED_LEN] = bytes.try_into().map_err(|_| Error::Key)?;
        let mut rest = unsealed(encoded)?;
        let (Some(x25519), Some(seed), Some(slh)) = (
            wire::take(&mut rest),
            wire::take(&mut rest),
            wire::take(&mut rest),
        ) else {
            return Err(Error::Key);
        };
        let slh = SlhSecret::from_bytes(slh)?;
        Self::assemble(
            DhSecret::from_bytes(x25519),
            KemSecret::from_seed(seed),
            slh,
        )
    }

    fn assemble(x25519: DhSecret, kem: KemSecret, slh: SlhSecret) -> Result<Self, Error> {
        let composite = [&x25519.public()[..], &kem.public(), &slh.public()].concat();
        let public = PublicKey::from_bytes(&composite)?;
        Ok(Self {
            x25519,
            kem,
            slh,
            public,
        })
    }

    /// Version, X25519 32, ML-KEM seed 64, SLH-DSA secret key 128, BLAKE2b-256 over all of it:
    /// 257 bytes. The checksum finds a damaged file; it does not authenticate one.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(ENCODED_LEN));
        out.push(VERSION);
        out.extend_from_slice(self.x25519.as_bytes());
        out.extend_from_slice(&*self.kem.seed());
        out.extend_from_slice(&*self.slh.to_bytes());
        let checksum = hash::blake2b_256(&out);
        out.extend_from_slice(&checksum);
        out
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) const fn x25519(&self) -> &DhSecret {
        &self.x25519
    }

    pub(crate) const fn kem(&self) -> &KemSecret {
        &self.kem
    }

    pub(crate) const fn slh(&self) -> &SlhSecret {
        &self.slh
    }
}

/// Version and checksum verified and taken off.
fn unsealed(encoded: &[u8; ENCODED_LEN]) -> Result<&[u8], Error> {
    let Some((body, checksum)) = encoded.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(Error::Key);
    };
    let intact: bool = hash::blake2b_256(body).ct_eq(checksum).into();
    match body.split_first() {
        Some((&VERSION, secrets)) if intact => Ok(secrets),
        Some(_) | None => Err(Error::Key),
    }
}

#[cfg(test)]
impl Identity {
    /// The same public key with a secret that does not belong to it: what an attacker has who
    /// broke X25519 and ML-KEM but not SLH-DSA.
    pub(crate) fn with_foreign_signature_secret(&self) -> Result<Self, Error> {
        let mut slh = self.slh.to_bytes();
        slh[0] ^= 1;
        Self::assemble(
            DhSecret::from_bytes(self.x25519.as_bytes()),
            KemSecret::from_seed(&self.kem.seed()),
            SlhSecret::from_bytes(&slh)?,
        )
    }
}
