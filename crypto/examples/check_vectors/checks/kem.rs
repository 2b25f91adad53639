//! ML-KEM-1024, in the terms that ACVP, Wycheproof and CCTV share.

use crypto::primitives;
use ml_kem::ml_kem_1024::{Ciphertext, DecapsulationKey};
use ml_kem::{Decapsulate, ExpandedDecapsulationKey, MlKem1024};

use super::{Verdict, expect_equal};

/// The key of a seed d || z, and its expanded private form if the file has one.
pub(crate) fn key_generation(seed: &[u8], key: &[u8], expanded: Option<&[u8]>) -> Verdict {
    let seed: &[u8; 64] = seed.try_into().map_err(|_| "the seed is not of 64 bytes")?;
    expect_equal("ek", &primitives::ml_kem_key(seed), key)?;
    let Some(expanded) = expanded else {
        return Ok(());
    };
    #[expect(
        deprecated,
        reason = "the product keeps seeds; these files have the expanded form"
    )]
    let computed = ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&DecapsulationKey::from_seed(
        (*seed).into(),
    ));
    expect_equal("dk", &computed, expanded)
}

/// What encapsulation to `key` with randomness `m` gives.
pub(crate) fn encapsulation(key: &[u8], m: &[u8], ciphertext: &[u8], secret: &[u8]) -> Verdict {
    let (found, shared) = encapsulate(key, m)?;
    expect_equal("c", &found, ciphertext)?;
    expect_equal("K", &shared, secret)
}

/// Ciphertext and secret, or that the key was refused.
pub(crate) fn encapsulate(key: &[u8], m: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let m = m.try_into().map_err(|_| "m is not of 32 bytes")?;
    let (ciphertext, secret) =
        primitives::ml_kem_encapsulate(key, m).map_err(|error| error.to_string())?;
    Ok((ciphertext.to_vec(), secret.to_vec()))
}

/// The secret that decapsulation with the key of a seed gives.
pub(crate) fn decapsulate(seed: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, String> {
    let seed = seed.try_into().map_err(|_| "the seed is not of 64 bytes")?;
    let secret = primitives::ml_kem_decapsulate(seed, ciphertext);
    secret
        .map(|secret| secret.to_vec())
        .map_err(|error| error.to_string())
}

/// The secret that decapsulation with an expanded private key gives.
pub(crate) fn decapsulate_expanded(expanded: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, String> {
    let expanded = <&ExpandedDecapsulationKey<MlKem1024>>::try_from(expanded)
        .map_err(|_| "dk has the wrong length")?;
    let ciphertext = <&Ciphertext>::try_from(ciphertext).map_err(|_| "c has the wrong length")?;
    #[expect(
        deprecated,
        reason = "the product keeps seeds; these files have the expanded form"
    )]
    let key = DecapsulationKey::from_expanded(expanded).map_err(|_| "dk was refused")?;
    Ok(key.decapsulate(ciphertext).to_vec())
}
