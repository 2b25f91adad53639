//! The frames of one epoch: one [`Sealer`] and one [`Opener`] on each side.
//!
//! Counters begin at 0, are never sent, and go up by one with each frame; so frames must arrive
//! whole, once and in order, and anything else is final (`docs/protocol.md#transport`).
//!
//! With the feature `plaintext` frames are **not encrypted at all**. A test build asks for it, to
//! prove that its search for plaintext at the Hub would find some. Never ship it.

use zeroize::Zeroizing;

use crate::Error;
use crate::aead;

pub use crate::aead::TAG_LEN;

/// The longest plaintext of a frame in bytes: 65,535 - 16.
pub const PLAINTEXT_MAX: usize = 65_519;

/// Once the next counter exceeds this, the client renews.
pub const SOFT_LIMIT: u64 = (1 << 31) - 1;

/// A frame whose counter would exceed this is neither sealed nor opened.
pub const HARD_LIMIT: u64 = (1 << 32) - 1;

/// Boxed, so that moving a sealer leaves no copy of the key behind.
type Key = Box<Zeroizing<[u8; aead::KEY_LEN]>>;

/// Seals the frames of one direction of one epoch.
///
/// No counter is used twice: a failed seal uses none up, and no method goes back.
pub struct Sealer {
    key: Key,
    counter: u64,
}

/// Opens the frames of one direction of one epoch.
///
/// After a frame that did not open it never opens another: its key is gone.
pub struct Opener {
    key: Option<Key>,
    counter: u64,
}

impl Sealer {
    pub(crate) fn new(key: Zeroizing<[u8; aead::KEY_LEN]>) -> Self {
        Self {
            key: Box::new(key),
            counter: 0,
        }
    }

    /// Begins at a later counter, so that tests reach the limits. Never goes back.
    #[must_use]
    pub fn at_counter(mut self, counter: u64) -> Self {
        self.skip_to(counter);
        self
    }

    /// The same, in place.
    pub fn skip_to(&mut self, counter: u64) {
        self.counter = self.counter.max(counter);
    }

    /// Ciphertext and tag of the next frame.
    ///
    /// # Errors
    ///
    /// [`Error::PlaintextTooLong`], [`Error::CounterExhausted`]; neither uses up a counter.
    pub fn seal(&mut self, associated_data: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if plaintext.len() > PLAINTEXT_MAX {
            return Err(Error::PlaintextTooLong);
        }
        if self.counter > HARD_LIMIT {
            return Err(Error::CounterExhausted);
        }
        #[cfg(debug_assertions)]
        crate::recorder::note(&**self.key, self.counter, associated_data, plaintext);
        let sealed = seal(&self.key, self.counter, associated_data, plaintext)?;
        self.counter += 1;
        Ok(sealed)
    }

    /// The counter of the next frame, which is also the number of frames sealed.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Whether the soft limit is passed.
    #[must_use]
    pub const fn wants_renewal(&self) -> bool {
        self.counter > SOFT_LIMIT
    }
}

impl Opener {
    pub(crate) fn new(key: Zeroizing<[u8; aead::KEY_LEN]>) -> Self {
        Self {
            key: Some(Box::new(key)),
            counter: 0,
        }
    }

    /// Begins at a later counter, so that tests reach the limits. Never goes back.
    #[must_use]
    pub fn at_counter(mut self, counter: u64) -> Self {
        self.skip_to(counter);
        self
    }

    /// The same, in place.
    pub fn skip_to(&mut self, counter: u64) {
        self.counter = self.counter.max(counter);
    }

    /// The plaintext of the next frame, wiped when dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Decrypt`] is final: the key is wiped and the counter stays; close the channel.
    /// [`Error::CounterExhausted`] at the hard limit.
    pub fn open(
        &mut self,
        associated_data: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.counter > HARD_LIMIT {
            return Err(Error::CounterExhausted);
        }
        let opened = self.try_open(associated_data, ciphertext);
        let Some(plaintext) = opened else {
            self.key = None; // which wipes it
            return Err(Error::Decrypt);
        };
        self.counter += 1;
        Ok(plaintext)
    }

    /// The counter of the next frame, which is also the number of frames opened.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Whether the soft limit is passed.
    #[must_use]
    pub const fn wants_renewal(&self) -> bool {
        self.counter > SOFT_LIMIT
    }

    fn try_open(&self, associated_data: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.key.as_ref()?;
        let fits = (TAG_LEN..=PLAINTEXT_MAX + TAG_LEN).contains(&ciphertext.len());
        if fits {
            open(key, self.counter, associated_data, ciphertext)
        } else {
            None
        }
    }
}

#[cfg(not(feature = "plaintext"))]
use aead::{open, seal};

/// **No encryption**: the plaintext and 16 zero bytes in place of the tag.
#[cfg(feature = "plaintext")]
fn seal(
    _key: &[u8; aead::KEY_LEN],
    _counter: u64,
    _associated_data: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    Ok([plaintext, &[0; TAG_LEN]].concat())
}

/// **No decryption**: takes the 16 zero bytes off.
#[cfg(feature = "plaintext")]
fn open(
    _key: &[u8; aead::KEY_LEN],
    _counter: u64,
    _associated_data: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (plaintext, tag) = ciphertext.split_last_chunk::<TAG_LEN>()?;
    (*tag == [0; TAG_LEN]).then(|| Zeroizing::new(plaintext.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(debug_assertions)]
    #[test]
    fn a_copy_of_a_state_that_seals_something_else_is_found_out() {
        let key = || Zeroizing::new([77; aead::KEY_LEN]);
        let (mut sealer, mut copy) = (Sealer::new(key()), Sealer::new(key()));
        for both in [&mut sealer, &mut copy] {
            both.seal(b"", b"what was sealed before the copy")
                .expect("seals");
        }
        sealer.seal(b"", b"what the one says then").expect("seals");
        let second = std::panic::catch_unwind(move || copy.seal(b"", b"and the other").is_ok());
        assert!(second.is_err(), "it was sealed");
    }

    #[cfg(feature = "plaintext")]
    #[test]
    fn frames_of_the_plaintext_build_can_be_read_by_anybody() {
        let key = || Zeroizing::new([1; aead::KEY_LEN]);
        let sealed = Sealer::new(key()).seal(b"", b"a marker").expect("seals");
        assert!(sealed.starts_with(b"a marker"));
        assert_eq!(
            *Opener::new(key()).open(b"", &sealed).expect("opens"),
            b"a marker"
        );
    }
}
