//! ACTOR of the stream to the Hub: dial, say hello, hand frames to their channels, notice
//! silence, dial again.

mod adrift;
mod channels;
mod handshakes;
mod line;
mod state;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use channels::Census;
pub(crate) use line::Marks;
pub use state::{EndReason, LinkState};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, ArbiterHandle, AsyncContext as _, Context,
    Handler, ResponseActFuture, SpawnHandle, StreamHandler, WrapFuture as _,
};
use channel_actors::{
    endpoint::admission::Admission,
    limits::Limits,
    refusal::{self, Refusal},
};
use crypto::{Identity, Mode};
use schema::{
    frame::Outer,
    ids::{ChannelId, UserId, WorkerId},
    wire::{self, control, from_worker, to_worker},
};
use tokio::sync::{mpsc, watch};

use self::{
    adrift::{Adrift, Bounds},
    line::Line,
};

use crate::{
    clock,
    config::Timings,
    entropy,
    messages::Stop,
    open_link::{self, Caller, Lost, Open},
    pulse::{Beat, Pulse},
    redial::Redial,
    services::Services,
};

/// What a link is made with.
pub(crate) struct LinkParts {
    pub(crate) caller: Arc<Caller>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) mode: Mode,
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) services: Services,
    pub(crate) timings: Timings,
    /// How long a channel waits for its client to come back.
    pub(crate) detached_max: Duration,
    /// Where channels run, in turn.
    pub(crate) arbiters: Vec<ArbiterHandle>,
    pub(crate) cores: usize,
    pub(crate) state: watch::Sender<LinkState>,
    pub(crate) census: watch::Sender<Census>,
}

/// The link. Channels outlive the stream that carried them: a client that comes back by the next
/// one finds its channel here.
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
    adrift: Adrift,
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

/// Something the stream of a generation said, or its end.
pub(crate) struct Heard {
    pub(crate) generation: u64,
    pub(crate) what: Result<wire::ToWorker, Lost>,
}

type Ctx = Context<HubLink>;

impl HubLink {
    pub(crate) fn new(parts: LinkParts) -> Self {
        let limits = Arc::new(Limits {
            detached_max: parts.detached_max,
            ..Limits::default()
        });
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
            adrift: Adrift::new(Bounds::default()),
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
        self.compare_owner(&open.owner);
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

    /// The owner is whom the person at the machine knows, whatever a Hub says.
    fn compare_owner(&self, said: &str) {
        if UserId::parse(said).is_ok_and(|said| said != self.parts.owner) {
            tracing::warn!(
                owner = self.parts.owner.as_str(),
                said,
                "the Hub says that this Worker belongs to somebody else now, who is refused here; if \
                 that is right, run `leapmux worker owner accept --user ID` on this machine and \
                 start the Worker again"
            );
        }
    }

    fn down(&mut self, lost: &Lost, ctx: &mut Ctx) {
        if let Some(live) = self.live.take() {
            ctx.cancel_future(live.hearing);
        }
        for line in self.channels.values() {
            line.lost(self.generation);
        }
        self.pending.values_mut().for_each(|access| *access = None);
        if let Some(reason) = lost.is_final() {
            tracing::error!(%reason, "the link ends");
            // No other stream will bring their clients back.
            self.close_all();
            self.report(LinkState::Ended(reason));
            return ctx.stop();
        }
        let awaited = !self.channels.is_empty();
        let wait = self.redial.down(clock::now(), awaited, entropy::fraction());
        let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(cause = %lost, retry_ms, "no link to the Hub");
        self.report(LinkState::Waiting { retry_after: wait });
        ctx.run_later(wait, Self::dial);
    }

    fn report(&self, state: LinkState) {
        self.parts.state.send_replace(state);
    }

    /// The stream is over, or given up.
    fn hang_up(&mut self, lost: &Lost, ctx: &mut Ctx) {
        self.down(lost, ctx);
        // What the old stream still says belongs to no generation.
        self.generation += 1;
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

impl Handler<Stop> for HubLink {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, Stop: Stop, _ctx: &mut Ctx) -> Self::Result {
        self.close_all();
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
