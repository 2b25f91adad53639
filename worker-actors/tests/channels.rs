//! Clients on channels: who is believed, what they may do, and that bytes arrive.

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use channel_actors::{
    client::{CallError, Channel, ConnectError},
    endpoint::Failure,
};
use crypto::Mode;
use prost::Message as _;
use schema::{
    ids::WorkspaceId,
    wire::{self, control, exec_input, exec_output},
};
use support::{
    PATIENCE, eventually,
    hub::{Carried, OWNER, TestHub, ask, device},
};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;
use worker_actors::{Worker, WorkerConfig, devices};

struct Scene {
    folder: TempDir,
    worker: Worker,
    client: Carried,
    _hub: TestHub,
}

async fn scene(user: &str, workspaces: Vec<wire::WorkspaceAccess>) -> Scene {
    scene_with(user, workspaces, |_| {}).await
}

async fn scene_with(
    user: &str,
    workspaces: Vec<wire::WorkspaceAccess>,
    change: impl FnOnce(&mut WorkerConfig),
) -> Scene {
    let folder = tempdir().expect("a folder");
    let mut hub = TestHub::start().await;
    let mut config = hub.config(folder.path());
    change(&mut config);
    let (worker, link) = hub.worker(config).await;
    Scene {
        folder,
        worker,
        client: link.carry(user, workspaces),
        _hub: hub,
    }
}

fn access(role: wire::Role) -> Vec<wire::WorkspaceAccess> {
    vec![wire::WorkspaceAccess {
        workspace_id: "w".into(),
        role: role.into(),
    }]
}

fn code<T>(result: Result<T, CallError>) -> Option<u32> {
    match result {
        Err(CallError::Worker(error)) => Some(error.code),
        Ok(_) | Err(_) => None,
    }
}

#[tokio::test]
async fn the_owners_first_device_is_trusted_and_may_ask_in_both_modes() {
    for mode in ["classic", "post-quantum"] {
        let scene = scene_with(OWNER, Vec::new(), |config| {
            config.encryption_mode = mode.into()
        })
        .await;
        let channel = scene.client.connect(&device()).await.expect("a channel");
        let info: wire::WorkerInfo = ask(&channel, "worker.info", &wire::WorkerInfoRequest {})
            .await
            .expect("an answer");
        assert_eq!(info.device_trust, "known-devices");
        assert_eq!(info.operating_system, "linux");
        scene.worker.stop().await;
    }
}

#[tokio::test]
async fn a_second_device_waits_until_somebody_approves_it_and_can_be_removed_again() {
    let scene = scene(OWNER, Vec::new()).await;
    let (first, second) = (device(), device());
    let old = scene.client.connect(&first).await.expect("a channel");
    let words = crypto::fingerprint(&second.public_bytes(Mode::Classic));
    let refused = scene.client.connect(&second).await.map(drop);
    let expected = Failure::DeviceNotTrusted {
        fingerprint: words.clone(),
    };
    assert_eq!(refused, Err(ConnectError::Failed(expected)));

    let list: wire::DeviceList = ask(&old, "devices.list", &wire::DeviceListRequest {})
        .await
        .expect("devices");
    let told: Vec<_> = list
        .devices
        .iter()
        .map(|device| (device.state(), device.this_one))
        .collect();
    assert_eq!(
        told,
        [
            (wire::DeviceState::Trusted, true),
            (wire::DeviceState::Waiting, false)
        ]
    );
    let approve = wire::DeviceApprove {
        key: list.devices[1].key.clone(),
    };
    let list: wire::DeviceList = ask(&old, "devices.approve", &approve)
        .await
        .expect("devices");
    assert_eq!(list.devices[1].label, "approved");

    let new = scene.client.connect(&second).await.expect("a channel");
    let remove = wire::DeviceRemove {
        key: second.public_bytes(Mode::Classic).into(),
    };
    let _: wire::DeviceList = ask(&old, "devices.remove", &remove).await.expect("devices");
    assert!(timeout(Duration::from_secs(1), new.closed()).await.is_ok());
    assert!(scene.client.connect(&second).await.is_err());
    scene.worker.stop().await;
}

#[tokio::test]
async fn the_command_line_beside_the_worker_approves_and_removes_within_a_second() {
    let scene = scene(OWNER, Vec::new()).await;
    let (first, second) = (device(), device());
    let _old = scene.client.connect(&first).await.expect("a channel");
    assert!(scene.client.connect(&second).await.is_err());
    let words = crypto::fingerprint(&second.public_bytes(Mode::Classic));
    let folder = scene.folder.path().to_owned();
    devices::approve(&folder, &words).expect("approved");
    assert_eq!(
        devices::approve(&folder, &words),
        Err(devices::AdminError::Unknown)
    );
    let trusted = async {
        loop {
            if let Ok(channel) = scene.client.connect(&second).await {
                return channel;
            }
        }
    };
    let channel = timeout(Duration::from_secs(1), trusted)
        .await
        .expect("noticed in time");
    devices::remove(&folder, &words).expect("removed");
    assert!(
        timeout(Duration::from_secs(1), channel.closed())
            .await
            .is_ok()
    );
    assert_eq!(devices::list(&folder).expect("devices").len(), 1);
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_device_known_by_its_post_quantum_key_is_known_in_classic_mode_until_it_is_removed() {
    let folder = tempdir().expect("a folder");
    let known = device();
    let mut hub = TestHub::start().await;
    for mode in ["post-quantum", "classic"] {
        let config = WorkerConfig {
            encryption_mode: mode.into(),
            ..hub.config(folder.path())
        };
        let (worker, link) = hub.worker(config).await;
        let client = link.carry(OWNER, Vec::new());
        let channel = client.connect(&known).await.expect("a channel");
        assert!(
            client.connect(&device()).await.is_err(),
            "a stranger in {mode}"
        );
        if mode == "classic" {
            let words = crypto::fingerprint(&known.public_bytes(Mode::PostQuantum));
            devices::remove(folder.path(), &words).expect("removed");
            assert!(
                timeout(Duration::from_secs(1), channel.closed())
                    .await
                    .is_ok()
            );
            assert!(client.connect(&known).await.is_err());
        }
        worker.stop().await;
    }
}

#[tokio::test]
async fn this_machines_own_command_line_is_trusted_and_uses_up_nothing() {
    let local = device();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let hex = hex::encode(local.public_bytes(Mode::Classic));
    std::fs::write(file.path(), format!("{hex}\n")).expect("a file");
    let path = file.path().to_owned();
    let scene = scene_with(OWNER, Vec::new(), |config| {
        config.local_device_file = Some(path)
    })
    .await;
    scene
        .client
        .connect(&local)
        .await
        .map(drop)
        .expect("a channel");
    scene
        .client
        .connect(&device())
        .await
        .map(drop)
        .expect("the first device of a browser");
    assert!(scene.client.connect(&device()).await.is_err());
    scene.worker.stop().await;
}

#[tokio::test]
async fn another_users_device_is_not_believed_and_the_waiting_are_bounded() {
    let scene = scene("mallory", access(wire::Role::Editor)).await;
    for _ in 0..6 {
        let refused = scene.client.connect(&device()).await;
        assert!(matches!(
            refused,
            Err(ConnectError::Failed(Failure::DeviceNotTrusted { .. }))
        ));
    }
    assert_eq!(
        devices::list(scene.folder.path()).expect("devices").len(),
        4
    );
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_viewer_looks_an_editor_opens_and_only_the_owner_executes() {
    let workspace = WorkspaceId::parse("w").expect("an id");
    for (role, may_open) in [
        (wire::Role::Viewer, false),
        (wire::Role::Editor, true),
        (wire::Role::Owner, true),
    ] {
        let scene = scene_with("bob", access(role), |config| {
            config.device_trust = worker_actors::DeviceTrust::Tofu;
        })
        .await;
        let channel = scene.client.connect(&device()).await.expect("a channel");
        let call = async |method: &str, workspace: Option<&WorkspaceId>| {
            code(
                channel
                    .call(method, Bytes::new(), workspace, PATIENCE)
                    .await,
            )
        };
        assert_eq!(call("terminal.list", Some(&workspace)).await, None);
        assert_eq!(call("terminal.list", None).await, Some(7));
        assert_eq!(call("devices.list", Some(&workspace)).await, Some(7));
        assert_eq!(call("exec", Some(&workspace)).await, Some(7));
        assert_eq!(call("no.such", Some(&workspace)).await, Some(12));
        let opened = call("terminal.open", Some(&workspace)).await;
        assert_eq!(opened, (!may_open).then_some(7), "{role:?}");
        scene.worker.stop().await;
    }
}

#[tokio::test]
async fn a_lowered_role_ends_what_was_begun_with_the_higher_one() {
    let scene = scene_with("bob", access(wire::Role::Editor), |config| {
        config.device_trust = worker_actors::DeviceTrust::Tofu;
    })
    .await;
    let workspace = WorkspaceId::parse("w").expect("an id");
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let opened = channel
        .call("terminal.open", Bytes::new(), Some(&workspace), PATIENCE)
        .await;
    let summary = wire::TerminalSummary::decode(opened.expect("a terminal")).expect("a summary");
    let attach = wire::TerminalAttach {
        terminal_id: summary.terminal_id,
        ..Default::default()
    };
    let stream = channel
        .stream(
            "terminal.attach",
            attach.encode_to_vec().into(),
            Some(&workspace),
        )
        .await;
    let (_answer, _sender, mut receiver) = stream.expect("a stream");
    assert!(receiver.next().await.expect("an event").is_some());
    let changed = wire::AccessChanged {
        channel_id: channel.id().as_bytes().to_vec().into(),
        change: 1,
        workspaces: access(wire::Role::Viewer),
        certificates: Vec::new(),
    };
    scene
        .client
        .orders
        .send(control::Body::AccessChanged(changed))
        .await
        .expect("carried");
    let ended = async {
        loop {
            match receiver.next().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let ended = timeout(PATIENCE, ended).await.expect("in time");
    assert_eq!(code(ended), Some(7));
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_terminal_is_opened_watched_typed_into_and_closed_over_a_channel() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let (_, _watching, mut lists) = channel
        .stream("terminal.watch", Bytes::new(), None)
        .await
        .expect("a stream");
    let asked = wire::TerminalOpen {
        columns: 70,
        rows: 20,
        ..Default::default()
    };
    let opened: wire::TerminalSummary = ask(&channel, "terminal.open", &asked)
        .await
        .expect("a terminal");
    let attach = wire::TerminalAttach {
        terminal_id: opened.terminal_id.clone(),
        columns: 60,
        rows: 15,
        ..Default::default()
    };
    let (_, sender, mut receiver) = channel
        .stream("terminal.attach", attach.encode_to_vec().into(), None)
        .await
        .expect("a stream");
    let typed = wire::TerminalInput {
        body: Some(wire::terminal_input::Body::Data(Bytes::from_static(
            b"stty size; echo typed-$((6*7))\n",
        ))),
    };
    sender
        .send(typed.encode_to_vec().into())
        .await
        .expect("sent");
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains("typed-42") {
            let event = receiver.next().await.expect("an event").expect("no end");
            let event = wire::TerminalEvent::decode(event).expect("an event");
            match event.body {
                Some(wire::terminal_event::Body::Output(output)) => seen.extend(output.data),
                Some(wire::terminal_event::Body::Snapshot(shot)) => seen.extend(shot.data),
                Some(wire::terminal_event::Body::Summary(_)) | None => {}
            }
        }
    };
    assert!(timeout(PATIENCE, reading).await.is_ok());
    assert!(String::from_utf8_lossy(&seen).contains("15 60"));
    let close = wire::TerminalClose {
        terminal_id: opened.terminal_id,
    };
    let _: wire::TerminalClosed = ask(&channel, "terminal.close", &close)
        .await
        .expect("closed");
    let told = async {
        let mut lengths = Vec::new();
        while lengths.last() != Some(&0) || lengths.len() < 2 {
            let list = lists.next().await.expect("a list").expect("no end");
            lengths.push(
                wire::TerminalList::decode(list)
                    .expect("a list")
                    .terminals
                    .len(),
            );
        }
    };
    assert!(timeout(PATIENCE, told).await.is_ok());
    scene.worker.stop().await;
}

async fn exec(
    channel: &Channel,
    command: &[&str],
) -> (
    channel_actors::client::StreamSender,
    channel_actors::client::StreamReceiver,
) {
    let start = wire::ExecStart {
        command: command.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let stream = channel
        .stream("exec", start.encode_to_vec().into(), None)
        .await;
    let (_, sender, receiver) = stream.expect("a stream");
    (sender, receiver)
}

fn input(body: exec_input::Body) -> Bytes {
    wire::ExecInput { body: Some(body) }.encode_to_vec().into()
}

/// Everything a command says: output, errors, exit code.
async fn all(receiver: &mut channel_actors::client::StreamReceiver) -> (Vec<u8>, Vec<u8>, i32) {
    let (mut out, mut err, mut code) = (Vec::new(), Vec::new(), -1);
    let reading = async {
        while let Some(message) = receiver.next().await.expect("a message") {
            match wire::ExecOutput::decode(message).expect("an output").body {
                Some(exec_output::Body::Stdout(data)) => out.extend(data),
                Some(exec_output::Body::Stderr(data)) => err.extend(data),
                Some(exec_output::Body::ExitCode(exit)) => code = exit,
                None => {}
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("in time");
    (out, err, code)
}

#[tokio::test]
async fn a_commands_output_errors_and_exit_code_are_told_apart() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let script = "echo out; echo err >&2; exit 5";
    let (_sender, mut receiver) = exec(&channel, &["/bin/sh", "-c", script]).await;
    assert_eq!(
        all(&mut receiver).await,
        (b"out\n".to_vec(), b"err\n".to_vec(), 5)
    );
    let (_sender, mut receiver) = exec(&channel, &["/bin/sh", "-c", "kill -9 $$"]).await;
    assert_eq!(all(&mut receiver).await.2, 128 + 9);
    let (_sender, mut receiver) = exec(&channel, &["/no/such/program"]).await;
    assert_eq!(code(receiver.next().await), Some(9));
    let (_sender, mut receiver) = exec(&channel, &[]).await;
    assert_eq!(code(receiver.next().await), Some(9));
    // What a command leaves behind does not keep its stream open.
    let script = "sleep 1000 & echo left";
    let (_sender, mut receiver) = exec(&channel, &["/bin/sh", "-c", script]).await;
    assert_eq!(
        all(&mut receiver).await,
        (b"left\n".to_vec(), Vec::new(), 0)
    );
    scene.worker.stop().await;
}

#[tokio::test]
async fn eight_megabytes_pass_both_ways_past_a_slow_reader() {
    const BYTES: usize = 8 << 20;
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let (sender, mut receiver) = exec(&channel, &["/bin/cat"]).await;
    let sending = async {
        for number in 0..BYTES / 65_536 {
            let piece = vec![u8::try_from(number % 251).expect("a byte"); 65_536];
            sender
                .send(input(exec_input::Body::Stdin(piece.into())))
                .await
                .expect("sent");
        }
        sender
            .send(input(exec_input::Body::StdinClosed(true)))
            .await
            .expect("sent");
    };
    let reading = async {
        let (mut length, mut messages) = (0_usize, 0_usize);
        loop {
            let message = receiver
                .next()
                .await
                .expect("a message")
                .expect("no end yet");
            messages += 1;
            if messages % 16 == 0 {
                // Slower than it comes.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            match wire::ExecOutput::decode(message).expect("an output").body {
                Some(exec_output::Body::Stdout(data)) => {
                    let expected = |at: usize| u8::try_from((at / 65_536) % 251).expect("a byte");
                    assert!(
                        data.iter()
                            .zip(length..)
                            .all(|(byte, at)| *byte == expected(at))
                    );
                    length += data.len();
                }
                Some(exec_output::Body::ExitCode(code)) => return (length, code),
                Some(exec_output::Body::Stderr(_)) | None => panic!("errors"),
            }
        }
    };
    let both = async { tokio::join!(sending, reading).1 };
    assert_eq!(
        timeout(PATIENCE * 3, both).await.expect("in time"),
        (BYTES, 0)
    );
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_command_and_its_children_end_with_the_stream() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let script = "trap '' HUP; (setsid sleep 1003 &) ; sleep 1004 & echo $$; wait";
    let (sender, mut receiver) = exec(&channel, &["/bin/sh", "-c", script]).await;
    let message = receiver.next().await.expect("a message").expect("no end");
    let output = wire::ExecOutput::decode(message).expect("an output").body;
    let Some(exec_output::Body::Stdout(line)) = output else {
        panic!("{output:?}")
    };
    let leader: i32 = String::from_utf8_lossy(&line)
        .trim()
        .parse()
        .expect("a process id");
    let alive = |id: i32| std::path::Path::new(&format!("/proc/{id}")).exists();
    assert!(alive(leader));
    drop((sender, receiver));
    channel
        .call("worker.info", Bytes::new(), None, PATIENCE)
        .await
        .expect("an answer");
    eventually("its end", || {
        !alive(leader) && !runs("1003") && !runs("1004")
    })
    .await;
    scene.worker.stop().await;
}

/// Whether a `sleep` of that length runs.
fn runs(length: &str) -> bool {
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let wanted = format!("sleep\0{length}\0").into_bytes();
    entries.filter_map(command).any(|command| command == wanted)
}

#[tokio::test]
async fn a_command_may_have_a_terminal_and_be_signalled() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let start = wire::ExecStart {
        command: vec![
            "/bin/sh".into(),
            "-c".into(),
            "stty size; exec sleep 1005".into(),
        ],
        terminal: Some(wire::TerminalSize {
            columns: 44,
            rows: 11,
        }),
        ..Default::default()
    };
    let stream = channel
        .stream("exec", start.encode_to_vec().into(), None)
        .await;
    let (_, sender, mut receiver) = stream.expect("a stream");
    let message = receiver.next().await.expect("a message").expect("no end");
    let output = wire::ExecOutput::decode(message).expect("an output").body;
    assert_eq!(
        output,
        Some(exec_output::Body::Stdout(Bytes::from_static(b"11 44\r\n")))
    );
    sender
        .send(input(exec_input::Body::Signal(15)))
        .await
        .expect("sent");
    assert_eq!(all(&mut receiver).await.2, 128 + 15);
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_forged_first_message_is_refused_before_anything_is_signed() {
    let scene = scene(OWNER, Vec::new()).await;
    let incoming = wire::Incoming {
        channel_id: vec![3; 16].into(),
        user_id: OWNER.into(),
        noise: vec![0; 48].into(),
        ..Default::default()
    };
    scene
        .client
        .orders
        .send(control::Body::Incoming(incoming))
        .await
        .expect("carried");
    // The Worker lives on, and believes who is to be believed.
    scene
        .client
        .connect(&device())
        .await
        .map(drop)
        .expect("a channel");
    scene.worker.stop().await;
}

#[tokio::test]
async fn many_channels_of_one_user_work_side_by_side() {
    let scene = scene(OWNER, Vec::new()).await;
    let device = device();
    scene
        .client
        .connect(&device)
        .await
        .map(drop)
        .expect("a channel");
    let scene = Arc::new(scene);
    let mut channels = Vec::new();
    for _ in 0..20 {
        channels.push(scene.client.connect(&device).await.expect("a channel"));
    }
    for channel in &channels {
        let info: Result<wire::WorkerInfo, _> =
            ask(channel, "worker.info", &wire::WorkerInfoRequest {}).await;
        assert!(info.is_ok());
    }
}
