//! Opens, frames, ends.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use channel_actors::{
    Begin, CloseReason, Limits, RefusalReason,
    budget::Budget,
    guard::Guard,
    messages::{Close, ControlFromBrowser},
    post::{Kept, Overrun, tell_addr},
    relay::{Ending, Side},
};
use schema::{
    frame::Frame,
    wire::{self, control::Body},
};
use tokio::sync::mpsc;

use crate::bench::{A, Bench, Heard, Release, frame, id};

#[actix::test]
async fn frames_pass_both_ways_as_they_came() {
    let mut bench = Bench::live(Limits::default(), false).await;
    let (up, down) = (frame(1, 0), frame(2, 0));
    assert_eq!(bench.offer_from_browser(up.clone()), Ok(()));
    let Heard::Frame(Side::Worker, passed) = bench.hear().await else {
        panic!("a frame")
    };
    assert_eq!(
        passed.as_bytes().as_ptr(),
        up.as_bytes().as_ptr(),
        "not a byte was copied"
    );
    assert_eq!(bench.offer_from_worker(down.clone()), Ok(()));
    let Heard::Frame(Side::Client, passed) = bench.hear().await else {
        panic!("a frame")
    };
    assert_eq!(passed, down);
}

#[actix::test]
async fn a_refusal_of_the_worker_reaches_the_browser() {
    let mut bench = Bench::opening(Limits::default(), false);
    bench.meet().await;
    let reason = RefusalReason::Busy;
    let refused = wire::Refused {
        reason: reason.to_wire().into(),
        ..wire::Refused::default()
    };
    bench.worker_says(Body::Refused(refused.clone()));
    let Heard::Control(Side::Client, Body::Refused(told)) = bench.hear().await else {
        panic!("a refusal")
    };
    assert_eq!(told, refused);
    let report = bench.reported().await;
    assert_eq!(
        (report.ending, report.opened),
        (Ending::Refused(reason), false)
    );
}

#[actix::test]
async fn a_worker_that_does_not_answer_is_given_up_after_ten_seconds() {
    tokio::time::pause();
    let mut bench = Bench::opening(Limits::default(), false);
    bench.meet().await;
    let Heard::Control(Side::Client, Body::Refused(told)) = bench.hear().await else {
        panic!("a refusal")
    };
    assert_eq!(
        RefusalReason::from_wire(told.reason),
        Some(RefusalReason::Timeout)
    );
    assert!(matches!(
        bench.hear().await,
        Heard::Control(Side::Worker, Body::Close(_))
    ));
    assert_eq!(
        bench.reported().await.ending,
        Ending::Refused(RefusalReason::Timeout)
    );
}

#[actix::test]
async fn a_violation_closes_and_names_the_offender() {
    let mut bench = Bench::live(Limits::default(), false).await;
    assert_eq!(bench.offer_from_worker(frame(1, 1)), Ok(()));
    assert_eq!(bench.offer_from_worker(frame(2, 1)), Ok(()));
    let report = bench.expect_end(CloseReason::InterleavedChunks).await;
    assert_eq!(report.offender, Some(Side::Worker));
    assert_eq!(report.to_browser.frames, 1);
}

#[actix::test]
async fn a_message_that_stands_still_closes_by_the_one_timer() {
    tokio::time::pause();
    let mut bench = Bench::live(Limits::default(), false).await;
    assert_eq!(bench.offer_from_browser(frame(1, 1)), Ok(()));
    let report = bench.expect_end(CloseReason::ChunkTimeout).await;
    assert_eq!(report.offender, None, "the other may withhold its answers");
}

#[actix::test]
async fn whoever_leaves_more_than_the_window_unread_loses_the_channel() {
    let limits = Limits {
        queue_frames: 10,
        ..Limits::default()
    };
    let mut bench = Bench::live(limits, true).await;
    for correlation in 0..11 {
        // The channel's own mailbox holds twenty: it is given time to empty it.
        assert_eq!(bench.offer_from_worker(frame(correlation, 0)), Ok(()));
        tokio::task::yield_now().await;
    }
    let report = bench.expect_end(CloseReason::TooSlow).await;
    assert_eq!(report.offender, None, "the sender may have sent too much");
    assert_eq!(report.to_browser.frames, 10);
    // What waits is let go, wherever it waits.
    tell_addr(&bench.recorder, Release);
    assert!(matches!(bench.hear().await, Heard::Released(0)));
}

#[actix::test]
async fn a_reader_that_is_never_done_loses_the_channel_and_one_that_is_keeps_it() {
    tokio::time::pause();
    let limits = Limits::default();
    let patience = limits.lane_wait;
    let budget = Arc::new(Budget::new(usize::MAX));
    let begin = Begin::Open(wire::Incoming::default());
    let bench = Bench::within(budget.clone(), begin, limits, true);
    let mut bench = bench.answered().await;
    assert_eq!(bench.offer_from_worker(frame(1, 0)), Ok(()));
    while budget.held() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(patience - Duration::from_secs(1)).await;
    tell_addr(&bench.recorder, Release);
    assert!(matches!(bench.hear().await, Heard::Released(1)));
    assert_eq!(bench.offer_from_worker(frame(2, 0)), Ok(()));
    tokio::time::sleep(patience - Duration::from_secs(1)).await;
    assert!(bench.channel.connected());
    let report = bench.expect_end(CloseReason::TooSlow).await;
    assert_eq!((report.offender, budget.held()), (None, 0));
}

#[actix::test]
async fn what_a_channel_leaves_behind_that_its_ends_closed_waits_a_while_and_not_for_ever() {
    tokio::time::pause();
    let limits = Limits::default();
    let farewell = limits.farewell;
    let budget = Arc::new(Budget::new(usize::MAX));
    let begin = Begin::Open(wire::Incoming::default());
    let bench = Bench::within(budget.clone(), begin, limits, true);
    let mut bench = bench.answered().await;
    assert_eq!(bench.offer_from_browser(frame(1, 0)), Ok(()));
    assert_eq!(bench.offer_from_worker(frame(2, 0)), Ok(()));
    let close = channel_actors::close::close(id(), 0, CloseReason::ClosedByWorker);
    tokio::task::yield_now().await;
    bench.worker_says(close);
    bench.expect_end(CloseReason::ClosedByWorker).await;
    tokio::time::sleep(farewell / 2).await;
    assert!(budget.held() > 0, "a last word may still arrive");
    tokio::time::sleep(farewell).await;
    assert_eq!(budget.held(), 0, "though its envelopes still wait");
}

#[actix::test]
async fn large_frames_that_nobody_reads_are_bounded_by_their_bytes() {
    let mut bench = Bench::live(Limits::default(), true).await;
    for correlation in 0..84 {
        let full = Frame::new(id(), 0, correlation, 0, &[0; 65_535]);
        assert_eq!(bench.offer_from_worker(full), Ok(()));
        tokio::task::yield_now().await;
    }
    let report = bench.expect_end(CloseReason::TooSlow).await;
    assert_eq!(report.to_browser.frames, 83, "5.4 MB and no more");
}

#[actix::test]
async fn a_wedged_browser_among_a_hundred_honest_ones_is_the_only_one_to_fall() {
    let budget = Arc::new(Budget::new(1_010_000));
    let begin = || Begin::Open(wire::Incoming::default());
    let opening = |stalled| Bench::within(budget.clone(), begin(), Limits::default(), stalled);
    let mut wedged = opening(true).answered().await;
    let mut honest = Vec::new();
    for _ in 0..100 {
        honest.push(opening(false).answered().await);
    }
    let full = |correlation| Frame::new(id(), 0, correlation, 0, &[0; 20_000]);
    // 49 * (20,030 + 256) bytes wait for it.
    for correlation in 0..49 {
        assert_eq!(wedged.offer_from_worker(full(correlation)), Ok(()));
        tokio::task::yield_now().await;
    }
    while budget.held() < 994_014 {
        tokio::task::yield_now().await;
    }
    // An honest one brings the last drop, and is not the one to go.
    for correlation in 0..8 {
        for bench in &mut honest {
            assert_eq!(bench.offer_from_worker(full(correlation)), Ok(()));
            assert!(matches!(bench.hear().await, Heard::Frame(..)));
        }
    }
    let report = wedged.expect_end(CloseReason::TooSlow).await;
    assert_eq!(report.offender, None);
    assert_eq!(budget.held(), 0, "though its envelopes still wait");
    assert!(honest.iter().all(|bench| bench.channel.connected()));
}

#[actix::test]
async fn answers_to_renewals_that_nobody_asked_for_are_a_breach() {
    for answer in [
        Body::Renewed(wire::Renewed {
            serial: u32::MAX,
            ..wire::Renewed::default()
        }),
        Body::Refused(wire::Refused {
            reason: RefusalReason::Stale.to_wire().into(),
            serial: 1,
            ..wire::Refused::default()
        }),
    ] {
        let mut bench = Bench::live(Limits::default(), false).await;
        bench.worker_says(answer);
        let report = bench.expect_end(CloseReason::ProtocolError).await;
        assert_eq!(report.offender, Some(Side::Worker));
    }
}

#[actix::test]
async fn a_kept_recipient_keeps_the_bound_of_its_mailbox() {
    let limits = Limits {
        queue_frames: 10,
        ..Limits::default()
    };
    let bench = Bench::live(limits, false).await;
    // Nothing is awaited, so the Channel takes nothing.
    let offers: Vec<_> = (0..100)
        .map(|at| bench.offer_from_browser(frame(at, 0)))
        .collect();
    let taken = offers.iter().filter(|offer| offer.is_ok()).count();
    // Both directions come by the same mailbox.
    assert!((20..=22).contains(&taken), "{taken}");
    assert_eq!(offers.last(), Some(&Err(Overrun::Full)));
}

/// An actor that is held up by a test.
struct Held(std::sync::mpsc::Receiver<()>);

impl Actor for Held {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(20);
    }
}

impl Handler<Close> for Held {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Context<Self>) {
        // The test lets go by dropping the other end.
        let _released = self.0.recv();
    }
}

/// Which thread takes and which one offers is as in a Hub: they are two.
#[actix::test]
async fn a_kept_recipient_keeps_the_bound_for_a_busy_thread_beside_it() {
    let (release, held) = std::sync::mpsc::channel();
    let arbiter = actix::Arbiter::new();
    let addr = Held::start_in_arbiter(&arbiter.handle(), move |_| Held(held));
    let kept = Kept::new(addr.recipient::<Close>());
    let offering = std::thread::spawn(move || {
        let reason = CloseReason::TooSlow;
        (0..1_000_000)
            .filter(|_| kept.offer(Close { reason }).is_ok())
            .count()
    });
    let taken = offering.join().expect("it does not panic");
    // One is being handled.
    assert!((20..=22).contains(&taken), "{taken}");
    drop(release);
    arbiter.stop();
}

#[actix::test]
async fn the_fence_beats_a_recipient_that_does_not_read() {
    let mut bench = Bench::live(Limits::default(), true).await;
    for correlation in 0..100 {
        assert_eq!(bench.offer_from_worker(frame(correlation, 0)), Ok(()));
    }
    tokio::task::yield_now().await;
    bench.fence.fall();
    // These are offered before the goodbye, and do not pass either.
    assert_eq!(bench.offer_from_worker(frame(100, 0)), Ok(()));
    tell_addr(
        &bench.channel,
        Close {
            reason: CloseReason::Revoked,
        },
    );
    let report = bench.expect_end(CloseReason::Revoked).await;
    assert_eq!(report.ending, Ending::Closed(CloseReason::Revoked));
    tell_addr(&bench.recorder, Release);
    assert!(
        matches!(bench.hear().await, Heard::Released(0)),
        "not one more frame"
    );
}

#[actix::test]
async fn an_answer_that_comes_after_the_fence_opens_nothing() {
    let mut bench = Bench::opening(Limits::default(), false);
    bench.meet().await;
    bench.fence.fall();
    bench.worker_says(Body::Opened(wire::Opened::default()));
    tell_addr(
        &bench.channel,
        Close {
            reason: CloseReason::Revoked,
        },
    );
    let report = bench.expect_end(CloseReason::Revoked).await;
    assert!(!report.opened);
}

#[actix::test]
async fn a_close_of_one_end_is_told_to_both_once() {
    let mut bench = Bench::live(Limits::default(), false).await;
    let control = bench
        .browser
        .as_ref()
        .map(|browser| browser.control.clone());
    let control = control.expect("introduced");
    let reason = CloseReason::ClosedByClient;
    for _ in 0..3 {
        let close = channel_actors::close::close(id(), 0, reason);
        let said = ControlFromBrowser {
            path: A,
            body: close,
        };
        channel_actors::post::tell(&control, said);
    }
    tell_addr(
        &bench.channel,
        Close {
            reason: CloseReason::Internal,
        },
    );
    let report = bench.expect_end(reason).await;
    assert_eq!(report.ending, Ending::Closed(reason));
    assert!(bench.heard.try_recv().is_err(), "and nothing more");
}

#[actix::test]
async fn an_end_that_speaks_out_of_turn_is_closed() {
    let mut bench = Bench::live(Limits::default(), false).await;
    bench.worker_says(Body::Opened(wire::Opened::default()));
    let report = bench.expect_end(CloseReason::ProtocolError).await;
    assert_eq!(report.offender, Some(Side::Worker));
}

#[actix::test]
async fn a_channel_that_everybody_forgot_says_goodbye() {
    tokio::time::pause();
    let mut bench = Bench::live(Limits::default(), false).await;
    let Bench {
        channel,
        browser,
        worker,
        ..
    } = &mut bench;
    (*browser, *worker) = (None, None);
    // The last address goes; any other will do in its place.
    *channel = Bench::opening(Limits::default(), false).channel;
    let report = bench.expect_end(CloseReason::ConnectionLost).await;
    assert_eq!(report.ending, Ending::Closed(CloseReason::ConnectionLost));
}

/// An actor that holds a guard and dies.
struct Dying {
    _guard: Guard,
}

impl Actor for Dying {
    type Context = Context<Self>;
}

impl Handler<Close> for Dying {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Context<Self>) {
        panic!("as it is meant to");
    }
}

#[actix::test]
async fn the_guard_reports_a_panic_too() {
    let (told, mut hearing) = mpsc::unbounded_channel();
    let guard = Guard::new(id(), move |report| {
        told.send(report).expect("the test listens")
    });
    let dying = Dying { _guard: guard }.start();
    tell_addr(
        &dying,
        Close {
            reason: CloseReason::Internal,
        },
    );
    let report = hearing.recv().await.expect("it is reported");
    assert_eq!(report.ending, Ending::Closed(CloseReason::Internal));
}
