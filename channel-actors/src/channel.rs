//! ACTOR Channel: a relay, two kept recipients, a guard and one timer.
//!
//! It lives between two sockets and belongs to neither, so that no socket can stop what it does:
//! limits, time and revocation hold also when a browser has stopped reading.

use std::time::Instant;

use actix::{
    Actor, ActorContext as _, Addr, ArbiterHandle, AsyncContext as _, Context, Handler, Recipient,
    Running, SpawnHandle,
};
use schema::{
    frame::Frame,
    ids::ChannelId,
    wire::{self, control::Body},
};

use crate::{
    close::{self, CloseReason},
    fence::{Fence, Lane, Passing},
    figures::{self, Counted},
    guard::{Guard, Passed},
    messages::{
        AnnounceAccess, Close, ControlToBrowser, ControlToWorker, FromBrowser, FromWorker,
        MeetBrowser, MeetWorker, ToBrowser, ToWorker,
    },
    parts::ChannelParts,
    post::{Kept, Overrun, tell},
    refusal,
    relay::{Ending, Relay, Side, Verdict},
};

/// The Hub's half of one channel.
pub struct Channel {
    id: ChannelId,
    pub(crate) relay: Relay,
    pub(crate) browser: Outlet<ToBrowser, ControlToBrowser>,
    pub(crate) link: Outlet<ToWorker, ControlToWorker>,
    introductions: Option<Introductions>,
    pub(crate) fence: Fence,
    timer: Option<(Instant, SpawnHandle)>,
    pub(crate) span: tracing::Span,
    pub(crate) counted: Counted,
    pub(crate) guard: Guard,
}

pub(crate) struct Outlet<F, C>
where
    F: actix::Message<Result = ()> + Send,
    C: actix::Message<Result = ()> + Send,
{
    frames: Kept<F>,
    lane: Lane,
    pub(crate) control: Recipient<C>,
}

struct Introductions {
    browser: Recipient<MeetBrowser>,
    link: Recipient<MeetWorker>,
    incoming: wire::Incoming,
}

impl Channel {
    /// Starts it on the current arbiter.
    pub fn start(parts: ChannelParts) -> Addr<Self> {
        let mut context = Context::new();
        context.set_mailbox_capacity(mailbox(&parts));
        context.run(Self::new(parts))
    }

    /// Starts it on another arbiter.
    pub fn start_on(arbiter: &ArbiterHandle, parts: ChannelParts) -> Addr<Self> {
        let places = mailbox(&parts);
        Self::start_in_arbiter(arbiter, move |context| {
            context.set_mailbox_capacity(places);
            Self::new(parts)
        })
    }

    fn new(parts: ChannelParts) -> Self {
        let (places, bytes) = (parts.limits.queue_frames, parts.limits.queue_bytes());
        let announced = parts.incoming.max_message_bytes;
        let lane = || Lane::new(parts.fence.clone(), places, bytes);
        Self {
            id: parts.channel,
            relay: Relay::opening(&parts.limits, announced, now()),
            span: tracing::info_span!(
                "channel",
                channel = %parts.channel,
                worker = %parts.worker,
                user = %parts.user,
                credential = %parts.credential,
            ),
            browser: Outlet {
                frames: Kept::new(parts.browser.frames),
                lane: lane(),
                control: parts.browser.control,
            },
            link: Outlet {
                frames: Kept::new(parts.link.frames),
                lane: lane(),
                control: parts.link.control,
            },
            introductions: Some(Introductions {
                browser: parts.browser.meet,
                link: parts.link.meet,
                incoming: parts.incoming,
            }),
            fence: parts.fence,
            timer: None,
            counted: Counted::opening(),
            guard: parts.guard,
        }
    }

    fn frame(&mut self, from: Side, frame: Frame, ctx: &mut Context<Self>) {
        if self.fence.is_down() {
            self.relay.fence();
        }
        match self.relay.admit(from, &frame, now()) {
            Verdict::Pass => self.pass(from.other(), frame, ctx),
            Verdict::Drop(reason) => figures::dropped(reason),
            Verdict::Close(reason) => self.end(Ending::Closed(reason), Some(from), ctx),
        }
    }

    fn pass(&mut self, to: Side, frame: Frame, ctx: &mut Context<Self>) {
        let bytes = frame.ciphertext().len() as u64;
        let offered = match to {
            Side::Client => self.browser.offer(frame, ToBrowser),
            Side::Worker => self.link.offer(frame, ToWorker),
        };
        match offered {
            Ok(()) => self.count(to, bytes),
            // Nobody's proven fault: one side may have sent more than the window, or the other
            // may not read.
            Err(Overrun::Full) => {
                self.end(Ending::Closed(CloseReason::TooSlow), None, ctx);
            }
            Err(Overrun::Gone) => {
                self.end(Ending::Closed(CloseReason::ConnectionLost), None, ctx);
            }
        }
        self.rearm(ctx);
    }

    fn count(&mut self, to: Side, bytes: u64) {
        self.counted.passed(to, bytes);
        let report = self.guard.report();
        let Passed { frames, bytes: sum } = match to {
            Side::Client => &mut report.to_browser,
            Side::Worker => &mut report.to_worker,
        };
        *frames += 1;
        *sum += bytes;
    }

    pub(crate) fn breach(&mut self, side: Side, ctx: &mut Context<Self>) {
        self.end(Ending::Closed(CloseReason::ProtocolError), Some(side), ctx);
    }

    pub(crate) fn end(&mut self, ending: Ending, offender: Option<Side>, ctx: &mut Context<Self>) {
        if !self.relay.is_closed() {
            self.say_goodbye(ending);
        }
        self.finish(ending, offender);
        ctx.stop();
    }

    /// Tells both sides, once.
    fn say_goodbye(&self, ending: Ending) {
        let (to_browser, to_worker) = match ending {
            Ending::Refused(reason) => (
                refusal::refused(self.id, reason.into()),
                close::close(self.id, self.relay.epoch(), CloseReason::OpenTimeout),
            ),
            Ending::Closed(reason) => {
                let close = close::close(self.id, self.relay.epoch(), reason);
                (close.clone(), close)
            }
        };
        tell(&self.browser.control, ControlToBrowser(to_browser));
        tell(&self.link.control, ControlToWorker(to_worker));
    }

    pub(crate) fn finish(&mut self, ending: Ending, offender: Option<Side>) {
        if !self.relay.close() {
            return;
        }
        // On any other end what has passed may still arrive: an end's last word among it.
        if ending == Ending::Closed(CloseReason::Revoked) {
            self.fence.fall();
        }
        self.counted.ending(ending);
        let span = self.span.clone();
        let report = self.guard.report();
        report.ending = ending;
        report.offender = offender;
        tracing::info!(
            parent: &span,
            reason = ending.label(),
            offender = offender.map(Side::label),
            frames_to_worker = report.to_worker.frames,
            frames_to_browser = report.to_browser.frames,
            "closed",
        );
    }

    /// Sets the one timer, unless it fires early enough as it is: a chunk moves the deadline
    /// later, and a timer that fires too soon asks again.
    pub(crate) fn rearm(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.relay.deadline() else {
            return;
        };
        match self.timer {
            Some((armed, _)) if armed <= deadline => return,
            Some((_, later)) => {
                ctx.cancel_future(later);
            }
            None => {}
        }
        let wait = deadline.saturating_duration_since(now());
        self.timer = Some((deadline, ctx.run_later(wait, Self::wake)));
    }

    fn wake(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        match self.relay.expire(now()) {
            Some(ending) => self.end(ending, None, ctx),
            None => self.rearm(ctx),
        }
    }
}

impl<F, C> Outlet<F, C>
where
    F: actix::Message<Result = ()> + Send,
    C: actix::Message<Result = ()> + Send,
{
    fn offer(&self, frame: Frame, wrap: fn(Passing) -> F) -> Result<(), Overrun> {
        let passage = self.lane.enter(frame.as_bytes().len());
        let passage = passage.ok_or(Overrun::Full)?;
        self.frames.offer(wrap(Passing::new(frame, passage)))
    }
}

impl Actor for Channel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let Some(Introductions {
            browser,
            link,
            incoming,
        }) = self.introductions.take()
        else {
            return;
        };
        let (channel, me) = (self.id, ctx.address());
        tell(
            &browser,
            MeetBrowser {
                channel,
                frames: Kept::new(me.clone().recipient()),
                control: me.clone().recipient(),
            },
        );
        tell(
            &link,
            MeetWorker {
                channel,
                frames: Kept::new(me.clone().recipient()),
                control: me.recipient(),
            },
        );
        tell(
            &self.link.control,
            ControlToWorker(Body::Incoming(incoming)),
        );
        self.rearm(ctx);
    }

    fn stopping(&mut self, _: &mut Context<Self>) -> Running {
        // Abandoned: neither connection nor the Registry knows it any more.
        let ending = Ending::Closed(CloseReason::ConnectionLost);
        if !self.relay.is_closed() {
            self.say_goodbye(ending);
        }
        self.finish(ending, None);
        Running::Stop
    }
}

impl Handler<AnnounceAccess> for Channel {
    type Result = ();

    fn handle(&mut self, AnnounceAccess(changed): AnnounceAccess, _: &mut Context<Self>) {
        tell(
            &self.link.control,
            ControlToWorker(Body::AccessChanged(changed)),
        );
    }
}

impl Handler<FromBrowser> for Channel {
    type Result = ();

    fn handle(&mut self, FromBrowser(frame): FromBrowser, ctx: &mut Context<Self>) {
        self.frame(Side::Client, frame, ctx);
    }
}

impl Handler<FromWorker> for Channel {
    type Result = ();

    fn handle(&mut self, FromWorker(frame): FromWorker, ctx: &mut Context<Self>) {
        self.frame(Side::Worker, frame, ctx);
    }
}

impl Handler<Close> for Channel {
    type Result = ();

    fn handle(&mut self, Close { reason }: Close, ctx: &mut Context<Self>) {
        self.end(Ending::Closed(reason), None, ctx);
    }
}

/// The window of either direction: both come by the one mailbox.
fn mailbox(parts: &ChannelParts) -> usize {
    2 * parts.limits.queue_frames
}

/// The runtime's clock, which a test can hold.
#[expect(
    clippy::disallowed_methods,
    reason = "a shell reads the clock for its brain"
)]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
