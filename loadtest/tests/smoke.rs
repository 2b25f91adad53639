//! The harness against a real Hub, small: everything arrives, and nothing is left behind.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The Hub's binary: `LEAPMUX_BIN`, or `leapmux` beside the harness.
fn hub() -> PathBuf {
    let beside = || Path::new(HARNESS).with_file_name("leapmux");
    let path = env::var_os("LEAPMUX_BIN").map_or_else(beside, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is missing: run 'cargo build -p leapmux' first",
        path.display()
    );
    path
}

const HARNESS: &str = env!("CARGO_BIN_EXE_leapmux-loadtest");

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(HARNESS);
    command.args(arguments).arg("--hub-bin").arg(hub());
    command.output().expect("the harness starts")
}

/// An echo run. Other tests share the machine, so a late send does not make it invalid.
fn echo(arguments: &[&str]) -> Value {
    let fixed = ["echo", "--json", "--lag-limit", "5s", "--warmup", "0s"];
    let output = run(&[&fixed[..], arguments].concat());
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    serde_json::from_str(&out).expect("one JSON object")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(report: &Value, pointer: &str) -> f64 {
    let value = report.pointer(pointer).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{pointer} is missing in {report}"))
}

fn everything_came_back(report: &Value) {
    let sent = number(report, "/delivery/sent");
    assert!(sent > 0.0, "{report}");
    assert_eq!(number(report, "/delivery/received"), sent);
    for wrong in ["duplicated", "reordered", "corrupted", "lost"] {
        assert_eq!(
            number(report, &format!("/delivery/{wrong}")),
            0.0,
            "{wrong}"
        );
    }
}

#[test]
fn two_hundred_sessions_leave_nothing_behind() {
    let report = echo(&[
        "--crypto",
        "opaque",
        "--sessions",
        "200",
        "--workers",
        "4",
        "--rate",
        "400",
        "--duration",
        "3s",
    ]);
    everything_came_back(&report);
    assert_eq!(number(&report, "/sessions/established"), 200.0);
    assert_eq!(number(&report, "/channels/established"), 200.0);
    for kind in ["sessions", "links", "channels"] {
        assert_eq!(
            number(&report, &format!("/after/{kind}")),
            0.0,
            "{kind} were left"
        );
    }
    // There and back, at least.
    assert!(number(&report, "/hub/frames") >= 2.0 * number(&report, "/delivery/sent"));
    assert!(number(&report, "/hub/cpu_us_per_frame") > 0.0);
}

#[test]
fn real_channels_in_both_modes_echo_everything() {
    for mode in ["classic", "pq"] {
        let report = echo(&[
            "--crypto",
            mode,
            "--sessions",
            "3",
            "--channels",
            "2",
            "--workers",
            "2",
            "--rate",
            "100",
            "--duration",
            "1s",
        ]);
        everything_came_back(&report);
        assert_eq!(number(&report, "/channels/established"), 6.0, "{mode}");
        assert_eq!(number(&report, "/after/channels"), 0.0, "{mode}");
    }
}

#[test]
fn a_gate_that_does_not_hold_is_told_apart_from_a_harness_that_was_too_slow() {
    let small = [
        "echo",
        "--crypto",
        "opaque",
        "--sessions",
        "2",
        "--workers",
        "1",
        "--rate",
        "50",
    ];
    let small = [&small[..], &["--duration", "500ms", "--warmup", "0s"]].concat();
    let failed = run(&[
        &small[..],
        &["--lag-limit", "5s", "--threshold", "service:p50<0ms"],
    ]
    .concat());
    assert_eq!(failed.status.code(), Some(99), "{}", text(&failed.stdout));
    let invalid = run(&[&small[..], &["--lag-limit", "0ms"]].concat());
    assert_eq!(invalid.status.code(), Some(4), "{}", text(&invalid.stdout));
    assert!(text(&invalid.stdout).contains("the harness was the limit"));
}

#[test]
fn a_hub_that_is_not_there_has_its_own_exit_code() {
    let mut command = Command::new(HARNESS);
    let output = command
        .args(["echo", "--hub", "http://127.0.0.1:1"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn the_bench_compares_both_relays_in_turns() {
    let output = run(&[
        "bench",
        "relay",
        "--json",
        "--sizes",
        "256",
        "--sessions",
        "2",
        "--alternations",
        "2",
        "--duration",
        "200ms",
    ]);
    // So short a bench may well be too noisy to be valid.
    assert!(
        matches!(output.status.code(), Some(0 | 4)),
        "{}",
        text(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    for figure in ["hub_cpu_us_per_frame", "splice_cpu_us_per_frame", "ratio"] {
        assert!(
            number(&report, &format!("/rows/0/{figure}/median")) > 0.0,
            "{figure}"
        );
    }
}

/// The report of a scenario that has to pass.
fn passed(arguments: &[&str]) -> Value {
    let output = run(&[arguments, &["--json"]].concat());
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    serde_json::from_str(&out).expect("one JSON object")
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    // So few cycles say nothing of memory, but all of counts.
    let report = passed(&[
        "churn",
        "--cycles",
        "160",
        "--warmup",
        "0",
        "--plateaus",
        "2",
        "--cut-every",
        "30",
        "--tolerance",
        "50",
    ]);
    let outcomes = ["gone", "cut_off", "failed"];
    let [gone, cut_off, failed] = outcomes.map(|one| number(&report, &format!("/outcomes/{one}")));
    assert_eq!((gone + cut_off, failed), (160.0, 0.0), "{report}");
    // One that was cut off may not have been open yet.
    assert!(number(&report, "/books/channels/came") >= gone, "{report}");
    for kind in ["sessions", "channels"] {
        let left = number(&report, &format!("/plateaus/1/connected/{kind}"));
        assert_eq!(left, 0.0, "{kind} were left");
    }
}

#[test]
fn one_more_of_each_kind_has_a_slope() {
    let small = ["--per-step", "40", "--real-per-step", "20", "--json"];
    let steps = ["memory", "--steps", "3", "--of", "session,link,classic"];
    let output = run(&[&steps[..], &small].concat());
    // So few may well be too noisy to be valid.
    assert!(
        matches!(output.status.code(), Some(0 | 4)),
        "{}",
        text(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    for (row, count) in [(0, 160.0), (1, 32.0), (2, 80.0)] {
        let last = number(&report, &format!("/rows/{row}/readings/2/count"));
        assert_eq!(last, count, "{report}");
        assert!(number(&report, &format!("/rows/{row}/slope/highest")) > 0.0);
    }
}

#[test]
fn channels_outlive_a_hub_that_is_killed_or_drained() {
    let small = ["--channels", "12", "--sessions", "3", "--workers", "2"];
    let once = ["--restarts", "1", "--every", "5s", "--rate", "60"];
    for (by, crypto) in [("kill", "classic"), ("term", "classic"), ("kill", "pq")] {
        let how = [
            "restart",
            "--lag-limit",
            "5s",
            "--by",
            by,
            "--crypto",
            crypto,
        ];
        let report = passed(&[&how[..], &small, &once].concat());
        everything_came_back(&report);
        assert_eq!(number(&report, "/signed_first"), 12.0, "{by} {crypto}");
        assert_eq!(number(&report, "/signed_later"), 0.0, "{by} {crypto}");
        assert_eq!(number(&report, "/blackout/count"), 12.0, "{by} {crypto}");
        assert_eq!(number(&report, "/clients/attached"), 12.0, "{by} {crypto}");
    }
}

/// A Hub that the test owns, to be killed by it.
struct Hub {
    child: Child,
    url: String,
    admin: String,
    folder: tempfile::TempDir,
}

impl Hub {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(hub())
            .args([
                "hub",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
            ])
            .args(["--log-level", "error", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Hub starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut said = |prefix: &str| {
            let line = lines.next().expect("a line").expect("text");
            let url = line
                .strip_prefix(prefix)
                .unwrap_or_else(|| panic!("{line}"));
            url.trim_end_matches('/').to_owned()
        };
        let (admin, url) = (said("Admin: "), said("LeapMux is ready: "));
        Self {
            child,
            url,
            admin,
            folder,
        }
    }

    /// Frames that it relayed so far, in both directions.
    fn frames(&self) -> u64 {
        let address = self.admin.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the admin port");
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("it answers");
        let series = page
            .lines()
            .filter(|line| line.starts_with("leapmux_hub_relay_messages_total"));
        series
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
fn a_hub_that_is_killed_under_load_is_a_failure_with_its_losses_counted() {
    let mut hub = Hub::start();
    let harness = Command::new(HARNESS)
        .args([
            "echo",
            "--json",
            "--lag-limit",
            "5s",
            "--crypto",
            "opaque",
            "--hub",
            &hub.url,
        ])
        .args([
            "--admin-url",
            &hub.admin,
            "--hub-pid",
            &hub.child.id().to_string(),
        ])
        .args([
            "--sessions",
            "4",
            "--workers",
            "1",
            "--rate",
            "2000",
            "--duration",
            "5s",
        ])
        .arg("--access-token-file")
        .arg(hub.folder.path().join("access-token"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the harness starts");
    let begin = Instant::now();
    while hub.frames() < 100 {
        assert!(begin.elapsed() < Duration::from_secs(20), "no load came");
    }
    hub.child.kill().expect("it is ours");
    let output = harness.wait_with_output().expect("it ends by itself");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(output.status.code(), Some(99), "{report}");
    assert!(number(&report, "/health/orphaned") > 0.0, "{report}");
    let lost = number(&report, "/delivery/sent") - number(&report, "/delivery/received");
    assert_eq!(number(&report, "/delivery/lost"), lost);
}
