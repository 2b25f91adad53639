//! The key of a browser profile or of a command line: who the client is.

use ed25519_dalek::{Signer, SigningKey as EdSecret};
use ml_dsa::{Keypair, MlDsa65, SigningKey as DsaSecret};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::signed::{Algorithm, Label, SignedParts, covered};
use crate::{Error, Mode, hash, wire};

/// First byte of an encoded device key.
const VERSION: u8 = 1;
const CHECKSUM_LEN: usize = 32;
const SEED_LEN: usize = 32;
const ENCODED_LEN: usize = 1 + 2 * SEED_LEN + CHECKSUM_LEN;

/// A device's private key: an Ed25519 and an ML-DSA-65 half, wiped when dropped.
///
/// A device has both whatever the mode, and the mode of the channel picks what signs.
pub struct DeviceKey {
    ed25519: Box<EdSecret>,
    ml_dsa: Box<DsaSecret<MlDsa65>>,
}

impl DeviceKey {
    /// Makes a new key.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seeds = Zeroizing::new([[0; SEED_LEN]; 2]);
        seeds.iter_mut().for_each(|seed| rng.fill_bytes(seed));
        let [ed25519, ml_dsa] = &*seeds;
        Self::from_seeds(ed25519, ml_dsa)
    }

    /// The key that follows from the Ed25519 secret (RFC 8032, 5.1.5) and the ML-DSA seed (FIPS
    /// 204, algorithm 6). For vectors; [`generate`](Self::generate) calls it with fresh ones.
    #[must_use]
    pub fn from_seeds(ed25519: &[u8; SEED_LEN], ml_dsa: &[u8; SEED_LEN]) -> Self {
        Self {
            ed25519: Box::new(EdSecret::from_bytes(ed25519)),
            ml_dsa: Box::new(DsaSecret::from_seed(ml_dsa.into())),
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for another version, another length or a checksum that does not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let encoded: &[u8; ENCODED_LEN] = bytes.try_into().map_err(|_| Error::Key)?;
        let (body, checksum) = encoded
            .split_last_chunk::<CHECKSUM_LEN>()
            .ok_or(Error::Key)?;
        let intact: bool = hash::blake2b_256(body).ct_eq(checksum).into();
        let mut rest = match body.split_first() {
            Some((&VERSION, seeds)) if intact => seeds,
            Some(_) | None => return Err(Error::Key),
        };
        let ed25519 = wire::take(&mut rest).ok_or(Error::Key)?;
        let ml_dsa = wire::take(&mut rest).ok_or(Error::Key)?;
        Ok(Self::from_seeds(ed25519, ml_dsa))
    }

    /// Version, Ed25519 secret 32, ML-DSA seed 32, BLAKE2b-256 over all of it: 97 bytes.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(ENCODED_LEN));
        out.push(VERSION);
        out.extend_from_slice(self.ed25519.as_bytes());
        out.extend_from_slice(self.ml_dsa.as_seed());
        let checksum = hash::blake2b_256(&out);
        out.extend_from_slice(&checksum);
        out
    }

    /// The public key by which a channel of this mode knows the device: 32 or 1,984 bytes.
    #[must_use]
    pub fn public_bytes(&self, mode: Mode) -> Vec<u8> {
        let mut key = self.ed25519.verifying_key().to_bytes().to_vec();
        match mode {
            Mode::Classic => (),
            Mode::PostQuantum => key.extend_from_slice(&self.ml_dsa.verifying_key().encode()),
        }
        key
    }

    /// Signs `body`.
    ///
    /// # Errors
    ///
    /// [`Error::Mode`] for a rotation, which a Worker signs; [`Error::Field`] if context or body
    /// is empty or longer than 65,535 bytes.
    pub fn sign<R: CryptoRng + ?Sized>(
        &self,
        mode: Mode,
        label: Label,
        context: &[u8],
        body: Vec<u8>,
        rng: &mut R,
    ) -> Result<SignedParts, Error> {
        let mut randomness = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *randomness);
        self.sign_with(mode, label, context, body, &randomness)
    }

    /// `randomness` hedges ML-DSA (FIPS 204, algorithm 2); Ed25519 needs none.
    pub(crate) fn sign_with(
        &self,
        mode: Mode,
        label: Label,
        context: &[u8],
        body: Vec<u8>,
        randomness: &[u8; 32],
    ) -> Result<SignedParts, Error> {
        if label == Label::Rotation {
            return Err(Error::Mode);
        }
        let algorithm = Algorithm::for_mode(mode);
        let key = self.public_bytes(mode);
        let covered = covered(label, algorithm, context, &key, &body)?;
        let mut signature = self.ed25519.sign(&covered).to_bytes().to_vec();
        match mode {
            Mode::Classic => (),
            Mode::PostQuantum => signature.extend(self.sign_ml_dsa(label, &covered, randomness)),
        }
        Ok(SignedParts {
            algorithm: algorithm.byte(),
            key,
            body,
            signature,
        })
    }

    /// FIPS 204, algorithm 2: what is signed is 0, the length of the context, context, message.
    fn sign_ml_dsa(&self, label: Label, covered: &[u8], randomness: &[u8; 32]) -> Vec<u8> {
        let context = label.as_str();
        // Labels are this crate's own; the longest has 21 bytes.
        let length = u8::try_from(context.len()).expect("a label is shorter than 256 bytes");
        let message: [&[u8]; 3] = [&[0, length], context.as_bytes(), covered];
        let secret = self.ml_dsa.expanded_key();
        secret
            .sign_internal(&message, randomness.into())
            .encode()
            .to_vec()
    }
}
