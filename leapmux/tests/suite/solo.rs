//! `leapmux solo`, from the door that people use.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Daemon, LEAPMUX, Solo, errors, http, run, text};

fn get(address: &str, head: &str) -> String {
    let answer = http::raw(address, head, b"").expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_page_comes_with_a_strict_policy() {
    let solo = Solo::start(&[]);
    let host = solo.daemon.url.trim_start_matches("http://").to_owned();
    let answer = get(&host, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(answer.contains(part), "{part} is missing");
    }
}

#[test]
fn a_foreign_host_header_is_misdirected() {
    let solo = Solo::start(&[]);
    let host = solo.daemon.url.trim_start_matches("http://").to_owned();
    let answer = get(&host, "GET / HTTP/1.1\r\nHost: evil.example\r\n");
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
}

#[test]
fn health_and_metrics_are_on_the_admin_door_only() {
    let solo = Solo::start(&[]);
    let admin = solo.daemon.admin.clone();
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = get(
            &admin,
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let host = solo.daemon.url.trim_start_matches("http://").to_owned();
    let answer = get(&host, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n"));
    assert!(
        !answer.contains("leapmux_hub_"),
        "metrics are public: {answer}"
    );
}

#[test]
fn beyond_loopback_solo_warns_word_for_word() {
    let mut solo = Solo::start_at("0.0.0.0:0", &[]);
    let log = solo.daemon.stop();
    let warning = "solo mode is binding to a non-loopback address \u{2014} every request is \
        auto-authenticated as the admin, so anyone who can reach this port has full admin access \
        without credentials. Restrict access externally (firewall, Tailscale/WireGuard, SSH \
        tunnel) or run leapmux hub for real authentication.";
    assert!(log.contains(warning), "{log}");
}

#[test]
fn a_unix_socket_can_be_the_only_door() {
    let home = tempfile::tempdir().expect("a folder");
    let socket = home.path().join("hub.sock");
    let listen = format!("unix:{}", socket.display());
    let data = home.path().join("data");
    let data = data.to_str().expect("text");
    let arguments = ["solo", "--listen", &listen, "--data-dir", data];
    let mut daemon = Daemon::start(LEAPMUX, home.path(), arguments);
    assert_eq!(daemon.url, listen);
    assert_eq!(daemon.admin, "", "a TCP port is open");
    let mode = std::fs::metadata(&socket)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let arguments = [
        "remote",
        "--hub",
        &listen,
        "exec",
        "--",
        "echo",
        "through the socket",
    ];
    let output = run(LEAPMUX, home.path(), arguments, b"");
    assert_eq!(text(&output), "through the socket\n", "{}", errors(&output));
    daemon.stop();
    assert!(!socket.exists(), "the socket is left behind");
}

#[test]
fn a_second_start_keeps_the_worker_and_its_key() {
    let mut solo = Solo::start(&[]);
    let list = |solo: &Solo| text(&solo.remote(&["--json", "worker", "list"], b""));
    let key = |solo: &Solo| std::fs::read(solo.data().join("worker/identity.key")).expect("a key");
    let (before, key_before) = (list(&solo), key(&solo));
    solo.restart(&[]);
    let id = |listed: &str| {
        let all: serde_json::Value = serde_json::from_str(listed).expect("JSON");
        all[0]["workerId"].as_str().expect("an id").to_owned()
    };
    assert_eq!(id(&before), id(&list(&solo)));
    assert_eq!(key_before, key(&solo));
}

#[test]
fn the_workers_words_are_the_same_at_both_ends() {
    let solo = Solo::start(&[]);
    assert!(solo.remote(&["exec", "--", "true"], b"").status.success());
    let data = solo.data().join("worker");
    let arguments = [
        "worker",
        "fingerprint",
        "--data-dir",
        data.to_str().expect("text"),
    ];
    let printed = text(&run(LEAPMUX, solo.home(), arguments, b""));
    let pins = text(&solo.remote(&["worker", "pins", "list"], b""));
    assert_eq!(printed.trim().split('-').count(), 4, "{printed}");
    assert!(pins.contains(printed.trim()), "{printed} is not in {pins}");
}
