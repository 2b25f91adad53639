//! The path is lost at each step of a renewal, with a frame under way.

use channel_actors::{CloseReason, close::close, relay::Side};
use schema::wire::control::Body;

use super::{
    answered, asked, both_detach, come_back, from_client, requests, responses,
    support::{
        POST_QUANTUM, channel, rng,
        wire::{Setup, Wire},
    },
    tell_client,
};

/// A channel that has lost its path with a request sealed and not delivered.
fn cut() -> Wire {
    let mut wire = Wire::classic();
    wire.call("one", "first".into()).expect("it is taken");
    assert_eq!(from_client(&mut wire).len(), 1);
    both_detach(&mut wire);
    wire.client_events.clear();
    wire
}

fn assert_whole(wire: &mut Wire) {
    wire.call("two", "second".into()).expect("it is taken");
    wire.run();
    assert_eq!(requests(wire), ["first", "second"]);
}

#[test]
fn what_was_lost_under_way_goes_again_and_once() {
    let mut wire = cut();
    come_back(&mut wire);
    assert_whole(&mut wire);
    assert_eq!((wire.client.epoch(), wire.worker.epoch()), (1, 1));
}

#[test]
fn what_the_worker_said_and_the_wire_lost_goes_again_too() {
    let mut wire = Wire::classic();
    let id = wire.call("one", "1".into()).expect("it is taken");
    wire.run();
    assert_eq!(wire.worker.respond(id, Ok("answer".into())), Ok(()));
    assert_eq!(wire.take_frames(Side::Worker).len(), 1);
    wire.cut_and_renew();
    assert_eq!(responses(&wire), ["answer"]);
}

#[test]
fn what_arrived_is_not_doubled() {
    let mut wire = Wire::classic();
    wire.call("one", "first".into()).expect("it is taken");
    wire.run();
    both_detach(&mut wire);
    wire.client_events.clear();
    come_back(&mut wire);
    assert_whole(&mut wire);
}

#[test]
fn a_cut_at_renew_changes_nothing_and_the_next_has_a_higher_serial_and_the_same_base() {
    let mut wire = cut();
    let first = asked(&mut wire);
    wire.client.detach(wire.now);
    let second = asked(&mut wire);
    assert_eq!((first.serial, first.base), (1, 0));
    assert_eq!((second.serial, second.base), (2, 0));
    let renewed = answered(&mut wire, &second);
    tell_client(&mut wire, &renewed);
    wire.run();
    assert_whole(&mut wire);
}

#[test]
fn a_cut_at_renewed_leaves_a_candidate_that_the_next_replaces() {
    let mut wire = cut();
    let renew = asked(&mut wire);
    answered(&mut wire, &renew);
    both_detach(&mut wire);
    let renew = asked(&mut wire);
    assert_eq!(renew.base, 0, "the client never heard of epoch 1");
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    wire.run();
    assert_whole(&mut wire);
    assert_eq!(wire.worker.epoch(), 2);
}

#[test]
fn a_cut_at_the_claim_is_mended_from_the_candidate() {
    let mut wire = cut();
    let renew = asked(&mut wire);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    assert_eq!(
        from_client(&mut wire).len(),
        2,
        "the claim, and what was kept"
    );
    both_detach(&mut wire);
    let renew = asked(&mut wire);
    assert_eq!(renew.base, 1);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    wire.run();
    assert_whole(&mut wire);
    // Its base before the candidate is gone.
    let mut old = renew;
    (old.serial, old.base) = (9, 0);
    let refused = answered(&mut wire, &old);
    assert!(matches!(refused, Body::Refused(refused) if refused.serial == 9));
}

#[test]
fn a_cut_at_the_answer_doubles_nothing_that_came_behind_the_claim() {
    let mut wire = cut();
    let renew = asked(&mut wire);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    for frame in from_client(&mut wire) {
        wire.inject(Side::Worker, frame);
    }
    assert_eq!(requests(&wire), ["first"]);
    assert!(
        !wire.take_frames(Side::Worker).is_empty(),
        "the answer, which is lost"
    );
    both_detach(&mut wire);
    wire.client_events.clear();
    come_back(&mut wire);
    assert_whole(&mut wire);
}

#[test]
fn a_cut_between_the_chunks_of_a_message_each_way_is_healed() {
    let mut wire = Wire::classic();
    let id = wire
        .call("one", vec![1; 200_000].into())
        .expect("it is taken");
    let frames = from_client(&mut wire);
    for frame in frames.into_iter().take(2) {
        wire.inject(Side::Worker, frame);
    }
    both_detach(&mut wire);
    wire.client_events.clear();
    come_back(&mut wire);
    assert_eq!(requests(&wire), [vec![1; 200_000]]);
    assert_eq!(wire.worker.respond(id, Ok(vec![2; 200_000].into())), Ok(()));
    let frames = wire.take_frames(Side::Worker);
    for frame in frames.into_iter().take(2) {
        wire.inject(Side::Client, frame);
    }
    both_detach(&mut wire);
    wire.client_events.clear();
    wire.renew();
    assert_eq!(responses(&wire), [vec![2; 200_000]]);
}

#[test]
fn a_rekey_under_traffic_is_noticed_by_nobody() {
    let mut wire = Wire::classic();
    let stream = wire.open_stream("s");
    wire.run();
    for round in 0..20 {
        for end in [&mut wire.client, &mut wire.worker] {
            assert_eq!(end.stream_send(stream, vec![round; 9_000].into()), Ok(()));
        }
        wire.turn();
        wire.renew();
    }
    assert_eq!(wire.closed(), (None, None));
    assert_eq!((wire.client.epoch(), wire.worker.epoch()), (20, 20));
    let seen = [&wire.client_events, &wire.worker_events];
    assert!(seen.iter().all(|events| {
        let data = events.iter().filter_map(|event| match event {
            channel_actors::endpoint::Event::StreamData { data, .. } => data.first(),
            _ => None,
        });
        data.copied().eq(0..20)
    }));
}

#[test]
fn the_post_quantum_mode_is_healed_too_and_takes_no_signature_of_the_worker() {
    let mut wire = Wire::established(Setup {
        mode: POST_QUANTUM,
        ..Setup::default()
    });
    wire.call("one", "first".into()).expect("it is taken");
    assert_eq!(from_client(&mut wire).len(), 1);
    both_detach(&mut wire);
    let renew = asked(&mut wire);
    let Body::Renewed(renewed) = answered(&mut wire, &renew) else {
        panic!("it is genuine");
    };
    assert_eq!((renew.noise.len(), renewed.noise.len()), (3_192, 1_624));
    tell_client(&mut wire, &Body::Renewed(renewed));
    wire.run();
    assert_whole(&mut wire);
}

#[test]
fn late_frames_and_closes_of_a_dead_path_are_dropped_and_counted() {
    let mut wire = Wire::classic();
    wire.call("one", "first".into()).expect("it is taken");
    let id = wire.open_stream("s");
    let late = from_client(&mut wire);
    both_detach(&mut wire);
    wire.inject(Side::Worker, late[0].clone());
    come_back_and_forget(&mut wire);
    assert_eq!(wire.worker.stream_send(id, "x".into()), Ok(()));
    let late_down = wire.take_frames(Side::Worker);
    wire.cut_and_renew();
    for frame in late {
        wire.inject(Side::Worker, frame);
    }
    for frame in late_down {
        wire.inject(Side::Client, frame);
    }
    let close = close(channel(9), 1, CloseReason::TooSlow);
    wire.client.receive_control(&close, &mut rng(8), wire.now);
    wire.worker.receive_control(&close, &mut rng(8), wire.now);
    assert_eq!(wire.closed(), (None, None));
    let (client, worker) = (wire.client.dropped(), wire.worker.dropped());
    assert_eq!((client.frames, client.closes), (1, 1));
    assert_eq!((worker.frames, worker.closes), (3, 1));
    assert_eq!(requests(&wire), ["first", ""]);
}

fn come_back_and_forget(wire: &mut Wire) {
    wire.renew();
    wire.client_events.clear();
}

#[test]
fn both_windows_full_in_both_directions_and_cut_again_and_again_come_empty() {
    let mut wire = Wire::classic();
    let id = wire
        .call("one", vec![1; 9_000_000].into())
        .expect("it is taken");
    wire.run();
    wire.worker_events.clear();
    assert_eq!(
        wire.worker.respond(id, Ok(vec![2; 9_000_000].into())),
        Ok(())
    );
    wire.call("two", vec![3; 9_000_000].into())
        .expect("it is taken");
    for _ in 0..10 {
        // Both fill their windows; of each only some frames arrive, and no acknowledgement does.
        let (up, down) = (from_client(&mut wire), wire.take_frames(Side::Worker));
        up.into_iter()
            .take(20)
            .for_each(|frame| wire.inject(Side::Worker, frame));
        down.into_iter()
            .take(20)
            .for_each(|frame| wire.inject(Side::Client, frame));
        both_detach(&mut wire);
        let renew = asked(&mut wire);
        let renewed = answered(&mut wire, &renew);
        tell_client(&mut wire, &renewed);
    }
    wire.run();
    assert_eq!(requests(&wire), [vec![3; 9_000_000]]);
    assert_eq!(responses(&wire), [vec![2; 9_000_000]]);
}
