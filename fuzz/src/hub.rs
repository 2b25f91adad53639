//! What a Hub reads before it knows who is there.

use std::{collections::VecDeque, net::IpAddr};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use hub_actors::fuzzing::{self, Headers};

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    public_url: Option<&'a str>,
    host: Option<&'a str>,
    origin: Option<&'a str>,
    fetch_site: Option<u8>,
    navigates: bool,
    is_action: bool,
    is_loopback: bool,
}

/// Host, Origin and Sec-Fetch-Site: nothing of another site gets further than reading the page.
pub fn provenance(data: &[u8]) {
    let Ok(request) = Request::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let sites = ["same-origin", "none", "same-site", "cross-site", ""];
    let site = request
        .fetch_site
        .map(|at| sites[usize::from(at) % sites.len()]);
    let headers = Headers {
        host: request.host,
        origin: request.origin,
        fetch_site: site,
        fetch_mode: request.navigates.then_some("navigate"),
    };
    let bound = if request.is_loopback {
        "127.0.0.1:4327"
    } else {
        "192.0.2.1:4327"
    };
    let bound = bound.parse().ok();
    let url = request.public_url.unwrap_or_default();
    let url = if fuzzing::is_public_url(url) { url } else { "" };
    if !fuzzing::lets_in(url, bound, headers, request.is_action) {
        return;
    }
    let host = request
        .host
        .expect("no Host, no entry")
        .to_ascii_lowercase();
    let public = authority(url);
    assert!(
        public.as_ref() == Some(&host) || is_unrebindable(&host, request.is_loopback),
        "{host}"
    );
    let strange = site.is_some_and(|site| !["same-origin", "none"].contains(&site));
    assert!(!strange || (!request.is_action && request.navigates));
    if let (true, Some(origin)) = (request.is_action, request.origin) {
        let from = authority(origin).expect("an origin that is none lets nobody in");
        assert!(from == host || Some(from) == public, "{origin}");
    }
}

/// Scheme and path taken off, and the scheme's own port; lower case.
fn authority(url: &str) -> Option<String> {
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let port = if scheme == "https" { ":443" } else { ":80" };
    let bare = authority.strip_suffix(port).unwrap_or(authority);
    (!bare.is_empty() || !authority.is_empty()).then(|| bare.to_owned())
}

/// A loopback name with our port, or an address that no name server can answer with.
fn is_unrebindable(host: &str, is_loopback: bool) -> bool {
    let Some(name) = host.strip_suffix(":4327") else {
        return false;
    };
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or(name == "localhost", |ip| ip.is_loopback() || !is_loopback)
}

/// The name of the admin door: an address or a loopback name.
pub fn admin_host(data: &[u8]) {
    let Ok(host) = std::str::from_utf8(data) else {
        return;
    };
    if fuzzing::is_admin_host(host) {
        let dots_and_digits = |byte: u8| byte.is_ascii_hexdigit() || b".:[]%".contains(&byte);
        let lower = host.to_ascii_lowercase();
        assert!(
            lower.starts_with("localhost") || lower.bytes().all(dots_and_digits),
            "{host}"
        );
    }
}

/// The two headers that carry a secret, and the kind of a body.
pub fn credentials(data: &[u8]) {
    for name in ["leapmux", "__Host-leapmux"] {
        if let Some(value) = fuzzing::login_cookie(data, name) {
            assert!(value.len() <= data.len());
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(token) = fuzzing::bearer(text) {
        assert_eq!(token.trim(), token);
        assert!(text.contains(&token) && text.to_ascii_lowercase().starts_with("bearer "));
    }
    if let Some(kind) = fuzzing::content_type(text) {
        assert_eq!(fuzzing::content_type(kind), Some(kind));
    }
}

/// A key file: what is read has one form, which is read the same; no key comes from nowhere.
pub fn key_file(data: &[u8]) {
    let Some(form) = std::str::from_utf8(data).ok().and_then(fuzzing::key_file) else {
        return;
    };
    assert_eq!(fuzzing::key_file(&form).as_ref(), Some(&form));
    let key = |line: &str| {
        line.split_once(':')
            .expect("each line has one")
            .1
            .to_owned()
    };
    let mut kept: Vec<String> = form.lines().map(key).collect();
    let text = String::from_utf8_lossy(data);
    let mut given: Vec<String> = text.lines().map(key).collect();
    kept.sort();
    given.sort();
    assert_eq!(kept, given);
}

/// Fragments of a WebSocket message: in order they are their concatenation, within the bound.
pub fn fragments(data: &[u8]) {
    let parsed = <(u8, Vec<(u8, &[u8])>)>::arbitrary_take_rest(Unstructured::new(data));
    let Ok((limit, mut fragments)) = parsed else {
        return;
    };
    fragments.iter_mut().for_each(|(place, _)| *place %= 3);
    let limit = usize::from(limit);
    let (messages, _) = fuzzing::assembled(limit, &fragments);
    let mut open: Option<Vec<u8>> = None;
    let mut expected = Vec::new();
    for (place, bytes) in fragments {
        let mut whole = match (place, open.take()) {
            (0, None) => Vec::new(),
            (1 | 2, Some(whole)) => whole,
            _ => break,
        };
        whole.extend_from_slice(bytes);
        if whole.len() > limit {
            break;
        }
        if place == 2 {
            expected.push(Bytes::from(whole));
        } else {
            open = Some(whole);
        }
    }
    assert_eq!(messages, expected);
}

/// The first bytes of a connection, in pieces: only the whole preface is HTTP/2, and nothing that
/// was looked at is lost to who reads next.
pub fn edge(data: &[u8]) {
    let Some((cuts, sent)) = data.split_first_chunk::<3>() else {
        return;
    };
    let mut pieces = VecDeque::new();
    let mut rest = Bytes::copy_from_slice(sent);
    for cut in cuts {
        let piece = rest.split_to(rest.len() * usize::from(*cut) / 256);
        pieces.push_back(piece);
    }
    pieces.push_back(rest);
    // An empty read is the end of a socket.
    pieces.retain(|piece| !piece.is_empty());
    let sniffing = std::pin::pin!(fuzzing::sniffed(pieces));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(done) = sniffing.poll(&mut context) else {
        panic!("a script never waits");
    };
    let (is_http2, read) = done.expect("a script has no errors");
    assert_eq!(
        is_http2,
        sent.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    );
    assert_eq!(read, sent);
}
