//! What goes on while the Hub is killed under it: `remote exec` byte for byte, `remote terminal`
//! number for number.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{sys::signal::Signal, unistd::Pid};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::support::{
    Daemon, LEAPMUX, PATIENCE, Person, command, errors, log_in, registration_key,
};

/// Bytes of each direction; the measured run has more.
const MEGABYTES: usize = 20;
const KILLS: usize = 5;

/// A Hub and a Worker, each a process.
struct Pair {
    home: tempfile::TempDir,
    hub: Daemon,
    /// Ended by its drop.
    _worker: Daemon,
}

impl Pair {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let hub = hub(home.path(), "127.0.0.1:0");
        log_in(LEAPMUX, home.path(), &hub.url, &home.path().join("hub"));
        let key = registration_key(LEAPMUX, home.path(), &hub.url);
        let mut worker = command(LEAPMUX, home.path());
        worker.args(["worker", "--hub", &hub.url, "--data-dir"]);
        worker
            .arg(home.path().join("worker"))
            .arg("--registration-key-file")
            .arg(key);
        let pair = Self {
            hub,
            _worker: Daemon::launch(worker),
            home,
        };
        let answers = || {
            let output = pair.remote().args(["exec", "--", "true"]).output();
            output.expect("it starts").status.success()
        };
        assert!((0..100).any(|_| answers()), "no Worker");
        pair
    }

    /// SIGKILL, and the same again.
    fn kill_the_hub(&mut self) {
        self.hub.kill();
        let listen = self.hub.url.trim_start_matches("http://").to_owned();
        self.hub = hub(self.home.path(), &listen);
    }

    fn remote(&self) -> Command {
        let mut remote = command(LEAPMUX, self.home.path());
        remote.args(["remote", "--hub", &self.hub.url]);
        remote
    }
}

fn hub(home: &Path, listen: &str) -> Daemon {
    let data = home.join("hub");
    let arguments = ["hub", "--listen", listen, "--admin-listen", "127.0.0.1:0"];
    let data = ["--data-dir".as_ref(), data.as_os_str()];
    let arguments = arguments.iter().map(std::ffi::OsStr::new).chain(data);
    Daemon::start(LEAPMUX, home, arguments)
}

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

/// Gives what is read to another thread, which counts it.
fn counted(
    mut pipe: impl std::io::Read + Send + 'static,
) -> (Arc<AtomicUsize>, thread::JoinHandle<Vec<u8>>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let reading = thread::spawn(move || {
        let (mut all, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        while let Ok(read @ 1..) = pipe.read(&mut chunk) {
            all.extend_from_slice(&chunk[..read]);
            counting.store(all.len(), Ordering::SeqCst);
        }
        all
    });
    (count, reading)
}

fn ends(mut child: Child) -> Option<i32> {
    let (done, watch) = std::sync::mpsc::channel::<()>();
    let pid = Pid::from_raw(child.id().cast_signed());
    let watchdog = thread::spawn(move || {
        if watch
            .recv_timeout(PATIENCE)
            .is_err_and(|it| it == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        }
    });
    let status = child.wait().expect("our own child");
    drop(done);
    watchdog.join().expect("the watchdog does not panic");
    status.code()
}

#[test]
fn many_megabytes_each_way_lose_and_double_nothing_while_the_hub_is_killed_again_and_again() {
    let seed = number("LASTING_SEED").unwrap_or_else(|| rand::rng().random());
    println!("LASTING_SEED={seed}");
    let megabytes = number("LASTING_MEGABYTES").and_then(|it| usize::try_from(it).ok());
    let bytes = megabytes.unwrap_or(MEGABYTES) * 1_000_000;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut sent = vec![0; bytes];
    rng.fill_bytes(&mut sent);
    let mut kill_at: Vec<usize> = (0..KILLS).map(|_| rng.random_range(0..bytes)).collect();
    kill_at.sort_unstable();

    let mut pair = Pair::start();
    let mut child = pair
        .remote()
        .args(["exec", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (received, output) = counted(child.stdout.take().expect("piped"));
    let (_, said) = counted(child.stderr.take().expect("piped"));
    let mut input = child.stdin.take().expect("piped");
    let input = {
        let sent = sent.clone();
        thread::spawn(move || input.write_all(&sent))
    };
    #[expect(clippy::disallowed_methods, reason = "how long it takes is printed")]
    let start = Instant::now();
    for at in kill_at {
        while received.load(Ordering::SeqCst) < at && !output.is_finished() {
            thread::yield_now();
            thread::park_timeout(Duration::from_millis(1));
        }
        pair.kill_the_hub();
    }
    let code = ends(child);
    let (output, said) = (output.join().expect("read"), said.join().expect("read"));
    println!(
        "{bytes} bytes each way, {KILLS} kills, {:?}",
        start.elapsed()
    );
    let said = String::from_utf8_lossy(&said);
    assert_eq!(code, Some(0), "{} of {bytes} bytes: {said}", output.len());
    assert!(input.join().expect("written").is_ok(), "{said}");
    assert!(output == sent, "{} of {bytes} bytes", output.len());
    let notices = [
        "leapmux: connection lost, reconnecting",
        "leapmux: reconnected",
    ];
    assert!(said.lines().all(|line| notices.contains(&line)), "{said}");
}

#[test]
fn a_signal_reaches_a_command_that_reads_nothing_of_what_waits_for_it() {
    let pair = Pair::start();
    let script = "trap 'echo got; exit 7' INT; echo ready; while :; do sleep 0.05; done";
    let mut child = pair
        .remote()
        .args(["exec", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut output = child.stdout.take().expect("piped");
    let mut ready = [0; 6];
    output.read_exact(&mut ready).expect("it starts");
    // More than credit and all pipes hold: then the client waits, and so does this.
    let (written, filling) = {
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        let filling = thread::spawn(move || {
            while input.write_all(&[0; 4_096]).is_ok() {
                count.fetch_add(4_096, Ordering::SeqCst);
            }
        });
        (written, filling)
    };
    let mut before = 0;
    loop {
        thread::park_timeout(Duration::from_millis(500));
        let now = written.load(Ordering::SeqCst);
        if now == before && now > 1_000_000 {
            break;
        }
        before = now;
    }
    nix::sys::signal::kill(pid, Signal::SIGINT).expect("it runs");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "got\n");
    assert_eq!(ends(child), Some(7));
    filling.join().expect("it ends with the pipe");
}

#[test]
fn every_number_is_on_the_screen_once_and_in_order_after_the_hub_was_killed() {
    let mut pair = Pair::start();
    let mut person = Person::sit_down_at(LEAPMUX, pair.home.path(), &pair.hub.url, &[]);
    person.types("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo \"n$i.\"; sleep 0.02; done\r");
    person.sees("n40.");
    pair.hub.kill();
    // Typed into nothing: it waits, and arrives once.
    person.types("echo $((1200+34))late\r");
    person.sees("connection lost");
    pair.kill_the_hub();
    person.sees("n300.");
    person.sees("1234late");
    person.types("exit 5\r");
    assert_eq!(person.leaves(), 5);
    let seen: Vec<u32> = numbers(person.shown());
    assert_eq!(seen, (1..=300).collect::<Vec<_>>(), "{:?}", person.shown());
    assert_eq!(
        person.shown().matches("1234late").count(),
        1,
        "{:?}",
        person.shown()
    );
}

/// The numbers between `n` and a full stop, as they stand there.
fn numbers(text: &str) -> Vec<u32> {
    let number = |rest: &str| rest.split_once('.')?.0.parse().ok();
    text.split('n').filter_map(number).collect()
}

#[test]
fn who_leaves_while_the_hub_is_away_leaves_at_once() {
    let mut pair = Pair::start();
    let mut person = Person::sit_down_at(LEAPMUX, pair.home.path(), &pair.hub.url, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    pair.hub.kill();
    person.sees("connection lost");
    person.types("lost\r~.");
    person.sees("detached");
    assert_eq!(person.leaves(), 0);
    pair.kill_the_hub();
    // The Worker dials again in its own time.
    #[expect(clippy::disallowed_methods, reason = "a deadline")]
    let begun = Instant::now();
    loop {
        let listed = pair.remote().args(["terminal", "list"]).output();
        let listed = listed.expect("it starts");
        if listed.status.success() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", errors(&listed));
    }
}
