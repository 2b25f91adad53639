//! A Hub to test, and the peers that a test plays.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hub_actors::{BundledWorker, Census, Hub, HubConfig, Mode};
use schema::{
    frame::{Frame, Outer},
    ids::ChannelId,
    wire::{
        self, EncryptionMode, FromWorker, ToWorker, control::Body, from_worker, to_worker,
        worker_link_client::WorkerLinkClient,
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _, protocol::CloseFrame},
};
use tonic::{Request, Status, Streaming, transport::Endpoint};

use crate::books::Books;
pub(crate) use crate::people::{PASSWORD, Person};

/// Nothing in these tests takes longer unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The ordinary Hub, with a folder of its own.
pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) folder: TempDir,
    config: HubConfig,
}

/// Whatever a test did, no channel was lost from the books, and none ended without a reason.
impl Drop for TestHub {
    fn drop(&mut self) {
        let watch = Stopwatch::start();
        let admin = self.hub.admin_addr();
        while let Some(books) = admin.and_then(Books::ask) {
            let (begun, accounted) = books.channels();
            if std::thread::panicking() || (begun == accounted && books.unexplained() == 0.0) {
                return;
            }
            assert!(
                watch.elapsed() < PATIENCE,
                "channels begun {begun}, accounted {accounted}, unexplained {}",
                books.unexplained()
            );
        }
    }
}

/// What every test Hub has in common: port 0 everywhere, and a short farewell.
pub(crate) fn config(folder: &TempDir, mode: Mode) -> HubConfig {
    let mut config = HubConfig {
        listen: "127.0.0.1:0".to_owned(),
        admin_listen: "127.0.0.1:0".to_owned(),
        data_dir: folder.path().join("data"),
        mode,
        sign_up: true,
        ..HubConfig::default()
    };
    // Tests are many people at one address, and in a hurry.
    config.quotas.sign_ups_per_hour = 10_000;
    config.quotas.registrations_per_hour = 10_000;
    config.quotas.stranger_requests_burst = 100_000;
    config.quotas.requests_burst = 100_000;
    config.quotas.orders_burst = 100_000;
    config.quotas.sign_ins_per_minute = 10_000;
    config.drain.spread_ms = 200;
    config.drain.timeout_ms = 2_000;
    config
}

impl TestHub {
    pub(crate) async fn solo() -> Self {
        Self::with(Mode::Solo, |_| {}).await
    }

    pub(crate) async fn hub() -> Self {
        Self::with(Mode::Hub, |_| {}).await
    }

    pub(crate) async fn with(mode: Mode, change: impl FnOnce(&mut HubConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = config(&folder, mode);
        change(&mut config);
        Self::on(folder, config).await
    }

    pub(crate) async fn on(folder: TempDir, config: HubConfig) -> Self {
        let hub = Hub::start(config.clone()).await.unwrap();
        Self {
            hub,
            folder,
            config,
        }
    }

    /// Starts another Hub in the place of one that was stopped, on the same folder.
    pub(crate) async fn restart(&mut self) {
        self.hub = Hub::start(self.config.clone()).await.unwrap();
    }

    /// What it has counted.
    pub(crate) async fn books(&self) -> Books {
        Books::of(self.admin("/metrics").await.text())
    }

    /// Waits until what came in is what went out and what was discarded.
    pub(crate) async fn settled(&self) {
        let watch = Stopwatch::start();
        loop {
            let (received, accounted) = self.books().await.frames();
            if received == accounted {
                return;
            }
            assert!(
                watch.elapsed() < PATIENCE,
                "frames received {received}, accounted {accounted}"
            );
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.hub.addr().tcp().unwrap()
    }

    pub(crate) fn host(&self) -> String {
        self.addr().to_string()
    }

    pub(crate) fn token(&self) -> String {
        let path = self.folder.path().join("data/access-token");
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    pub(crate) async fn bundled(&self) -> BundledWorker {
        self.hub
            .register_bundled_worker(public_key(7))
            .await
            .unwrap()
    }

    /// Waits until the census is as it should be.
    pub(crate) async fn until(&self, what: impl Fn(&Census) -> bool) -> Census {
        let asked = async {
            loop {
                let census = self.hub.census().await;
                if what(&census) {
                    return census;
                }
                tokio::task::yield_now().await;
            }
        };
        let met = timeout(PATIENCE, asked).await;
        match met {
            Ok(census) => census,
            Err(_) => panic!("the census stayed {:?}", self.hub.census().await),
        }
    }

    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let addr = self.hub.admin_addr().unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        raw(addr, request.as_bytes()).await
    }

    pub(crate) async fn call(&self, method: &str, json: &str) -> Answer {
        self.call_with(method, json, &[]).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        json: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let path = format!("/leapmux.v1.{method}");
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        http(self.addr(), "POST", &path, &all, json.as_bytes()).await
    }
}

/// A composite key of the right length.
pub(crate) fn public_key(byte: u8) -> Bytes {
    vec![byte; 1664].into()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The cookie that came with it, as a browser would send it back.
    pub(crate) fn cookie(&self) -> String {
        let set = self.header("set-cookie").unwrap();
        set.split(';').next().unwrap().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

/// A request with a right Host, unless the headers name another.
pub(crate) async fn http(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {addr}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    raw(addr, &bytes).await
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> Answer {
    http(addr, "GET", path, &[], b"").await
}

/// Whatever bytes, and what comes back until the Hub closes.
pub(crate) async fn raw(addr: SocketAddr, bytes: &[u8]) -> Answer {
    let stream = TcpStream::connect(addr).await.unwrap();
    exchange(stream, bytes).await
}

/// Writes, and reads one whole answer, or all until the Hub closes.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
) -> Answer {
    // A Hub that refuses early may close before all is written.
    let _refused = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let reading = async {
        while !is_whole(&answer)
            && stream
                .read_buf(&mut answer)
                .await
                .is_ok_and(|read| read > 0)
        {}
    };
    timeout(PATIENCE, reading).await.unwrap();
    parse(&answer)
}

/// Whether a body of announced length is there; others end with the connection.
fn is_whole(answer: &[u8]) -> bool {
    let parsed = parse(answer);
    let length = parsed
        .header("content-length")
        .and_then(|length| length.parse().ok());
    length
        .is_some_and(|length: usize| answer.ends_with(&parsed.body) && parsed.body.len() >= length)
        && answer.windows(4).any(|window| window == b"\r\n\r\n")
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(answer.len());
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).into_owned();
    let mut body = answer.get(end + 4..).unwrap_or_default().to_vec();
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        body = unchunk(&body);
    }
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Answer { status, head, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}

/// A connection whose receiving end holds little: whoever does not read stalls early.
async fn narrow(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    socket.connect(addr).await.unwrap()
}

/// A browser's WebSocket.
pub(crate) struct Browser {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

/// What a WebSocket handshake was refused with.
pub(crate) struct Refused(pub(crate) u16);

impl Browser {
    pub(crate) async fn open(hub: &TestHub) -> Self {
        Self::open_with(hub, &[])
            .await
            .map_err(|refused| refused.0)
            .unwrap()
    }

    pub(crate) async fn open_with(
        hub: &TestHub,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let mut all = vec![("Sec-WebSocket-Protocol", "leapmux.relay.v1")];
        all.extend_from_slice(headers);
        Self::upgrade(hub.addr(), "/ws/relay", &all).await
    }

    pub(crate) async fn upgrade(
        addr: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = narrow(addr).await;
        let upgraded = timeout(PATIENCE, tokio_tungstenite::client_async(request, stream)).await;
        match upgraded.unwrap() {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(answer)) => Err(Refused(answer.status().as_u16())),
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    pub(crate) async fn send(&mut self, outer: impl Into<Outer>) {
        self.send_raw(Message::Binary(outer.into().encode())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        // The Hub may have closed already; what it said is still to be read.
        let _closed = timeout(PATIENCE, self.socket.send(message)).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.unwrap()? {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => return Some(message),
                Err(_) => return None,
            }
        }
    }

    pub(crate) async fn outer(&mut self) -> Outer {
        match self.next().await {
            Some(Message::Binary(raw)) => Outer::parse(raw).unwrap(),
            other => panic!("no outer message: {other:?}"),
        }
    }

    pub(crate) async fn control(&mut self) -> Body {
        match self.outer().await {
            Outer::Control(body) => body,
            Outer::Frame(frame) => panic!("a frame: {frame:?}"),
        }
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        match self.outer().await {
            Outer::Frame(frame) => frame,
            Outer::Control(body) => panic!("no frame: {body:?}"),
        }
    }

    pub(crate) async fn text(&mut self) -> serde_json::Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// Reads up to the close frame, or the end; the goodbye's reason and the close frame's code.
    pub(crate) async fn end(&mut self) -> (Option<wire::CloseReason>, Option<u16>) {
        let mut goodbye = None;
        while let Some(message) = self.next().await {
            match message {
                Message::Binary(raw) => {
                    if let Ok(Outer::Control(Body::Goodbye(said))) = Outer::parse(raw) {
                        goodbye = Some(said.reason());
                    }
                }
                Message::Close(said) => {
                    return (goodbye, said.map(|CloseFrame { code, .. }| code.into()));
                }
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        (goodbye, None)
    }

    /// Opens a channel; the test answers for the Worker.
    pub(crate) async fn ask(&mut self, channel: u8, worker: &str) {
        let open = wire::Open {
            channel_id: vec![channel; 16].into(),
            worker_id: worker.to_owned(),
            noise: Bytes::from_static(b"message 1"),
            ..wire::Open::default()
        };
        self.send(Body::Open(open)).await;
    }
}

/// A Worker's link.
pub(crate) struct TestWorker {
    pub(crate) to_hub: mpsc::Sender<FromWorker>,
    pub(crate) from_hub: Streaming<ToWorker>,
}

impl TestWorker {
    /// Connects with a token and says Hello with the key of [`TestHub::bundled`].
    pub(crate) async fn link(hub: &TestHub, token: &str) -> Self {
        let mut worker = Self::connect(hub, token).await.unwrap();
        worker.say(from_worker::Body::Hello(hello(7))).await;
        match worker.next().await {
            Some(to_worker::Body::Welcome(_)) => worker,
            other => panic!("no welcome: {other:?}"),
        }
    }

    pub(crate) async fn connect(hub: &TestHub, token: &str) -> Result<Self, Status> {
        let channel = Endpoint::from_shared(format!("http://{}", hub.addr())).unwrap();
        let channel = channel.connect_timeout(PATIENCE).connect().await.unwrap();
        let (to_hub, outgoing) = mpsc::channel(64);
        let mut request = Request::new(ReceiverStream::new(outgoing));
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        let mut client = WorkerLinkClient::new(channel).max_decoding_message_size(1 << 20);
        let connected = timeout(PATIENCE, client.connect(request)).await.unwrap()?;
        Ok(Self {
            to_hub,
            from_hub: connected.into_inner(),
        })
    }

    pub(crate) async fn say(&self, body: from_worker::Body) {
        // The Hub may have ended the link already.
        let _ended = self.to_hub.send(FromWorker { body: Some(body) }).await;
    }

    pub(crate) async fn send(&self, outer: impl Into<Outer>) {
        self.say(from_worker::Body::Relay(outer.into().encode()))
            .await;
    }

    pub(crate) async fn next(&mut self) -> Option<to_worker::Body> {
        match timeout(PATIENCE, self.from_hub.message()).await.unwrap() {
            Ok(message) => message.and_then(|message| message.body),
            Err(_) => None,
        }
    }

    pub(crate) async fn outer(&mut self) -> Outer {
        loop {
            match self.next().await {
                Some(to_worker::Body::Relay(raw)) => return Outer::parse(raw).unwrap(),
                Some(to_worker::Body::Heartbeat(_)) => {}
                other => panic!("no outer message: {other:?}"),
            }
        }
    }

    pub(crate) async fn control(&mut self) -> Body {
        match self.outer().await {
            Outer::Control(body) => body,
            Outer::Frame(frame) => panic!("a frame: {frame:?}"),
        }
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        match self.outer().await {
            Outer::Frame(frame) => frame,
            Outer::Control(body) => panic!("no frame: {body:?}"),
        }
    }

    /// Reads on to the end; the goodbye, if one was said.
    pub(crate) async fn end(&mut self) -> Option<wire::LinkGoodbye> {
        let mut goodbye = None;
        while let Some(body) = self.next().await {
            if let to_worker::Body::Goodbye(said) = body {
                goodbye = Some(said);
            }
        }
        goodbye
    }
}

pub(crate) fn hello(byte: u8) -> wire::WorkerHello {
    wire::WorkerHello {
        encryption_mode: EncryptionMode::PostQuantum.into(),
        public_key: public_key(byte),
        version: "1.2.3".to_owned(),
    }
}

pub(crate) fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 16])
}

pub(crate) fn frame(byte: u8, correlation: u64, text: &[u8]) -> Frame {
    Frame::new(channel(byte), 0, correlation, 0, text)
}

/// A browser and a Worker with a live channel of this id between them.
pub(crate) async fn open(browser: &mut Browser, worker: &mut TestWorker, id: u8, worker_id: &str) {
    browser.ask(id, worker_id).await;
    let Body::Incoming(incoming) = worker.control().await else {
        panic!("no Incoming")
    };
    assert_eq!(incoming.channel_id[..], [id; 16]);
    let opened = wire::Opened {
        channel_id: incoming.channel_id,
        noise: Bytes::from_static(b"message 2"),
        max_message_bytes: 0,
    };
    worker.send(Body::Opened(opened)).await;
    let Body::Opened(opened) = browser.control().await else {
        panic!("not opened")
    };
    assert_eq!(&opened.noise[..], b"message 2");
}

/// How long something took; for upper bounds that are far from what is measured.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a test measures")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
