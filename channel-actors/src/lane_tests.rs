#![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]

use schema::ids::ChannelId;

use super::*;
use crate::budget::Budget;

const PATIENCE: Duration = Duration::from_secs(300);

/// A frame of so many bytes in all.
fn frame(bytes: usize) -> Frame {
    let id = ChannelId::from_bytes([0; 16]);
    Frame::new(id, 0, 1, 0, &vec![0; bytes - schema::frame::HEADER_LEN])
}

fn lane(places: usize, bytes: usize) -> (Fence, Lane) {
    let fence = Fence::new();
    (fence.clone(), Lane::new(fence, places, bytes))
}

#[test]
fn a_lane_has_so_many_places_and_takes_them_back() {
    let now = Instant::now();
    let (_fence, mut lane) = lane(2, 1_000);
    let first = lane.enter(frame(50), now);
    let second = lane.enter(frame(50), now);
    assert!(first.is_some() && second.is_some() && lane.enter(frame(50), now).is_none());
    drop(first);
    let third = lane.enter(frame(50), now);
    assert!(third.is_some());
    assert_eq!(lane.waiting(), 2);
}

#[test]
fn a_lane_holds_so_many_bytes_and_takes_them_back() {
    let now = Instant::now();
    let (_fence, mut lane) = lane(10, 200);
    let first = lane.enter(frame(120), now);
    assert!(first.is_some() && lane.enter(frame(81), now).is_none());
    let second = lane.enter(frame(80), now);
    assert!(second.is_some() && lane.enter(frame(47), now).is_none());
    assert!(first.and_then(Passing::pass).is_some());
    assert!(lane.enter(frame(120), now).is_some());
}

#[test]
fn envelopes_that_are_opened_out_of_order_hold_their_own_frames() {
    let now = Instant::now();
    let (_fence, mut lane) = lane(10, 1_000);
    let sizes = [50, 60, 70];
    let mut envelopes: Vec<_> = sizes
        .iter()
        .filter_map(|size| lane.enter(frame(*size), now))
        .collect();
    let opened = [2, 0, 0].map(|at| envelopes.remove(at).pass().unwrap().as_bytes().len());
    assert_eq!(opened, [70, 50, 60]);
    assert_eq!((lane.waiting(), lane.shared.lock().bytes), (0, 0));
}

#[test]
fn a_waiting_frame_does_not_pass_a_fallen_fence() {
    let (fence, mut lane) = lane(1, 100);
    let waiting = lane.enter(frame(47), Instant::now());
    fence.fall();
    assert!(waiting.and_then(Passing::pass).is_none());
    assert_eq!(lane.waiting(), 0);
}

#[test]
fn what_is_released_is_gone_while_its_envelopes_still_wait() {
    let now = Instant::now();
    let (_fence, mut lane) = lane(10, 1_000);
    let envelopes: Vec<_> = (0..4).filter_map(|_| lane.enter(frame(50), now)).collect();
    let raw = frame(50);
    let witness = raw.as_bytes().clone();
    let last = lane.enter(raw, now);
    assert!(!witness.is_unique());
    lane.release(Dropped::Overrun);
    assert!(witness.is_unique(), "nobody else holds its memory");
    assert_eq!((lane.waiting(), lane.shared.lock().bytes), (0, 0));
    assert!(lane.enter(frame(50), now).is_none());
    let passed = envelopes.into_iter().chain(last).filter_map(Passing::pass);
    assert_eq!(passed.count(), 0);
    assert_eq!(lane.waiting(), 0);
}

/// A lane on an account of its own, of an actor that is no more.
fn abandoned(budget: &Arc<Budget>) -> Lane {
    let account = budget.open(|| {});
    Lane::toward(Side::Worker, account, Fence::new(), 100, 1_000_000)
}

#[test]
fn the_budget_holds_though_the_largest_holder_has_ended_and_its_socket_takes_nothing() {
    let now = Instant::now();
    let budget = Arc::new(Budget::new(10_000));
    let (mut ended, mut living) = (abandoned(&budget), abandoned(&budget));
    let dead: Vec<_> = (0..20)
        .map(|_| ended.enter(frame(200), now).unwrap())
        .collect();
    drop(ended);
    let alive: Vec<_> = (0..19)
        .map(|_| living.enter(frame(200), now).unwrap())
        .collect();
    assert_eq!(budget.held(), 19 * (200 + PLACE_BYTES));
    assert!(dead.iter().all(|envelope| !envelope.waits()));
    assert!(alive.iter().all(Passing::waits));
}

#[test]
fn a_frame_that_waits_for_too_long_is_noticed_however_many_leave_before_it() {
    let t0 = Instant::now();
    let at = |seconds| t0 + Duration::from_secs(seconds);
    let (_fence, mut lane) = lane(1_000, 100_000);
    assert_eq!(lane.deadline(PATIENCE), None);
    // Two come and one goes each second: what comes in second n waits for n seconds.
    let mut envelopes = VecDeque::new();
    let mut noticed = None;
    for second in 0..900 {
        for _ in 0..2 {
            envelopes.extend(lane.enter(frame(50), at(second)));
        }
        envelopes.pop_front();
        let due = lane.deadline(PATIENCE).is_some_and(|due| due <= at(second));
        if due && lane.is_overdue(PATIENCE, at(second)) {
            noticed = Some(second);
            break;
        }
    }
    // The first that waits for too long would go at 600; nothing waits for twice as long.
    assert!(noticed.is_some_and(|second| (600..900).contains(&second)));
}

#[test]
fn one_that_waits_behind_the_marked_one_is_next_though_nothing_enters() {
    let t0 = Instant::now();
    let at = |seconds| t0 + Duration::from_secs(seconds);
    let (_fence, mut lane) = lane(10, 1_000);
    let first = lane.enter(frame(50), at(0));
    let second = lane.enter(frame(50), at(100));
    drop(first);
    assert_eq!(lane.deadline(PATIENCE), Some(at(300)));
    assert!(!lane.is_overdue(PATIENCE, at(300)));
    assert_eq!(lane.deadline(PATIENCE), Some(at(400)));
    assert!(lane.is_overdue(PATIENCE, at(400)));
    drop(second);
    assert!(!lane.is_overdue(PATIENCE, at(400)));
    assert_eq!(lane.deadline(PATIENCE), None);
}

#[test]
fn a_lane_that_moves_is_never_overdue() {
    let t0 = Instant::now();
    let (_fence, mut lane) = lane(1_000, 100_000);
    let mut envelopes = VecDeque::new();
    // 100 frames wait at any time, and each for 200 seconds.
    for half in 0..4_000 {
        let now = t0 + Duration::from_millis(2_000 * half);
        envelopes.extend(lane.enter(frame(50), now));
        if envelopes.len() > 100 {
            envelopes.pop_front();
        }
        assert!(!lane.is_overdue(PATIENCE, now));
    }
}
