//! What both sides agree on before a byte is decrypted (`docs/protocol.md#prologue`).

use crate::{Error, Mode, wire};

/// Length of a channel id in bytes; the client draws it.
pub const CHANNEL_ID_LEN: usize = 16;

const LABEL: &[u8] = b"leapmux channel v1";

/// Mode, channel, Worker and user of a channel, as the handshake hashes them.
///
/// A Hub that tells the two sides different things makes message 1 fail at the Worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prologue {
    mode: Mode,
    bytes: Vec<u8>,
}

impl Prologue {
    /// The prologue of a channel. Ids are given in their text form.
    ///
    /// # Errors
    ///
    /// [`Error::Identifier`] if an id is empty, longer than 64 bytes or not ASCII.
    pub fn new(
        mode: Mode,
        channel_id: &[u8; CHANNEL_ID_LEN],
        worker_id: &str,
        user_id: &str,
    ) -> Result<Self, Error> {
        let mut bytes = LABEL.to_vec();
        bytes.push(mode.byte());
        wire::put_lp(&mut bytes, channel_id)?;
        wire::put_lp(&mut bytes, wire::id(worker_id)?)?;
        wire::put_lp(&mut bytes, wire::id(user_id)?)?;
        Ok(Self { mode, bytes })
    }

    /// A prologue that somebody else laid down, for published vectors only.
    pub(crate) fn verbatim(mode: Mode, bytes: &[u8]) -> Self {
        Self {
            mode,
            bytes: bytes.to_vec(),
        }
    }

    /// The mode in it.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}
