//! A client with real keys that breaks the rules: the Worker holds them again on plaintext.

#![cfg(feature = "endpoint")]

mod support;

use bytes::Bytes;
use channel_actors::{CloseReason, endpoint::Event};
use schema::{
    frame::Frame,
    wire::{self, inner::Body},
};
use support::{channel, hostile::Hostile};

fn reason_after(act: impl FnOnce(&mut Hostile)) -> Option<CloseReason> {
    let mut hostile = Hostile::accepted();
    act(&mut hostile);
    let (events, _) = hostile.outcome();
    match events.last() {
        Some(Event::Closed { reason, .. }) => Some(*reason),
        _ => None,
    }
}

fn request(id: u64, opens_stream: bool) -> Body {
    let method = "m".to_owned();
    Body::Request(wire::Request {
        id,
        method,
        opens_stream,
        ..wire::Request::default()
    })
}

fn data(id: u64, bytes: usize) -> Body {
    Body::StreamData(wire::StreamData {
        id,
        data: vec![0; bytes].into(),
    })
}

#[test]
fn sizes_and_flags_of_frames() {
    for (flags, size, reason) in [
        (0, 16, CloseReason::FrameSize),
        (0, 65_536, CloseReason::FrameSize),
        (2, 20, CloseReason::ProtocolError),
        (255, 20, CloseReason::ProtocolError),
    ] {
        let found = reason_after(|hostile| {
            let frame = Frame::new(channel(9), 0, 1, flags, &vec![0; size]);
            hostile.worker.receive(frame, hostile.now);
        });
        assert_eq!(found, Some(reason), "{flags} {size}");
    }
}

#[test]
fn chunks_that_interleave() {
    let found = reason_after(|hostile| {
        hostile.say_raw(1, 1, b"a");
        hostile.say_raw(2, 1, b"b");
    });
    assert_eq!(found, Some(CloseReason::InterleavedChunks));
}

#[test]
fn a_message_larger_than_16_mib() {
    let found = reason_after(|hostile| {
        for _ in 0..257 {
            hostile.say_raw(1, 1, &[0; 65_519]);
        }
    });
    assert_eq!(found, Some(CloseReason::MessageTooLarge));
}

#[test]
fn more_chunks_than_a_message_can_need() {
    let found = reason_after(|hostile| {
        for _ in 0..258 {
            hostile.say_raw(1, 1, &[0; 1]);
        }
    });
    assert_eq!(found, Some(CloseReason::TooManyChunks));
}

#[test]
fn what_is_no_inner_message() {
    for plaintext in [&b"\xff"[..], b"\x7a\x00", &[0x0a, 0x7f]] {
        let found = reason_after(|hostile| hostile.say_raw(1, 0, plaintext));
        assert_eq!(found, Some(CloseReason::ProtocolError));
    }
}

#[test]
fn what_only_a_worker_says() {
    for body in [
        Body::ClaimAccepted(wire::ClaimAccepted::default()),
        Body::Failure(wire::Failure::default()),
        Body::Response(wire::Response::default()),
    ] {
        let found = reason_after(|hostile| hostile.say(body));
        assert_eq!(found, Some(CloseReason::ProtocolError));
    }
}

#[test]
fn ids_that_do_not_rise_and_a_65th_request() {
    let found = reason_after(|hostile| {
        hostile.say(request(5, false));
        hostile.say(request(5, false));
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
    let found = reason_after(|hostile| (1..=65).for_each(|id| hostile.say(request(id, false))));
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

#[test]
fn a_workspace_that_is_no_id() {
    let found = reason_after(|hostile| {
        let workspace_id = "../etc".to_owned();
        let request = wire::Request {
            id: 1,
            workspace_id,
            ..wire::Request::default()
        };
        hostile.say(Body::Request(request));
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

#[test]
fn more_stream_data_than_credit_and_larger_messages_than_256_kib() {
    let found = reason_after(|hostile| {
        hostile.say(request(1, true));
        (0..33).for_each(|_| hostile.say(data(1, 32 * 1024)));
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
    let found = reason_after(|hostile| {
        hostile.say(request(1, true));
        (0..32).for_each(|_| hostile.say(data(1, 32 * 1024)));
    });
    assert_eq!(found, None, "all of the credit may be used");
}

#[test]
fn streams_that_nobody_opened_and_data_after_the_end() {
    assert_eq!(
        reason_after(|hostile| hostile.say(data(7, 1))),
        Some(CloseReason::ProtocolError)
    );
    let found = reason_after(|hostile| {
        hostile.say(request(1, true));
        hostile.say(Body::StreamEnd(wire::StreamEnd { id: 1, error: None }));
        hostile.say(data(1, 1));
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

#[test]
fn credit_and_acknowledgements_for_what_was_never_sent() {
    let found = reason_after(|hostile| {
        hostile.say(request(1, true));
        hostile.say(Body::Credit(wire::Credit {
            id: 1,
            total: u64::MAX,
        }));
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
    let found = reason_after(|hostile| hostile.say(Body::Ack(wire::Ack { received: 1 })));
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

#[test]
fn a_message_in_chunks_that_is_not_counted() {
    let found = reason_after(|hostile| {
        // A ping, cut in two: its sender does not count it and its receiver did.
        hostile.say_raw(1, 1, &[0x52, 0x02]);
        hostile.say_raw(1, 0, &[0x08, 0x01]);
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

#[test]
fn a_flood_of_pings_leaves_one_answer() {
    let mut hostile = Hostile::accepted();
    for nonce in 0..10_000 {
        hostile.say(Body::Ping(wire::Ping { nonce }));
    }
    let (_, said) = hostile.outcome();
    let pongs: Vec<_> = said
        .iter()
        .filter(|body| matches!(body, Body::Pong(_)))
        .collect();
    assert_eq!(pongs, [&Body::Pong(wire::Pong { nonce: 9_999 })]);
}

#[test]
fn frames_behind_a_claim_that_is_looked_at_are_bounded() {
    let mut hostile = Hostile::new();
    let claim = hostile.claim("alice", &support::device());
    hostile.say(Body::Claim(claim));
    for _ in 0..5_000 {
        hostile.say(Body::Ping(wire::Ping { nonce: 1 }));
    }
    let (events, _) = hostile.outcome();
    let reason = CloseReason::TooSlow;
    assert_eq!(
        events.last(),
        Some(&Event::Closed {
            reason,
            failure: None
        })
    );
}

#[test]
fn answers_that_nobody_acknowledges_stop_at_the_window() {
    let mut hostile = Hostile::accepted();
    for round in 0..200 {
        hostile.say(request(round + 1, false));
        let _ = hostile
            .worker
            .respond(round + 1, Ok(Bytes::from(vec![0; 60_000])));
        if hostile.worker.closed().is_some() {
            break;
        }
        let _ = hostile.outcome();
    }
    // The window took 4 MiB; then 64 answers were owed, and the next request was one too many.
    assert_eq!(hostile.worker.closed(), Some(CloseReason::ProtocolError));
}
