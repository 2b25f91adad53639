//! A Channel, and everybody it speaks to.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use channel_actors::{
    Begin, BrowserSide, Channel, ChannelParts, CloseReason, Limits, LinkSide, PathId,
    budget::Budget,
    fence::Fence,
    guard::{ChannelReport, Guard},
    lane::Passing,
    messages::{
        ControlFromWorker, ControlToBrowser, ControlToWorker, FromBrowser, FromWorker, MeetBrowser,
        MeetWorker, PathForgotten, ToBrowser, ToWorker,
    },
    post::{Overrun, tell_addr},
    relay::Side,
};
use schema::{
    frame::Frame,
    ids::{ChannelId, CredentialId, UserId, WorkerId},
    wire::{self, control::Body},
};
use tokio::sync::mpsc;

/// A Session and a Link in one: it writes down what it hears.
pub(crate) struct Recorder {
    heard: mpsc::UnboundedSender<Heard>,
    /// Keeps envelopes closed, like a socket whose peer does not read.
    stalled: bool,
    waiting: Vec<Passing>,
}

pub(crate) enum Heard {
    MeetBrowser(MeetBrowser),
    MeetWorker(MeetWorker),
    Control(Side, Body),
    Frame(Side, Frame),
    Forgotten(PathId),
    /// What came out of the envelopes in the end.
    Released(usize),
}

/// The socket takes something again.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Release;

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(100_000);
    }
}

impl Recorder {
    pub(crate) fn listen(stalled: bool) -> (Addr<Self>, mpsc::UnboundedReceiver<Heard>) {
        let (heard, hearing) = mpsc::unbounded_channel();
        let waiting = Vec::new();
        let recorder = Self {
            heard,
            stalled,
            waiting,
        };
        (recorder.start(), hearing)
    }

    fn hear(&self, heard: Heard) {
        self.heard.send(heard).expect("the test listens");
    }

    fn passing(&mut self, to: Side, passing: Passing) {
        if self.stalled {
            return self.waiting.push(passing);
        }
        if let Some(frame) = passing.pass() {
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
    PathForgotten(self, it) self.hear(Heard::Forgotten(it.path));
    ControlToBrowser(self, it) self.hear(Heard::Control(Side::Client, it.0));
    ControlToWorker(self, it) self.hear(Heard::Control(Side::Worker, it.0));
    ToBrowser(self, it) self.passing(Side::Client, it.0);
    ToWorker(self, it) self.passing(Side::Worker, it.0);
}

impl Handler<Release> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Release, _: &mut Context<Self>) {
        let passed = self.waiting.drain(..).filter_map(Passing::pass);
        let passed = passed.count();
        self.hear(Heard::Released(passed));
    }
}

pub(crate) struct Bench {
    pub(crate) channel: Addr<Channel>,
    pub(crate) recorder: Addr<Recorder>,
    pub(crate) fence: Fence,
    pub(crate) heard: mpsc::UnboundedReceiver<Heard>,
    pub(crate) browser: Option<MeetBrowser>,
    pub(crate) worker: Option<MeetWorker>,
    report: Arc<Mutex<Option<ChannelReport>>>,
}

impl Bench {
    pub(crate) fn opening(limits: Limits, stalled: bool) -> Self {
        Self::begin(Begin::Open(wire::Incoming::default()), limits, stalled)
    }

    pub(crate) fn begin(begin: Begin, limits: Limits, stalled: bool) -> Self {
        let budget = Arc::new(Budget::new(usize::MAX));
        Self::within(budget, begin, limits, stalled)
    }

    pub(crate) fn within(budget: Arc<Budget>, begin: Begin, limits: Limits, stalled: bool) -> Self {
        let (recorder, hearing) = Recorder::listen(stalled);
        let report = Arc::new(Mutex::new(None));
        let kept = report.clone();
        let fence = Fence::new();
        let channel = Channel::start(ChannelParts {
            channel: id(),
            worker: WorkerId::parse("worker").expect("a valid id"),
            user: UserId::parse("alice").expect("a valid id"),
            credential: CredentialId::parse("login").expect("a valid id"),
            begin,
            browser: side(&recorder, A, fence.clone()),
            link: LinkSide {
                frames: recorder.clone().recipient(),
                control: recorder.clone().recipient(),
                meet: recorder.clone().recipient(),
            },
            guard: Guard::new(id(), move |report| {
                *kept.lock().expect("nobody panics with it") = Some(report);
            }),
            forgotten: recorder.clone().recipient(),
            limits: Arc::new(limits),
            budget,
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

    pub(crate) async fn live(limits: Limits, stalled: bool) -> Self {
        Self::opening(limits, stalled).answered().await
    }

    pub(crate) async fn answered(self) -> Self {
        let mut bench = self;
        bench.meet().await;
        bench.worker_says(Body::Opened(wire::Opened::default()));
        assert!(matches!(
            bench.hear().await,
            Heard::Control(Side::Client, Body::Opened(_))
        ));
        bench
    }

    pub(crate) async fn meet(&mut self) {
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

    pub(crate) async fn hear(&mut self) -> Heard {
        next(&mut self.heard).await
    }

    pub(crate) fn worker_says(&self, body: Body) {
        tell_addr(&self.channel, ControlFromWorker(body));
    }

    pub(crate) fn offer_from_browser(&self, frame: Frame) -> Result<(), Overrun> {
        let browser = self.browser.as_ref().expect("introduced");
        browser.frames.offer(FromBrowser::new(A, frame))
    }

    pub(crate) fn offer_from_worker(&self, frame: Frame) -> Result<(), Overrun> {
        let worker = self.worker.as_ref().expect("introduced");
        worker.frames.offer(FromWorker::new(frame))
    }

    /// Both sides are told why, and the Registry how.
    pub(crate) async fn expect_end(&mut self, expected: CloseReason) -> ChannelReport {
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

    pub(crate) async fn reported(&self) -> ChannelReport {
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

/// The Session that a test begins with.
pub(crate) const A: PathId = PathId(1);
/// And another.
pub(crate) const B: PathId = PathId(2);

pub(crate) fn side(recorder: &Addr<Recorder>, path: PathId, fence: Fence) -> BrowserSide {
    BrowserSide {
        path,
        fence,
        frames: recorder.clone().recipient(),
        control: recorder.clone().recipient(),
        meet: recorder.clone().recipient(),
    }
}

pub(crate) fn id() -> ChannelId {
    ChannelId::from_bytes([5; 16])
}

pub(crate) fn frame(correlation: u64, flags: u8) -> Frame {
    Frame::new(id(), 0, correlation, flags, &[0; 40])
}

/// What a recorder wrote down next.
pub(crate) async fn next(heard: &mut mpsc::UnboundedReceiver<Heard>) -> Heard {
    let heard = tokio::time::timeout(Duration::from_secs(60), heard.recv()).await;
    heard.expect("in time").expect("the recorder lives")
}
