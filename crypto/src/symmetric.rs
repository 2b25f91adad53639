//! The `SymmetricState` of Noise (revision 34, 5.2): chaining key, hash and handshake key.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::handshake::Root;
use crate::transport::{Opener, Sealer};
use crate::{Error, aead, hash};

/// Both modes share it; the mode byte of the prologue keeps them apart. 33 bytes.
#[cfg(not(feature = "plaintext"))]
const LABEL: &[u8] = b"Noise_NK_25519_ChaChaPoly_BLAKE2b";

/// A build without encryption must never get to speak to a real one.
#[cfg(feature = "plaintext")]
const LABEL: &[u8] = b"leapmux test build without encryption";

/// What both sides have mixed together so far; wiped when dropped.
///
/// Always boxed, so that moving a state of a handshake leaves no copy of it behind.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SymmetricState {
    chaining_key: [u8; hash::LEN],
    hash: [u8; hash::LEN],
    key: [u8; aead::KEY_LEN],
    counter: u64,
}

impl SymmetricState {
    /// Noise's `InitializeSymmetric`. The label is shorter than a hash, so it is zero-padded.
    pub(crate) fn new() -> Box<Self> {
        let mut padded = [0; hash::LEN];
        padded
            .iter_mut()
            .zip(LABEL)
            .for_each(|(to, from)| *to = *from);
        Self::resume(&padded, &padded)
    }

    /// The state in which a renewal begins: the root of the base epoch.
    pub(crate) fn resume(chaining_key: &[u8; hash::LEN], hash: &[u8; hash::LEN]) -> Box<Self> {
        Box::new(Self {
            chaining_key: *chaining_key,
            hash: *hash,
            key: [0; aead::KEY_LEN],
            counter: 0,
        })
    }

    pub(crate) fn hash(&self) -> &[u8; hash::LEN] {
        &self.hash
    }

    pub(crate) fn mix_hash(&mut self, data: &[u8]) {
        self.hash = hash::blake2b_512(&[&self.hash, data]);
    }

    pub(crate) fn mix_key(&mut self, input: &[u8]) {
        let (chaining_key, key) = hash::hkdf_2(&self.chaining_key, input);
        self.chaining_key = *chaining_key;
        self.key = *hash::cut(&key);
        self.counter = 0;
    }

    /// Noise's `EncryptAndHash`; a key has always been mixed in before, in both messages.
    pub(crate) fn encrypt_and_hash(&mut self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let sealed = aead::seal(&self.key, self.counter, &self.hash, payload)?;
        self.counter += 1;
        self.mix_hash(&sealed);
        Ok(sealed)
    }

    pub(crate) fn decrypt_and_hash(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let opened = aead::open(&self.key, self.counter, &self.hash, sealed);
        let payload = opened.ok_or(Error::Handshake)?;
        self.counter += 1;
        self.mix_hash(sealed);
        Ok(payload)
    }

    /// Noise's `Split` with a third output, the secret from which a renewal begins.
    pub(crate) fn split(&self) -> Split {
        let (client, worker, renewal) = hash::hkdf_3(&self.chaining_key, &[]);
        Split {
            client: hash::cut(&client),
            worker: hash::cut(&worker),
            root: Root::new(&self.hash, &renewal),
        }
    }
}

/// The keys of an epoch, named after the side that seals with them.
pub(crate) struct Split {
    client: Zeroizing<[u8; aead::KEY_LEN]>,
    worker: Zeroizing<[u8; aead::KEY_LEN]>,
    root: Root,
}

impl Split {
    pub(crate) fn for_client(self) -> (Sealer, Opener, Root) {
        (
            Sealer::new(self.client),
            Opener::new(self.worker),
            self.root,
        )
    }

    pub(crate) fn for_worker(self) -> (Sealer, Opener, Root) {
        (
            Sealer::new(self.worker),
            Opener::new(self.client),
            self.root,
        )
    }
}
