//! How a WebSocket's session comes to read and write its socket itself.
//!
//! actix-http reads 8 KiB at a time into a buffer, hands that on through a queue, and gathers what
//! is written in another buffer: of a large frame, most of what the Hub did was that. Here the
//! dispatcher of HTTP/1.1 keeps the connection, and lends the socket of one that was upgraded to
//! the body of its answer, which is polled by the same task. Until the 101 is out, nobody reads:
//! a client says nothing before it (RFC 6455, 4.1).

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix_http::Extensions;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// What the dispatcher holds.
pub(crate) struct Lender<S>(Rc<RefCell<Owner<S>>>);

struct Owner<S> {
    io: S,
    phase: Phase,
}

/// Whose the socket is.
enum Phase {
    /// The dispatcher's.
    Http,
    /// Whoever took it waits until the head of the answer is out.
    Answering {
        is_written: bool,
        waiting: Option<Waker>,
    },
    /// Whoever took it.
    Taken,
}

/// Something that can be read and written, of any kind.
trait Duplex {
    fn phase(&mut self) -> &mut Phase;
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>>;
    fn write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for Owner<S> {
    fn phase(&mut self) -> &mut Phase {
        &mut self.phase
    }

    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.io), cx, buffer)
    }

    fn write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Lender<S> {
    pub(crate) fn new(io: S) -> Self {
        let phase = Phase::Http;
        Self(Rc::new(RefCell::new(Owner { io, phase })))
    }

    /// Lets the socket be looked at.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(&self.0.borrow().io)
    }

    /// Puts the way to the socket where the connection's requests find it.
    pub(crate) fn offer(&self, data: &mut Extensions) {
        data.insert(Offer(Rc::<RefCell<Owner<S>>>::clone(&self.0)));
    }
}

/// The way to a connection's socket, among the connection's data.
pub(crate) struct Offer(Rc<RefCell<dyn Duplex>>);

impl Offer {
    /// From now on the dispatcher reads nothing, and what it writes next is the answer's head.
    pub(crate) fn take(&self) -> Taken {
        *self.0.borrow_mut().phase() = Phase::Answering {
            is_written: false,
            waiting: None,
        };
        Taken(Rc::clone(&self.0))
    }
}

/// A socket that was taken; dropping it gives it back.
pub(crate) struct Taken(Rc<RefCell<dyn Duplex>>);

impl Taken {
    /// Reads into the buffer's spare room. 0: the peer has ended.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let mut duplex = self.0.borrow_mut();
        std::task::ready!(duplex.phase().poll_taken(cx));
        duplex.read(cx, buffer)
    }

    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut duplex = self.0.borrow_mut();
        std::task::ready!(duplex.phase().poll_taken(cx));
        duplex.write(cx, slices)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.0.borrow_mut().phase() = Phase::Http;
    }
}

impl Phase {
    fn poll_taken(&mut self, cx: &Context<'_>) -> Poll<()> {
        match self {
            // Unreachable from `Taken`, which holds the phase as long as it lives.
            Self::Http => Poll::Pending,
            Self::Answering { waiting, .. } => {
                *waiting = Some(cx.waker().clone());
                Poll::Pending
            }
            Self::Taken => Poll::Ready(()),
        }
    }

    fn wrote(&mut self) {
        if let Self::Answering { is_written, .. } = self {
            *is_written = true;
        }
    }

    /// The dispatcher flushes only when all that it had is written.
    fn flushed(&mut self) {
        if let Self::Answering {
            is_written: true,
            waiting,
        } = self
        {
            let waiting = waiting.take();
            *self = Self::Taken;
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lender<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let owner = &mut *self.0.borrow_mut();
        match owner.phase {
            Phase::Http => Pin::new(&mut owner.io).poll_read(cx, buf),
            // The dispatcher is polled for the body's sake, which waits for the socket.
            Phase::Answering { .. } | Phase::Taken => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lender<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let owner = &mut *self.0.borrow_mut();
        let outcome = Pin::new(&mut owner.io).poll_write(cx, bytes);
        if let Poll::Ready(Ok(1..)) = outcome {
            owner.phase.wrote();
        }
        outcome
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let owner = &mut *self.0.borrow_mut();
        if let Phase::Taken = owner.phase {
            // Nothing of the dispatcher's is left to flush; to the socket it would look like a
            // write that went well, and as if it did not stall.
            return Poll::Ready(Ok(()));
        }
        let outcome = Pin::new(&mut owner.io).poll_flush(cx);
        if let Poll::Ready(Ok(())) = outcome {
            owner.phase.flushed();
        }
        outcome
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().io).poll_shutdown(cx)
    }
}

/// A socket whose upgrade is behind it.
#[cfg(test)]
pub(crate) async fn taken<S: AsyncRead + AsyncWrite + Unpin + 'static>(io: S) -> Taken {
    let mut lender = Lender::new(io);
    let mut data = Extensions::new();
    lender.offer(&mut data);
    let taken = data.remove::<Offer>().expect("it was offered").take();
    lender.0.borrow_mut().phase.wrote();
    std::future::poll_fn(|cx| Pin::new(&mut lender).poll_flush(cx))
        .await
        .expect("it flushes");
    taken
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::edge::Edge;

    fn lent() -> (
        Lender<tokio::io::DuplexStream>,
        Offer,
        tokio::io::DuplexStream,
    ) {
        let (near, far) = tokio::io::duplex(1_024);
        let lender = Lender::new(near);
        let mut data = Extensions::new();
        lender.offer(&mut data);
        let offer = data.remove::<Offer>().expect("it was offered");
        (lender, offer, far)
    }

    #[tokio::test(start_paused = true)]
    async fn a_taken_socket_that_stalls_is_given_up_whatever_the_dispatcher_flushes() {
        let (near, _far) = tokio::io::duplex(4);
        let mut lender = Lender::new(Edge::new(BytesMut::new(), near, Duration::from_secs(1)));
        let mut data = Extensions::new();
        lender.offer(&mut data);
        let taken = data.remove::<Offer>().unwrap().take();
        lender.0.borrow_mut().phase.wrote();
        lender.flush().await.unwrap();
        let given_up = poll_fn(|cx| {
            let outcome = loop {
                let outcome = taken.poll_write(cx, &[IoSlice::new(b"frames")]);
                if !matches!(outcome, Poll::Ready(Ok(_))) {
                    break outcome;
                }
            };
            assert!(Pin::new(&mut lender).poll_flush(cx).is_ready());
            outcome
        });
        let given_up = tokio::time::timeout(Duration::from_secs(5), given_up).await;
        let error = given_up.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    async fn write(taken: &Taken, bytes: &[u8]) -> usize {
        let slices = [IoSlice::new(bytes)];
        poll_fn(|cx| taken.poll_write(cx, &slices)).await.unwrap()
    }

    #[tokio::test]
    async fn nothing_is_written_before_the_answers_head_and_the_wait_is_woken() {
        let (mut lender, offer, mut far) = lent();
        let taken = offer.take();
        let mut writing = Box::pin(write(&taken, b"frame"));
        assert!((&mut writing).now_or_never().is_none());
        lender.flush().await.unwrap();
        assert!((&mut writing).now_or_never().is_none());
        lender.write_all(b"101").await.unwrap();
        assert!((&mut writing).now_or_never().is_none());
        let (wrote, ()) = tokio::join!(writing, async { lender.flush().await.unwrap() });
        assert_eq!(wrote, 5);
        let mut read = [0; 8];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"101frame");
    }

    #[tokio::test]
    async fn a_taken_socket_is_read_by_its_taker_only_and_then_given_back() {
        let (mut lender, offer, mut far) = lent();
        let taken = offer.take();
        lender.write_all(b"101").await.unwrap();
        lender.flush().await.unwrap();
        far.write_all(b"ab").await.unwrap();
        let mut byte = [0];
        assert!(lender.read(&mut byte).now_or_never().is_none());
        let mut buffer = BytesMut::with_capacity(1);
        let read = poll_fn(|cx| taken.poll_read(cx, &mut buffer)).await;
        assert_eq!((read.unwrap(), &buffer[..]), (1, &b"a"[..]));
        drop(taken);
        assert_eq!(lender.read(&mut byte).await.unwrap(), 1);
        assert_eq!(&byte, b"b");
    }
}
