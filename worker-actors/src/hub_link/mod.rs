//! ACTOR of the stream to the Hub: dial, say hello, hand frames to their channels, notice
//! silence, dial again.

mod handshakes;
mod state;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use state::{EndReason, LinkState};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, ArbiterHandle, AsyncContext as _, Context,
    Handler, Recipient, ResponseActFuture, SpawnHandle, StreamHandler, WrapFuture as _,
};
use channel_actors::{
    close::{self, CloseReason},
    endpoint::admission::Admission,
    limits::Limits,
    post::{Kept, Overrun, tell},
    refusal::{self, Refusal, RefusalReason},
};
use crypto::{Identity, Mode};
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, WorkerId},
    wire::{self, control, from_worker, to_worker},
};
use tokio::sync::{mpsc, watch};

use crate::{
    clock,
    config::Timings,
    entropy,
    messages::{ChannelGone, Close, ControlFromHub, FromHub, LinkLost, Stop},
    open_link::{self, Caller, Lost, Open},
    pulse::{Beat, Pulse},
    redial::Redial,
    secure_channel::Leave,
    services::Services,
};

/// What a link is made with.
pub(crate) struct LinkParts {
    pub(crate) caller: Arc<Caller>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) mode: Mode,
    pub(crate) worker: WorkerId,
    pub(crate) services: Services,
    pub(crate) timings: Timings,
    /// Where channels run, in turn.
    pub(crate) arbiters: Vec<ArbiterHandle>,
    pub(crate) cores: usize,
    pub(crate) state: watch::Sender<LinkState>,
}

/// The link. Channels die with the stream that carried them.
pub(crate) struct HubLink {
    parts: LinkParts,
    limits: Arc<Limits>,
    redial: Redial,
    /// Names the stream; what an older one still says is not heard.
    generation: u64,
    live: Option<Live>,
    admission: Admission<wire::Incoming>,
    /// Handshakes between admission and answer; the newest access that was announced, or None
    /// for one that was closed meanwhile.
    pending: BTreeMap<ChannelId, Option<Vec<wire::WorkspaceAccess>>>,
    channels: BTreeMap<ChannelId, Line>,
    turn: usize,
}

struct Live {
    open: Open,
    pulse: Pulse,
    /// Something found no place in the control queue.
    choked: bool,
    /// What it says is read here; a Hub that was given up is not listened to any more.
    hearing: SpawnHandle,
}

/// The way into a channel.
struct Line {
    frames: Kept<FromHub>,
    control: Recipient<ControlFromHub>,
    lost: Recipient<LinkLost>,
    close: Recipient<Close>,
}

/// Something the stream of a generation said, or its end.
pub(crate) struct Heard {
    pub(crate) generation: u64,
    pub(crate) what: Result<wire::ToWorker, Lost>,
}

type Ctx = Context<HubLink>;

impl HubLink {
    pub(crate) fn new(parts: LinkParts) -> Self {
        let limits = Arc::new(Limits::default());
        let first_guess = match parts.mode {
            Mode::Classic => Duration::from_millis(1),
            Mode::PostQuantum => Duration::from_millis(300),
        };
        Self {
            admission: Admission::new(&limits, parts.cores, first_guess),
            redial: Redial::new(parts.timings.back_off),
            parts,
            limits,
            generation: 0,
            live: None,
            pending: BTreeMap::new(),
            channels: BTreeMap::new(),
            turn: 0,
        }
    }

    fn dial(&mut self, ctx: &mut Ctx) {
        self.generation += 1;
        self.report(LinkState::Connecting);
        let dialling = open_link::open(Arc::clone(&self.parts.caller)).into_actor(self);
        ctx.spawn(dialling.map(|opened, link, ctx| match opened {
            Ok((open, stream)) => link.up(open, stream, ctx),
            Err(lost) => link.down(&lost, ctx),
        }));
    }

    fn up(&mut self, open: Open, stream: open_link::Heard, ctx: &mut Ctx) {
        let now = clock::now();
        self.redial.up(now);
        let hearing = ctx.add_stream(open_link::to_the_end(stream, self.generation));
        self.live = Some(Live {
            open,
            pulse: Pulse::new(self.parts.timings.rhythm, now),
            choked: false,
            hearing,
        });
        tracing::info!("connected to the Hub");
        self.report(LinkState::Connected);
    }

    fn down(&mut self, lost: &Lost, ctx: &mut Ctx) {
        if let Some(live) = self.live.take() {
            ctx.cancel_future(live.hearing);
        }
        for (channel, line) in std::mem::take(&mut self.channels) {
            tell(&line.lost, LinkLost);
            self.admission.closed(&channel, clock::now());
        }
        self.pending.values_mut().for_each(|access| *access = None);
        if let Some(reason) = lost.is_final() {
            tracing::error!(%reason, "the link ends");
            self.report(LinkState::Ended(reason));
            return ctx.stop();
        }
        let wait = self.redial.down(clock::now(), entropy::fraction());
        let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(cause = %lost, retry_ms, "no link to the Hub");
        self.report(LinkState::Waiting { retry_after: wait });
        ctx.run_later(wait, Self::dial);
    }

    fn report(&self, state: LinkState) {
        self.parts.state.send_replace(state);
    }

    /// Gives the stream up by ourselves.
    fn hang_up(&mut self, lost: &Lost, ctx: &mut Ctx) {
        // What the old stream still says belongs to no generation.
        self.generation += 1;
        self.down(lost, ctx);
    }

    fn beat(&mut self, ctx: &mut Ctx) {
        if self.live.as_ref().is_some_and(|live| live.choked) {
            return self.hang_up(&Lost::Deaf, ctx);
        }
        let beat = self
            .live
            .as_mut()
            .map_or(Beat::Rest, |live| live.pulse.tick(clock::now()));
        match beat {
            Beat::Rest => {}
            Beat::Ask(nonce) => self.say(from_worker::Body::Heartbeat(wire::Heartbeat { nonce })),
            Beat::Dead => self.hang_up(&Lost::Silent, ctx),
        }
    }

    /// To the Hub, beside the channels' frames. None of it may be lost: a Hub that does not read
    /// it is given up at the next beat.
    fn say(&mut self, body: from_worker::Body) {
        if let Some(live) = &mut self.live {
            let message = wire::FromWorker { body: Some(body) };
            live.choked |= live.open.control.try_send(message).is_err();
        }
    }

    fn say_control(&mut self, body: control::Body) {
        self.say(from_worker::Body::Relay(Outer::Control(body).encode()));
    }

    fn refuse(&mut self, channel: ChannelId, refusal: Refusal) {
        self.say_control(refusal::refused(channel, refusal));
    }

    fn hear(&mut self, message: wire::ToWorker, ctx: &mut Ctx) {
        match message.body {
            Some(to_worker::Body::Relay(bytes)) => match Outer::parse(bytes) {
                Ok(Outer::Frame(frame)) => self.frame(frame),
                Ok(Outer::Control(body)) => self.control(body, ctx),
                Err(_) => self.hang_up(&Lost::Nonsense, ctx),
            },
            Some(to_worker::Body::Heartbeat(wire::Heartbeat { nonce })) => {
                if nonce % 2 == 1 {
                    let nonce = nonce.wrapping_add(1);
                    self.say(from_worker::Body::Heartbeat(wire::Heartbeat { nonce }));
                }
            }
            Some(to_worker::Body::Goodbye(goodbye)) => self.goodbye(&goodbye, ctx),
            // Welcomed once already; nothing newer is said here.
            Some(to_worker::Body::Welcome(_)) | None => {}
        }
    }

    fn goodbye(&mut self, goodbye: &wire::LinkGoodbye, ctx: &mut Ctx) {
        self.redial
            .told(Duration::from_millis(goodbye.reconnect_after_ms.into()));
        let lost = match goodbye.reason() {
            wire::LinkGoodbyeReason::Deregistered => Lost::Deregistered,
            wire::LinkGoodbyeReason::Replaced => Lost::Replaced,
            wire::LinkGoodbyeReason::Draining
            | wire::LinkGoodbyeReason::ProtocolError
            | wire::LinkGoodbyeReason::Offender
            | wire::LinkGoodbyeReason::Unspecified => Lost::Goodbye,
        };
        self.hang_up(&lost, ctx);
    }

    /// Frames of channels that are no more are late, and dropped.
    fn frame(&mut self, frame: Frame) {
        let channel = frame.channel();
        let Some(line) = self.channels.get(&channel) else {
            return;
        };
        match line.frames.offer(FromHub(frame)) {
            Ok(()) => {}
            Err(Overrun::Full) => tell(
                &line.close,
                Close {
                    reason: CloseReason::TooSlow,
                },
            ),
            // Its guard tells how it went.
            Err(Overrun::Gone) => {}
        }
    }

    fn control(&mut self, body: control::Body, ctx: &mut Ctx) {
        match body {
            control::Body::Incoming(incoming) => self.incoming(incoming, ctx),
            control::Body::Close(close) => self.closed(close),
            control::Body::AccessChanged(changed) => self.access_changed(changed),
            control::Body::Renew(renew) => {
                if let Ok(channel) = ChannelId::try_from(&*renew.channel_id) {
                    let stale = Refusal::from(RefusalReason::Stale);
                    self.say_control(refusal::refused_renewal(channel, stale, renew.serial));
                }
            }
            control::Body::Open(_)
            | control::Body::Opened(_)
            | control::Body::Refused(_)
            | control::Body::Renewed(_)
            | control::Body::AccessAcknowledged(_)
            | control::Body::Goodbye(_) => self.hang_up(&Lost::Nonsense, ctx),
        }
    }

    fn closed(&mut self, close: wire::Close) {
        let Ok(channel) = ChannelId::try_from(&*close.channel_id) else {
            return;
        };
        if let Some(access) = self.pending.get_mut(&channel) {
            *access = None;
        }
        if let Some(line) = self.channels.get(&channel) {
            tell(&line.control, ControlFromHub(control::Body::Close(close)));
        }
    }

    /// Acknowledged once it is in the channel's mailbox: every request that follows finds it
    /// there before itself.
    fn access_changed(&mut self, changed: wire::AccessChanged) {
        let Ok(channel) = ChannelId::try_from(&*changed.channel_id) else {
            return;
        };
        let acknowledged = wire::AccessAcknowledged {
            channel_id: changed.channel_id.clone(),
            change: changed.change,
        };
        if let Some(Some(access)) = self.pending.get_mut(&channel) {
            access.clone_from(&changed.workspaces);
        }
        if let Some(line) = self.channels.get(&channel) {
            tell(
                &line.control,
                ControlFromHub(control::Body::AccessChanged(changed)),
            );
        }
        self.say_control(control::Body::AccessAcknowledged(acknowledged));
    }

    fn forget(&mut self, channel: ChannelId) {
        if self.channels.remove(&channel).is_some() {
            self.admission.closed(&channel, clock::now());
        }
    }
}

impl Actor for HubLink {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Ctx) {
        ctx.run_interval(self.parts.timings.rhythm.tick, Self::beat);
        self.dial(ctx);
    }
}

impl StreamHandler<Heard> for HubLink {
    fn handle(&mut self, heard: Heard, ctx: &mut Ctx) {
        if heard.generation != self.generation {
            return;
        }
        match heard.what {
            Ok(message) => {
                if let Some(live) = &mut self.live {
                    live.pulse.heard(clock::now());
                }
                self.hear(message, ctx);
            }
            Err(lost) => self.hang_up(&lost, ctx),
        }
    }

    /// The end of a stream is its last item; this actor outlives it.
    fn finished(&mut self, _ctx: &mut Ctx) {}
}

impl Handler<ChannelGone> for HubLink {
    type Result = ();

    fn handle(&mut self, gone: ChannelGone, _ctx: &mut Ctx) {
        let ChannelGone { channel, leave } = gone;
        let was_here = self.channels.contains_key(&channel);
        self.forget(channel);
        if was_here && leave == Leave::Failed {
            tracing::error!(%channel, "a channel failed");
            self.say_control(close::close(channel, 0, CloseReason::Internal));
        }
    }
}

impl Handler<Stop> for HubLink {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, Stop: Stop, _ctx: &mut Ctx) -> Self::Result {
        for (channel, line) in std::mem::take(&mut self.channels) {
            // By the control queue: the actor may have no time left to say it itself.
            self.say_control(close::close(channel, 0, CloseReason::ClosedByWorker));
            tell(&line.lost, LinkLost);
        }
        self.generation += 1;
        self.report(LinkState::Ended(EndReason::Stopped));
        let said = self.live.take().map(|live| said(live.open.control));
        let leaving = async move {
            if let Some(said) = said {
                // Who does not take it in time is told nothing.
                let _ = tokio::time::timeout(FAREWELL, said).await;
            }
        };
        Box::pin(leaving.into_actor(self).map(|(), _, ctx| ctx.stop()))
    }
}

/// Waits until everything in the queue is on its way.
async fn said(queue: mpsc::Sender<wire::FromWorker>) {
    while queue.capacity() < queue.max_capacity() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_millis(500);
