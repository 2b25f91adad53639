//! The way of HTTP/2's connections from the edge to tonic, and what becomes of each there.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use crate::{
    edge::Edge,
    stay::{Stay, Uses},
};

/// A socket between two reactors, on its way to tonic's runtime.
pub(crate) struct Detached {
    pub(crate) head: BytesMut,
    pub(crate) stall: Duration,
    pub(crate) socket: Socket,
}

/// Connections of HTTP/2 at once: each Worker has one.
const HTTP2_MAX: usize = 4_096;
/// Connections of HTTP/2 between two reactors.
const HANDOVER: usize = 128;

/// A connection that has a place among those of HTTP/2.
pub(crate) struct Admitted {
    detached: Detached,
    linkless: Duration,
    place: OwnedSemaphorePermit,
}

/// The way of connections to tonic.
#[derive(Clone)]
pub(crate) struct Handover {
    queue: mpsc::Sender<Admitted>,
    places: Places,
}

/// Places for connections of HTTP/2, of all threads together.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    /// All of them.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(HTTP2_MAX)))
    }
}

impl Handover {
    /// The way, and where it leads.
    pub(crate) fn new(places: Places) -> (Self, mpsc::Receiver<Admitted>) {
        let (queue, connections) = mpsc::channel(HANDOVER);
        (Self { queue, places }, connections)
    }

    /// One too many is closed.
    pub(crate) async fn send(&self, detached: Detached, linkless: Duration) {
        let Ok(place) = Arc::clone(&self.places.0).try_acquire_owned() else {
            tracing::debug!("too many connections of HTTP/2");
            return;
        };
        let admitted = Admitted {
            detached,
            linkless,
            place,
        };
        // tonic is gone only when everything is.
        let _refused = self.queue.send(admitted).await;
    }
}

/// The socket itself.
pub(crate) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Admitted {
    /// Registers the socket with the reactor of the runtime that calls this.
    pub(crate) fn attach(self) -> io::Result<Http2> {
        let Detached {
            head,
            stall,
            socket,
        } = self.detached;
        let peer = match &socket {
            Socket::Tcp(io) => io.peer_addr().ok().map(|peer| peer.ip()),
            Socket::Unix(_) => None,
        };
        let io = match socket {
            Socket::Tcp(io) => Either::Tcp(Edge::new(head, TcpStream::from_std(io)?, stall)),
            Socket::Unix(io) => Either::Unix(Edge::new(head, UnixStream::from_std(io)?, stall)),
        };
        Ok(Http2 {
            io,
            stay: Stay::new(Uses::from_peer(peer), self.linkless),
            _place: self.place,
        })
    }
}

/// A connection that speaks HTTP/2.
pub(crate) struct Http2 {
    io: Either,
    stay: Stay,
    _place: OwnedSemaphorePermit,
}

enum Either {
    Tcp(Edge<TcpStream>),
    Unix(Edge<UnixStream>),
}

macro_rules! each {
    ($http2:expr, $io:ident => $call:expr) => {
        match &mut $http2.get_mut().io {
            Either::Tcp(io) => {
                let $io = Pin::new(io);
                $call
            }
            Either::Unix(io) => {
                let $io = Pin::new(io);
                $call
            }
        }
    };
}

impl AsyncRead for Http2 {
    /// A connection is always read, so this is where its time is looked at.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stay.poll_over(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        each!(self, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Http2 {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => io.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => io.poll_shutdown(cx))
    }
}

impl tonic::transport::server::Connected for Http2 {
    type ConnectInfo = Uses;

    fn connect_info(&self) -> Uses {
        self.stay.uses().clone()
    }
}
