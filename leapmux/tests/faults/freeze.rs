//! Processes that stand still for half a minute, as when the machine below them is moved.

use std::{thread, time::Duration};

use nix::sys::signal::Signal;

use crate::{
    gauge::{now, seconds, since},
    rig::{HubRig, Launch, WorkerRig},
};

const FREEZE: Duration = Duration::from_secs(30);

/// Both at once: a test that waits for half a minute takes another one's place meanwhile.
#[test]
fn a_frozen_process_is_noticed_and_catches_up_when_it_thaws() {
    thread::scope(|scope| {
        scope.spawn(the_hub);
        scope.spawn(the_worker);
    });
}

fn the_hub() {
    let hub = HubRig::start("127.0.0.1", Launch::default());
    let _worker = WorkerRig::start(&hub, Launch::default());
    let mut running = hub.running();
    hub.daemon.signal(Signal::SIGSTOP);
    thread::sleep(FREEZE);
    let thawed = now();
    hub.daemon.signal(Signal::SIGCONT);
    since(thawed, "frozen Hub: answers again", seconds(1), || {
        hub.is_online().is_some()
    });
    since(
        thawed,
        "frozen Hub: Worker usable again",
        seconds(20),
        || hub.is_online() == Some(true) && hub.short().status.success(),
    );
    running.lives_on(thawed, "frozen Hub", seconds(20));
    assert_eq!(hub.metric("leapmux_hub_links"), 1.0);
}

fn the_worker() {
    let hub = HubRig::start("127.0.0.1", Launch::default());
    let worker = WorkerRig::start(&hub, Launch::default());
    let mut running = hub.running();
    let frozen = now();
    worker.daemon.signal(Signal::SIGSTOP);
    since(
        frozen,
        "frozen Worker: detected by the Hub",
        seconds(13),
        || hub.is_online() == Some(false),
    );
    thread::sleep(FREEZE.saturating_sub(frozen.elapsed()));
    let thawed = now();
    worker.daemon.signal(Signal::SIGCONT);
    since(thawed, "frozen Worker: online again", seconds(10), || {
        hub.is_online() == Some(true)
    });
    running.lives_on(thawed, "frozen Worker", seconds(20));
    assert!(hub.short().status.success());
    assert_eq!(hub.metric("leapmux_hub_links"), 1.0);
}
