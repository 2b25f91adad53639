//! Wiring only: what the Channel actor does with its relay's verdicts.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use channel_actors::{
    BrowserSide, Channel, ChannelParts, CloseReason, Limits, LinkSide, RefusalReason,
    fence::{Fence, Passage, Passing},
    guard::{ChannelReport, Guard},
    messages::{
        Close, ControlFromBrowser, ControlFromWorker, ControlToBrowser, ControlToWorker,
        FromBrowser, FromWorker, MeetBrowser, MeetWorker, ToBrowser, ToWorker,
    },
    post::{Overrun, tell_addr},
    relay::{Ending, Side},
};
use schema::{
    frame::Frame,
    ids::{ChannelId, CredentialId, UserId, WorkerId},
    wire::{self, control::Body},
};
use tokio::sync::mpsc;

/// A Session and a Link in one: it writes down what it hears.
struct Recorder {
    heard: mpsc::UnboundedSender<Heard>,
    /// Keeps envelopes closed, like a socket whose peer does not read.
    stalled: bool,
    waiting: Vec<Passing>,
    taken: Vec<Passage>,
}

enum Heard {
    MeetBrowser(MeetBrowser),
    MeetWorker(MeetWorker),
    Control(Side, Body),
    Frame(Side, Frame),
    /// What came out of the envelopes in the end.
    Released(usize),
}

/// The socket takes something again.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Release;

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(100_000);
    }
}

impl Recorder {
    fn hear(&self, heard: Heard) {
        self.heard.send(heard).expect("the test listens");
    }

    fn passing(&mut self, to: Side, passing: Passing) {
        if self.stalled {
            return self.waiting.push(passing);
        }
        if let Some((frame, _)) = passing.pass() {
            self.hear(Heard::Frame(to, frame));
        }
    }
}

macro_rules! hears {
    ($($message:ident($self:ident, $it:ident) $act:expr;)+) => { $(
        impl Handler<$message> for Recorder {
            type Result = ();

            fn handle(&mut $self, $it: $message, _: &mut Context<Self>) {
                $act;
            }
        }
    )+ };
}

hears! {
    MeetBrowser(self, it) self.hear(Heard::MeetBrowser(it));
    MeetWorker(self, it) self.hear(Heard::MeetWorker(it));
    ControlToBrowser(self, it) self.hear(Heard::Control(Side::Client, it.0));
    ControlToWorker(self, it) self.hear(Heard::Control(Side::Worker, it.0));
    ToBrowser(self, it) self.passing(Side::Client, it.0);
    ToWorker(self, it) self.passing(Side::Worker, it.0);
}

impl Handler<Release> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Release, _: &mut Context<Self>) {
        let passed = self.waiting.drain(..).filter_map(Passing::pass);
        self.taken = passed.map(|(_, passage)| passage).collect();
        self.hear(Heard::Released(self.taken.len()));
    }
}

struct Bench {
    channel: Addr<Channel>,
    recorder: Addr<Recorder>,
    fence: Fence,
    heard: mpsc::UnboundedReceiver<Heard>,
    browser: Option<MeetBrowser>,
    worker: Option<MeetWorker>,
    report: Arc<Mutex<Option<ChannelReport>>>,
}

impl Bench {
    fn opening(limits: Limits, stalled: bool) -> Self {
        let (heard, hearing) = mpsc::unbounded_channel();
        let (waiting, taken) = (Vec::new(), Vec::new());
        let recorder = Recorder {
            heard,
            stalled,
            waiting,
            taken,
        }
        .start();
        let report = Arc::new(Mutex::new(None));
        let kept = report.clone();
        let fence = Fence::new();
        let channel = Channel::start(ChannelParts {
            channel: id(),
            worker: WorkerId::parse("worker").expect("a valid id"),
            user: UserId::parse("alice").expect("a valid id"),
            credential: CredentialId::parse("login").expect("a valid id"),
            incoming: wire::Incoming::default(),
            browser: BrowserSide {
                frames: recorder.clone().recipient(),
                control: recorder.clone().recipient(),
                meet: recorder.clone().recipient(),
            },
            link: LinkSide {
                frames: recorder.clone().recipient(),
                control: recorder.clone().recipient(),
                meet: recorder.clone().recipient(),
            },
            guard: Guard::new(id(), move |report| {
                *kept.lock().expect("nobody panics with it") = Some(report);
            }),
            fence: fence.clone(),
            limits: Arc::new(limits),
        });
        let (browser, worker) = (None, None);
        Self {
            channel,
            recorder,
            fence,
            heard: hearing,
            browser,
            worker,
            report,
        }
    }

    async fn live(limits: Limits, stalled: bool) -> Self {
        let mut bench = Self::opening(limits, stalled);
        bench.meet().await;
        bench.worker_says(Body::Opened(wire::Opened::default()));
        assert!(matches!(
            bench.hear().await,
            Heard::Control(Side::Client, Body::Opened(_))
        ));
        bench
    }

    async fn meet(&mut self) {
        let Heard::MeetBrowser(browser) = self.hear().await else {
            panic!("an introduction")
        };
        let Heard::MeetWorker(worker) = self.hear().await else {
            panic!("an introduction")
        };
        let incoming = self.hear().await;
        assert!(matches!(
            incoming,
            Heard::Control(Side::Worker, Body::Incoming(_))
        ));
        (self.browser, self.worker) = (Some(browser), Some(worker));
    }

    async fn hear(&mut self) -> Heard {
        let heard = tokio::time::timeout(Duration::from_secs(60), self.heard.recv()).await;
        heard.expect("in time").expect("the recorder lives")
    }

    fn worker_says(&self, body: Body) {
        tell_addr(&self.channel, ControlFromWorker(body));
    }

    fn offer_from_browser(&self, frame: Frame) -> Result<(), Overrun> {
        let browser = self.browser.as_ref().expect("introduced");
        browser.frames.offer(FromBrowser(frame))
    }

    fn offer_from_worker(&self, frame: Frame) -> Result<(), Overrun> {
        let worker = self.worker.as_ref().expect("introduced");
        worker.frames.offer(FromWorker(frame))
    }

    /// Both sides are told why, and the Registry how.
    async fn expect_end(&mut self, expected: CloseReason) -> ChannelReport {
        for side in [Side::Client, Side::Worker] {
            loop {
                match self.hear().await {
                    Heard::Control(told, Body::Close(close)) => {
                        assert_eq!(told, side);
                        assert_eq!(CloseReason::from_wire(close.reason), Some(expected));
                        break;
                    }
                    Heard::Frame(..) => {}
                    _ => panic!("something else than the end"),
                }
            }
        }
        self.reported().await
    }

    async fn reported(&self) -> ChannelReport {
        let waiting = async {
            loop {
                if let Some(report) = self.report.lock().expect("nobody panics with it").take() {
                    return report;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .expect("it is reported")
    }
}

fn id() -> ChannelId {
    ChannelId::from_bytes([5; 16])
}

fn frame(correlation: u64, flags: u8) -> Frame {
    Frame::new(id(), 0, correlation, flags, &[0; 40])
}

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
    // What was taken before is not lost with it.
    tell_addr(&bench.recorder, Release);
    assert!(matches!(bench.hear().await, Heard::Released(10)));
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
        channel_actors::post::tell(&control, ControlFromBrowser(close));
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
