//! Connections that end with a bang, or without any word at all.

use std::process::Command;

use crate::{
    cells::{Cells, HERE},
    gauge::{now, seconds, since, until},
    rig::{HubRig, Launch, WorkerRig},
    running::Running,
    support::Daemon,
};

/// Silence after which either end of a link asks is 5 s; two and a half times that is the bound.
const LINK_BOUND: u64 = 13;

/// A Hub on this side of the wire and a Worker on the other, online.
fn apart(cells: &Cells) -> (HubRig, WorkerRig) {
    cells.here(|| {
        let hub = HubRig::start(HERE, Launch::default());
        let worker = WorkerRig::start_somewhere(&hub, Launch::default(), |work| cells.there(work));
        until("the Worker's first link", seconds(20), || {
            hub.is_online() == Some(true)
        });
        (hub, worker)
    })
}

#[test]
fn a_reset_link_is_seen_at_once_and_dialled_again() {
    let cells = Cells::new();
    let (hub, _worker) = apart(&cells);
    let mut running = cells.here(|| hub.running());
    let cut = now();
    cells.reset();
    cells.here(|| {
        since(cut, "link reset: detected by the Hub", seconds(1), || {
            hub.is_online() == Some(false)
        });
        since(cut, "link reset: Worker online again", seconds(5), || {
            hub.is_online() == Some(true)
        });
        running.lives_on(cut, "link reset", seconds(10));
        assert!(hub.short().status.success());
        assert_eq!(hub.metric("leapmux_hub_links"), 1.0);
    });
}

#[test]
fn both_ends_of_a_half_open_link_notice_by_silence() {
    let cells = Cells::new();
    let (hub, _worker) = apart(&cells);
    let mut running = cells.here(|| hub.running());
    let cut = now();
    cells.part();
    cells.here(|| {
        since(
            cut,
            "half-open link: detected by the Hub",
            seconds(LINK_BOUND),
            || hub.is_online() == Some(false),
        );
        let silent = r#"leapmux_hub_link_disconnects_total{reason="silent"}"#;
        assert_eq!(hub.metric(silent), 1.0);
    });
    since(
        cut,
        "half-open link: detected by the Worker",
        seconds(LINK_BOUND),
        || cells.connections().is_empty(),
    );
    let healed = now();
    cells.heal();
    cells.here(|| {
        since(
            healed,
            "half-open link: Worker online after the network came back",
            seconds(10),
            || hub.is_online() == Some(true),
        );
        running.lives_on(healed, "half-open link", seconds(15));
        assert!(hub.short().status.success());
    });
}

#[test]
fn a_new_link_wins_over_a_zombie() {
    let cells = Cells::new();
    let (hub, mut worker) = apart(&cells);
    let ports = cells.connections();
    assert_eq!(ports.len(), 1, "{ports:?}");
    // The Hub never hears of the end of this connection: to it, the link lives.
    cells.silence(ports[0]);
    worker.daemon.kill();
    let again = worker.again();
    worker.daemon = cells.there(|| Daemon::launch(again));
    cells.here(|| {
        until(
            "zombie link: replaced by the Worker's new one",
            seconds(5),
            || hub.metric(r#"leapmux_hub_link_disconnects_total{reason="replaced"}"#) == 1.0,
        );
        assert_eq!(hub.metric("leapmux_hub_links"), 1.0);
        assert_eq!(hub.is_online(), Some(true));
        assert!(hub.short().status.success());
    });
}

#[test]
fn both_ends_of_a_half_open_session_notice_by_silence() {
    let cells = Cells::new();
    let (hub, _worker, mut client) = cells.here(|| {
        // A ping after 2 s, dead after 5 s: two and a half intervals, at a pace fit for a test.
        let hub = Launch::default()
            .with("LEAPMUX_HUB_TIMEOUTS__PING_AFTER_MS", "2000")
            .with("LEAPMUX_HUB_TIMEOUTS__SESSION_DEAD_MS", "5000");
        let hub = HubRig::start(HERE, hub);
        let worker = WorkerRig::start(&hub, Launch::default());
        let remote: Command = hub.remote();
        let client = cells.there(|| Running::start(remote));
        (hub, worker, client)
    });
    let cut = now();
    cells.part();
    cells.here(|| {
        since(
            cut,
            "half-open session: detected by the Hub",
            seconds(7),
            || hub.metric(r#"leapmux_hub_sessions{kind="relay"}"#) == 0.0,
        );
    });
    since(
        cut,
        "half-open session: detected by the client",
        seconds(16),
        || cells.connections().is_empty(),
    );
    let healed = now();
    cells.heal();
    client.lives_on(healed, "half-open session", seconds(15));
    cells.here(|| assert!(hub.short().status.success()));
}
