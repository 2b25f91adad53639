//! Doors for the fuzzers (feature `fuzzing`), into what is nobody else's business.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{http::header, test::TestRequest};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use crate::{
    assembly::{Assembly, Fragment},
    caller::Presented,
    edge::{Edge, Protocol},
    keyring::ring::Ring,
    origin::{self, Access, Names, Provenance},
    rpc::Codec,
};

/// The headers by which a request is judged.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// `Host`
    pub host: Option<&'a str>,
    /// `Origin`
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`
    pub fetch_site: Option<&'a str>,
    /// `Sec-Fetch-Mode`
    pub fetch_mode: Option<&'a str>,
}

/// Whether a Hub of this public URL, listening there, lets a request in; `is_action` for an RPC
/// or a WebSocket.
#[must_use]
pub fn lets_in(
    public_url: &str,
    bound: Option<SocketAddr>,
    headers: Headers<'_>,
    is_action: bool,
) -> bool {
    let from = Provenance {
        host: headers.host,
        origin: headers.origin,
        fetch_site: headers.fetch_site,
        fetch_mode: headers.fetch_mode,
    };
    let access = if is_action {
        Access::Action
    } else {
        Access::Page
    };
    Names::new(public_url, bound, false)
        .judge(from, access)
        .is_ok()
}

/// Whether a public URL can be configured.
#[must_use]
pub fn is_public_url(text: &str) -> bool {
    origin::public_url(text).is_some()
}

/// Whether the admin door answers to this name.
#[must_use]
pub fn is_admin_host(host: &str) -> bool {
    origin::is_admin_host(host)
}

/// What a key file is read as, in its one form.
#[must_use]
pub fn key_file(text: &str) -> Option<String> {
    let ring = Ring::parse(text).ok()?;
    Some(ring.to_text().as_str().to_owned())
}

/// The token in an `Authorization` header.
#[must_use]
pub fn bearer(header: &str) -> Option<String> {
    match Presented::bearer(header) {
        Presented::Bearer(token) => Some(token),
        Presented::Nothing | Presented::Cookie(_) => None,
    }
}

/// The login cookie in a `Cookie` header, under either of its names.
#[must_use]
pub fn login_cookie(header: &[u8], name: &str) -> Option<String> {
    let value = header::HeaderValue::from_bytes(header).ok()?;
    let request = TestRequest::default()
        .insert_header((header::COOKIE, value))
        .to_http_request();
    request.cookie(name).map(|cookie| cookie.value().to_owned())
}

/// The `Content-Type` that answers one of this kind; none for a kind that is not ours.
#[must_use]
pub fn content_type(text: &str) -> Option<&'static str> {
    Codec::of(text).map(Codec::content_type)
}

/// Puts fragments of a WebSocket message together. Each is `(place, bytes)` with place 0 for the
/// first, 2 for the last, anything else between; gives the messages, and whether all were in
/// order.
#[must_use]
pub fn assembled(limit: usize, fragments: &[(u8, &[u8])]) -> (Vec<Bytes>, bool) {
    let mut assembly = Assembly::new(limit);
    let mut messages = Vec::new();
    for (place, bytes) in fragments {
        let bytes = Bytes::copy_from_slice(bytes);
        let fragment = match place {
            0 => Fragment::First(bytes),
            2 => Fragment::Last(bytes),
            _ => Fragment::Next(bytes),
        };
        match assembly.add(fragment) {
            Ok(message) => messages.extend(message),
            Err(_) => return (messages, false),
        }
    }
    (messages, true)
}

/// What a connection's first bytes are taken for: true for HTTP/2. Then all that is read behind
/// the edge.
///
/// # Errors
///
/// The socket's, which has none.
pub async fn sniffed(pieces: VecDeque<Bytes>) -> io::Result<(bool, Vec<u8>)> {
    let (protocol, mut io) = Edge::sniff(Script(pieces), Duration::from_secs(1)).await?;
    let mut read = Vec::new();
    io.read_to_end(&mut read).await?;
    Ok((protocol == Protocol::Http2, read))
}

/// A socket that gives these pieces, one a read.
struct Script(VecDeque<Bytes>);

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.front_mut() {
            let length = piece.len().min(buf.remaining());
            buf.put_slice(&piece.split_to(length));
        }
        self.0.pop_front_if(|piece| piece.is_empty());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
