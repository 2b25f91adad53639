//! The HTTP/1.1 door: who may come in, what the page carries, and garbage.

use hub_actors::Mode;

use crate::support::{Browser, TestHub, get, http, raw};

const WHO: &str = "/leapmux.v1.AccountService/WhoAmI";

#[tokio::test]
async fn a_foreign_host_reaches_neither_page_nor_call_nor_socket() {
    let hub = TestHub::solo().await;
    for host in ["evil.example", "localhost", "127.0.0.1", "localhost:1", ""] {
        for path in ["/", "/ws/relay", "/ws/events"] {
            let answer = http(hub.addr(), "GET", path, &[("Host", host)], b"").await;
            assert_eq!(answer.status, 421, "{host} {path}");
        }
        let headers = [("Host", host), ("Content-Type", "application/json")];
        assert_eq!(
            http(hub.addr(), "POST", WHO, &headers, b"{}").await.status,
            421
        );
    }
    let host = format!("localhost:{}", hub.addr().port());
    assert_eq!(
        http(hub.addr(), "GET", "/", &[("Host", &host)], b"")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_foreign_origin_may_not_act() {
    let hub = TestHub::solo().await;
    let own = format!("http://{}", hub.host());
    assert_eq!(
        hub.call_with("AccountService/WhoAmI", "{}", &[("Origin", &own)])
            .await
            .status,
        200
    );
    let neighbour = format!("http://127.0.0.1:{}", hub.addr().port() ^ 1);
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        neighbour.as_str(),
    ] {
        let refused = hub
            .call_with("AccountService/WhoAmI", "{}", &[("Origin", origin)])
            .await;
        assert_eq!(refused.status, 403, "{origin}");
        assert!(refused.header("access-control-allow-origin").is_none());
        let upgrade = Browser::open_with(&hub, &[("Origin", origin)]).await;
        assert_eq!(upgrade.err().unwrap().0, 403, "{origin}");
    }
    assert!(Browser::open_with(&hub, &[("Origin", &own)]).await.is_ok());
}

#[tokio::test]
async fn a_foreign_origin_may_not_act_however_the_path_is_spelt() {
    let hub = TestHub::solo().await;
    let foreign = [
        ("Origin", "http://evil.example"),
        ("Sec-WebSocket-Protocol", "leapmux.relay.v1"),
    ];
    for path in [
        "/ws/%72elay",
        "/ws/%65vents",
        "/%77s/relay",
        "/%77%73/%72%65%6c%61%79",
        "/ws/relay?%",
        "/elsewhere",
    ] {
        let upgrade = Browser::upgrade(hub.addr(), path, &foreign).await;
        assert_eq!(upgrade.err().unwrap().0, 403, "{path}");
    }
    let headers = [
        ("Origin", "http://evil.example"),
        ("Content-Type", "application/json"),
    ];
    for path in ["/leapmux%2Ev1.AccountService/WhoAmI", "/", "/elsewhere"] {
        let refused = http(hub.addr(), "POST", path, &headers, b"{}").await;
        assert_eq!(refused.status, 403, "{path}");
    }
    assert!(hub.hub.census().await.is_empty());
}

#[tokio::test]
async fn cross_site_requests_are_refused_and_links_to_the_page_are_not() {
    let hub = TestHub::solo().await;
    for site in ["cross-site", "same-site"] {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors")];
        assert_eq!(
            hub.call_with("AccountService/WhoAmI", "{}", &headers)
                .await
                .status,
            403
        );
        assert_eq!(
            http(hub.addr(), "GET", "/", &headers, b"").await.status,
            403
        );
    }
    let link = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    assert_eq!(http(hub.addr(), "GET", "/", &link, b"").await.status, 200);
}

#[tokio::test]
async fn what_a_form_of_another_site_can_send_is_no_call() {
    let hub = TestHub::solo().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let answer = http(hub.addr(), "POST", WHO, &[("Content-Type", kind)], b"{}").await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(http(hub.addr(), "POST", WHO, &[], b"{}").await.status, 415);
    let preflight = [("Access-Control-Request-Method", "POST")];
    assert_eq!(
        http(hub.addr(), "OPTIONS", WHO, &preflight, b"")
            .await
            .status,
        405
    );
    assert_eq!(get(hub.addr(), WHO).await.status, 405);
}

#[tokio::test]
async fn calls_are_answered_in_json_and_in_protobuf() {
    let hub = TestHub::solo().await;
    let json = hub.call("AccountService/WhoAmI", "{}").await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.header("cache-control"), Some("no-store"));
    let headers = [
        ("Content-Type", "application/proto"),
        ("Connect-Protocol-Version", "1"),
    ];
    let proto = http(hub.addr(), "POST", WHO, &headers, b"").await;
    assert_eq!(proto.header("content-type"), Some("application/proto"));
    let said = <schema::wire::WhoAmIResponse as prost::Message>::decode(&proto.body[..]).unwrap();
    assert_eq!(said.user_id, json.json()["userId"]);
}

#[tokio::test]
async fn errors_of_calls_are_connect_s() {
    let hub = TestHub::solo().await;
    for (method, body, status, code) in [
        ("AccountService/Nothing", "{}", 501, "unimplemented"),
        ("NoService/WhoAmI", "{}", 501, "unimplemented"),
        ("AccountService/WhoAmI", "{", 400, "invalid_argument"),
        ("AccountService/WhoAmI", "", 400, "invalid_argument"),
        (
            "AccountService/WhoAmI",
            r#"{"unknown":1}"#,
            400,
            "invalid_argument",
        ),
        (
            "WorkerService/GetHandshakeParameters",
            r#"{"workerId":"../x"}"#,
            400,
            "invalid_argument",
        ),
        (
            "WorkerService/GetHandshakeParameters",
            r#"{"workerId":7}"#,
            400,
            "invalid_argument",
        ),
    ] {
        let answer = hub.call(method, body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{method}"
        );
        assert!(answer.json()["message"].is_string());
    }
    let version = [("Connect-Protocol-Version", "2")];
    assert_eq!(
        hub.call_with("AccountService/WhoAmI", "{}", &version)
            .await
            .status,
        400
    );
    let gzip = [("Content-Encoding", "gzip")];
    assert_eq!(
        hub.call_with("AccountService/WhoAmI", "{}", &gzip)
            .await
            .status,
        501
    );
    for late in ["x", "", "12345678901", "-1"] {
        let timeout = [("Connect-Timeout-Ms", late)];
        let answer = hub.call_with("AccountService/WhoAmI", "{}", &timeout).await;
        assert_eq!(answer.status, 400, "{late}");
    }
}

#[tokio::test]
async fn protobuf_garbage_is_refused_and_unknown_fields_are_passed_over() {
    let hub = TestHub::solo().await;
    let headers = [("Content-Type", "application/proto")];
    for garbage in [&[0xff; 64][..], b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05a"] {
        let answer = http(hub.addr(), "POST", WHO, &headers, garbage).await;
        assert_eq!(answer.status, 400, "{garbage:?}");
    }
    let unknown = http(hub.addr(), "POST", WHO, &headers, b"\xfa\x3f\x01x").await;
    assert_eq!(unknown.status, 200);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_one_that_does_not_come_is_given_up() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.request_body_ms = 100).await;
    let large = vec![b' '; 256 * 1024 + 1];
    let headers = [("Content-Type", "application/json")];
    assert_eq!(
        http(hub.addr(), "POST", WHO, &headers, &large).await.status,
        429
    );
    let announced = [
        ("Content-Type", "application/json"),
        ("Content-Length", "10"),
    ];
    let answer = http(hub.addr(), "POST", WHO, &announced, b"{").await;
    assert_eq!(answer.json()["code"], "deadline_exceeded");
}

#[tokio::test]
async fn the_page_is_cached_by_its_etag_and_found_under_every_place() {
    let hub = TestHub::solo().await;
    let page = get(hub.addr(), "/").await;
    assert_eq!(
        (page.status, page.header("cache-control")),
        (200, Some("no-cache"))
    );
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(page.text().contains("LeapMux"));
    let etag = page.header("etag").unwrap();
    let known = http(hub.addr(), "GET", "/", &[("If-None-Match", etag)], b"").await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(get(hub.addr(), "/workspaces/one").await.body, page.body);
    for missing in [
        "/missing.js",
        "/assets/x.css",
        "/../../etc/pass.wd",
        "/%2e%2e/Cargo.toml",
    ] {
        assert_eq!(get(hub.addr(), missing).await.status, 404, "{missing}");
    }
    assert_eq!(http(hub.addr(), "POST", "/", &[], b"").await.status, 405);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let hub = TestHub::solo().await;
    let stranger = [("Host", "evil.example")];
    let answers = [
        get(hub.addr(), "/").await,
        get(hub.addr(), "/missing.js").await,
        get(hub.addr(), WHO).await,
        get(hub.addr(), "/ws/relay").await,
        hub.call("AccountService/WhoAmI", "{}").await,
        hub.call("AccountService/Nothing", "{}").await,
        http(hub.addr(), "GET", "/", &stranger, b"").await,
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("require-trusted-types-for")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            Some("same-origin")
        );
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            Some("same-origin")
        );
        assert!(answer.header("permissions-policy").is_some());
        assert!(answer.header("strict-transport-security").is_none());
    }
}

#[tokio::test]
async fn health_and_metrics_are_not_on_the_public_port() {
    let hub = TestHub::solo().await;
    let page = get(hub.addr(), "/").await;
    for path in ["/metrics", "/livez", "/readyz", "/startupz"] {
        assert_eq!(get(hub.addr(), path).await.body, page.body, "{path}");
    }
}

#[tokio::test]
async fn the_relay_insists_on_its_subprotocol() {
    let hub = TestHub::solo().await;
    let addr = hub.addr();
    assert_eq!(
        Browser::upgrade(addr, "/ws/relay", &[])
            .await
            .err()
            .unwrap()
            .0,
        400
    );
    for offered in ["leapmux.relay.v2", "leapmux.relay", "chat"] {
        let headers = [("Sec-WebSocket-Protocol", offered)];
        let refused = Browser::upgrade(addr, "/ws/relay", &headers).await;
        assert_eq!(refused.err().unwrap().0, 400, "{offered}");
    }
    assert_eq!(get(addr, "/ws/relay").await.status, 400);
    assert!(hub.hub.census().await.is_empty());
}

#[tokio::test]
async fn garbage_on_the_port_is_answered_or_hung_up_on() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.request_head_ms = 200).await;
    let garbage: [&[u8]; 7] = [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        &[0xff; 70_000],
    ];
    for bytes in garbage {
        let answer = raw(hub.addr(), bytes).await;
        assert!(
            matches!(answer.status, 0 | 400 | 408 | 421),
            "{} for {bytes:?}",
            answer.status
        );
    }
    // And whoever says nothing at all.
    assert_eq!(raw(hub.addr(), b"").await.status, 0);
    assert_eq!(get(hub.addr(), "/").await.status, 200);
}
