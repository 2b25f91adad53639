//! What goes out next, and its seal.

use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use schema::{
    frame::{Frame, associated_data},
    wire::{self, Inner, inner::Body},
};
use zeroize::Zeroizing;

use super::{Event, live::Endpoint, outbox::Departure};
use crate::{close::CloseReason, relay::Side};

impl Endpoint {
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        if let Some(body) = self.uncounted(now) {
            return self.seal_uncounted(body);
        }
        if !self.phase.may_send() || self.closed().is_some() || !self.window.has_room() {
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
        if let Some(nonce) = self.echo.to_answer.take() {
            return Some(Body::Pong(wire::Pong { nonce }));
        }
        std::mem::take(&mut self.echo.to_ask).then(|| self.ask(now))
    }

    fn ask(&mut self, now: Instant) -> Body {
        self.echo.nonce += 1;
        self.echo.asked = Some((self.echo.nonce, now));
        Body::Ping(wire::Ping {
            nonce: self.echo.nonce,
        })
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
        self.window.sent(plaintext.len());
        if let (Side::Worker, Some(id)) = (self.side, answered) {
            self.calls.end(id);
        }
        self.tell_room();
        Some(frame)
    }

    fn seal(&mut self, correlation: u64, flags: u8, plaintext: &[u8]) -> Option<Frame> {
        let keys = self.keys.as_mut()?;
        let sealed = keys
            .sealer
            .seal(&associated_data(correlation, flags), plaintext);
        let tired = keys.sealer.wants_renewal() || keys.opener.wants_renewal();
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
        if tired {
            self.want_renewal();
        }
        let Self { parties, epoch, .. } = self;
        Some(Frame::new(
            parties.channel,
            *epoch,
            correlation,
            flags,
            &ciphertext,
        ))
    }

    pub(super) fn want_renewal(&mut self) {
        if self.renewal.take().is_some() {
            self.events.push_back(Event::RenewalDue);
        }
    }
}

/// The plaintext of a message, wiped when the last part of it is dropped.
pub(super) fn encode(body: Body) -> Bytes {
    Bytes::from_owner(Zeroizing::new(Inner { body: Some(body) }.encode_to_vec()))
}
