//! Each row of the protocol's table of breaches, and any sequence at all.

#![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]

use proptest::prelude::*;
use schema::ids::ChannelId;

use super::*;

fn frame(correlation: u64, flags: u8, ciphertext: usize) -> Frame {
    let channel = ChannelId::from_bytes([7; 16]);
    Frame::new(channel, 0, correlation, flags, &vec![0; ciphertext])
}

fn tally() -> Tally {
    let limits = Limits::default();
    Tally::new(&limits, limits.message_bytes)
}

#[test]
fn sizes_from_17_to_65_535_pass_and_no_other() {
    let now = Instant::now();
    for good in [17, 18, 65_535] {
        assert_eq!(tally().admit(&frame(1, 0, good), now), Ok(Place::Whole));
    }
    for bad in [0, 1, 16, 65_536] {
        assert_eq!(
            tally().admit(&frame(1, 0, bad), now),
            Err(CloseReason::FrameSize)
        );
    }
}

#[test]
fn no_flag_but_more_is_known() {
    let now = Instant::now();
    for flags in [2, 3, 4, 128, 255] {
        assert_eq!(
            tally().admit(&frame(1, flags, 17), now),
            Err(CloseReason::ProtocolError)
        );
    }
}

#[test]
fn a_second_first_chunk_closes_the_channel() {
    let now = Instant::now();
    let mut tally = tally();
    assert_eq!(tally.admit(&frame(1, 1, 17), now), Ok(Place::Chunk));
    assert_eq!(
        tally.admit(&frame(2, 1, 17), now),
        Err(CloseReason::InterleavedChunks)
    );
}

#[test]
fn correlation_id_0_is_not_special() {
    let now = Instant::now();
    let mut tally = tally();
    assert_eq!(tally.admit(&frame(0, 1, 17), now), Ok(Place::Chunk));
    assert_eq!(
        tally.admit(&frame(5, 1, 17), now),
        Err(CloseReason::InterleavedChunks)
    );
}

#[test]
fn a_single_frame_passes_between_the_chunks_of_another() {
    let now = Instant::now();
    let mut tally = tally();
    assert_eq!(tally.admit(&frame(1, 1, 65_535), now), Ok(Place::Chunk));
    assert_eq!(tally.admit(&frame(2, 0, 20), now), Ok(Place::Whole));
    assert_eq!(tally.admit(&frame(1, 1, 65_535), now), Ok(Place::Chunk));
    assert_eq!(tally.admit(&frame(1, 0, 17), now), Ok(Place::Last));
    assert_eq!(tally.deadline(), None);
}

#[test]
fn a_message_of_exactly_16_mib_passes_and_one_byte_more_does_not() {
    let now = Instant::now();
    let last = (16 * 1024 * 1024) - 256 * 65_519;
    for (extra, expected) in [(0, Ok(Place::Last)), (1, Err(CloseReason::MessageTooLarge))] {
        let mut tally = tally();
        for _ in 0..256 {
            assert_eq!(tally.admit(&frame(1, 1, 65_535), now), Ok(Place::Chunk));
        }
        assert_eq!(tally.admit(&frame(1, 0, last + 16 + extra), now), expected);
    }
}

#[test]
fn an_end_that_announced_less_is_held_to_it() {
    let now = Instant::now();
    let limits = Limits::default();
    let mut small = Tally::new(&limits, 100);
    assert_eq!(small.admit(&frame(1, 0, 116), now), Ok(Place::Whole));
    assert_eq!(
        small.admit(&frame(1, 0, 117), now),
        Err(CloseReason::MessageTooLarge)
    );
}

#[test]
fn the_258th_chunk_is_one_too_many() {
    let now = Instant::now();
    let mut tally = tally();
    for _ in 0..257 {
        assert_eq!(tally.admit(&frame(1, 1, 17), now), Ok(Place::Chunk));
    }
    assert_eq!(
        tally.admit(&frame(1, 1, 17), now),
        Err(CloseReason::TooManyChunks)
    );
}

#[test]
fn progress_moves_the_deadline_and_others_frames_do_not() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut tally = tally();
    assert!(tally.admit(&frame(1, 1, 17), start).is_ok());
    assert!(tally.admit(&frame(2, 0, 17), after(29)).is_ok());
    assert!(tally.is_late(after(30)));
    assert!(tally.admit(&frame(1, 1, 17), after(29)).is_ok());
    assert!(!tally.is_late(after(58)));
    assert!(tally.is_late(after(59)));
}

proptest! {
    #[test]
    fn whatever_comes_a_message_never_grows_over_its_limits(
        frames in proptest::collection::vec((0u64..4, 0u8..3, 10usize..400), 0..600)
    ) {
        let now = Instant::now();
        let limits = Limits { chunks: 10, ..Limits::default() };
        let mut tally = Tally::new(&limits, 2_000);
        for (correlation, flags, size) in frames {
            let place = tally.admit(&frame(correlation, flags, size), now);
            if let Some(open) = tally.unfinished {
                prop_assert!(open.bytes <= 2_000 && open.frames <= 10);
            }
            if place.is_err() {
                break;
            }
        }
    }
}
