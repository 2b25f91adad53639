//! A running Hub: its threads, its servers, and how it goes down.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_rt::System;
use actix_server::ServerHandle;
use bytes::Bytes;
use schema::ids::{UserId, WorkerId};
use tokio::sync::{oneshot, watch};

use crate::{
    admin,
    config::{HubConfig, Mode, ms},
    drain,
    listen::{self, Bound, SocketFile},
    messages::{Census, RefuseNew, SendAway, TakeCensus},
    servers,
    start::{self, Foundation, StartError},
    state::{State, ask},
    telemetry,
    token::SecretText,
    workers,
};

/// What is said when solo can be reached from elsewhere.
const SOLO_EXPOSED: &str = "solo mode is binding to a non-loopback address — every request is \
auto-authenticated as the admin, so anyone who can reach this port has full admin access without \
credentials. Restrict access externally (firewall, Tailscale/WireGuard, SSH tunnel) or run \
leapmux hub for real authentication.";

/// A running Hub. Dropping it stops it at once; [`drain`](Self::drain) stops it politely.
pub struct Hub {
    bound: Bound,
    admin_addr: Option<SocketAddr>,
    state: Arc<State>,
    alive: watch::Receiver<()>,
    stop: std::sync::Mutex<Option<oneshot::Sender<()>>>,
    stopped: watch::Receiver<bool>,
}

/// The Worker that solo brings along.
pub struct BundledWorker {
    /// The same for the same data folder.
    pub worker_id: WorkerId,
    /// For its link; a new one at each start.
    pub worker_token: SecretText,
}

impl Hub {
    /// Starts a Hub on threads of its own; it serves when this returns.
    ///
    /// # Errors
    ///
    /// [`StartError`]: one line that says what to do.
    pub async fn start(config: HubConfig) -> Result<Self, StartError> {
        let (ready, started) = oneshot::channel();
        std::thread::Builder::new()
            .name("hub".to_owned())
            .spawn(move || run(config, ready))?;
        started.await.map_err(|_| StartError::Ended)?
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> &Bound {
        &self.bound
    }

    /// Where health and metrics are, if anywhere.
    #[must_use]
    pub const fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// What the person who started it must know.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        listen::exposes_solo(&self.state.config, &self.bound).then_some(SOLO_EXPOSED)
    }

    /// The admin, who owns a bundled Worker.
    #[must_use]
    pub fn admin_user(&self) -> &UserId {
        &self.state.admin.id
    }

    /// Makes solo's own Worker known, with the key that it has now.
    ///
    /// # Errors
    ///
    /// [`StartError`] outside solo, for a key of another length, and for a failing database.
    pub async fn register_bundled_worker(
        &self,
        public_key: Bytes,
    ) -> Result<BundledWorker, StartError> {
        if self.state.config.mode != Mode::Solo {
            return Err(StartError::NotSolo);
        }
        let owner = self.state.admin.id.clone();
        let (worker_id, worker_token) =
            workers::register_bundled(&self.state, owner, public_key).await?;
        Ok(BundledWorker {
            worker_id,
            worker_token,
        })
    }

    /// How many of everything there are; all zero once it has stopped.
    pub async fn census(&self) -> Census {
        ask(&self.state.registry, TakeCensus)
            .await
            .unwrap_or_default()
    }

    /// Not ready, nobody new, goodbyes in slices, a while for everybody to go, and down.
    pub async fn drain(&self) {
        let times = self.state.config.drain.clone();
        self.state.draining.store(true, Ordering::Release);
        telemetry::draining();
        telemetry::ready(false);
        tokio::time::sleep(ms(times.delay_ms)).await;
        let total = ask(&self.state.registry, RefuseNew)
            .await
            .unwrap_or_default();
        tracing::info!(total, "draining");
        for slice in drain::slices(total, ms(times.spread_ms)) {
            let order = SendAway {
                count: slice.count,
                reconnect_after: slice.reconnect_after,
            };
            // A Registry that is gone has nobody left.
            let _told = ask(&self.state.registry, order).await;
            tokio::time::sleep(slice.pause).await;
        }
        let gone = tokio::time::timeout(ms(times.timeout_ms), self.everybody_gone()).await;
        tracing::info!(all = gone.is_ok(), "drained");
        self.stop().await;
    }

    /// Resolves when the Hub is no more, asked to or not.
    pub async fn ended(&self) {
        let mut alive = self.alive.clone();
        while alive.changed().await.is_ok() {}
    }

    async fn everybody_gone(&self) {
        while !self.census().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(&self) {
        let stop = self
            .stop
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        drop(stop);
        let mut stopped = self.stopped.clone();
        let ended = stopped.wait_for(|stopped| *stopped);
        // The thread's own waits are shorter; past this it is stuck, and the process ends anyway.
        let _in_time = tokio::time::timeout(Duration::from_secs(10), ended).await;
    }
}

/// The life of the Hub's first thread.
fn run(config: HubConfig, ready: oneshot::Sender<Result<Hub, StartError>>) {
    let system = System::new();
    let metrics = telemetry::install(config.mode);
    let served = system.block_on(async {
        let foundation = start::lay(config).await?;
        serve(foundation, metrics)
    });
    let (hub, serving) = match served {
        Ok(served) => served,
        Err(error) => {
            // Whoever asked may have gone.
            let _unheard = ready.send(Err(error));
            return end(system);
        }
    };
    let _unheard = ready.send(Ok(hub));
    let stopped = system.block_on(serving.until_stopped());
    end(system);
    drop(stopped.folder);
    let _nobody_waits = stopped.done.send(true);
}

/// Ends the system's threads.
fn end(system: actix_rt::SystemRunner) {
    System::current().stop();
    if let Err(error) = system.run() {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the actor system ended badly"
        );
    }
}

/// What the first thread holds while others work.
struct Serving {
    folder: crate::folder::Folder,
    socket: Option<SocketFile>,
    server: ServerHandle,
    admin: Option<ServerHandle>,
    stop: oneshot::Receiver<()>,
    done: watch::Sender<bool>,
}

struct Stopped {
    folder: crate::folder::Folder,
    done: watch::Sender<bool>,
}

impl Serving {
    async fn until_stopped(self) -> Stopped {
        // Dropped or used, it means the same.
        let _asked = self.stop.await;
        self.server.stop(false).await;
        if let Some(admin) = self.admin {
            admin.stop(false).await;
        }
        drop(self.socket);
        Stopped {
            folder: self.folder,
            done: self.done,
        }
    }
}

fn serve(
    foundation: Foundation,
    metrics: Option<metrics_exporter_prometheus::PrometheusHandle>,
) -> Result<(Hub, Serving), StartError> {
    let Foundation {
        folder,
        state,
        listener,
        admin,
        bound,
        admin_addr,
        alive,
    } = foundation;
    let (server, socket) = servers::serve_http(&state, listener)?;
    let handle = server.handle();
    actix_rt::spawn(server);
    let admin = match admin {
        None => None,
        Some(listener) => {
            let server = admin::serve(listener, Arc::clone(&state), metrics)?;
            let handle = server.handle();
            actix_rt::spawn(server);
            Some(handle)
        }
    };
    telemetry::ready(true);
    let (stop, asked) = oneshot::channel();
    let (done, stopped) = watch::channel(false);
    let hub = Hub {
        bound,
        admin_addr,
        state,
        alive,
        stop: std::sync::Mutex::new(Some(stop)),
        stopped,
    };
    if let Some(warning) = hub.warning() {
        tracing::warn!("{warning}");
    }
    let serving = Serving {
        folder,
        socket,
        server: handle,
        admin,
        stop: asked,
        done,
    };
    Ok((hub, serving))
}
