//! What a person is told of a connection that is lost and comes back.

use std::{
    convert::Infallible,
    future::pending,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use channel_actors::client::{Channel, Connection};
use tokio::{sync::watch, time::timeout};

use super::screen::draw;

/// A loss that is shorter is not worth a line in a script's log.
const UNSEEN: Duration = Duration::from_secs(3);
/// A loss that is shorter is not worth to cover what a terminal shows.
const FLICKER: Duration = Duration::from_secs(1);

/// Whether a channel has a path.
pub(crate) struct Notice {
    connection: watch::Receiver<Connection>,
}

impl Notice {
    /// Of that channel.
    pub(crate) fn new(channel: &Channel) -> Self {
        Self {
            connection: channel.connection(),
        }
    }

    /// Whether it is looking for a path now.
    pub(crate) fn is_reconnecting(&self) -> bool {
        *self.connection.borrow() != Connection::Connected
    }

    /// Tells on standard error, a line when it is lost and a line when it is back, for as long as
    /// it is polled.
    pub(crate) async fn tell(mut self) -> Infallible {
        let patience = if std::io::stderr().is_terminal() {
            Duration::ZERO
        } else {
            UNSEEN
        };
        loop {
            self.lost_for(patience).await;
            say("connection lost, reconnecting");
            self.back().await;
            say("reconnected");
        }
    }

    /// Comes back when the path is there again after a loss that was drawn over the screen.
    pub(crate) async fn covered(mut self) {
        self.lost_for(FLICKER).await;
        cover("connection lost, reconnecting");
        self.back().await;
    }

    /// Comes back at the next change.
    pub(crate) async fn changed(&mut self) {
        if self.connection.changed().await.is_err() {
            // The channel's own end is told where its streams end.
            pending::<()>().await;
        }
    }

    async fn lost_for(&mut self, patience: Duration) {
        loop {
            self.until(|connection| *connection != Connection::Connected)
                .await;
            if timeout(patience, self.back()).await.is_err() {
                return;
            }
        }
    }

    async fn back(&mut self) {
        self.until(|connection| *connection == Connection::Connected)
            .await;
    }

    async fn until(&mut self, is: impl FnMut(&Connection) -> bool) {
        if self.connection.wait_for(is).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Draws a line over a terminal; whoever does it draws the terminal anew afterwards.
pub(crate) fn cover(text: &str) {
    let line = format!("\r\n\x1b[7m leapmux: {text}; ~. at the start of a line leaves \x1b[0m\r\n");
    // A terminal that takes nothing ends where its output is drawn.
    let _ = draw(line.as_bytes());
}

/// A key that cannot be taken.
pub(crate) fn ring() {
    let _ = draw(b"\x07");
}

fn say(text: &str) {
    // Nobody reads it: then nobody misses it.
    let _ = writeln!(std::io::stderr(), "leapmux: {text}");
}
