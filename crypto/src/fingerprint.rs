//! Four words by which people compare a key (`docs/protocol.md#fingerprint`).
//!
//! Machines compare whole keys. The words stand for 44 bits behind a memory-hard hash, because
//! an attacker can vary a key of his own at will until its fingerprint fits.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::hash;

/// BIP-39's English list, 2,048 words, 11 bits each. Source: `vectors/published/SOURCE.md`.
const WORDS: &str = include_str!("wordlist.txt");

const SALT: &[u8] = b"leapmux-fingerprint";

/// The words of a public key (a Worker's composite key, a device's key), joined by `-`.
///
/// Takes some 30 ms and 19 MiB on purpose.
#[must_use]
pub fn fingerprint(public_key: &[u8]) -> String {
    let bits = stretch(&hash::blake2b_256(public_key));
    [33, 22, 11, 0].map(|shift| word(bits >> shift)).join("-")
}

/// The first 44 bits of Argon2id (RFC 9106), version 0x13, m = 19,456 KiB, t = 2, p = 1.
fn stretch(digest: &[u8; 32]) -> u64 {
    // The parameters are constants within the bounds of RFC 9106, 3.1.
    let params = Params::new(19_456, 2, 1, Some(32)).expect("constant parameters are in range");
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(digest, SALT, &mut out)
        .expect("19 MiB can be allocated; elsewhere an allocation that fails aborts");
    out.iter()
        .take(6)
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
        >> 4
}

/// The word of the lowest 11 bits.
fn word(bits: u64) -> &'static str {
    let index = usize::try_from(bits & 0x7ff).unwrap_or_default();
    WORDS.lines().nth(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_2048_different_words_in_order() {
        let words: Vec<_> = WORDS.lines().collect();
        assert_eq!(words.len(), 2048);
        assert!(words.is_sorted());
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(
            (word(0), word(2047), word(2048)),
            ("abandon", "zoo", "abandon")
        );
    }

    #[test]
    fn one_bit_of_the_key_changes_the_fingerprint() {
        let words = fingerprint(&[0; 1664]);
        assert_eq!(words.split('-').count(), 4);
        assert_eq!(words, fingerprint(&[0; 1664]));
        let mut other = [0; 1664];
        other[1663] = 1;
        assert_ne!(words, fingerprint(&other));
    }
}
