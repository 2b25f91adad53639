//! Terminals with real programs.

mod support;

use bytes::Bytes;
use schema::wire;
use support::{Client, eventually, id, roster, sh};
use tempfile::tempdir;
use worker_actors::terminal::{
    process_tree::ProcessTree,
    pty::{Listener, Program, Pty, SpawnError},
    roster::OpenError,
    size::Size,
};

#[tokio::test]
async fn a_program_draws_in_true_colour_and_tells_its_exit_code() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "printf '\\033[38;2;1;2;3mcolour\\033[m'; exit 7";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut client = Client::at(&terminal);
    assert_eq!(client.until_ended().await, 7);
    client.until_shown("colour").await;
    let snapshot = client.screen.snapshot(1 << 20);
    assert!(String::from_utf8_lossy(&snapshot).contains(";38;2;1;2;3m"));
}

#[tokio::test]
async fn a_signal_ends_with_its_number_above_128() {
    let folder = tempdir().expect("a folder");
    let terminal = roster(folder.path())
        .open(id("t"), None, sh("kill -TERM $$"), 1)
        .expect("a terminal");
    assert_eq!(Client::at(&terminal).until_ended().await, 128 + 15);
}

#[tokio::test]
async fn a_program_sees_the_size_that_was_asked_for_last() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let (mut one, mut two) = (Client::at(&terminal), Client::at(&terminal));
    one.until_shown("24 80").await;
    one.until_shown("ready").await;
    one.seat.typist().resize(Size {
        columns: 100,
        rows: 30,
    });
    one.until_shown("30 100").await;
    two.seat.typist().resize(Size {
        columns: 90,
        rows: 20,
    });
    one.until_shown("20 90").await;
    two.until_shown("20 90").await;
    assert_eq!((one.summary.columns, one.summary.rows), (90, 20));
    assert!(roster.close(&id("t")).await);
}

#[tokio::test]
async fn title_and_bell_are_told() {
    let folder = tempdir().expect("a folder");
    let script = "printf '\\033]0;a title\\007\\007'; read line";
    let roster = roster(folder.path());
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut client = Client::at(&terminal);
    client
        .until("a title", |client| {
            client.summary.title == "a title" && client.summary.bell
        })
        .await;
    client.seat.typist().type_in(Bytes::from_static(b"x")).await;
    client.until("no bell", |client| !client.summary.bell).await;
    terminal.rename("mine");
    client
        .until("the person's title", |client| {
            client.summary.title == "mine"
        })
        .await;
    assert!(roster.close(&id("t")).await);
}

#[tokio::test]
async fn two_clients_see_one_screen_and_both_may_type() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "while read line; do echo \"<$line>\"; done";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut one = Client::at(&terminal);
    one.seat
        .typist()
        .type_in(Bytes::from_static(b"first\n"))
        .await;
    one.until_shown("<first>").await;
    let mut two = Client::at(&terminal);
    two.seat
        .typist()
        .type_in(Bytes::from_static(b"second\n"))
        .await;
    one.until_shown("<second>").await;
    two.until_shown("<second>").await;
    two.until_shown("<first>").await;
    assert_eq!(one.screen.text(), two.screen.text());
    two.until("both are counted", |client| client.summary.attached == 2)
        .await;
    drop(one);
    two.until("one has left", |client| client.summary.attached == 1)
        .await;
    assert!(roster.close(&id("t")).await);
}

#[tokio::test]
async fn a_client_that_comes_back_is_sent_only_what_it_missed() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "echo before; read line; echo after; read line";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut first = Client::at(&terminal);
    first.until_shown("before").await;
    let shown = first.sequence;
    drop(first);
    let other = Client::at(&terminal);
    other.seat.typist().type_in(Bytes::from_static(b"\n")).await;
    let mut second = Client::resuming(&terminal, shown);
    second.until_shown("after").await;
    assert_eq!(second.snapshots, 0);
    assert!(!second.shows("before"));
    assert!(roster.close(&id("t")).await);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_nobody_up_and_is_redrawn() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "i=0; while [ $i -lt 40000 ]; do echo \"a line of some length $i\"; i=$((i+1)); done; \
                  echo finished; read line";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut slow = Client::at(&terminal);
    slow.until("a first drawing", |client| client.snapshots == 1)
        .await;
    let mut quick = Client::at(&terminal);
    quick.until_shown("finished").await;
    slow.until_shown("finished").await;
    assert!(slow.snapshots > 1);
    assert_eq!(slow.screen.text(), quick.screen.text());
    assert!(roster.close(&id("t")).await);
}

#[tokio::test]
async fn a_query_is_answered_when_nobody_looks_and_by_one_client_otherwise() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "stty raw -echo; printf '\\033[c'; head -c 5 | od -c; read line; \
                  printf 'again\\033[6n'; dd bs=1 count=6 2>/dev/null | od -c; read line";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    // The model says that it is a VT102.
    let answered = || String::from_utf8_lossy(&terminal.kept().2).contains("033   [   ?   6   c");
    eventually("the model's answer", answered).await;
    let mut one = Client::at(&terminal);
    let two = Client::at(&terminal);
    // Whoever is not drawn yet is not asked.
    one.until_shown("6   c").await;
    one.seat.typist().type_in(Bytes::from_static(b"\n")).await;
    one.until_shown("again").await;
    two.seat
        .typist()
        .type_in(Bytes::from_static(b"\x1b[9;9R"))
        .await;
    one.seat
        .typist()
        .type_in(Bytes::from_static(b"\x1b[5;6R"))
        .await;
    one.until_shown("033   [   5   ;   6   R").await;
    assert!(roster.close(&id("t")).await);
}

#[tokio::test]
async fn closing_ends_everything_that_was_started() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "trap '' HUP; set -m; sleep 1000 & (setsid sleep 1001 & sleep 1002) & \
                  sh -c 'trap \"\" HUP TERM; while :; do sleep 1; done' & echo started $$; wait";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut client = Client::at(&terminal);
    client.until_shown("started").await;
    let line = client
        .screen
        .text()
        .into_iter()
        .find(|row| row.starts_with("started"));
    let leader = line
        .and_then(|row| row.split(' ').nth(1)?.parse().ok())
        .expect("a process id");
    let tree = ProcessTree {
        leader,
        mark: None,
        leaderless: false,
    };
    eventually("all of it runs", || {
        tree.members().is_some_and(|members| members.len() >= 6)
    })
    .await;
    assert!(roster.close(&id("t")).await);
    assert_eq!(tree.members().map(|members| members.len()), Some(0));
    assert!(roster.list(None).terminals.is_empty());
    assert!(!roster.close(&id("t")).await);
}

#[tokio::test]
async fn after_a_restart_a_terminal_is_lost_and_its_last_screen_is_not() {
    let folder = tempdir().expect("a folder");
    let first = roster(folder.path());
    let script = "printf '\\033]2;editor\\007'; echo shell; printf '\\033[?1049h\\033[2;3Hon the alternate screen'; read line";
    let terminal = first
        .open(id("t"), None, sh(script), 5)
        .expect("a terminal");
    let ended = first
        .open(id("e"), None, sh("echo done; exit 3"), 4)
        .expect("a terminal");
    Client::at(&terminal)
        .until_shown("on the alternate screen")
        .await;
    Client::at(&ended).until_ended().await;
    first.stop(9).await;
    drop((terminal, ended, first));

    let second = roster(folder.path());
    let list = second.list(None).terminals;
    let told: Vec<_> = list
        .iter()
        .map(|terminal| (terminal.title.as_str(), terminal.state()))
        .collect();
    assert_eq!(
        told,
        [
            ("sh", wire::TerminalState::Ended),
            ("editor", wire::TerminalState::Lost)
        ]
    );
    assert_eq!(list[0].exit_code, 3);
    let mut client = Client::at(&second.find(&id("t")).expect("the terminal"));
    client.until_shown("  on the alternate screen").await;
    client
        .seat
        .typist()
        .type_in(Bytes::from_static(b"nobody reads this"))
        .await;
    assert!(second.close(&id("t")).await);
    assert_eq!(second.list(None).terminals.len(), 1);
}

#[tokio::test]
async fn a_screen_is_stored_while_its_program_runs() {
    let folder = tempdir().expect("a folder");
    let first = roster(folder.path());
    let terminal = first
        .open(id("t"), None, sh("echo kept; read line"), 5)
        .expect("a terminal");
    Client::at(&terminal).until_shown("kept").await;
    // As after a crash: nothing is told to stop. Where the output stood comes back with it, so that
    // a client that saw more keeps its own screen.
    eventually("a stored screen", || {
        let found = roster(folder.path()).find(&id("t"));
        found.is_some_and(|found| {
            let (_, sequence, screen) = found.kept();
            let written = b"kept\r\n".len() as u64;
            sequence == written && String::from_utf8_lossy(&screen).contains("kept")
        })
    })
    .await;
    assert!(first.close(&id("t")).await);
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let open = |command: &str, directory: &str| {
        let asked = wire::TerminalOpen {
            command: vec![command.into()],
            working_directory: directory.into(),
            ..Default::default()
        };
        roster.open(id("t"), None, asked, 1).map(drop)
    };
    assert_eq!(
        open("/no/such/program", ""),
        Err(OpenError::Spawn(SpawnError::Program))
    );
    assert_eq!(
        open("/bin/sh", "/no/such/folder"),
        Err(OpenError::Spawn(SpawnError::Directory))
    );
    assert_eq!(open("", ""), Err(OpenError::Spawn(SpawnError::Empty)));
    assert!(roster.list(None).terminals.is_empty());
}

#[tokio::test]
async fn terminals_are_bounded_and_ended_ones_make_room() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        roster
            .open(id(name), None, sh("read line"), 2)
            .expect("a terminal");
    }
    let ended = roster
        .open(id("ended"), None, sh("exit 0"), 1)
        .expect("a terminal");
    Client::at(&ended).until_ended().await;
    roster
        .open(id("h"), None, sh("read line"), 3)
        .expect("room");
    assert_eq!(
        roster.open(id("i"), None, sh("read line"), 3).map(drop),
        Err(OpenError::TooMany)
    );
    roster.stop(4).await;
}

#[tokio::test]
async fn a_guest_makes_room_among_its_workspaces_own_and_takes_half_at_most() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let garden = schema::ids::WorkspaceId::parse("garden").expect("an id");
    let kept = roster
        .open(id("kept"), None, sh("exit 0"), 1)
        .expect("a terminal");
    Client::at(&kept).until_ended().await;
    let open = |name: &str, script: &str| {
        let place = Some(garden.clone());
        roster.open_among(id(name), place, Some(&garden), sh(script), 2)
    };
    let resting = open("resting", "exit 0").expect("a terminal");
    Client::at(&resting).until_ended().await;
    for name in ["a", "b", "c", "d"] {
        open(name, "read line").expect("a terminal");
    }
    assert!(roster.find(&id("resting")).is_none(), "it made room");
    assert_eq!(
        open("e", "read line").map(drop),
        Err(OpenError::TooMany),
        "half of all"
    );
    assert!(roster.find(&id("kept")).is_some(), "the owner's stays");
    roster.stop(4).await;
}

#[tokio::test]
async fn a_login_shell_is_the_persons_own_and_starts_at_home() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let asked = wire::TerminalOpen {
        login_shell: true,
        ..Default::default()
    };
    let terminal = roster.open(id("t"), None, asked, 1).expect("a terminal");
    let mut client = Client::at(&terminal);
    client
        .seat
        .typist()
        .type_in(Bytes::from_static(
            b"echo at=$(pwd) $TERM $COLORTERM $LEAPMUX_TERMINAL\n",
        ))
        .await;
    client.until_shown("at=/ xterm-256color truecolor t").await;
    assert_eq!(client.summary.title, "sh");
    roster.stop(2).await;
}

#[tokio::test]
async fn ten_megabytes_of_output_pass_with_bounded_memory_and_the_end_is_seen() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script =
        "yes 'a line of some length, as logs have them' | head -c 10000000; echo; echo finished";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let mut client = Client::at(&terminal);
    client.until_shown("finished").await;
    assert_eq!(client.until_ended().await, 0);
    // Some hundred thousand line feeds came to it as carriage return and line feed.
    assert!(client.sequence > 10_000_000);
    let resident = std::fs::read_to_string("/proc/self/statm").expect("memory");
    let pages: usize = resident
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("pages");
    assert!(pages * 4096 < 300 << 20, "{pages} pages");
}

#[tokio::test]
async fn a_terminal_that_was_closed_while_it_was_kept_does_not_come_back() {
    let folder = tempdir().expect("a folder");
    let first = roster(folder.path());
    for number in 0..20 {
        let name = format!("t{number}");
        let script = "while :; do echo busy; done";
        let terminal = first
            .open(id(&name), None, sh(script), number)
            .expect("a terminal");
        Client::at(&terminal).until_shown("busy").await;
        assert!(first.close(&id(&name)).await);
    }
    first.stop(9).await;
    let second = roster(folder.path());
    assert_eq!(second.list(None).terminals, []);
}

#[test]
fn a_screen_that_fails_does_not_stop_its_program() {
    #[derive(Clone)]
    struct Clumsy(std::sync::mpsc::SyncSender<i32>);
    impl Listener for Clumsy {
        fn output(&self, _data: Bytes) {
            panic!("as a screen model may");
        }
        fn ended(&self, exit_code: i32) {
            self.0.send(exit_code).expect("a test that waits");
        }
    }
    let (ended, end) = std::sync::mpsc::sync_channel(1);
    let program = Program {
        arguments: ["/bin/sh", "-c", "head -c 1000000 /dev/zero; exit 3"]
            .map(Into::into)
            .into(),
        directory: "/".into(),
        environment: support::environment(),
    };
    let pty = Pty::start(&program, Size::DEFAULT, Clumsy(ended)).expect("a program");
    assert_eq!(end.recv_timeout(support::PATIENCE), Ok(3));
    drop(pty);
}

#[tokio::test]
async fn typing_brings_the_typists_size_back_to_the_program() {
    let folder = tempdir().expect("a folder");
    let roster = roster(folder.path());
    let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
    let terminal = roster
        .open(id("t"), None, sh(script), 1)
        .expect("a terminal");
    let (mut one, two) = (Client::at(&terminal), Client::at(&terminal));
    one.until_shown("ready").await;
    let [small, large] = [(60, 20), (100, 30)].map(|(columns, rows)| Size { columns, rows });
    one.seat.typist().resize(small);
    one.until_shown("20 60").await;
    two.seat.typist().resize(large);
    one.until_shown("30 100").await;
    one.seat.typist().type_in(Bytes::from_static(b"x")).await;
    one.until("its size again", |client| {
        (client.summary.columns, client.summary.rows) == (60, 20)
            && client
                .screen
                .text()
                .iter()
                .filter(|row| row.contains("20 60"))
                .count()
                == 2
    })
    .await;
    assert!(roster.close(&id("t")).await);
}
