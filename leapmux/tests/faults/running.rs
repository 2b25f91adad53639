//! A `leapmux remote exec` that goes on running, and says so when asked.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use crate::gauge::{now, report};

/// `remote exec -- cat`: what goes in comes out, by way of Hub and Worker.
pub(crate) struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    asked: u32,
}

impl Running {
    /// Takes `leapmux remote --hub …` and waits for its first echo.
    pub(crate) fn start(mut remote: Command) -> Self {
        let mut child = remote
            .args(["exec", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take().expect("piped");
        let mut running = Self {
            child,
            input,
            lines,
            asked: 0,
        };
        running.round_trip();
        running
    }

    /// Sends a line and waits for it to come back.
    ///
    /// # Panics
    ///
    /// When it does not come, or another one does.
    pub(crate) fn round_trip(&mut self) -> Duration {
        self.asked += 1;
        let (line, sent) = (format!("line {}", self.asked), now());
        writeln!(self.input, "{line}").expect("it still runs");
        let back = self.lines.recv_timeout(crate::support::PATIENCE);
        assert_eq!(back.as_ref(), Ok(&line), "it does not live on");
        sent.elapsed()
    }

    /// Goes on as if nothing had happened, which takes a while at most.
    pub(crate) fn lives_on(&mut self, after: Instant, what: &str, bound: Duration) {
        self.round_trip();
        report(
            &format!("{what}: a running command goes on"),
            after.elapsed(),
            bound,
        );
    }

    /// The middle one of so many round trips.
    pub(crate) fn median(&mut self, count: usize) -> Duration {
        let mut all: Vec<_> = (0..count).map(|_| self.round_trip()).collect();
        all.sort();
        all[count / 2]
    }

    /// Whether the process is still there.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
