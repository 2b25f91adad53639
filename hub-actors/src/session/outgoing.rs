//! What waits for a browser's socket, and leaves only past its fence.
//!
//! actix-web-actors encodes all that an actor has written at once, so a frame would be past its
//! fence, and its place given back, before the socket took a byte. Here frames wait in their
//! envelopes, and are encoded as the socket takes them: the head of a large frame is written, and
//! then the memory it came in.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_http::ws::Codec;
use actix_web::Error;
use actix_web_actors::ws::{CloseReason, Message};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use channel_actors::lane::Passing;
use futures_util::Stream;
use schema::{frame::Outer, wire::control::Body};
use tokio_util::codec::Encoder as _;

use crate::takeover::Taken;

/// Bytes that may wait encoded; a message more may make it longer.
const ENCODED_MAX: usize = 64 * 1024;
/// Pieces of memory that one system call writes.
const PIECES_MAX: usize = 64;
/// A frame of so many bytes is not copied to stand beside others.
const APART_MIN: usize = 2 * 1024;
/// What a socket that has little to write keeps for it.
const STAGING_IDLE: usize = 8 * 1024;

/// Messages that may wait beside the frames. A client that reads its answers leaves few.
const MESSAGES_MAX: usize = 8_192;
/// With so many parcels it is worth looking whether frames are gone from their lanes.
const SWEEP_MIN: usize = 16_384;

#[derive(Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    messages: usize,
    /// So many parcels are too many if nothing is in them.
    sweep_at: usize,
}

impl Queue {
    fn push_back(&mut self, parcel: Parcel) {
        if self.parcels.len() >= self.sweep_at {
            self.sweep();
        }
        self.messages += usize::from(parcel.is_message());
        self.parcels.push_back(parcel);
    }

    /// Throws the envelopes away whose channels have let go of their frames: a client that hardly
    /// reads would leave them here.
    fn sweep(&mut self) {
        self.parcels.retain(|parcel| match parcel {
            Parcel::Frame(passing) => passing.waits(),
            Parcel::Message(_) => true,
        });
        self.sweep_at = SWEEP_MIN.max(2 * self.parcels.len());
    }

    fn pop_front(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.pop_front()?;
        self.messages -= usize::from(parcel.is_message());
        Some(parcel)
    }
}

enum Parcel {
    Frame(Passing),
    Message(Message),
}

impl Parcel {
    const fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }
}

/// The actor's end. Frames hold a place of their channel's lane until they are encoded, and of
/// everything else only so much may wait.
#[derive(Default)]
pub(super) struct Outgoing {
    queue: Rc<RefCell<Queue>>,
}

impl Outgoing {
    pub(super) fn frame(&self, passing: Passing) {
        self.push(Parcel::Frame(passing));
    }

    pub(super) fn control(&self, body: Body) {
        self.message(Message::Binary(Outer::from(body).encode()));
    }

    pub(super) fn close(&self, reason: Option<CloseReason>) {
        self.message(Message::Close(reason));
    }

    pub(super) fn message(&self, message: Message) {
        self.push(Parcel::Message(message));
    }

    /// Whether the client asks for more answers than it reads.
    pub(super) fn is_overrun(&self) -> bool {
        self.queue.borrow().messages > MESSAGES_MAX
    }

    /// Whether frames wait, so that a client that reads them has not come to our questions yet.
    pub(super) fn holds_frames(&self) -> bool {
        let queue = self.queue.borrow();
        queue.parcels.len() > queue.messages
    }

    fn push(&self, parcel: Parcel) {
        self.queue.borrow_mut().push_back(parcel);
    }

    /// The socket's end; `actor` is what drives the actor, and writes nothing itself.
    pub(super) fn socket<S>(&self, taken: Rc<Taken>) -> impl FnOnce(S) -> Socket<S> + use<S> {
        let queue = Rc::clone(&self.queue);
        |actor| Socket {
            actor: Some(actor),
            queue,
            encoded: Encoded::default(),
            taken,
        }
    }
}

/// The body of an upgraded response: it writes the actor's messages as the socket takes them, and
/// gives the dispatcher nothing to write.
///
/// The actor is not polled while the socket takes nothing: who does not read is not answered.
pub(super) struct Socket<S> {
    /// None when it has ended: what is left to write is not to keep its session in the directory.
    actor: Option<S>,
    queue: Rc<RefCell<Queue>>,
    encoded: Encoded,
    taken: Rc<Taken>,
}

impl<S> Socket<S>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    fn poll_actor(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while let Some(actor) = &mut self.actor {
            match Pin::new(actor).poll_next(cx) {
                Poll::Ready(Some(own)) => self.encoded.pieces.push_back(own?),
                Poll::Ready(None) => self.actor = None,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Error> {
        while self.encoded.has_room() {
            let Some(parcel) = self.queue.borrow_mut().pop_front() else {
                break;
            };
            match parcel {
                Parcel::Message(message) => self.encoded.message(message)?,
                Parcel::Frame(passing) => {
                    if let Some(frame) = passing.pass() {
                        self.encoded.frame(frame.into_bytes());
                    }
                }
            }
        }
        self.encoded.end_piece();
        Ok(())
    }
}

/// What was encoded and is not written.
#[derive(Default)]
struct Encoded {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// The piece that is being made.
    staging: BytesMut,
    codec: Codec,
}

impl Encoded {
    fn has_room(&self) -> bool {
        self.bytes + self.staging.len() < ENCODED_MAX && self.pieces.len() < PIECES_MAX - 2
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        Ok(self.codec.encode(message, &mut self.staging)?)
    }

    fn frame(&mut self, raw: Bytes) {
        put_head(raw.len(), &mut self.staging);
        if raw.len() < APART_MIN {
            self.staging.put_slice(&raw);
        } else {
            self.end_piece();
            self.push(raw);
        }
    }

    fn end_piece(&mut self) {
        if !self.staging.is_empty() {
            let piece = self.staging.split().freeze();
            self.push(piece);
        }
    }

    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// Ready when all is written.
    fn poll_write(&mut self, taken: &Taken, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); PIECES_MAX];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            match ready!(taken.poll_write(cx, slices))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                return piece.advance(count);
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }

    fn shrink(&mut self) {
        if self.staging.capacity() > STAGING_IDLE {
            self.staging = BytesMut::new();
        }
    }
}

/// The head of a binary message in one piece, unmasked (RFC 6455, 5.2).
fn put_head(length: usize, to: &mut BytesMut) {
    to.put_u8(0x82);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => to.put_u8(length),
        (_, Ok(length)) => {
            to.put_u8(126);
            to.put_u16(length);
        }
        _ => {
            to.put_u8(127);
            to.put_u64(length as u64);
        }
    }
}

impl<S> Stream for Socket<S>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let ended = ready!(this.poll(cx)).err();
        Poll::Ready(ended.map(Err))
    }
}

impl<S> Socket<S>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    /// Ready when the actor has ended and all is written.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.encoded.poll_write(&self.taken, cx))?;
        self.poll_actor(cx)?;
        let mut sum = 0;
        loop {
            self.fill()?;
            if self.encoded.pieces.is_empty() {
                break;
            }
            sum += self.encoded.bytes;
            ready!(self.encoded.poll_write(&self.taken, cx))?;
        }
        if sum < STAGING_IDLE {
            self.encoded.shrink();
        }
        if self.actor.is_none() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use channel_actors::{fence::Fence, lane::Lane, relay::Dropped};
    use futures_util::{FutureExt as _, StreamExt as _, stream};
    use schema::{frame::Frame, ids::ChannelId};
    use tokio::io::{AsyncReadExt as _, DuplexStream};

    use super::*;
    use crate::takeover::taken;

    const FRAME: usize = 30 + 20_000;

    fn frame(lane: &mut Lane) -> Passing {
        let id = ChannelId::from_bytes([7; 16]);
        let frame = Frame::new(id, 0, 1, 0, &[0xAB; 20_000]);
        lane.enter(frame, crate::clock::now()).unwrap()
    }

    fn lane() -> (Fence, Lane) {
        let fence = Fence::new();
        (fence.clone(), Lane::new(fence, 64, 10_000_000))
    }

    async fn socket<S>(outgoing: &Outgoing, actor: S, bytes: usize) -> (Socket<S>, DuplexStream) {
        let (near, far) = tokio::io::duplex(bytes);
        (outgoing.socket(Rc::new(taken(near).await))(actor), far)
    }

    #[tokio::test]
    async fn a_frame_holds_its_place_until_the_socket_takes_it() {
        let (_fence, mut lane) = lane();
        let outgoing = Outgoing::default();
        let (mut socket, mut far) = socket(&outgoing, stream::pending(), 10_000).await;
        (0..8).for_each(|_| outgoing.frame(frame(&mut lane)));
        assert!(socket.next().now_or_never().is_none());
        // Four are encoded, which is more than the bound, and a part of the first is written.
        assert_eq!(lane.waiting(), 4);
        let mut read = vec![0; 4 * (4 + FRAME)];
        tokio::select! {
            biased;
            _ = socket.next() => panic!("it never ends"),
            read = far.read_exact(&mut read) => assert!(read.is_ok()),
        }
        for raw in read.chunks(4 + FRAME) {
            assert_eq!(raw[..4], [0x82, 126, 0x4E, 0x3E]);
            assert_eq!(raw[4 + FRAME - 1], 0xAB);
        }
        assert_eq!(lane.waiting(), 0);
    }

    #[tokio::test]
    async fn no_frame_leaves_after_its_fence_has_fallen_and_the_goodbye_does() {
        let (fence, mut lane) = lane();
        let outgoing = Outgoing::default();
        let (mut socket, mut far) = socket(&outgoing, stream::empty(), 1_000).await;
        (0..4).for_each(|_| outgoing.frame(frame(&mut lane)));
        fence.fall();
        outgoing.close(None);
        assert!(socket.next().await.is_none());
        drop(socket);
        let mut left = Vec::new();
        far.read_to_end(&mut left).await.unwrap();
        assert_eq!(left, [0x88, 0]);
        assert_eq!(lane.waiting(), 0);
    }

    #[tokio::test]
    async fn so_many_answers_may_wait_and_what_is_read_gives_its_place_back() {
        let outgoing = Outgoing::default();
        let (mut socket, _far) = socket(&outgoing, stream::pending(), 100_000).await;
        let answer = || outgoing.message(Message::Pong(Bytes::new()));
        (0..MESSAGES_MAX).for_each(|_| answer());
        assert!(!outgoing.is_overrun());
        answer();
        assert!(outgoing.is_overrun() && !outgoing.holds_frames());
        assert!(socket.next().now_or_never().is_none());
        assert!(!outgoing.is_overrun());
    }

    #[tokio::test]
    async fn an_actor_is_not_polled_while_its_socket_takes_nothing() {
        let (_fence, mut lane) = lane();
        let outgoing = Outgoing::default();
        let mut polls = 0;
        let actor = stream::poll_fn(|_| {
            polls += 1;
            Poll::Pending
        });
        let (mut socket, far) = socket(&outgoing, actor, 100).await;
        outgoing.frame(frame(&mut lane));
        for _ in 0..5 {
            assert!(socket.next().now_or_never().is_none());
        }
        drop((socket, far));
        assert_eq!(polls, 1);
    }

    #[tokio::test]
    async fn an_actor_that_has_ended_goes_before_what_it_said_is_read() {
        let (_fence, mut lane) = lane();
        let outgoing = Outgoing::default();
        let session = Rc::new(());
        let kept = Rc::clone(&session);
        let actor = stream::poll_fn(move |_| {
            let _kept = &kept;
            Poll::Ready(None)
        });
        let (mut socket, _far) = socket(&outgoing, actor, 100).await;
        (0..8).for_each(|_| outgoing.frame(frame(&mut lane)));
        assert!(socket.next().now_or_never().is_none());
        assert!(lane.waiting() > 0, "the socket takes nothing");
        assert_eq!(Rc::strong_count(&session), 1);
    }

    #[test]
    fn envelopes_that_nothing_is_in_do_not_pile_up() {
        let outgoing = Outgoing::default();
        for _ in 0..2 * SWEEP_MIN {
            let (_fence, mut lane) = lane();
            outgoing.frame(frame(&mut lane));
            lane.release(Dropped::Overrun);
        }
        assert!(outgoing.queue.borrow().parcels.len() <= SWEEP_MIN);
    }

    #[tokio::test]
    async fn heads_of_all_lengths_are_those_of_the_codec() {
        for length in [0, 1, 125, 126, 255, 256, 65_535, 65_536, 70_000] {
            let (mut ours, mut theirs) = (BytesMut::new(), BytesMut::new());
            put_head(length, &mut ours);
            let message = Message::Binary(vec![0; length].into());
            Codec::new().encode(message, &mut theirs).unwrap();
            assert_eq!(ours, theirs[..theirs.len() - length]);
        }
    }
}
