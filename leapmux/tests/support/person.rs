//! Somebody who uses `leapmux remote terminal`.

use std::{
    io::{Read as _, Write},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use super::{LEAPMUX, PATIENCE, Solo};

/// A person before a terminal of 30 rows and 100 columns.
pub(crate) struct Person {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Person {
    /// In solo's home.
    pub(crate) fn sit_down(solo: &Solo, arguments: &[&str]) -> Self {
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

    /// Presses keys.
    pub(crate) fn types(&mut self, text: &str) {
        self.keyboard
            .write_all(text.as_bytes())
            .expect("it takes keys");
    }

    /// Waits until that was on the screen.
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

    /// What was drawn since the screen was last cleared, its scrollback included.
    pub(crate) fn shown(&self) -> &str {
        const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";
        self.seen.rsplit(CLEAR).next().unwrap_or_default()
    }

    /// Waits for the end; the exit code.
    pub(crate) fn leaves(&mut self) -> u32 {
        self.child.wait().expect("our own child").exit_code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
