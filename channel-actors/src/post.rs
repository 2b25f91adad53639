//! The two ways to send, and the only file that may call `do_send` and `try_send`.
//!
//! `try_send` through a fresh clone of an address ignores the mailbox's bound, since every clone
//! brings a free place of its own; through the same address it is kept. `do_send` ignores it
//! always. So what may be many is *offered* through one kept recipient, and what is bounded in
//! number is *told*.

#![expect(
    clippy::disallowed_methods,
    reason = "this file keeps the rule that forbids them"
)]

use actix::{
    Actor, Addr, Handler, Message, Recipient,
    dev::{SendError, ToEnvelope},
};

/// A recipient that was resolved once and stays in one place.
///
/// It cannot be cloned: the bound of a mailbox holds for each sender apart.
pub struct Kept<M>
where
    M: Message + Send,
    M::Result: Send,
{
    recipient: Recipient<M>,
}

/// Why an offer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overrun {
    /// The mailbox holds all it may: the other side is too slow.
    #[error("the mailbox is full")]
    Full,
    /// The actor has stopped.
    #[error("the actor is gone")]
    Gone,
}

impl<M> Kept<M>
where
    M: Message + Send,
    M::Result: Send,
{
    /// Keeps a recipient for the life of its channel.
    #[must_use]
    pub const fn new(recipient: Recipient<M>) -> Self {
        Self { recipient }
    }

    /// Offers a frame; never waits.
    ///
    /// # Errors
    ///
    /// [`Overrun`]: the frame was not taken. Nothing may be skipped, so the channel ends.
    pub fn offer(&self, message: M) -> Result<(), Overrun> {
        self.recipient
            .try_send(message)
            .map_err(|refused| match refused {
                SendError::Full(_) => Overrun::Full,
                SendError::Closed(_) => Overrun::Gone,
            })
    }
}

/// Tells something that is bounded in number and cannot be refused. Who is gone hears nothing.
pub fn tell<M>(recipient: &Recipient<M>, message: M)
where
    M: Message + Send,
    M::Result: Send,
{
    recipient.do_send(message);
}

/// The same, to an address.
pub fn tell_addr<A, M>(addr: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send,
    M::Result: Send,
{
    addr.do_send(message);
}
