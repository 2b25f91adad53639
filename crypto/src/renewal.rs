//! A new epoch for a channel that exists (`docs/protocol.md#renewal`).
//!
//! The two messages of the handshake again, begun from the root of the base epoch instead of a
//! prologue. No signature: the root proves that both sides are those of the handshake, and a
//! thief of a live state is out unless he holds the Worker's static keys too.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::exchange::{self, ClientRandomness, ClientSecrets, WorkerRandomness};
use crate::symmetric::SymmetricState;
use crate::{Error, Established, Identity, Mode, PublicKey, Root};

const LABEL: &[u8] = b"leapmux renew v1";

/// Which epoch follows on which, as one side states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The mode of the channel; a renewal never changes it.
    pub mode: Mode,
    /// The number of the new epoch.
    pub serial: u32,
    /// The number of the epoch that `root` belongs to; the handshake's is 0.
    pub base: u32,
    /// Counted frames that this side has decrypted since the channel opened.
    pub received: u64,
}

/// The client's half of a renewal that has been sent and not answered. Can be finished once.
pub struct AwaitingRenewal {
    mode: Mode,
    state: Box<SymmetricState>,
    secrets: ClientSecrets,
}

/// Asks for a new epoch. Gives the `noise` field of `Renew`.
///
/// # Errors
///
/// [`Error::Handshake`] if the Worker's X25519 key is of low order.
pub fn renew<R: CryptoRng + ?Sized>(
    renewal: &Renewal,
    root: &Root,
    worker: &PublicKey,
    rng: &mut R,
) -> Result<(AwaitingRenewal, Vec<u8>), Error> {
    AwaitingRenewal::begin(renewal, root, worker, &ClientRandomness::draw(rng))
}

/// Answers a `Renew` at the Worker. Gives the new epoch, the client's `received` and the `noise`
/// field of `Renewed`. Nothing of the base epoch changes.
///
/// # Errors
///
/// [`Error::Handshake`] for a message that was altered, cut, or made for another root, serial,
/// base, mode or Worker.
pub fn answer_renewal<R: CryptoRng + ?Sized>(
    renewal: &Renewal,
    root: &Root,
    identity: &Identity,
    noise: &[u8],
    rng: &mut R,
) -> Result<(Established, u64, Vec<u8>), Error> {
    answer(renewal, root, identity, noise, &WorkerRandomness::draw(rng))
}

impl AwaitingRenewal {
    /// Reads the `noise` field of `Renewed`. Gives the new epoch and the Worker's `received`.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] for a message that was altered, cut, or answers another `Renew`.
    pub fn finish(mut self, noise: &[u8]) -> Result<(Established, u64), Error> {
        if noise.len() != self.mode.renewed_len() {
            return Err(Error::Handshake);
        }
        let sealed = exchange::read_message_2(&mut self.state, &self.secrets, noise)?;
        let payload = self.state.decrypt_and_hash(sealed)?;
        Ok((Established::client(self.state.split()), received(&payload)?))
    }

    pub(crate) fn begin(
        renewal: &Renewal,
        root: &Root,
        worker: &PublicKey,
        random: &ClientRandomness,
    ) -> Result<(Self, Vec<u8>), Error> {
        let mode = renewal.mode;
        let mut state = opening(renewal, root);
        let payload = renewal.received.to_be_bytes();
        let (secrets, message) =
            exchange::write_message_1(mode, &mut state, worker, random, &payload)?;
        Ok((
            Self {
                mode,
                state,
                secrets,
            },
            message,
        ))
    }
}

pub(crate) fn answer(
    renewal: &Renewal,
    root: &Root,
    identity: &Identity,
    noise: &[u8],
    random: &WorkerRandomness,
) -> Result<(Established, u64, Vec<u8>), Error> {
    if noise.len() != renewal.mode.renew_len() {
        return Err(Error::Handshake);
    }
    let mut state = opening(renewal, root);
    let (share, payload) = exchange::read_message_1(renewal.mode, &mut state, identity, noise)?;
    let theirs = received(&payload)?;
    let mut message = exchange::write_message_2(&mut state, &share, random)?;
    message.extend_from_slice(&state.encrypt_and_hash(&renewal.received.to_be_bytes())?);
    Ok((Established::worker(state.split()), theirs, message))
}

/// Chaining key and hash of the base epoch, and the numbers that both sides name in the open.
fn opening(renewal: &Renewal, root: &Root) -> Box<SymmetricState> {
    let mut state = SymmetricState::resume(root.renewal_secret(), root.hash());
    let numbers = [renewal.serial.to_be_bytes(), renewal.base.to_be_bytes()].concat();
    state.mix_hash(&[LABEL, &numbers].concat());
    state
}

fn received(payload: &Zeroizing<Vec<u8>>) -> Result<u64, Error> {
    let bytes = payload
        .as_slice()
        .try_into()
        .map_err(|_| Error::Handshake)?;
    Ok(u64::from_be_bytes(bytes))
}
