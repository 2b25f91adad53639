//! How the link stands, for whoever watches it.

use std::time::Duration;

/// How the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Dialling, or waiting for the welcome.
    Connecting,
    /// Welcomed.
    Connected,
    /// Down; dialled again after so long.
    Waiting {
        /// The wait that was chosen.
        retry_after: Duration,
    },
    /// Given up, or stopped.
    Ended(EndReason),
}

/// Why a Worker does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// It was told to.
    #[error("stopped")]
    Stopped,
    /// The Hub does not know it any more.
    #[error("this Worker was deregistered, or its Hub does not know it; register it again")]
    Deregistered,
    /// Another process runs as the same Worker.
    #[error("another process has connected as this Worker; stop one of the two")]
    Replaced,
}
