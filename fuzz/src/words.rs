//! What a peer with real keys may say: every inner message, with ids that meet each other, and
//! bytes that are none.

use arbitrary::Arbitrary;
use prost::Message as _;
use schema::wire::{self, inner::Body};

/// One message, or what is not one.
#[derive(Arbitrary, Debug)]
pub(crate) enum Word<'a> {
    Claim,
    ClaimAccepted,
    Failure(u8, &'a str),
    Request(u8, bool, u16),
    Response(u8, bool, u16),
    StreamData(u8, u16),
    StreamEnd(u8, bool),
    Credit(u8, u32),
    Cancel(u8),
    Ping(u8),
    Pong(u8),
    Ack(u16),
    Raw(&'a [u8]),
    Nothing,
}

impl Word<'_> {
    /// The plaintext. `claim` is one that holds.
    pub(crate) fn plaintext(&self, claim: &wire::Claim) -> Vec<u8> {
        let body = match self {
            Self::Raw(bytes) => return bytes.to_vec(),
            Self::Nothing => return Vec::new(),
            Self::Claim => Body::Claim(claim.clone()),
            Self::ClaimAccepted => Body::ClaimAccepted(wire::ClaimAccepted::default()),
            Self::Failure(reason, detail) => Body::Failure(wire::Failure {
                reason: i32::from(*reason % 6),
                detail: (*detail).to_owned(),
            }),
            Self::Request(id, opens_stream, bytes) => Body::Request(wire::Request {
                id: u64::from(*id),
                method: "terminal.attach".to_owned(),
                payload: filler(*bytes),
                opens_stream: *opens_stream,
                workspace_id: "garden".to_owned(),
            }),
            Self::Response(id, good, bytes) => Body::Response(wire::Response {
                id: u64::from(*id),
                result: Some(if *good {
                    wire::response::Result::Payload(filler(*bytes))
                } else {
                    wire::response::Result::Error(error())
                }),
            }),
            Self::StreamData(id, bytes) => Body::StreamData(wire::StreamData {
                id: u64::from(*id),
                data: filler(*bytes),
            }),
            Self::StreamEnd(id, good) => Body::StreamEnd(wire::StreamEnd {
                id: u64::from(*id),
                error: (!good).then(error),
            }),
            Self::Credit(id, total) => Body::Credit(wire::Credit {
                id: u64::from(*id),
                total: u64::from(*total),
            }),
            Self::Cancel(id) => Body::Cancel(wire::Cancel { id: u64::from(*id) }),
            Self::Ping(nonce) => Body::Ping(wire::Ping {
                nonce: u64::from(*nonce),
            }),
            Self::Pong(nonce) => Body::Pong(wire::Pong {
                nonce: u64::from(*nonce),
            }),
            Self::Ack(received) => Body::Ack(wire::Ack {
                received: u64::from(*received),
            }),
        };
        wire::Inner { body: Some(body) }.encode_to_vec()
    }
}

/// So many bytes of payload, below 16 KiB.
pub(crate) fn filler(bytes: u16) -> bytes::Bytes {
    vec![b'x'; usize::from(bytes) % 16_384].into()
}

pub(crate) fn error() -> wire::RpcError {
    wire::RpcError {
        code: 5,
        message: "no".to_owned(),
    }
}
