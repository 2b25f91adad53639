//! One running server.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::{Database, cluster};

/// Kills the server when our end of its standard input is closed, which the kernel does for us
/// when this process ends in whatever way. Then nothing of it is left.
const KEEPER: &str = r#"
folder=$1; shift
"$@" & server=$!
read -r _
kill -QUIT $server
wait $server
rm -rf "$folder"
"#;

/// It is there within a second; a crowded machine may take its time.
const START: Duration = Duration::from_secs(60);

/// What a server shows who asks for TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
}

/// A server and its folder, both gone when this is dropped.
pub struct Server {
    programs: PathBuf,
    folder: String,
    port: u16,
    keeper: Child,
}

impl Server {
    /// Starts one, with TLS or without. Prefer [`crate::server`], which a process shares.
    ///
    /// # Panics
    ///
    /// Where PostgreSQL is not installed or does not start; the message says what to do.
    #[must_use]
    pub fn start(tls: Option<&Tls>) -> Self {
        let programs = cluster::programs();
        let mut said = String::new();
        // Another process may take the port before the server does.
        for _ in 0..5 {
            match Self::try_start(&programs, tls) {
                Ok(server) => return server,
                Err(why) => said = why,
            }
        }
        panic!("PostgreSQL does not start: {said}");
    }

    fn try_start(programs: &Path, tls: Option<&Tls>) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("pg-").tempdir();
        let folder = folder.expect("a temporary folder").keep();
        cluster::hand_over(&folder);
        let data = folder.join("data");
        cluster::make(programs, &data);
        write_tls(&data, tls);
        let folder = folder.to_str().expect("a path in UTF-8").to_owned();
        let port = free_port();
        let mut keeper = spawn(programs, &folder, &data, port, tls.is_some());
        let stderr = keeper.stderr.take().expect("it was asked for");
        // From here on the drop cleans up.
        let server = Self {
            programs: programs.to_owned(),
            folder,
            port,
            keeper,
        };
        wait(stderr).map(|()| server)
    }

    /// A new, empty database.
    ///
    /// # Panics
    ///
    /// Where the server refuses.
    #[must_use]
    pub fn create(&self, name: &str) -> Database {
        let port = self.port.to_string();
        cluster::run(
            cluster::command(&self.programs.join("createdb"))
                .args(["-h", &self.folder, "-p", &port, "-U", "postgres", name])
                .current_dir("/"),
        );
        Database {
            folder: self.folder.clone(),
            port: self.port,
            name: name.to_owned(),
        }
    }

    /// Runs SQL in a database, for what a test does behind the Hub's back; what it printed,
    /// columns separated by `|`.
    ///
    /// # Panics
    ///
    /// Where the server refuses.
    #[must_use]
    pub fn sql(&self, database: &Database, sql: &str) -> String {
        let port = self.port.to_string();
        let output = cluster::run(
            cluster::command(&self.programs.join("psql"))
                .args(["-h", &self.folder, "-p", &port, "-U", "postgres"])
                .args(["-d", &database.name, "-v", "ON_ERROR_STOP=1", "-qAtc", sql])
                .current_dir("/"),
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("it is bound").port()
}

fn write_tls(data: &Path, tls: Option<&Tls>) {
    let Some(tls) = tls else { return };
    for (name, content) in [("server.crt", &tls.certificate), ("server.key", &tls.key)] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = data.join(name);
        fs::write(&path, content).expect("our folder can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        cluster::hand_over(&path);
    }
}

fn spawn(programs: &Path, folder: &str, data: &Path, port: u16, tls: bool) -> Child {
    let mut command = cluster::command(Path::new("sh"));
    command
        .args(["-c", KEEPER, "keeper", folder])
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(data)
        .args(["-k", folder, "-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=16MB",
        "max_connections=200",
        "log_min_messages=log",
        if tls { "ssl=on" } else { "ssl=off" },
    ] {
        command.args(["-c", setting]);
    }
    // Its parent may be a test with a locale that is not installed.
    command.env("LC_ALL", "C").current_dir("/");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs")
}

/// Until it says that it is ready; afterwards somebody goes on reading what it says.
fn wait(stderr: ChildStderr) -> Result<(), String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _nobody_listens = tell.send(line);
        }
    });
    let mut said = String::new();
    while let Ok(line) = told.recv_timeout(START) {
        if line.contains("ready to accept connections") {
            return Ok(());
        }
        let _string = writeln!(said, "{line}");
    }
    Err(said)
}
