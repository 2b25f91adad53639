//! Just enough HTTP/1.1 to ask a Hub something, with a deadline.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longest wait for a connection, and for each read of an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
pub(crate) struct Answer {
    /// 200 and the like.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// As it stood on the wire.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends `head`, which ends with its last header's line, and `body`; everything that came back.
pub(crate) fn raw(address: &str, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let socket: SocketAddr = address
        .trim_start_matches("http://")
        .parse()
        .map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&socket, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "{head}Connection: close\r\n\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn exchange(address: &str, head: &str, body: &[u8]) -> io::Result<Answer> {
    let answer = raw(address, head, body)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.ok_or(io::ErrorKind::UnexpectedEof)? + 4);
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        head,
        body: body.to_vec(),
    })
}

/// `GET path`.
pub(crate) fn get(address: &str, path: &str) -> io::Result<Answer> {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"),
        b"",
    )
}

/// A unary call in JSON; `credential` is one more header's line, or nothing.
pub(crate) fn call(
    address: &str,
    method: &str,
    credential: &str,
    question: &serde_json::Value,
) -> io::Result<Answer> {
    let (host, body) = (address.trim_start_matches("http://"), question.to_string());
    let head = format!(
        "POST /leapmux.v1.{method} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Connect-Protocol-Version: 1\r\nContent-Length: {}\r\n{credential}",
        body.len()
    );
    exchange(address, &head, body.as_bytes())
}
