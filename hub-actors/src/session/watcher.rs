//! ACTOR Watcher: tells a browser what changed, one JSON event a message.

use std::sync::Arc;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Handler, StreamHandler,
    WrapFuture as _,
};
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};
use channel_actors::post::Kept;
use schema::wire::{self, hub_event};

use super::{code, news, not_met, tick};
use crate::{
    caller::Caller,
    clock,
    config::ms,
    departure,
    liveness::{Liveness, Silence},
    messages::{Depart, MeetSession, Notice, SessionGuard, SessionWays},
    state::{State, ask},
    store::standing,
    telemetry::SessionEnd,
};

/// Notices that may wait for a watcher that does not read: all that are remembered, everybody's
/// pages, and some.
const NOTICES: usize = 1_024 + 256 + 64;

/// Somebody who wants to know what changes.
pub(crate) struct Watcher {
    state: Arc<State>,
    caller: Caller,
    guard: SessionGuard,
    liveness: Liveness,
    cursor: Option<u64>,
}

impl Watcher {
    pub(super) fn new(
        state: Arc<State>,
        caller: Caller,
        guard: SessionGuard,
        cursor: Option<u64>,
    ) -> Self {
        Self {
            liveness: super::liveness(&state),
            state,
            caller,
            guard,
            cursor,
        }
    }

    fn leave(&mut self, end: SessionEnd, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = end;
        ctx.close(Some(
            (code(end), departure::of_a_session(end).label()).into(),
        ));
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
                    watcher.leave(SessionEnd::Silent, ctx);
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
            Ok(Ok(())) => {}
            Ok(Err(why)) => watcher.leave(not_met(why), ctx),
            Err(_) => watcher.leave(SessionEnd::Error, ctx),
        }));
    }
}

/// What becomes of a notice.
enum Told {
    /// Nothing is said where it is none of the watcher's.
    Body(Option<hub_event::Body>),
    /// Whoever watches may not any more.
    Revoked,
}

impl Handler<Notice> for Watcher {
    type Result = ();

    fn handle(&mut self, notice: Notice, ctx: &mut WebsocketContext<Self>) {
        let Notice { cursor, about } = notice;
        let (state, caller) = (Arc::clone(&self.state), self.caller.clone());
        let found = async move {
            let store = state.store.clone();
            let told = store.run(move |conn| {
                // A revocation may be on its way here, behind this notice.
                if !standing::is_live(conn, &caller.credential, clock::unix_ms())? {
                    return Ok(Told::Revoked);
                }
                news::body(conn, &state, &caller, about).map(Told::Body)
            });
            told.await
        };
        // Waiting keeps the events in order.
        ctx.wait(
            found
                .into_actor(self)
                .map(move |found, watcher, ctx| match found {
                    Ok(Told::Revoked) => watcher.leave(SessionEnd::Revoked, ctx),
                    Ok(Told::Body(None)) => {}
                    Ok(Told::Body(body)) => show(&wire::HubEvent { cursor, body }, ctx),
                    Err(fault) => {
                        tracing::error!(
                            error = &fault as &dyn std::error::Error,
                            "an event was lost"
                        );
                        watcher.leave(SessionEnd::Error, ctx);
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
        self.leave(depart.end, ctx);
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
                self.leave(SessionEnd::Protocol, ctx);
            }
        }
    }

    fn finished(&mut self, ctx: &mut WebsocketContext<Self>) {
        self.guard.reason = SessionEnd::Client;
        ctx.stop();
    }
}
