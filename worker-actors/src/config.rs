//! What a Worker is started with.

use std::{path::PathBuf, time::Duration};

use channel_actors::endpoint::trust::Policy;
use serde::{Deserialize, Serialize};

use crate::{hub_state::KnownHub, pulse::Rhythm, redial::BackOff};

/// A Worker's settings. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Where the Hub is: `http://host:port`, `https://host[:port]` or `unix:/path`.
    /// Default: the one that it registered with, else `http://127.0.0.1:4327`.
    pub hub: String,
    /// PEM file of certificate authorities to trust besides the built-in ones, for `https`.
    /// Default: that of the registration, where the Hub is.
    pub ca_file: Option<PathBuf>,
    /// Folder of the key, the Hub's token and the database. Made with mode 0700.
    pub data_dir: PathBuf,
    /// `post-quantum` (default) or `classic`; `pq`, `post_quantum` and nothing are aliases of the
    /// first, and so is anything unknown.
    pub encryption_mode: String,
    /// Which devices may open channels.
    pub device_trust: DeviceTrust,
    /// File with the public keys of this machine's own command line, one in hex a line. It has to
    /// belong to the Worker's user and nobody else may write it: whoever can write there can read
    /// the Worker's key as well, so trusting what it names gives nothing away.
    pub local_device_file: Option<PathBuf>,
    /// Shell of new terminals. Default: `SHELL`, else the one of the user database.
    pub shell: Option<PathBuf>,
    /// Whether new terminals run login shells when a client does not say. Default false.
    pub login_shell: bool,
    /// Lines kept above each screen. Default 5,000; at most 50,000.
    pub scrollback_lines: usize,
    /// Terminals at a time, ended ones included. Default 64.
    pub terminals: usize,
    /// How long a channel waits for a client that lost its connection, in milliseconds; its
    /// commands run meanwhile. Default 300,000 (5 minutes).
    pub detached_max_ms: u64,
    /// Time scales. Only tests have a reason to change them.
    #[serde(skip)]
    pub timings: Timings,
}

/// Which devices may open channels (docs/protocol.md, section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceTrust {
    /// Those that were approved, certified or registered.
    #[default]
    KnownDevices,
    /// Each user's first one as well.
    Tofu,
    /// All.
    Any,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Dialling again.
    pub back_off: BackOff,
    /// Heartbeats.
    pub rhythm: Rhythm,
    /// Reaching the Hub and being welcomed.
    pub dial: Duration,
    /// Looking whether the device list was changed from outside.
    pub devices: Duration,
    /// Storing changed screens.
    pub keep: Duration,
    /// How long programs have to hang up before they are killed.
    pub grace: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            hub: String::new(),
            ca_file: None,
            data_dir: PathBuf::from("."),
            encryption_mode: String::from("post-quantum"),
            device_trust: DeviceTrust::default(),
            local_device_file: None,
            shell: None,
            login_shell: false,
            scrollback_lines: 5_000,
            terminals: 64,
            detached_max_ms: 300_000,
            timings: Timings::default(),
        }
    }
}

impl WorkerConfig {
    /// The Hub to dial: the configured one, the one of the registration, or this machine's.
    pub(crate) fn hub(&self, registered: Option<&KnownHub>) -> KnownHub {
        let registered = registered.filter(|hub| self.hub.is_empty() || self.hub == hub.url);
        let fallback = || match self.hub.as_str() {
            "" => String::from(LOCAL_HUB),
            given => given.to_owned(),
        };
        KnownHub {
            url: registered.map_or_else(fallback, |hub| hub.url.clone()),
            ca_file: self.ca_file.clone().or_else(|| registered?.ca_file.clone()),
        }
    }
}

/// Where a Hub listens that was told nothing else.
const LOCAL_HUB: &str = "http://127.0.0.1:4327";

impl Default for Timings {
    fn default() -> Self {
        Self {
            back_off: BackOff::default(),
            rhythm: Rhythm::default(),
            dial: Duration::from_secs(15),
            devices: Duration::from_millis(500),
            keep: Duration::from_secs(2),
            grace: Duration::from_secs(2),
        }
    }
}

impl DeviceTrust {
    /// What is given up, in one sentence; None = nothing.
    #[must_use]
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::KnownDevices => None,
            Self::Tofu => Some(
                "device trust is tofu: a Hub that is hostile when a user first connects can be \
                 that user from then on",
            ),
            Self::Any => Some(
                "device trust is any: whoever controls the Hub can open a channel as any user, \
                 and run commands here",
            ),
        }
    }

    /// The name in configuration and announcements.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KnownDevices => "known-devices",
            Self::Tofu => "tofu",
            Self::Any => "any",
        }
    }

    pub(crate) const fn policy(self) -> Policy {
        match self {
            Self::KnownDevices => Policy::KnownDevices,
            Self::Tofu => Policy::Tofu,
            Self::Any => Policy::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_hub_the_one_of_the_registration_is_dialled() {
        let known = KnownHub {
            url: "https://hub.example".into(),
            ca_file: Some("/ca.pem".into()),
        };
        let config = |hub: &str| WorkerConfig {
            hub: hub.into(),
            ..WorkerConfig::default()
        };
        assert_eq!(config("").hub(Some(&known)), known);
        assert_eq!(config("https://hub.example").hub(Some(&known)), known);
        let elsewhere = config("https://other.example").hub(Some(&known));
        assert_eq!(elsewhere.url, "https://other.example");
        assert_eq!(elsewhere.ca_file, None);
        assert_eq!(config("").hub(None).url, LOCAL_HUB);
    }
}
