//! Programs that a Worker started, and what they reach by it.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use channel_actors::client::{CallError, Channel, ConnectError};
use crypto::{DeviceKey, Mode};
use prost::Message as _;
use schema::{
    ids::WorkspaceId,
    wire::{
        self, Delegated, DelegationAnswer, DelegationAsk, DelegationRefusal,
        delegation_answer::Body,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use crate::{
    scene::{Scene, access, code, scene_with},
    support::{
        PATIENCE, eventually,
        hub::{OWNER, TOKEN, WORKER, device},
    },
};

/// A tab of the owner's, and the socket that its program was told of.
struct Tab {
    scene: Scene,
    owner: Channel,
    terminal: String,
    socket: PathBuf,
}

fn workspace() -> WorkspaceId {
    WorkspaceId::parse("w").expect("an id")
}

async fn tab(change: impl FnOnce(&mut worker_actors::WorkerConfig)) -> Tab {
    let scene = scene_with(OWNER, access(wire::Role::Owner), change).await;
    let owner = scene.client.connect(&device()).await.expect("a channel");
    let note = scene.folder.path().join("note");
    let script = format!(
        "printf %s \"$LEAPMUX_DELEGATION\" > {0}.new; mv {0}.new {0}; exec sleep 1000",
        note.display()
    );
    let asked = wire::TerminalOpen {
        command: vec!["/bin/sh".into(), "-c".into(), script],
        environment: [("LEAPMUX_DELEGATION".into(), "/tmp/another".into())].into(),
        ..Default::default()
    };
    let opened = owner
        .call(
            "terminal.open",
            asked.encode_to_vec().into(),
            Some(&workspace()),
            PATIENCE,
        )
        .await;
    let opened = wire::TerminalSummary::decode(opened.expect("a terminal")).expect("a summary");
    assert_eq!(opened.workspace_id, "w");
    eventually("the program's note", || note.exists()).await;
    let socket = std::fs::read_to_string(&note).expect("a note");
    Tab {
        scene,
        owner,
        terminal: opened.terminal_id,
        socket: socket.into(),
    }
}

async fn ask(socket: &PathBuf, device: &DeviceKey) -> (Body, UnixStream) {
    let mut stream = UnixStream::connect(socket).await.expect("a socket");
    let ask = DelegationAsk {
        device_key: device.public_bytes(Mode::PostQuantum).into(),
    };
    let bytes = ask.encode_to_vec();
    stream
        .write_u32(u32::try_from(bytes.len()).expect("short"))
        .await
        .expect("written");
    stream.write_all(&bytes).await.expect("written");
    (read(&mut stream).await, stream)
}

async fn read(stream: &mut UnixStream) -> Body {
    let reading = async {
        let length = stream.read_u32().await.expect("an answer");
        let mut bytes = vec![0; usize::try_from(length).expect("short")];
        stream.read_exact(&mut bytes).await.expect("an answer");
        bytes
    };
    let bytes = timeout(PATIENCE, reading).await.expect("in time");
    let answer = DelegationAnswer::decode(&*bytes).expect("an answer");
    answer.body.expect("no empty answer")
}

fn delegated(body: Body) -> Delegated {
    match body {
        Body::Delegated(delegated) => *delegated,
        Body::Refused(refused) => panic!("refused: {:?}", refused.reason()),
    }
}

fn refused(body: Body) -> DelegationRefusal {
    match body {
        Body::Refused(refused) => refused.reason(),
        Body::Delegated(_) => panic!("not refused"),
    }
}

async fn closed(channel: &Channel) {
    let calls = async {
        while !matches!(list(channel).await, Err(CallError::Closed(_))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, calls).await.is_ok(), "still open");
}

async fn list(channel: &Channel) -> Result<Bytes, CallError> {
    let nothing = Bytes::new();
    channel
        .call("terminal.list", nothing, Some(&workspace()), PATIENCE)
        .await
}

#[tokio::test]
async fn a_program_is_given_a_bearer_of_its_tab_and_does_what_an_editor_may() {
    for mode in ["classic", "post-quantum"] {
        let tab = tab(|config| config.encryption_mode = mode.into()).await;
        let key = device();
        let (answer, _stay) = ask(&tab.socket, &key).await;
        let given = delegated(answer);
        assert_eq!(
            (given.worker_id.as_str(), given.user_id.as_str()),
            (WORKER, OWNER)
        );
        assert_eq!(given.workspace_id, "w");
        assert_eq!(given.tab_id, tab.terminal);
        assert_eq!(given.worker_key, tab.scene.worker.public_key().as_bytes());
        let minted = tab.scene.hub.minted();
        assert_eq!(minted.len(), 1);
        assert_eq!(minted[0].0, format!("Bearer {TOKEN}"));
        assert_eq!(minted[0].1.channel_id, tab.owner.id().as_bytes()[..]);
        assert_eq!(minted[0].1.tab_id, tab.terminal);

        tab.scene.client.delegated(true);
        let channel = tab.scene.client.connect(&key).await.expect("a channel");
        let call = async |method: &str, workspace: Option<&WorkspaceId>| {
            code(
                channel
                    .call(method, Bytes::new(), workspace, PATIENCE)
                    .await,
            )
        };
        assert_eq!(call("terminal.list", Some(&workspace())).await, None);
        assert_eq!(call("terminal.open", Some(&workspace())).await, None);
        for beyond in ["exec", "devices.list", "devices.approve", "devices.remove"] {
            assert_eq!(call(beyond, Some(&workspace())).await, Some(7), "{beyond}");
        }
        assert_eq!(call("terminal.list", None).await, Some(7));
        tab.scene.worker.stop().await;
    }
}

#[tokio::test]
async fn the_key_of_a_program_and_a_delegated_channel_are_nothing_without_each_other() {
    let any = worker_actors::DeviceTrust::Any;
    let tab = tab(|config| config.device_trust = any).await;
    let key = device();
    let (answer, _stay) = ask(&tab.socket, &key).await;
    delegated(answer);
    let refused = |connected: Result<Channel, ConnectError>| {
        matches!(connected.map(drop), Err(ConnectError::Failed(_)))
    };
    assert!(
        refused(tab.scene.client.connect(&key).await),
        "as a person's"
    );
    tab.scene.client.delegated(true);
    assert!(
        refused(tab.scene.client.connect(&device()).await),
        "another key"
    );
    assert!(tab.scene.client.connect(&key).await.is_ok());
    tab.scene.worker.stop().await;
}

#[tokio::test]
async fn trust_in_a_program_ends_when_it_goes_and_when_its_tab_closes() {
    let tab = tab(|_| {}).await;
    tab.scene.client.delegated(true);
    let (one, other) = (device(), device());
    let (first, stay) = ask(&tab.socket, &one).await;
    let (second, _stays) = ask(&tab.socket, &other).await;
    assert_eq!(delegated(first).token, delegated(second).token);
    let (one, other) = (
        tab.scene.client.connect(&one).await.expect("a channel"),
        tab.scene.client.connect(&other).await.expect("a channel"),
    );
    drop(stay);
    closed(&one).await;
    list(&other).await.expect("the other goes on");
    let close = wire::TerminalClose {
        terminal_id: tab.terminal.clone(),
    };
    let closing = close.encode_to_vec().into();
    let done = tab
        .owner
        .call("terminal.close", closing, None, PATIENCE)
        .await;
    done.expect("it closes");
    closed(&other).await;
    assert!(!tab.socket.exists());
    assert_eq!(tab.scene.hub.minted().len(), 1);
    tab.scene.worker.stop().await;
}

#[tokio::test]
async fn whoever_cannot_be_given_a_bearer_is_told_why() {
    let tab = tab(|_| {}).await;
    tab.scene.hub.mint_no_more();
    let (answer, _) = ask(&tab.socket, &device()).await;
    assert_eq!(refused(answer), DelegationRefusal::NotGranted);
    let mut stream = UnixStream::connect(&tab.socket).await.expect("a socket");
    stream
        .write_all(&[0, 0, 0, 2, 7, 7])
        .await
        .expect("written");
    assert_eq!(
        refused(read(&mut stream).await),
        DelegationRefusal::Malformed
    );
    let census = || tab.scene.worker.census().channels;
    drop(tab.owner);
    eventually("the owner's leave", || census() == 0).await;
    let (answer, _) = ask(&tab.socket, &device()).await;
    assert_eq!(refused(answer), DelegationRefusal::NobodyThere);
    tab.scene.worker.stop().await;
}

#[tokio::test]
async fn a_bearer_that_expires_ends_the_trust_in_its_program() {
    let tab = tab(|_| {}).await;
    tab.scene.hub.mint_for(Duration::from_secs(62));
    let (answer, _stay) = ask(&tab.socket, &device()).await;
    let long = delegated(answer).token;
    // With a minute left it is given to nobody any more.
    tab.scene.hub.mint_for(Duration::from_secs(3));
    let short = async {
        loop {
            let key = device();
            let (answer, stay) = ask(&tab.socket, &key).await;
            if delegated(answer).token != long {
                return (key, stay);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (key, _stays) = timeout(PATIENCE, short).await.expect("another bearer");
    tab.scene.client.delegated(true);
    let channel = tab.scene.client.connect(&key).await.expect("a channel");
    closed(&channel).await;
    tab.scene.worker.stop().await;
}

#[tokio::test]
async fn a_socket_is_its_users_alone_and_a_command_has_one_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let tab = tab(|_| {}).await;
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("there").permissions().mode() & 0o777
    };
    assert_eq!(mode(&tab.socket), 0o600);
    assert_eq!(mode(tab.socket.parent().expect("a folder")), 0o700);
    let script = "test -S \"$LEAPMUX_DELEGATION\" && test \"$LEAPMUX_WORKSPACE\" = w";
    let start = wire::ExecStart {
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        ..Default::default()
    };
    let (_answer, _sender, mut output) = tab
        .owner
        .stream("exec", start.encode_to_vec().into(), Some(&workspace()))
        .await
        .expect("a stream");
    let said = timeout(PATIENCE, output.next()).await.expect("in time");
    let said = wire::ExecOutput::decode(said.expect("no error").expect("output"));
    let ended = wire::exec_output::Body::ExitCode(0);
    assert_eq!(said.expect("output").body, Some(ended));
    let folder = tab.socket.parent().expect("a folder").to_owned();
    let left = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    eventually("the command's socket is gone", || left() == 1).await;
    tab.scene.worker.stop().await;
}
