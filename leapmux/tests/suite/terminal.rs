//! `leapmux remote terminal`, in a real terminal.

use std::{
    io::{Read as _, Write},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use crate::support::{LEAPMUX, PATIENCE, Solo, text};

/// A person before a terminal of 30 rows and 100 columns.
pub(crate) struct Person {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Person {
    fn sit_down(solo: &Solo, arguments: &[&str]) -> Self {
        Self::sit_down_at(LEAPMUX, solo.home(), &solo.daemon.url, arguments)
    }

    /// With any binary, home and Hub.
    pub(crate) fn sit_down_at(binary: &str, home: &Path, hub: &str, arguments: &[&str]) -> Self {
        let size = PtySize {
            rows: 30,
            cols: 100,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(binary);
        command.args(["remote", "--hub", hub, "terminal"]);
        command.args(arguments);
        command.env("HOME", home);
        let child = pair.slave.spawn_command(command).expect("it starts");
        let mut output = pair.master.try_clone_reader().expect("a reader");
        let keyboard = pair.master.take_writer().expect("a writer");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let _master = pair.master;
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            seen: String::new(),
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.keyboard
            .write_all(text.as_bytes())
            .expect("it takes keys");
    }

    pub(crate) fn sees(&mut self, what: &str) {
        while !self.seen.contains(what) {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{what:?} is not in {:?}", self.seen)
                }
            }
        }
    }

    pub(crate) fn leaves(&mut self) -> u32 {
        self.child.wait().expect("our own child").exit_code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn it_has_our_size_and_ends_with_the_shells_code() {
    let solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("stty size; echo $((6*7))end\r");
    person.sees("30 100");
    person.sees("42end");
    person.types("exit 7\r");
    assert_eq!(person.leaves(), 7);
}

#[test]
fn one_can_leave_and_come_back_to_the_same_screen() {
    let solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    person.types("~.");
    person.sees("detached");
    assert_eq!(person.leaves(), 0);

    let listed = text(&solo.remote(&["--json", "terminal", "list"], b""));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed[0]["state"], "TERMINAL_STATE_RUNNING", "{listed}");
    let id = listed[0]["terminalId"].as_str().expect("an id");

    let mut person = Person::sit_down(&solo, &["attach", &id[..8]]);
    person.sees("1234mark");
    person.types("exit\r");
    assert_eq!(person.leaves(), 0);
}

#[test]
fn it_comes_back_after_the_hub_was_away() {
    let mut solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    solo.restart(&[]);
    person.sees("connection lost");
    // In solo the Worker restarted with its Hub: the last screen is all that is left.
    person.sees("last screen");
    assert_eq!(person.leaves(), 255);
}

#[test]
fn without_a_terminal_it_names_exec() {
    let solo = Solo::start(&[]);
    let output = solo.remote(&["terminal"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(crate::support::errors(&output).contains("remote exec"));
    let left = text(&solo.remote(&["--json", "terminal", "list"], b""));
    assert_eq!(left.trim(), "[]", "a shell was left behind");
}
