//! ACTORS Session and Watcher: a browser's two WebSockets. The only file that knows
//! actix-web-actors.
//!
//! A WebSocket actor is not polled while its browser does not read. So nothing that must happen
//! is decided here: limits, expiry and revocation live in the Channel, and the edge ends sockets
//! that stall. A Session is a mux and a parser.

use std::{sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Handler, Recipient,
    StreamHandler, WrapFuture as _,
};
use actix_http::ws::Item;
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use actix_web_actors::ws::{
    CloseCode, Message, ProtocolError, WebsocketContext, WsResponseBuilder,
};
use bytes::Bytes;
use channel_actors::{
    CloseReason, Refusal as OpenRefusal, RefusalReason, close,
    limits::WEBSOCKET_MESSAGE_MAX,
    messages::{ControlFromBrowser, ControlToBrowser, FromBrowser, MeetBrowser, ToBrowser},
    mux::{Mux, Route},
    post::{Kept, tell, tell_addr},
    refusal,
};
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, WorkerId},
    wire::{self, control::Body, hub_event},
};

use crate::{
    assembly::{Assembly, Fragment},
    caller::Caller,
    clock,
    config::ms,
    directory::NoSession,
    error::{Fault, Quota, Refusal},
    grant, http,
    liveness::{Liveness, Silence},
    messages::{
        About, AdmitSession, ChannelOverrun, Depart, MeetSession, Notice, OpenChannel,
        SessionGuard, SessionWays,
    },
    state::{State, ask},
    store::{credentials, workers as worker_rows},
    telemetry::{self, SessionConnect, SessionEnd, SessionKind},
    workers,
};

/// What a client of the relay has to speak; the version of the outer message.
pub(crate) const SUBPROTOCOL: &str = "leapmux.relay.v1";
/// A watcher has nothing to say; its own pings and closes are small.
const WATCHER_MESSAGE_MAX: usize = 4 * 1024;
/// Opens of one session that may be under way in the Hub.
const OPENING_MAX: usize = 64;
/// Places for control messages and introductions, beside the frames that are counted elsewhere.
const MAILBOX: usize = 1 << 30;
/// Notices that may wait for a watcher that does not read.
const NOTICES: usize = 1_024 + 64;

/// `GET /ws/relay`
pub(crate) async fn relay(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    if !offers(&request, SUBPROTOCOL) {
        telemetry::session_connect(SessionConnect::Protocol);
        return HttpResponse::BadRequest()
            .content_type("text/plain; charset=utf-8")
            .body(format!("offer the WebSocket subprotocol {SUBPROTOCOL}\n"));
    }
    let state = state.into_inner();
    let (caller, guard) = match admit(&request, &state, SessionKind::Relay).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let actor = Session::new(Arc::clone(&state), caller, guard);
    let answer = WsResponseBuilder::new(actor, &request, payload)
        .protocols(&[SUBPROTOCOL])
        .frame_size(WEBSOCKET_MESSAGE_MAX)
        .start();
    upgraded(answer)
}

/// `GET /ws/events?cursor=N`
pub(crate) async fn events(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let state = state.into_inner();
    let (caller, guard) = match admit(&request, &state, SessionKind::Events).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let actor = Watcher {
        liveness: liveness(&state),
        cursor: cursor(request.query_string()),
        state,
        caller,
        guard,
    };
    let answer = WsResponseBuilder::new(actor, &request, payload)
        .frame_size(WATCHER_MESSAGE_MAX)
        .start();
    upgraded(answer)
}

fn upgraded(answer: Result<HttpResponse, actix_web::Error>) -> HttpResponse {
    let result = match &answer {
        Ok(_) => SessionConnect::Ok,
        Err(_) => SessionConnect::Protocol,
    };
    telemetry::session_connect(result);
    answer.unwrap_or_else(HttpResponse::from_error)
}

fn offers(request: &HttpRequest, subprotocol: &str) -> bool {
    let mut offers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offers.any(|offer| {
        offer
            .to_str()
            .is_ok_and(|list| list.split(',').any(|one| one.trim() == subprotocol))
    })
}

fn cursor(query: &str) -> Option<u64> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("cursor="))?
        .parse()
        .ok()
}

fn liveness(state: &State) -> Liveness {
    let times = &state.config.timeouts;
    Liveness::new(
        ms(times.ping_after_ms),
        ms(times.session_dead_ms),
        clock::now(),
    )
}

/// Finds out who it is, takes a place in the directory, and looks at the credential once more: a
/// revocation in between finds the place.
async fn admit(
    request: &HttpRequest,
    state: &Arc<State>,
    kind: SessionKind,
) -> Result<(Caller, SessionGuard), HttpResponse> {
    let refused = |result, answer| {
        telemetry::session_connect(result);
        Err(answer)
    };
    let failed = |fault: Fault| {
        telemetry::session_connect(SessionConnect::Error);
        http::fault(fault)
    };
    let caller = state
        .caller(http::presented(request, state))
        .await
        .map_err(failed)?;
    let Some(caller) = caller else {
        return refused(
            SessionConnect::Credential,
            http::refusal(Refusal::NotSignedIn),
        );
    };
    let order = AdmitSession {
        user: caller.user.clone(),
        credential: caller.credential.clone(),
        kind,
    };
    let guard = match ask(&state.registry, order).await.map_err(failed)? {
        Ok(guard) => guard,
        Err(NoSession::Revoked) => {
            return refused(
                SessionConnect::Credential,
                http::refusal(Refusal::NotSignedIn),
            );
        }
        Err(NoSession::Quota) => {
            telemetry::quota_refusal(Quota::Sessions);
            let quota = Refusal::Quota(Quota::Sessions, Duration::from_secs(5));
            return refused(SessionConnect::Quota, http::refusal(quota));
        }
        Err(NoSession::Draining) => {
            let draining = Refusal::Draining(Duration::from_secs(1));
            return refused(SessionConnect::Draining, http::refusal(draining));
        }
    };
    let credential = caller.credential.clone();
    let live = state
        .store
        .run(move |conn| credentials::is_live(conn, &credential, clock::unix_ms()));
    if live.await.map_err(failed)? {
        Ok((caller, guard))
    } else {
        refused(
            SessionConnect::Credential,
            http::refusal(Refusal::NotSignedIn),
        )
    }
}

/// A browser's or command line's channels.
pub(crate) struct Session {
    state: Arc<State>,
    caller: Caller,
    guard: SessionGuard,
    mux: Mux<BrowserRoute>,
    assembly: Assembly,
    liveness: Liveness,
    opening: usize,
}

struct BrowserRoute {
    frames: Kept<FromBrowser>,
    control: Recipient<ControlFromBrowser>,
}

impl Session {
    fn new(state: Arc<State>, caller: Caller, guard: SessionGuard) -> Self {
        Self {
            mux: Mux::new(&state.limits),
            assembly: Assembly::new(WEBSOCKET_MESSAGE_MAX),
            liveness: liveness(&state),
            opening: 0,
            state,
            caller,
            guard,
        }
    }

    fn outer(&mut self, raw: Bytes, ctx: &mut WebsocketContext<Self>) {
        match Outer::parse(raw) {
            Ok(Outer::Frame(frame)) => self.frame(frame, ctx),
            Ok(Outer::Control(body)) => self.control(body, ctx),
            Err(malformed) => {
                tracing::debug!(session = %self.guard.id, %malformed, "an undecodable message");
                self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx);
            }
        }
    }

    fn frame(&mut self, frame: Frame, ctx: &mut WebsocketContext<Self>) {
        let channel = frame.channel();
        match self.mux.route(&channel, clock::now()) {
            Route::To(route) => {
                if route.frames.offer(FromBrowser(frame)).is_err() {
                    tell_addr(&self.state.registry, ChannelOverrun { channel });
                }
            }
            Route::Late => {}
            Route::Foreign => tracing::debug!(session = %self.guard.id, "a foreign frame"),
            Route::Offender => self.leave(SessionEnd::Offender, CloseReason::ForeignChannel, ctx),
        }
    }

    fn control(&mut self, body: Body, ctx: &mut WebsocketContext<Self>) {
        match body {
            Body::Open(open) => self.open(open, ctx),
            Body::Renew(renew) => self.renew(&renew, ctx),
            Body::Close(close) => self.close(close, ctx),
            Body::Incoming(_)
            | Body::Opened(_)
            | Body::Refused(_)
            | Body::Renewed(_)
            | Body::AccessChanged(_)
            | Body::AccessAcknowledged(_)
            | Body::Goodbye(_) => {
                self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx);
            }
        }
    }

    fn open(&mut self, open: wire::Open, ctx: &mut WebsocketContext<Self>) {
        let Ok(channel) = ChannelId::try_from(&open.channel_id[..]) else {
            return self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx);
        };
        let Ok(worker) = WorkerId::parse(&open.worker_id) else {
            // Whatever is no id is no Worker either.
            return refuse(channel, RefusalReason::NotFound.into(), ctx);
        };
        if self.opening >= OPENING_MAX {
            let retry_after = Duration::from_secs(1);
            return refuse(
                channel,
                OpenRefusal {
                    reason: RefusalReason::Busy,
                    retry_after,
                },
                ctx,
            );
        }
        self.opening += 1;
        let (state, caller) = (Arc::clone(&self.state), self.caller.clone());
        let session = self.guard.id;
        let opened =
            async move { open_channel(&state, caller, session, channel, worker, open).await };
        ctx.spawn(opened.into_actor(self).map(move |opened, session, ctx| {
            session.opening -= 1;
            if let Err(refusal) = opened {
                refuse(channel, refusal, ctx);
            }
        }));
    }

    /// A renewal needs a path that this Hub does not keep: the client opens a channel anew.
    fn renew(&mut self, renew: &wire::Renew, ctx: &mut WebsocketContext<Self>) {
        match ChannelId::try_from(&renew.channel_id[..]) {
            Ok(channel) => {
                let stale = RefusalReason::Stale.into();
                say(refusal::refused_renewal(channel, stale, renew.serial), ctx);
            }
            Err(_) => self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx),
        }
    }

    fn close(&mut self, close: wire::Close, ctx: &mut WebsocketContext<Self>) {
        let Ok(channel) = ChannelId::try_from(&close.channel_id[..]) else {
            return self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx);
        };
        match self.mux.route(&channel, clock::now()) {
            Route::To(route) => tell(&route.control, ControlFromBrowser(Body::Close(close))),
            Route::Late | Route::Foreign => {}
            Route::Offender => self.leave(SessionEnd::Offender, CloseReason::ForeignChannel, ctx),
        }
    }

    /// Says why, and goes. Whoever is not polled any more is ended by the edge.
    fn leave(&mut self, end: SessionEnd, reason: CloseReason, ctx: &mut WebsocketContext<Self>) {
        self.depart(
            end,
            Depart {
                reason,
                reconnect_after: Duration::ZERO,
            },
            ctx,
        );
    }

    fn depart(&mut self, end: SessionEnd, depart: Depart, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = end;
        for (channel, _) in self.mux.drain() {
            say(close::close(channel, 0, of_channels(depart.reason)), ctx);
        }
        let goodbye = wire::Goodbye {
            reason: depart.reason.to_wire().into(),
            reconnect_after_ms: u32::try_from(depart.reconnect_after.as_millis())
                .unwrap_or(u32::MAX),
        };
        say(Body::Goodbye(goodbye), ctx);
        ctx.close(Some((code(depart.reason), depart.reason.label()).into()));
        ctx.stop();
    }
}

async fn open_channel(
    state: &State,
    caller: Caller,
    session: crate::messages::SessionId,
    channel: ChannelId,
    worker: WorkerId,
    open: wire::Open,
) -> Result<(), OpenRefusal> {
    let busy = |fault: Fault| {
        tracing::error!(error = &fault as &dyn std::error::Error, "an open failed");
        OpenRefusal {
            reason: RefusalReason::Busy,
            retry_after: Duration::from_secs(1),
        }
    };
    let grant = grant::authorise(&state.store, caller, worker, open.workspaces);
    let grant = grant.await.map_err(busy)??;
    let order = OpenChannel {
        grant,
        session,
        channel,
        noise: open.noise,
        max_message_bytes: open.max_message_bytes,
    };
    ask(&state.registry, order).await.map_err(busy)?
}

fn say<A>(body: Body, ctx: &mut WebsocketContext<A>)
where
    A: Actor<Context = WebsocketContext<A>>,
{
    ctx.binary(Outer::from(body).encode());
}

/// Before a channel has an actor, its refusal is counted here.
fn refuse(channel: ChannelId, refusal: OpenRefusal, ctx: &mut WebsocketContext<Session>) {
    telemetry::open_refused(refusal.reason);
    say(refusal::refused(channel, refusal), ctx);
}

/// The WebSocket close code that fits (RFC 6455, 7.4).
fn code(reason: CloseReason) -> CloseCode {
    match reason {
        CloseReason::Draining => CloseCode::Restart,
        CloseReason::Revoked | CloseReason::ForeignChannel => CloseCode::Policy,
        CloseReason::ProtocolError => CloseCode::Protocol,
        CloseReason::TooSlow => CloseCode::Again,
        _ => CloseCode::Normal,
    }
}

/// What a session's end, for this reason, is to each of its channels. Said here, since a
/// Channel's own word could come when the session has gone.
pub(crate) const fn of_channels(reason: CloseReason) -> CloseReason {
    match reason {
        CloseReason::Draining | CloseReason::Revoked => reason,
        _ => CloseReason::ConnectionLost,
    }
}

/// Which end of a session a departure is.
const fn end(reason: CloseReason) -> SessionEnd {
    match reason {
        CloseReason::Draining => SessionEnd::Draining,
        CloseReason::Revoked => SessionEnd::Revoked,
        CloseReason::TooSlow => SessionEnd::Slow,
        CloseReason::ProtocolError => SessionEnd::Offender,
        _ => SessionEnd::Error,
    }
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut WebsocketContext<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        tick(
            ctx,
            ms(self.state.config.timeouts.ping_after_ms),
            |session, ctx| match session.liveness.judge(clock::now()) {
                Silence::Fine => {}
                Silence::Ask => ctx.ping(b""),
                Silence::Dead => {
                    session.leave(SessionEnd::Silent, CloseReason::ConnectionLost, ctx);
                }
            },
        );
        let me = ctx.address();
        let ways = SessionWays::Relay {
            frames: me.clone().recipient(),
            control: me.clone().recipient(),
            meet: me.clone().recipient(),
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
            Ok(true) => {}
            Ok(false) => session.leave(SessionEnd::Revoked, CloseReason::Revoked, ctx),
            Err(_) => session.leave(SessionEnd::Error, CloseReason::Internal, ctx),
        }));
    }
}

/// Calls `look` four times in each `period`.
fn tick<A>(
    ctx: &mut WebsocketContext<A>,
    period: Duration,
    look: impl Fn(&mut A, &mut WebsocketContext<A>) + 'static,
) where
    A: Actor<Context = WebsocketContext<A>>,
{
    ctx.run_interval((period / 4).max(Duration::from_millis(5)), look);
}

impl Handler<MeetBrowser> for Session {
    type Result = ();

    fn handle(&mut self, meet: MeetBrowser, _: &mut WebsocketContext<Self>) {
        let MeetBrowser {
            channel,
            frames,
            control,
        } = meet;
        if self
            .mux
            .insert(channel, BrowserRoute { frames, control })
            .is_err()
        {
            // The directory gives an id out once.
            tracing::error!(%channel, "a channel was introduced twice");
        }
    }
}

impl Handler<ToBrowser> for Session {
    type Result = ();

    fn handle(&mut self, ToBrowser(passing): ToBrowser, ctx: &mut WebsocketContext<Self>) {
        if let Some((frame, _passage)) = passing.pass() {
            ctx.binary(frame.into_bytes());
        }
    }
}

impl Handler<ControlToBrowser> for Session {
    type Result = ();

    fn handle(
        &mut self,
        ControlToBrowser(body): ControlToBrowser,
        ctx: &mut WebsocketContext<Self>,
    ) {
        if let Some(channel) = ended(&body) {
            self.mux.remove(&channel, clock::now());
        }
        say(body, ctx);
    }
}

/// The channel that is no more after this message.
pub(crate) fn ended(body: &Body) -> Option<ChannelId> {
    let id = match body {
        Body::Close(close) => &close.channel_id,
        // A refused renewal changes nothing.
        Body::Refused(refused) if refused.serial == 0 => &refused.channel_id,
        _ => return None,
    };
    ChannelId::try_from(&id[..]).ok()
}

impl Handler<Depart> for Session {
    type Result = ();

    fn handle(&mut self, depart: Depart, ctx: &mut WebsocketContext<Self>) {
        self.depart(end(depart.reason), depart, ctx);
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
            Ok(Message::Ping(bytes)) => return ctx.pong(&bytes),
            Ok(Message::Pong(_) | Message::Nop) => return,
            Ok(Message::Close(_)) => {
                self.guard.reason = SessionEnd::Client;
                ctx.close(None);
                return ctx.stop();
            }
            Ok(Message::Text(_) | Message::Continuation(Item::FirstText(_))) | Err(_) => {
                return self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx);
            }
        };
        match self.assembly.add(fragment) {
            Ok(None) => {}
            Ok(Some(whole)) => self.outer(whole, ctx),
            Err(_) => self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx),
        }
    }

    fn finished(&mut self, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = SessionEnd::Client;
        ctx.stop();
    }
}

/// Somebody who wants to know what changes.
pub(crate) struct Watcher {
    state: Arc<State>,
    caller: Caller,
    guard: SessionGuard,
    liveness: Liveness,
    cursor: Option<u64>,
}

impl Watcher {
    fn leave(&mut self, end: SessionEnd, reason: CloseReason, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = end;
        ctx.close(Some((code(reason), reason.label()).into()));
        ctx.stop();
    }
}

impl Actor for Watcher {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut WebsocketContext<Self>) {
        ctx.set_mailbox_capacity(NOTICES);
        tick(
            ctx,
            ms(self.state.config.timeouts.ping_after_ms),
            |watcher, ctx| match watcher.liveness.judge(clock::now()) {
                Silence::Fine => {}
                Silence::Ask => ctx.ping(b""),
                Silence::Dead => {
                    watcher.leave(SessionEnd::Silent, CloseReason::ConnectionLost, ctx);
                }
            },
        );
        let me = ctx.address();
        let notices = Kept::new(me.clone().recipient());
        let ways = SessionWays::Events {
            notices,
            cursor: self.cursor,
        };
        let meet = MeetSession {
            id: self.guard.id,
            ways,
            depart: me.recipient(),
        };
        let state = Arc::clone(&self.state);
        let met = async move { ask(&state.registry, meet).await };
        ctx.wait(met.into_actor(self).map(|met, watcher, ctx| match met {
            Ok(true) => {}
            Ok(false) => watcher.leave(SessionEnd::Revoked, CloseReason::Revoked, ctx),
            Err(_) => watcher.leave(SessionEnd::Error, CloseReason::Internal, ctx),
        }));
    }
}

impl Handler<Notice> for Watcher {
    type Result = ();

    fn handle(&mut self, notice: Notice, ctx: &mut WebsocketContext<Self>) {
        let Notice { cursor, about } = notice;
        let worker = match about {
            About::Worker(worker) => worker,
            About::Everything => {
                let body = Some(hub_event::Body::Resync(wire::Resync {}));
                return show(&wire::HubEvent { cursor, body }, ctx);
            }
        };
        let (state, owner) = (Arc::clone(&self.state), self.caller.user.clone());
        let found = async move {
            let found = state
                .store
                .run(move |conn| worker_rows::find(conn, &worker))
                .await?;
            let own = found.filter(|worker| worker.owner == owner);
            Ok::<_, Fault>(own.map(|worker| workers::describe(&state, &worker)))
        };
        // Waiting keeps the events in order.
        ctx.wait(
            found
                .into_actor(self)
                .map(move |found, watcher, ctx| match found {
                    Ok(None) => {}
                    Ok(worker) => {
                        let body = Some(hub_event::Body::WorkerChanged(wire::WorkerChanged {
                            worker,
                        }));
                        show(&wire::HubEvent { cursor, body }, ctx);
                    }
                    Err(fault) => {
                        tracing::error!(
                            error = &fault as &dyn std::error::Error,
                            "an event was lost"
                        );
                        watcher.leave(SessionEnd::Error, CloseReason::Internal, ctx);
                    }
                }),
        );
    }
}

fn show(event: &wire::HubEvent, ctx: &mut WebsocketContext<Watcher>) {
    match serde_json::to_string(event) {
        Ok(text) => ctx.text(text),
        Err(_) => ctx.stop(),
    }
}

impl Handler<Depart> for Watcher {
    type Result = ();

    fn handle(&mut self, depart: Depart, ctx: &mut WebsocketContext<Self>) {
        self.leave(end(depart.reason), depart.reason, ctx);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Watcher {
    fn handle(
        &mut self,
        message: Result<Message, ProtocolError>,
        ctx: &mut WebsocketContext<Self>,
    ) {
        self.liveness.heard(clock::now());
        match message {
            Ok(Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Close(_)) => {
                self.guard.reason = SessionEnd::Client;
                ctx.close(None);
                ctx.stop();
            }
            Ok(Message::Text(_) | Message::Binary(_) | Message::Continuation(_)) | Err(_) => {
                self.leave(SessionEnd::Protocol, CloseReason::ProtocolError, ctx);
            }
        }
    }

    fn finished(&mut self, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = SessionEnd::Client;
        ctx.stop();
    }
}
