//! What a browser's socket sent, message by message.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_http::ws::{Codec, Frame};
use actix_web_actors::ws::{Message, ProtocolError};
use bytes::BytesMut;
use channel_actors::limits::WEBSOCKET_MESSAGE_MAX;
use futures_util::Stream;
use tokio_util::codec::Decoder as _;

use crate::takeover::Taken;

/// Room for one read of a socket that sends much,
const ROOM: usize = 64 * 1024;
/// and of one that does not, which keeps no more than this.
const ROOM_IDLE: usize = 8 * 1024;
/// A frame of which so much is here, and not all, is longer than one may be: 14 bytes are the
/// longest head (RFC 6455, 5.2). The codec judges a length when the frame is here as a whole.
const FRAME_MAX: usize = WEBSOCKET_MESSAGE_MAX + 14;
/// Less room than this is not worth a system call.
const ROOM_MIN: usize = 4 * 1024;

/// Ends when the peer has, or the connection is lost: what came before is given out first.
pub(super) struct Reading {
    taken: Rc<Taken>,
    codec: Codec,
    buffer: BytesMut,
    /// Bytes of the last read.
    last: usize,
    ended: bool,
}

impl Reading {
    pub(super) fn new(taken: Rc<Taken>) -> Self {
        Self {
            taken,
            codec: Codec::new().max_size(WEBSOCKET_MESSAGE_MAX),
            buffer: BytesMut::new(),
            last: 0,
            ended: false,
        }
    }

    fn make_room(&mut self) {
        let is_idle = self.last < ROOM_IDLE;
        if is_idle && self.buffer.is_empty() && self.buffer.capacity() > ROOM_IDLE {
            self.buffer = BytesMut::new();
        }
        if self.buffer.capacity() - self.buffer.len() < ROOM_MIN {
            self.buffer.reserve(if is_idle { ROOM_IDLE } else { ROOM });
        }
    }
}

impl Stream for Reading {
    type Item = Result<Message, ProtocolError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.codec.decode(&mut this.buffer) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(message(frame)))),
                Ok(None) if this.ended => return Poll::Ready(None),
                Ok(None) if this.buffer.len() >= FRAME_MAX => {
                    return Poll::Ready(Some(Err(ProtocolError::Overflow)));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            this.make_room();
            match ready!(this.taken.poll_read(cx, &mut this.buffer)) {
                Ok(read @ 1..) => this.last = read,
                Ok(0) | Err(_) => this.ended = true,
            }
        }
    }
}

fn message(frame: Frame) -> Message {
    match frame {
        // Nobody reads what it says: the relay has no use for text.
        Frame::Text(_) => Message::Text("".into()),
        Frame::Binary(bytes) => Message::Binary(bytes),
        Frame::Continuation(item) => Message::Continuation(item),
        Frame::Ping(bytes) => Message::Ping(bytes),
        Frame::Pong(bytes) => Message::Pong(bytes),
        Frame::Close(reason) => Message::Close(reason),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::takeover::taken;

    /// A binary message under a mask of zeros.
    fn masked(payload: &[u8]) -> Vec<u8> {
        let mut raw = vec![0x82, 0x80 | 126];
        raw.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        raw.extend([0; 4]);
        raw.extend(payload);
        raw
    }

    #[tokio::test]
    async fn messages_come_whole_and_what_came_before_the_end_comes_first() {
        let (near, mut far) = tokio::io::duplex(100_000);
        let mut reading = Reading::new(Rc::new(taken(near).await));
        far.write_all(&masked(&[1; 300])).await.unwrap();
        far.write_all(&masked(&[2; 40_000])).await.unwrap();
        far.write_all(&masked(&[3; 500])[..200]).await.unwrap();
        drop(far);
        for (byte, length) in [(1, 300), (2, 40_000)] {
            let Some(Ok(Message::Binary(bytes))) = reading.next().await else {
                panic!("not a message");
            };
            assert!(bytes.len() == length && bytes.iter().all(|found| *found == byte));
        }
        assert!(reading.next().await.is_none());
    }

    #[tokio::test]
    async fn a_frame_that_never_ends_is_not_waited_for() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut reading = Reading::new(Rc::new(taken(near).await));
        let mut raw = vec![0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        raw.resize(FRAME_MAX - 1, 7);
        far.write_all(&raw).await.unwrap();
        assert!(reading.next().now_or_never().is_none());
        far.write_all(&[7]).await.unwrap();
        assert!(matches!(
            reading.next().await,
            Some(Err(ProtocolError::Overflow))
        ));
    }

    #[tokio::test]
    async fn a_socket_that_has_become_quiet_keeps_little() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut reading = Reading::new(Rc::new(taken(near).await));
        for _ in 0..4 {
            far.write_all(&masked(&[1; 60_000])).await.unwrap();
        }
        for _ in 0..4 {
            assert!(reading.next().await.is_some());
        }
        assert!(reading.last > ROOM_IDLE);
        for _ in 0..3 {
            far.write_all(&masked(&[1; 200])).await.unwrap();
            assert!(reading.next().await.is_some());
            tokio::select! {
                biased;
                _ = reading.next() => panic!("nothing was sent"),
                () = std::future::ready(()) => {}
            }
        }
        assert!(reading.buffer.capacity() <= ROOM_IDLE);
    }
}
