//! A client with real keys that breaks the rules: the Worker holds them again on plaintext.

#![cfg(feature = "endpoint")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

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
fn ids_that_come_twice_and_more_requests_than_can_be_refused() {
    let found = reason_after(|hostile| {
        hostile.say(request(5, false));
        hostile.say(request(5, false));
    });
    assert_eq!(found, Some(CloseReason::ProtocolError));
    let found = reason_after(|hostile| (1..=129).for_each(|id| hostile.say(request(id, false))));
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

/// The ids that were answered with `RESOURCE_EXHAUSTED`.
fn refused(said: &[Body]) -> Vec<u64> {
    let refused = |body: &Body| match body {
        Body::Response(wire::Response {
            id,
            result: Some(wire::response::Result::Error(error)),
        }) => (error.code == 8).then_some(*id),
        _ => None,
    };
    said.iter().filter_map(refused).collect()
}

#[test]
fn a_request_over_the_limit_is_refused_and_closes_nothing() {
    let mut hostile = Hostile::accepted();
    (1..=65).for_each(|id| hostile.say(request(id, false)));
    let (events, said) = hostile.outcome();
    assert_eq!((events.len(), refused(&said)), (64, vec![65]));
    let mut hostile = Hostile::accepted();
    let (mut begun, mut said) = (0, Vec::new());
    for id in 1..=257 {
        hostile.say(request(id, true));
        begun += usize::from(hostile.worker.respond(id, Ok(Bytes::new())).is_ok());
        said.extend(hostile.outcome().1);
    }
    assert_eq!((begun, refused(&said)), (256, vec![257]));
    assert_eq!(hostile.worker.closed(), None);
}

#[test]
fn a_request_that_was_overtaken_is_heard() {
    let mut hostile = Hostile::accepted();
    for id in [2, 1, 5, 3] {
        hostile.say(request(id, false));
    }
    let (events, _) = hostile.outcome();
    let ids = events.iter().map(|event| match event {
        Event::Request { id, .. } => *id,
        _ => 0,
    });
    assert_eq!(ids.collect::<Vec<_>>(), [2, 1, 5, 3]);
}

#[test]
fn requests_and_cancels_in_turn_start_64_handlers_and_no_more() {
    let mut hostile = Hostile::accepted();
    for id in 1..=100 {
        hostile.say(request(id, false));
        hostile.say(Body::Cancel(wire::Cancel { id }));
    }
    let (events, _) = hostile.outcome();
    let begun = |event: &&Event| matches!(event, Event::Request { .. });
    assert_eq!(events.iter().filter(begun).count(), 64);
    assert_eq!(hostile.worker.closed(), None);
    hostile.worker.finished(1);
    hostile.say(request(101, false));
    assert!(matches!(
        hostile.outcome().0.last(),
        Some(Event::Request { id: 101, .. })
    ));
}

#[test]
fn streams_and_cancels_in_turn_start_256_handlers_and_no_more() {
    let mut hostile = Hostile::accepted();
    let mut begun = 0;
    for id in 1..=300 {
        hostile.say(request(id, true));
        if hostile.worker.respond(id, Ok(Bytes::new())).is_ok() {
            begun += 1;
        }
        hostile.say(Body::StreamEnd(wire::StreamEnd {
            id,
            error: Some(wire::RpcError::default()),
        }));
        let _ = hostile.outcome();
    }
    assert_eq!(begun, 256);
    hostile.worker.finished(1);
    hostile.say(request(301, true));
    assert_eq!(hostile.worker.respond(301, Ok(Bytes::new())), Ok(()));
}

/// Says one message in chunks.
fn say_long(hostile: &mut Hostile, correlation: u64, message: &[u8]) {
    let last = message.len().div_ceil(65_519) - 1;
    for (at, chunk) in message.chunks(65_519).enumerate() {
        hostile.say_raw(correlation, u8::from(at < last), chunk);
    }
}

#[test]
fn requests_that_hold_more_than_32_mib_are_refused() {
    let mut hostile = Hostile::accepted();
    for id in 1..=3 {
        let Body::Request(request) = request(id, false) else {
            panic!("a request")
        };
        let payload = vec![0; 12 * 1024 * 1024].into();
        let body = Some(Body::Request(wire::Request { payload, ..request }));
        let message = prost::Message::encode_to_vec(&wire::Inner { body });
        say_long(&mut hostile, id, &message);
    }
    let (events, said) = hostile.outcome();
    assert_eq!((events.len(), refused(&said)), (2, vec![3]));
}

#[test]
fn a_long_message_with_repeated_fields_is_not_decoded() {
    // A claim with 65,536 empty certificates; as long as may be it would be 8 million.
    let claim = [0x12, 0x00].repeat(65_536);
    let request = |body: Vec<u8>| {
        let mut message = vec![0x22];
        let _ = prost::encode_length_delimiter(body.len(), &mut message);
        message.extend(body);
        message
    };
    let mut message = request(Vec::new());
    message.push(0x0a);
    let _ = prost::encode_length_delimiter(claim.len(), &mut message);
    message.extend(&claim);
    // The last field would count, and be a good request.
    message.extend(request(vec![0x08, 0x01]));
    let found = reason_after(|hostile| say_long(hostile, 1, &message));
    assert_eq!(found, Some(CloseReason::ProtocolError));
}

#[test]
fn a_stream_that_floods_with_small_messages_ends_and_no_other() {
    let mut hostile = Hostile::accepted();
    hostile.say(request(1, true));
    hostile.say(request(2, true));
    for _ in 0..20_000 {
        hostile.say(data(1, 0));
    }
    hostile.say(data(2, 1));
    let (events, said) = hostile.outcome();
    let of = |wanted: u64| move |event: &&Event| matches!(event, Event::StreamData { id, .. } if *id == wanted);
    assert_eq!(events.iter().filter(of(1)).count(), 16_384);
    assert_eq!(events.iter().filter(of(2)).count(), 1);
    let end = |body: &Body| matches!(body, Body::StreamEnd(end) if end.id == 1);
    assert!(said.iter().any(end));
    assert_eq!(hostile.worker.closed(), None);
}

#[test]
fn nobody_has_a_role_in_a_channel_that_is_over() {
    let mut hostile = Hostile::accepted();
    let garden = support::workspace("garden");
    assert!(hostile.worker.role(&garden).is_some());
    hostile.worker.close(CloseReason::Revoked);
    assert_eq!(hostile.worker.role(&garden), None);
    assert_eq!(hostile.worker.workspaces(), []);
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
    for round in 0..300 {
        hostile.say(request(round + 1, false));
        let _ = hostile
            .worker
            .respond(round + 1, Ok(Bytes::from(vec![0; 60_000])));
        if hostile.worker.closed().is_some() {
            break;
        }
        let _ = hostile.outcome();
    }
    // The window took 4 MiB; then 64 answers were owed and 64 refusals more, and the next request
    // was one too many.
    assert_eq!(hostile.worker.closed(), Some(CloseReason::ProtocolError));
}
