//! One input, the exact verdict.

#![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]

use std::time::Duration;

use schema::ids::ChannelId;

use super::*;

fn frame_of(epoch: u32, correlation: u64, flags: u8) -> Frame {
    Frame::new(
        ChannelId::from_bytes([1; 16]),
        epoch,
        correlation,
        flags,
        &[0; 20],
    )
}

fn full(correlation: u64, flags: u8) -> Frame {
    let id = ChannelId::from_bytes([1; 16]);
    Frame::new(id, 0, correlation, flags, &[0; 65_535])
}

fn live(now: Instant) -> Relay {
    let mut relay = Relay::opening(&Limits::default(), 0, now);
    assert_eq!(relay.opened(0), Ok(()));
    relay
}

#[test]
fn nothing_passes_before_the_worker_has_answered() {
    let now = Instant::now();
    for side in [Side::Client, Side::Worker] {
        let mut relay = Relay::opening(&Limits::default(), 0, now);
        assert_eq!(
            relay.admit(side, &frame_of(0, 1, 0), now),
            Verdict::Close(CloseReason::ProtocolError)
        );
    }
}

#[test]
fn both_directions_pass_when_live() {
    let now = Instant::now();
    let mut relay = live(now);
    assert_eq!(
        relay.admit(Side::Client, &frame_of(0, 1, 0), now),
        Verdict::Pass
    );
    assert_eq!(
        relay.admit(Side::Worker, &frame_of(0, 1, 0), now),
        Verdict::Pass
    );
}

#[test]
fn the_directions_are_counted_apart() {
    let now = Instant::now();
    let mut relay = live(now);
    assert_eq!(
        relay.admit(Side::Client, &frame_of(0, 1, 1), now),
        Verdict::Pass
    );
    assert_eq!(
        relay.admit(Side::Worker, &frame_of(0, 2, 1), now),
        Verdict::Pass
    );
    assert_eq!(
        relay.admit(Side::Client, &frame_of(0, 2, 1), now),
        Verdict::Close(CloseReason::InterleavedChunks)
    );
}

#[test]
fn the_smaller_of_the_announced_limits_counts() {
    let now = Instant::now();
    for (client, worker) in [(3, 0), (0, 3), (3, 9), (9, 3)] {
        let mut relay = Relay::opening(&Limits::default(), client, now);
        assert_eq!(relay.opened(worker), Ok(()));
        assert_eq!(
            relay.admit(Side::Worker, &full(1, 1), now),
            Verdict::Pass,
            "one full frame always"
        );
        assert_eq!(
            relay.admit(Side::Worker, &frame_of(0, 1, 0), now),
            Verdict::Close(CloseReason::MessageTooLarge)
        );
    }
}

#[test]
fn an_open_without_an_answer_is_refused_after_ten_seconds() {
    let now = Instant::now();
    let relay = Relay::opening(&Limits::default(), 0, now);
    assert_eq!(relay.deadline(), Some(now + Duration::from_secs(10)));
    assert_eq!(relay.expire(now + Duration::from_secs(9)), None);
    let expired = relay.expire(now + Duration::from_secs(10));
    assert_eq!(expired, Some(Ending::Refused(RefusalReason::Timeout)));
}

#[test]
fn a_second_answer_is_a_breach() {
    let now = Instant::now();
    assert_eq!(live(now).opened(0), Err(CloseReason::ProtocolError));
}

#[test]
fn a_message_that_stands_still_closes() {
    let now = Instant::now();
    let mut relay = live(now);
    assert_eq!(
        relay.admit(Side::Worker, &frame_of(0, 1, 1), now),
        Verdict::Pass
    );
    let late = now + Duration::from_secs(30);
    assert_eq!(relay.deadline(), Some(late));
    assert_eq!(
        relay.expire(late),
        Some(Ending::Closed(CloseReason::ChunkTimeout))
    );
}

#[test]
fn a_frame_of_an_older_epoch_is_dropped_and_of_a_newer_one_closes() {
    let now = Instant::now();
    let mut relay = live(now);
    assert_eq!(
        relay.admit(Side::Client, &frame_of(0, 1, 1), now),
        Verdict::Pass
    );
    relay.renewal_asked();
    assert_eq!(relay.renewed(4, 1_624), Ok(()));
    assert_eq!(
        relay.admit(Side::Client, &frame_of(0, 1, 0), now),
        Verdict::Drop(Dropped::StaleEpoch)
    );
    // The tally began anew: this is no interleaving with the chunk of epoch 0.
    assert_eq!(
        relay.admit(Side::Client, &frame_of(4, 2, 1), now),
        Verdict::Pass
    );
    assert_eq!(
        relay.admit(Side::Worker, &frame_of(5, 1, 0), now),
        Verdict::Close(CloseReason::ProtocolError)
    );
    assert!(!relay.heeds_close(0) && relay.heeds_close(4));
}

#[test]
fn a_worker_answers_a_renewal_once_and_only_when_asked() {
    let now = Instant::now();
    let breach = Err(CloseReason::ProtocolError);
    assert_eq!(live(now).renewed(1, 56), breach);
    assert_eq!(live(now).renewal_refused(), breach);
    let mut relay = live(now);
    relay.renewal_asked();
    assert_eq!(relay.renewal_refused(), Ok(()));
    assert_eq!(relay.renewal_refused(), breach);
    for (serial, bytes) in [(0, 56), (1, 1_625)] {
        let mut relay = live(now);
        relay.renewal_asked();
        assert_eq!(relay.renewed(serial, bytes), breach);
    }
}

#[test]
fn a_channel_that_is_not_known_is_live_with_the_answer_to_its_renewal() {
    let now = Instant::now();
    let mut relay = Relay::renewing(&Limits::default());
    let stale = Verdict::Drop(Dropped::StaleEpoch);
    for side in [Side::Client, Side::Worker] {
        assert_eq!(relay.admit(side, &frame_of(3, 1, 0), now), stale);
    }
    assert_eq!(relay.opened(0), Err(CloseReason::ProtocolError));
    assert!(relay.is_renewing() && !relay.is_live());
    relay.renewal_asked();
    assert_eq!(relay.renewed(4, 1_624), Ok(()));
    assert!(relay.is_live());
    assert_eq!(relay.epoch(), 4);
    assert_eq!(
        relay.admit(Side::Client, &frame_of(4, 1, 0), now),
        Verdict::Pass
    );
}

#[test]
fn a_channel_that_lost_its_path_lets_nothing_pass_until_it_is_renewed() {
    let now = Instant::now();
    let mut relay = live(now);
    assert_eq!(
        relay.admit(Side::Worker, &frame_of(0, 1, 1), now),
        Verdict::Pass
    );
    relay.renewal_asked();
    relay.path_lost();
    assert_eq!(relay.deadline(), None, "the message's timer stands still");
    assert_eq!(
        relay.admit(Side::Worker, &frame_of(0, 1, 0), now),
        Verdict::Drop(Dropped::StaleEpoch)
    );
    assert_eq!(relay.renewed(1, 56), Ok(()));
    assert!(relay.is_live());
    assert!(relay.close());
    relay.path_lost();
    assert!(relay.is_closed());
}

#[test]
fn not_one_more_frame_passes_the_fence() {
    let now = Instant::now();
    let mut relay = live(now);
    relay.fence();
    for side in [Side::Client, Side::Worker] {
        assert_eq!(
            relay.admit(side, &frame_of(0, 1, 0), now),
            Verdict::Drop(Dropped::Revoked)
        );
    }
}

#[test]
fn closing_twice_is_closing_once() {
    let now = Instant::now();
    let mut relay = live(now);
    assert!(relay.close());
    assert!(!relay.close());
    assert_eq!(relay.deadline(), None);
    assert_eq!(
        relay.admit(Side::Client, &frame_of(0, 1, 0), now),
        Verdict::Drop(Dropped::Closed)
    );
}

#[test]
fn an_end_cannot_speak_for_the_hub() {
    let said = |reason: CloseReason| Relay::reason_of_an_end(reason.to_wire().into());
    assert_eq!(said(CloseReason::DecryptFailed), CloseReason::DecryptFailed);
    assert_eq!(said(CloseReason::Revoked), CloseReason::ProtocolError);
    assert_eq!(Relay::reason_of_an_end(0), CloseReason::ProtocolError);
    assert_eq!(Relay::reason_of_an_end(-7), CloseReason::ProtocolError);
}
