//! The doors of gRPC: the Worker's link, and the same unary calls as over Connect.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_rt::Arbiter;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request as HttpRequest, Response as HttpResponse, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use schema::wire::worker_link_server;
use tonic::{Code, Status, body::Body, metadata::MetadataMap, server::NamedService};
use tower::{Layer, Service};

use crate::{
    abuse::Network,
    asked::{self, Asked, USER_AGENT_MAX},
    caller::Presented,
    clock,
    config::{Mode, ms},
    error::{Fault, Field, Refusal},
    link,
    link_stream::{Arrivals, Departures},
    origin::{Access, Provenance},
    rpc::{self, BODY_MAX, Call, Codec, Method},
    state::State,
    stay::Uses,
    store::workers::{self as rows, Worker},
    telemetry::{self, LinkConnect, Protocol, Strange},
    token::Purpose,
};

/// All services of one Hub.
#[derive(Clone)]
pub(crate) struct Services(pub(crate) Arc<State>);

impl From<Refusal> for Status {
    fn from(refused: Refusal) -> Self {
        let mut status = Self::new(refused.code(), refused.to_string());
        if let Some(after) = refused.retry_after() {
            let seconds = after.as_millis().div_ceil(1_000).max(1).to_string();
            if let Ok(value) = seconds.parse() {
                status.metadata_mut().insert("retry-after", value);
            }
        }
        status
    }
}

impl Services {
    async fn counted<T>(
        &self,
        method: Method,
        call: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Status> {
        let began = clock::now();
        let answer = call.await;
        let code = answer
            .as_ref()
            .map_or_else(|refused| refused.code(), |_| Code::Ok);
        let took = clock::now().saturating_duration_since(began);
        telemetry::rpc(method, Protocol::Grpc, code, took);
        Ok(answer?)
    }

    async fn worker(&self, metadata: &MetadataMap) -> Result<Option<Worker>, Fault> {
        let text = metadata
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let Some(Presented::Bearer(secret)) = text.map(Presented::bearer) else {
            return Ok(None);
        };
        let token = self.0.pepper.hash(Purpose::WorkerToken, &secret);
        self.0
            .store
            .run_for_presenter(move |conn| rows::find_by_token(conn, token))
            .await
    }
}

/// The door of links: what a generated one would be, with a stream of our own behind it.
#[derive(Clone)]
pub(crate) struct LinkDoor(pub(crate) Services);

impl LinkDoor {
    async fn connect(self, request: HttpRequest<Body>) -> Result<HttpResponse<Body>, Status> {
        if request.uri().path() != "/leapmux.v1.WorkerLink/Connect" {
            return Err(Status::unimplemented("there is no such method"));
        }
        let (head, body) = request.into_parts();
        let Services(state) = &self.0;
        let network = Network::from(from(state, &head).address);
        state.abuse.request(network).inspect_err(|_| {
            telemetry::link_connect(LinkConnect::Quota);
        })?;
        let metadata = MetadataMap::from_headers(head.headers);
        // Whatever is read from here on knows of every revocation up to this one.
        let as_of = state.tail.reached();
        let worker = self.0.worker(&metadata).await.map_err(|fault| {
            telemetry::link_connect(LinkConnect::Error);
            Refusal::from(fault)
        })?;
        let Some(worker) = worker else {
            telemetry::link_connect(LinkConnect::Credential);
            return Err(Status::unauthenticated(schema::wire::UNKNOWN_WORKER_TOKEN));
        };
        state.abuse.known_worker(network);
        if worker.deregistering {
            telemetry::link_connect(LinkConnect::Credential);
            return Err(Status::unauthenticated(schema::wire::DEREGISTERED_WORKER));
        }
        let uses = head.extensions.get::<Uses>().cloned();
        // On the thread of its connection, which serves as an arbiter too.
        let arbiter = Arbiter::try_current().ok_or_else(|| Status::unavailable("stopping"))?;
        let outgoing = link::start(
            &arbiter,
            Arc::clone(state),
            worker,
            as_of,
            Arrivals::new(body),
            uses.unwrap_or_default().link(),
        );
        let mut answer = HttpResponse::new(Body::new(Departures::new(outgoing)));
        let grpc = HeaderValue::from_static("application/grpc");
        answer.headers_mut().insert(header::CONTENT_TYPE, grpc);
        Ok(answer)
    }
}

impl NamedService for LinkDoor {
    const NAME: &'static str = worker_link_server::SERVICE_NAME;
}

impl Service<HttpRequest<Body>> for LinkDoor {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let connected = self.clone().connect(request);
        Box::pin(async move { Ok(connected.await.unwrap_or_else(Status::into_http)) })
    }
}

/// The doors of unary calls: the same table as over Connect, with gRPC's framing and trailers.
#[derive(Clone)]
pub(crate) struct CallDoor(pub(crate) Services);

impl CallDoor {
    async fn call(self, request: HttpRequest<Body>) -> HttpResponse<Body> {
        let method = request
            .uri()
            .path()
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'))
            .and_then(|(service, method)| Method::find(service, method));
        let Some(method) = method else {
            return Status::unimplemented("there is no such method").into_http();
        };
        let answer = self.0.counted(method, self.0.answer(method, request)).await;
        match answer {
            Ok(body) => unary(&body),
            Err(status) => status.into_http(),
        }
    }
}

impl Services {
    async fn answer(&self, method: Method, request: HttpRequest<Body>) -> Result<Bytes, Refusal> {
        // A cookie is of no use to a gRPC client.
        let gives_cookie = matches!(method, Method::SetUp | Method::SignUp | Method::SignIn);
        if gives_cookie && self.0.config.mode == Mode::Hub {
            return Err(Refusal::CookieOnly);
        }
        let (head, body) = request.into_parts();
        let from = from(&self.0, &head);
        let presented = || {
            let authorization = head.headers.get(header::AUTHORIZATION);
            let text = authorization.and_then(|value| value.to_str().ok());
            text.map_or(Presented::Nothing, Presented::bearer)
        };
        if method.body_max() > BODY_MAX {
            // Nobody in particular gets no room for it.
            asked::identify(&self.0, method.need(), presented(), &from).await?;
        }
        let body = Limited::new(body, method.body_max() + FRAMING);
        let body = body.collect().await;
        let body = body.map_err(|_| Refusal::Malformed(Field::Message))?;
        let body = unframed(body.to_bytes())?;
        let identified = asked::identify(&self.0, method.need(), presented(), &from);
        let (caller, bearer) = identified.await?;
        let asked = Asked::new(Arc::clone(&self.0), caller, from, bearer);
        let codec = Codec::Proto;
        let reply = rpc::answer(Call {
            method,
            codec,
            asked,
            body,
        });
        Ok(reply.await?.body)
    }
}

/// Where a call came from; proxies are believed that the operator named.
fn from(state: &State, head: &http::request::Parts) -> asked::From {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let lines = head.headers.get_all("x-forwarded-for").iter();
    let lines: Vec<String> = lines.map(text).collect();
    let peer = head.extensions.get::<Uses>().and_then(Uses::peer);
    let user_agent = head.headers.get(header::USER_AGENT).map(text);
    let user_agent = user_agent.unwrap_or_default();
    asked::From {
        address: state.proxies.client(peer, lines.iter().map(String::as_str)),
        user_agent: user_agent.chars().take(USER_AGENT_MAX).collect(),
    }
}

/// In front of a message: whether it is compressed, and its length, 4 bytes big-endian.
const FRAMING: usize = 5;

/// The one message of a request.
fn unframed(mut body: Bytes) -> Result<Bytes, Refusal> {
    let malformed = Refusal::Malformed(Field::Message);
    if body.len() < FRAMING || body.get_u8() != 0 {
        return Err(malformed);
    }
    let length = usize::try_from(body.get_u32()).map_err(|_| malformed)?;
    (body.len() == length).then_some(body).ok_or(malformed)
}

/// One message, and trailers that say that it went well.
fn unary(message: &Bytes) -> HttpResponse<Body> {
    let mut framed = BytesMut::with_capacity(FRAMING + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(framed.freeze()), Frame::trailers(trailers)];
    let frames = frames.map(Ok::<_, Status>);
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let mut answer = HttpResponse::new(Body::new(body));
    let grpc = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(header::CONTENT_TYPE, grpc);
    answer
}

impl Service<HttpRequest<Body>> for CallDoor {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let called = Self::call(self.clone(), request);
        Box::pin(async move { Ok(called.await) })
    }
}

/// One service of the table, by its name.
macro_rules! doors {
    ($($door:ident = $name:literal),+ $(,)?) => {
        $(
            #[doc = concat!("The door of ", $name, ".")]
            #[derive(Clone)]
            pub(crate) struct $door(pub(crate) CallDoor);

            impl NamedService for $door {
                const NAME: &'static str = concat!("leapmux.v1.", $name);
            }

            impl Service<HttpRequest<Body>> for $door {
                type Response = HttpResponse<Body>;
                type Error = Infallible;
                type Future = <CallDoor as Service<HttpRequest<Body>>>::Future;

                fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                    self.0.poll_ready(cx)
                }

                fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
                    Service::call(&mut self.0, request)
                }
            }
        )+
    };
}

doors! {
    AccountDoor = "AccountService",
    OrganisationDoor = "OrganisationService",
    WorkspaceDoor = "WorkspaceService",
    WorkerDoor = "WorkerService",
    RegistrationDoor = "WorkerRegistration",
    TokenDoor = "TokenService",
    DelegationDoor = "DelegationService",
    AdministrationDoor = "AdministrationService",
}

/// Judges where a call comes from, by the same rules as over HTTP/1.1, and how long it may take.
/// Workers are let through: they hold a token or a key, and may know the Hub by any name.
#[derive(Clone)]
pub(crate) struct GuardLayer(pub(crate) Arc<State>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            state: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service behind [`GuardLayer`].
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    state: Arc<State>,
    inner: S,
}

impl<S, B, R> Service<HttpRequest<B>> for Guarded<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        if let Err(status) = judge(&self.state, &request) {
            let refused = Ok(status.into_http());
            return Box::pin(async move { refused });
        }
        let uses = request.extensions().get::<Uses>().cloned();
        let in_use = uses.unwrap_or_default().call();
        let longest = ms(self.state.config.timeouts.call_ms);
        let call = self.inner.call(request);
        // A link is answered as soon as it has begun.
        Box::pin(async move {
            let _in_use = in_use;
            match tokio::time::timeout(longest, call).await {
                Ok(answer) => answer,
                Err(_) => Ok(Status::deadline_exceeded("the call took too long").into_http()),
            }
        })
    }
}

fn judge<B>(state: &State, request: &HttpRequest<B>) -> Result<(), Status> {
    let path = request.uri().path();
    let is_workers = [
        "/leapmux.v1.WorkerLink/",
        "/leapmux.v1.WorkerRegistration/",
        "/leapmux.v1.DelegationService/",
    ];
    if is_workers.iter().any(|prefix| path.starts_with(prefix)) {
        return Ok(());
    }
    let text = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let from = Provenance {
        host: request
            .uri()
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(|| text("host")),
        origin: text("origin"),
        fetch_site: text("sec-fetch-site"),
        fetch_mode: text("sec-fetch-mode"),
    };
    state.names.judge(from, Access::Action).map_err(|stranger| {
        let reason = match stranger {
            crate::origin::Stranger::Host => Strange::Host,
            crate::origin::Stranger::Origin => Strange::Origin,
            crate::origin::Stranger::CrossSite => Strange::CrossSite,
        };
        telemetry::stranger(reason);
        Status::permission_denied(stranger.to_string())
    })
}
