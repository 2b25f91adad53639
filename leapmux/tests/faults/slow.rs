//! Readers that take next to nothing, or nothing.

use std::process::{Child, Stdio};

use crate::{
    gauge::{now, report, seconds, since, until},
    rig::{HubRig, Launch, WorkerRig},
    valve::Valve,
};

/// A command that says more than anybody takes; ended when dropped.
struct Flood(Child);

impl Flood {
    fn start(hub: &HubRig, valve: &Valve) -> Self {
        let mut remote = hub.remote_by(&valve.url);
        remote.args(["exec", "--", "cat", "/dev/zero"]);
        remote.stdin(Stdio::null()).stdout(Stdio::null());
        Self(remote.spawn().expect("the binary starts"))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What four channels may hold in the Hub: each two queues of 5.4 MB and what the sockets have.
const MEMORY: u64 = 4 * 12 * 1024 * 1024;
const SESSIONS: &str = r#"leapmux_hub_sessions{kind="relay"}"#;

#[test]
fn a_slow_reader_hurts_nobody_else() {
    // Who takes nothing answers no ping either; at a pace fit for a test.
    let hub = Launch::default()
        .with("LEAPMUX_HUB_TIMEOUTS__PING_AFTER_MS", "2000")
        .with("LEAPMUX_HUB_TIMEOUTS__SESSION_DEAD_MS", "5000");
    let hub = HubRig::start("127.0.0.1", hub);
    let _worker = WorkerRig::start(&hub, Launch::default());
    let mut healthy = hub.running();
    let alone = healthy.median(200);
    let before = hub.memory();

    let (slow, stopped) = (Valve::start(hub.url()), Valve::start(hub.url()));
    // The command line logged in at the Hub's own address; these are others.
    for valve in [&slow, &stopped] {
        crate::support::log_in(crate::support::LEAPMUX, hub.home(), &valve.url, &hub.data());
    }
    let floods: Vec<_> = [&slow, &slow, &stopped, &stopped]
        .map(|valve| Flood::start(&hub, valve))
        .into();
    until("slow readers: connected", seconds(20), || {
        hub.metric(SESSIONS) == 5.0
    });
    until("slow readers: flooded", seconds(20), || {
        relayed(&hub) > 100e6
    });
    let wedged = now();
    slow.set(1024);
    stopped.set(0);

    let beside = healthy.median(200);
    eprintln!("fault: slow readers: round trip without them: {alone:?}");
    let bound = alone * 3 + std::time::Duration::from_millis(20);
    report("slow readers: round trip beside them", beside, bound);
    let grown = hub.memory().saturating_sub(before);
    eprintln!(
        "fault: slow readers: the Hub grew by {:.1} MB",
        grown as f64 / 1e6
    );
    assert!(grown < MEMORY, "the Hub grew by {grown} bytes");
    since(wedged, "slow readers: cut off", seconds(15), || {
        cut_off(&hub) >= 4.0
    });
    assert!(healthy.lives());
    healthy.round_trip();
    drop(floods);
}

fn cut_off(hub: &HubRig) -> f64 {
    let ended = |reason| {
        hub.metric(&format!(
            r#"leapmux_hub_session_disconnects_total{{reason="{reason}"}}"#
        ))
    };
    ended("silent") + ended("slow")
}

/// Bytes of ciphertext that the Hub has passed on.
fn relayed(hub: &HubRig) -> f64 {
    hub.metric(r#"leapmux_hub_relay_bytes_total{direction="to_client"}"#)
}
