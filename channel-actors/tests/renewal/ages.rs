//! Hours pass.

use std::time::Duration;

use channel_actors::{CloseReason, Limits, endpoint::Event};

use super::{
    both_detach,
    support::{
        hostile::Hostile,
        wire::{Setup, Wire},
    },
};

const MINUTE: Duration = Duration::from_secs(60);

/// Traffic on a stream both ways for so long; the client renews when it is told to. How often it did.
fn hours(wire: &mut Wire, stream: u64, time: Duration) -> u32 {
    let (until, mut renewed) = (wire.now + time, 0);
    let mut number = 0_u32;
    while wire.now < until {
        number += 1;
        for end in [&mut wire.client, &mut wire.worker] {
            let data = number.to_be_bytes().to_vec();
            assert_eq!(end.stream_send(stream, data.into()), Ok(()));
        }
        wire.turn();
        wire.advance(Duration::from_secs(20));
        if wire.client_events.contains(&Event::RenewalDue) {
            wire.client_events
                .retain(|event| *event != Event::RenewalDue);
            wire.renew();
            renewed += 1;
        }
        wire.run();
        for end in [&mut wire.client, &mut wire.worker] {
            end.stream_consumed(stream, 4);
        }
    }
    assert_numbers(&wire.client_events, number);
    assert_numbers(&wire.worker_events, number);
    renewed
}

fn assert_numbers(events: &[Event], last: u32) {
    let number = |event: &Event| match event {
        Event::StreamData { data, .. } => Some(u32::from_be_bytes(*data.first_chunk()?)),
        Event::StreamEnd { .. } | Event::Closed { .. } | Event::Detached => Some(0),
        _ => None,
    };
    assert!(events.iter().filter_map(number).eq(1..=last));
}

#[test]
fn an_hour_passes_with_traffic_and_no_stream_notices_the_new_keys() {
    let mut wire = Wire::classic();
    let stream = wire.open_stream("s");
    wire.run();
    assert_eq!(hours(&mut wire, stream, 60 * MINUTE), 1);
    assert_eq!((wire.client.epoch(), wire.worker.epoch()), (1, 1));
}

#[test]
fn ten_hours_pass_and_each_has_its_keys() {
    let mut wire = Wire::classic();
    let stream = wire.open_stream("s");
    wire.run();
    // Every 55 to 58 minutes: 600 / 58 = 10.3.
    assert_eq!(hours(&mut wire, stream, 600 * MINUTE), 10);
    assert_eq!((wire.client.epoch(), wire.worker.epoch()), (10, 10));
}

#[test]
fn keys_of_70_minutes_end_the_channel_without_a_path_too() {
    let mut wire = Wire::established(Setup {
        limits: Limits {
            detached_max: 1_000 * MINUTE,
            ..Limits::default()
        },
        ..Setup::default()
    });
    both_detach(&mut wire);
    wire.client_events.clear();
    wire.advance(70 * MINUTE - Duration::from_millis(1));
    assert_eq!(wire.closed(), (None, None));
    assert!(
        wire.client_events.is_empty(),
        "a renewal is due on a live path only"
    );
    wire.advance(Duration::from_millis(1));
    let reason = Some(CloseReason::KeyExpired);
    assert_eq!(wire.closed(), (reason, reason));
}

#[test]
fn new_keys_begin_their_own_70_minutes() {
    let mut wire = Wire::classic();
    wire.advance(60 * MINUTE);
    wire.renew();
    wire.advance(70 * MINUTE - Duration::from_millis(1));
    assert_eq!(wire.closed(), (None, None));
    wire.advance(Duration::from_millis(1));
    let reason = Some(CloseReason::KeyExpired);
    assert_eq!(wire.closed(), (reason, reason));
}

#[test]
fn keys_that_are_renewed_and_never_claimed_for_do_not_keep_a_channel() {
    let mut hostile = Hostile::accepted();
    let born = hostile.now;
    for serial in 1..70 * 12 {
        let now = born + serial * Duration::from_secs(5);
        hostile.worker.expire(now);
        // It goes over each time, and names the candidate as its base, without a claim.
        hostile.renew(serial, now);
        assert_eq!(hostile.worker.closed(), None, "{serial}");
    }
    hostile.worker.expire(born + 70 * MINUTE);
    assert_eq!(hostile.worker.closed(), Some(CloseReason::KeyExpired));
}

#[test]
fn a_renewal_asks_for_both_counters_and_begins_them_anew() {
    let soft = (1 << 31) - 1;
    for (sealed, opened) in [(soft, 0), (0, soft)] {
        let mut wire = Wire::classic();
        wire.client = wire.client.at_counters(sealed, opened);
        wire.worker = wire.worker.at_counters(opened, sealed);
        let id = wire.call("one", "1".into()).expect("it is taken");
        wire.run();
        assert_eq!(wire.worker.respond(id, Ok("2".into())), Ok(()));
        wire.run();
        wire.client_events
            .retain(|event| *event == Event::RenewalDue);
        assert_eq!(wire.client_events, [Event::RenewalDue], "once");
        wire.renew();
        wire.client_events.clear();
        wire.call("two", "2".into()).expect("it is taken");
        wire.run();
        assert!(wire.client_events.is_empty());
    }
}

#[test]
fn idle_is_an_endpoint_of_bounded_size() {
    let wire = Wire::classic();
    println!("an endpoint is {} bytes", size_of_val(&wire.client));
    assert!(size_of_val(&wire.client) <= 2_048);
}
