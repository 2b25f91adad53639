//! `leapmux remote login`: a person agrees in a browser on this machine, which brings a code to a
//! port that is open for that alone (RFC 8252); only whoever asked can trade it (RFC 7636).

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schema::wire::{ExchangeAuthorisationRequest, TokenPair};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::remote::device;
use crate::remote::{address::Address, hub::Hub};

/// For a person to sign in and agree.
const PATIENCE: Duration = Duration::from_mins(5);
/// For one request to the port.
const REQUEST: Duration = Duration::from_secs(5);
const HEAD_MAX: usize = 8 * 1024;

pub(super) async fn run(address: &Address) -> anyhow::Result<TokenPair> {
    if matches!(address, Address::Unix(_)) {
        bail!("a browser cannot open a Unix socket: name the Hub by its URL");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let (verifier, state) = (secret()?, secret()?);
    let url = page(address, &verifier, &redirect_uri, &state);
    eprintln!("Agree in a browser on this machine:\n\n    {url}\n");
    open(&url);
    let code = timeout(PATIENCE, wait(&listener, &state)).await;
    let code = code.context("nobody agreed in time: run 'leapmux remote login' again")??;
    drop(listener);
    let request = ExchangeAuthorisationRequest {
        code: code.to_string(),
        verifier: verifier.to_string(),
        redirect_uri,
    };
    let hub = Hub::anonymous(address.clone());
    let method = "TokenService/ExchangeAuthorisation";
    Ok(hub.call(method, &request).await?)
}

/// 32 random bytes, 43 characters.
fn secret() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).context("no random bytes")?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Everything behind the `#`, where no server and no log sees it.
fn page(address: &Address, verifier: &str, redirect_uri: &str, state: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    format!(
        "{}/authorise#client={}&challenge={challenge}&redirect_uri={}&state={state}",
        address.key(),
        escaped(&device::machine()),
        escaped(redirect_uri)
    )
}

/// Percent-encoded, but for what never needs it.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

/// Opens it where there is somebody to see it; whoever does not has the line above.
fn open(url: &str) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let seen = cfg!(target_os = "macos")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| crate::paths::variable(name).is_some());
    if seen {
        let mut command = std::process::Command::new(opener);
        command
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Where it fails the person opens it.
        let _opened = command.spawn();
    }
}

/// What the browser was sent back with.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Code(String),
    Declined,
    /// Not ours: somebody else found the port.
    Strange,
}

/// Takes requests until one has the state that only our page was given.
async fn wait(listener: &TcpListener, state: &str) -> anyhow::Result<Zeroizing<String>> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Ok(Ok(head)) = timeout(REQUEST, head(&mut stream)).await else {
            continue;
        };
        let answer = read(&head, state);
        // Whether the browser hears it changes nothing.
        let _said = timeout(REQUEST, say(&mut stream, &answer)).await;
        match answer {
            Answer::Code(code) => return Ok(Zeroizing::new(code)),
            Answer::Declined => bail!("the login was declined in the browser"),
            Answer::Strange => {}
        }
    }
}

async fn head(stream: &mut TcpStream) -> std::io::Result<Zeroizing<String>> {
    let mut head = Zeroizing::new(Vec::new());
    while head.len() < HEAD_MAX && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut *head).await? == 0 {
            break;
        }
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&head).into_owned()))
}

fn read(head: &str, state: &str) -> Answer {
    let query = head
        .strip_prefix("GET /callback?")
        .and_then(|rest| rest.split_once(" HTTP/1."))
        .map(|(query, _)| query);
    let Some(query) = query else {
        return Answer::Strange;
    };
    let named = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    match (named("state"), named("code"), named("error")) {
        (Some(given), Some(code), _) if given == state => Answer::Code(code.to_owned()),
        (Some(given), None, Some(_)) if given == state => Answer::Declined,
        _ => Answer::Strange,
    }
}

async fn say(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let (status, text) = match answer {
        Answer::Code(_) => ("200 OK", "Logged in. You may close this page."),
        Answer::Declined => ("200 OK", "Declined. You may close this page."),
        Answer::Strange => ("404 Not Found", "There is nothing here."),
    };
    let page = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_state_brings_a_code() {
        let code = |text: &str| Answer::Code(text.to_owned());
        for (line, answer) in [
            ("GET /callback?code=lmc_1&state=s HTTP/1.1", code("lmc_1")),
            ("GET /callback?state=s&code=lmc_1 HTTP/1.1", code("lmc_1")),
            (
                "GET /callback?error=access_denied&state=s HTTP/1.1",
                Answer::Declined,
            ),
            ("GET /callback?code=lmc_1&state=t HTTP/1.1", Answer::Strange),
            ("GET /callback?code=lmc_1 HTTP/1.1", Answer::Strange),
            ("GET /favicon.ico HTTP/1.1", Answer::Strange),
            (
                "POST /callback?code=lmc_1&state=s HTTP/1.1",
                Answer::Strange,
            ),
            ("", Answer::Strange),
        ] {
            assert_eq!(read(line, "s"), answer, "{line}");
        }
    }

    #[test]
    fn the_page_is_given_the_challenge_and_never_the_verifier() {
        let address = Address::parse("https://hub.example").expect("an address");
        let url = page(&address, "verifier", "http://127.0.0.1:4000/callback", "s");
        assert!(url.starts_with("https://hub.example:443/authorise#client=leapmux%20on%20"));
        assert!(url.contains("&redirect_uri=http%3A%2F%2F127.0.0.1%3A4000%2Fcallback&state=s"));
        assert!(!url.contains("verifier"));
    }
}
