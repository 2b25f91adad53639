//! ACTOR Channel: a relay, the ways to its two sides, a guard and one timer.
//!
//! It lives between sockets and belongs to none, so that no socket can stop what it does: limits,
//! time and revocation hold also when a browser has stopped reading. Which of a client's sockets is
//! the channel's own is decided here and nowhere else (`paths.rs`).

use std::{sync::Arc, time::Instant};

use actix::{
    Actor, ActorContext as _, Addr, ArbiterHandle, AsyncContext as _, Context, Handler, Recipient,
    Running, SpawnHandle, WeakAddr,
};
use schema::{frame::Frame, ids::ChannelId, wire::control::Body};

use crate::{
    announcements::Announcements,
    budget::Account,
    close::{self, CloseReason},
    figures::{self, AnnouncementResult, Counted, RenewalResult},
    guard::{Guard, Passed},
    limits::Limits,
    messages::{Close, FromBrowser, FromWorker, MeetBrowser, MeetWorker, PathForgotten},
    outlets::{ToClient, ToLink},
    parts::{Begin, ChannelParts},
    post::{Kept, Overrun, tell, tell_addr},
    refusal,
    relay::{Dropped, Ending, Relay, Side, Verdict},
    renewals::{PathId, Renewals},
};

/// The Hub's half of one channel.
pub struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) relay: Relay,
    pub(crate) renewals: Renewals,
    pub(crate) announcements: Announcements,
    /// None while it waits for a path.
    pub(crate) browser: Option<ToClient>,
    /// Those that a renewal came over, and that the Worker has not answered.
    pub(crate) candidates: Vec<ToClient>,
    /// Renewals that the Registry has passed on to it.
    pub(crate) passed: u64,
    pub(crate) link: ToLink,
    pub(crate) limits: Arc<Limits>,
    /// Of all its lanes together.
    pub(crate) account: Arc<Account>,
    pub(crate) forgotten: Recipient<PathForgotten>,
    beginning: Option<Beginning>,
    timer: Option<(Instant, SpawnHandle)>,
    pub(crate) span: tracing::Span,
    pub(crate) counted: Counted,
    pub(crate) guard: Guard,
}

/// What is done when the actor starts.
struct Beginning {
    link: Recipient<MeetWorker>,
    begin: Begin,
}

impl Channel {
    /// Starts it on the current arbiter.
    pub fn start(parts: ChannelParts) -> Addr<Self> {
        let mut context = Context::new();
        context.set_mailbox_capacity(parts.mailbox());
        let me = context.address().downgrade();
        context.run(Self::new(parts, me))
    }

    /// Starts it on another arbiter.
    pub fn start_on(arbiter: &ArbiterHandle, parts: ChannelParts) -> Addr<Self> {
        let places = parts.mailbox();
        Self::start_in_arbiter(arbiter, move |context| {
            context.set_mailbox_capacity(places);
            Self::new(parts, context.address().downgrade())
        })
    }

    fn new(parts: ChannelParts, me: WeakAddr<Self>) -> Self {
        let limits = parts.limits;
        let account = parts.budget.open(move || evict(&me));
        let span = tracing::info_span!(
            "channel",
            channel = %parts.channel,
            worker = %parts.worker,
            user = %parts.user,
            credential = %parts.credential,
        );
        let link = ToLink::new(&parts.link, parts.browser.fence.clone(), &limits, &account);
        let first = ToClient::new(parts.browser, &limits, &account);
        let (relay, counted, browser, candidates) = match &parts.begin {
            Begin::Open(incoming) => (
                Relay::opening(&limits, incoming.max_message_bytes, now()),
                Counted::opening(),
                Some(first),
                Vec::new(),
            ),
            Begin::Renew(_) => (
                Relay::renewing(&limits),
                Counted::attaching(),
                None,
                vec![first],
            ),
        };
        let mut channel = Self {
            id: parts.channel,
            relay,
            renewals: Renewals::new(limits.open_timeout),
            announcements: Announcements::new(limits.open_timeout),
            browser,
            candidates,
            passed: 0,
            link,
            limits,
            account,
            forgotten: parts.forgotten,
            beginning: Some(Beginning {
                link: parts.link.meet,
                begin: parts.begin,
            }),
            timer: None,
            span,
            counted,
            guard: parts.guard,
        };
        channel.report_path();
        channel
    }

    /// Tells the Registry, should this actor die, where the goodbye belongs.
    pub(crate) fn report_path(&mut self) {
        let (path, epoch) = (self.path(), self.newest_epoch());
        let report = self.guard.report();
        (report.path, report.epoch) = (path, epoch);
    }

    pub(crate) fn path(&self) -> Option<PathId> {
        self.browser.as_ref().map(|browser| browser.path)
    }

    /// The epoch that a goodbye names: the Worker may have gone over to one whose answer is still
    /// under way, and drops what is older.
    pub(crate) fn newest_epoch(&self) -> u32 {
        self.relay.epoch().max(self.renewals.newest())
    }

    pub(crate) fn is_fenced(&self) -> bool {
        let browser = self.browser.as_ref();
        browser.is_some_and(|browser| browser.fence.is_down())
    }

    fn frame(&mut self, from: Side, frame: Frame, ctx: &mut Context<Self>) {
        if self.is_fenced() {
            self.relay.fence();
        }
        let now = now();
        match self.relay.admit(from, &frame, now) {
            Verdict::Pass => self.pass(from.other(), frame, now, ctx),
            Verdict::Drop(reason) => figures::dropped(reason),
            Verdict::Close(reason) => {
                figures::dropped(Dropped::Violation);
                self.end(Ending::Closed(reason), Some(from), ctx);
            }
        }
    }

    fn pass(&mut self, to: Side, frame: Frame, now: Instant, ctx: &mut Context<Self>) {
        let bytes = frame.ciphertext().len() as u64;
        let offered = match (to, &mut self.browser) {
            (Side::Worker, _) => self.link.offer(frame, now),
            (Side::Client, Some(browser)) => browser.offer(frame, now),
            (Side::Client, None) => return figures::dropped(Dropped::StaleEpoch),
        };
        match offered {
            Ok(()) => self.report_passed(to, bytes),
            // Nobody's proven fault: one side may have sent more than the window, or the other
            // may not read.
            Err(Overrun::Full) => {
                figures::dropped(Dropped::Overrun);
                self.end(Ending::Closed(CloseReason::TooSlow), None, ctx);
            }
            Err(Overrun::Gone) => self.gone(to, ctx),
        }
        self.rearm(ctx);
    }

    fn report_passed(&mut self, to: Side, bytes: u64) {
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

    /// Tells all sides, once.
    fn say_goodbye(&self, ending: Ending) {
        let epoch = self.newest_epoch();
        let close = |reason| close::close(self.id, epoch, reason);
        let clients = self.browser.iter().chain(&self.candidates);
        let (to_clients, to_worker) = match ending {
            Ending::Refused(reason) if self.relay.is_opening() => (
                Some(refusal::refused(self.id, reason.into())),
                CloseReason::OpenTimeout,
            ),
            // Who waited for its renewal was told that it is refused, and the Worker has a path less.
            Ending::Refused(_) => (None, CloseReason::ConnectionLost),
            // A path that the Worker has not taken ends nothing but itself.
            Ending::Closed(reason) if self.relay.is_renewing() => {
                (Some(close(reason)), CloseReason::ConnectionLost)
            }
            Ending::Closed(reason) => (Some(close(reason)), reason),
        };
        if let Some(body) = to_clients {
            clients.for_each(|client| client.say(body.clone()));
        }
        self.link.say(close(to_worker));
    }

    pub(crate) fn finish(&mut self, ending: Ending, offender: Option<Side>) {
        if !self.relay.close() {
            return;
        }
        match ending {
            Ending::Closed(CloseReason::Revoked) => {
                if let Some(browser) = &self.browser {
                    browser.fence.fall();
                }
                self.release(Dropped::Revoked);
            }
            // Whoever is too slow, or not there at all, would keep it for as long.
            Ending::Closed(CloseReason::TooSlow) => self.release(Dropped::Overrun),
            // What has passed may still arrive: an end's last word among it.
            Ending::Closed(_) | Ending::Refused(_) => self.release_later(),
        }
        for _ in self.renewals.waiting() {
            figures::renewal(RenewalResult::Closed);
        }
        figures::announced(AnnouncementResult::Closed, self.announcements.waiting());
        self.counted.ending(ending);
        let span = self.span.clone();
        let report = self.guard.report();
        report.ending = ending;
        report.offender = offender;
        tracing::info!(
            parent: &span,
            reason = ending.label(),
            offender = offender.map(Side::label),
            epoch = report.epoch,
            frames_to_worker = report.to_worker.frames,
            frames_to_browser = report.to_browser.frames,
            "closed",
        );
    }

    /// Sets the one timer, unless it fires early enough as it is: a chunk moves the deadline
    /// later, and a timer that fires too soon asks again.
    pub(crate) fn rearm(&mut self, ctx: &mut Context<Self>) {
        let lanes = self.lane_deadline();
        let announced = self.announcements.deadline();
        let deadlines = [
            self.relay.deadline(),
            self.renewals.deadline(),
            announced,
            lanes,
        ];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
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
        self.expire_renewals(now(), ctx);
        let unanswered = self.announcements.expire(now());
        figures::announced(AnnouncementResult::Unanswered, unanswered);
        let stuck = self.is_stuck(now());
        let stuck = stuck.then_some(Ending::Closed(CloseReason::TooSlow));
        match self.relay.expire(now()).or(stuck) {
            Some(ending) => self.end(ending, None, ctx),
            None if self.relay.is_closed() => {}
            None => self.rearm(ctx),
        }
    }

    fn announce(&mut self, ctx: &mut Context<Self>) {
        let Some(Beginning { link, begin }) = self.beginning.take() else {
            return;
        };
        let me = ctx.address();
        let introduction = MeetWorker {
            channel: self.id,
            frames: Kept::new(me.clone().recipient()),
            control: me.recipient(),
        };
        match begin {
            Begin::Open(incoming) => {
                self.introduce(ctx);
                tell(&link, introduction);
                self.link.say(Body::Incoming(incoming));
            }
            Begin::Renew(renewal) => {
                tell(&link, introduction);
                if let Some(path) = self.candidates.first().map(|first| first.path) {
                    // The first one is never too many.
                    let _noted = self.pass_on(path, renewal, true, now());
                }
            }
        }
        self.rearm(ctx);
    }

    /// Tells the Session whose channel it is now where its frames go.
    pub(crate) fn introduce(&self, ctx: &Context<Self>) {
        let Some(browser) = &self.browser else {
            return;
        };
        let me = ctx.address();
        let introduction = MeetBrowser {
            channel: self.id,
            frames: Kept::new(me.clone().recipient()),
            control: me.recipient(),
        };
        tell(&browser.meet, introduction);
    }
}

impl Actor for Channel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.announce(ctx);
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

impl Handler<FromBrowser> for Channel {
    type Result = ();

    /// What a path sent that is the channel's no more was sealed before it moved.
    fn handle(&mut self, FromBrowser { path, frame }: FromBrowser, ctx: &mut Context<Self>) {
        match frame.take() {
            Some(frame) if self.path() == Some(path) => self.frame(Side::Client, frame, ctx),
            Some(_) => figures::dropped(Dropped::StaleEpoch),
            None => {}
        }
    }
}

impl Handler<FromWorker> for Channel {
    type Result = ();

    fn handle(&mut self, FromWorker(frame): FromWorker, ctx: &mut Context<Self>) {
        if let Some(frame) = frame.take() {
            self.frame(Side::Worker, frame, ctx);
        }
    }
}

impl Handler<Close> for Channel {
    type Result = ();

    fn handle(&mut self, Close { reason }: Close, ctx: &mut Context<Self>) {
        self.end(Ending::Closed(reason), None, ctx);
    }
}

/// What all channels hold is too much, and this one holds the most of it.
fn evict(channel: &WeakAddr<Channel>) {
    if let Some(channel) = channel.upgrade() {
        let reason = CloseReason::TooSlow;
        tell_addr(&channel, Close { reason });
    }
}

/// The runtime's clock, which a test can hold.
#[expect(
    clippy::disallowed_methods,
    reason = "a shell reads the clock for its brain"
)]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
