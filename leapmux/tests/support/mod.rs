//! Starts the binary on free ports of loopback, waits for its word, and ends it by its id.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

pub(crate) mod http;
mod person;

pub(crate) use person::Person;

/// Longest wait for anything; a slow machine builds at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) const LEAPMUX: &str = env!("CARGO_BIN_EXE_leapmux");

/// A process of ours that has said where it listens.
pub(crate) struct Daemon {
    child: Child,
    /// Locked, so that what has a daemon can be shared between threads.
    lines: Mutex<Receiver<String>>,
    log: Option<JoinHandle<String>>,
    /// What `LeapMux is ready:` named, if it was waited for.
    pub(crate) url: String,
    /// What `Admin:` named.
    pub(crate) admin: String,
}

impl Daemon {
    /// Starts `binary` with a clean environment and waits for `LeapMux is ready`.
    pub(crate) fn start<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
        binary: &str,
        home: &Path,
        arguments: I,
    ) -> Self {
        let mut daemon = Self::spawn(binary, home, arguments);
        daemon.wait_until_ready();
        daemon
    }

    /// Starts `binary` and waits for nothing.
    pub(crate) fn spawn<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
        binary: &str,
        home: &Path,
        arguments: I,
    ) -> Self {
        let mut command = command(binary, home);
        command.args(arguments);
        Self::launch(command)
    }

    /// Starts a command as it is and waits for nothing.
    pub(crate) fn launch(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = read_lines(child.stdout.take().expect("piped"));
        let log = read_log(child.stderr.take().expect("piped"));
        Self {
            child,
            lines: Mutex::new(lines),
            log: Some(log),
            url: String::new(),
            admin: String::new(),
        }
    }

    /// Reads up to `LeapMux is ready`.
    pub(crate) fn wait_until_ready(&mut self) {
        while self.url.is_empty() {
            let line = self.line();
            if let Some(url) = line.strip_prefix("LeapMux is ready: ") {
                self.url = url.trim_end_matches('/').to_owned();
            } else if let Some(url) = line.strip_prefix("Admin: ") {
                self.admin = url.trim_end_matches('/').to_owned();
            }
        }
    }

    /// The next line of standard output; panics with the log when the process ends instead.
    pub(crate) fn line(&mut self) -> String {
        let lines = self.lines.get_mut().expect("no reader panics");
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was said in time:\n{}", self.stop()),
            Err(RecvTimeoutError::Disconnected) => panic!("it ended early:\n{}", self.stop()),
        }
    }

    /// SIGTERM, then the whole log. Ends in bounded time.
    pub(crate) fn stop(&mut self) -> String {
        self.signal(Signal::SIGTERM);
        wait(&mut self.child);
        self.log
            .take()
            .and_then(|log| log.join().ok())
            .unwrap_or_default()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // One that has ended already is not there to take it.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no goodbye.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        wait(&mut self.child);
    }

    /// Comes back when the process has ended by itself: its code and its log.
    pub(crate) fn finish(&mut self) -> (Option<i32>, String) {
        let code = wait(&mut self.child);
        (
            code,
            self.log
                .take()
                .and_then(|log| log.join().ok())
                .unwrap_or_default(),
        )
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn wait(child: &mut Child) -> Option<i32> {
    let (done, ended) = channel::<()>();
    let pid = Pid::from_raw(child.id().cast_signed());
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let status = child.wait().expect("our own child");
    drop(done);
    watchdog.join().expect("the watchdog does not panic");
    status.code()
}

fn read_lines(out: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn read_log(mut err: ChildStderr) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut log = Vec::new();
        let _ = err.read_to_end(&mut log);
        String::from_utf8_lossy(&log).into_owned()
    })
}

/// A command with an environment that holds nothing of ours but `PATH` and a home.
pub(crate) fn command(binary: &str, home: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("HOME", home)
        .env("SHELL", "/bin/sh");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs to the end with `input` on standard input.
pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    binary: &str,
    home: &Path,
    arguments: I,
    input: &[u8],
) -> Output {
    let mut child = command(binary, home)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let feeder = thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("our own child");
    feeder.join().expect("the feeder does not panic");
    output
}

/// What a command printed to standard output, as text.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command printed to standard error, as text.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Trades the access token of the Hub's data folder for a login of the command line.
pub(crate) fn log_in(binary: &str, home: &Path, hub: &str, data: &Path) {
    let token = fs::read(data.join("access-token")).expect("made at the first start");
    let login = run(binary, home, ["remote", "--hub", hub, "login"], &token);
    assert!(login.status.success(), "{}", errors(&login));
}

/// Has a registration key made; the file that holds it.
pub(crate) fn registration_key(binary: &str, home: &Path, hub: &str) -> PathBuf {
    let arguments = ["remote", "--hub", hub, "--json", "worker", "register"];
    let made = run(binary, home, arguments, b"");
    let made: serde_json::Value =
        serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{}", errors(&made)));
    let key = home.join("registration-key");
    fs::write(&key, made["registration_key"].as_str().expect("a key")).expect("ours");
    key
}

/// `leapmux solo` in its own home, on free ports.
pub(crate) struct Solo {
    home: tempfile::TempDir,
    /// The running process.
    pub(crate) daemon: Daemon,
}

impl Solo {
    /// Starts in a fresh home, on loopback.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    /// Starts in a fresh home, listening there.
    pub(crate) fn start_at(listen: &str, arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let daemon = Self::daemon(home.path(), listen, arguments);
        Self { home, daemon }
    }

    /// Starts again in the same home, at the same address.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        self.daemon.stop();
        let listen = self.daemon.url.trim_start_matches("http://").to_owned();
        self.daemon = Self::daemon(self.home.path(), &listen, arguments);
    }

    fn daemon(home: &Path, listen: &str, arguments: &[&str]) -> Daemon {
        let data = home.join("data");
        let fixed = [
            "solo",
            "--listen",
            listen,
            "--admin-listen",
            "127.0.0.1:0",
            "--data-dir",
        ];
        let fixed = fixed.iter().map(OsStr::new).chain([data.as_os_str()]);
        Daemon::start(LEAPMUX, home, fixed.chain(arguments.iter().map(OsStr::new)))
    }

    /// The home of everything.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Solo's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// `leapmux remote --hub … ARGUMENTS`.
    pub(crate) fn remote(&self, arguments: &[&str], input: &[u8]) -> Output {
        let fixed = ["remote", "--hub", &self.daemon.url];
        run(LEAPMUX, self.home(), fixed.iter().chain(arguments), input)
    }
}
