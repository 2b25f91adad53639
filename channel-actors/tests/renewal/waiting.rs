//! Without a path, and while an answer is due.

use std::time::Duration;

use channel_actors::{
    CloseReason, Limits, RefusalReason,
    close::close,
    endpoint::{Event, SendError},
    refusal::refused_renewal,
    relay::Side,
};
use schema::{
    frame::Outer,
    wire::{Role, control::Body},
};

use super::{
    answered, asked, both_detach, come_back, from_client,
    support::{
        access, channel, rng,
        wire::{Judge, Setup, Wire},
        workspace,
    },
    tell_client,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn no_answer_to_a_renew_in_30_seconds_counts_as_a_lost_path() {
    let mut wire = Wire::classic();
    asked(&mut wire);
    wire.advance(30 * SECOND - Duration::from_millis(1));
    assert!(!wire.client.is_detached());
    wire.advance(Duration::from_millis(1));
    assert_eq!(wire.client_events, [Event::Detached]);
    wire.client_events.clear();
    come_back(&mut wire);
}

#[test]
fn no_claim_in_10_seconds_and_no_answer_in_15_count_as_a_lost_path() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    wire.advance(10 * SECOND - Duration::from_millis(1));
    assert!(!wire.worker.is_detached());
    wire.advance(Duration::from_millis(1));
    assert!(wire.worker.is_detached() && !wire.client.is_detached());
    wire.advance(5 * SECOND);
    assert!(wire.client.is_detached());
    wire.client_events.clear();
    come_back(&mut wire);
}

#[test]
fn no_judgement_in_10_seconds_counts_as_a_lost_path_and_comes_too_late() {
    let mut wire = Wire::classic();
    wire.judge = Judge::Later;
    wire.renew();
    wire.advance(10 * SECOND);
    assert!(wire.worker.is_detached());
    wire.worker.accept_claim(1, None, wire.now);
    assert!(wire.worker.is_detached());
    wire.judge = Judge::Accept(None);
    wire.client.detach(wire.now);
    wire.client_events.clear();
    come_back(&mut wire);
}

#[test]
fn after_five_minutes_without_a_path_it_is_over_and_only_an_accepted_claim_begins_them_anew() {
    let mut wire = Wire::classic();
    both_detach(&mut wire);
    wire.advance(200 * SECOND);
    wire.client_events.clear();
    come_back(&mut wire);
    both_detach(&mut wire);
    wire.advance(280 * SECOND);
    // A path that stands and brings no claim changes nothing.
    let renew = asked(&mut wire);
    answered(&mut wire, &renew);
    wire.advance(20 * SECOND - Duration::from_millis(1));
    assert_eq!(wire.closed(), (None, None));
    wire.advance(Duration::from_millis(1));
    let reason = Some(CloseReason::DetachedTooLong);
    assert_eq!(wire.closed(), (reason, reason));
}

#[test]
fn nobody_is_told_of_an_end_without_a_path() {
    let mut wire = Wire::classic();
    both_detach(&mut wire);
    wire.client.close(CloseReason::ClosedByClient);
    assert_eq!(wire.client.poll_outgoing(wire.now), None);
    assert_eq!(wire.client.deadline(), None);
}

#[test]
fn the_clock_of_an_unfinished_message_stands_still() {
    let mut wire = Wire::classic();
    wire.call("one", vec![0; 200_000].into())
        .expect("it is taken");
    let frames = from_client(&mut wire);
    wire.inject(Side::Worker, frames[0].clone());
    wire.advance(20 * SECOND);
    both_detach(&mut wire);
    wire.advance(120 * SECOND);
    assert_eq!(wire.worker.closed(), None);
    wire.judge = Judge::Later;
    wire.renew();
    wire.worker.accept_claim(1, None, wire.now);
    // What is held back behind the claim came with it; nothing follows it now.
    assert_eq!(wire.worker.closed(), None);
    wire.run();
    assert!(
        wire.worker_events
            .iter()
            .any(|event| matches!(event, Event::Request { .. }))
    );
}

#[test]
fn a_message_that_does_not_go_on_after_a_renewal_has_what_was_left_of_its_30_seconds() {
    let mut wire = Wire::classic();
    wire.call("one", vec![0; 200_000].into())
        .expect("it is taken");
    let frames = from_client(&mut wire);
    wire.inject(Side::Worker, frames[0].clone());
    wire.advance(20 * SECOND);
    both_detach(&mut wire);
    wire.advance(100 * SECOND);
    let renew = asked(&mut wire);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    let claim = from_client(&mut wire).remove(0);
    wire.inject(Side::Worker, claim);
    wire.worker
        .expire(wire.now + 10 * SECOND - Duration::from_millis(1));
    assert_eq!(wire.worker.closed(), None);
    wire.worker.expire(wire.now + 10 * SECOND);
    assert_eq!(wire.worker.closed(), Some(CloseReason::ChunkTimeout));
}

#[test]
fn a_close_that_tells_of_a_lost_path_detaches_and_any_other_ends() {
    for reason in CloseReason::ALL.iter().copied() {
        let mut wire = Wire::classic();
        let close = close(channel(9), 0, reason);
        wire.client.receive_control(&close, &mut rng(8), wire.now);
        wire.worker.receive_control(&close, &mut rng(8), wire.now);
        let ended = reason.is_final().then_some(reason);
        assert_eq!(wire.closed(), (ended, ended));
        assert_eq!(wire.client.is_detached(), ended.is_none());
        if ended.is_none() {
            come_back(&mut wire);
        }
    }
}

#[test]
fn before_its_claim_is_accepted_any_close_ends_it() {
    let mut wire = Wire::opened(Setup::default());
    let close = close(channel(9), 0, CloseReason::Draining);
    wire.client.receive_control(&close, &mut rng(8), wire.now);
    wire.worker.receive_control(&close, &mut rng(8), wire.now);
    let reason = Some(CloseReason::Draining);
    assert_eq!(wire.closed(), (reason, reason));
}

#[test]
fn a_stream_that_would_outgrow_its_credit_without_a_path_has_fallen_behind() {
    let mut wire = Wire::classic();
    let (loud, quiet) = (wire.open_stream("loud"), wire.open_stream("quiet"));
    wire.run();
    both_detach(&mut wire);
    let piece = || vec![7; 256 * 1024].into();
    for _ in 0..4 {
        assert_eq!(wire.worker.stream_send(loud, piece()), Ok(()));
    }
    assert_eq!(
        wire.worker.stream_send(loud, "x".into()),
        Err(SendError::Behind)
    );
    assert_eq!(
        wire.worker.stream_send(loud, "x".into()),
        Err(SendError::Unknown)
    );
    assert_eq!(wire.worker.stream_send(quiet, "y".into()), Ok(()));
    wire.client_events.clear();
    wire.renew();
    let ends: Vec<_> = wire
        .client_events
        .iter()
        .filter_map(|event| match event {
            Event::StreamEnd {
                id,
                error: Some(error),
            } => Some((*id, error.code, &*error.message)),
            Event::StreamData { id, .. } => Some((*id, 0, "")),
            _ => None,
        })
        .collect();
    assert_eq!(
        ends,
        [(loud, 10, "behind"), (quiet, 0, "")],
        "and none of what it had said"
    );
}

#[test]
fn who_waits_for_room_keeps_its_stream_and_is_told_when_there_is_some() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    let piece = || vec![7; 256 * 1024].into();
    for _ in 0..4 {
        assert_eq!(wire.worker.stream_send(id, piece()), Ok(()));
    }
    both_detach(&mut wire);
    assert_eq!(wire.worker.stream_room(id), 0);
    wire.worker_events.clear();
    wire.renew();
    for _ in 0..4 {
        wire.client.stream_consumed(id, 256 * 1024);
    }
    wire.run();
    let told = |event: &Event| matches!(event, Event::StreamRoom { id: it, .. } if *it == id);
    assert!(wire.worker_events.iter().any(told));
    assert_eq!(wire.worker.stream_send(id, piece()), Ok(()));
}

#[test]
fn a_ping_that_was_lost_with_its_path_is_asked_again() {
    let mut wire = Wire::classic();
    wire.client.ping();
    assert_eq!(from_client(&mut wire).len(), 1);
    wire.cut_and_renew();
    let pong = |event: &Event| matches!(event, Event::Pong { .. });
    assert!(wire.client_events.iter().any(pong));
}

#[test]
fn what_is_withdrawn_without_a_path_counts_at_once_and_a_renewal_ends_no_role() {
    let mut wire = Wire::classic();
    let (garden, shed) = (workspace("garden"), workspace("shed"));
    asked(&mut wire);
    both_detach(&mut wire);
    assert_eq!(wire.worker.role(&garden), Some(Role::Owner));
    wire.worker
        .change_access(&access(&[("shed", Role::Viewer)]));
    assert_eq!(wire.worker.role(&garden), None);
    wire.renew();
    assert_eq!(wire.client.role(&garden), None);
    assert_eq!(wire.client.role(&shed), Some(Role::Viewer));
}

#[test]
fn what_certificates_grant_is_the_most_at_once_and_until_the_next_judgement() {
    let mut wire = Wire::classic();
    let garden = workspace("garden");
    let cap = |role| Some([(workspace("garden"), role)].into_iter().collect());
    wire.worker.change_cap(cap(Role::Editor));
    assert_eq!(wire.worker.role(&garden), Some(Role::Editor));
    assert_eq!(
        wire.worker.role(&workspace("shed")),
        None,
        "no certificate names it"
    );
    both_detach(&mut wire);
    wire.worker.change_cap(cap(Role::Viewer));
    assert_eq!(wire.worker.role(&garden), Some(Role::Viewer));
    wire.judge = Judge::Accept(cap(Role::Viewer));
    wire.renew();
    assert_eq!(wire.client.role(&garden), Some(Role::Viewer));
    // A client believes what its Worker says, and no one else.
    wire.client.change_cap(None);
    assert_eq!(wire.client.role(&garden), Some(Role::Viewer));
}

#[test]
fn a_channel_may_wait_as_long_as_its_limits_say() {
    let mut wire = Wire::established(Setup {
        limits: Limits {
            detached_max: 7 * SECOND,
            ..Limits::default()
        },
        ..Setup::default()
    });
    both_detach(&mut wire);
    assert_eq!(wire.worker.deadline(), Some(wire.now + 7 * SECOND));
    wire.advance(7 * SECOND);
    assert_eq!(wire.worker.closed(), Some(CloseReason::DetachedTooLong));
}

/// What the client says when it is closed.
fn last_word(wire: &mut Wire) -> Option<(u32, i32)> {
    wire.client.close(CloseReason::ClosedByClient);
    match wire.client.poll_outgoing(wire.now) {
        Some(Outer::Control(Body::Close(close))) => Some((close.epoch, close.reason)),
        _ => None,
    }
}

#[test]
fn a_channel_whose_rekey_failed_says_goodbye_on_its_path_and_one_without_a_path_does_not() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    let busy = refused_renewal(channel(9), RefusalReason::Busy.into(), renew.serial);
    tell_client(&mut wire, &busy);
    assert!(wire.client.is_detached());
    let reason = CloseReason::ClosedByClient.to_wire().into();
    assert_eq!(last_word(&mut wire), Some((renew.serial, reason)));

    let mut wire = Wire::classic();
    asked(&mut wire);
    wire.advance(30 * SECOND);
    assert!(wire.client.is_detached());
    assert_eq!(last_word(&mut wire), Some((1, reason)));

    let mut wire = Wire::classic();
    both_detach(&mut wire);
    assert_eq!(last_word(&mut wire), None);

    let mut wire = Wire::classic();
    both_detach(&mut wire);
    let renew = asked(&mut wire);
    let busy = refused_renewal(channel(9), RefusalReason::Busy.into(), renew.serial);
    tell_client(&mut wire, &busy);
    assert_eq!(last_word(&mut wire), None);
}
