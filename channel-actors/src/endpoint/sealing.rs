//! What goes out next, and its seal.

use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use schema::{
    frame::{Frame, associated_data},
    wire::{self, Inner, inner::Body},
};
use zeroize::Zeroizing;

use super::{live::Endpoint, outbox::Departure, window::Kept};
use crate::{close::CloseReason, relay::Side};

impl Endpoint {
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        if let Some(body) = self.uncounted(now) {
            return self.seal_uncounted(body);
        }
        if !self.phase.may_send() || self.closed().is_some() {
            return None;
        }
        // What was sealed in an epoch that is over goes first, in its order.
        if let Some(kept) = self.window.again() {
            return self.seal(kept.correlation, kept.flags, &kept.plaintext);
        }
        if !self.window.has_room() {
            return None;
        }
        let departure = self.outbox.next()?;
        self.seal_counted(departure)
    }

    /// What needs no room in the window, most urgent first.
    fn uncounted(&mut self, now: Instant) -> Option<Body> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if !self.phase.may_send() || self.closed().is_some() {
            return None;
        }
        if let Some(received) = self.receipts.take_due(now) {
            return Some(Body::Ack(wire::Ack { received }));
        }
        self.echo.next(now)
    }

    pub(super) fn seal_uncounted(&mut self, body: Body) -> Option<Frame> {
        let plaintext = encode(body);
        let correlation = self.outbox.next_correlation();
        self.seal(correlation, 0, &plaintext)
    }

    fn seal_counted(&mut self, departure: Departure) -> Option<Frame> {
        let Departure {
            correlation,
            flags,
            plaintext,
            answered,
        } = departure;
        let frame = self.seal(correlation, flags, &plaintext)?;
        self.window.keep(Kept {
            correlation,
            flags,
            plaintext,
        });
        if let (Side::Worker, Some(id)) = (self.side, answered) {
            self.calls.end(id);
        }
        self.tell_room();
        Some(frame)
    }

    fn seal(&mut self, correlation: u64, flags: u8, plaintext: &[u8]) -> Option<Frame> {
        let newest = self.epochs.as_mut()?.newest_mut();
        let (keys, epoch) = (&mut newest.keys, newest.number);
        let sealed = keys
            .sealer
            .seal(&associated_data(correlation, flags), plaintext);
        let ciphertext = match sealed {
            Ok(ciphertext) => ciphertext,
            Err(crypto::Error::PlaintextTooLong) => {
                self.close(CloseReason::MessageTooLarge);
                return None;
            }
            Err(_) => {
                self.close(CloseReason::KeyExpired);
                return None;
            }
        };
        self.renew_when_tired();
        Some(Frame::new(
            self.parties.channel,
            epoch,
            correlation,
            flags,
            &ciphertext,
        ))
    }
}

/// The plaintext of a message, wiped when the last part of it is dropped.
pub(super) fn encode(body: Body) -> Bytes {
    Bytes::from_owner(Zeroizing::new(Inner { body: Some(body) }.encode_to_vec()))
}
