//! Connections of HTTP/2 by strangers: how long they may stay, and how long a call may take.

use hub_actors::Mode;
use schema::wire::{self, from_worker, to_worker};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{PATIENCE, Stopwatch, TestHub, TestWorker};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113, section 6.
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;

/// A frame: 24 bits of length, type, flags, stream.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
    frame.extend_from_slice(payload);
    frame
}

async fn connect(hub: &TestHub) -> TcpStream {
    let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// The next frame's type and stream; `None` at the end.
async fn next(stream: &mut TcpStream) -> Option<(u8, u8)> {
    let mut head = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut head))
        .await
        .unwrap()
        .ok()?;
    let mut payload = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[8]))
}

/// A call's head, in literals (RFC 7541, 6.2.2), without a body and without an end.
fn endless_call(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(&[0x01, 9]);
    block.extend_from_slice(b"localhost");
    block.extend_from_slice(&[0x0f, 0x10, 16]);
    block.extend_from_slice(b"application/grpc");
    frame(HEADERS, END_HEADERS, 1, &block)
}

#[tokio::test]
async fn a_connection_that_carries_no_link_is_closed() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.linkless_ms = 200).await;
    let mut stream = connect(&hub).await;
    while next(&mut stream).await.is_some() {}
}

#[tokio::test]
async fn a_connection_that_carries_a_link_stays() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.linkless_ms = 50).await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let watch = Stopwatch::start();
    while watch.elapsed().as_millis() < 300 {
        let question = wire::Heartbeat { nonce: 1 };
        worker.say(from_worker::Body::Heartbeat(question)).await;
        let answer = to_worker::Body::Heartbeat(wire::Heartbeat { nonce: 2 });
        assert_eq!(worker.next().await, Some(answer));
    }
}

#[tokio::test]
async fn a_call_whose_body_does_not_end_is_answered_all_the_same() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.call_ms = 200).await;
    let mut stream = connect(&hub).await;
    let call = endless_call("/leapmux.v1.WorkerRegistration/Register");
    stream.write_all(&call).await.unwrap();
    while next(&mut stream).await.unwrap() != (HEADERS, 1) {}
}
