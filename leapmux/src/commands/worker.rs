//! `leapmux worker`.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use figment::value::Dict;
use worker_actors::{EndReason, LinkState, Worker, WorkerConfig, farewell, registration};
use zeroize::Zeroizing;

use super::serve::{self, Daemon};
use crate::say::say;
use crate::{
    layers::{Layers, set},
    lifecycle::Signals,
    logging, paths,
};

mod deregister;
mod devices;
mod fingerprint;
mod owner;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(flatten)]
    daemon: Daemon,
    /// The Hub: http://HOST:PORT, https://HOST or unix:PATH [default: the one it registered with, else http://127.0.0.1:4327]
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
    /// Register first, with a key made by 'leapmux remote worker register'
    #[arg(long, value_name = "KEY", conflicts_with = "registration_key_file")]
    registration_key: Option<String>,
    /// The same from a file, or from standard input with '-', so that no process list shows it
    #[arg(long, value_name = "FILE")]
    registration_key_file: Option<PathBuf>,
    #[command(flatten)]
    running: Running,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The devices that may open a channel to this Worker
    Devices(devices::Options),
    /// The four words of this Worker's key, to compare with what a browser shows
    Fingerprint(fingerprint::Options),
    /// Leave the Hub: it forgets this Worker, and this Worker its registration; key and data stay
    Deregister(deregister::Options),
    /// Whose Worker this is, when the Hub says that it was transferred
    Owner(owner::Options),
}

/// Flags of what runs a Worker.
#[derive(Args)]
pub(super) struct Running {
    /// post-quantum or classic; classic gives up protection against quantum computers
    #[arg(long, value_name = "MODE")]
    encryption_mode: Option<String>,
    /// known-devices; tofu trusts the first device of each user; any trusts whatever the Hub says
    #[arg(long, value_name = "POLICY")]
    device_trust: Option<String>,
    /// Start shells as login shells
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    login_shell: Option<bool>,
    /// How long a channel waits for a client that lost its connection [default: 300000]
    #[arg(long, value_name = "MS")]
    detached_max_ms: Option<u64>,
}

impl Running {
    pub(super) fn set(&self, flags: &mut Dict) -> anyhow::Result<()> {
        set(flags, "encryption_mode", self.encryption_mode.as_ref())?;
        set(flags, "device_trust", self.device_trust.as_ref())?;
        set(flags, "login_shell", self.login_shell)?;
        set(flags, "detached_max_ms", self.detached_max_ms)
    }
}

/// The given folder, or the one Worker's on this machine: a daemon's, or solo's.
fn found(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let folder = given.map_or_else(only, Ok)?;
    if !folder.join("identity.key").exists() {
        bail!("no Worker has run in {}", folder.display());
    }
    Ok(folder)
}

fn only() -> anyhow::Result<PathBuf> {
    let daemon = paths::data_dir("worker")?;
    let solo = paths::data_dir("solo")?.join("worker");
    match (daemon.is_dir(), solo.is_dir()) {
        (true, false) => Ok(daemon),
        (false, true) => Ok(solo),
        (true, true) => bail!(
            "there are two Workers here: say which with --data-dir {} or --data-dir {}",
            daemon.display(),
            solo.display()
        ),
        (false, false) => bail!("no Worker has run here: say where its data is with --data-dir"),
    }
}

/// The defaults of a Worker on this machine.
pub(super) fn defaults(data_dir: PathBuf) -> WorkerConfig {
    WorkerConfig {
        data_dir,
        // Without a home there is no command line of the same person beside this Worker.
        local_device_file: paths::remote_dir().ok().map(|dir| dir.join("device.pub")),
        ..WorkerConfig::default()
    }
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.command {
        Some(Command::Devices(command)) => return devices::run(command),
        Some(Command::Fingerprint(command)) => return fingerprint::run(command),
        Some(Command::Deregister(command)) => return deregister::run(command),
        Some(Command::Owner(command)) => return owner::run(command),
        None => {}
    }
    let mut flags = options.daemon.flags()?;
    options.running.set(&mut flags)?;
    set(&mut flags, "hub", options.hub.as_ref())?;
    set(&mut flags, "data_dir", options.daemon.data_dir.as_ref())?;
    let layers = Layers::new("LEAPMUX_WORKER_", options.daemon.config.as_deref(), flags)?;
    let defaults = defaults(paths::data_dir_or_none("worker"));
    let (log, config) = layers.merge_over(&defaults)?;
    paths::check_chosen(&config.data_dir)?;
    if options.daemon.print_config {
        return serve::print_config(&log, &config);
    }
    logging::install(&log)?;
    let key = registration_key(
        options.registration_key,
        options.registration_key_file.as_deref(),
    )?;
    serve::runtime()?.block_on(serve_worker(config, key))
}

/// The Hub sent this Worker away: whoever starts it again has to register it first.
const DEREGISTERED: u8 = 3;

fn registration_key(
    given: Option<String>,
    file: Option<&Path>,
) -> anyhow::Result<Option<Zeroizing<String>>> {
    let text = match (given, file) {
        (Some(text), _) => Zeroizing::new(text),
        (None, None) => return Ok(None),
        (None, Some(path)) => read_key(path)?,
    };
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

fn read_key(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if path == Path::new("-") {
        std::io::stdin()
            .take(4096)
            .read_to_string(&mut text)
            .context("standard input")?;
    } else {
        let file = std::fs::File::open(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        file.take(4096)
            .read_to_string(&mut text)
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(text)
}

async fn serve_worker(
    config: WorkerConfig,
    key: Option<Zeroizing<String>>,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::register()?;
    let known = registration::stored(&config.data_dir)?;
    let key = key.filter(|key| !registration::is_known(known.as_ref(), key));
    if let Some(key) = key {
        let registered = registration::register(&config, &key).await?;
        say!("Registered: this Worker is {}", registered.worker_words);
    }
    let Some(credentials) = registration::stored(&config.data_dir)? else {
        bail!(
            "this Worker belongs to no Hub yet: make a key with 'leapmux remote worker register' \
             and start it with --registration-key"
        );
    };
    let id = credentials.worker_id.clone();
    let worker = Worker::start(config.clone(), credentials).await?;
    let asked = tokio::select! {
        name = signals.next() => Ok(name),
        end = worker.ended() => Err(end),
        name = async {
            online(&worker).await;
            // Whether anybody reads it is not what the Worker lives for.
            let _ = crate::say::line(format_args!("Worker is online: {id}"));
            std::future::pending().await
        } => Ok(name),
    };
    if let Ok(signal) = asked {
        tracing::info!(signal, "stopping; a second signal stops at once");
    }
    // One that ended by itself has screens to store and programs to end all the same.
    signals.hurry(worker.stop()).await;
    match asked {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(EndReason::Deregistered) => sent_away(&config).await,
        Err(reason) => Err(reason.into()),
    }
}

/// Tells the Hub that its goodbye was heard. Only once the Hub has taken that, is the registration
/// forgotten: whoever stands in for the Hub for a moment cannot make a Worker forget where it
/// belongs.
async fn sent_away(config: &WorkerConfig) -> anyhow::Result<ExitCode> {
    farewell::leave(config)
        .await
        .context(EndReason::Deregistered)?;
    eprintln!(
        "leapmux: this Worker was deregistered. Its key and data are kept in {}; to bring it back, \
         start it with a new --registration-key",
        config.data_dir.display()
    );
    Ok(ExitCode::from(DEREGISTERED))
}

/// Comes back once the Worker's link to its Hub stands.
pub(super) async fn online(worker: &Worker) {
    let mut state = worker.watch();
    // An error means that the Worker ended, which its own future tells.
    if state
        .wait_for(|state| matches!(state, LinkState::Connected))
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}
