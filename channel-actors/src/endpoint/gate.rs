//! What may be said before the claim is accepted, and by whom afterwards.

use std::time::Instant;

use schema::wire::inner::Body;

use super::Failure;
use crate::close::CloseReason;

/// How far the two ends know each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Worker: frame 0 has to be the claim, until then.
    AwaitingClaim {
        until: Instant,
    },
    /// Worker: the claim came; somebody looks the device up. Frames wait.
    Judging {
        until: Instant,
    },
    /// Client: the claim went out; the Worker's frame 0 has to be its answer.
    AwaitingAnswer {
        until: Instant,
    },
    Open,
    /// Client: a Renew went out, and nothing of the base epoch is used any more.
    Renewing {
        until: Instant,
    },
    /// There is no path.
    Detached,
}

impl Phase {
    /// When it has lasted too long.
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::AwaitingClaim { until }
            | Self::Judging { until }
            | Self::AwaitingAnswer { until }
            | Self::Renewing { until } => Some(until),
            Self::Open | Self::Detached => None,
        }
    }

    /// Whether anything but claim and answer may be sealed. A client may send behind its claim.
    pub(super) const fn may_send(self) -> bool {
        matches!(self, Self::AwaitingAnswer { .. } | Self::Open)
    }
}

/// What a gate does with a message that has to be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shut {
    /// Worker: say so, then close with `rejected`.
    Fail(Failure),
    /// Close.
    Close(CloseReason),
}

/// Whether a client lets this message of its Worker in.
pub(super) const fn client_admits(phase: Phase, body: &Body) -> Result<(), Shut> {
    const BREACH: Result<(), Shut> = Err(Shut::Close(CloseReason::ProtocolError));
    let awaiting = !matches!(phase, Phase::Open);
    match body {
        Body::Failure(_) => Ok(()),
        Body::ClaimAccepted(_) if awaiting => Ok(()),
        Body::ClaimAccepted(_) => BREACH,
        Body::Response(_)
        | Body::StreamData(_)
        | Body::StreamEnd(_)
        | Body::Credit(_)
        | Body::Ping(_)
        | Body::Pong(_)
        | Body::Ack(_)
            if !awaiting =>
        {
            Ok(())
        }
        Body::Response(_)
        | Body::StreamData(_)
        | Body::StreamEnd(_)
        | Body::Credit(_)
        | Body::Ping(_)
        | Body::Pong(_)
        | Body::Ack(_) => BREACH,
        Body::Claim(_) | Body::Request(_) | Body::Cancel(_) => BREACH,
    }
}

/// Whether a Worker lets this message of its client in, once the claim is accepted.
pub(super) const fn worker_admits(body: &Body) -> Result<(), Shut> {
    match body {
        Body::Request(_)
        | Body::StreamData(_)
        | Body::StreamEnd(_)
        | Body::Credit(_)
        | Body::Cancel(_)
        | Body::Ping(_)
        | Body::Pong(_)
        | Body::Ack(_) => Ok(()),
        Body::Claim(_) => Err(Shut::Fail(Failure::ClaimInvalid)),
        Body::ClaimAccepted(_) | Body::Failure(_) | Body::Response(_) => {
            Err(Shut::Close(CloseReason::ProtocolError))
        }
    }
}

/// Whether a message that came in chunks is one that may: a single field of `Inner`, and of those
/// that are counted. None of these has repeated fields, so decoded it takes no more memory than
/// it has bytes.
pub(super) fn may_be_long(message: &[u8]) -> bool {
    const COUNTED: [u8; 6] = [
        length_delimited(4),
        length_delimited(5),
        length_delimited(6),
        length_delimited(7),
        length_delimited(8),
        length_delimited(9),
    ];
    let Some((key, mut rest)) = message.split_first() else {
        return false;
    };
    let length = prost::decode_length_delimiter(&mut rest);
    COUNTED.contains(key) && length.is_ok_and(|length| length == rest.len())
}

/// The key of a field below 16: its number, and wire type 2.
const fn length_delimited(number: u8) -> u8 {
    number << 3 | 2
}

/// Whether a message is counted, acknowledged and kept.
pub(super) const fn is_counted(body: &Body) -> bool {
    match body {
        Body::Claim(_)
        | Body::ClaimAccepted(_)
        | Body::Failure(_)
        | Body::Ping(_)
        | Body::Pong(_)
        | Body::Ack(_) => false,
        Body::Request(_)
        | Body::Response(_)
        | Body::StreamData(_)
        | Body::StreamEnd(_)
        | Body::Credit(_)
        | Body::Cancel(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use schema::wire::{self, Inner};

    use super::*;

    fn encoded(body: Body) -> Vec<u8> {
        Inner { body: Some(body) }.encode_to_vec()
    }

    #[test]
    fn just_what_is_counted_may_be_long() {
        for body in [
            Body::Claim(wire::Claim::default()),
            Body::ClaimAccepted(wire::ClaimAccepted::default()),
            Body::Failure(wire::Failure::default()),
            Body::Request(wire::Request::default()),
            Body::Response(wire::Response::default()),
            Body::StreamData(wire::StreamData::default()),
            Body::StreamEnd(wire::StreamEnd::default()),
            Body::Credit(wire::Credit::default()),
            Body::Cancel(wire::Cancel::default()),
            Body::Ping(wire::Ping::default()),
            Body::Pong(wire::Pong::default()),
            Body::Ack(wire::Ack::default()),
        ] {
            assert_eq!(may_be_long(&encoded(body.clone())), is_counted(&body));
        }
    }

    #[test]
    fn a_second_field_or_a_wrong_length_may_not() {
        let mut message = encoded(Body::Request(wire::Request {
            id: 1,
            ..wire::Request::default()
        }));
        assert!(may_be_long(&message));
        message.extend([0x0a, 0x00]);
        assert!(!may_be_long(&message));
        for message in [
            &[][..],
            &[0x22],
            &[0x22, 0x05, 1],
            &[0x22, 0xff],
            &[0xa2, 0x00, 0x00],
        ] {
            assert!(!may_be_long(message));
        }
    }
}
