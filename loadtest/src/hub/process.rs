//! A Hub of our own, in its own folder, on free ports of loopback. It ends with the run.

use std::{
    fs::{self, OpenOptions},
    io::BufReader,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Serialize;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::clock::Clock;

/// A running process of ours, told to end when it is dropped, and made to end soon after.
pub(crate) struct Owned {
    child: Child,
}

impl Owned {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as the system does when memory is short: it gets no word in.
    ///
    /// # Errors
    ///
    /// It cannot be waited for.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("it cannot be killed")?;
        self.child.wait().context("it cannot be waited for")?;
        Ok(())
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    ///
    /// It has not ended in time.
    pub(crate) async fn terminate(&mut self, patience: Duration) -> anyhow::Result<()> {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )?;
        let clock = Clock::start();
        while !self.has_ended() {
            if clock.elapsed() > patience {
                bail!("it did not end in time");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn has_ended(&mut self) -> bool {
        // A child that cannot be asked about is not ours any more.
        !matches!(self.child.try_wait(), Ok(None))
    }
}

/// From SIGTERM to SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

impl Drop for Owned {
    fn drop(&mut self) {
        let clock = Clock::start();
        // Each may fail only because it has ended.
        let _ = kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        );
        while !self.has_ended() && clock.elapsed() < PATIENCE {
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Hub of our own.
pub(crate) struct OwnHub {
    process: Owned,
    folder: TempDir,
    binary: PathBuf,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The same, of health and metrics.
    pub(crate) admin_url: String,
}

/// How a Hub is made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Blow {
    /// SIGKILL: nobody is told.
    Kill,
    /// SIGTERM: it drains first.
    Term,
}

/// Longest wait for a process to say that it is ready.
const READY: Duration = Duration::from_secs(30);
/// Longest drain.
const DRAINED: Duration = Duration::from_secs(30);
const ANYWHERE: [&str; 2] = ["127.0.0.1:0", "127.0.0.1:0"];

impl OwnHub {
    /// Starts `binary`, with quotas that let one user be a whole population.
    ///
    /// # Errors
    ///
    /// With the end of its log.
    pub(crate) async fn start(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the Hub")?;
        let (process, url, admin_url) = launch(binary, folder.path(), ANYWHERE).await?;
        let binary = binary.to_owned();
        Ok(Self {
            process,
            folder,
            binary,
            url,
            admin_url,
        })
    }

    /// Ends it that way.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub(crate) async fn strike(&mut self, blow: Blow) -> anyhow::Result<()> {
        match blow {
            Blow::Kill => self.process.kill(),
            Blow::Term => self.process.terminate(DRAINED).await,
        }
    }

    /// Starts it again on the same folder and the same ports.
    ///
    /// # Errors
    ///
    /// With the end of its log.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        let bare = |url: &str| url.trim_start_matches("http://").to_owned();
        let (public, admin) = (bare(&self.url), bare(&self.admin_url));
        let (process, _, _) = launch(&self.binary, self.folder.path(), [&public, &admin]).await?;
        self.process = process;
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The token that it made for its admin.
    pub(crate) fn access_token_file(&self) -> PathBuf {
        self.folder.path().join("data").join("access-token")
    }
}

/// Gives the process and where it says that it listens: the public address, and the admin's.
async fn launch(
    binary: &Path,
    folder: &Path,
    [public, admin]: [&str; 2],
) -> anyhow::Result<(Owned, String, String)> {
    let mut log = OpenOptions::new();
    let log = log.create(true).append(true).open(log_path(folder));
    let log = log.context("the Hub's log")?;
    let mut command = Command::new(binary);
    command
        .arg("hub")
        .args(["--listen", public, "--admin-listen", admin])
        .args(["--log-level", "warn", "--data-dir"])
        .arg(folder.join("data"))
        .envs(QUOTAS)
        .stderr(log);
    let started = start(command, &["Admin: ", "LeapMux is ready: "]).await;
    let (process, said) = started.map_err(|error| {
        let log = fs::read_to_string(log_path(folder)).unwrap_or_default();
        error.context(format!("{} hub: {}", binary.display(), log.trim()))
    })?;
    let [admin, public] = said.as_slice() else {
        bail!("the Hub did not say where")
    };
    let bare = |url: &String| url.trim_end_matches('/').to_owned();
    Ok((process, bare(public), bare(admin)))
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// All sessions of a run belong to one user and come from one address, whom the usual quotas would stop.
const QUOTAS: [(&str, &str); 7] = [
    ("LEAPMUX_HUB_QUOTAS__SESSIONS_PER_USER", "100000"),
    ("LEAPMUX_HUB_QUOTAS__CHANNELS_PER_USER", "1000000"),
    ("LEAPMUX_HUB_QUOTAS__OPENS_PER_SECOND", "100000"),
    ("LEAPMUX_HUB_QUOTAS__OPENS_BURST", "100000"),
    ("LEAPMUX_HUB_QUOTAS__WORKERS_PER_USER", "10000"),
    ("LEAPMUX_HUB_QUOTAS__ORDERS_BURST", "100000"),
    ("LEAPMUX_HUB_QUOTAS__STRANGER_REQUESTS_BURST", "100000"),
];

/// Starts a command and waits until it has said a line with each prefix, in this order. Gives
/// what stood behind each.
///
/// # Errors
///
/// It cannot be started, ended, or said nothing in time.
pub(crate) async fn start(
    mut command: Command,
    prefixes: &[&'static str],
) -> anyhow::Result<(Owned, Vec<String>)> {
    let program = PathBuf::from(command.get_program());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("{} cannot be started", program.display()))?;
    let out = child.stdout.take().context("its standard output")?;
    let process = Owned { child };
    let (say, said) = oneshot::channel();
    let prefixes = prefixes.to_vec();
    // Ends with the child's standard output.
    thread::spawn(move || listen(BufReader::new(out), &prefixes, say));
    let said = tokio::time::timeout(READY, said)
        .await
        .context("it was not ready in time")?;
    Ok((process, said.context("it ended before it was ready")?))
}

fn listen(out: impl std::io::BufRead, prefixes: &[&str], say: oneshot::Sender<Vec<String>>) {
    let mut lines = out.lines().map_while(Result::ok);
    let mut said = Vec::new();
    for prefix in prefixes {
        let Some(line) = lines.find_map(|line| line.strip_prefix(prefix).map(str::to_owned)) else {
            return;
        };
        said.push(line);
    }
    // Who asked may have given up.
    let _ = say.send(said);
    // Read on, so that it never waits for a reader.
    lines.for_each(drop);
}
