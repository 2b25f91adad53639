//! The one in the middle: delays, cuts, repeats, reorders, alters, shortens, splices, reflects.

#![cfg(feature = "endpoint")]

mod support;

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use channel_actors::{
    CloseReason,
    endpoint::{Event, SendError},
    relay::Side,
};
use schema::frame::{FLAG_MORE, Frame};
use support::{
    POST_QUANTUM, channel, rng,
    wire::{Hook, Setup, Wire, error},
};

fn rebuilt(frame: &Frame, change: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut raw = frame.as_bytes().to_vec();
    change(&mut raw);
    Frame::parse(raw.into()).expect("still a frame")
}

/// One call, with the hook in the client's direction.
fn call_through(hook: impl FnMut(Frame) -> Vec<Frame> + 'static) -> Wire {
    let mut wire = Wire::classic();
    let mut hook = hook;
    wire.hook = Box::new(move |from, frame| match from {
        Side::Client => hook(frame),
        Side::Worker => vec![frame],
    });
    wire.call("one", "first".into()).expect("it is taken");
    wire.run();
    wire
}

fn assert_both_closed(wire: &Wire, reason: CloseReason) {
    assert_eq!(wire.closed(), (Some(reason), Some(reason)));
}

#[test]
fn a_call_and_its_answer_arrive() {
    for mode in [support::CLASSIC, POST_QUANTUM] {
        let mut wire = Wire::established(Setup {
            mode,
            ..Setup::default()
        });
        let id = wire.call("echo", "hello".into()).expect("it is taken");
        wire.run();
        let Some(Event::Request { payload, .. }) = wire.worker_events.pop() else {
            panic!("a request")
        };
        assert_eq!(wire.worker.respond(id, Ok(payload)), Ok(()));
        assert_eq!(
            wire.worker.respond(id, Ok(Bytes::new())),
            Err(SendError::Unknown)
        );
        wire.run();
        let result = Ok("hello".into());
        assert_eq!(wire.client_events, [Event::Response { id, result }]);
    }
}

#[test]
fn any_altered_byte_of_a_frame_closes_both_ends() {
    let length = {
        let seen = Rc::new(Cell::new(0));
        let note = seen.clone();
        call_through(move |frame| {
            note.set(frame.as_bytes().len());
            vec![frame]
        });
        seen.get()
    };
    // From the correlation id on; kind, channel and epoch are the next tests'.
    for at in 21..length {
        let wire = call_through(move |frame| vec![rebuilt(&frame, |raw| raw[at] ^= 0x40)]);
        let (client, worker) = wire.closed();
        assert!(client.is_some() && client == worker, "byte {at}");
        assert_eq!(
            wire.worker_events.len(),
            1,
            "byte {at}: nothing but the end"
        );
    }
}

#[test]
fn a_frame_of_an_epoch_that_has_not_begun_closes_both_ends() {
    let wire = call_through(|frame| vec![rebuilt(&frame, |raw| raw[20] = 1)]);
    assert_both_closed(&wire, CloseReason::ProtocolError);
}

#[test]
fn a_repeated_frame_closes_both_ends() {
    let wire = call_through(|frame| vec![frame.clone(), frame]);
    assert_both_closed(&wire, CloseReason::DecryptFailed);
    assert!(matches!(
        wire.worker_events.first(),
        Some(Event::Request { .. })
    ));
}

#[test]
fn frames_out_of_order_close_both_ends() {
    let mut wire = Wire::classic();
    let mut kept = None;
    wire.hook = Box::new(move |from, frame| match (from, kept.take()) {
        (Side::Worker, _) => vec![frame],
        (Side::Client, None) => {
            kept = Some(frame);
            vec![]
        }
        (Side::Client, Some(first)) => vec![frame, first],
    });
    wire.call("one", "1".into()).expect("it is taken");
    wire.call("two", "2".into()).expect("it is taken");
    wire.run();
    assert_both_closed(&wire, CloseReason::DecryptFailed);
    assert_eq!(wire.worker_events.len(), 1, "nothing was handled");
}

#[test]
fn a_frame_that_is_left_out_closes_both_ends_at_the_next() {
    let mut wire = Wire::classic();
    let mut first = true;
    wire.hook = Box::new(move |from, frame| {
        let cut = from == Side::Client && std::mem::take(&mut first);
        if cut { vec![] } else { vec![frame] }
    });
    wire.call("one", "1".into()).expect("it is taken");
    wire.run();
    assert_eq!(wire.closed(), (None, None), "nobody can know yet");
    wire.call("two", "2".into()).expect("it is taken");
    wire.run();
    assert_both_closed(&wire, CloseReason::DecryptFailed);
}

#[test]
fn a_shortened_and_a_lengthened_frame_close_both_ends() {
    for (change, reason) in [
        (
            &(|raw: &mut Vec<u8>| raw.truncate(30 + 16)) as &dyn Fn(&mut Vec<u8>),
            CloseReason::FrameSize,
        ),
        (
            &|raw: &mut Vec<u8>| raw.truncate(raw.len() - 1),
            CloseReason::DecryptFailed,
        ),
        (&|raw: &mut Vec<u8>| raw.push(0), CloseReason::DecryptFailed),
        (
            &|raw: &mut Vec<u8>| raw.resize(30 + 65_536, 0),
            CloseReason::FrameSize,
        ),
    ] {
        let mut wire = Wire::classic();
        wire.call("one", "1".into()).expect("it is taken");
        for frame in wire.take_frames(Side::Client) {
            wire.inject(Side::Worker, rebuilt(&frame, change));
        }
        wire.run();
        assert_both_closed(&wire, reason);
    }
}

#[test]
fn a_frame_of_another_channel_closes_this_one_and_not_the_other() {
    let mut a = Wire::established(Setup {
        channel: 1,
        ..Setup::default()
    });
    let mut b = Wire::established(Setup {
        channel: 2,
        ..Setup::default()
    });
    a.call("one", "1".into()).expect("it is taken");
    let frames = a.take_frames(Side::Client);
    for frame in &frames {
        let id = *channel(2).as_bytes();
        b.inject(
            Side::Worker,
            rebuilt(frame, |raw| raw[1..17].copy_from_slice(&id)),
        );
    }
    b.run();
    assert_both_closed(&b, CloseReason::DecryptFailed);
    frames
        .into_iter()
        .for_each(|frame| a.inject(Side::Worker, frame));
    assert!(matches!(
        a.worker_events.first(),
        Some(Event::Request { .. })
    ));
}

#[test]
fn a_frame_that_comes_back_to_its_sender_closes_both_ends() {
    let mut wire = Wire::classic();
    wire.call("one", "1".into()).expect("it is taken");
    for frame in wire.take_frames(Side::Client) {
        wire.inject(Side::Client, frame);
    }
    wire.run();
    assert_both_closed(&wire, CloseReason::DecryptFailed);
}

#[test]
fn a_path_that_is_cut_before_the_claim_holds_ends_the_channel() {
    let mut wire = Wire::opened(Setup::default());
    wire.call("one", "1".into()).expect("it is taken");
    wire.client.detach(wire.now);
    wire.worker.detach(wire.now);
    assert_both_closed(&wire, CloseReason::ConnectionLost);
    assert!(wire.take_frames(Side::Client).is_empty());
    assert_eq!(wire.call("two", "2".into()), Err(SendError::Closed));
}

#[test]
fn on_a_path_that_is_cut_later_nothing_more_is_sealed_and_calls_wait() {
    let mut wire = Wire::classic();
    wire.call("one", "1".into()).expect("it is taken");
    wire.client.detach(wire.now);
    assert!(wire.client.is_detached() && wire.client.closed().is_none());
    assert!(wire.take_frames(Side::Client).is_empty());
    assert_eq!(wire.call("two", "2".into()), Ok(2));
}

#[test]
fn after_the_end_everything_is_refused() {
    let mut wire = Wire::classic();
    let stream = wire.open_stream("s");
    wire.run();
    wire.client.close(CloseReason::ClosedByClient);
    wire.client.close(CloseReason::Internal);
    wire.run();
    assert_both_closed(&wire, CloseReason::ClosedByClient);
    assert_eq!(
        wire.client.stream_send(stream, "x".into()),
        Err(SendError::Closed)
    );
    assert_eq!(
        wire.worker.respond(stream, Ok(Bytes::new())),
        Err(SendError::Closed)
    );
    assert_eq!(wire.client.deadline(), None);
    assert_eq!(wire.client_events.len(), 1, "one end, told once");
}

#[test]
fn a_delay_of_everything_changes_nothing() {
    let mut wire = Wire::classic();
    let id = wire.call("slow", "1".into()).expect("it is taken");
    let frames = wire.take_frames(Side::Client);
    wire.advance(Duration::from_secs(29 * 60));
    frames
        .into_iter()
        .for_each(|frame| wire.inject(Side::Worker, frame));
    assert_eq!(wire.worker.respond(id, Ok("late".into())), Ok(()));
    wire.run();
    assert!(matches!(
        wire.client_events.last(),
        Some(Event::Response { .. })
    ));
}

#[test]
fn keys_are_renewed_from_minute_55_and_end_with_the_70th() {
    let mut wire = Wire::classic();
    wire.advance(Duration::from_secs(55 * 60 - 1));
    assert!(wire.client_events.is_empty());
    wire.advance(Duration::from_secs(3 * 60 + 1));
    assert_eq!(wire.client_events, [Event::RenewalDue]);
    wire.advance(Duration::from_secs(12 * 60 - 1));
    assert_eq!(wire.closed(), (None, None));
    wire.advance(Duration::from_secs(1));
    assert_both_closed(&wire, CloseReason::KeyExpired);
    assert_eq!(wire.client_events.len(), 2, "renewal is wanted once");
}

#[test]
fn past_the_soft_limit_the_client_wants_renewal_and_past_the_hard_one_all_ends() {
    let mut wire = Wire::classic();
    let (soft, hard) = ((1 << 31) - 1, (1 << 32) - 1);
    wire.client = wire.client.at_counters(soft, soft);
    wire.worker = wire.worker.at_counters(soft, soft);
    wire.call("one", "1".into()).expect("it is taken");
    wire.run();
    assert_eq!(wire.client_events, [Event::RenewalDue]);
    wire.client = wire.client.at_counters(hard, hard);
    wire.worker = wire.worker.at_counters(hard, hard);
    wire.call("two", "2".into()).expect("it is taken");
    wire.run();
    assert_eq!(wire.closed(), (None, None), "2^32 - 1 is the last counter");
    wire.call("three", "3".into()).expect("it is taken");
    wire.run();
    assert_both_closed(&wire, CloseReason::KeyExpired);
}

#[test]
fn a_close_with_an_unknown_reason_is_a_breach() {
    let mut wire = Wire::classic();
    let close = schema::wire::Close {
        reason: 999,
        channel_id: channel(9).as_bytes().to_vec().into(),
        ..schema::wire::Close::default()
    };
    wire.client.receive_control(
        &schema::wire::control::Body::Close(close),
        &mut rng(7),
        wire.now,
    );
    assert_eq!(wire.client.closed(), Some(CloseReason::ProtocolError));
}

#[test]
fn a_ping_measures_the_way() {
    let mut wire = Wire::classic();
    wire.client.ping();
    let asked = wire.take_frames(Side::Client);
    wire.now += Duration::from_millis(20);
    asked
        .into_iter()
        .for_each(|frame| wire.inject(Side::Worker, frame));
    wire.now += Duration::from_millis(20);
    wire.run();
    let rtt = Duration::from_millis(40);
    assert_eq!(wire.client_events, [Event::Pong { rtt }]);
}

#[test]
fn a_message_of_16_mib_arrives_and_a_larger_one_is_not_taken() {
    let mut wire = Wire::classic();
    let payload = Bytes::from(vec![7; 16 * 1024 * 1024 - 200]);
    wire.call("big", payload.clone()).expect("it is taken");
    wire.run();
    let Some(Event::Request {
        payload: arrived, ..
    }) = wire.worker_events.pop()
    else {
        panic!("a request")
    };
    assert_eq!(arrived, payload);
    assert!(
        wire.passed
            .iter()
            .filter(|(from, _)| *from == Side::Client)
            .count()
            >= 257
    );
    let larger = Bytes::from(vec![7; 16 * 1024 * 1024]);
    assert_eq!(wire.call("big", larger), Err(SendError::TooLarge));
}

#[test]
fn an_end_that_announced_less_is_sent_less() {
    let limits = channel_actors::Limits {
        message_bytes: 100_000,
        ..Default::default()
    };
    let mut wire = Wire::established(Setup {
        limits,
        ..Setup::default()
    });
    assert_eq!(
        wire.call("big", vec![0; 100_000].into()),
        Err(SendError::TooLarge)
    );
    assert!(wire.call("fits", vec![0; 99_000].into()).is_ok());
}

#[test]
fn a_message_that_does_not_go_on_closes_after_30_seconds() {
    let mut wire = Wire::classic();
    wire.call("big", vec![0; 100_000].into())
        .expect("it is taken");
    let frames = wire.take_frames(Side::Client);
    assert!(
        frames
            .first()
            .is_some_and(|frame| frame.flags() == FLAG_MORE)
    );
    wire.inject(Side::Worker, frames[0].clone());
    wire.advance(Duration::from_secs(29));
    assert_eq!(wire.worker.closed(), None);
    wire.advance(Duration::from_secs(1));
    assert_eq!(wire.worker.closed(), Some(CloseReason::ChunkTimeout));
}

#[test]
fn a_cancelled_call_is_over_at_both_ends() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    wire.client.cancel(id);
    wire.run();
    assert_eq!(wire.worker_events.last(), Some(&Event::Cancelled { id }));
    assert_eq!(
        wire.worker.respond(id, Ok(Bytes::new())),
        Err(SendError::Unknown)
    );
    assert_eq!(
        wire.worker.stream_send(id, "x".into()),
        Err(SendError::Unknown)
    );
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn an_answer_that_crosses_its_cancel_is_ignored() {
    let mut wire = Wire::classic();
    let id = wire.call("one", "1".into()).expect("it is taken");
    wire.run();
    wire.client.cancel(id);
    assert_eq!(wire.worker.respond(id, Err(error(13))), Ok(()));
    wire.run();
    assert_eq!(wire.client_events, []);
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn sixty_four_calls_are_open_at_most() {
    let mut wire = Wire::classic();
    for _ in 0..64 {
        wire.call("one", "1".into()).expect("it is taken");
    }
    assert_eq!(wire.call("one", "1".into()), Err(SendError::TooMany));
    wire.run();
    assert_eq!(wire.worker.respond(1, Ok(Bytes::new())), Ok(()));
    wire.run();
    assert!(wire.call("one", "1".into()).is_ok());
    wire.run();
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn each_end_can_say_only_what_is_its_own() {
    let mut wire = Wire::classic();
    let call = channel_actors::endpoint::Call {
        method: "x",
        payload: Bytes::new(),
        opens_stream: false,
        workspace: None,
    };
    assert_eq!(wire.worker.request(call), Err(SendError::WrongEnd));
    assert_eq!(
        wire.client.respond(1, Ok(Bytes::new())),
        Err(SendError::WrongEnd)
    );
}

#[test]
fn what_was_not_delivered_is_never_reported_as_delivered() {
    let hook: Hook = Box::new(|from, frame| {
        if from == Side::Worker {
            vec![]
        } else {
            vec![frame]
        }
    });
    let mut wire = Wire::classic();
    wire.hook = hook;
    let id = wire.call("one", "1".into()).expect("it is taken");
    wire.run();
    assert_eq!(wire.worker.respond(id, Ok(Bytes::new())), Ok(()));
    wire.run();
    assert_eq!(wire.client_events, []);
}

#[test]
fn a_close_of_another_channel_closes_nothing() {
    let mut wire = Wire::classic();
    let close = |id| channel_actors::close::close(id, 0, CloseReason::Internal);
    wire.worker
        .receive_control(&close(channel(8)), &mut rng(7), wire.now);
    assert_eq!(wire.worker.closed(), None);
    wire.worker
        .receive_control(&close(channel(9)), &mut rng(7), wire.now);
    assert_eq!(wire.worker.closed(), Some(CloseReason::Internal));
}
