//! Renewals, and the paths that they come over.

use actix::Addr;
use channel_actors::{
    Begin, CloseReason, Limits, PathId, Refusal, RefusalReason, Renewal,
    fence::Fence,
    messages::{FromBrowser, MeetBrowser, PassRenewal, PathGone},
    post::{Overrun, tell_addr},
    relay::{Ending, Side},
};
use schema::{
    frame::Frame,
    wire::{self, control::Body},
};
use tokio::sync::mpsc;

use crate::bench::{A, B, Bench, Heard, Recorder, frame, id, next, side};

fn renewal(serial: u32) -> Renewal {
    let renew = wire::Renew {
        serial,
        ..wire::Renew::default()
    };
    let access = wire::AccessChanged::default();
    Renewal { renew, access }
}

fn renewed(serial: u32) -> Body {
    Body::Renewed(wire::Renewed {
        serial,
        ..wire::Renewed::default()
    })
}

fn refused(serial: u32) -> Body {
    Body::Refused(wire::Refused {
        serial,
        reason: RefusalReason::Stale.to_wire().into(),
        ..wire::Refused::default()
    })
}

fn frame_of(epoch: u32) -> Frame {
    Frame::new(id(), epoch, 1, 0, &[0; 40])
}

/// A channel whose first Session is A, and another Session that is not its own.
struct Pair {
    bench: Bench,
    other: Addr<Recorder>,
    heard: mpsc::UnboundedReceiver<Heard>,
    fence: Fence,
}

impl Pair {
    fn of(bench: Bench) -> Self {
        let (other, heard) = Recorder::listen(false);
        let fence = Fence::new();
        Self {
            bench,
            other,
            heard,
            fence,
        }
    }

    async fn live() -> Self {
        Self::of(Bench::live(Limits::default(), false).await)
    }

    async fn renew(&self, path: PathId, serial: u32) -> Result<(), Refusal> {
        let (recorder, fence) = if path == A {
            (&self.bench.recorder, self.bench.fence.clone())
        } else {
            (&self.other, self.fence.clone())
        };
        let browser = side(recorder, path, fence);
        let renewal = renewal(serial);
        let order = PassRenewal { browser, renewal };
        self.bench.channel.send(order).await.expect("it lives")
    }

    /// The Worker is asked; over a new path it is told first what the user may do.
    async fn worker_is_asked(&mut self, serial: u32, is_new_path: bool) {
        if is_new_path {
            assert!(matches!(
                self.bench.hear().await,
                Heard::Control(Side::Worker, Body::AccessChanged(_))
            ));
        }
        let Heard::Control(Side::Worker, Body::Renew(renew)) = self.bench.hear().await else {
            panic!("no Renew")
        };
        assert_eq!(renew.serial, serial);
    }

    async fn other_takes_over(&mut self, serial: u32) -> MeetBrowser {
        let Heard::MeetBrowser(meet) = next(&mut self.heard).await else {
            panic!("no introduction")
        };
        let Heard::Control(Side::Client, Body::Renewed(renewed)) = next(&mut self.heard).await
        else {
            panic!("not renewed")
        };
        assert_eq!(renewed.serial, serial);
        meet
    }

    fn goes(&self, path: PathId, reason: CloseReason) {
        tell_addr(&self.bench.channel, PathGone { path, reason });
    }
}

fn told(heard: Heard) -> (CloseReason, u32) {
    let Heard::Control(_, Body::Close(close)) = heard else {
        panic!("no Close")
    };
    let reason = CloseReason::from_wire(close.reason);
    (reason.expect("a known reason"), close.epoch)
}

#[actix::test]
async fn a_rekey_changes_the_epoch_and_nobody_is_introduced() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(A, 1).await, Ok(()));
    pair.worker_is_asked(1, false).await;
    pair.bench.worker_says(renewed(1));
    assert!(matches!(
        pair.bench.hear().await,
        Heard::Control(Side::Client, Body::Renewed(_))
    ));
    assert_eq!(pair.bench.offer_from_worker(frame(1, 0)), Ok(()));
    assert_eq!(pair.bench.offer_from_worker(frame_of(1)), Ok(()));
    let Heard::Frame(Side::Client, passed) = pair.bench.hear().await else {
        panic!("a frame")
    };
    assert_eq!(passed.epoch(), 1, "the stale one was dropped");
}

#[actix::test]
async fn a_candidate_takes_over_when_the_worker_says_so_and_the_old_one_is_told() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 1).await, Ok(()));
    pair.worker_is_asked(1, true).await;
    pair.bench.worker_says(renewed(1));
    let meet = pair.other_takes_over(1).await;
    let moved = told(pair.bench.hear().await);
    assert_eq!(moved, (CloseReason::Moved, 0));
    assert!(matches!(pair.bench.hear().await, Heard::Forgotten(A)));
    // Both of these are of the new epoch; one comes over a path that is the channel's no more.
    assert_eq!(pair.bench.offer_from_browser(frame_of(1)), Ok(()));
    let up = FromBrowser::new(B, frame_of(1));
    assert_eq!(meet.frames.offer(up), Ok::<(), Overrun>(()));
    assert!(matches!(pair.bench.hear().await, Heard::Frame(..)));
    assert!(pair.bench.heard.try_recv().is_err(), "and no other");
}

#[actix::test]
async fn the_fence_of_the_path_that_it_moved_to_is_the_channel_s() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 1).await, Ok(()));
    pair.worker_is_asked(1, true).await;
    pair.bench.worker_says(renewed(1));
    pair.other_takes_over(1).await;
    pair.bench.hear().await;
    // What the first path stood with is nothing to the channel any more.
    pair.bench.fence.fall();
    assert_eq!(pair.bench.offer_from_worker(frame_of(1)), Ok(()));
    assert!(matches!(next(&mut pair.heard).await, Heard::Frame(..)));
    pair.fence.fall();
    assert_eq!(pair.bench.offer_from_worker(frame_of(1)), Ok(()));
    pair.goes(B, CloseReason::Revoked);
    let goodbye = told(next(&mut pair.heard).await);
    assert_eq!(goodbye, (CloseReason::Revoked, 1), "and no frame");
    let report = pair.bench.reported().await;
    assert_eq!(report.ending, Ending::Closed(CloseReason::Revoked));
}

#[actix::test]
async fn a_candidate_whose_fence_fell_does_not_take_over() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 1).await, Ok(()));
    pair.worker_is_asked(1, true).await;
    pair.fence.fall();
    pair.bench.worker_says(renewed(1));
    pair.goes(B, CloseReason::Revoked);
    let Heard::Forgotten(path) = pair.bench.hear().await else {
        panic!("not forgotten")
    };
    assert_eq!(path, B);
    // The channel stands, in the epoch that the Worker went over to.
    assert_eq!(pair.bench.offer_from_worker(frame_of(1)), Ok(()));
    assert!(matches!(pair.bench.hear().await, Heard::Frame(..)));
}

#[actix::test]
async fn a_refused_candidate_changes_nothing() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 9).await, Ok(()));
    pair.worker_is_asked(9, true).await;
    pair.bench.worker_says(refused(9));
    let Heard::Control(Side::Client, Body::Refused(told)) = next(&mut pair.heard).await else {
        panic!("not refused")
    };
    assert_eq!(told.serial, 9);
    assert!(matches!(pair.bench.hear().await, Heard::Forgotten(B)));
    assert_eq!(pair.bench.offer_from_browser(frame(1, 0)), Ok(()));
    assert!(matches!(pair.bench.hear().await, Heard::Frame(..)));
}

#[actix::test]
async fn a_channel_without_a_path_waits_for_the_renewal_that_is_under_way() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 1).await, Ok(()));
    pair.worker_is_asked(1, true).await;
    pair.goes(A, CloseReason::ConnectionLost);
    let goodbye = told(pair.bench.hear().await);
    assert_eq!(goodbye, (CloseReason::ConnectionLost, 1));
    assert!(matches!(pair.bench.hear().await, Heard::Forgotten(A)));
    pair.bench.worker_says(renewed(1));
    pair.other_takes_over(1).await;
}

#[actix::test]
async fn and_ends_as_lost_when_that_is_refused() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 1).await, Ok(()));
    pair.worker_is_asked(1, true).await;
    pair.goes(A, CloseReason::ConnectionLost);
    told(pair.bench.hear().await);
    assert!(matches!(pair.bench.hear().await, Heard::Forgotten(A)));
    pair.bench.worker_says(refused(1));
    let goodbye = told(pair.bench.hear().await);
    assert_eq!(goodbye, (CloseReason::ConnectionLost, 1), "to the Worker");
    let report = pair.bench.reported().await;
    assert_eq!(report.ending, Ending::Closed(CloseReason::ConnectionLost));
    assert!(report.opened);
}

#[actix::test]
async fn a_final_reason_waits_for_no_renewal() {
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(B, 1).await, Ok(()));
    pair.worker_is_asked(1, true).await;
    pair.goes(A, CloseReason::Revoked);
    let report = pair.bench.expect_end(CloseReason::Revoked).await;
    assert_eq!(report.epoch, 1, "the Worker may be there already");
    let goodbye = told(next(&mut pair.heard).await);
    assert_eq!(goodbye, (CloseReason::Revoked, 1));
}

#[actix::test]
async fn a_worker_that_does_not_answer_a_renewal_in_ten_seconds_has_refused_it() {
    tokio::time::pause();
    let mut pair = Pair::live().await;
    assert_eq!(pair.renew(A, 1).await, Ok(()));
    pair.worker_is_asked(1, false).await;
    let Heard::Control(Side::Client, Body::Refused(told)) = pair.bench.hear().await else {
        panic!("not refused")
    };
    let reason = RefusalReason::from_wire(told.reason);
    assert_eq!((reason, told.serial), (Some(RefusalReason::Timeout), 1));
    // Its late answer is not passed on, and its epoch counts.
    pair.bench.worker_says(renewed(1));
    assert_eq!(pair.renew(A, 1).await, Err(RefusalReason::Stale.into()));
    assert_eq!(pair.renew(A, 2).await, Ok(()));
    pair.worker_is_asked(2, false).await;
}

#[actix::test]
async fn answers_to_what_an_earlier_actor_of_the_channel_asked_change_nothing() {
    let begin = Begin::Renew(renewal(9));
    let mut pair = Pair::of(Bench::begin(begin, Limits::default(), false));
    assert!(matches!(pair.bench.hear().await, Heard::MeetWorker(_)));
    pair.worker_is_asked(9, true).await;
    // A Worker that was slow to read comes to them first.
    pair.bench.worker_says(refused(7));
    pair.bench.worker_says(renewed(8));
    pair.bench.worker_says(renewed(9));
    assert!(matches!(pair.bench.hear().await, Heard::MeetBrowser(_)));
    let Heard::Control(Side::Client, Body::Renewed(told)) = pair.bench.hear().await else {
        panic!("not renewed")
    };
    assert_eq!(told.serial, 9);
    assert!(pair.bench.channel.connected());
}

#[actix::test]
async fn a_channel_that_begins_with_a_renewal_ends_with_its_refusal() {
    tokio::time::pause();
    for answers in [true, false] {
        let begin = Begin::Renew(renewal(4));
        let mut pair = Pair::of(Bench::begin(begin, Limits::default(), false));
        assert!(matches!(pair.bench.hear().await, Heard::MeetWorker(_)));
        pair.worker_is_asked(4, true).await;
        if answers {
            pair.bench.worker_says(refused(4));
        }
        let Heard::Control(Side::Client, Body::Refused(refused)) = pair.bench.hear().await else {
            panic!("not refused")
        };
        assert_eq!(refused.serial, 4);
        let goodbye = told(pair.bench.hear().await);
        assert_eq!(goodbye, (CloseReason::ConnectionLost, 4), "to the Worker");
        let report = pair.bench.reported().await;
        let expected = if answers {
            RefusalReason::Stale
        } else {
            RefusalReason::Timeout
        };
        assert_eq!(report.ending, Ending::Refused(expected));
        assert!(!report.opened);
    }
}
