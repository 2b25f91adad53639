//! What the application says: requests, responses, streams, pings.

use bytes::Bytes;
use schema::{
    ids::WorkspaceId,
    wire::{self, inner::Body, response},
};

use super::{SendError, live::Endpoint, outbox::Kind, sealing::encode};
use crate::relay::Side;

/// A request to make.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The method's name.
    pub method: &'a str,
    /// Protobuf.
    pub payload: Bytes,
    /// Whether a stream of the same id begins with it.
    pub opens_stream: bool,
    /// Whose role is asked for; none for methods of the owner.
    pub workspace: Option<&'a WorkspaceId>,
}

impl Endpoint {
    /// Client: asks for something; gives the id by which the response, and a stream, are known.
    ///
    /// # Errors
    ///
    /// [`SendError::TooMany`] while 64 requests or 32 MiB of them are unanswered, or 256 streams
    /// are open.
    pub fn request(&mut self, call: Call<'_>) -> Result<u64, SendError> {
        self.speak_as(Side::Client)?;
        if call.opens_stream && !self.streams.has_room_for_another() {
            return Err(SendError::TooMany);
        }
        // 16 bytes for the id, the flag and the framing of the fields.
        self.fits(call.payload.len() + call.method.len() + 128)?;
        let bytes = call.payload.len();
        let id = self.calls.issue(bytes).map_err(|_| SendError::TooMany)?;
        if call.opens_stream {
            self.streams.begin(id);
        }
        let request = wire::Request {
            id,
            method: call.method.to_owned(),
            payload: call.payload,
            opens_stream: call.opens_stream,
            workspace_id: call.workspace.map(ToString::to_string).unwrap_or_default(),
        };
        self.outbox
            .push(id, encode(Body::Request(request)), Kind::Other);
        Ok(id)
    }

    /// Client: gives a request, and its stream, up. What still comes for it is ignored.
    pub fn cancel(&mut self, id: u64) {
        let open = self.calls.end(id);
        let streamed = self.streams.remove(id);
        if self.side == Side::Client && (open || streamed) {
            self.outbox.purge(id);
            let cancel = Body::Cancel(wire::Cancel { id });
            self.outbox.push(id, encode(cancel), Kind::Other);
            self.tell_room();
        }
    }

    /// Worker: the handler of a cancelled request, or of a stream that the client has ended with
    /// an error, runs no more. Until then it counts as open. For others it changes nothing.
    pub fn finished(&mut self, id: u64) {
        self.calls.finish(id);
        self.streams.finish(id);
    }

    /// Worker: answers a request, once. An error ends the request's stream too.
    ///
    /// # Errors
    ///
    /// [`SendError::Unknown`] when it was answered or cancelled before (a cancelled one counts as
    /// [`finished`](Self::finished) then); [`SendError::TooLarge`]
    /// leaves it to be answered with an error.
    pub fn respond(
        &mut self,
        id: u64,
        result: Result<Bytes, wire::RpcError>,
    ) -> Result<(), SendError> {
        self.speak_as(Side::Worker)?;
        let failed = result.is_err();
        let result = match result {
            Ok(payload) => response::Result::Payload(payload),
            Err(error) => response::Result::Error(error),
        };
        let content = encode(Body::Response(wire::Response {
            id,
            result: Some(result),
        }));
        self.fits(content.len())?;
        if !self.calls.answer(id) {
            return Err(SendError::Unknown);
        }
        if failed {
            self.drop_stream(id);
        }
        self.outbox.push(id, content, Kind::Response);
        Ok(())
    }

    /// Sends bytes on a stream, all or nothing.
    ///
    /// # Errors
    ///
    /// [`SendError::NoRoom`] when credit does not cover all of it: wait for
    /// [`Event::StreamRoom`](super::Event::StreamRoom). [`SendError::Behind`] when it does not, and
    /// the channel has no path: nobody waits for one, so the stream ends.
    pub fn stream_send(&mut self, id: u64, data: Bytes) -> Result<(), SendError> {
        if data.len() > self.limits.stream_message {
            return Err(SendError::TooLarge);
        }
        if self.room(id)? < data.len() {
            if self.detached_until.is_some() && !self.streams.covers(id, data.len()) {
                self.fall_behind(id);
                return Err(SendError::Behind);
            }
            self.streams.want_room(id);
            return Err(SendError::NoRoom);
        }
        let bytes = data.len();
        let content = encode(Body::StreamData(wire::StreamData { id, data }));
        self.fits(content.len())?;
        self.streams.sent(id, bytes);
        self.outbox.push(id, content, Kind::Stream(bytes));
        Ok(())
    }

    /// Bytes that [`stream_send`](Self::stream_send) takes now, at most 256 KiB. When it is none,
    /// `StreamRoom` tells of the first.
    pub fn stream_room(&mut self, id: u64) -> usize {
        let room = self.room(id).unwrap_or_default();
        if room == 0 {
            self.streams.want_room(id);
        }
        room
    }

    /// Ends this side of a stream. With an error the whole stream is over, and what was not sent
    /// yet is forgotten.
    ///
    /// # Errors
    ///
    /// [`SendError::Unknown`] when this side has ended before, or there is no such stream.
    pub fn stream_end(&mut self, id: u64, error: Option<wire::RpcError>) -> Result<(), SendError> {
        if self.closed().is_some() {
            return Err(SendError::Closed);
        }
        if !self.streams.end_here(id) {
            return Err(SendError::Unknown);
        }
        if error.is_some() {
            self.drop_stream(id);
        }
        let end = Body::StreamEnd(wire::StreamEnd { id, error });
        self.outbox.push(id, encode(end), Kind::Other);
        Ok(())
    }

    /// The application redraws on a new stream.
    fn fall_behind(&mut self, id: u64) {
        let error = wire::RpcError {
            code: ABORTED,
            message: "behind".to_owned(),
        };
        // It is open: it had room, or none.
        let _ = self.stream_end(id, Some(error));
    }

    /// The application has used `bytes` of a stream: the other side gets credit for them.
    pub fn stream_consumed(&mut self, id: u64, bytes: usize) {
        if let Some(total) = self.streams.consumed(id, bytes) {
            self.outbox
                .push_credit(encode(Body::Credit(wire::Credit { id, total })));
        }
    }

    /// Asks the other end for a sign of life; it shows as `Pong`. One at a time: a second one
    /// replaces the first.
    pub const fn ping(&mut self) {
        self.echo.want();
    }

    fn room(&self, id: u64) -> Result<usize, SendError> {
        if self.closed().is_some() {
            return Err(SendError::Closed);
        }
        let credit = self.streams.room(id).ok_or(SendError::Unknown)?;
        let queue = self
            .limits
            .outbox_bytes
            .saturating_sub(self.outbox.stream_bytes());
        Ok(credit.min(queue))
    }

    fn speak_as(&self, side: Side) -> Result<(), SendError> {
        match (self.closed(), self.side == side) {
            (Some(_), _) => Err(SendError::Closed),
            (None, false) => Err(SendError::WrongEnd),
            (None, true) => Ok(()),
        }
    }

    const fn fits(&self, bytes: usize) -> Result<(), SendError> {
        if bytes > self.message_bytes {
            Err(SendError::TooLarge)
        } else {
            Ok(())
        }
    }
}

/// Of gRPC: worth trying again from the start.
const ABORTED: u32 = 10;
