//! What waits for a browser's socket, and leaves only past its fence.
//!
//! actix-web-actors encodes all that an actor has written at once, so a frame would be past its
//! fence, and its place given back, before the socket took a byte. Here frames wait in their
//! envelopes, and are encoded piece by piece as the socket asks.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::ws::Codec;
use actix_web::Error;
use actix_web_actors::ws::{CloseReason, Message};
use bytes::{Bytes, BytesMut};
use channel_actors::lane::Passing;
use futures_util::Stream;
use schema::{frame::Outer, wire::control::Body};
use tokio_util::codec::Encoder as _;

/// Bytes that are encoded at once; a message more may make a piece longer.
const PIECE: usize = 32 * 1024;

/// Messages that may wait beside the frames. A client that reads its answers leaves few.
const MESSAGES_MAX: usize = 8_192;

#[derive(Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    messages: usize,
}

impl Queue {
    fn push_back(&mut self, parcel: Parcel) {
        self.messages += usize::from(parcel.is_message());
        self.parcels.push_back(parcel);
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
    pub(super) fn socket<S>(&self) -> impl FnOnce(S) -> Socket<S> + use<S> {
        let queue = Rc::clone(&self.queue);
        |actor| Socket {
            actor,
            actor_ended: false,
            queue,
            codec: Codec::new(),
        }
    }
}

/// The body of an upgraded response: the actor's messages, encoded as they are asked for.
pub(super) struct Socket<S> {
    actor: S,
    actor_ended: bool,
    queue: Rc<RefCell<Queue>>,
    codec: Codec,
}

impl<S> Socket<S> {
    fn encode(&mut self) -> Result<Bytes, Error> {
        let mut piece = BytesMut::new();
        while piece.len() < PIECE {
            let Some(parcel) = self.queue.borrow_mut().pop_front() else {
                break;
            };
            match parcel {
                Parcel::Message(message) => self.codec.encode(message, &mut piece)?,
                Parcel::Frame(passing) => {
                    if let Some(frame) = passing.pass() {
                        let message = Message::Binary(frame.into_bytes());
                        self.codec.encode(message, &mut piece)?;
                    }
                }
            }
        }
        Ok(piece.freeze())
    }
}

impl<S> Stream for Socket<S>
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if !this.actor_ended {
            match Pin::new(&mut this.actor).poll_next(cx) {
                Poll::Ready(Some(own)) => return Poll::Ready(Some(own)),
                Poll::Ready(None) => this.actor_ended = true,
                Poll::Pending => {}
            }
        }
        match this.encode() {
            Ok(piece) if !piece.is_empty() => Poll::Ready(Some(Ok(piece))),
            Ok(_) if this.actor_ended => Poll::Ready(None),
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use channel_actors::{fence::Fence, lane::Lane};
    use futures_util::{StreamExt as _, stream};
    use schema::{frame::Frame, ids::ChannelId};

    use super::*;

    fn frame(lane: &mut Lane) -> Passing {
        let id = ChannelId::from_bytes([7; 16]);
        let frame = Frame::new(id, 0, 1, 0, &[0xAB; 20_000]);
        lane.enter(frame, crate::clock::now()).unwrap()
    }

    fn lane() -> (Fence, Lane) {
        let fence = Fence::new();
        (fence.clone(), Lane::new(fence, 8, 1_000_000))
    }

    #[tokio::test]
    async fn a_frame_holds_its_place_until_the_socket_asks_for_it() {
        let (_fence, mut lane) = lane();
        let outgoing = Outgoing::default();
        let mut socket = outgoing.socket()(stream::pending());
        (0..4).for_each(|_| outgoing.frame(frame(&mut lane)));
        assert_eq!(lane.waiting(), 4);
        let piece = socket.next().await.unwrap().unwrap();
        assert!(piece.len() >= PIECE);
        assert_eq!(lane.waiting(), 2);
    }

    #[tokio::test]
    async fn no_frame_leaves_after_its_fence_has_fallen_and_the_goodbye_does() {
        let (fence, mut lane) = lane();
        let outgoing = Outgoing::default();
        let mut socket = outgoing.socket()(stream::empty());
        (0..4).for_each(|_| outgoing.frame(frame(&mut lane)));
        fence.fall();
        outgoing.close(None);
        let left = socket.next().await.unwrap().unwrap();
        assert_eq!(&left[..], &[0x88, 0]);
        assert!(socket.next().await.is_none());
        assert_eq!(lane.waiting(), 0);
    }

    #[tokio::test]
    async fn so_many_answers_may_wait_and_what_is_read_gives_its_place_back() {
        let outgoing = Outgoing::default();
        let mut socket = outgoing.socket()(stream::pending());
        let answer = || outgoing.message(Message::Pong(Bytes::new()));
        (0..MESSAGES_MAX).for_each(|_| answer());
        assert!(!outgoing.is_overrun());
        answer();
        assert!(outgoing.is_overrun() && !outgoing.holds_frames());
        assert!(socket.next().await.unwrap().is_ok());
        assert!(!outgoing.is_overrun());
    }

    #[tokio::test]
    async fn what_was_said_leaves_after_the_actor_has_ended() {
        let outgoing = Outgoing::default();
        let mut socket = outgoing.socket()(stream::empty());
        outgoing.message(Message::Ping(Bytes::new()));
        assert!(socket.next().await.unwrap().is_ok());
        assert!(socket.next().await.is_none());
    }
}
