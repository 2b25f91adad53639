//! Adds what the search begins with, real messages of every kind, to `corpus/`:
//! `cargo run -p fuzz --example seeds`, then `fuzz/run --grow` to keep what adds something.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use prost::Message as _;
use schema::{
    frame::{Frame, Outer},
    ids::ChannelId,
    wire::{self, control::Body, inner},
};

fn main() {
    outer();
    inner_messages();
    link();
    services();
    hub_methods();
    texts();
    screens();
}

/// Adds inputs to those of a target.
fn save(target: &str, inputs: impl IntoIterator<Item = Vec<u8>>) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let file = corpus.join(target);
    let mut lines = fs::read_to_string(&file).unwrap_or_default();
    for input in inputs {
        lines.push_str(&STANDARD.encode(input));
        lines.push('\n');
    }
    fs::create_dir_all(&corpus).expect("the folder can be made");
    fs::write(file, lines).expect("it can be written");
}

fn id() -> Bytes {
    Bytes::from_static(&[7; 16])
}

fn signed() -> wire::Signed {
    wire::Signed {
        algorithm: 1,
        key: vec![1; 32].into(),
        body: b"body".as_slice().into(),
        signature: vec![2; 64].into(),
    }
}

fn access() -> Vec<wire::WorkspaceAccess> {
    vec![wire::WorkspaceAccess {
        workspace_id: "garden".into(),
        role: 3,
    }]
}

fn outer() {
    let (channel_id, noise) = (id(), Bytes::from_static(&[9; 48]));
    let bodies = [
        Body::Open(wire::Open {
            channel_id: channel_id.clone(),
            worker_id: "worker".into(),
            noise: noise.clone(),
            workspaces: vec!["garden".into()],
            max_message_bytes: 70_000,
        }),
        Body::Incoming(wire::Incoming {
            channel_id: channel_id.clone(),
            user_id: "user".into(),
            organisation_id: "home".into(),
            workspaces: access(),
            noise: noise.clone(),
            max_message_bytes: 0,
            certificates: vec![signed()],
            delegated: true,
        }),
        Body::Opened(wire::Opened {
            channel_id: channel_id.clone(),
            noise: noise.clone(),
            max_message_bytes: 1,
        }),
        Body::Refused(wire::Refused {
            channel_id: channel_id.clone(),
            reason: 6,
            retry_after_ms: 500,
            serial: 3,
        }),
        Body::Renew(wire::Renew {
            channel_id: channel_id.clone(),
            worker_id: "worker".into(),
            serial: 2,
            base: 1,
            noise: noise.clone(),
        }),
        Body::Renewed(wire::Renewed {
            channel_id: channel_id.clone(),
            serial: 2,
            noise,
        }),
        Body::Close(wire::Close {
            channel_id: channel_id.clone(),
            epoch: 2,
            reason: 5,
        }),
        Body::AccessChanged(wire::AccessChanged {
            channel_id: channel_id.clone(),
            change: 4,
            workspaces: access(),
            certificates: vec![signed()],
        }),
        Body::AccessAcknowledged(wire::AccessAcknowledged {
            channel_id,
            change: 4,
        }),
        Body::Goodbye(wire::Goodbye {
            reason: 4,
            reconnect_after_ms: 900,
        }),
    ];
    let frames = [(0, 17), (1, 18), (2, 0)].map(|(flags, size)| {
        let frame = Frame::new(ChannelId::from_bytes([7; 16]), 1, 2, flags, &vec![5; size]);
        frame.into_bytes().to_vec()
    });
    let controls = bodies.map(|body| Outer::Control(body).encode().to_vec());
    save("outer", controls.into_iter().chain(frames));
}

fn inner_messages() {
    let error = || wire::RpcError {
        code: 5,
        message: "no such terminal".into(),
    };
    let bodies = [
        inner::Body::Claim(wire::Claim {
            signed: Some(signed()),
            certificates: vec![signed()],
        }),
        inner::Body::ClaimAccepted(wire::ClaimAccepted {
            workspaces: access(),
        }),
        inner::Body::Failure(wire::Failure {
            reason: 3,
            detail: "able-acid-acorn-zoo".into(),
        }),
        inner::Body::Request(wire::Request {
            id: 1,
            method: "terminal.attach".into(),
            payload: b"payload".as_slice().into(),
            opens_stream: true,
            workspace_id: "garden".into(),
        }),
        inner::Body::Response(wire::Response {
            id: 1,
            result: Some(wire::response::Result::Payload(b"answer".as_slice().into())),
        }),
        inner::Body::Response(wire::Response {
            id: 2,
            result: Some(wire::response::Result::Error(error())),
        }),
        inner::Body::StreamData(wire::StreamData {
            id: 1,
            data: b"data".as_slice().into(),
        }),
        inner::Body::StreamEnd(wire::StreamEnd {
            id: 1,
            error: Some(error()),
        }),
        inner::Body::Credit(wire::Credit {
            id: 1,
            total: 1 << 20,
        }),
        inner::Body::Cancel(wire::Cancel { id: 1 }),
        inner::Body::Ping(wire::Ping { nonce: 9 }),
        inner::Body::Pong(wire::Pong { nonce: 9 }),
        inner::Body::Ack(wire::Ack { received: 64 }),
    ];
    save(
        "inner",
        bodies.map(|body| wire::Inner { body: Some(body) }.encode_to_vec()),
    );
}

fn chosen(choice: u8, message: &impl prost::Message) -> Vec<u8> {
    [vec![choice], message.encode_to_vec()].concat()
}

fn link() {
    use wire::{from_worker as from, to_worker as to};
    let to = |body| chosen(0, &wire::ToWorker { body: Some(body) });
    let from = |body| chosen(1, &wire::FromWorker { body: Some(body) });
    let relay = Bytes::from_static(&[1, 10, 3, 10, 1, 7]);
    let inputs = [
        to(to::Body::Welcome(wire::WorkerWelcome {
            worker_id: "worker".into(),
            heartbeat_after_ms: 5_000,
            dead_after_ms: 10_000,
            owner_user_id: "user".into(),
        })),
        to(to::Body::Relay(relay.clone())),
        to(to::Body::Heartbeat(wire::Heartbeat { nonce: 3 })),
        to(to::Body::Goodbye(wire::LinkGoodbye {
            reason: 1,
            reconnect_after_ms: 100,
        })),
        from(from::Body::Hello(wire::WorkerHello {
            encryption_mode: 2,
            public_key: vec![1; 40].into(),
            version: "0.1.0".into(),
        })),
        from(from::Body::Relay(relay)),
        from(from::Body::Heartbeat(wire::Heartbeat { nonce: 4 })),
        chosen(2, &registration()),
        chosen(3, &registered()),
    ];
    save("link", inputs);
}

fn registration() -> wire::RegisterRequest {
    wire::RegisterRequest {
        registration_id: "reg-1".into(),
        public_key: vec![1; 40].into(),
        encryption_mode: 2,
        tag: vec![2; 64].into(),
        version: "0.1.0".into(),
    }
}

fn registered() -> wire::RegisterResponse {
    wire::RegisterResponse {
        worker_id: "worker".into(),
        worker_token: "lmw_token".into(),
        user_id: "user".into(),
        device_algorithm: 1,
        device_key: vec![1; 32].into(),
        device_tag: vec![2; 64].into(),
    }
}

fn services() {
    let summary = || wire::TerminalSummary {
        terminal_id: "t1".into(),
        title: "vim".into(),
        columns: 80,
        rows: 24,
        state: 1,
        exit_code: -1,
        created_unix_ms: 1,
        attached: 2,
        bell: true,
        workspace_id: "garden".to_owned(),
    };
    let size = wire::TerminalSize {
        columns: 80,
        rows: 24,
    };
    let event = |body| chosen(5, &wire::TerminalEvent { body: Some(body) });
    let inputs = [
        chosen(
            1,
            &wire::TerminalList {
                terminals: vec![summary()],
            },
        ),
        chosen(
            2,
            &wire::TerminalOpen {
                columns: 80,
                rows: 24,
                working_directory: "/tmp".into(),
                command: vec!["sh".into(), "-l".into()],
                environment: [("A".to_owned(), "b".to_owned())].into(),
                login_shell: true,
                title: "shell".into(),
                delegate: true,
            },
        ),
        chosen(
            3,
            &wire::TerminalAttach {
                terminal_id: "t1".into(),
                after_sequence: 70_000,
                columns: 80,
                rows: 24,
            },
        ),
        chosen(
            4,
            &wire::TerminalInput {
                body: Some(wire::terminal_input::Body::Data(b"ls\r".as_slice().into())),
            },
        ),
        chosen(
            4,
            &wire::TerminalInput {
                body: Some(wire::terminal_input::Body::Resize(size)),
            },
        ),
        event(wire::terminal_event::Body::Snapshot(
            wire::TerminalSnapshot {
                sequence: 9,
                columns: 80,
                rows: 24,
                data: b"$ ".as_slice().into(),
            },
        )),
        event(wire::terminal_event::Body::Output(wire::TerminalOutput {
            sequence: 9,
            data: b"$ ".as_slice().into(),
        })),
        event(wire::terminal_event::Body::Summary(summary())),
        chosen(
            8,
            &wire::ExecStart {
                command: vec!["true".into()],
                working_directory: "/".into(),
                environment: [("A".to_owned(), "b".to_owned())].into(),
                terminal: Some(size),
            },
        ),
        chosen(
            9,
            &wire::ExecInput {
                body: Some(wire::exec_input::Body::Signal(15)),
            },
        ),
        chosen(
            10,
            &wire::ExecOutput {
                body: Some(wire::exec_output::Body::ExitCode(143)),
            },
        ),
        chosen(
            12,
            &wire::DeviceApprove {
                key: vec![1; 32].into(),
                user_id: "user".into(),
            },
        ),
        chosen(
            14,
            &wire::UserIdClaim {
                user_id: "user".into(),
                workspaces: vec!["garden".into()],
            },
        ),
        chosen(
            15,
            &wire::DeviceCertificate {
                user_id: "user".into(),
                device_algorithm: 1,
                device_key: vec![1; 32].into(),
                serial: 4,
                expires_at: 1_800_000_000,
            },
        ),
        chosen(
            16,
            &wire::GrantCertificate {
                worker_id: "worker".into(),
                workspace_id: "garden".into(),
                grantee_user_id: "guest".into(),
                grantee_device_algorithm: 1,
                grantee_device_key: vec![1; 32].into(),
                role: 2,
                serial: 4,
                expires_at: 1_800_000_000,
            },
        ),
    ];
    save("services", inputs);
}

fn hub_methods() {
    let worker = || wire::Worker {
        worker_id: "worker".into(),
        name: "attic".into(),
        online: true,
        encryption_mode: 2,
        last_seen_unix_ms: 1_700_000_000_000,
        bundled: true,
        version: "0.1.0".into(),
        registered_unix_ms: -1,
        ..wire::Worker::default()
    };
    fn both<M: prost::Message + serde::Serialize>(choice: u8, message: &M) -> [Vec<u8>; 2] {
        let text = serde_json::to_vec(message).expect("it has a text");
        [chosen(choice, message), [vec![choice], text].concat()]
    }
    let inputs = [
        both(
            0,
            &wire::SignInRequest {
                access_token: "lmx_token".into(),
                ..wire::SignInRequest::default()
            },
        ),
        both(
            1,
            &wire::WhoAmIResponse {
                signed_in: true,
                user_id: "user".into(),
                username: "admin".into(),
                organisation_id: "home".into(),
                solo: true,
                hub_version: "0.1.0".into(),
                display_name: "Ada".into(),
                ..wire::WhoAmIResponse::default()
            },
        ),
        both(
            2,
            &wire::ListWorkersResponse {
                workers: vec![worker()],
            },
        ),
        both(
            4,
            &wire::GetHandshakeParametersResponse {
                public_key: vec![1; 40].into(),
                encryption_mode: 2,
                online: true,
                rotation_certificate: Bytes::new(),
                registration_id: "reg-1".into(),
                registration_tag: vec![2; 64].into(),
            },
        ),
        both(
            5,
            &wire::CreateRegistrationKeyRequest {
                registration_id: "reg-1234567890abcd".into(),
                device_algorithm: 1,
                device_key: vec![1; 32].into(),
                device_tag: vec![2; 64].into(),
                worker_name: "attic".into(),
                organisation_id: "home".into(),
            },
        ),
        both(
            7,
            &wire::HubEvent {
                cursor: 12,
                body: Some(wire::hub_event::Body::WorkerChanged(wire::WorkerChanged {
                    worker: Some(worker()),
                })),
            },
        ),
        both(8, &registration()),
        both(9, &registered()),
    ];
    save("hub_methods", inputs.into_iter().flatten());
}

fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn texts() {
    save("ids", lines(&["worker-1_A", "", "a b"]));
    let key = "reg-1.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    save("registration_key", lines(&[key, " reg.AAAA\n"]));
    let addresses = [
        "http://[::1]:4327/",
        "https://hub.example",
        "unix:/run/l.sock",
        "http://a:1",
    ];
    save("address", lines(&addresses));
    save("hub_address", lines(&addresses));
    save(
        "admin_host",
        lines(&["localhost:4328", "[::1]:80", "192.0.2.1"]),
    );
    save(
        "credentials",
        lines(&[
            "Bearer lmx_token",
            "a=b; leapmux=lml_token; c",
            "__Host-leapmux=lml_token",
            "application/json; charset=utf-8",
        ]),
    );
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let ring = format!("1:{key}\n12:{key}\npepper:{key}\n");
    save("key_file", lines(&[&ring, ring.trim_end(), "1:AAAA"]));
    save("escape", lines(&["\u{10}ls\r~~x\r~.", "\0~/bin\n~.y"]));
    save(
        "edge",
        lines(&[
            "\u{10}\u{20}\u{40}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest",
            "abcGET / HTTP/1.1\r\n\r\n",
        ]),
    );
    save(
        "configuration",
        lines(&[
            "listen: 127.0.0.1:0\nlog_level: info\nquotas:\n  channels_per_user: 4\n",
            "hub:\n  listen: unix:/run/l.sock\n  public_url: https://a\nworker:\n  hub: http://a\n",
            "hub: https://a\ndata_dir: /tmp/w\ndevice_trust: tofu\nlog_format: json\n",
            "listen: [1, {a: &x !!str b}, *x]\n",
        ]),
    );
    save(
        "answers",
        lines(&[
            "\u{8}\u{1b}[?1;2c\u{1b}[24;80R",
            "\0\u{1b}]11;rgb:0/0/0\u{1b}\\",
            "\0\u{1b}P1$r0m\u{1b}\\",
        ]),
    );
}

fn screens() {
    let outputs = [
        "$ ls\r\nfile\r\n$ vim file\r\n\u{1b}[?1049h\u{1b}[?1h\u{1b}=\u{1b}[2J\u{1b}[1;1H\u{1b}[7m-- INSERT --\u{1b}[m\
         \u{1b}[2;3H\u{1b}[38;2;10;20;30mcolour\u{1b}[m\u{1b}[?2004h\u{1b}[?25l\u{1b}[4;2H\u{1b}[?1049l",
        "\u{1b}]0;title\u{7}\u{1b}]8;;https://example.org/\u{1b}\\link\u{1b}]8;;\u{1b}\\\t日本é😀e\u{301}\r\n",
        "\u{1b}[3g\u{1b}[5G\u{1b}H\r\u{1b})0\u{e}lqk\u{f}\u{1b}(0x\u{1b}(B\u{1b}7\u{1b}[2;4r\u{1b}[?6h\u{1b}[3L\u{1b}[2M\u{1b}8",
        "\u{1b}[?1000h\u{1b}[?1006h\u{1b}[4h\u{1b}[20h\u{1b}[3 q\u{1b}#8\u{1b}M\u{1b}D\u{1b}[5S\u{1b}[2T\u{1b}[3X\u{1b}[4@\u{1b}[2P\u{1b}[1;31;4:3;58:5:4mx\u{1b}[K",
        "\u{1b}P1$qm\u{1b}\\\u{1b}_app\u{1b}\\\u{1b}]52;c;aGk=\u{7}\u{1b}[c\u{1b}[6n\u{1b}[18t\u{1b}[?2026$p\u{1b}c",
    ];
    let screen = |output: &&str| [&[18, 5, 128], output.as_bytes()].concat();
    save("screen", outputs.iter().map(screen));
    save(
        "boundary",
        outputs.iter().map(|output| output.as_bytes().to_vec()),
    );
}
