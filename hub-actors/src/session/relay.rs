//! ACTOR Session: a browser's or command line's channels. A mux and a parser.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Handler, Recipient,
    StreamHandler, WrapFuture as _,
};
use actix_http::ws::{Codec, Item};
use actix_rt::Arbiter;
use actix_web::{Error, web};
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};
use bytes::Bytes;
use channel_actors::{
    PathId, Refusal, RefusalReason, close,
    figures::Received,
    limits::WEBSOCKET_MESSAGE_MAX,
    messages::{ControlFromBrowser, ControlToBrowser, FromBrowser, MeetBrowser, ToBrowser},
    mux::{Mux, Route},
    post::{Kept, Overrun, tell, tell_addr},
    refusal,
    relay::Side,
};
use futures_util::Stream;
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, WorkerId},
    wire::{self, control::Body},
};

use super::{
    code, incoming, not_met,
    opening::{Opening, open_channel},
    outgoing::Outgoing,
    reading::Reading,
    renewing::Renewing,
    tick,
};
use crate::{
    assembly::{Assembly, Fragment},
    caller::Caller,
    claim::Claim,
    clock,
    compact::compact,
    config::ms,
    departure,
    limiter::{CONTROLS, Limiter},
    liveness::{Liveness, Silence},
    messages::{ChannelOverrun, Depart, MeetSession, SessionGuard, SessionWays},
    pace::{Brake, Braked, Pace},
    state::{State, ask},
    takeover::Taken,
    telemetry::{self, SessionEnd, Stray},
};

/// Mailbox places: frames are counted by their channels' windows, the rest is few.
const MAILBOX: usize = 1 << 30;

/// A browser's or command line's channels.
pub(crate) struct Session {
    pub(super) state: Arc<State>,
    pub(super) caller: Caller,
    pub(super) guard: SessionGuard,
    mux: Mux<BrowserRoute>,
    received: Received,
    pub(super) outgoing: Outgoing,
    taken: Rc<Taken>,
    assembly: Assembly,
    liveness: Liveness,
    pub(super) opening: BTreeMap<ChannelId, Opening>,
    pub(super) renewing: Renewing,
    controls: Limiter<()>,
    /// Holds the reading when an organisation's channels carry too much.
    brake: Brake,
}

struct BrowserRoute {
    frames: Kept<FromBrowser>,
    control: Recipient<ControlFromBrowser>,
    pace: Option<Arc<Pace>>,
    /// The newest that was begun here: a goodbye names it.
    epoch: u32,
}

impl Session {
    pub(super) fn new(
        state: Arc<State>,
        caller: Caller,
        guard: SessionGuard,
        taken: Taken,
    ) -> Self {
        Self {
            taken: Rc::new(taken),
            mux: Mux::new(&state.limits),
            outgoing: Outgoing::default(),
            assembly: Assembly::new(WEBSOCKET_MESSAGE_MAX),
            liveness: super::liveness(&state),
            opening: BTreeMap::new(),
            renewing: Renewing::default(),
            controls: Limiter::new(CONTROLS),
            received: Received::toward(Side::Worker),
            brake: Brake::default(),
            state,
            caller,
            guard,
        }
    }

    /// Runs it on a socket that was upgraded; the stream is the body of the response, which stays
    /// empty: the session reads and writes the socket itself. The payload is what a client said
    /// before it was answered.
    pub(super) fn run(self, payload: web::Payload) -> impl Stream<Item = Result<Bytes, Error>> {
        let socket = self.outgoing.socket(Rc::clone(&self.taken));
        let codec = Codec::new().max_size(WEBSOCKET_MESSAGE_MAX);
        socket(Box::pin(WebsocketContext::with_codec(
            self,
            incoming(payload, WEBSOCKET_MESSAGE_MAX),
            codec,
        )))
    }

    fn outer(&mut self, raw: Bytes, ctx: &mut WebsocketContext<Self>) {
        match Outer::parse(compact(raw)) {
            Ok(Outer::Frame(frame)) => self.frame(frame, ctx),
            Ok(Outer::Control(body)) => self.control(body, ctx),
            Err(malformed) => {
                tracing::debug!(session = %self.guard.id, %malformed, "an undecodable message");
                self.leave(SessionEnd::Protocol, ctx);
            }
        }
    }

    fn frame(&mut self, frame: Frame, ctx: &mut WebsocketContext<Self>) {
        let channel = frame.channel();
        self.received.count();
        match self.mux.route(&channel, clock::now()) {
            Route::To(route) => {
                if let Some(pace) = &route.pace {
                    let wait = pace.charge(frame.as_bytes().len(), clock::now());
                    self.brake.press(wait);
                }
                let frame = FromBrowser::new(self.guard.id.into(), frame);
                if route.frames.offer(frame) == Err(Overrun::Full) {
                    tell_addr(&self.state.registry, ChannelOverrun { channel });
                    // Said once, however much still comes.
                    self.mux.remove(&channel, clock::now());
                }
            }
            Route::Late => telemetry::stray_frame(Stray::Late),
            Route::Foreign => telemetry::stray_frame(Stray::Foreign),
            Route::Offender => {
                telemetry::stray_frame(Stray::Foreign);
                self.leave(SessionEnd::Foreign, ctx);
            }
        }
    }

    fn control(&mut self, body: Body, ctx: &mut WebsocketContext<Self>) {
        if self.controls.take(&(), clock::now()).is_err() {
            return self.leave(SessionEnd::Protocol, ctx);
        }
        match body {
            Body::Open(open) => self.open(open, ctx),
            Body::Renew(renew) => self.renew(renew, ctx),
            Body::Close(close) => self.close(close, ctx),
            Body::Incoming(_)
            | Body::Opened(_)
            | Body::Refused(_)
            | Body::Renewed(_)
            | Body::AccessChanged(_)
            | Body::AccessAcknowledged(_)
            | Body::Goodbye(_) => {
                self.leave(SessionEnd::Protocol, ctx);
            }
        }
        self.answered(ctx);
    }

    /// Something was said to the client; it may ask no faster than it reads.
    fn answered(&mut self, ctx: &mut WebsocketContext<Self>) {
        if self.outgoing.is_overrun() {
            self.leave(SessionEnd::Slow, ctx);
        }
    }

    /// What frames wait before is not heard yet.
    fn silent(&mut self, ctx: &mut WebsocketContext<Self>) {
        let is_slow = self.outgoing.holds_frames();
        self.leave(
            if is_slow {
                SessionEnd::Slow
            } else {
                SessionEnd::Silent
            },
            ctx,
        );
    }

    fn open(&mut self, open: wire::Open, ctx: &mut WebsocketContext<Self>) {
        let Ok(channel) = ChannelId::try_from(&open.channel_id[..]) else {
            return self.leave(SessionEnd::Protocol, ctx);
        };
        let Ok(worker) = WorkerId::parse(&open.worker_id) else {
            // Whatever is no id is no Worker either.
            return self.refuse(channel, RefusalReason::NotFound.into());
        };
        if let Err(refusal) = self.may_open(channel, &open) {
            return self.refuse(channel, refusal);
        }
        let claim = Claim::default();
        let opening = Opening {
            claim: claim.clone(),
            close: None,
        };
        self.opening.insert(channel, opening);
        let (state, caller) = (Arc::clone(&self.state), self.caller.clone());
        let session = self.guard.id;
        let opened = async move {
            open_channel(&state, caller, session, worker, open, channel, claim).await
        };
        ctx.spawn(opened.into_actor(self).map(move |opened, session, _| {
            if let Err(refusal) = opened {
                session.not_opened(channel, refusal);
            }
        }));
    }

    /// Before a channel has an actor, its refusal is counted here.
    pub(super) fn refuse(&self, channel: ChannelId, refusal: Refusal) {
        telemetry::open_refused(refusal.reason);
        self.outgoing.control(refusal::refused(channel, refusal));
    }

    fn close(&mut self, close: wire::Close, ctx: &mut WebsocketContext<Self>) {
        let Ok(channel) = ChannelId::try_from(&close.channel_id[..]) else {
            return self.leave(SessionEnd::Protocol, ctx);
        };
        if self.opening.contains_key(&channel) {
            return self.close_early(channel, close);
        }
        if self.mux.get(&channel).is_none() && self.renewing.keep(&channel, &close) {
            return;
        }
        let close = self.renewing.date(&channel, close);
        let path = self.guard.id.into();
        match self.mux.route(&channel, clock::now()) {
            Route::To(route) => tell(&route.control, closing(path, close)),
            Route::Late | Route::Foreign => {}
            Route::Offender => self.leave(SessionEnd::Foreign, ctx),
        }
    }

    pub(super) fn leave(&mut self, end: SessionEnd, ctx: &mut WebsocketContext<Self>) {
        self.depart(
            Depart {
                end,
                reconnect_after: Duration::ZERO,
            },
            ctx,
        );
    }

    /// Says why, and goes. Whoever is not polled any more is ended by the edge.
    fn depart(&mut self, depart: Depart, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = depart.end;
        // Said here, since a Channel's own word could come when this actor has gone.
        for (channel, route) in self.mux.drain() {
            let of_channels = departure::of_its_channels(depart.end);
            let close = close::close(channel, route.epoch, of_channels);
            self.outgoing.control(close);
        }
        let reason = departure::of_a_session(depart.end);
        let after = depart.reconnect_after.as_millis();
        let goodbye = wire::Goodbye {
            reason: reason.to_wire().into(),
            reconnect_after_ms: u32::try_from(after).unwrap_or(u32::MAX),
        };
        self.outgoing.control(Body::Goodbye(goodbye));
        let close = (code(depart.end), reason.label()).into();
        self.outgoing.close(Some(close));
        ctx.stop();
    }
}

/// What a Channel is told of a Close that came over this path.
fn closing(path: PathId, close: wire::Close) -> ControlFromBrowser {
    let body = Body::Close(close);
    ControlFromBrowser { path, body }
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut WebsocketContext<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        let reading = Reading::new(Rc::clone(&self.taken));
        ctx.add_stream(Braked::new(reading, self.brake.clone()));
        tick(
            ctx,
            ms(self.state.config.timeouts.ping_after_ms),
            |session, ctx| match session.liveness.judge(clock::now()) {
                Silence::Fine => {}
                Silence::Ask => session.outgoing.message(Message::Ping(Bytes::new())),
                Silence::Dead => session.silent(ctx),
            },
        );
        let me = ctx.address();
        let ways = SessionWays::Relay {
            frames: me.clone().recipient(),
            control: me.clone().recipient(),
            meet: me.clone().recipient(),
            // Each thread of the server is one.
            arbiter: Arbiter::current(),
        };
        let meet = MeetSession {
            id: self.guard.id,
            ways,
            depart: me.recipient(),
        };
        let state = Arc::clone(&self.state);
        let met = async move { ask(&state.registry, meet).await };
        // Nothing is read before the Registry knows the way back.
        ctx.wait(met.into_actor(self).map(|met, session, ctx| match met {
            Ok(Ok(())) => {}
            Ok(Err(why)) => session.leave(not_met(why), ctx),
            Err(_) => session.leave(SessionEnd::Error, ctx),
        }));
    }
}

impl Handler<MeetBrowser> for Session {
    type Result = ();

    fn handle(&mut self, meet: MeetBrowser, _: &mut WebsocketContext<Self>) {
        let MeetBrowser {
            channel,
            frames,
            control,
        } = meet;
        let opening = self.opening.remove(&channel);
        let close = opening.and_then(|opening| opening.close);
        if let Some(close) = close.or_else(|| self.renewing.end(&channel)) {
            tell(&control, closing(self.guard.id.into(), close));
        }
        // One that moves to and fro is introduced each time.
        self.mux.remove(&channel, clock::now());
        let epoch = 0;
        let pace = self.state.paces.of(&channel);
        let route = BrowserRoute {
            frames,
            control,
            pace,
            epoch,
        };
        if self.mux.insert(channel, route).is_err() {
            tracing::error!(%channel, "a channel was introduced twice");
        }
    }
}

impl Handler<ToBrowser> for Session {
    type Result = ();

    fn handle(&mut self, ToBrowser(passing): ToBrowser, _: &mut WebsocketContext<Self>) {
        self.outgoing.frame(passing);
    }
}

impl Handler<ControlToBrowser> for Session {
    type Result = ();

    fn handle(
        &mut self,
        ControlToBrowser(body): ControlToBrowser,
        ctx: &mut WebsocketContext<Self>,
    ) {
        if let Some(channel) = departure::ended(&body) {
            self.mux.remove(&channel, clock::now());
            self.opening.remove(&channel);
            self.renewing.end(&channel);
        }
        if let Some((channel, serial)) = departure::answered(&body) {
            self.renewing.answered(&channel, serial);
        }
        if let Some((channel, serial)) = departure::renewed(&body)
            && let Some(route) = self.mux.get_mut(&channel)
        {
            route.epoch = route.epoch.max(serial);
        }
        self.outgoing.control(body);
        self.answered(ctx);
    }
}

impl Handler<Depart> for Session {
    type Result = ();

    fn handle(&mut self, depart: Depart, ctx: &mut WebsocketContext<Self>) {
        self.depart(depart, ctx);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(
        &mut self,
        message: Result<Message, ProtocolError>,
        ctx: &mut WebsocketContext<Self>,
    ) {
        self.liveness.heard(clock::now());
        let fragment = match message {
            Ok(Message::Binary(raw)) => return self.outer(raw, ctx),
            Ok(Message::Continuation(Item::FirstBinary(bytes))) => Fragment::First(bytes),
            Ok(Message::Continuation(Item::Continue(bytes))) => Fragment::Next(bytes),
            Ok(Message::Continuation(Item::Last(bytes))) => Fragment::Last(bytes),
            Ok(Message::Ping(bytes)) => {
                self.outgoing.message(Message::Pong(bytes));
                return self.answered(ctx);
            }
            Ok(Message::Pong(_) | Message::Nop) => return,
            Ok(Message::Close(_)) => {
                self.guard.reason = SessionEnd::Client;
                self.outgoing.close(None);
                return ctx.stop();
            }
            Ok(Message::Text(_) | Message::Continuation(Item::FirstText(_))) | Err(_) => {
                return self.leave(SessionEnd::Protocol, ctx);
            }
        };
        match self.assembly.add(fragment) {
            Ok(None) => {}
            Ok(Some(whole)) => self.outer(whole, ctx),
            Err(_) => self.leave(SessionEnd::Protocol, ctx),
        }
    }

    fn finished(&mut self, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = SessionEnd::Client;
        ctx.stop();
    }
}
