//! ACTORS Session and Watcher: a browser's two WebSockets. Only this folder knows
//! actix-web-actors.
//!
//! A WebSocket actor is not polled while its browser does not read. So nothing that must happen
//! is decided here: limits, expiry and revocation live in the Channel, and the edge ends sockets
//! that stall.
//!
//! | file | holds |
//! |---|---|
//! | this one | the two upgrades, and who is let in |
//! | [`relay`] | Session: a mux and a parser |
//! | [`opening`] | opens that are under way |
//! | [`renewing`] | renewals that are under way |
//! | [`reading`] | what the socket sent |
//! | [`gauge`] | how long a frame says that it is |
//! | [`outgoing`] | what waits for the socket, up to its fence |
//! | [`watcher`] | Watcher: what changed, in JSON |

use std::{future::ready, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext as _};
use actix_web::{HttpRequest, HttpResponse, error::PayloadError, http::header, web};
use actix_web_actors::ws::{
    CloseCode, WebsocketContext, WsResponseBuilder, handshake_with_protocols,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use self::{gauge::Gauge, relay::Session, watcher::Watcher};
use crate::{
    abuse::Network,
    caller::Caller,
    clock,
    config::ms,
    directory::NoSession,
    edge::Stall,
    error::{Fault, Quota, Refusal},
    http,
    liveness::Liveness,
    messages::{AdmitSession, SessionGuard},
    scope::Scope,
    state::{State, ask},
    store::standing,
    takeover::Offer,
    telemetry::{self, SessionConnect, SessionEnd, SessionKind},
};

mod gauge;
mod news;
mod opening;
mod outgoing;
mod reading;
mod relay;
mod renewing;
mod watcher;

/// What a client of the relay has to speak; the version of the outer message.
const SUBPROTOCOL: &str = "leapmux.relay.v1";
/// A watcher has nothing to say; its own pings and closes are small.
const WATCHER_MESSAGE_MAX: usize = 4 * 1024;

/// `GET /ws/relay`
pub(crate) async fn open_relay(
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
    let Some(offer) = request.conn_data::<Offer>() else {
        // Every connection that the edge lets in has one.
        return HttpResponse::InternalServerError().finish();
    };
    let answer = handshake_with_protocols(&request, &[SUBPROTOCOL]);
    upgraded(
        answer
            .map(|mut answer| {
                let session = Session::new(state, caller, guard, offer.take());
                answer.streaming(session.run(payload))
            })
            .map_err(actix_web::Error::from),
    )
}

/// `GET /ws/events?cursor=N`
pub(crate) async fn open_events(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let state = state.into_inner();
    let (caller, guard) = match admit(&request, &state, SessionKind::Events).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let cursor = cursor(request.query_string());
    let actor = Watcher::new(state, caller, guard, cursor);
    let incoming = incoming(payload, WATCHER_MESSAGE_MAX);
    let answer = WsResponseBuilder::new(actor, &request, incoming)
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
    let failed = |fault: Fault| {
        telemetry::session_connect(SessionConnect::Error);
        http::fault(fault)
    };
    // Whatever is read from here on knows of every revocation up to this one.
    let as_of = state.tail.reached();
    let network = Network::from(http::from(request, state).address);
    let is_limited = |refused| self::refused(SessionConnect::Quota, refused);
    state.abuse.request(network).map_err(is_limited)?;
    let caller = state
        .caller(http::presented(request, state))
        .await
        .map_err(failed)?;
    let Some(caller) = caller else {
        return Err(refused(SessionConnect::Credential, Refusal::NotSignedIn));
    };
    state
        .abuse
        .known(network, &caller.user)
        .map_err(is_limited)?;
    let needed = match kind {
        SessionKind::Relay => Scope::Channels,
        SessionKind::Events => Scope::Read,
    };
    if !caller.scopes.has(needed) {
        return Err(refused(SessionConnect::Credential, Refusal::OutOfScope));
    }
    let order = AdmitSession {
        user: caller.user.clone(),
        credential: caller.credential.clone(),
        as_of,
        ends_in: caller.expires_ms.map(|at| left(at, clock::unix_ms())),
        kind,
    };
    let guard = match ask(&state.registry, order).await.map_err(failed)? {
        Ok(guard) => guard,
        Err(NoSession::Revoked) => {
            return Err(refused(SessionConnect::Credential, Refusal::NotSignedIn));
        }
        Err(NoSession::Quota) => {
            telemetry::quota_refusal(Quota::Sessions);
            let quota = Refusal::Quota(Quota::Sessions, Duration::from_secs(5));
            return Err(refused(SessionConnect::Quota, quota));
        }
        Err(NoSession::Draining) => {
            let draining = Refusal::Draining(Duration::from_secs(1));
            return Err(refused(SessionConnect::Draining, draining));
        }
    };
    let mut guard = guard;
    if let Some(stall) = request.conn_data::<Stall>() {
        guard.stall = stall.clone();
    }
    let credential = caller.credential.clone();
    let live = state
        .store
        .run(move |conn| standing::is_live(conn, &credential, clock::unix_ms()));
    if live.await.map_err(failed)? {
        Ok((caller, guard))
    } else {
        Err(refused(SessionConnect::Credential, Refusal::NotSignedIn))
    }
}

fn left(until_ms: i64, now_ms: i64) -> Duration {
    ms(u64::try_from(until_ms.saturating_sub(now_ms)).unwrap_or_default())
}

fn refused(result: SessionConnect, refusal: Refusal) -> HttpResponse {
    telemetry::session_connect(result);
    http::refusal(refusal)
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

/// What a socket sent, up to its end, however it ended: actix-web-actors would throw away what came
/// just before a connection broke, a Close among it. It is an error that a frame is longer than
/// `max`, and known before the frame is here.
fn incoming(payload: web::Payload, max: usize) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let mut gauge = Gauge::new(max);
    let chunks = payload.take_while(|chunk| ready(chunk.is_ok()));
    chunks.map(move |chunk| {
        let chunk = chunk?;
        let judged = gauge.look(&chunk);
        judged.map_or(Err(PayloadError::Overflow), |()| Ok(chunk))
    })
}

/// Why a session that was admitted may not begin.
const fn not_met(why: NoSession) -> SessionEnd {
    match why {
        NoSession::Revoked => SessionEnd::Revoked,
        NoSession::Quota => SessionEnd::Error,
        NoSession::Draining => SessionEnd::Draining,
    }
}

/// The WebSocket close code that fits (RFC 6455, 7.4).
const fn code(end: SessionEnd) -> CloseCode {
    match end {
        SessionEnd::Client | SessionEnd::Silent => CloseCode::Normal,
        SessionEnd::Protocol | SessionEnd::Offender => CloseCode::Protocol,
        SessionEnd::Foreign | SessionEnd::Revoked => CloseCode::Policy,
        SessionEnd::Draining => CloseCode::Restart,
        SessionEnd::Slow | SessionEnd::Lapsed => CloseCode::Again,
        SessionEnd::Error => CloseCode::Error,
    }
}
