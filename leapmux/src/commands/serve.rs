//! What the daemons share: their flags, their merged configuration, and the line that says "ready".

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use figment::value::Dict;
use hub_actors::{Hub, HubConfig, SecretDsn};
use serde::Serialize;

use crate::say::say;
use crate::{
    layers::{self, Layers, LogConfig, LogFormat, set},
    lifecycle::Signals,
};

/// Flags of every daemon.
#[derive(Args)]
pub(super) struct Daemon {
    /// Folder of everything that has to survive a restart
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// YAML file; the environment and flags win over it
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// error, warn, info, debug, trace, or a filter like info,hub_actors=debug
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How events are written to standard error
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Print the merged configuration, secrets masked, and exit
    #[arg(long)]
    pub(super) print_config: bool,
}

/// Flags of what is a Hub.
#[derive(Args)]
pub(super) struct Listening {
    /// ADDRESS:PORT, or unix:PATH for a socket and no TCP port at all [default: 127.0.0.1:4327]
    #[arg(long, value_name = "WHERE")]
    listen: Option<String>,
    /// ADDRESS:PORT of health and metrics, or "" for none [default: 127.0.0.1:4328; none with unix:]
    #[arg(long, value_name = "WHERE")]
    admin_listen: Option<String>,
    /// Where browsers find this Hub, like https://hub.example.com
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl Daemon {
    /// The log flags, where they were given.
    pub(super) fn flags(&self) -> anyhow::Result<Dict> {
        let mut flags = Dict::new();
        set(&mut flags, "log_level", self.log_level.as_ref())?;
        set(&mut flags, "log_format", self.log_format)?;
        Ok(flags)
    }
}

impl Listening {
    /// Adds the flags that were given.
    pub(super) fn set(&self, flags: &mut Dict) -> anyhow::Result<()> {
        set(flags, "listen", self.listen.as_ref())?;
        set(flags, "admin_listen", self.admin_listen.as_ref())?;
        set(flags, "public_url", self.public_url.as_ref())
    }
}

/// Flags of a Hub's database.
#[derive(Args)]
pub(super) struct Storing {
    /// sqlite: a file in the data folder; postgres: a server [default: sqlite]
    #[arg(long, global = true, value_name = "TYPE")]
    storage_type: Option<String>,
    /// postgres://USER@HOST/NAME?sslmode=verify-full; one with a password belongs in a file
    #[arg(long, global = true, value_name = "DSN")]
    storage_postgres_dsn: Option<String>,
    /// File with the DSN in it, readable for no strangers
    #[arg(long, global = true, value_name = "FILE")]
    storage_postgres_dsn_file: Option<PathBuf>,
}

impl Storing {
    /// Adds the flags that were given. Arguments are for all users of a machine to see.
    pub(super) fn set(&self, flags: &mut Dict) -> anyhow::Result<()> {
        let dsn = self.storage_postgres_dsn.clone().map(SecretDsn::from);
        anyhow::ensure!(
            !dsn.as_ref().is_some_and(SecretDsn::has_password),
            "--storage-postgres-dsn: a password in an argument is seen by every user of this \
             machine; put the DSN into a file and give --storage-postgres-dsn-file, or into \
             LEAPMUX_HUB_STORAGE__POSTGRES_DSN",
        );
        set(flags, "storage.type", self.storage_type.as_ref())?;
        set(flags, "storage.postgres_dsn", dsn)?;
        let file = self.storage_postgres_dsn_file.as_ref();
        set(flags, "storage.postgres_dsn_file", file)
    }
}

/// Merges a Hub's layers over `defaults`. With a Unix socket there is no TCP port at all unless
/// one is asked for: health and metrics are then off by default. Who is let in is what the
/// command says, not a layer: a leftover `solo` would make every visitor the admin.
pub(super) fn merge_hub(
    layers: &Layers,
    mut defaults: HubConfig,
) -> anyhow::Result<(LogConfig, HubConfig)> {
    let (log, merged) = layers.merge_over(&defaults)?;
    anyhow::ensure!(
        merged.mode == defaults.mode,
        "mode: {} is not for this command; run `leapmux {}`, or remove it from the file and the \
         environment",
        merged.mode.label(),
        merged.mode.label(),
    );
    if !merged.listen.starts_with("unix:") {
        return Ok((log, merged));
    }
    defaults.admin_listen = String::new();
    layers.merge_over(&defaults)
}

/// `--print-config`.
pub(super) fn print_config<T: Serialize>(log: &LogConfig, role: &T) -> anyhow::Result<ExitCode> {
    say!("{}", layers::print(log, role)?);
    Ok(ExitCode::SUCCESS)
}

/// Starts a Hub and shows its warning, if it has one, whatever the log level.
pub(super) async fn start_hub(config: HubConfig) -> anyhow::Result<Hub> {
    let quiet = !tracing::enabled!(tracing::Level::WARN);
    let hub = Hub::start(config).await?;
    if let Some(warning) = hub.warning().filter(|_| quiet) {
        eprintln!("leapmux: {warning}");
    }
    Ok(hub)
}

/// Tells people and scripts where the Hub is: two lines on standard output, flushed.
pub(super) fn announce(hub: &Hub) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(admin) = hub.admin_addr() {
        writeln!(out, "Admin: http://{admin}/")?;
    }
    match hub.addr().tcp() {
        Some(address) => writeln!(out, "LeapMux is ready: http://{address}/")?,
        None => writeln!(out, "LeapMux is ready: {}", hub.addr())?,
    }
    out.flush().context("standard output")
}

/// Waits for a signal, or for the Hub to die by itself, which is an error.
pub(super) async fn until_asked(signals: &mut Signals, hub: &Hub) -> anyhow::Result<()> {
    tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "draining; a second signal stops at once");
            Ok(())
        }
        () = hub.ended() => anyhow::bail!("the Hub stopped by itself; its log says why"),
    }
}

/// The runtime of a daemon.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .context("the runtime cannot start")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(dsn: &str) -> anyhow::Result<Dict> {
        let storing = Storing {
            storage_type: Some("postgres".to_owned()),
            storage_postgres_dsn: Some(dsn.to_owned()),
            storage_postgres_dsn_file: None,
        };
        let mut flags = Dict::new();
        storing.set(&mut flags).map(|()| flags)
    }

    #[test]
    fn a_password_in_an_argument_is_refused_and_not_repeated() {
        let refused = flags("postgres://hub:hunter2@db/leapmux").unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("--storage-postgres-dsn-file"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn flags_of_the_database_reach_its_settings() {
        let flags = flags("postgres://hub@db/leapmux").unwrap();
        let layers = Layers::new("LEAPMUX_TEST_STORING_", None, flags).unwrap();
        let (log, config) = layers.merge_over(&HubConfig::default()).unwrap();
        assert_eq!(config.storage.kind, hub_actors::StorageKind::Postgres);
        assert_eq!(
            config.storage.postgres_dsn.expose(),
            "postgres://hub@db/leapmux"
        );
        let printed = layers::print(&log, &config).unwrap();
        assert!(!printed.contains("hub@db"), "{printed}");
    }
}
