//! Commands: bytes both ways, exit codes, and the end of the whole tree.

use std::time::Duration;

use bytes::Bytes;
use channel_actors::client::Channel;
use prost::Message as _;
use schema::wire::{self, exec_input, exec_output};
use tokio::time::timeout;

use crate::{
    scene::{code, scene, scene_with},
    support::{
        PATIENCE, eventually,
        hub::{OWNER, device},
    },
};

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
async fn a_signal_does_not_stand_behind_input_that_nobody_reads() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    for terminal in [None, Some((44, 11))] {
        let script = "test -t 0 && stty raw -echo; echo up; exec sleep 1008";
        let start = wire::ExecStart {
            command: vec!["/bin/sh".into(), "-c".into(), script.into()],
            terminal: terminal.map(|(columns, rows)| wire::TerminalSize { columns, rows }),
            ..Default::default()
        };
        let stream = channel
            .stream("exec", start.encode_to_vec().into(), None)
            .await;
        let (_, sender, mut receiver) = stream.expect("a stream");
        receiver.next().await.expect("a message").expect("no end");
        for _ in 0..12 {
            let piece = vec![b'x'; 65_536];
            sender
                .send(input(exec_input::Body::Stdin(piece.into())))
                .await
                .expect("sent");
        }
        sender
            .send(input(exec_input::Body::Signal(15)))
            .await
            .expect("sent");
        assert_eq!(all(&mut receiver).await.2, 128 + 15, "{terminal:?}");
    }
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_clients_environment_does_not_hide_a_command() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let start = wire::ExecStart {
        command: vec![
            "/bin/sh".into(),
            "-c".into(),
            "echo $MINE $LEAPMUX_EXEC".into(),
        ],
        environment: [("MINE", "mine"), ("LEAPMUX_EXEC", "hidden")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        ..Default::default()
    };
    let stream = channel
        .stream("exec", start.encode_to_vec().into(), None)
        .await;
    let (_, _sender, mut receiver) = stream.expect("a stream");
    let (out, ..) = all(&mut receiver).await;
    let out = String::from_utf8_lossy(&out).into_owned();
    assert!(out.starts_with("mine ") && !out.contains("hidden"), "{out}");
    scene.worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_has_stopped_has_ended_its_commands() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let script = "trap '' HUP; (setsid sleep 1009 &); echo up; sleep 1010; sleep 1010";
    let (_sender, mut stubborn) = exec(&channel, &["/bin/sh", "-c", script]).await;
    stubborn.next().await.expect("a message").expect("no end");
    eventually("both", || runs("1009") && runs("1010")).await;
    scene.worker.stop().await;
    assert!(!runs("1009") && !runs("1010"));
}

#[tokio::test]
async fn a_stopping_worker_waits_for_a_commands_farewell() {
    let scene = scene_with(OWNER, Vec::new(), |config| config.timings.grace = PATIENCE).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let farewell = scene.folder.path().join("farewell");
    let script = format!(
        "exec 2>/dev/null; trap 'echo bye > {}; exit' HUP; echo up; while :; do sleep 0.01; done",
        farewell.display()
    );
    let (_sender, mut polite) = exec(&channel, &["/bin/sh", "-c", &script]).await;
    polite.next().await.expect("a message").expect("no end");
    scene.worker.stop().await;
    assert_eq!(std::fs::read(&farewell).expect("a farewell"), b"bye\n");
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
