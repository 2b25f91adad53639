//! A Hub, a Worker that registered with it, and a person who logged in, each a process.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    gauge::{seconds, until},
    running::Running,
    support::{Daemon, LEAPMUX, command, http, log_in, registration_key},
};

/// How a daemon is started.
#[derive(Default)]
pub(crate) struct Launch {
    /// Words before the binary's name: `unshare` and the like.
    pub(crate) prefix: Vec<OsString>,
    /// Its environment, besides the usual.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Launch {
    /// With a variable.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn command(&self, home: &Path) -> Command {
        let words = [&self.prefix[..], &[LEAPMUX.into()]].concat();
        let mut command = command(words[0].to_str().expect("text"), home);
        command.args(&words[1..]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The Hub's process and what is needed to start it again.
pub(crate) struct HubRig {
    home: tempfile::TempDir,
    launch: Launch,
    /// The running process.
    pub(crate) daemon: Daemon,
}

impl HubRig {
    /// Starts on a free port of `address` and logs the command line in.
    pub(crate) fn start(address: &str, launch: Launch) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self::start_in(home, address, launch)
    }

    /// The same in a home that was prepared.
    pub(crate) fn start_in(home: tempfile::TempDir, address: &str, launch: Launch) -> Self {
        let daemon = spawn(home.path(), &format!("{address}:0"), &launch);
        let hub = Self {
            home,
            launch,
            daemon,
        };
        log_in(LEAPMUX, hub.home(), hub.url(), &hub.data());
        hub
    }

    /// Starts again with the same data at the same address, when the last process has ended.
    pub(crate) fn restart(&mut self) {
        let listen = self.url().trim_start_matches("http://").to_owned();
        self.daemon = spawn(self.home(), &listen, &self.launch);
    }

    /// Everybody's home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its data folder, as its own process sees it.
    pub(crate) fn data(&self) -> PathBuf {
        let path = self.home().join("hub");
        let root = format!("/proc/{}/root", self.daemon.id());
        Path::new(&root).join(path.strip_prefix("/").expect("absolute"))
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.daemon.url
    }

    /// `leapmux remote --hub …`
    pub(crate) fn remote(&self) -> Command {
        self.remote_by(self.url())
    }

    /// The same by way of something in between.
    pub(crate) fn remote_by(&self, url: &str) -> Command {
        let mut command = command(LEAPMUX, self.home());
        command.args(["remote", "--hub", url]);
        command
    }

    /// A command that goes on running.
    pub(crate) fn running(&self) -> Running {
        Running::start(self.remote())
    }

    /// A command that is over at once.
    pub(crate) fn short(&self) -> Output {
        let mut remote = self.remote();
        remote.args(["exec", "--", "echo", "done"]);
        remote.output().expect("the binary starts")
    }

    /// One call as the person; none when the Hub does not answer.
    pub(crate) fn call(&self, method: &str, question: &Value) -> Option<http::Answer> {
        let token = fs::read_to_string(self.data().join("access-token")).ok()?;
        let credential = format!("Authorization: Bearer {}\r\n", token.trim());
        http::call(self.url(), method, &credential, question).ok()
    }

    /// A sign-in with the access token, as the page does it: it has to be written down.
    pub(crate) fn sign_in(&self) -> Option<http::Answer> {
        let token = fs::read_to_string(self.data().join("access-token")).ok()?;
        let question = json!({ "accessToken": token.trim() });
        http::call(self.url(), "AccountService/SignIn", "", &question).ok()
    }

    /// What ListWorkers says of the first Worker.
    pub(crate) fn is_online(&self) -> Option<bool> {
        let listed = self.call("WorkerService/ListWorkers", &json!({}))?;
        // proto3 JSON leaves out what is false.
        let worker = listed.json()["workers"].get(0)?.clone();
        Some(worker["online"].as_bool().unwrap_or_default())
    }

    /// One series of the Hub's metrics, as it is named there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let all = http::get(&self.daemon.admin, "/metrics")
            .expect("it answers")
            .text();
        let value = |line: &str| line.strip_prefix(series)?.trim().parse().ok();
        all.lines()
            .find_map(value)
            .unwrap_or_else(|| panic!("{series} is not in\n{all}"))
    }

    /// Resident memory of the Hub in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon.id()));
        let status = status.expect("our own process");
        let kib = |line: &str| {
            line.strip_prefix("VmRSS:")?
                .trim_end_matches("kB")
                .trim()
                .parse()
                .ok()
        };
        status
            .lines()
            .find_map(kib)
            .map(|kib: u64| kib * 1024)
            .expect("a size")
    }
}

fn spawn(home: &Path, listen: &str, launch: &Launch) -> Daemon {
    let mut command = launch.command(home);
    command.args(["hub", "--listen", listen, "--admin-listen"]);
    command
        .args(["127.0.0.1:0", "--data-dir"])
        .arg(home.join("hub"));
    let mut daemon = Daemon::launch(command);
    daemon.wait_until_ready();
    daemon
}

/// The Worker's process and what is needed to start it again.
pub(crate) struct WorkerRig {
    home: PathBuf,
    launch: Launch,
    /// The running process.
    pub(crate) daemon: Daemon,
}

impl WorkerRig {
    /// Registers with the Hub and waits until it is online.
    pub(crate) fn start(hub: &HubRig, launch: Launch) -> Self {
        let worker = Self::start_somewhere(hub, launch, |work| work());
        until("the Worker's first link", seconds(20), || {
            hub.is_online() == Some(true)
        });
        worker
    }

    /// The same, spawned by `place`, which goes into a namespace first; not waited for.
    pub(crate) fn start_somewhere(
        hub: &HubRig,
        launch: Launch,
        place: impl FnOnce(Box<dyn FnOnce() -> Daemon + Send>) -> Daemon,
    ) -> Self {
        let key = registration_key(LEAPMUX, hub.home(), hub.url());
        let mut command = arguments(hub.home(), &launch);
        command
            .args(["--hub", hub.url(), "--registration-key-file"])
            .arg(key);
        let daemon = place(Box::new(|| Daemon::launch(command)));
        Self {
            home: hub.home().to_owned(),
            launch,
            daemon,
        }
    }

    /// Starts again with the same data, when the last process has ended.
    pub(crate) fn restart(&mut self) {
        self.daemon = Daemon::launch(arguments(&self.home, &self.launch));
    }

    /// The command of a restart, for who wants to start it somewhere.
    pub(crate) fn again(&self) -> Command {
        arguments(&self.home, &self.launch)
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.join("worker")
    }
}

/// Classic mode: what these tests break is below the handshake, and its signatures are slow.
fn arguments(home: &Path, launch: &Launch) -> Command {
    let mut command = launch.command(home);
    command.args(["worker", "--encryption-mode", "classic", "--data-dir"]);
    command.arg(home.join("worker"));
    command
}
