//! The handshake of a channel, one front for both modes (`docs/protocol.md#handshake`).
//!
//! The client calls [`initiate`] and [`AwaitingReply::finish`], the Worker [`accept`] and
//! [`Accepted::reply`]. Each step uses up the state before it, and a step that fails drops it,
//! which wipes it.

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::exchange::{self, ClientRandomness, ClientSecrets, ClientShare, WorkerRandomness};
use crate::symmetric::{Split, SymmetricState};
use crate::{Error, Identity, Mode, Opener, Prologue, PublicKey, Sealer, hash, hybrid, noise_nk};

/// The client's half of a handshake that has been started and not answered.
///
/// It can be finished once: [`finish`](Self::finish) takes it by value, and with it the ephemeral
/// secrets, so a second answer to the same question cannot be read.
pub struct AwaitingReply {
    mode: Mode,
    worker: PublicKey,
    state: Box<SymmetricState>,
    secrets: ClientSecrets,
}

/// The Worker's half of a handshake whose message 1 was genuine and has not been answered.
///
/// May be sent to another thread, for the answer costs a signature.
pub struct Accepted {
    mode: Mode,
    pub(crate) state: Box<SymmetricState>,
    pub(crate) share: ClientShare,
}

/// What both sides have after an exchange: an epoch's keys and the root of its successor.
pub struct Established {
    /// Seals what this side sends.
    pub sealer: Sealer,
    /// Opens what the other side sends.
    pub opener: Opener,
    /// From which a renewal begins.
    pub root: Root,
}

/// The final handshake hash and the renewal secret of one epoch, 64 bytes each; wiped on drop.
pub struct Root(Box<RootBytes>);

#[derive(Zeroize, ZeroizeOnDrop)]
struct RootBytes {
    hash: [u8; hash::LEN],
    renewal: [u8; hash::LEN],
}

/// Starts a handshake with the Worker that holds `worker`. Gives message 1.
///
/// # Errors
///
/// [`Error::Mode`] if the prologue was made for another mode; [`Error::Handshake`] if the
/// Worker's X25519 key is of low order; [`Error::Key`] if its ML-KEM key fails its check.
pub fn initiate<R: CryptoRng + ?Sized>(
    mode: Mode,
    prologue: &Prologue,
    worker: &PublicKey,
    rng: &mut R,
) -> Result<(AwaitingReply, Vec<u8>), Error> {
    AwaitingReply::begin(mode, prologue, worker, &ClientRandomness::draw(rng), &[])
}

/// Judges message 1: everything up to its tag and the check of the client's ephemeral key.
///
/// This is the cheap part, some 0.3 ms; the signature is made by [`Accepted::reply`].
///
/// # Errors
///
/// [`Error::Mode`] if the prologue was made for another mode; [`Error::Handshake`] for a message
/// that was altered, cut, or made for another Worker, mode, channel or user.
pub fn accept(
    identity: &Identity,
    mode: Mode,
    prologue: &Prologue,
    message_1: &[u8],
) -> Result<Accepted, Error> {
    if message_1.len() != mode.message_1_len() {
        return Err(Error::Handshake);
    }
    Accepted::read(identity, mode, prologue, message_1).map(|(accepted, _)| accepted)
}

impl AwaitingReply {
    /// Reads message 2 and ends the handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] for a message that was altered, cut, or answers another message 1;
    /// [`Error::WorkerSignature`] if it is whole but not signed by the Worker.
    pub fn finish(self, message_2: &[u8]) -> Result<Established, Error> {
        if message_2.len() != self.mode.message_2_len() {
            return Err(Error::Handshake);
        }
        self.read(message_2).map(|(established, _)| established)
    }

    pub(crate) fn begin(
        mode: Mode,
        prologue: &Prologue,
        worker: &PublicKey,
        random: &ClientRandomness,
        payload: &[u8],
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut state = opening(mode, prologue, worker)?;
        let (secrets, message) =
            exchange::write_message_1(mode, &mut state, worker, random, payload)?;
        Ok((
            Self {
                mode,
                worker: worker.clone(),
                state,
                secrets,
            },
            message,
        ))
    }

    /// The payload is the signature in post-quantum mode, and empty on our wire in classic mode.
    pub(crate) fn read(
        mut self,
        message_2: &[u8],
    ) -> Result<(Established, Zeroizing<Vec<u8>>), Error> {
        let sealed = exchange::read_message_2(&mut self.state, &self.secrets, message_2)?;
        let signed = *self.state.hash();
        let payload = self.state.decrypt_and_hash(sealed)?;
        match self.mode {
            Mode::Classic => (),
            Mode::PostQuantum => hybrid::verify(&signed, &self.worker, &payload)?,
        }
        Ok((Established::client(self.state.split()), payload))
    }
}

impl Accepted {
    /// Writes message 2. In post-quantum mode this makes the signature: about 0.2 s of one core.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the client's X25519 key is of low order.
    pub fn reply<R: CryptoRng + ?Sized>(
        self,
        identity: &Identity,
        rng: &mut R,
    ) -> Result<(Established, Vec<u8>), Error> {
        self.write(identity, &WorkerRandomness::draw(rng), &[])
    }

    pub(crate) fn read(
        identity: &Identity,
        mode: Mode,
        prologue: &Prologue,
        message_1: &[u8],
    ) -> Result<(Self, Zeroizing<Vec<u8>>), Error> {
        let mut state = opening(mode, prologue, identity.public())?;
        let (share, payload) = exchange::read_message_1(mode, &mut state, identity, message_1)?;
        Ok((Self { mode, state, share }, payload))
    }

    /// `payload` is sealed in classic mode, where our wire has none; post-quantum mode seals the
    /// signature.
    pub(crate) fn write(
        mut self,
        identity: &Identity,
        random: &WorkerRandomness,
        payload: &[u8],
    ) -> Result<(Established, Vec<u8>), Error> {
        let mut message = exchange::write_message_2(&mut self.state, &self.share, random)?;
        let sealed = match self.mode {
            Mode::Classic => self.state.encrypt_and_hash(payload)?,
            Mode::PostQuantum => {
                let signature = hybrid::sign(&self.state, identity.slh(), &random.signature)?;
                self.state.encrypt_and_hash(&signature)?
            }
        };
        message.extend_from_slice(&sealed);
        Ok((Established::worker(self.state.split()), message))
    }
}

impl Established {
    pub(crate) fn client(split: Split) -> Self {
        let (sealer, opener, root) = split.for_client();
        Self {
            sealer,
            opener,
            root,
        }
    }

    pub(crate) fn worker(split: Split) -> Self {
        let (sealer, opener, root) = split.for_worker();
        Self {
            sealer,
            opener,
            root,
        }
    }
}

impl Root {
    pub(crate) fn new(hash: &[u8; hash::LEN], renewal: &[u8; hash::LEN]) -> Self {
        Self(Box::new(RootBytes {
            hash: *hash,
            renewal: *renewal,
        }))
    }

    /// The final hash of the exchange, to which the claim binds a user. Not secret.
    #[must_use]
    pub fn hash(&self) -> &[u8; hash::LEN] {
        &self.0.hash
    }

    pub(crate) fn renewal_secret(&self) -> &[u8; hash::LEN] {
        &self.0.renewal
    }
}

/// Row 1 of message 1: the prologue and the keys that the client knows beforehand.
pub(crate) fn opening(
    mode: Mode,
    prologue: &Prologue,
    worker: &PublicKey,
) -> Result<Box<SymmetricState>, Error> {
    if prologue.mode() != mode {
        return Err(Error::Mode);
    }
    let mut state = SymmetricState::new();
    state.mix_hash(prologue.as_bytes());
    noise_nk::mix_static(&mut state, worker);
    match mode {
        Mode::Classic => (),
        Mode::PostQuantum => hybrid::mix_static(&mut state, worker),
    }
    Ok(state)
}
