//! Credit, windows and turns: nobody waits for ever, and nobody for somebody else.

#![cfg(feature = "endpoint")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

mod support;

use bytes::Bytes;
use channel_actors::{
    endpoint::{Endpoint, Event, SendError},
    relay::Side,
};
use support::wire::{Wire, error};

const KIB: usize = 1024;

/// What an application at one end does with a stream: sends so much, and uses what comes.
struct Bulk {
    id: u64,
    to_send: usize,
    received: usize,
}

impl Bulk {
    const fn new(id: u64, to_send: usize) -> Self {
        Self {
            id,
            to_send,
            received: 0,
        }
    }

    fn pump(&mut self, end: &mut Endpoint) {
        while self.to_send > 0 {
            let size = self.to_send.min(end.stream_room(self.id));
            if size == 0 {
                return;
            }
            assert_eq!(end.stream_send(self.id, Bytes::from(vec![1; size])), Ok(()));
            self.to_send -= size;
        }
    }

    fn consume(&mut self, events: &mut Vec<Event>, end: &mut Endpoint) {
        events.retain(|event| match event {
            Event::StreamData { id, data } if *id == self.id => {
                self.received += data.len();
                end.stream_consumed(self.id, data.len());
                false
            }
            Event::StreamRoom { id, .. } if *id == self.id => false,
            _ => true,
        });
    }
}

#[test]
fn two_opposite_bulk_transfers_of_50_mb_do_not_wait_for_each_other() {
    const SIZE: usize = 50_000_000;
    let mut wire = Wire::classic();
    let id = wire.open_stream("bulk");
    wire.run();
    let mut client = Bulk::new(id, SIZE);
    let mut worker = Bulk::new(id, SIZE);
    let mut turns = 0;
    while client.received < SIZE || worker.received < SIZE {
        client.pump(&mut wire.client);
        worker.pump(&mut wire.worker);
        wire.run();
        client.consume(&mut wire.client_events, &mut wire.client);
        worker.consume(&mut wire.worker_events, &mut wire.worker);
        turns += 1;
        assert!(turns < 1_000, "it does not go on");
    }
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn a_slow_stream_does_not_stop_another() {
    let mut wire = Wire::classic();
    let slow = wire.open_stream("slow");
    let quick = wire.open_stream("quick");
    wire.run();
    let mut stuck = Bulk::new(slow, 10_000 * KIB);
    let mut going = Bulk::new(quick, 10_000 * KIB);
    let mut reader = Bulk::new(quick, 0);
    for _ in 0..100 {
        stuck.pump(&mut wire.worker);
        going.pump(&mut wire.worker);
        wire.run();
        reader.consume(&mut wire.client_events, &mut wire.client);
    }
    assert_eq!(reader.received, 10_000 * KIB);
    assert_eq!(
        10_000 * KIB - stuck.to_send,
        1024 * KIB,
        "its credit and no more"
    );
}

#[test]
fn a_window_that_is_full_lets_acknowledgements_and_pings_through() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("bulk");
    wire.run();
    // Both windows: requests of a megabyte one way, answers the other, and nobody polls.
    for _ in 0..8 {
        wire.call("big", vec![0; 1_000_000].into())
            .expect("it is taken");
    }
    assert_eq!(
        wire.worker.respond(id, Ok(vec![0; 8_000_000].into())),
        Ok(())
    );
    let to_worker = wire.take_frames(Side::Client);
    let to_client = wire.take_frames(Side::Worker);
    let bytes = |frames: &[schema::frame::Frame]| -> usize {
        frames
            .iter()
            .map(|frame| frame.ciphertext().len() - 16)
            .sum()
    };
    for sent in [bytes(&to_worker), bytes(&to_client)] {
        assert!(
            sent <= 4 * KIB * KIB && sent > 4 * KIB * KIB - 65_536,
            "{sent}"
        );
    }
    wire.client.ping();
    assert_eq!(
        wire.take_frames(Side::Client).len(),
        1,
        "a ping needs no room"
    );
}

#[test]
fn both_full_windows_empty_through_acknowledgements_alone() {
    let mut wire = Wire::classic();
    let id = wire
        .call("big", vec![0; 12_000_000].into())
        .expect("it is taken");
    wire.run();
    assert_eq!(
        wire.worker.respond(id, Ok(vec![0; 12_000_000].into())),
        Ok(())
    );
    wire.call("big", vec![0; 12_000_000].into())
        .expect("it is taken");
    wire.run();
    let requests = |event: &&Event| matches!(event, Event::Request { .. });
    assert_eq!(wire.worker_events.iter().filter(requests).count(), 2);
    assert!(matches!(
        wire.client_events.last(),
        Some(Event::Response { .. })
    ));
}

#[test]
fn a_keystroke_overtakes_a_file() {
    let mut wire = Wire::classic();
    let file = wire.open_stream("file");
    let keys = wire.open_stream("keys");
    wire.run();
    while wire.client.stream_room(file) > 0 {
        let room = wire.client.stream_room(file);
        assert_eq!(wire.client.stream_send(file, vec![0; room].into()), Ok(()));
    }
    assert!(wire.turn());
    assert_eq!(wire.client.stream_send(keys, "k".into()), Ok(()));
    wire.passed.clear();
    assert!(wire.turn());
    let small = wire.passed.iter().find(|(from, _)| *from == Side::Client);
    assert!(
        small.is_some_and(|(_, bytes)| *bytes < 100),
        "the next frame is the keystroke"
    );
}

#[test]
fn a_stream_ends_when_both_sides_have_ended() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    assert_eq!(wire.client.stream_send(id, "last".into()), Ok(()));
    assert_eq!(wire.client.stream_end(id, None), Ok(()));
    assert_eq!(wire.client.stream_end(id, None), Err(SendError::Unknown));
    wire.run();
    assert_eq!(
        wire.worker_events.last(),
        Some(&Event::StreamEnd { id, error: None })
    );
    assert_eq!(wire.worker.stream_send(id, "more".into()), Ok(()));
    assert_eq!(wire.worker.stream_end(id, None), Ok(()));
    wire.run();
    assert_eq!(
        wire.client_events.last(),
        Some(&Event::StreamEnd { id, error: None })
    );
    assert_eq!(
        wire.worker.stream_send(id, "x".into()),
        Err(SendError::Unknown)
    );
}

#[test]
fn an_end_with_an_error_is_the_end_of_both_directions() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    assert_eq!(wire.worker.stream_end(id, Some(error(8))), Ok(()));
    assert_eq!(wire.client.stream_send(id, "crossing".into()), Ok(()));
    wire.run();
    let ended = Event::StreamEnd {
        id,
        error: Some(error(8)),
    };
    assert_eq!(wire.client_events.last(), Some(&ended));
    assert_eq!(
        wire.client.stream_send(id, "x".into()),
        Err(SendError::Unknown)
    );
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn a_failed_answer_ends_the_stream_of_its_call() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    assert_eq!(wire.worker.respond(id, Err(error(5))), Ok(()));
    wire.run();
    assert_eq!(
        wire.client_events,
        [Event::Response {
            id,
            result: Err(error(5))
        }]
    );
    assert_eq!(
        wire.client.stream_send(id, "x".into()),
        Err(SendError::Unknown)
    );
}

#[test]
fn a_stream_that_had_no_room_is_told_of_room() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    for _ in 0..4 {
        assert_eq!(
            wire.worker.stream_send(id, vec![0; 256 * KIB].into()),
            Ok(())
        );
    }
    assert_eq!(
        wire.worker.stream_send(id, "x".into()),
        Err(SendError::NoRoom)
    );
    assert_eq!(
        wire.worker.stream_send(id, vec![0; 257 * KIB].into()),
        Err(SendError::TooLarge)
    );
    wire.run();
    assert!(
        !wire
            .worker_events
            .iter()
            .any(|event| matches!(event, Event::StreamRoom { .. }))
    );
    wire.client.stream_consumed(id, 512 * KIB);
    wire.run();
    let room = 256 * KIB;
    assert_eq!(
        wire.worker_events.last(),
        Some(&Event::StreamRoom { id, room })
    );
}

#[test]
fn acknowledgements_come_after_a_second_at_the_latest() {
    let mut wire = Wire::classic();
    wire.call("one", "1".into()).expect("it is taken");
    wire.run();
    assert!(wire.take_frames(Side::Worker).is_empty());
    let due = wire.worker.deadline().expect("an acknowledgement is owed");
    assert_eq!(due - wire.now, std::time::Duration::from_secs(1));
    wire.advance(std::time::Duration::from_secs(1));
    assert_eq!(wire.take_frames(Side::Worker).len(), 1);
}

#[test]
fn a_small_request_may_overtake_a_large_one() {
    let mut wire = Wire::classic();
    let large = wire
        .call("large", vec![0; 300 * KIB].into())
        .expect("it is taken");
    let small = wire.call("small", "1".into()).expect("it is taken");
    wire.run();
    let heard = wire.worker_events.iter().map(|event| match event {
        Event::Request { id, .. } => *id,
        _ => 0,
    });
    assert_eq!(heard.collect::<Vec<_>>(), [small, large]);
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn a_cancelled_stream_makes_room_for_another_that_waits() {
    let mut wire = Wire::classic();
    let ids: Vec<_> = (0..5).map(|_| wire.open_stream("s")).collect();
    wire.run();
    // All the places of the queue are taken by streams whose window does not move.
    for id in &ids[..4] {
        for _ in 0..4 {
            assert_eq!(
                wire.client.stream_send(*id, vec![0; 256 * KIB].into()),
                Ok(())
            );
        }
    }
    let last = ids[4];
    assert_eq!(wire.client.stream_room(last), 0);
    for id in &ids[..4] {
        wire.client.cancel(*id);
    }
    let told = std::iter::from_fn(|| wire.client.poll_event());
    let told: Vec<_> = told.collect();
    assert!(
        matches!(told[..], [Event::StreamRoom { id, .. }] if id == last),
        "nothing has departed, and it is told"
    );
}
