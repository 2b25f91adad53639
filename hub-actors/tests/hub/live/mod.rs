//! Live traffic through every kind of revocation: how long until the last frame, and none after it is
//! acknowledged; by this Hub, and by another process that writes into the same database.

use std::time::{Duration, Instant};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use hub_actors::{Census, HubConfig, Mode, StorageKind};
use schema::{
    frame::Outer,
    wire::{self, CloseReason, control::Body, to_worker},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::support::{
    Browser, PATIENCE, Person, Stopwatch, TestHub, TestWorker, base64, frame, open,
};

mod apart;
mod blind;
mod taken;

#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn now() -> Instant {
    Instant::now()
}

/// Another process's way to the database of a Hub.
enum Rows {
    Sqlite(std::path::PathBuf),
    Postgres(tokio_postgres::Client),
}

impl Rows {
    /// Runs statements in one transaction; when it was committed.
    async fn write(&self, statements: &str) -> Instant {
        match self {
            Self::Sqlite(path) => {
                let sql = format!("BEGIN IMMEDIATE; {statements}; COMMIT");
                let path = path.to_str().unwrap().to_owned();
                let written = tokio::task::spawn_blocking(move || {
                    let mut conn = SqliteConnection::establish(&path).unwrap();
                    conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                    conn.batch_execute(&sql).unwrap();
                    now()
                });
                written.await.unwrap()
            }
            Self::Postgres(client) => {
                let sql = format!("BEGIN; {statements}; COMMIT");
                client.batch_execute(&sql).await.unwrap();
                now()
            }
        }
    }

    /// Writes down that a topic was revoked, behind what makes it true.
    async fn revoke(&self, change: &str, kind: i16, subject: &str, reason: i16) -> Instant {
        self.write(&format!(
            "{change}; UPDATE ledger_counter SET last = last + 1; \
             INSERT INTO ledger (seq, kind, subject_id, reason, at_ms) \
             SELECT last, {kind}, '{subject}', {reason}, {} FROM ledger_counter",
            std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()
        ))
        .await
    }
}

/// A team of two: root has the Worker, and bob is let in by a share.
struct Team {
    hub: TestHub,
    rows: Rows,
    root: Person,
    bob: Person,
    workspace: String,
    worker_id: String,
    worker_token: String,
}

fn generous(config: &mut HubConfig) {
    config.sign_up = true;
    config.quotas.opens_burst = 10_000;
}

impl Team {
    async fn on_sqlite() -> Self {
        let hub = TestHub::with(Mode::Hub, generous).await;
        let rows = Rows::Sqlite(hub.folder.path().join("data/hub.db"));
        Self::of(hub, rows).await
    }

    async fn on_postgres(database: &test_postgres::Database) -> Self {
        Self::on_postgres_by(database, database.dsn(), |_| {}).await
    }

    /// The Hub's way to the database is another than that of this test.
    async fn on_postgres_by(
        database: &test_postgres::Database,
        dsn: String,
        change: impl FnOnce(&mut HubConfig),
    ) -> Self {
        let hub = TestHub::with(Mode::Hub, |config| {
            generous(config);
            config.storage.kind = StorageKind::Postgres;
            config.storage.postgres_dsn = dsn.into();
            change(config);
        });
        let hub = hub.await;
        let (client, connection) = tokio_postgres::connect(&database.dsn(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        Self::of(hub, Rows::Postgres(client)).await
    }

    async fn of(hub: TestHub, rows: Rows) -> Self {
        let (root, bob) = (hub.set_up().await, hub.sign_up("bob").await);
        let (worker_id, worker_token) = register(&hub, &root).await;
        let title = r#"{"title":"shared"}"#;
        let made = root.call(&hub, "WorkspaceService/CreateWorkspace", title);
        let made = made.await.json();
        let workspace = made["workspace"]["workspaceId"].as_str().unwrap();
        rows.write(&format!(
            "INSERT INTO memberships (organisation_id, user_id, role, joined_ms) \
             SELECT organisation_id, '{}', 1, 1 FROM workspaces WHERE id = '{workspace}'",
            bob.user_id
        ))
        .await;
        let team = Self {
            workspace: workspace.to_owned(),
            hub,
            rows,
            root,
            bob,
            worker_id,
            worker_token,
        };
        team.share().await;
        team.host().await;
        team
    }

    async fn workspace_call(&self, method: &str, json: &str) {
        let method = format!("WorkspaceService/{method}");
        let answer = self.root.call(&self.hub, &method, json).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text());
    }

    fn grantee(&self) -> String {
        let Self { workspace, bob, .. } = self;
        let user = &bob.user_id;
        format!(r#""workspaceId":"{workspace}","grantee":{{"userId":"{user}"}}"#)
    }

    async fn share(&self) {
        let json = format!(r#"{{{},"role":"ROLE_VIEWER"}}"#, self.grantee());
        self.workspace_call("ShareWorkspace", &json).await;
    }

    async fn unshare(&self) {
        let json = format!("{{{}}}", self.grantee());
        self.workspace_call("UnshareWorkspace", &json).await;
    }

    fn hosting(&self) -> String {
        let (workspace, worker) = (&self.workspace, &self.worker_id);
        format!(r#"{{"workspaceId":"{workspace}","workerId":"{worker}"}}"#)
    }

    async fn host(&self) {
        self.workspace_call("AttachWorker", &self.hosting()).await;
    }

    async fn unhost(&self) {
        self.workspace_call("DetachWorker", &self.hosting()).await;
    }

    async fn link(&self) -> TestWorker {
        TestWorker::link(&self.hub, &self.worker_token).await
    }

    async fn browser(&self, of: &Person) -> Browser {
        let cookie = of.cookie.clone();
        let opened = Browser::open_with(&self.hub, &[("Cookie", &cookie)]).await;
        opened.map_err(|refused| refused.0).unwrap()
    }
}

/// A Worker of this person's; its id and token.
async fn register(hub: &TestHub, owner: &Person) -> (String, String) {
    let create = format!(
        r#"{{"registrationId":"abcdefghijklmnop","deviceAlgorithm":1,"deviceKey":"{}","deviceTag":"{}"}}"#,
        base64(&[3; 32]),
        base64(&[4; 64]),
    );
    let created = owner.call(hub, "WorkerService/CreateRegistrationKey", &create);
    assert_eq!(created.await.status, 200);
    let register = format!(
        r#"{{"registrationId":"abcdefghijklmnop","publicKey":"{}","encryptionMode":2,"tag":"{}"}}"#,
        base64(&[7; 1664]),
        base64(&[5; 64]),
    );
    let registered = hub.call("WorkerRegistration/Register", &register).await;
    let registered = registered.json();
    let text = |key: &str| registered[key].as_str().unwrap().to_owned();
    (text("workerId"), text("workerToken"))
}

/// What one end heard.
struct Heard<T> {
    end: T,
    last_frame: Option<Instant>,
    close: CloseReason,
}

type Downward = SplitStream<WebSocketStream<TcpStream>>;

/// Frames both ways, every half millisecond or as often as the machine can, until both ends have
/// heard the Close.
struct Traffic {
    pumps: [JoinHandle<()>; 2],
    browser: JoinHandle<Heard<Downward>>,
    worker: JoinHandle<Heard<TestWorker>>,
    heard: [watch::Receiver<u64>; 2],
}

const PAUSE: Duration = Duration::from_micros(500);
/// So long nothing may come behind a Close, while frames are still sent.
const SILENCE: Duration = Duration::from_millis(20);

impl Traffic {
    /// Over an open channel of this id.
    fn begin(browser: Browser, worker: TestWorker, id: u8) -> Self {
        let (up, down) = browser.socket.split();
        let (of_browser, browser_heard) = watch::channel(0);
        let (of_worker, worker_heard) = watch::channel(0);
        let pumps = [
            tokio::spawn(pump_up(up, id)),
            tokio::spawn(pump_down(worker.to_hub.clone(), id)),
        ];
        Self {
            pumps,
            browser: tokio::spawn(hear_browser(down, of_browser)),
            worker: tokio::spawn(hear_worker(worker, of_worker)),
            heard: [browser_heard, worker_heard],
        }
    }

    async fn flows(&mut self) {
        for heard in &mut self.heard {
            let flows = heard.wait_for(|heard| *heard > 10);
            timeout(PATIENCE, flows).await.unwrap().unwrap();
        }
    }

    /// How long after this the last frame came to either end; nothing comes behind the Close.
    async fn ended(self, since: Instant) -> (Duration, TestWorker) {
        let (browser, worker) = (self.browser.await.unwrap(), self.worker.await.unwrap());
        assert_eq!(browser.close, CloseReason::Revoked);
        assert_eq!(worker.close, CloseReason::Revoked);
        let (mut down, mut link) = (browser.end, worker.end);
        while let Ok(Some(Ok(message))) = timeout(SILENCE, down.next()).await {
            let is_frame = match message {
                Message::Binary(raw) => matches!(Outer::parse(raw), Ok(Outer::Frame(_))),
                _ => false,
            };
            assert!(!is_frame, "a frame came behind the Close");
        }
        while let Ok(Ok(Some(message))) = timeout(SILENCE, link.from_hub.message()).await {
            if let Some(to_worker::Body::Relay(raw)) = message.body {
                let outer = Outer::parse(raw).unwrap();
                assert!(
                    !matches!(outer, Outer::Frame(_)),
                    "a frame behind the Close"
                );
            }
        }
        self.pumps.iter().for_each(JoinHandle::abort);
        let last = browser.last_frame.max(worker.last_frame);
        let after = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since));
        (after, link)
    }
}

async fn pump_up(mut up: SplitSink<WebSocketStream<TcpStream>, Message>, id: u8) {
    for correlation in 0.. {
        let raw = Outer::from(frame(id, correlation, &[1; 64])).encode();
        if up.send(Message::Binary(raw)).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn pump_down(to_hub: mpsc::Sender<wire::FromWorker>, id: u8) {
    for correlation in 0.. {
        let raw = Outer::from(frame(id, correlation, &[2; 64])).encode();
        let body = Some(wire::from_worker::Body::Relay(raw));
        if to_hub.send(wire::FromWorker { body }).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear_browser(mut end: Downward, heard: watch::Sender<u64>) -> Heard<Downward> {
    let mut last_frame = None;
    loop {
        let raw = match timeout(PATIENCE, end.next()).await.unwrap() {
            Some(Ok(Message::Binary(raw))) => raw,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            other => panic!("no Close came: {other:?}"),
        };
        match Outer::parse(raw).unwrap() {
            Outer::Frame(_) => {
                last_frame = Some(now());
                heard.send_modify(|heard| *heard += 1);
            }
            Outer::Control(Body::Close(close)) => {
                let close = close.reason();
                return Heard {
                    end,
                    last_frame,
                    close,
                };
            }
            Outer::Control(_) => {}
        }
    }
}

async fn hear_worker(mut end: TestWorker, heard: watch::Sender<u64>) -> Heard<TestWorker> {
    let mut last_frame = None;
    loop {
        match end.outer().await {
            Outer::Frame(_) => {
                last_frame = Some(now());
                heard.send_modify(|heard| *heard += 1);
            }
            Outer::Control(Body::Close(close)) => {
                let close = close.reason();
                return Heard {
                    end,
                    last_frame,
                    close,
                };
            }
            Outer::Control(_) => {}
        }
    }
}

/// What is revoked, with what makes it true, and how it is given again.
struct Taking {
    name: &'static str,
    take: String,
    kind: i16,
    subject: String,
    reason: i16,
    give: String,
}

impl Team {
    fn takings(&self, credential: &str) -> [Taking; 4] {
        let (workspace, user, worker) = (&self.workspace, &self.bob.user_id, &self.worker_id);
        [
            Taking {
                name: "credential",
                take: format!("UPDATE credentials SET revoked_ms = 1 WHERE id = '{credential}'"),
                kind: 1,
                subject: credential.to_owned(),
                reason: 6,
                give: format!("UPDATE credentials SET revoked_ms = NULL WHERE id = '{credential}'"),
            },
            Taking {
                name: "worker",
                take: format!("UPDATE workers SET name = 'other' WHERE id = '{worker}'"),
                kind: 2,
                subject: worker.clone(),
                reason: 12,
                give: "SELECT 1".to_owned(),
            },
            Taking {
                name: "access",
                take: "DELETE FROM workspace_shares".to_owned(),
                kind: 3,
                subject: format!("{workspace} {user}"),
                reason: 8,
                give: format!(
                    "INSERT INTO workspace_shares (workspace_id, grantee_kind, grantee_id, role, \
                     granted_by, granted_ms) VALUES ('{workspace}', 1, '{user}', 1, 'x', 1)"
                ),
            },
            Taking {
                name: "hosting",
                take: "DELETE FROM worker_workspaces".to_owned(),
                kind: 4,
                subject: format!("{worker} {workspace}"),
                reason: 2,
                give: format!(
                    "INSERT INTO worker_workspaces (worker_id, workspace_id) \
                     VALUES ('{worker}', '{workspace}')"
                ),
            },
        ]
    }

    /// Traffic of bob's through something that says since when it must be over.
    async fn through(
        &self,
        mut worker: TestWorker,
        id: u8,
        revoke: impl Future<Output = Instant>,
    ) -> (Duration, TestWorker) {
        let mut browser = self.browser(&self.bob).await;
        open(&mut browser, &mut worker, id, &self.worker_id).await;
        let mut traffic = Traffic::begin(browser, worker, id);
        traffic.flows().await;
        let since = revoke.await;
        traffic.ended(since).await
    }

    async fn passed_on(&self) -> f64 {
        let books = self.hub.books().await;
        books.sum("leapmux_hub_relay_messages_total", "")
    }
}

/// Of each kind so many. With more the figures are finer.
const ROUNDS: u8 = 10;

fn show(what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    println!(
        "{what}: p50 {:?}, p99 {:?}, of {}",
        at(50),
        at(99),
        took.len()
    );
    at(99)
}

async fn from_another_process(team: &Team) {
    let who = team.bob.call(&team.hub, "AccountService/WhoAmI", "{}");
    let credential = who.await.json()["credentialId"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut worker = team.link().await;
    for taking in team.takings(&credential) {
        let mut took = Vec::new();
        for round in 0..ROUNDS {
            let Taking {
                take,
                kind,
                subject,
                reason,
                ..
            } = &taking;
            let revoked = team.rows.revoke(take, *kind, subject, *reason);
            let (after, link) = team.through(worker, round, revoked).await;
            took.push(after);
            team.rows.write(&taking.give).await;
            worker = if taking.name == "worker" {
                team.link().await
            } else {
                link
            };
        }
        let longest = show(&format!("another process, {}", taking.name), took);
        assert!(longest < Duration::from_millis(250), "{longest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_revokes_stops_within_a_quarter_of_a_second_on_sqlite() {
    from_another_process(&Team::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_revokes_stops_within_a_quarter_of_a_second_on_postgres() {
    let database = test_postgres::database();
    from_another_process(&Team::on_postgres(&database).await).await;
}

/// From the request to the last frame; what was passed on when it was answered was the last.
async fn by_the_hub_itself(team: &Team) {
    let mut worker = team.link().await;
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..2 * ROUNDS {
        let is_access = round % 2 == 0;
        let passed_on = std::cell::Cell::new(0.0);
        let revoked = async {
            let asked = now();
            if is_access {
                team.unshare().await;
            } else {
                team.unhost().await;
            }
            passed_on.set(team.passed_on().await);
            asked
        };
        let (after, link) = team.through(worker, round, revoked).await;
        worker = link;
        assert_eq!(team.passed_on().await, passed_on.get(), "after the answer");
        took[usize::from(!is_access)].push(after);
        if is_access {
            team.share().await;
        } else {
            team.host().await;
        }
    }
    let [access, hosting] = took;
    show("this Hub, access, from the request", access);
    show("this Hub, hosting, from the request", hosting);
    let mut took = Vec::new();
    let revoked = async {
        let asked = now();
        let out = team.bob.call(&team.hub, "AccountService/SignOut", "{}");
        assert_eq!(out.await.status, 200);
        asked
    };
    took.push(team.through(worker, 200, revoked).await.0);
    show("this Hub, credential, from the request", took);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_revokes_has_stopped_when_it_says_so_on_sqlite() {
    by_the_hub_itself(&Team::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_revokes_has_stopped_when_it_says_so_on_postgres() {
    let database = test_postgres::database();
    by_the_hub_itself(&Team::on_postgres(&database).await).await;
}
