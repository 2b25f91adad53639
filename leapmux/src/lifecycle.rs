//! The end of a process: the first signal drains, the second stops at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask a daemon to go.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Signals {
    /// Registers first, so that none is missed while the rest starts.
    pub(crate) fn register() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            // Also so that programs started from here do not inherit it ignored.
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Comes back at the next signal, with its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }

    /// Runs `goodbye` to its end unless a second signal comes first.
    pub(crate) async fn hurry<F: Future<Output = ()>>(&mut self, goodbye: F) {
        tokio::select! {
            () = goodbye => {}
            name = self.next() => tracing::warn!(signal = name, "second signal: stopping at once"),
        }
    }
}
