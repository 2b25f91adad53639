//! BRAIN: the keys themselves, the text they stand in, sealing and opening.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead as _, KeyInit as _, Payload},
};
use zeroize::Zeroizing;

use super::sealed::{Place, Sealed};

/// 32 bytes, wiped when dropped, never printed.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// The name of the pepper's line.
const PEPPER: &str = "pepper";
/// More versions than anybody keeps; it bounds the file.
pub(super) const VERSIONS_MAX: usize = 256;

/// Why a text is no key ring. It names lines, never what stands in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// Not text.
    #[error("it is not text")]
    NotText,
    /// A line that is none.
    #[error("line {0} is neither VERSION:KEY nor pepper:KEY, with 32 bytes in base64 as KEY")]
    Line(usize),
    /// A name that was there before.
    #[error("line {0} repeats a version or the pepper")]
    Twice(usize),
    /// No key.
    #[error("it has no VERSION:KEY line")]
    NoKey,
    /// No pepper.
    #[error("it has no pepper:KEY line")]
    NoPepper,
    /// Too many keys.
    #[error("it has more than 256 versions; remove those that nothing refers to")]
    TooMany,
}

/// Why something sealed cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// Its key is not in the ring.
    #[error("it was sealed with a key that is not in the key ring")]
    Version(u32),
    /// The key says no: it was changed, moved to another place, or the key is another.
    #[error("it was changed or moved, or sealed with another key of that version")]
    Refused,
}

/// The keys by their versions, of which the highest seals, and the pepper of all hashes.
pub(crate) struct Ring {
    keys: BTreeMap<u32, Key>,
    pepper: Key,
}

impl Ring {
    pub(crate) fn new(version: u32, key: Key, pepper: Key) -> Self {
        Self {
            keys: BTreeMap::from([(version, key)]),
            pepper,
        }
    }

    /// Reads the text of a key file.
    pub(crate) fn parse(text: &str) -> Result<Self, RingError> {
        let mut keys = BTreeMap::new();
        let mut pepper = None;
        for (at, line) in text.lines().enumerate() {
            let at = at + 1;
            let (name, key) = line.split_once(':').ok_or(RingError::Line(at))?;
            let key = decode(key).ok_or(RingError::Line(at))?;
            let earlier = if name == PEPPER {
                pepper.replace(key)
            } else {
                keys.insert(version(name).ok_or(RingError::Line(at))?, key)
            };
            if earlier.is_some() {
                return Err(RingError::Twice(at));
            }
        }
        match (keys.len(), pepper) {
            (0, _) => Err(RingError::NoKey),
            (count, _) if count > VERSIONS_MAX => Err(RingError::TooMany),
            (_, None) => Err(RingError::NoPepper),
            (_, Some(pepper)) => Ok(Self { keys, pepper }),
        }
    }

    /// The text of its file, in one form only.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        // Room for all of it: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(64 * (self.keys.len() + 1)));
        for (version, key) in &self.keys {
            line(&mut text, &version.to_string(), key);
        }
        line(&mut text, PEPPER, &self.pepper);
        text
    }

    /// The version that seals.
    pub(crate) fn active(&self) -> u32 {
        self.keys
            .last_key_value()
            .map_or(0, |(version, _)| *version)
    }

    pub(crate) fn versions(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied()
    }

    pub(crate) fn has(&self, version: u32) -> bool {
        self.keys.contains_key(&version)
    }

    pub(crate) fn pepper(&self) -> &[u8; 32] {
        &self.pepper
    }

    /// One more key; the version is higher than all others.
    pub(crate) fn add(&mut self, version: u32, key: Key) {
        self.keys.insert(version, key);
    }

    pub(crate) fn remove(&mut self, version: u32) {
        self.keys.remove(&version);
    }

    pub(crate) fn set_pepper(&mut self, pepper: Key) {
        self.pepper = pepper;
    }

    /// Seals for one place, with the active key. No nonce may be used twice; 24 random bytes are not.
    pub(crate) fn seal(&self, place: &Place, nonce: [u8; 24], plain: &[u8]) -> Sealed {
        let sealed = self.seal_with(self.active(), place, nonce, plain);
        sealed.expect("the active key is in the ring")
    }

    /// The same with a key that is named.
    pub(super) fn seal_with(
        &self,
        version: u32,
        place: &Place,
        nonce: [u8; 24],
        plain: &[u8],
    ) -> Option<Sealed> {
        let key = self.keys.get(&version)?;
        let aad = place.associated(version);
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let sealed = cipher(key).encrypt(&nonce.into(), payload);
        let sealed = sealed.expect("a secret is shorter than 256 GiB");
        Some(Sealed::assemble(version, &nonce, &sealed))
    }

    /// Opens what was sealed for this very place.
    pub(crate) fn open(
        &self,
        place: &Place,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let (version, nonce, msg) = sealed.parts().ok_or(Unopened::Refused)?;
        let key = self.keys.get(&version).ok_or(Unopened::Version(version))?;
        let aad = place.associated(version);
        let opened = cipher(key).decrypt(&nonce.into(), Payload { msg, aad: &aad });
        opened.map(Zeroizing::new).map_err(|_| Unopened::Refused)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new_from_slice(key.as_slice()).expect("32 bytes are a key")
}

fn line(text: &mut String, name: &str, key: &Key) {
    text.push_str(name);
    text.push(':');
    STANDARD.encode_string(key.as_slice(), text);
    text.push('\n');
}

/// Digits without a leading zero, so that a version has one name.
fn version(name: &str) -> Option<u32> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with('0');
    name.parse().ok().filter(|_| digits)
}

fn decode(text: &str) -> Option<Key> {
    // `decode_slice` wants the room of its estimate, which is one more.
    let mut room = Zeroizing::new([0; 33]);
    let length = STANDARD.decode_slice(text, room.as_mut_slice()).ok()?;
    let bytes = room.get(..length)?;
    Some(Zeroizing::new(bytes.try_into().ok()?))
}
