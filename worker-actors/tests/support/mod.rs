//! A Worker's terminals without a Worker, and a client that draws what it is sent.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "every test file uses its own part"
)]

pub mod hub;

use std::{path::Path, sync::Arc, time::Duration};

use prost::Message as _;
use schema::{ids::TerminalId, wire};
use worker_actors::{
    store::Store,
    terminal::{
        environment::Environment,
        live::{Seat, Terminal},
        roster::{Habits, Roster},
        screen::Screen,
        size::Size,
    },
};

/// Long enough for a busy machine; nothing waits that long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn habits() -> Habits {
    Habits {
        scrollback_lines: 100,
        most: 8,
        grace: Duration::from_millis(300),
        keep_every: Duration::from_millis(20),
        shell: Some("/bin/sh".into()),
        login_shell: false,
    }
}

pub fn environment() -> Environment {
    let path = ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into());
    Environment::inherited([
        path,
        ("HOME".into(), "/".into()),
        ("PS1".into(), "$ ".into()),
    ])
}

pub fn roster(data_dir: &Path) -> Roster {
    let store = Store::open(data_dir).expect("a store");
    Roster::start(store, habits(), environment()).expect("a roster")
}

pub fn id(text: &str) -> TerminalId {
    TerminalId::parse(text).expect("an id")
}

pub fn sh(script: &str) -> wire::TerminalOpen {
    let command = vec!["/bin/sh".into(), "-c".into(), script.into()];
    wire::TerminalOpen {
        columns: 80,
        rows: 24,
        command,
        ..Default::default()
    }
}

/// Asks again and again until it holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let asking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, asking).await.is_ok(),
        "{what}"
    );
}

/// A client: its seat and the screen that it draws.
pub struct Client {
    pub seat: Seat,
    pub screen: Screen,
    pub summary: wire::TerminalSummary,
    pub snapshots: usize,
    pub sequence: u64,
}

impl Client {
    pub fn at(terminal: &Arc<Terminal>) -> Self {
        Self::resuming(terminal, 0)
    }

    pub fn resuming(terminal: &Arc<Terminal>, shown: u64) -> Self {
        Self {
            seat: terminal.sit(shown, true),
            screen: Screen::new(Size::DEFAULT, 100),
            summary: wire::TerminalSummary::default(),
            snapshots: 0,
            sequence: shown,
        }
    }

    pub async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                while let Some(event) = self.seat.next_event(1 << 20) {
                    self.draw(&event);
                }
                if holds(self) {
                    return;
                }
                self.seat.moved().await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(done.is_ok(), "{what}: {:#?}", self.screen.text());
    }

    pub async fn until_shown(&mut self, text: &str) {
        self.until(text, |client| client.shows(text)).await;
    }

    pub async fn until_ended(&mut self) -> i32 {
        let ended = i32::from(wire::TerminalState::Ended);
        self.until("its end", |client| client.summary.state == ended)
            .await;
        self.summary.exit_code
    }

    pub fn shows(&self, text: &str) -> bool {
        self.screen.text().iter().any(|row| row.contains(text))
    }

    fn draw(&mut self, event: &[u8]) {
        match wire::TerminalEvent::decode(event)
            .expect("an event")
            .body
            .expect("a body")
        {
            wire::terminal_event::Body::Snapshot(snapshot) => {
                let size = Size::asked(snapshot.columns, snapshot.rows).expect("a size");
                self.screen = Screen::new(size, 100);
                self.screen.write(&snapshot.data);
                self.snapshots += 1;
                self.sequence = snapshot.sequence;
            }
            wire::terminal_event::Body::Output(output) => {
                self.screen.write(&output.data);
                self.sequence = output.sequence;
            }
            wire::terminal_event::Body::Summary(summary) => {
                if let Some(size) = Size::asked(summary.columns, summary.rows) {
                    self.screen.resize(size);
                }
                self.summary = summary;
            }
        }
    }
}
