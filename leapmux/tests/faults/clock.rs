//! Clocks that jump by two hours, there and back, under a running process.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use crate::{
    gauge::{report, seconds},
    rig::{HubRig, Launch, WorkerRig},
    support::http,
};

const JUMPS: [&str; 3] = ["+7200", "-7200", "+0"];

/// A wall clock that can be set; the monotonic one goes on, as it does in reality.
struct Clock {
    file: PathBuf,
}

impl Clock {
    fn new(home: &Path) -> Self {
        let clock = Self {
            file: home.join("clock"),
        };
        clock.jump("+0");
        clock
    }

    fn jump(&self, to: &str) {
        let next = self.file.with_extension("next");
        fs::write(&next, to).expect("ours");
        // At once: a process that reads an empty file has no clock at all.
        fs::rename(&next, &self.file).expect("ours");
    }

    fn launch(&self) -> Launch {
        Launch::default()
            .with("LD_PRELOAD", library())
            .with("FAKETIME_TIMESTAMP_FILE", &self.file)
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

/// The library behind the command `faketime`, wherever this machine's kind has its libraries.
fn library() -> PathBuf {
    let kinds = fs::read_dir("/usr/lib").expect("readable").flatten();
    let mut found = kinds.map(|kind| kind.path().join("faketime/libfaketime.so.1"));
    found
        .find(|library| library.exists())
        .expect("install the package faketime")
}

/// Seconds since 1970 on the test's own clock.
#[expect(clippy::disallowed_methods, reason = "these tests are about real time")]
fn unix_seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time")
}

fn assert_all_lives(hub: &HubRig) {
    let ended = [
        "worker", "silent", "replaced", "protocol", "offender", "draining", "slow", "error",
    ];
    for reason in ended {
        let series = format!(r#"leapmux_hub_link_disconnects_total{{reason="{reason}"}}"#);
        assert_eq!(hub.metric(&series), 0.0, "a link ended: {reason}");
    }
    assert_eq!(hub.is_online(), Some(true));
    let done = hub.short();
    assert!(done.status.success(), "{}", crate::support::errors(&done));
}

#[test]
fn a_jump_of_the_hubs_clock_ends_nothing_that_should_live() {
    let home = tempfile::tempdir().expect("a folder");
    let clock = Clock::new(home.path());
    let hub = HubRig::start_in(home, "127.0.0.1", clock.launch());
    let _worker = WorkerRig::start(&hub, Launch::default());
    let cookie = crate::crash::cookie(&hub.sign_in().expect("it answers"));
    let mut running = hub.running();
    for jump in JUMPS {
        clock.jump(jump);
        let offset: i64 = jump.parse().expect("a number");
        let off = expiry(&hub) - 300 - unix_seconds() - offset;
        assert!(off.abs() < 60, "{jump}: the clock did not jump: {off} s");
        let took = running.round_trip();
        report(
            &format!("Hub's clock {jump} s: a running command answers"),
            took,
            seconds(2),
        );
        let me = http::call(hub.url(), "AccountService/WhoAmI", &cookie, &json!({}));
        assert_eq!(
            me.expect("it answers").json()["signedIn"],
            true,
            "{jump}: signed out"
        );
        assert_all_lives(&hub);
    }
    assert!(running.lives());
}

/// When a registration key that is made now would expire, in seconds since 1970.
fn expiry(hub: &HubRig) -> i64 {
    let mut register = hub.remote();
    let made = register
        .args(["--json", "worker", "register"])
        .output()
        .expect("the binary starts");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    made["expires_unix_ms"]
        .as_i64()
        .unwrap_or_else(|| panic!("{made}"))
        / 1000
}

#[test]
fn a_jump_of_the_workers_clock_ends_nothing_that_should_live() {
    let hub = HubRig::start("127.0.0.1", Launch::default());
    let clock = Clock::new(hub.home());
    let worker = WorkerRig::start(&hub, clock.launch());
    let mut running = hub.running();
    for jump in JUMPS {
        clock.jump(jump);
        let took = running.round_trip();
        report(
            &format!("Worker's clock {jump} s: a running command answers"),
            took,
            seconds(2),
        );
        assert_all_lives(&hub);
    }
    assert!(running.lives());
    drop(worker);
}
