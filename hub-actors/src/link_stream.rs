//! The two directions of a link's gRPC stream, without copies of what is large.
//!
//! A stock codec copies each message into a buffer, on both ways. Here a large frame leaves in the
//! memory it came in, behind an envelope of its own, and what comes in is cut out of the memory
//! that HTTP/2 read it into. On the wire it is gRPC as of any stock client: a message is one byte of
//! compression, which is never used, its length as big-endian u32, and so many bytes of protobuf.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as HttpBody, Frame};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use schema::wire::{FromWorker, ToWorker, to_worker};
use tonic::{Status, body::Body};

use crate::outbox::Outgoing;

/// The largest message of a link: a control message and its envelope.
const MESSAGE_MAX: usize = schema::frame::CONTROL_MAX + 64;
/// Compression and length.
const HEAD_LEN: usize = 5;
/// Bytes that are handed to HTTP/2 at once; a message more may make it longer.
const GATHERED_MAX: usize = 64 * 1024;
/// A frame of so many bytes is not copied to stand beside others. HTTP/2 writes each piece by
/// itself, so smaller ones are cheaper together.
const APART_MIN: usize = 16 * 1024;
/// After so many bytes at once, the next are likely to be many too.
const MANY_MIN: usize = 4 * 1024;
/// Memory for a few small messages.
const FEW: usize = 1024;
/// The field `relay` of `ToWorker`.
const RELAY_TAG: u32 = 2;

/// The messages of a Worker.
pub(crate) struct Arrivals {
    body: Body,
    /// Of the last piece, what was not looked at.
    rest: Bytes,
    /// The beginning of a message that came in several pieces.
    begun: BytesMut,
}

impl Arrivals {
    pub(crate) fn new(body: Body) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            begun: BytesMut::new(),
        }
    }

    /// The next message that is here as a whole.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        if self.begun.is_empty()
            && let Some(length) = message_len(&self.rest)?
            && self.rest.len() >= HEAD_LEN + length
        {
            self.rest.advance(HEAD_LEN);
            return Ok(Some(self.rest.split_to(length)));
        }
        loop {
            let wanted = match message_len(&self.begun)? {
                Some(length) => HEAD_LEN + length,
                None => HEAD_LEN,
            };
            let missing = wanted - self.begun.len();
            if missing == 0 {
                let mut whole = self.begun.split().freeze();
                whole.advance(HEAD_LEN);
                return Ok(Some(whole));
            }
            if self.rest.is_empty() {
                return Ok(None);
            }
            self.begun.reserve(missing);
            let more = self.rest.split_to(missing.min(self.rest.len()));
            self.begun.put_slice(&more);
        }
    }
}

/// The length in a message's head, if the head is here.
fn message_len(raw: &[u8]) -> Result<Option<usize>, Status> {
    let Some(mut head) = raw.get(..HEAD_LEN) else {
        return Ok(None);
    };
    if head.get_u8() != 0 {
        return Err(Status::unimplemented("compression is not used here"));
    }
    match usize::try_from(head.get_u32()) {
        Ok(length) if length <= MESSAGE_MAX => Ok(Some(length)),
        Ok(_) | Err(_) => Err(Status::out_of_range("the message is too long")),
    }
}

impl Stream for Arrivals {
    type Item = Result<FromWorker, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.take() {
                Ok(None) => {}
                Ok(Some(whole)) => {
                    let undecodable = |_| Status::internal("the message is not protobuf");
                    let message = FromWorker::decode(whole).map_err(undecodable);
                    return Poll::Ready(Some(message));
                }
                Err(status) => return Poll::Ready(Some(Err(status))),
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => this.rest = frame.into_data().unwrap_or_default(),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None if this.begun.is_empty() => return Poll::Ready(None),
                None => {
                    this.begun.clear();
                    let cut = Status::internal("the stream ended within a message");
                    return Poll::Ready(Some(Err(cut)));
                }
            }
        }
    }
}

/// What goes to a Worker, as the body of the answer.
pub(crate) struct Departures {
    outgoing: Outgoing,
    gathered: BytesMut,
    /// A large frame whose envelope was handed out.
    apart: Option<Bytes>,
    /// Nothing comes any more; the trailers may still have to.
    ended: Option<Ended>,
}

#[derive(PartialEq, Eq)]
enum Ended {
    Queue,
    Trailers,
}

impl Departures {
    pub(crate) fn new(outgoing: Outgoing) -> Self {
        Self {
            outgoing,
            gathered: BytesMut::new(),
            apart: None,
            ended: None,
        }
    }

    fn gather(&mut self, cx: &mut Context<'_>) {
        while self.apart.is_none() && self.gathered.len() < GATHERED_MAX && self.ended.is_none() {
            match Pin::new(&mut self.outgoing).poll_next(cx) {
                Poll::Ready(Some(to_worker::Body::Relay(raw))) => self.relay(raw),
                Poll::Ready(Some(body)) => self.message(body),
                Poll::Ready(None) => self.ended = Some(Ended::Queue),
                Poll::Pending => break,
            }
        }
    }

    fn relay(&mut self, raw: Bytes) {
        let length = raw.len() as u64;
        let field = key_len(RELAY_TAG) + encoded_len_varint(length) + raw.len();
        let is_apart = raw.len() >= APART_MIN;
        self.make_room(HEAD_LEN + field - if is_apart { raw.len() } else { 0 });
        put_head(field, &mut self.gathered);
        encode_key(RELAY_TAG, WireType::LengthDelimited, &mut self.gathered);
        encode_varint(length, &mut self.gathered);
        if is_apart {
            self.apart = Some(raw);
        } else {
            self.gathered.put_slice(&raw);
        }
    }

    fn message(&mut self, body: to_worker::Body) {
        let message = ToWorker { body: Some(body) };
        let length = message.encoded_len();
        self.make_room(HEAD_LEN + length);
        put_head(length, &mut self.gathered);
        self.gathered.put_slice(&message.encode_to_vec());
    }

    fn make_room(&mut self, bytes: usize) {
        let spare = self.gathered.capacity() - self.gathered.len();
        if spare < bytes {
            let many = self.gathered.len() >= MANY_MIN;
            self.gathered
                .reserve(if many { GATHERED_MAX } else { bytes.max(FEW) });
        }
    }

    /// What was gathered, on its way.
    fn hand_out(&mut self) -> Bytes {
        let piece = self.gathered.split().freeze();
        if piece.len() >= MANY_MIN {
            // In one piece of memory, which does not have to grow.
            self.gathered = BytesMut::with_capacity(GATHERED_MAX + APART_MIN);
        } else if self.gathered.capacity() > MANY_MIN {
            self.gathered = BytesMut::new();
        }
        piece
    }
}

fn put_head(length: usize, to: &mut BytesMut) {
    to.put_u8(0);
    // No message is longer than what came in.
    to.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

impl HttpBody for Departures {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.gathered.is_empty() {
            if let Some(raw) = this.apart.take() {
                return Poll::Ready(Some(Ok(Frame::data(raw))));
            }
            this.gather(cx);
        }
        if !this.gathered.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(this.hand_out()))));
        }
        match this.ended {
            None => Poll::Pending,
            Some(Ended::Trailers) => Poll::Ready(None),
            Some(Ended::Queue) => {
                this.ended = Some(Ended::Trailers);
                let mut trailers = HeaderMap::new();
                trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use channel_actors::{fence::Fence, lane::Lane};
    use futures_util::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};
    use schema::{
        frame::Frame as Sealed,
        ids::ChannelId,
        wire::{Heartbeat, from_worker},
    };

    use super::*;
    use crate::outbox;

    fn relay(bytes: usize) -> FromWorker {
        let raw = vec![7; bytes].into();
        let body = Some(from_worker::Body::Relay(raw));
        FromWorker { body }
    }

    fn wire(messages: &[FromWorker]) -> Vec<u8> {
        let mut wire = Vec::new();
        for message in messages {
            wire.push(0);
            wire.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
            wire.extend(message.encode_to_vec());
        }
        wire
    }

    fn arrivals(pieces: Vec<Vec<u8>>) -> Arrivals {
        let frames = pieces.into_iter().map(|piece| {
            let data = Frame::data(Bytes::from(piece));
            Ok::<_, Status>(data)
        });
        Arrivals::new(Body::new(StreamBody::new(stream::iter(frames))))
    }

    #[tokio::test]
    async fn messages_arrive_however_the_pieces_are_cut() {
        let sent = [
            relay(0),
            relay(300),
            relay(40_000),
            FromWorker { body: None },
        ];
        let wire = wire(&sent);
        for size in [1, 2, 3, 4, 5, 6, 7, 300, 311, 4_096, wire.len()] {
            let pieces = wire.chunks(size).map(<[u8]>::to_vec).collect();
            let got: Vec<_> = arrivals(pieces)
                .map(|message| message.unwrap())
                .collect()
                .await;
            assert_eq!(got, sent);
        }
    }

    #[tokio::test]
    async fn a_whole_message_is_not_copied() {
        let wire = wire(&[relay(40_000)]);
        let memory = wire.as_ptr_range();
        let message = arrivals(vec![wire]).next().await.unwrap().unwrap();
        let Some(from_worker::Body::Relay(raw)) = message.body else {
            panic!("not a relay");
        };
        assert!(memory.contains(&raw.as_ptr()));
    }

    #[tokio::test]
    async fn what_is_compressed_or_too_long_or_cut_or_no_protobuf_is_refused() {
        let too_long = u32::try_from(MESSAGE_MAX + 1).unwrap().to_be_bytes();
        let cut = wire(&[relay(100)])[..50].to_vec();
        for raw in [
            vec![1, 0, 0, 0, 0],
            [&[0], &too_long[..]].concat(),
            cut,
            vec![0, 0, 0, 0, 1, 0xFF],
        ] {
            assert!(arrivals(vec![raw]).next().await.unwrap().is_err());
        }
    }

    #[tokio::test]
    async fn a_stock_decoder_reads_what_departs_and_the_status_comes_last() {
        let mut lane = Lane::new(Fence::new(), 64, 10_000_000);
        let (outbox, outgoing) = outbox::pair();
        let sizes = [17, 5_000, 20_000, 65_535, 17];
        for size in sizes {
            let frame = Sealed::new(ChannelId::from_bytes([7; 16]), 0, 1, 0, &vec![9; size]);
            let passing = lane.enter(frame, crate::clock::now()).unwrap();
            assert!(outbox.frame(passing).is_ok());
        }
        let heartbeat = to_worker::Body::Heartbeat(Heartbeat { nonce: 3 });
        assert!(outbox.say(heartbeat.clone()).is_ok());
        drop(outbox);
        let whole = Departures::new(outgoing).collect().await.unwrap();
        let status = whole.trailers().unwrap().get("grpc-status").cloned();
        assert_eq!(status, Some(HeaderValue::from_static("0")));
        let mut wire = whole.to_bytes();
        let mut bodies = Vec::new();
        while wire.has_remaining() {
            assert_eq!(wire.get_u8(), 0);
            let length = wire.get_u32() as usize;
            bodies.extend(ToWorker::decode(wire.split_to(length)).unwrap().body);
        }
        assert_eq!(bodies.pop(), Some(heartbeat));
        let lengths: Vec<_> = bodies
            .into_iter()
            .map(|body| match body {
                to_worker::Body::Relay(raw) => raw.len() - 30,
                to_worker::Body::Welcome(_)
                | to_worker::Body::Heartbeat(_)
                | to_worker::Body::Goodbye(_) => 0,
            })
            .collect();
        assert_eq!(lengths, sizes);
    }

    #[tokio::test]
    async fn a_large_frame_leaves_in_the_memory_it_came_in() {
        let mut lane = Lane::new(Fence::new(), 64, 10_000_000);
        let (outbox, outgoing) = outbox::pair();
        let frame = Sealed::new(ChannelId::from_bytes([7; 16]), 0, 1, 0, &[9; 30_000]);
        let memory = frame.as_bytes().as_ptr();
        let passing = lane.enter(frame, crate::clock::now()).unwrap();
        assert!(outbox.frame(passing).is_ok());
        let mut departures = Departures::new(outgoing);
        let envelope = departures.frame().await.unwrap().unwrap();
        assert_eq!(envelope.into_data().unwrap().len(), HEAD_LEN + 4);
        let apart = departures.frame().await.unwrap().unwrap();
        assert_eq!(apart.into_data().unwrap().as_ptr(), memory);
    }
}
