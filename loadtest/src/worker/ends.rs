//! What is behind a Worker's links.

use std::sync::Arc;

use bytes::Bytes;
use schema::frame::Outer;

use super::{
    handshakes::Handshakes,
    junk::Junk,
    registration::Registered,
    sealed::{Sealed, Signed},
};

/// The Worker's ends of its channels.
pub(super) enum Ends {
    Junk(Junk),
    Sealed(Box<Sealed>),
}

impl Ends {
    /// No channel yet.
    pub(super) fn of(worker: &Registered, handshakes: Arc<Handshakes>) -> Self {
        match &worker.identity {
            None => Self::Junk(Junk::new()),
            Some(identity) => Self::Sealed(Box::new(Sealed::new(
                worker.id.clone(),
                identity.clone(),
                worker.mode,
                handshakes,
            ))),
        }
    }

    /// A message that cannot be parsed is the Hub's fault and shows as a loss.
    pub(super) fn outer(&mut self, raw: Bytes, out: &mut Vec<Outer>) {
        let Ok(outer) = Outer::parse(raw) else { return };
        match self {
            Self::Junk(junk) => out.extend(junk.outer(outer)),
            Self::Sealed(sealed) => sealed.outer(outer, out),
        }
    }

    /// The next signature that is ready. Pends while none is asked for.
    pub(super) async fn signed(&mut self) -> Signed {
        match self {
            Self::Junk(_) => std::future::pending().await,
            Self::Sealed(sealed) => sealed.signed().await,
        }
    }

    /// A signature is ready.
    pub(super) fn answer(&mut self, signed: Signed, out: &mut Vec<Outer>) {
        if let Self::Sealed(sealed) = self {
            sealed.answer(signed, out);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, out: &mut Vec<Outer>) {
        if let Self::Sealed(sealed) = self {
            sealed.tick(out);
        }
    }

    /// The link is gone.
    pub(super) fn lost(&mut self) {
        if let Self::Sealed(sealed) = self {
            sealed.lost();
        }
    }
}
