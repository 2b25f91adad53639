//! ACTOR Link: a Worker's stream. A mux and the codec of its envelope.
//!
//! It never waits for its Worker: what goes out stands in a queue that tonic drains, frame by
//! frame with the place that the frame holds in its channel's lane. So one slow channel, or one
//! slow Worker, holds no more than the lanes of its channels.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler, Recipient,
    StreamHandler, WrapFuture as _,
};
use actix_rt::ArbiterHandle;
use bytes::Bytes;
use channel_actors::{
    RefusalReason, close,
    figures::Received,
    messages::{ControlFromWorker, ControlToWorker, FromWorker, MeetWorker, ToWorker},
    mux::{Mux, Route},
    post::{Kept, Overrun, tell, tell_addr},
    relay::Side,
};
use schema::{
    frame::{Frame, Outer},
    ids::ChannelId,
    wire::{self, FromWorker as Upstream, control::Body, from_worker, to_worker},
};
use tonic::Status;

use crate::{
    clock,
    compact::compact,
    config::ms,
    departure,
    limiter::{LINK_CONTROLS, Limiter},
    link_stream::Arrivals,
    liveness::{Liveness, Silence},
    messages::{ChannelOverrun, DepartLink, LinkGuard, MeetLink},
    outbox::{self, Outbox, Outgoing},
    pace::{Brake, Braked, Pace},
    showing::shown,
    state::{State, ask},
    stay::Use,
    store::{
        certificates,
        workers::{self as rows, Worker},
    },
    telemetry::{self, LinkConnect, LinkEnd, Stray},
    workers,
};

/// A Worker that has not read its goodbye by then does not want to.
const FAREWELL: Duration = Duration::from_secs(5);
/// Mailbox places: frames are counted by their channels' windows, the rest is few.
const MAILBOX: usize = 1 << 30;

/// One Worker's stream.
pub(crate) struct Link {
    state: Arc<State>,
    worker: Worker,
    /// Of the look-up of its token.
    as_of: i64,
    phase: Phase,
    mux: Mux<WorkerRoute>,
    received: Received,
    outbox: Outbox,
    liveness: Liveness,
    nonce: u64,
    controls: Limiter<()>,
    /// Holds the reading when the organisation's channels carry too much.
    brake: Brake,
    /// What is said should the Worker, or its connection, just go.
    end: LinkEnd,
    /// Keeps the connection.
    _in_use: Use,
}

enum Phase {
    /// Its Hello is due.
    Nameless { until: Instant },
    /// Hello said; the Registry is being asked.
    Meeting,
    /// In the directory.
    Linked(LinkGuard),
    /// Goodbye was said.
    Leaving,
}

struct WorkerRoute {
    frames: Kept<FromWorker>,
    control: Recipient<ControlFromWorker>,
    pace: Option<Arc<Pace>>,
    /// The newest that was asked for over this link: a goodbye names it.
    epoch: u32,
}

/// Starts the actor of a Worker whose token was right.
pub(crate) fn start(
    arbiter: &ArbiterHandle,
    state: Arc<State>,
    worker: Worker,
    as_of: i64,
    incoming: Arrivals,
    in_use: Use,
) -> Outgoing {
    let (outbox, outgoing) = outbox::pair();
    let _link = Link::start_in_arbiter(arbiter, move |ctx: &mut Context<Link>| {
        ctx.set_mailbox_capacity(MAILBOX);
        let link = Link::new(state, worker, as_of, outbox, in_use);
        ctx.add_stream(Braked::new(incoming, link.brake.clone()));
        link
    });
    outgoing
}

impl Link {
    fn new(state: Arc<State>, worker: Worker, as_of: i64, outbox: Outbox, in_use: Use) -> Self {
        let times = &state.config.timeouts;
        let now = clock::now();
        Self {
            phase: Phase::Nameless {
                until: now + ms(times.hello_ms),
            },
            mux: Mux::new(&state.limits),
            received: Received::toward(Side::Client),
            liveness: Liveness::new(ms(times.heartbeat_after_ms), ms(times.link_dead_ms), now),
            state,
            worker,
            as_of,
            outbox,
            nonce: 1,
            controls: Limiter::new(LINK_CONTROLS),
            brake: Brake::default(),
            end: LinkEnd::Worker,
            _in_use: in_use,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = clock::now();
        if let Phase::Nameless { until } = self.phase {
            if until <= now {
                telemetry::link_connect(LinkConnect::Hello);
                self.leave(LinkEnd::Protocol, ctx);
            }
            return;
        }
        match self.liveness.judge(now) {
            Silence::Fine => {}
            Silence::Ask => {
                // Odd: a question.
                self.nonce = self.nonce.wrapping_add(2) | 1;
                let nonce = self.nonce;
                self.say(to_worker::Body::Heartbeat(wire::Heartbeat { nonce }), ctx);
            }
            Silence::Dead => {
                self.end = LinkEnd::Silent;
                ctx.stop();
            }
        }
    }

    fn say(&mut self, body: to_worker::Body, ctx: &mut Context<Self>) {
        if self.outbox.say(body).is_err() {
            self.end = LinkEnd::Slow;
            ctx.stop();
        }
    }

    fn say_control(&mut self, body: Body, ctx: &mut Context<Self>) {
        self.say(to_worker::Body::Relay(Outer::from(body).encode()), ctx);
    }

    fn hello(&mut self, hello: wire::WorkerHello, ctx: &mut Context<Self>) {
        let is_known = hello.public_key[..] == self.worker.public_key[..];
        let is_sound =
            workers::is_mode(hello.encryption_mode) && workers::is_version(&hello.version);
        if !matches!(self.phase, Phase::Nameless { .. }) || !is_known || !is_sound {
            telemetry::link_connect(LinkConnect::Hello);
            tracing::warn!(worker = %self.worker.id, is_known, is_sound, "a Hello was refused");
            return self.leave(LinkEnd::Protocol, ctx);
        }
        self.phase = Phase::Meeting;
        self.worker.encryption_mode = hello.encryption_mode;
        self.worker.version.clone_from(&hello.version);
        let me = ctx.address();
        let meet = MeetLink {
            worker: self.worker.id.clone(),
            owner: self.worker.owner.clone(),
            as_of: self.as_of,
            encryption_mode: hello.encryption_mode,
            version: hello.version,
            frames: me.clone().recipient(),
            control: me.clone().recipient(),
            meet: me.clone().recipient(),
            depart: me.recipient(),
        };
        let state = Arc::clone(&self.state);
        let met = async move { ask(&state.registry, meet).await };
        // Nothing more is read, and no frame comes, before the Worker is welcome.
        ctx.wait(met.into_actor(self).map(|met, link, ctx| match met {
            Ok(Ok(guard)) => link.welcome(guard, ctx),
            Ok(Err(why)) => {
                // Dialling again, it hears of its token what is true now.
                let (connect, end) = if why == RefusalReason::Credential {
                    (LinkConnect::Credential, LinkEnd::Revoked)
                } else {
                    (LinkConnect::Draining, LinkEnd::Draining)
                };
                telemetry::link_connect(connect);
                let reconnect_after = Duration::from_secs(1);
                link.depart(
                    DepartLink {
                        end,
                        reconnect_after,
                    },
                    ctx,
                );
            }
            Err(_) => {
                telemetry::link_connect(LinkConnect::Error);
                link.end = LinkEnd::Error;
                ctx.stop();
            }
        }));
    }

    fn welcome(&mut self, guard: LinkGuard, ctx: &mut Context<Self>) {
        telemetry::link_connect(LinkConnect::Ok);
        tracing::info!(worker = %self.worker.id, link = %guard.id, "a Worker linked");
        self.phase = Phase::Linked(guard);
        let times = &self.state.config.timeouts;
        let short = |milliseconds: u64| u32::try_from(milliseconds).unwrap_or(u32::MAX);
        let welcome = wire::WorkerWelcome {
            worker_id: self.worker.id.as_str().to_owned(),
            heartbeat_after_ms: short(times.heartbeat_after_ms),
            dead_after_ms: short(times.link_dead_ms),
            owner_user_id: self.worker.owner.as_str().to_owned(),
        };
        self.say(to_worker::Body::Welcome(welcome), ctx);
        self.show_withdrawn(ctx);
        self.note_hello(ctx);
    }

    /// What was taken back while it was away, before it hears of any channel.
    fn show_withdrawn(&self, ctx: &mut Context<Self>) {
        let (state, worker) = (Arc::clone(&self.state), self.worker.id.clone());
        let withdrawn = async move {
            let now_ms = clock::unix_ms();
            let asked = state
                .store
                .run(move |conn| certificates::withdrawn(conn, &worker, now_ms));
            asked.await
        };
        ctx.wait(withdrawn.into_actor(self).map(|withdrawn, link, ctx| {
            match withdrawn {
                Ok(pieces) => {
                    let pieces = pieces.into_iter();
                    pieces.for_each(|piece| link.say_control(shown(piece), ctx));
                }
                Err(fault) => {
                    // Dialling again, it hears of them.
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(error, worker = %link.worker.id, "not shown what was withdrawn");
                    link.end = LinkEnd::Error;
                    ctx.stop();
                }
            }
        }));
    }

    fn note_hello(&self, ctx: &mut Context<Self>) {
        let (state, worker) = (Arc::clone(&self.state), self.worker.clone());
        let note = async move {
            let noted = state.store.run(move |conn| {
                let Worker {
                    id,
                    encryption_mode,
                    version,
                    ..
                } = worker;
                rows::note_hello(conn, &id, encryption_mode, &version, clock::unix_ms())
            });
            if let Err(fault) = noted.await {
                tracing::warn!(
                    error = &fault as &dyn std::error::Error,
                    "not noted: a Hello"
                );
            }
        };
        ctx.spawn(note.into_actor(self));
    }

    fn outer(&mut self, raw: Bytes, ctx: &mut Context<Self>) {
        if !matches!(self.phase, Phase::Linked(_)) {
            return self.leave(LinkEnd::Protocol, ctx);
        }
        match Outer::parse(compact(raw)) {
            Ok(Outer::Frame(frame)) => self.frame(frame, ctx),
            Ok(Outer::Control(body)) => self.control(body, ctx),
            Err(malformed) => {
                tracing::warn!(worker = %self.worker.id, %malformed, "an undecodable message");
                self.leave(LinkEnd::Protocol, ctx);
            }
        }
    }

    fn frame(&mut self, frame: Frame, ctx: &mut Context<Self>) {
        let channel = frame.channel();
        self.received.count();
        match self.mux.route(&channel, clock::now()) {
            Route::To(route) => {
                if let Some(pace) = &route.pace {
                    let wait = pace.charge(frame.as_bytes().len(), clock::now());
                    self.brake.press(wait);
                }
                if route.frames.offer(FromWorker::new(frame)) == Err(Overrun::Full) {
                    tell_addr(&self.state.registry, ChannelOverrun { channel });
                    // Said once, however much still comes.
                    self.mux.remove(&channel, clock::now());
                }
            }
            Route::Late => telemetry::stray_frame(Stray::Late),
            Route::Foreign => telemetry::stray_frame(Stray::Foreign),
            Route::Offender => {
                telemetry::stray_frame(Stray::Foreign);
                self.leave(LinkEnd::Offender, ctx);
            }
        }
    }

    /// Answers go to channels of this link only: no Worker can answer for another.
    fn control(&mut self, body: Body, ctx: &mut Context<Self>) {
        let id = match &body {
            Body::Opened(opened) => &opened.channel_id,
            Body::Refused(refused) => &refused.channel_id,
            Body::Renewed(renewed) => &renewed.channel_id,
            Body::Close(close) => &close.channel_id,
            Body::AccessAcknowledged(acknowledged) => &acknowledged.channel_id,
            Body::Open(_)
            | Body::Incoming(_)
            | Body::Renew(_)
            | Body::AccessChanged(_)
            | Body::Goodbye(_) => {
                return self.leave(LinkEnd::Protocol, ctx);
            }
        };
        let now = clock::now();
        let (Ok(channel), Ok(())) = (ChannelId::try_from(&id[..]), self.controls.take(&(), now))
        else {
            return self.leave(LinkEnd::Protocol, ctx);
        };
        // A channel that the Worker refuses is no more, and nobody will say so.
        let is_refused = matches!(&body, Body::Refused(refused) if refused.serial == 0);
        match self.mux.route(&channel, now) {
            Route::To(route) if is_refused => {
                tell(&route.control, ControlFromWorker(body));
                self.mux.remove(&channel, now);
            }
            Route::To(route) => tell(&route.control, ControlFromWorker(body)),
            Route::Late | Route::Foreign => {}
            Route::Offender => self.leave(LinkEnd::Offender, ctx),
        }
    }

    fn heartbeat(&mut self, nonce: u64, ctx: &mut Context<Self>) {
        if nonce % 2 == 1 {
            let nonce = nonce.wrapping_add(1);
            self.say(to_worker::Body::Heartbeat(wire::Heartbeat { nonce }), ctx);
        }
    }

    fn leave(&mut self, end: LinkEnd, ctx: &mut Context<Self>) {
        self.depart(
            DepartLink {
                end,
                reconnect_after: Duration::ZERO,
            },
            ctx,
        );
    }

    /// Says why, and goes: the queue is sent out, then the stream ends. Frames are sent only
    /// where nothing was wrong with the Worker.
    fn depart(&mut self, depart: DepartLink, ctx: &mut Context<Self>) {
        let (reason, of_channels) = departure::of_a_link(depart.end);
        if depart.end != LinkEnd::Draining {
            self.outbox.drop_frames();
        }
        // Said here, since a Channel's own word could come when this actor has gone.
        for (channel, route) in self.mux.drain() {
            self.say_control(close::close(channel, route.epoch, of_channels), ctx);
        }
        let after = depart.reconnect_after.as_millis();
        let goodbye = wire::LinkGoodbye {
            reason: reason.into(),
            reconnect_after_ms: u32::try_from(after).unwrap_or(u32::MAX),
        };
        self.say(to_worker::Body::Goodbye(goodbye), ctx);
        self.end = depart.end;
        self.close_phase();
        // On the arbiter, since nothing of an actor runs on when it has stopped.
        let cut = self.outbox.cutter();
        actix_rt::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            cut();
        });
        ctx.stop();
    }

    fn close_phase(&mut self) {
        if let Phase::Linked(mut guard) = std::mem::replace(&mut self.phase, Phase::Leaving) {
            guard.reason = self.end;
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let tick = ms(self.state.config.timeouts.link_tick_ms).max(Duration::from_millis(5));
        ctx.run_interval(tick, Self::look);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        if !matches!(self.phase, Phase::Leaving) {
            // Nothing was said that is worth waiting for.
            self.outbox.cutter()();
        }
        self.close_phase();
    }
}

impl Handler<MeetWorker> for Link {
    type Result = ();

    fn handle(&mut self, meet: MeetWorker, _: &mut Context<Self>) {
        let MeetWorker {
            channel,
            frames,
            control,
        } = meet;
        let pace = self.state.paces.of(&channel);
        let route = WorkerRoute {
            frames,
            control,
            pace,
            epoch: 0,
        };
        if self.mux.insert(channel, route).is_err() {
            // The directory gives an id out once.
            tracing::error!(%channel, "a channel was introduced twice");
        }
    }
}

impl Handler<ToWorker> for Link {
    type Result = ();

    fn handle(&mut self, ToWorker(passing): ToWorker, ctx: &mut Context<Self>) {
        if self.outbox.frame(passing).is_err() {
            ctx.stop();
        }
    }
}

impl Handler<ControlToWorker> for Link {
    type Result = ();

    fn handle(&mut self, ControlToWorker(body): ControlToWorker, ctx: &mut Context<Self>) {
        if let Some(channel) = departure::ended(&body) {
            self.mux.remove(&channel, clock::now());
        }
        if let Some((channel, serial)) = departure::asked(&body)
            && let Some(route) = self.mux.get_mut(&channel)
        {
            route.epoch = route.epoch.max(serial);
        }
        self.say_control(body, ctx);
    }
}

impl Handler<DepartLink> for Link {
    type Result = ();

    fn handle(&mut self, depart: DepartLink, ctx: &mut Context<Self>) {
        self.depart(depart, ctx);
    }
}

impl StreamHandler<Result<Upstream, Status>> for Link {
    fn handle(&mut self, message: Result<Upstream, Status>, ctx: &mut Context<Self>) {
        self.liveness.heard(clock::now());
        match message.map(|message| message.body) {
            Ok(Some(from_worker::Body::Hello(hello))) => self.hello(hello, ctx),
            Ok(Some(from_worker::Body::Relay(raw))) => self.outer(raw, ctx),
            Ok(Some(from_worker::Body::Heartbeat(heartbeat))) => {
                self.heartbeat(heartbeat.nonce, ctx);
            }
            Ok(None) => self.leave(LinkEnd::Protocol, ctx),
            Err(status) => {
                tracing::debug!(worker = %self.worker.id, code = ?status.code(), "a link broke");
                ctx.stop();
            }
        }
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
