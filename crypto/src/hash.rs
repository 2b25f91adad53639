//! BLAKE2b, HMAC over it, and the HKDF that Noise builds from that (Noise revision 34, 4.3).

use blake2::{Blake2b256, Blake2b512, Digest};
use hmac::{KeyInit, Mac, SimpleHmac};
use zeroize::Zeroizing;

/// HASHLEN of Noise in bytes.
pub(crate) const LEN: usize = 64;

/// A value as long as the hash, wiped when dropped.
pub(crate) type Digest64 = Zeroizing<[u8; LEN]>;

/// BLAKE2b-512 over the parts one after another.
pub(crate) fn blake2b_512(parts: &[&[u8]]) -> [u8; LEN] {
    let mut hash = Blake2b512::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// BLAKE2b-256.
pub(crate) fn blake2b_256(input: &[u8]) -> [u8; 32] {
    Blake2b256::digest(input).into()
}

/// HMAC-BLAKE2b-512 (RFC 2104, block length 128) over the parts one after another.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Digest64 {
    // The type of the result is shared with MACs whose keys have one length; HMAC's have any.
    let mut mac = SimpleHmac::<Blake2b512>::new_from_slice(key)
        .expect("HMAC takes a key of any length (RFC 2104, 2)");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HKDF with two outputs (Noise revision 34, 4.3).
pub(crate) fn hkdf_2(chaining_key: &[u8; LEN], input: &[u8]) -> (Digest64, Digest64) {
    let (first, second, _) = hkdf_3(chaining_key, input);
    (first, second)
}

/// HKDF with three outputs (Noise revision 34, 4.3).
pub(crate) fn hkdf_3(chaining_key: &[u8; LEN], input: &[u8]) -> (Digest64, Digest64, Digest64) {
    let temporary = hmac(chaining_key, &[input]);
    let first = hmac(&*temporary, &[&[1]]);
    let second = hmac(&*temporary, &[&*first, &[2]]);
    let third = hmac(&*temporary, &[&*second, &[3]]);
    (first, second, third)
}

/// The first 32 bytes: Noise cuts keys from a 64-byte hash that way (revision 34, 5.1 and 5.2).
pub(crate) fn cut(digest: &[u8; LEN]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    key.iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    key
}
