//! The embedded page: lookup, ETag, encodings, and the headers that everything carries.

use std::{
    borrow::Cow,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
};
use bytes::Bytes;
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "$WEB_DIST"]
struct Dist;

/// One line of `style-src` is the hash of the empty style element that the page's shim fills.
const CSP: &str = "default-src 'none'; script-src 'self'; \
style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; \
img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; \
manifest-src 'self'; media-src 'self'; base-uri 'none'; form-action 'self'; \
frame-ancestors 'none'; require-trusted-types-for 'script'; \
trusted-types dompurify channel-worker";

/// What every answer of the public port carries, errors included.
pub(crate) const SECURITY_HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), clipboard-read=(self), clipboard-write=(self)",
    ),
];

/// Only where the public URL says that TLS stands in front.
pub(crate) const STRICT_TRANSPORT: (&str, &str) = (
    "strict-transport-security",
    "max-age=31536000; includeSubDomains",
);

/// Answers `GET` and `HEAD` for everything that is no RPC and no socket.
pub(crate) fn answer(request: &HttpRequest) -> HttpResponse {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, "GET, HEAD"))
            .finish();
    }
    let path = request.path().trim_start_matches('/');
    match find(path) {
        Some((name, file)) => serve(request.headers(), name, file),
        None => HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("not found\n"),
    }
}

/// A path without a dot is a place inside the page, not a file.
fn find(path: &str) -> Option<(&str, EmbeddedFile)> {
    let is_place = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let name = if is_place { "index.html" } else { path };
    Dist::get(name).map(|file| (name, file))
}

fn serve(asked: &HeaderMap, name: &str, file: EmbeddedFile) -> HttpResponse {
    let etag = etag(&file.metadata.sha256_hash());
    let caching = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let is_known = asked
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| names(known, &etag));
    let mut answer = HttpResponse::build(if is_known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    });
    answer
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::VARY, "accept-encoding"));
    if is_known {
        return answer.finish();
    }
    let kind = file.metadata.mimetype().to_owned();
    let (encoding, body) = encode(asked, name, file);
    if let Some(encoding) = encoding {
        answer.insert_header((header::CONTENT_ENCODING, encoding));
    }
    answer.content_type(kind).body(Pieces(body))
}

/// The smallest ready-made form that the browser takes.
fn encode(asked: &HeaderMap, name: &str, file: EmbeddedFile) -> (Option<&'static str>, Bytes) {
    for (encoding, suffix) in [("br", "br"), ("gzip", "gz")] {
        if !accepts(asked, encoding) {
            continue;
        }
        if let Some(compressed) = Dist::get(&format!("{name}.{suffix}")) {
            return (Some(encoding), bytes(compressed.data));
        }
    }
    (None, bytes(file.data))
}

/// An embedded file is not copied for whoever asks for it.
fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(read) => Bytes::from(read),
    }
}

/// Bytes of a file that are copied towards a socket at once.
const PIECE: usize = 32 * 1024;

/// A file's body, in pieces: whoever reads slowly holds a piece, not a copy of the file.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = self.0.len().min(PIECE);
        let piece = self.0.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    let offers = asked
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    offers.unwrap_or_default().split(',').any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        name.trim().eq_ignore_ascii_case(encoding) && !weight.replace(' ', "").starts_with("q=0")
    })
}

fn etag(sha256: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(34);
    text.push('"');
    for byte in sha256.iter().take(16) {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    text.push('"');
    text
}

fn names(known: &HeaderValue, etag: &str) -> bool {
    known.to_str().is_ok_and(|list| {
        list.split(',')
            .any(|one| one.trim().trim_start_matches("W/") == etag || one.trim() == "*")
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn what_is_embedded_is_not_copied() {
        static FILE: [u8; 4] = *b"page";
        assert_eq!(bytes(Cow::Borrowed(&FILE)).as_ptr(), FILE.as_ptr());
    }

    #[tokio::test]
    async fn a_file_leaves_in_pieces_and_whole() {
        let file = Bytes::from(vec![7; PIECE * 2 + 1]);
        let mut body = Pieces(file.clone());
        assert_eq!(body.size(), BodySize::Sized(file.len() as u64));
        let mut sent = Vec::new();
        while let Some(piece) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
            let piece = piece.unwrap();
            assert!(piece.len() <= PIECE);
            sent.extend_from_slice(&piece);
        }
        assert_eq!(sent, file);
    }
}
