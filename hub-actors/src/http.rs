//! The doors of HTTP/1.1, on one screen: RPC, the two sockets, the page.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    cookie::{Cookie as HttpCookie, SameSite},
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{
        Method as HttpMethod,
        header::{self, HeaderMap},
    },
    middleware::{self, Next},
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tonic::Code;

use crate::{
    asked::{self, Asked, Cookie, USER_AGENT_MAX},
    caller::Presented,
    clock,
    config::ms,
    error::{Fault, Field, Refusal},
    oauth,
    origin::{Access, Provenance, Stranger},
    page,
    rpc::{self, BODY_MAX, Call, Codec, Method},
    session,
    state::State,
    telemetry::{self, Protocol, Route, Strange},
    token::SecretText,
};

/// Where providers of sign-in send browsers back to.
const RETURN: &str = "/oauth/callback";

/// The application that each of the server's threads runs.
pub(crate) fn app(
    state: Arc<State>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(web::Data::from(state))
        .route("/ws/relay", web::get().to(session::open_relay))
        .route("/ws/events", web::get().to(session::open_events))
        .route(
            "/{service:leapmux\\.v1\\.[A-Za-z]+}/{method}",
            web::to(call),
        )
        .route("/oauth/start/{provider}", web::get().to(oauth::start))
        .route(RETURN, web::get().to(oauth::callback))
        .route(RETURN, web::post().to(oauth::form))
        .default_service(web::to(serve_page))
        .wrap(middleware::from_fn(guard))
}

async fn serve_page(request: HttpRequest) -> HttpResponse {
    page::answer(&request)
}

/// Judges where a request comes from before anything else looks at it, and sees to it that every
/// answer, also an error, carries the security headers.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError()));
    };
    let route = door(request.match_info().as_str());
    let access = access(&request, route);
    let is_https = is_https(&state, request.peer_addr(), request.headers());
    let mut answer = match state.names.judge(provenance(request.headers()), access) {
        Err(stranger) => request.into_response(refuse_stranger(stranger)),
        // Handlers answer with responses, never with errors.
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
    };
    telemetry::http_request(route, answer.status().as_u16());
    harden(answer.headers_mut(), is_https);
    if route == Route::Rpc {
        // What is said to one caller is kept nowhere, a refusal neither.
        let no_store = header::HeaderValue::from_static("no-store");
        answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    }
    Ok(answer)
}

/// The door behind a path, which is the one that the router matches: percent-decoded.
fn door(path: &str) -> Route {
    match path {
        "/ws/relay" => Route::Relay,
        "/ws/events" => Route::Events,
        _ if path.starts_with("/leapmux.v1.") => Route::Rpc,
        _ if path.starts_with("/oauth/") => Route::Oauth,
        _ => Route::Page,
    }
}

/// Only reading the page is harmless; whatever upgrades or writes is judged as an action, also
/// behind a door that would refuse it anyway.
fn access(request: &ServiceRequest, route: Route) -> Access {
    let reads = matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD);
    let upgrades = request.headers().contains_key(header::UPGRADE);
    let returns = request.match_info().as_str() == RETURN;
    if route == Route::Page && reads && !upgrades {
        Access::Page
    } else if returns && (reads || *request.method() == HttpMethod::POST) && !upgrades {
        Access::Return
    } else {
        Access::Action
    }
}

fn provenance(headers: &HeaderMap) -> Provenance<'_> {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    Provenance {
        host: text("host"),
        origin: text("origin"),
        fetch_site: text("sec-fetch-site"),
        fetch_mode: text("sec-fetch-mode"),
    }
}

fn refuse_stranger(stranger: Stranger) -> HttpResponse {
    let (reason, mut answer) = match stranger {
        Stranger::Host => (Strange::Host, HttpResponse::MisdirectedRequest()),
        Stranger::Origin => (Strange::Origin, HttpResponse::Forbidden()),
        Stranger::CrossSite => (Strange::CrossSite, HttpResponse::Forbidden()),
    };
    telemetry::stranger(reason);
    answer
        .content_type("text/plain; charset=utf-8")
        .body(format!("{stranger}\n"))
}

fn harden(headers: &mut HeaderMap, is_https: bool) {
    let strict = is_https.then_some(page::STRICT_TRANSPORT);
    for (name, value) in page::SECURITY_HEADERS.into_iter().chain(strict) {
        headers.insert(
            header::HeaderName::from_static(name),
            header::HeaderValue::from_static(value),
        );
    }
}

/// One unary call.
async fn call(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let began = clock::now();
    if request.method() != HttpMethod::POST {
        return HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, "POST"))
            .finish();
    }
    let Some(codec) = codec(&request) else {
        return HttpResponse::UnsupportedMediaType()
            .insert_header(("accept-post", "application/json, application/proto"))
            .finish();
    };
    let (service, method) = path.into_inner();
    let Some(method) = Method::find(&service, &method) else {
        return refusal(Refusal::NoSuchMethod);
    };
    let state = state.into_inner();
    let answered = answer(&request, payload, &state, method, codec).await;
    let code = answered
        .as_ref()
        .map_or_else(|refused| refused.code(), |_| Code::Ok);
    let protocol = match codec {
        Codec::Json => Protocol::ConnectJson,
        Codec::Proto => Protocol::ConnectProto,
    };
    telemetry::rpc(
        method,
        protocol,
        code,
        clock::now().saturating_duration_since(began),
    );
    match answered {
        Ok(reply) => succeed(&request, &state, codec, reply),
        Err(Unanswered::Refused(refused)) => refusal(refused),
        Err(Unanswered::TooLarge) => {
            failure(Code::ResourceExhausted, "the body is too large", None)
        }
        Err(Unanswered::TooSlow) => failure(
            Code::DeadlineExceeded,
            "the body did not come in time",
            None,
        ),
        Err(Unanswered::Encoded) => failure(
            Code::Unimplemented,
            "Content-Encoding must be identity",
            None,
        ),
        Err(Unanswered::Version) => failure(
            Code::InvalidArgument,
            "Connect-Protocol-Version must be 1",
            None,
        ),
        Err(Unanswered::Deadline) => failure(
            Code::DeadlineExceeded,
            "not done within Connect-Timeout-Ms",
            None,
        ),
    }
}

/// Why there is no reply.
enum Unanswered {
    Refused(Refusal),
    TooLarge,
    TooSlow,
    Encoded,
    Version,
    Deadline,
}

impl Unanswered {
    const fn code(&self) -> Code {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::TooLarge => Code::ResourceExhausted,
            Self::TooSlow | Self::Deadline => Code::DeadlineExceeded,
            Self::Encoded => Code::Unimplemented,
            Self::Version => Code::InvalidArgument,
        }
    }
}

impl From<Refusal> for Unanswered {
    fn from(refused: Refusal) -> Self {
        Self::Refused(refused)
    }
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    state: &Arc<State>,
    method: Method,
    codec: Codec,
) -> Result<rpc::Reply, Unanswered> {
    let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
    if header("connect-protocol-version").is_some_and(|version| version != b"1") {
        return Err(Unanswered::Version);
    }
    if header("content-encoding").is_some_and(|encoding| encoding != b"identity") {
        return Err(Unanswered::Encoded);
    }
    let longest = ms(state.config.timeouts.call_ms);
    let deadline = deadline(header("connect-timeout-ms"), longest)?;
    let body_time = ms(state.config.timeouts.request_body_ms);
    let max = room(request, state, method).await?;
    let body = tokio::time::timeout(body_time, read(payload, max)).await;
    let body = body.map_err(|_| Unanswered::TooSlow)??;
    let asked = asked(request, state, method).await?;
    let answered = rpc::answer(Call {
        method,
        codec,
        asked,
        body,
    });
    let answered = tokio::time::timeout(deadline, answered).await;
    Ok(answered.map_err(|_| Unanswered::Deadline)??)
}

/// How long a body may be: as long as all, unless it says that it is longer and from whom.
async fn room(request: &HttpRequest, state: &Arc<State>, method: Method) -> Result<usize, Refusal> {
    let said = request.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|said| said.to_str().ok()?.parse().ok());
    let is_large = said.is_some_and(|length: usize| length > BODY_MAX);
    if !is_large || method.body_max() <= BODY_MAX {
        return Ok(BODY_MAX);
    }
    asked(request, state, method).await?;
    Ok(method.body_max())
}

/// Whoever asks.
async fn asked(
    request: &HttpRequest,
    state: &Arc<State>,
    method: Method,
) -> Result<Asked, Refusal> {
    let presented = presented(request, state);
    let cookie = match &presented {
        Presented::Cookie(secret) => Some(SecretText::from(secret.clone())),
        Presented::Nothing | Presented::Bearer(_) => None,
    };
    let from = from(request, state);
    let identified = asked::identify(state, method.need(), presented, &from);
    let (caller, bearer) = identified.await?;
    let is_longer = caller.as_ref().is_some_and(|caller| caller.slid);
    let asked = Asked::new(Arc::clone(state), caller, from, bearer);
    if let Some(cookie) = cookie.filter(|_| is_longer) {
        asked.set_cookie(cookie);
    }
    Ok(asked)
}

/// Where a request came from; proxies are believed that the operator named.
pub(crate) fn from(request: &HttpRequest, state: &State) -> asked::From {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let lines: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    asked::From {
        address: state.proxies.client(peer, lines.into_iter()),
        user_agent: user_agent(request.headers()),
    }
}

/// The `Host` by which somebody came; it was judged.
pub(crate) fn host(request: &HttpRequest) -> String {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    host.to_ascii_lowercase()
}

/// A body that is small and comes soon.
pub(crate) async fn small_body(payload: web::Payload) -> Option<Bytes> {
    const WITHIN: Duration = Duration::from_secs(5);
    let body = tokio::time::timeout(WITHIN, read(payload, BODY_MAX))
        .await
        .ok()?
        .ok()?;
    (body.len() <= 16 * 1024).then_some(body)
}

/// Whether the browser speaks TLS, to a proxy that stands before us.
fn is_https(state: &State, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let said = headers.get_all("x-forwarded-proto").last();
    let said = said.and_then(|said| said.to_str().ok());
    state.names.is_https() || state.proxies.is_https(peer.map(|peer| peer.ip()), said)
}

fn user_agent(headers: &HeaderMap) -> String {
    let said = headers.get(header::USER_AGENT);
    let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
    said.chars().take(USER_AGENT_MAX).collect()
}

/// At most ten digits, as the protocol has it.
fn deadline(header: Option<&[u8]>, longest: Duration) -> Result<Duration, Refusal> {
    let Some(text) = header else {
        return Ok(longest);
    };
    let malformed = Refusal::Malformed(Field::Message);
    let digits = std::str::from_utf8(text)
        .ok()
        .filter(|text| (1..=10).contains(&text.len()));
    let asked = digits.and_then(|text| text.parse().ok()).ok_or(malformed)?;
    Ok(ms(asked).min(longest))
}

async fn read(mut payload: web::Payload, max: usize) -> Result<Bytes, Unanswered> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::Malformed(Field::Message))?;
        if body.len() + chunk.len() > max {
            return Err(Unanswered::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn codec(request: &HttpRequest) -> Option<Codec> {
    Codec::of(request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?)
}

/// The secret that came with a request; a bearer token goes before a cookie.
pub(crate) fn presented(request: &HttpRequest, state: &State) -> Presented {
    let authorization = request.headers().get(header::AUTHORIZATION);
    match authorization.and_then(|value| value.to_str().ok()) {
        Some(text) => Presented::bearer(text),
        None => request
            .cookie(cookie_name(is_https(
                state,
                request.peer_addr(),
                request.headers(),
            )))
            .map_or(Presented::Nothing, |cookie| {
                Presented::Cookie(cookie.value().to_owned())
            }),
    }
}

/// `__Host-` makes a browser insist on https, on this very host, and on the whole of it.
fn cookie_name(is_https: bool) -> &'static str {
    if is_https {
        "__Host-leapmux"
    } else {
        "leapmux"
    }
}

fn succeed(request: &HttpRequest, state: &State, codec: Codec, reply: rpc::Reply) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(codec.content_type())
        .insert_header((header::CACHE_CONTROL, "no-store"));
    match reply.cookie {
        Cookie::Kept => {}
        Cookie::Set(secret) => {
            answer.cookie(login_cookie(request, state, secret.expose().to_owned()));
        }
        Cookie::Cleared => {
            let is_https = is_https(state, request.peer_addr(), request.headers());
            answer.cookie(cookie(is_https, String::new(), 0));
        }
    }
    answer.body(reply.body)
}

/// The cookie of a login.
pub(crate) fn login_cookie(
    request: &HttpRequest,
    state: &State,
    secret: String,
) -> HttpCookie<'static> {
    let is_https = is_https(state, request.peer_addr(), request.headers());
    let lifetime = i64::try_from(state.config.timeouts.login_ms / 1_000).unwrap_or(i64::MAX);
    cookie(is_https, secret, lifetime)
}

fn cookie(is_https: bool, value: String, seconds: i64) -> HttpCookie<'static> {
    HttpCookie::build(cookie_name(is_https), value)
        .path("/")
        .http_only(true)
        .secure(is_https)
        .same_site(SameSite::Strict)
        .max_age(actix_web::cookie::time::Duration::seconds(seconds))
        .finish()
}

/// A refusal in Connect's form.
pub(crate) fn refusal(refused: Refusal) -> HttpResponse {
    failure(refused.code(), &refused.to_string(), refused.retry_after())
}

/// A fault is logged and answered as internal.
pub(crate) fn fault(fault: Fault) -> HttpResponse {
    refusal(Refusal::from(fault))
}

fn failure(code: Code, message: &str, retry_after: Option<Duration>) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(rpc::http_status(code));
    let mut answer = HttpResponse::build(status.unwrap_or_default());
    if let Some(after) = retry_after {
        // The header counts whole seconds; less than one is still one.
        answer.insert_header((
            header::RETRY_AFTER,
            after.as_millis().div_ceil(1_000).max(1).to_string(),
        ));
    }
    answer
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(serde_json::json!({ "code": rpc::code_name(code), "message": message }))
}
