//! Renews and their answers: forged, replayed, old, bad, refused.

use std::time::Duration;

use channel_actors::{
    CloseReason, RefusalReason,
    endpoint::{Event, RenewError},
    refusal::{Refusal, refused_renewal},
    relay::Side,
};
use schema::{
    frame::Outer,
    wire::{self, control::Body},
};

use super::{
    answered, asked, both_detach, come_back, from_client, requests,
    support::{
        channel, identity, rng,
        wire::{Judge, Setup, Wire},
    },
    tell_client,
};

fn refusal(wire: &mut Wire, renew: &wire::Renew) -> Option<RefusalReason> {
    let answered = wire
        .worker
        .answer_renewal(identity(), renew, &mut wire.rng, wire.now);
    answered.err()
}

/// Both ends go on as if nothing had been asked.
fn assert_unmoved(wire: &mut Wire) {
    wire.call("one", "1".into()).expect("it is taken");
    let frames = from_client(wire);
    assert_eq!(frames.len(), 1);
    frames
        .into_iter()
        .for_each(|frame| wire.inject(Side::Worker, frame));
    assert_eq!(requests(wire), ["1"]);
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn a_strangers_renew_is_refused_and_changes_nothing() {
    let mut wire = Wire::classic();
    let mut stranger = Wire::classic();
    let forged = asked(&mut stranger);
    assert_eq!(refusal(&mut wire, &forged), Some(RefusalReason::Handshake));
    assert_unmoved(&mut wire);
}

#[test]
fn a_renew_of_another_channel_worker_or_base_or_that_was_altered_is_refused() {
    let mut wire = Wire::classic();
    let mut other = Wire::classic();
    let good = asked(&mut other);
    let channel_id = channel(8).as_bytes().to_vec().into();
    let worker_id = String::from("another");
    for (renew, reason) in [
        (
            wire::Renew {
                channel_id,
                ..good.clone()
            },
            RefusalReason::Malformed,
        ),
        (
            wire::Renew {
                worker_id,
                ..good.clone()
            },
            RefusalReason::NotFound,
        ),
        (
            wire::Renew {
                base: 1,
                ..good.clone()
            },
            RefusalReason::Stale,
        ),
        (
            wire::Renew {
                serial: 0,
                ..good.clone()
            },
            RefusalReason::Stale,
        ),
        (
            wire::Renew {
                serial: 2,
                ..good.clone()
            },
            RefusalReason::Handshake,
        ),
        (
            wire::Renew {
                noise: good.noise.slice(1..),
                ..good.clone()
            },
            RefusalReason::Handshake,
        ),
    ] {
        assert_eq!(refusal(&mut wire, &renew), Some(reason));
    }
    assert_unmoved(&mut wire);
    assert_eq!(refusal(&mut other, &good), None);
}

#[test]
fn a_replayed_renew_is_refused_and_its_refusal_is_not_heeded() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    wire.run();
    let refused = answered(&mut wire, &renew);
    assert!(matches!(&refused, Body::Refused(it) if it.serial == 1));
    tell_client(&mut wire, &refused);
    tell_client(&mut wire, &renewed);
    assert_eq!(wire.client.dropped().renewals, 2);
    assert_unmoved(&mut wire);
}

#[test]
fn an_older_renewed_is_ignored_and_the_newest_counts() {
    let mut wire = Wire::classic();
    let first = asked(&mut wire);
    let older = answered(&mut wire, &first);
    let second = asked(&mut wire);
    let newest = answered(&mut wire, &second);
    tell_client(&mut wire, &older);
    assert_eq!(
        (wire.client.epoch(), wire.client.dropped().renewals),
        (0, 1)
    );
    tell_client(&mut wire, &newest);
    wire.run();
    assert_eq!(wire.client_events, [Event::Attached]);
    assert_unmoved(&mut wire);
}

#[test]
fn a_bad_renewed_of_the_newest_serial_is_final() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    let Body::Renewed(mut renewed) = answered(&mut wire, &renew) else {
        panic!("it is genuine");
    };
    let mut noise = renewed.noise.to_vec();
    noise[40] ^= 1;
    renewed.noise = noise.into();
    tell_client(&mut wire, &Body::Renewed(renewed));
    wire.run();
    let reason = Some(CloseReason::HandshakeFailed);
    assert_eq!(wire.closed(), (reason, reason), "and the Worker is told");
}

#[test]
fn from_renew_and_renewed_on_nothing_of_the_base_epoch_is_sealed_or_taken() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    wire.call("one", "1".into()).expect("it is taken");
    let before = from_client(&mut wire);
    assert_eq!(wire.worker.stream_send(id, "x".into()), Ok(()));
    let down = wire.take_frames(Side::Worker);
    let renew = asked(&mut wire);
    wire.call("two", "2".into()).expect("it is taken");
    assert!(from_client(&mut wire).is_empty());
    down.into_iter()
        .for_each(|frame| wire.inject(Side::Client, frame));
    let renewed = answered(&mut wire, &renew);
    assert_eq!(wire.worker.stream_send(id, "y".into()), Ok(()));
    assert!(wire.take_frames(Side::Worker).is_empty());
    before
        .into_iter()
        .for_each(|frame| wire.inject(Side::Worker, frame));
    assert_eq!(
        (wire.client.dropped().frames, wire.worker.dropped().frames),
        (1, 1)
    );
    tell_client(&mut wire, &renewed);
    wire.run();
    assert_eq!(requests(&wire)[1..], ["1", "2"]);
    let data = |event: &&Event| matches!(event, Event::StreamData { .. });
    assert_eq!(wire.client_events.iter().filter(data).count(), 2);
}

#[test]
fn the_worker_opens_and_seals_nothing_behind_a_claim_that_is_looked_at() {
    let mut wire = Wire::classic();
    let id = wire.open_stream("s");
    wire.run();
    wire.judge = Judge::Later;
    wire.call("one", "1".into()).expect("it is taken");
    wire.renew();
    assert_eq!(wire.worker.stream_send(id, "x".into()), Ok(()));
    assert!(wire.take_frames(Side::Worker).is_empty());
    assert_eq!(requests(&wire).len(), 1);
    wire.worker.accept_claim(0, None, wire.now);
    assert!(
        wire.take_frames(Side::Worker).is_empty(),
        "that was of another epoch"
    );
    wire.worker.accept_claim(1, None, wire.now);
    wire.run();
    assert_eq!(requests(&wire)[1..], ["1"]);
    assert_eq!(
        wire.client_events.first(),
        Some(&Event::Attached),
        "the answer comes first"
    );
}

#[test]
fn a_judgement_that_a_newer_renewal_has_overtaken_changes_nothing() {
    let mut wire = Wire::classic();
    wire.judge = Judge::Later;
    wire.renew();
    let renew = asked(&mut wire);
    assert_eq!(renew.base, 1, "the client has gone over");
    let renewed = answered(&mut wire, &renew);
    wire.worker.accept_claim(1, None, wire.now);
    wire.worker.reject_device(1, "able-bird-cage-dock");
    assert_eq!(wire.worker.closed(), None);
    tell_client(&mut wire, &renewed);
    wire.judge = Judge::Accept(None);
    wire.run();
    assert_unmoved(&mut wire);
}

#[test]
fn a_device_that_is_trusted_no_more_ends_at_the_next_claim() {
    let mut wire = Wire::classic();
    wire.judge = Judge::Reject("able-bird-cage-dock");
    wire.renew();
    let reason = Some(CloseReason::Rejected);
    assert_eq!(wire.closed(), (reason, reason));
}

#[test]
fn refusals_that_pass_leave_it_detached_and_the_others_end_it() {
    for reason in RefusalReason::ALL.iter().copied() {
        let mut wire = Wire::classic();
        both_detach(&mut wire);
        wire.client_events.clear();
        let renew = asked(&mut wire);
        let retry_after = Duration::from_secs(3);
        let refusal = Refusal {
            reason,
            retry_after,
        };
        tell_client(
            &mut wire,
            &refused_renewal(channel(9), refusal, renew.serial + 1),
        );
        assert!(!wire.client.is_detached() && wire.client.closed().is_none());
        tell_client(
            &mut wire,
            &refused_renewal(channel(9), refusal, renew.serial),
        );
        wire.run();
        let ended = match reason {
            RefusalReason::WorkerOffline
            | RefusalReason::Quota
            | RefusalReason::Busy
            | RefusalReason::Timeout
            | RefusalReason::Draining => None,
            RefusalReason::NotFound | RefusalReason::Credential => Some(CloseReason::Revoked),
            RefusalReason::Handshake => Some(CloseReason::HandshakeFailed),
            RefusalReason::Stale => Some(CloseReason::ClosedByWorker),
            RefusalReason::Duplicate | RefusalReason::Malformed => Some(CloseReason::ProtocolError),
        };
        assert_eq!(wire.client.closed(), ended, "{}", reason.label());
        if ended.is_none() {
            assert_eq!(
                wire.client_events,
                [Event::RenewalRefused {
                    reason,
                    retry_after
                }]
            );
            wire.client_events.clear();
            come_back(&mut wire);
        }
    }
}

#[test]
fn a_rekey_that_is_refused_for_good_ends_the_channel_at_both_ends() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    let refused = refused_renewal(channel(9), RefusalReason::Credential.into(), renew.serial);
    tell_client(&mut wire, &refused);
    wire.run();
    let reasons = (
        Some(CloseReason::Revoked),
        Some(CloseReason::ClosedByClient),
    );
    assert_eq!(wire.closed(), reasons);
}

#[test]
fn a_close_between_renew_and_renewed_names_the_epoch_that_was_asked_for() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    answered(&mut wire, &renew);
    wire.client.close(CloseReason::ClosedByClient);
    let Some(Outer::Control(Body::Close(close))) = wire.client.poll_outgoing(wire.now) else {
        panic!("a Close");
    };
    assert_eq!(close.epoch, 1);
    wire.worker
        .receive_control(&Body::Close(close), &mut rng(8), wire.now);
    assert_eq!(wire.worker.closed(), Some(CloseReason::ClosedByClient));
}

#[test]
fn that_the_channel_has_moved_is_no_news_to_who_moved_it() {
    let mut wire = Wire::classic();
    let renew = asked(&mut wire);
    let moved = channel_actors::close::close(channel(9), 0, CloseReason::Moved);
    tell_client(&mut wire, &moved);
    let renewed = answered(&mut wire, &renew);
    tell_client(&mut wire, &renewed);
    wire.run();
    assert_unmoved(&mut wire);
    let moved = channel_actors::close::close(channel(9), 1, CloseReason::Moved);
    tell_client(&mut wire, &moved);
    assert!(wire.client.is_detached());
}

#[test]
fn who_cannot_renew_is_told() {
    let mut wire = Wire::opened(Setup::default());
    let renew = |wire: &mut Wire, side| {
        let end = match side {
            Side::Client => &mut wire.client,
            Side::Worker => &mut wire.worker,
        };
        end.renew(&mut wire.rng, wire.now)
    };
    assert_eq!(
        renew(&mut wire, Side::Client),
        Err(RenewError::NeverEstablished)
    );
    assert_eq!(renew(&mut wire, Side::Worker), Err(RenewError::WrongEnd));
    wire.client.close(CloseReason::ClosedByClient);
    assert_eq!(renew(&mut wire, Side::Client), Err(RenewError::Closed));
}

#[test]
fn before_its_first_claim_a_channel_answers_no_renew() {
    let mut wire = Wire::opened(Setup::default());
    let mut other = Wire::classic();
    let renew = asked(&mut other);
    assert_eq!(refusal(&mut wire, &renew), Some(RefusalReason::Stale));
    wire.run();
    assert_eq!(wire.closed(), (None, None));
}

#[test]
fn new_certificates_come_with_the_next_claim() {
    let mut wire = Wire::classic();
    let certificate = wire::Signed {
        algorithm: 1,
        ..wire::Signed::default()
    };
    wire.client.set_certificates(vec![certificate.clone()]);
    wire.renew();
    let claimed = wire.worker_events.iter().find_map(|event| match event {
        Event::Claimed { device, .. } => Some(&device.certificates),
        _ => None,
    });
    assert_eq!(claimed, Some(&vec![certificate]));
}
