//! Starting and stopping: the threads, the actors, and the order in which they come and go.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use actix::{Actor as _, Addr, Arbiter};
use crypto::{Identity, Mode, PublicKey};
use schema::wire;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::{
    clock,
    config::WorkerConfig,
    delegation::{Delegations, Parts},
    device_book::{BookParts, DeviceBook},
    dial::{DialError, HubAddress},
    hub_link::{Census, EndReason, HubLink, LinkParts, LinkState},
    hub_state::{self, Credentials, StateError},
    identity::{self, IdentityError},
    messages::Stop,
    open_link::Caller,
    services::{Desks, Services, exec::Endings},
    store::{Store, StoreError},
    terminal::{
        environment::Environment,
        roster::{Habits, Roster},
    },
};

/// A running Worker. It has its own threads; dropping it stops it without waiting.
pub struct Worker {
    public_key: PublicKey,
    words: String,
    state: watch::Receiver<LinkState>,
    census: watch::Receiver<Census>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why a Worker did not start. One line that says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What it kept of its Hub.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Hub's address.
    #[error(transparent)]
    Address(#[from] DialError),
    /// The system has no more threads.
    #[error("the Worker's thread cannot be started")]
    Thread,
}

impl Worker {
    /// Starts a Worker and returns when it has its keys, its database and its terminals; the link
    /// to the Hub comes up by itself, and [`watch`](Self::watch) tells.
    ///
    /// # Errors
    ///
    /// Nothing runs then.
    pub async fn start(config: WorkerConfig, credentials: Credentials) -> Result<Self, StartError> {
        let hub = config.hub(credentials.hub.as_ref());
        let address: HubAddress = hub.url.parse()?;
        let config = WorkerConfig {
            ca_file: hub.ca_file,
            ..config
        };
        if let Some(warning) = config.device_trust.warning() {
            tracing::warn!("{warning}");
        }
        let (state, watched) = watch::channel(LinkState::Connecting);
        let (census, counted) = watch::channel(Census::default());
        let (stop, stopping) = oneshot::channel();
        let (tell_started, started) = oneshot::channel();
        let (tell_stopped, stopped) = oneshot::channel();
        let run = move || {
            let system = actix::System::new();
            system.block_on(life(
                Birth {
                    config,
                    hub: address,
                    credentials,
                    state,
                    census,
                },
                tell_started,
                stopping,
            ));
            // Nobody may be waiting any more.
            let _ = tell_stopped.send(());
        };
        let thread = thread::Builder::new().name("worker".into()).spawn(run);
        let thread = thread.map_err(|_| StartError::Thread)?;
        let identity = started.await.map_err(|_| StartError::Thread)??;
        let public_key = identity.public().clone();
        drop(identity);
        let key = public_key.clone();
        let words = tokio::task::spawn_blocking(move || crypto::fingerprint(key.as_bytes())).await;
        Ok(Self {
            public_key,
            words: words.unwrap_or_default(),
            state: watched,
            census: counted,
            stop: Some(stop),
            stopped: Some(stopped),
            thread: Some(thread),
        })
    }

    /// The Worker's composite public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// That key in four words.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// How the link to the Hub stands.
    #[must_use]
    pub fn state(&self) -> LinkState {
        *self.state.borrow()
    }

    /// The same, with its changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// How many channels it has.
    #[must_use]
    pub fn census(&self) -> Census {
        *self.census.borrow()
    }

    /// Resolves when the Worker cannot go on by itself.
    pub async fn ended(&self) -> EndReason {
        let mut state = self.state.clone();
        loop {
            if let LinkState::Ended(reason) = *state.borrow_and_update() {
                return reason;
            }
            if state.changed().await.is_err() {
                return EndReason::Stopped;
            }
        }
    }

    /// Says goodbye, stores the last screens, ends all programs, and waits for it.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have stopped by itself.
            let _ = stop.send(());
        }
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

struct Birth {
    config: WorkerConfig,
    hub: HubAddress,
    credentials: Credentials,
    state: watch::Sender<LinkState>,
    census: watch::Sender<Census>,
}

/// Everything that runs, in the order in which it started; it stops in the other.
struct Household {
    roster: Roster,
    link: Addr<HubLink>,
    arbiters: Vec<Arbiter>,
    follower: tokio::task::JoinHandle<()>,
    endings: Endings,
}

type Started = oneshot::Sender<Result<Arc<Identity>, StartError>>;

async fn life(birth: Birth, started: Started, stopping: oneshot::Receiver<()>) {
    match household(birth) {
        Ok((household, identity)) => {
            // Who started us may have given up; then the channel for stopping is gone as well.
            let _ = started.send(Ok(identity));
            let _ = stopping.await;
            household.stop().await;
        }
        Err(error) => {
            let _ = started.send(Err(error));
        }
    }
}

impl Household {
    async fn stop(self) {
        // It may have ended by itself.
        let _ = self.link.send(Stop).await;
        self.follower.abort();
        self.roster.stop(clock::unix_ms()).await;
        for arbiter in self.arbiters {
            arbiter.stop();
            // It has nothing left to do but end.
            let _ = tokio::task::spawn_blocking(move || arbiter.join()).await;
        }
        // With the arbiters went the last channel, and with each its commands.
        let endings = self.endings;
        let _ = tokio::task::spawn_blocking(move || endings.wait()).await;
    }
}

fn household(birth: Birth) -> Result<(Household, Arc<Identity>), StartError> {
    let Birth {
        config,
        hub,
        credentials,
        state,
        census,
    } = birth;
    let folder = config.data_dir.clone();
    let identity = Arc::new(identity::load_or_create(&folder)?);
    let store = Store::open(&folder)?;
    let mode = Mode::resolve(&config.encryption_mode);
    let caller = Arc::new(caller(&config, hub, &credentials, &identity, mode));
    let roster = Roster::start(
        store.clone(),
        habits(&config),
        Environment::of_this_process(),
    )?;
    hub_state::store(&folder, &credentials)?;
    let worker = credentials.worker_id.clone();
    let book = DeviceBook::open(BookParts {
        store,
        policy: config.device_trust.policy(),
        mode,
        worker: worker.clone(),
        owner: credentials.owner.clone(),
        first_use: credentials.first_use,
        local_device_file: config.local_device_file.clone(),
    })?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the household owns it and ends it in stop"
    )]
    let follower = tokio::task::spawn(book.clone().follow(config.timings.devices));
    let info = info(&config, &roster, mode);
    let delegations = Delegations::new(Parts {
        caller: Arc::clone(&caller),
        devices: book.clone(),
        worker: worker.clone(),
        public_key: identity.public().clone(),
        mode,
        hub: config.hub(credentials.hub.as_ref()).url,
        data_dir: folder,
    });
    let endings = Endings::default();
    let desks = Desks {
        roster: roster.clone(),
        devices: book,
        info,
        grace: config.timings.grace,
        endings: endings.clone(),
        delegations,
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let arbiters: Vec<Arbiter> = (0..cores.min(ARBITERS)).map(|_| Arbiter::new()).collect();
    let link = HubLink::new(LinkParts {
        caller,
        identity: Arc::clone(&identity),
        mode,
        worker,
        owner: credentials.owner,
        services: Services(Arc::new(desks)),
        timings: config.timings,
        detached_max: Duration::from_millis(config.detached_max_ms),
        arbiters: arbiters.iter().map(Arbiter::handle).collect(),
        cores,
        state,
        census,
    });
    let household = Household {
        roster,
        link: link.start(),
        arbiters,
        follower,
        endings,
    };
    Ok((household, identity))
}

fn caller(
    config: &WorkerConfig,
    hub: HubAddress,
    credentials: &Credentials,
    identity: &Identity,
    mode: Mode,
) -> Caller {
    Caller {
        hub,
        ca_file: config.ca_file.clone(),
        token: credentials.token.clone(),
        hello: wire::WorkerHello {
            encryption_mode: crate::announced_mode(mode).into(),
            public_key: identity.public().as_bytes().to_vec().into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        worker: credentials.worker_id.as_str().to_owned(),
        patience: config.timings.dial,
    }
}

fn habits(config: &WorkerConfig) -> Habits {
    Habits {
        scrollback_lines: config.scrollback_lines.min(SCROLLBACK_MAX),
        most: config.terminals.max(1),
        grace: config.timings.grace,
        keep_every: config.timings.keep,
        shell: config.shell.clone(),
        login_shell: config.login_shell,
    }
}

fn info(config: &WorkerConfig, roster: &Roster, mode: Mode) -> wire::WorkerInfo {
    let hostname = nix::unistd::gethostname().ok();
    wire::WorkerInfo {
        hostname: hostname
            .and_then(|name| name.into_string().ok())
            .unwrap_or_default(),
        operating_system: std::env::consts::OS.to_owned(),
        user: roster.person().name.clone(),
        home: roster.person().home.to_string_lossy().into_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        encryption_mode: crate::announced_mode(mode).into(),
        device_trust: config.device_trust.as_str().to_owned(),
    }
}

/// Threads for channels: sealing and opening is what they do.
const ARBITERS: usize = 4;
const SCROLLBACK_MAX: usize = 50_000;
