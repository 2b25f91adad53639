//! The rows of the handshake that both modes share: `Noise_NK` itself.
//!
//! ```text
//! <- s
//! ...
//! -> e, es
//! <- e, ee
//! ```
//! (Noise revision 34, 7.5). The tags that end each message are written by [`crate::exchange`],
//! after the rows of [`crate::hybrid`] where there are any.

use crate::symmetric::SymmetricState;
use crate::x25519::{self, DhSecret};
use crate::{Error, PublicKey};

/// The pre-message: the Worker's static key is known to the client.
pub(crate) fn mix_static(state: &mut SymmetricState, worker: &PublicKey) {
    state.mix_hash(worker.x25519());
}

/// `e, es` as the client writes them.
pub(crate) fn write_1(
    state: &mut SymmetricState,
    e: &DhSecret,
    s: &[u8; x25519::LEN],
    message: &mut Vec<u8>,
) -> Result<(), Error> {
    let public = e.public();
    state.mix_hash(&public);
    state.mix_key(&*e.agree(s)?);
    message.extend_from_slice(&public);
    Ok(())
}

/// `e, es` as the Worker reads them.
pub(crate) fn read_1(
    state: &mut SymmetricState,
    s: &DhSecret,
    e: &[u8; x25519::LEN],
) -> Result<(), Error> {
    state.mix_hash(e);
    state.mix_key(&*s.agree(e)?);
    Ok(())
}

/// `e, ee` as the Worker writes them.
pub(crate) fn write_2(
    state: &mut SymmetricState,
    e2: &DhSecret,
    e: &[u8; x25519::LEN],
    message: &mut Vec<u8>,
) -> Result<(), Error> {
    let public = e2.public();
    state.mix_hash(&public);
    state.mix_key(&*e2.agree(e)?);
    message.extend_from_slice(&public);
    Ok(())
}

/// `e, ee` as the client reads them.
pub(crate) fn read_2(
    state: &mut SymmetricState,
    e: &DhSecret,
    e2: &[u8; x25519::LEN],
) -> Result<(), Error> {
    state.mix_hash(e2);
    state.mix_key(&*e.agree(e2)?);
    Ok(())
}
