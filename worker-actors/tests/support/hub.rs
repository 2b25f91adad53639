//! A Hub that a test plays: it welcomes or does not, beats or is silent, and carries one client.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use channel_actors::{
    client::{Channel, ConnectError, ConnectParts, RejectChanges, Session},
    limits::Limits,
};
use crypto::{DeviceKey, Mode, PublicKey};
use futures_util::sink;
use prost::Message;
use rand_core::{Rng as _, UnwrapErr};
use schema::{
    frame::Outer,
    ids::{ChannelId, UserId, WorkerId},
    wire::{
        self, FromWorker, RegisterRequest, RegisterResponse, ToWorker, control,
        delegation_service_server::{DelegationService, DelegationServiceServer},
        from_worker, to_worker,
        worker_link_server::{WorkerLink, WorkerLinkServer},
        worker_registration_server::{WorkerRegistration, WorkerRegistrationServer},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig, server::Connected},
};
use worker_actors::{Credentials, Timings, Worker, WorkerConfig};
use zeroize::Zeroizing;

use super::PATIENCE;

pub const OWNER: &str = "ada";
pub const WORKER: &str = "worker-1";
pub const TOKEN: &str = "a token";

/// What the Hub answers to a registration.
pub type Registrar = Box<dyn Fn(RegisterRequest) -> Result<RegisterResponse, Status> + Send + Sync>;

pub struct TestHub {
    pub url: String,
    links: mpsc::UnboundedReceiver<Link>,
    farewells: mpsc::UnboundedReceiver<String>,
    mint: Arc<Mint>,
    server: JoinHandle<()>,
}

/// One Worker's stream, as the Hub has it.
pub struct Link {
    pub hello: wire::WorkerHello,
    pub authorization: String,
    pub to: mpsc::Sender<Result<ToWorker, Status>>,
    pub from: Streaming<FromWorker>,
}

struct Service {
    links: mpsc::UnboundedSender<Link>,
}

/// Makes bearers, and keeps who asked for what.
struct Mint {
    asked: Mutex<Vec<(String, wire::MintDelegationRequest)>>,
    lifetime: Mutex<Option<Duration>>,
}

struct Minting(Arc<Mint>);

#[tonic::async_trait]
impl DelegationService for Minting {
    async fn mint_delegation(
        &self,
        request: Request<wire::MintDelegationRequest>,
    ) -> Result<Response<wire::MintDelegationResponse>, Status> {
        let shown = request.metadata().get("authorization");
        let shown = shown.and_then(|value| value.to_str().ok());
        let shown = shown.unwrap_or_default().to_owned();
        let lifetime = *self.0.lifetime.lock().expect("no panic");
        let lifetime = lifetime.ok_or_else(|| Status::not_found("no such channel"))?;
        let mut asked = self.0.asked.lock().expect("no panic");
        asked.push((shown, request.into_inner()));
        let expires = std::time::UNIX_EPOCH.elapsed().expect("after 1970") + lifetime;
        Ok(Response::new(wire::MintDelegationResponse {
            delegation_token: format!("bearer {}", asked.len()),
            expires_unix_ms: i64::try_from(expires.as_millis()).expect("a date"),
        }))
    }
}

struct Registration(Registrar, mpsc::UnboundedSender<String>);

#[tonic::async_trait]
impl WorkerLink for Service {
    type ConnectStream = ReceiverStream<Result<ToWorker, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<FromWorker>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let authorization = request.metadata().get("authorization");
        let authorization = authorization
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let authorization = authorization.to_owned();
        let mut from = request.into_inner();
        let first = from.message().await?.and_then(|message| message.body);
        let Some(from_worker::Body::Hello(hello)) = first else {
            return Err(Status::invalid_argument("no hello"));
        };
        let (to, out) = mpsc::channel(64);
        let _ = self.links.send(Link {
            hello,
            authorization,
            to,
            from,
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }
}

#[tonic::async_trait]
impl WorkerRegistration for Registration {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        (self.0)(request.into_inner()).map(Response::new)
    }

    /// Takes the word of the one Worker whose token it knows.
    async fn deregister(
        &self,
        request: Request<wire::DeregisterRequest>,
    ) -> Result<Response<wire::DeregisterResponse>, Status> {
        let shown = request.metadata().get("authorization");
        let shown = shown.and_then(|value| value.to_str().ok());
        let shown = shown.unwrap_or_default().to_owned();
        if shown != format!("Bearer {TOKEN}") {
            return Err(Status::unauthenticated("who is it?"));
        }
        let _ = self.1.send(shown);
        Ok(Response::new(wire::DeregisterResponse {}))
    }
}

impl TestHub {
    pub async fn start() -> Self {
        Self::registering(Box::new(refuse)).await
    }

    pub async fn registering(registrar: Registrar) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        Self::serving(
            url,
            Server::builder(),
            TcpListenerStream::new(listener),
            registrar,
        )
    }

    /// Behind TLS, with a certificate for this name.
    pub async fn with_tls(identity: Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let tls = ServerTlsConfig::new().identity(identity);
        let server = Server::builder().tls_config(tls).expect("a certificate");
        let url = format!("https://localhost:{port}");
        Self::serving(
            url,
            server,
            TcpListenerStream::new(listener),
            Box::new(refuse),
        )
    }

    /// On a Unix socket.
    pub fn on_socket(path: &std::path::Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket");
        let url = format!("unix:{}", path.display());
        Self::serving(
            url,
            Server::builder(),
            UnixListenerStream::new(listener),
            Box::new(refuse),
        )
    }

    fn serving<S, I>(url: String, mut server: Server, incoming: S, registrar: Registrar) -> Self
    where
        S: futures_util::Stream<Item = std::io::Result<I>> + Send + 'static,
        I: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let (sender, links) = mpsc::unbounded_channel();
        let (told, farewells) = mpsc::unbounded_channel();
        let registration = Registration(registrar, told);
        let mint = Arc::new(Mint {
            asked: Mutex::default(),
            lifetime: Mutex::new(Some(Duration::from_secs(3_600))),
        });
        let serving = server
            .add_service(WorkerLinkServer::new(Service { links: sender }))
            .add_service(WorkerRegistrationServer::new(registration))
            .add_service(DelegationServiceServer::new(Minting(Arc::clone(&mint))))
            .serve_with_incoming(incoming);
        #[expect(clippy::disallowed_methods, reason = "ended by drop")]
        let server = tokio::task::spawn(async { serving.await.expect("a server") });
        Self {
            url,
            links,
            farewells,
            mint,
            server,
        }
    }

    pub fn config(&self, folder: &std::path::Path) -> WorkerConfig {
        WorkerConfig {
            hub: self.url.clone(),
            data_dir: folder.to_owned(),
            encryption_mode: "classic".into(),
            shell: Some("/bin/sh".into()),
            timings: quick(),
            ..WorkerConfig::default()
        }
    }

    /// Who asked for which bearer.
    pub fn minted(&self) -> Vec<(String, wire::MintDelegationRequest)> {
        self.mint.asked.lock().expect("no panic").clone()
    }

    /// Bearers last so long from now on.
    pub fn mint_for(&self, lifetime: Duration) {
        *self.mint.lifetime.lock().expect("no panic") = Some(lifetime);
    }

    /// There are no more bearers.
    pub fn mint_no_more(&self) {
        *self.mint.lifetime.lock().expect("no panic") = None;
    }

    /// The next stream that a Worker opens.
    pub async fn link(&mut self) -> Link {
        timeout(PATIENCE, self.links.recv())
            .await
            .expect("a link in time")
            .expect("a link")
    }

    /// Waits until a Worker has said that it goes.
    pub async fn farewell(&mut self) {
        let farewell = timeout(PATIENCE, self.farewells.recv()).await;
        farewell.expect("a farewell in time").expect("a farewell");
    }

    /// The next stream, welcomed.
    pub async fn welcomed(&mut self) -> Link {
        let link = self.link().await;
        link.welcome().await;
        link
    }

    /// A Worker whose owner is known, and its link.
    pub async fn worker(&mut self, config: WorkerConfig) -> (Worker, Link) {
        let worker = Worker::start(config, credentials())
            .await
            .expect("a worker");
        (worker, self.welcomed().await)
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Link {
    pub async fn say(&self, body: to_worker::Body) {
        self.to
            .send(Ok(ToWorker { body: Some(body) }))
            .await
            .expect("a worker that listens");
    }

    pub async fn welcome(&self) {
        self.say(to_worker::Body::Welcome(wire::WorkerWelcome {
            worker_id: WORKER.into(),
            owner_user_id: OWNER.into(),
            ..Default::default()
        }))
        .await;
    }

    pub async fn goodbye(&self, reason: wire::LinkGoodbyeReason, after: Duration) {
        let reconnect_after_ms = u32::try_from(after.as_millis()).expect("a short delay");
        let goodbye = wire::LinkGoodbye {
            reason: reason.into(),
            reconnect_after_ms,
        };
        self.say(to_worker::Body::Goodbye(goodbye)).await;
    }

    /// What the Worker says next; None = it hung up.
    pub async fn hear(&mut self) -> Option<from_worker::Body> {
        let heard = timeout(PATIENCE, self.from.message())
            .await
            .expect("a word in time");
        heard.ok().flatten().and_then(|message| message.body)
    }

    /// Carries a client's messages from now on, as a Hub would, for this user.
    pub fn carry(self, user: &str, workspaces: Vec<wire::WorkspaceAccess>) -> Carried {
        let (into_client, from_worker) = mpsc::channel::<Result<Bytes, ()>>(1024);
        let (from_client, mut to_carry) = mpsc::channel::<Bytes>(1024);
        let (orders, mut ordered) = mpsc::channel::<control::Body>(16);
        let user_id = user.to_owned();
        let delegated = Arc::new(AtomicBool::new(false));
        let is_delegated = Arc::clone(&delegated);
        let Self {
            to,
            mut from,
            hello,
            ..
        } = self;
        let carrying = async move {
            loop {
                let message = tokio::select! {
                    message = to_carry.recv() => message.map(|bytes| {
                        let delegated = is_delegated.load(Ordering::SeqCst);
                        announce(bytes, &user_id, &workspaces, delegated)
                    }),
                    order = ordered.recv() => order.map(|body| Outer::Control(body).encode()),
                    heard = from.message() => {
                        let Ok(Some(FromWorker { body })) = heard else { break };
                        match body {
                            Some(from_worker::Body::Relay(bytes)) => {
                                if into_client.send(Ok(bytes)).await.is_err() {
                                    break;
                                }
                            }
                            Some(from_worker::Body::Heartbeat(asked)) => {
                                let nonce = asked.nonce + 1;
                                let beat = to_worker::Body::Heartbeat(wire::Heartbeat { nonce });
                                if to.send(Ok(ToWorker { body: Some(beat) })).await.is_err() {
                                    break;
                                }
                            }
                            Some(from_worker::Body::Hello(_)) | None => {}
                        }
                        continue;
                    }
                };
                let Some(bytes) = message else { break };
                let relayed = ToWorker {
                    body: Some(to_worker::Body::Relay(bytes)),
                };
                if to.send(Ok(relayed)).await.is_err() {
                    break;
                }
            }
        };
        #[expect(clippy::disallowed_methods, reason = "ended by drop")]
        let task = tokio::task::spawn(carrying);
        let sending = sink::unfold(from_client, |queue, bytes| async move {
            queue.send(bytes).await.map(|()| queue).map_err(|_| ())
        });
        let limits = Arc::new(Limits::default());
        let incoming = ReceiverStream::new(from_worker);
        let session = Session::start(incoming, Box::pin(sending), limits, Box::new(rng()));
        Carried {
            session,
            orders,
            hello,
            user: user.to_owned(),
            delegated,
            task,
        }
    }
}

/// A client behind the Hub.
pub struct Carried {
    pub session: Session,
    /// Control messages of the Hub itself.
    pub orders: mpsc::Sender<control::Body>,
    hello: wire::WorkerHello,
    user: String,
    delegated: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Carried {
    /// Whether channels are announced as a delegation's from now on.
    pub fn delegated(&self, delegated: bool) {
        self.delegated.store(delegated, Ordering::SeqCst);
    }

    pub async fn connect(&self, device: &Arc<DeviceKey>) -> Result<Channel, ConnectError> {
        let mode = match self.hello.encryption_mode() {
            wire::EncryptionMode::Classic => Mode::Classic,
            wire::EncryptionMode::PostQuantum | wire::EncryptionMode::Unspecified => {
                Mode::PostQuantum
            }
        };
        let mut channel = [0; 16];
        rng().fill_bytes(&mut channel);
        let connecting = self.session.connect(ConnectParts {
            worker: WorkerId::parse(WORKER).expect("an id"),
            worker_key: PublicKey::from_bytes(&self.hello.public_key).expect("a key"),
            mode,
            pinned: None,
            trust: Arc::new(RejectChanges),
            user: UserId::parse(&self.user).expect("an id"),
            device: Arc::clone(device),
            certificates: Vec::new(),
            workspaces: Vec::new(),
            channel: ChannelId::from_bytes(channel),
        });
        let connected = timeout(PATIENCE, connecting)
            .await
            .expect("an answer in time")?;
        Ok(connected.channel)
    }
}

fn refuse(_: RegisterRequest) -> Result<RegisterResponse, Status> {
    Err(Status::not_found("no such key"))
}

pub fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

pub fn device() -> Arc<DeviceKey> {
    Arc::new(DeviceKey::generate(&mut rng()))
}

pub fn credentials() -> Credentials {
    Credentials {
        worker_id: WorkerId::parse(WORKER).expect("an id"),
        token: Zeroizing::new(TOKEN.to_owned()),
        owner: UserId::parse(OWNER).expect("an id"),
        first_use: true,
        hub: None,
        registration: None,
    }
}

/// Time scales of a test.
pub fn quick() -> Timings {
    let ms = Duration::from_millis;
    let mut timings = Timings::default();
    timings.back_off.first = ms(20);
    timings.back_off.longest = ms(2_000);
    timings.rhythm.tick = ms(50);
    timings.rhythm.silence = ms(200);
    timings.rhythm.dead = ms(600);
    timings.devices = ms(20);
    timings.keep = ms(20);
    timings.grace = ms(300);
    timings
}

pub async fn ask<A: Message + Default>(
    channel: &Channel,
    method: &str,
    request: &impl Message,
) -> Result<A, channel_actors::client::CallError> {
    let payload = request.encode_to_vec().into();
    let answer = channel.call(method, payload, None, PATIENCE).await?;
    Ok(A::decode(answer).expect("an answer"))
}

/// What a Hub does to an Open; everything else passes as it is.
fn announce(
    bytes: Bytes,
    user_id: &str,
    workspaces: &[wire::WorkspaceAccess],
    delegated: bool,
) -> Bytes {
    let Ok(Outer::Control(control::Body::Open(open))) = Outer::parse(bytes.clone()) else {
        return bytes;
    };
    let incoming = wire::Incoming {
        channel_id: open.channel_id,
        user_id: user_id.to_owned(),
        organisation_id: "o".into(),
        workspaces: workspaces.to_vec(),
        noise: open.noise,
        max_message_bytes: open.max_message_bytes,
        certificates: Vec::new(),
        delegated,
    };
    Outer::Control(control::Body::Incoming(incoming)).encode()
}
