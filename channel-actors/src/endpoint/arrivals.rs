//! What comes in: opened, counted, put together, let through the gate, heeded.

use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use rand_core::CryptoRng;
use schema::{
    frame::Frame,
    ids::WorkspaceId,
    wire::{self, Inner, control, inner::Body, response},
};

use super::{
    Event, Failure,
    calls::{Begun, Known},
    gate::{self, Phase, Shut},
    live::Endpoint,
    outbox::Kind,
    sealing::encode,
    streams::Received,
};
use crate::{close::CloseReason, relay::Side, tally::Place};

pub(super) type Heeded = Result<(), Shut>;

pub(super) const BREACH: Shut = Shut::Close(CloseReason::ProtocolError);

impl Endpoint {
    /// Takes one frame of this channel. What is wrong with it shows as [`Event::Closed`]; what came
    /// too late is dropped and counted.
    pub fn receive(&mut self, frame: Frame, now: Instant) {
        if self.closed().is_some() {
            return;
        }
        let newest = self.epoch();
        let heeded = match self.phase {
            _ if frame.epoch() > newest => Err(BREACH),
            _ if frame.epoch() < newest => self.drop_late(),
            Phase::Renewing { .. } | Phase::Detached => self.drop_late(),
            Phase::Judging { .. } => self.hold_back(frame),
            Phase::AwaitingClaim { .. } | Phase::AwaitingAnswer { .. } | Phase::Open => {
                self.open(&frame, now)
            }
        };
        if let Err(shut) = heeded {
            self.shut(shut);
        }
    }

    /// Takes a control message of this channel: a Close and, at a client, the answer to a Renew.
    /// Others are not an endpoint's. What came too late is dropped and counted.
    pub fn receive_control<R: CryptoRng + ?Sized>(
        &mut self,
        body: &control::Body,
        rng: &mut R,
        now: Instant,
    ) {
        let ours = self.parties.channel;
        let is_ours = |id: &Bytes| *id == ours.as_bytes().as_slice();
        if self.closed().is_some() {
            return;
        }
        match body {
            control::Body::Close(close) if is_ours(&close.channel_id) => {
                self.heed_close(close, now);
            }
            control::Body::Renewed(renewed) if is_ours(&renewed.channel_id) => {
                self.heed_renewed(renewed, rng, now);
            }
            control::Body::Refused(refused) if is_ours(&refused.channel_id) => {
                self.heed_refused(refused, now);
            }
            control::Body::Open(_)
            | control::Body::Incoming(_)
            | control::Body::Opened(_)
            | control::Body::Refused(_)
            | control::Body::Renew(_)
            | control::Body::Renewed(_)
            | control::Body::Close(_)
            | control::Body::AccessChanged(_)
            | control::Body::AccessAcknowledged(_)
            | control::Body::Goodbye(_) => {}
        }
    }

    const fn drop_late(&mut self) -> Heeded {
        self.dropped.frames += 1;
        Ok(())
    }

    fn heed_close(&mut self, close: &wire::Close, now: Instant) {
        let reason = CloseReason::from_wire(close.reason).unwrap_or(CloseReason::ProtocolError);
        // "Moved" says that a newer path has taken over: the one that the Renew went by.
        let renewing = matches!(self.phase, Phase::Renewing { .. });
        if close.epoch < self.epoch() || renewing && reason == CloseReason::Moved {
            self.dropped.closes += 1;
        } else if self.established && reason.may_reattach() {
            self.detach(now);
        } else {
            self.end(reason, None);
        }
    }

    fn open(&mut self, frame: &Frame, now: Instant) -> Heeded {
        let place = self.tally.admit(frame, now).map_err(Shut::Close)?;
        let plaintext = self.decrypt(frame)?;
        let bytes = plaintext.len();
        if let Phase::AwaitingClaim { .. } = self.phase {
            return self.expect_claim(place, plaintext, now);
        }
        if place != Place::Whole {
            self.receipts.count(bytes, now);
        }
        let Some(message) = self.joiner.join(place, plaintext) else {
            return Ok(());
        };
        // Before it is decoded: what is a few bytes long may be much larger in memory.
        if place != Place::Whole && !gate::may_be_long(&message) {
            return Err(BREACH);
        }
        let size = message.len();
        let body = decode(message).ok_or(BREACH)?;
        match (place, gate::is_counted(&body)) {
            (Place::Whole, true) => self.receipts.count(bytes, now),
            // It was counted as it came and its sender did not: the two would never agree again.
            (Place::Chunk | Place::Last, false) => return Err(BREACH),
            (Place::Whole, false) | (Place::Chunk | Place::Last, true) => {}
        }
        match self.side {
            Side::Client => gate::client_admits(self.phase, &body)?,
            Side::Worker => gate::worker_admits(&body)?,
        }
        self.heed(body, size, now)
    }

    fn decrypt(&mut self, frame: &Frame) -> Result<Bytes, Shut> {
        let newest = self.epochs.as_mut().ok_or(BREACH)?.newest_mut();
        let opener = &mut newest.keys.opener;
        let opened = opener.open(&frame.associated_data(), frame.ciphertext());
        self.renew_when_tired();
        match opened {
            // Wiped when the last part of it is dropped.
            Ok(plaintext) => Ok(Bytes::from_owner(plaintext)),
            Err(crypto::Error::CounterExhausted) => Err(Shut::Close(CloseReason::KeyExpired)),
            Err(_) => Err(Shut::Close(CloseReason::DecryptFailed)),
        }
    }

    /// What the gate let through.
    fn heed(&mut self, body: Body, size: usize, now: Instant) -> Heeded {
        match body {
            // Frame 0 is the only place for one; the gate lets none through.
            Body::Claim(_) => return Err(BREACH),
            Body::ClaimAccepted(accepted) => self.heed_acceptance(accepted, now),
            Body::Failure(failure) => {
                self.end(CloseReason::Rejected, Failure::from_wire(failure));
            }
            Body::Request(request) => self.heed_request(request, size)?,
            Body::Response(response) => self.heed_response(response)?,
            Body::StreamData(data) => self.heed_stream_data(data)?,
            Body::StreamEnd(end) => self.heed_stream_end(end)?,
            Body::Credit(credit) => self.heed_credit(credit)?,
            Body::Cancel(cancel) => self.heed_cancel(cancel.id),
            Body::Ping(ping) => self.echo.heed_ping(ping.nonce),
            Body::Pong(pong) => self.heed_pong(pong.nonce, now),
            Body::Ack(ack) if self.window.acknowledge(ack.received) => {}
            Body::Ack(_) => return Err(BREACH),
        }
        Ok(())
    }

    fn heed_request(&mut self, request: wire::Request, size: usize) -> Heeded {
        let wire::Request {
            id,
            method,
            payload,
            opens_stream,
            workspace_id,
        } = request;
        let workspace = match workspace_id.as_str() {
            "" => None,
            text => Some(WorkspaceId::parse(text).map_err(|_| BREACH)?),
        };
        let begun = self.calls.begin(id, size).map_err(|_| BREACH)?;
        if begun == Begun::Refused || opens_stream && !self.streams.has_room_for_another() {
            self.refuse_request(id);
            return Ok(());
        }
        if opens_stream {
            self.streams.begin(id);
        }
        self.events.push_back(Event::Request {
            id,
            method,
            payload,
            opens_stream,
            workspace,
        });
        Ok(())
    }

    /// No breach: the client's count goes down with a Cancel or an end that is still on its way.
    fn refuse_request(&mut self, id: u64) {
        self.calls.answer(id);
        let content = encode(Body::Response(wire::Response {
            id,
            result: Some(response::Result::Error(exhausted(
                "too many requests or streams are open",
            ))),
        }));
        self.outbox.push(id, content, Kind::Response);
    }

    fn heed_response(&mut self, response: wire::Response) -> Heeded {
        let id = response.id;
        match self.calls.knows(id) {
            Known::Never => return Err(BREACH),
            Known::Over => return Ok(()),
            Known::Open => self.calls.end(id),
        };
        let result = match response.result.ok_or(BREACH)? {
            response::Result::Payload(payload) => Ok(payload),
            response::Result::Error(error) => {
                self.drop_stream(id);
                Err(error)
            }
        };
        self.events.push_back(Event::Response { id, result });
        Ok(())
    }

    fn heed_cancel(&mut self, id: u64) {
        let known = self.calls.cancel(id);
        let streamed = self.streams.cancel(id);
        if known || streamed {
            self.outbox.purge(id);
            self.tell_room();
            self.events.push_back(Event::Cancelled { id });
        }
    }

    fn heed_stream_data(&mut self, data: wire::StreamData) -> Heeded {
        let wire::StreamData { id, data } = data;
        if self.is_stream(id)? {
            match self.streams.received(id, data.len()).map_err(|_| BREACH)? {
                Received::Taken => self.events.push_back(Event::StreamData { id, data }),
                Received::Flood => self.end_flood(id),
            }
        }
        Ok(())
    }

    fn end_flood(&mut self, id: u64) {
        let error = exhausted("too many small messages");
        self.give_up_stream(id);
        let end = Body::StreamEnd(wire::StreamEnd {
            id,
            error: Some(error.clone()),
        });
        self.outbox.push(id, encode(end), Kind::Other);
        let error = Some(error);
        self.events.push_back(Event::StreamEnd { id, error });
    }

    fn heed_stream_end(&mut self, end: wire::StreamEnd) -> Heeded {
        let wire::StreamEnd { id, error } = end;
        if !self.is_stream(id)? {
            return Ok(());
        }
        match &error {
            Some(_) => self.give_up_stream(id),
            None => self.streams.end_there(id).map_err(|_| BREACH)?,
        }
        self.events.push_back(Event::StreamEnd { id, error });
        Ok(())
    }

    fn heed_credit(&mut self, credit: wire::Credit) -> Heeded {
        if self.is_stream(credit.id)? {
            self.streams
                .credited(credit.id, credit.total)
                .map_err(|_| BREACH)?;
            self.tell_room();
        }
        Ok(())
    }

    fn heed_pong(&mut self, nonce: u64, now: Instant) {
        if let Some(rtt) = self.echo.heed_pong(nonce, now) {
            self.events.push_back(Event::Pong { rtt });
        }
    }

    /// Whether there is such a stream. What comes for one that is over was under way.
    fn is_stream(&self, id: u64) -> Result<bool, Shut> {
        match (self.streams.is_open(id), self.calls.knows(id)) {
            (true, _) => Ok(true),
            (false, Known::Open | Known::Over) => Ok(false),
            (false, Known::Never) => Err(BREACH),
        }
    }

    pub(super) fn drop_stream(&mut self, id: u64) {
        self.streams.remove(id);
        self.outbox.purge_stream(id);
        self.tell_room();
    }

    /// A stream is over, and at a Worker its handler does not know yet.
    fn give_up_stream(&mut self, id: u64) {
        if self.side == Side::Worker {
            self.streams.cancel(id);
        }
        self.drop_stream(id);
    }
}

fn exhausted(message: &str) -> wire::RpcError {
    wire::RpcError {
        code: RESOURCE_EXHAUSTED,
        message: message.to_owned(),
    }
}

/// Of gRPC.
const RESOURCE_EXHAUSTED: u32 = 8;

pub(super) fn decode(message: Bytes) -> Option<Body> {
    Inner::decode(message).ok()?.body
}
