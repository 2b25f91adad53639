//! The doors of gRPC: the Worker's link, and the same unary calls as over Connect.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_rt::Arbiter;
use http::{HeaderValue, Request as HttpRequest, Response as HttpResponse, header};
use schema::wire::{
    CreateRegistrationKeyRequest, CreateRegistrationKeyResponse, GetHandshakeParametersRequest,
    GetHandshakeParametersResponse, ListWorkersRequest, ListWorkersResponse, RegisterRequest,
    RegisterResponse, RevokeRegistrationKeyRequest, RevokeRegistrationKeyResponse, SignInRequest,
    SignInResponse, SignOutRequest, SignOutResponse, WhoAmIRequest, WhoAmIResponse,
    account_service_server::AccountService, worker_link_server,
    worker_registration_server::WorkerRegistration, worker_service_server::WorkerService,
};
use tonic::{
    Code, Request, Response, Status, body::Body, metadata::MetadataMap, server::NamedService,
};
use tower::{Layer, Service};

use crate::{
    accounts,
    caller::{Caller, Presented},
    clock,
    config::{Mode, ms},
    error::{Fault, Refusal},
    link,
    link_stream::{Arrivals, Departures},
    origin::{Access, Provenance},
    rpc::Method,
    state::State,
    stay::Uses,
    store::workers::{self as rows, Worker},
    telemetry::{self, LinkConnect, Protocol, Strange},
    token::Purpose,
    workers,
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
    async fn caller(&self, metadata: &MetadataMap) -> Result<Option<Caller>, Refusal> {
        let text = metadata
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let presented = text.map_or(Presented::Nothing, Presented::bearer);
        Ok(self.0.caller(presented).await?)
    }

    async fn counted<T>(
        &self,
        method: Method,
        call: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<Response<T>, Status> {
        let began = clock::now();
        let answer = call.await;
        let code = answer
            .as_ref()
            .map_or_else(|refused| refused.code(), |_| Code::Ok);
        let took = clock::now().saturating_duration_since(began);
        telemetry::rpc(method, Protocol::Grpc, code, took);
        Ok(Response::new(answer?))
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
            .run_for_stranger(move |conn| rows::find_by_token(conn, token))
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
        let metadata = MetadataMap::from_headers(head.headers);
        let worker = self.0.worker(&metadata).await.map_err(|fault| {
            telemetry::link_connect(LinkConnect::Error);
            Refusal::from(fault)
        })?;
        let Some(worker) = worker else {
            telemetry::link_connect(LinkConnect::Credential);
            return Err(Status::unauthenticated(schema::wire::UNKNOWN_WORKER_TOKEN));
        };
        let uses = head.extensions.get::<Uses>().cloned();
        // On the thread of its connection, which serves as an arbiter too.
        let arbiter = Arbiter::try_current().ok_or_else(|| Status::unavailable("stopping"))?;
        let outgoing = link::start(
            &arbiter,
            Arc::clone(state),
            worker,
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

#[tonic::async_trait]
impl WorkerRegistration for Services {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let call = workers::register(&self.0, request.into_inner());
        self.counted(Method::Register, call).await
    }
}

#[tonic::async_trait]
impl AccountService for Services {
    async fn who_am_i(
        &self,
        request: Request<WhoAmIRequest>,
    ) -> Result<Response<WhoAmIResponse>, Status> {
        let call =
            async { accounts::who_am_i(&self.0, self.caller(request.metadata()).await?).await };
        self.counted(Method::WhoAmI, call).await
    }

    /// A cookie is of no use to a gRPC client.
    async fn sign_in(&self, _: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        let call = async {
            match self.0.config.mode {
                Mode::Solo => Ok(SignInResponse {}),
                Mode::Hub => Err(Refusal::CookieOnly),
            }
        };
        self.counted(Method::SignIn, call).await
    }

    async fn sign_out(
        &self,
        request: Request<SignOutRequest>,
    ) -> Result<Response<SignOutResponse>, Status> {
        let call =
            async { accounts::sign_out(&self.0, self.caller(request.metadata()).await?).await };
        self.counted(Method::SignOut, call).await
    }
}

#[tonic::async_trait]
impl WorkerService for Services {
    async fn list_workers(
        &self,
        request: Request<ListWorkersRequest>,
    ) -> Result<Response<ListWorkersResponse>, Status> {
        let call = async { workers::list(&self.0, self.caller(request.metadata()).await?).await };
        self.counted(Method::ListWorkers, call).await
    }

    async fn get_handshake_parameters(
        &self,
        request: Request<GetHandshakeParametersRequest>,
    ) -> Result<Response<GetHandshakeParametersResponse>, Status> {
        let call = async {
            let caller = self.caller(request.metadata()).await?;
            workers::handshake_parameters(&self.0, caller, request.into_inner()).await
        };
        self.counted(Method::GetHandshakeParameters, call).await
    }

    async fn create_registration_key(
        &self,
        request: Request<CreateRegistrationKeyRequest>,
    ) -> Result<Response<CreateRegistrationKeyResponse>, Status> {
        let call = async {
            let caller = self.caller(request.metadata()).await?;
            workers::create_key(&self.0, caller, request.into_inner()).await
        };
        self.counted(Method::CreateRegistrationKey, call).await
    }

    async fn revoke_registration_key(
        &self,
        request: Request<RevokeRegistrationKeyRequest>,
    ) -> Result<Response<RevokeRegistrationKeyResponse>, Status> {
        let call = async {
            let caller = self.caller(request.metadata()).await?;
            workers::revoke_key(&self.0, caller, request.into_inner()).await
        };
        self.counted(Method::RevokeRegistrationKey, call).await
    }
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
    let is_workers = ["/leapmux.v1.WorkerLink/", "/leapmux.v1.WorkerRegistration/"];
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
