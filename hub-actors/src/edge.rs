//! One listener for two protocols: HTTP/1.1 goes to actix, HTTP/2 to tonic.
//!
//! gRPC needs trailers, which actix's HTTP/2 never sends, and a browser's WebSocket needs
//! HTTP/1.1; the 24-byte preface of HTTP/2 (RFC 9113, 3.4) tells them apart. Whoever stalls, in
//! either protocol, is let go here, where no actor has to be polled for it.

use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use actix_http::HttpService;
use actix_service::{
    IntoServiceFactory, Service as _, ServiceFactory, fn_factory, fn_service, map_config,
};
use actix_web::{body::MessageBody, dev::AppConfig};
use bytes::BytesMut;
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::Sleep,
};

use crate::{
    http2::{Detached, Handover, Socket},
    takeover::Lender,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long the edge waits for a peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the first bytes, and again for the whole head of each request.
    pub(crate) head: Duration,
    /// For a socket to take one more byte.
    pub(crate) stall: Duration,
    /// For a connection of HTTP/2 to carry a link.
    pub(crate) linkless: Duration,
}

/// A socket whose first bytes were already read, and which may not stall for ever.
pub(crate) struct Edge<S> {
    head: BytesMut,
    io: S,
    stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    over: Stall,
}

/// Whether a socket was given up since it took nothing: what it carried is told nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stall(Arc<AtomicBool>);

impl Stall {
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Edge<S> {
    pub(crate) fn new(head: BytesMut, io: S, stall: Duration) -> Self {
        Self {
            head,
            io,
            stall,
            stalled: None,
            over: Stall::default(),
        }
    }

    /// Reads until the bytes differ from the HTTP/2 preface, or are it.
    pub(crate) async fn sniff(io: S, stall: Duration) -> io::Result<(Protocol, Self)> {
        let mut edge = Self::new(BytesMut::with_capacity(256), io, stall);
        let protocol = loop {
            let seen = edge.head.len().min(PREFACE.len());
            if edge.head.get(..seen) != PREFACE.get(..seen) {
                break Protocol::Http1;
            }
            if seen == PREFACE.len() {
                break Protocol::Http2;
            }
            if edge.io.read_buf(&mut edge.head).await? == 0 {
                break Protocol::Http1;
            }
        };
        Ok((protocol, edge))
    }

    /// Lets a write's outcome pass, unless it has been pending for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stall = self.stall;
        let sleep = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.over.0.store(true, Ordering::Release);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl<S: AsyncRead + Unpin> AsyncRead for Edge<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let length = self.head.len().min(buf.remaining());
        buf.put_slice(&self.head.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Edge<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(cx, outcome)
    }
}

/// What the edge needs to know of a transport: its peer, and how it changes reactors.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + Sized + 'static {
    fn peer(&self) -> Option<SocketAddr>;
    fn tune(&self, patience: Patience) -> io::Result<()>;
    fn detach(edge: Edge<Self>) -> io::Result<Detached>;
}

impl Transport for TcpStream {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }

    /// The kernel gives up on a dead peer as soon as we would, even if nobody polls the socket.
    fn tune(&self, patience: Patience) -> io::Result<()> {
        self.set_nodelay(true)?;
        let milliseconds = u32::try_from(patience.stall.as_millis()).unwrap_or(u32::MAX);
        Ok(setsockopt(self, TcpUserTimeout, &milliseconds)?)
    }

    fn detach(edge: Edge<Self>) -> io::Result<Detached> {
        Ok(Detached {
            head: edge.head,
            stall: edge.stall,
            socket: Socket::Tcp(edge.io.into_std()?),
        })
    }
}

impl Transport for UnixStream {
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    fn tune(&self, _patience: Patience) -> io::Result<()> {
        Ok(())
    }

    fn detach(edge: Edge<Self>) -> io::Result<Detached> {
        let socket = Socket::Unix(edge.io.into_std()?);
        Ok(Detached {
            head: edge.head,
            stall: edge.stall,
            socket,
        })
    }
}

/// The per-connection service of `actix_server::ServerBuilder::{listen, listen_uds}`.
pub(crate) fn edge<S, App, AppF, B>(
    app: impl Fn() -> App + Clone + Send + 'static,
    http2: impl Fn() -> Handover + Clone + Send + 'static,
    patience: Patience,
) -> impl ServiceFactory<S, Config = (), Response = (), Error = (), InitError = ()>
where
    S: Transport,
    App: IntoServiceFactory<AppF, actix_http::Request> + 'static,
    AppF: ServiceFactory<
            actix_http::Request,
            Config = AppConfig,
            Response = actix_web::dev::ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    AppF::Service: 'static,
    AppF::Future: 'static,
    B: MessageBody + 'static,
{
    fn_factory(move || {
        let (app, http2) = (app.clone(), http2());
        async move {
            let http1 = HttpService::build()
                .client_request_timeout(patience.head)
                .client_disconnect_timeout(Duration::from_secs(2))
                .on_connect_ext(|io: &Lender<Edge<S>>, data| {
                    io.offer(data);
                    data.insert(io.look(|edge| edge.over.clone()));
                })
                .h1(map_config(app(), |()| AppConfig::default()))
                .new_service(())
                .await
                .map_err(|_| ())?;
            let http1 = Rc::new(http1);
            Ok(fn_service(move |io: S| {
                let (http1, http2) = (Rc::clone(&http1), http2.clone());
                async move {
                    let peer = io.peer();
                    if io.tune(patience).is_err() {
                        return Ok(());
                    }
                    let sniffed = Edge::sniff(io, patience.stall);
                    match tokio::time::timeout(patience.head, sniffed).await {
                        Ok(Ok((Protocol::Http1, io))) => {
                            // Its errors are the peer's: a reset, a timeout, a malformed head.
                            let _ended = http1.call((Lender::new(io), peer)).await;
                        }
                        Ok(Ok((Protocol::Http2, io))) => {
                            if let Ok(detached) = S::detach(io) {
                                http2.send(detached, patience.linkless).await;
                            }
                        }
                        Ok(Err(_)) | Err(_) => {}
                    }
                    Ok(())
                }
            }))
        }
    })
}
