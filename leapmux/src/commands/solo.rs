//! `leapmux solo`: Hub and Worker in one process, joined by the wire that everybody uses.

use std::process::ExitCode;

use clap::Args;
use figment::value::Dict;
use hub_actors::{Hub, HubConfig, Mode};
use serde::Serialize;
use worker_actors::{Credentials, Worker, WorkerConfig, identity};
use zeroize::Zeroizing;

use super::{
    serve::{self, Daemon, Listening},
    worker::Running,
};
use crate::{
    layers::{Layers, LogConfig, set},
    lifecycle::Signals,
    logging, paths,
};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    running: Running,
}

/// Both roles, merged.
#[derive(Serialize)]
struct Both {
    hub: HubConfig,
    worker: WorkerConfig,
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (log, both) = merge(&options)?;
    if options.daemon.print_config {
        return serve::print_config(&log, &both);
    }
    logging::install(&log)?;
    serve::runtime()?.block_on(serve_both(both))?;
    Ok(ExitCode::SUCCESS)
}

fn merge(options: &Options) -> anyhow::Result<(LogConfig, Both)> {
    let data_dir = options
        .daemon
        .data_dir
        .clone()
        .map_or_else(|| paths::data_dir("solo"), Ok)?;
    let file = options.daemon.config.as_deref();

    let mut flags = options.daemon.flags()?;
    options.listening.set(&mut flags)?;
    let mut hub = HubConfig {
        mode: Mode::Solo,
        ..HubConfig::default()
    };
    hub.data_dir = data_dir.join("hub");
    hub.drain.spread_ms = 0;
    let layers = Layers::new("LEAPMUX_HUB_", file, flags)?.in_section("hub");
    let (log, hub) = serve::merge_hub(&layers, hub)?;

    let mut flags = Dict::new();
    options.running.set(&mut flags)?;
    set(&mut flags, "hub", Some(&hub.listen))?;
    let worker = super::worker::defaults(data_dir.join("worker"));
    let layers = Layers::new("LEAPMUX_WORKER_", file, flags)?.in_section("worker");
    let (_, worker) = layers.merge_over(&worker)?;
    Ok((log, Both { hub, worker }))
}

async fn serve_both(both: Both) -> anyhow::Result<()> {
    let mut signals = Signals::register()?;
    // The key first: a Hub without its Worker would be announced for nothing.
    let identity = identity::load_or_create(&both.worker.data_dir)?;
    let public_key = identity.public().as_bytes().to_vec().into();
    drop(identity);
    let hub = serve::start_hub(both.hub).await?;
    let bundled = hub.register_bundled_worker(public_key).await?;
    let token = Zeroizing::new(bundled.worker_token.expose().to_owned());
    let config = WorkerConfig {
        hub: dialled(&hub),
        ..both.worker
    };
    let credentials = Credentials::bundled(bundled.worker_id, token, hub.admin_user().clone());
    let worker = Worker::start(config, credentials).await?;
    let asked = tokio::select! {
        asked = until_asked(&mut signals, &hub, &worker) => asked,
        end = worker.ended() => Err(end.into()),
    };
    signals
        .hurry(async {
            worker.stop().await;
            hub.drain().await;
        })
        .await;
    asked
}

/// Says that both are there once they are; a signal before that is one to stop.
async fn until_asked(signals: &mut Signals, hub: &Hub, worker: &Worker) -> anyhow::Result<()> {
    tokio::select! {
        () = super::worker::online(worker) => serve::announce(hub)?,
        _ = signals.next() => return Ok(()),
    }
    serve::until_asked(signals, hub).await
}

/// Where the Worker finds the Hub of its own process.
fn dialled(hub: &Hub) -> String {
    match hub.addr().tcp() {
        Some(mut address) => {
            if address.ip().is_unspecified() {
                let loopback = if address.is_ipv4() {
                    [127, 0, 0, 1].into()
                } else {
                    std::net::Ipv6Addr::LOCALHOST.into()
                };
                address.set_ip(loopback);
            }
            format!("http://{address}")
        }
        None => hub.addr().to_string(),
    }
}
