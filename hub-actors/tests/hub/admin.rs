//! The admin door: health, readiness, and metrics that begin at zero.

use crate::support::{Browser, TestHub, TestWorker, http, open};

#[tokio::test]
async fn health_is_told_on_the_admin_port() {
    let hub = TestHub::solo().await;
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(hub.admin(path).await.status, 200, "{path}");
    }
    assert_eq!(hub.admin("/readyz").await.text(), "ok\n");
    let verbose = hub.admin("/readyz?verbose").await.text();
    for check in [
        "[+] database",
        "[+] disk",
        "[+] registry",
        "[+] not_draining",
    ] {
        assert!(verbose.contains(check), "{verbose}");
    }
    assert_eq!(hub.admin("/").await.status, 404);
}

#[tokio::test]
async fn a_rebound_name_reads_nothing_of_the_admin_door() {
    let hub = TestHub::solo().await;
    let addr = hub.hub.admin_addr().unwrap();
    for path in ["/metrics", "/readyz?verbose", "/nothing"] {
        let headers = [("Host", "evil.example:4328")];
        assert_eq!(http(addr, "GET", path, &headers, b"").await.status, 421);
    }
    let localhost = format!("localhost:{}", addr.port());
    let headers = [("Host", localhost.as_str())];
    assert_eq!(http(addr, "GET", "/livez", &headers, b"").await.status, 200);
}

#[tokio::test]
async fn every_series_is_there_before_anything_happened() {
    let hub = TestHub::solo().await;
    let text = hub.admin("/metrics").await.text();
    for series in [
        "leapmux_hub_build_info{version=\"0.1.0\",mode=\"solo\"} 1",
        "leapmux_hub_session_connects_total{result=\"quota\"}",
        "leapmux_hub_session_disconnects_total{reason=\"revoked\"}",
        "leapmux_hub_link_disconnects_total{reason=\"silent\"}",
        "leapmux_hub_sign_ins_total{result=\"limited\"}",
        "leapmux_hub_strangers_total{reason=\"host\"}",
        "leapmux_hub_quota_refusals_total{quota=\"opens\"}",
        "leapmux_hub_channel_closes_total{reason=\"too_slow\"}",
        "leapmux_hub_channel_opens_total{result=\"worker_offline\"}",
        "leapmux_hub_stray_frames_total{reason=\"foreign\"}",
        "leapmux_hub_revocations_total",
    ] {
        assert!(text.contains(series), "{series} is not there");
    }
    let names = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap());
    for name in names {
        let help = name
            .trim_end_matches("_bucket")
            .trim_end_matches("_sum")
            .trim_end_matches("_count");
        assert!(
            text.contains(&format!("# HELP {help} ")),
            "{name} has no HELP"
        );
        assert!(name.starts_with("leapmux_hub_"), "{name}");
    }
}

#[tokio::test]
async fn no_id_stands_in_a_label() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, bundled.worker_id.as_str()).await;
    let text = hub.admin("/metrics").await.text();
    for id in [
        bundled.worker_id.as_str(),
        hub.hub.admin_user().as_str(),
        &"01".repeat(16),
    ] {
        assert!(!text.contains(id), "{id} is in the metrics");
    }
}
