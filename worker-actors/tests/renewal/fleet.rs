//! Clients that keep their channels from stream to stream, and the Hub between, which forgets
//! everything whenever its stream is cut.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use channel_actors::{
    close::{self, CloseReason},
    endpoint::{Endpoint, Event, Initiator, OpenParts},
    limits::Limits,
    refusal::RefusalReason,
};
use crypto::{DeviceKey, Mode, PublicKey};
use rand_core::Rng as _;
use schema::{
    frame::Outer,
    ids::{ChannelId, UserId, WorkerId},
    wire::{self, FromWorker, ToWorker, control, from_worker, to_worker},
};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;
use worker_actors::{Worker, WorkerConfig};

use crate::support::{
    PATIENCE,
    hub::{Link, OWNER, TestHub, WORKER, device, rng},
};

/// A Worker, a Hub and their clients.
pub(crate) struct Fleet {
    pub(crate) folder: TempDir,
    pub(crate) worker: Worker,
    pub(crate) hub: TestHub,
    pub(crate) clients: BTreeMap<ChannelId, Client>,
    pub(crate) device: Arc<DeviceKey>,
    pub(crate) link: Option<Link>,
    hello: wire::WorkerHello,
    limits: Arc<Limits>,
    to_worker: VecDeque<Bytes>,
    awake: BTreeSet<ChannelId>,
    /// Messages of either direction before the stream is cut.
    pub(crate) cut_after: Option<u32>,
    pub(crate) cuts: u32,
    /// Whether clients that lost their path ask for a new one by themselves.
    pub(crate) come_back: bool,
    /// Everything that clients sent, when it is wanted.
    pub(crate) recorded: Option<Vec<Bytes>>,
}

/// One client's end of a channel, and what it does with it.
pub(crate) struct Client {
    pub(crate) endpoint: Endpoint,
    pub(crate) job: Box<dyn Job>,
    pub(crate) attached: u32,
    pub(crate) refused: Option<RefusalReason>,
    pub(crate) closed: Option<CloseReason>,
    /// The newest renewal that was asked for.
    pub(crate) serial: u32,
    lost: bool,
}

/// What a client does.
pub(crate) trait Job {
    fn heed(&mut self, endpoint: &mut Endpoint, event: Event);
    fn go_on(&mut self, endpoint: &mut Endpoint);
    fn is_done(&self) -> bool;
    fn as_any(&self) -> &dyn std::any::Any;
}

/// As whom a client opens a channel.
pub(crate) struct Passport {
    pub(crate) user: &'static str,
    pub(crate) device: Arc<DeviceKey>,
    pub(crate) certificates: Vec<wire::Signed>,
    /// What the Hub announces.
    pub(crate) workspaces: Vec<wire::WorkspaceAccess>,
}

/// A client that only waits.
pub(crate) struct Idle;

impl Job for Idle {
    fn heed(&mut self, _: &mut Endpoint, _: Event) {}
    fn go_on(&mut self, _: &mut Endpoint) {}
    fn is_done(&self) -> bool {
        true
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut WorkerConfig)) -> Self {
        let folder = tempdir().expect("a folder");
        let mut hub = TestHub::start().await;
        let mut config = patient(hub.config(folder.path()));
        change(&mut config);
        let (worker, link) = hub.worker(config).await;
        Self {
            folder,
            worker,
            hub,
            clients: BTreeMap::new(),
            device: device(),
            hello: link.hello.clone(),
            link: Some(link),
            limits: Arc::new(Limits::default()),
            to_worker: VecDeque::new(),
            awake: BTreeSet::new(),
            cut_after: None,
            cuts: 0,
            come_back: true,
            recorded: None,
        }
    }

    /// What another Worker of the same folder is started with.
    pub(crate) fn config(&self) -> WorkerConfig {
        patient(self.hub.config(self.folder.path()))
    }

    /// Opens a channel and waits until its claim is accepted.
    pub(crate) async fn open(&mut self, job: impl Job + 'static) -> ChannelId {
        let owner = self.owner();
        self.open_as(&owner, job).await
    }

    /// The same for anybody.
    pub(crate) async fn open_as(
        &mut self,
        passport: &Passport,
        job: impl Job + 'static,
    ) -> ChannelId {
        self.until("a stream", |fleet| fleet.link.is_some()).await;
        let mut bytes = [0; 16];
        rng().fill_bytes(&mut bytes);
        let channel = ChannelId::from_bytes(bytes);
        let initiator = self.announce(channel, passport).await;
        let opened = loop {
            match self.hear().await {
                Outer::Control(control::Body::Opened(opened)) => break opened,
                other @ (Outer::Control(_) | Outer::Frame(_)) => self.deliver(other),
            }
        };
        let endpoint = initiator.opened(&opened, &mut rng(), now());
        let client = Client {
            endpoint: endpoint.expect("a channel"),
            job: Box::new(job),
            attached: 0,
            refused: None,
            closed: None,
            serial: 0,
            lost: false,
        };
        self.clients.insert(channel, client);
        self.awake.insert(channel);
        self.until("its acceptance", |fleet| {
            fleet.clients[&channel].attached > 0
        })
        .await;
        channel
    }

    pub(crate) fn owner(&self) -> Passport {
        Passport {
            user: OWNER,
            device: Arc::clone(&self.device),
            certificates: Vec::new(),
            workspaces: Vec::new(),
        }
    }

    /// Begins to open a channel, and tells the Worker.
    pub(crate) async fn announce(&mut self, channel: ChannelId, passport: &Passport) -> Initiator {
        let mode = match self.hello.encryption_mode() {
            wire::EncryptionMode::Classic => Mode::Classic,
            wire::EncryptionMode::PostQuantum | wire::EncryptionMode::Unspecified => {
                Mode::PostQuantum
            }
        };
        let parts = OpenParts {
            mode,
            worker_key: &PublicKey::from_bytes(&self.hello.public_key).expect("a key"),
            channel,
            worker: WorkerId::parse(WORKER).expect("an id"),
            user: UserId::parse(passport.user).expect("an id"),
            device: Arc::clone(&passport.device),
            certificates: passport.certificates.clone(),
            workspaces: Vec::new(),
            limits: Arc::clone(&self.limits),
        };
        let begun = Initiator::open(parts, &mut rng(), now()).expect("an open");
        let (initiator, control::Body::Open(open)) = begun else {
            panic!("no Open")
        };
        self.say(control::Body::Incoming(wire::Incoming {
            channel_id: open.channel_id,
            user_id: passport.user.to_owned(),
            workspaces: passport.workspaces.clone(),
            noise: open.noise,
            ..Default::default()
        }))
        .await;
        initiator
    }

    /// Goes on until something holds.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let reaching = async {
            loop {
                self.go_on();
                if holds(self) {
                    return;
                }
                self.step().await;
            }
        };
        let reached = timeout(PATIENCE * 3, reaching).await.is_ok();
        let ended = |client: &Client| (client.closed, client.refused);
        let ends: BTreeSet<_> = self
            .clients
            .values()
            .map(|client| format!("{:?}", ended(client)))
            .collect();
        assert!(reached, "{what}; {} cuts; {ends:?}", self.cuts);
    }

    /// Goes on until every client has done what it wanted.
    pub(crate) async fn finish(&mut self) {
        self.until("the end of all", |fleet| {
            fleet.clients.values().all(|client| client.job.is_done())
        })
        .await;
    }

    /// The stream breaks, with whatever is under way in it.
    pub(crate) fn cut(&mut self) {
        self.link = None;
        self.cut_after = None;
        self.cuts += 1;
        self.to_worker.clear();
        let ids: Vec<_> = self.clients.keys().copied().collect();
        ids.into_iter().for_each(|id| self.lose(&id));
    }

    /// One client loses its way, and the Hub tells the Worker.
    pub(crate) async fn lose_session(&mut self, channel: ChannelId) {
        self.lose(&channel);
        let id = channel.as_bytes().as_slice();
        self.to_worker
            .retain(|bytes| !bytes.windows(id.len()).any(|part| part == id));
        let epoch = self.clients[&channel].serial;
        self.say(close::close(channel, epoch, CloseReason::ConnectionLost))
            .await;
    }

    /// Something was asked of a client's endpoint.
    pub(crate) fn wake(&mut self, channel: ChannelId) {
        self.awake.insert(channel);
    }

    fn lose(&mut self, channel: &ChannelId) {
        if let Some(client) = self.clients.get_mut(channel) {
            client.endpoint.detach(now());
            client.lost = true;
            self.awake.insert(*channel);
        }
    }

    /// Says something to the Worker as the Hub.
    pub(crate) async fn say(&mut self, body: control::Body) {
        self.send(Outer::Control(body).encode()).await;
    }

    pub(crate) async fn send(&mut self, bytes: Bytes) {
        let body = Some(to_worker::Body::Relay(bytes));
        let link = self.link.as_ref().expect("a stream");
        link.to.send(Ok(ToWorker { body })).await.expect("a Worker");
    }

    /// What the Worker says next of its channels.
    pub(crate) async fn hear(&mut self) -> Outer {
        loop {
            let link = self.link.as_mut().expect("a stream");
            if let Some(from_worker::Body::Relay(bytes)) = link.hear().await {
                return Outer::parse(bytes).expect("a message");
            }
        }
    }

    /// One thing that happens, whatever it is.
    async fn step(&mut self) {
        let wait = self
            .clients
            .values()
            .filter_map(|client| client.endpoint.deadline());
        let wait = wait.min().map_or(GLANCE, |due| {
            due.saturating_duration_since(now()).min(GLANCE)
        });
        let Some(link) = &mut self.link else {
            let link = self.hub.link().await;
            let welcome = ToWorker {
                body: Some(to_worker::Body::Welcome(wire::WorkerWelcome {
                    worker_id: WORKER.into(),
                    owner_user_id: OWNER.into(),
                    ..Default::default()
                })),
            };
            // Whoever dialled may have given up meanwhile.
            if link.to.send(Ok(welcome)).await.is_ok() {
                self.found(link);
            }
            return;
        };
        let to = link.to.clone();
        tokio::select! {
            place = to.reserve(), if !self.to_worker.is_empty() => {
                let bytes = self.to_worker.pop_front().expect("a message");
                let body = Some(to_worker::Body::Relay(bytes));
                match place {
                    Ok(place) => place.send(Ok(ToWorker { body })),
                    Err(_) => return self.cut(),
                }
                self.count();
            }
            heard = link.from.message() => {
                let Ok(Some(FromWorker { body })) = heard else { return self.cut() };
                if let Some(from_worker::Body::Relay(bytes)) = body {
                    self.deliver(Outer::parse(bytes).expect("a message"));
                    self.count();
                }
            }
            () = tokio::time::sleep(wait) => self.expire(),
        }
    }

    fn count(&mut self) {
        let Some(left) = self.cut_after.as_mut() else {
            return;
        };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.cut();
        }
    }

    fn found(&mut self, link: Link) {
        self.link = Some(link);
        self.awake.extend(self.clients.keys().copied());
    }

    fn expire(&mut self) {
        for (id, client) in &mut self.clients {
            if client.endpoint.deadline().is_some_and(|due| due <= now()) {
                client.endpoint.expire(now());
                self.awake.insert(*id);
            }
        }
    }

    /// Hands something on to the client that it is for.
    pub(crate) fn deliver(&mut self, outer: Outer) {
        let channel = match &outer {
            Outer::Frame(frame) => frame.channel(),
            Outer::Control(body) => id_of(body),
        };
        let Some(client) = self.clients.get_mut(&channel) else {
            return;
        };
        match outer {
            Outer::Frame(frame) => client.endpoint.receive(frame, now()),
            Outer::Control(body) => {
                if let control::Body::Refused(refused) = &body {
                    client.refused = RefusalReason::from_wire(refused.reason);
                }
                client.endpoint.receive_control(&body, &mut rng(), now());
            }
        }
        self.awake.insert(channel);
    }

    /// Lets every client do what it can.
    fn go_on(&mut self) {
        let (linked, back) = (self.link.is_some(), self.come_back);
        for id in std::mem::take(&mut self.awake) {
            let Some(client) = self.clients.get_mut(&id) else {
                continue;
            };
            if linked && back && client.lost && client.closed.is_none() {
                client.lost = false;
                client.endpoint.renew(&mut rng(), now()).expect("a renewal");
            }
            for outer in client.go_on() {
                if let Outer::Control(control::Body::Renew(renew)) = &outer {
                    client.serial = renew.serial;
                }
                let bytes = outer.encode();
                if let Some(recorded) = &mut self.recorded {
                    recorded.push(bytes.clone());
                }
                if linked {
                    self.to_worker.push_back(bytes);
                }
            }
        }
    }

    /// Until the next cut: some messages, counted from `rng`.
    pub(crate) fn cut_within(&mut self, most: u32) {
        self.cut_after = Some(1 + rng().next_u32() % most);
    }
}

impl Client {
    fn go_on(&mut self) -> Vec<Outer> {
        let mut out = Vec::new();
        loop {
            let before = out.len();
            let mut heard = false;
            while let Some(event) = self.endpoint.poll_event() {
                heard = true;
                if let Event::Closed { reason, .. } = &event {
                    self.closed = Some(*reason);
                }
                self.attached +=
                    u32::from(matches!(event, Event::Attached | Event::Established { .. }));
                self.lost |= matches!(event, Event::Detached);
                self.job.heed(&mut self.endpoint, event);
            }
            self.job.go_on(&mut self.endpoint);
            out.extend(std::iter::from_fn(|| self.endpoint.poll_outgoing(now())));
            if out.len() == before && !heard {
                return out;
            }
        }
    }

    pub(crate) fn job<J: 'static>(&self) -> &J {
        self.job.as_any().downcast_ref().expect("its job")
    }
}

/// How often somebody looks at what no message tells: the Worker's census.
const GLANCE: Duration = Duration::from_millis(20);

/// This Hub answers no heartbeat.
fn patient(mut config: WorkerConfig) -> WorkerConfig {
    config.timings.back_off.longest = Duration::from_millis(50);
    config.timings.rhythm.silence = PATIENCE;
    config.timings.rhythm.dead = PATIENCE * 2;
    config
}

pub(crate) fn id_of(body: &control::Body) -> ChannelId {
    let id = match body {
        control::Body::Opened(opened) => &opened.channel_id,
        control::Body::Refused(refused) => &refused.channel_id,
        control::Body::Renewed(renewed) => &renewed.channel_id,
        control::Body::Close(close) => &close.channel_id,
        // All changes here are number 0, and nobody waits for an answer to that.
        other @ (control::Body::AccessAcknowledged(_)
        | control::Body::Open(_)
        | control::Body::Incoming(_)
        | control::Body::Renew(_)
        | control::Body::AccessChanged(_)
        | control::Body::Goodbye(_)) => panic!("no Worker says {other:?}"),
    };
    ChannelId::try_from(&id[..]).expect("an id")
}

#[expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
