//! What each role may do, and that nobody is held up.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use schema::{
    ids::WorkspaceId,
    wire::{self, control},
};
use tokio::time::timeout;

use crate::{
    scene::{access, code, scene, scene_with},
    support::{
        PATIENCE,
        hub::{OWNER, ask, device},
    },
};

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
async fn a_viewer_looks_within_the_workspace_and_is_refused_when_typing() {
    let scene = scene_with("bob", access(wire::Role::Viewer), |config| {
        config.device_trust = worker_actors::DeviceTrust::Tofu;
    })
    .await;
    let workspace = WorkspaceId::parse("w").expect("an id");
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let roles = |role| {
        let changed = wire::AccessChanged {
            channel_id: channel.id().as_bytes().to_vec().into(),
            change: 0,
            workspaces: role,
            certificates: Vec::new(),
        };
        scene
            .client
            .orders
            .send(control::Body::AccessChanged(changed))
    };
    let may_open = async || {
        let asked = channel.call("terminal.open", Bytes::new(), Some(&workspace), PATIENCE);
        asked.await.ok()
    };
    roles(access(wire::Role::Editor)).await.expect("carried");
    let opened = wire::TerminalSummary::decode(may_open().await.expect("an editor opens"));
    let opened = opened.expect("a summary");
    roles(access(wire::Role::Viewer)).await.expect("carried");
    assert!(may_open().await.is_none(), "a viewer opened a terminal");

    let attach = wire::TerminalAttach {
        terminal_id: opened.terminal_id.clone(),
        columns: 33,
        rows: 7,
        ..Default::default()
    };
    let attach: Bytes = attach.encode_to_vec().into();
    let (_answer, sender, mut events) = channel
        .stream("terminal.attach", attach.clone(), Some(&workspace))
        .await
        .expect("a stream");
    assert!(events.next().await.expect("an event").is_some());
    let input = |body| {
        wire::TerminalInput { body: Some(body) }
            .encode_to_vec()
            .into()
    };
    let size = wire::TerminalSize {
        columns: 11,
        rows: 5,
    };
    let resize = wire::terminal_input::Body::Resize(size);
    sender.send(input(resize)).await.expect("sent");
    let typed = wire::terminal_input::Body::Data(Bytes::from_static(b"touch x\n"));
    sender.send(input(typed)).await.expect("sent");
    let ended = async {
        loop {
            match events.next().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let ended = timeout(PATIENCE, ended).await.expect("in time");
    assert_eq!(code(ended), Some(7));
    let named = wire::TerminalClose {
        terminal_id: opened.terminal_id,
    };
    let named: Bytes = named.encode_to_vec().into();
    let other = WorkspaceId::parse("x").expect("an id");
    for (method, workspace) in [
        ("terminal.close", &workspace),
        ("terminal.rename", &workspace),
        ("terminal.list", &other),
        ("terminal.attach", &other),
    ] {
        let answer = channel
            .call(method, named.clone(), Some(workspace), PATIENCE)
            .await;
        assert_eq!(code(answer), Some(7), "{method}");
    }
    let list = channel.call("terminal.list", Bytes::new(), Some(&workspace), PATIENCE);
    let list = wire::TerminalList::decode(list.await.expect("a list")).expect("a list");
    let summary = list.terminals.first().expect("the terminal");
    assert_eq!((summary.columns, summary.rows), (80, 24));
    scene.worker.stop().await;
}

#[tokio::test]
async fn requests_that_say_more_than_they_need_to_are_refused() {
    let scene = scene(OWNER, Vec::new()).await;
    let channel = scene.client.connect(&device()).await.expect("a channel");
    let long = Bytes::from(vec![0; (64 << 10) + 1]);
    let (answer, _sender, _lists) = channel
        .stream("terminal.watch", long, None)
        .await
        .expect("a stream");
    assert_eq!(code(answer.answer().await), Some(3));
    scene.worker.stop().await;
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
