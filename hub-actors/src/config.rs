//! What can be set, one struct a concern. Protocol numbers are not here: they are no choice.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{keyring::file, store::postgres::dsn};

/// Everything a Hub is started with. The binary lays file, environment and flags over it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// The one public door: `ADDRESS:PORT` or `unix:PATH`. Default `127.0.0.1:4327`.
    pub listen: String,
    /// Health and metrics: `ADDRESS:PORT`, or empty for none. Default `127.0.0.1:4328`.
    pub admin_listen: String,
    /// Where browsers find this Hub, e.g. `https://hub.example.org`. Default empty: wherever it
    /// is reached by a loopback name or by address.
    pub public_url: String,
    /// Folder of the database and the key files. Default `leapmux-hub` in the working folder.
    pub data_dir: PathBuf,
    /// The keys of what is sealed in the database, and of its hashes. Default none:
    /// `encryption.key` in the data folder.
    pub encryption_key_file: Option<PathBuf>,
    /// Who may use it. Default `solo`.
    pub mode: Mode,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses, networks like
    /// `10.0.0.0/8`, or `unix` for whoever reaches the Unix socket. Default none.
    pub trusted_proxies: Vec<String>,
    /// Whether anybody may make an account, until an admin says otherwise. Default false.
    pub sign_up: bool,
    /// Which database it has.
    pub storage: StorageConfig,
    /// Which server takes its mail.
    pub mail: MailConfig,
    /// How much one user may take.
    pub quotas: Quotas,
    /// How much one organisation may take that has no quotas of its own.
    pub organisations: OrganisationQuotas,
    /// How much may wait in the relay.
    pub relay: RelayConfig,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How it goes down.
    pub drain: DrainConfig,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4327".to_owned(),
            admin_listen: "127.0.0.1:4328".to_owned(),
            public_url: String::new(),
            data_dir: PathBuf::from("leapmux-hub"),
            encryption_key_file: None,
            mode: Mode::Solo,
            trusted_proxies: Vec::new(),
            sign_up: false,
            storage: StorageConfig::default(),
            mail: MailConfig::default(),
            quotas: Quotas::default(),
            organisations: OrganisationQuotas::default(),
            relay: RelayConfig::default(),
            timeouts: Timeouts::default(),
            drain: DrainConfig::default(),
        }
    }
}

impl HubConfig {
    /// Where the key file is.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        let named = self.encryption_key_file.clone();
        named.unwrap_or_else(|| self.data_dir.join(file::NAME))
    }
}

/// Who may use a Hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Whoever reaches the port is the admin. For loopback only.
    Solo,
    /// Whoever holds a credential.
    Hub,
}

impl Mode {
    /// The word used in configuration, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Solo => "solo",
            Self::Hub => "hub",
        }
    }
}

/// Which database a Hub has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// `sqlite`: a file in the data folder. `postgres`: a server, which several Hubs may share.
    /// Default `sqlite`.
    #[serde(rename = "type")]
    pub kind: StorageKind,
    /// Where PostgreSQL is: `postgres://USER@HOST:PORT/NAME?sslmode=verify-full` or
    /// `host=… user=… dbname=…`. Default empty.
    pub postgres_dsn: SecretDsn,
    /// A file with the DSN in it, which wins over the DSN itself. Default none.
    pub postgres_dsn_file: Option<PathBuf>,
    /// PEM file of certificate authorities to trust beside the built-in ones. Default none.
    pub postgres_ca_file: Option<PathBuf>,
    /// Connections to PostgreSQL. Default 16.
    pub connections: u32,
    /// For a connection to PostgreSQL, TLS and sign-in included, in milliseconds. Default 5,000.
    pub connect_ms: u64,
    /// For one statement in PostgreSQL, in milliseconds. Default 5,000.
    pub statement_ms: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            kind: StorageKind::Sqlite,
            postgres_dsn: SecretDsn::default(),
            postgres_dsn_file: None,
            postgres_ca_file: None,
            connections: 16,
            connect_ms: 5_000,
            statement_ms: 5_000,
        }
    }
}

/// The two kinds of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// A file in the data folder.
    Sqlite,
    /// A server.
    Postgres,
}

impl StorageKind {
    /// The word used in configuration and errors.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A DSN, which may hold a password: wiped when dropped, and shown by nobody but
/// [`expose`](Self::expose) and the configuration's own serialisation, which masks it when printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct SecretDsn(Zeroizing<String>);

impl SecretDsn {
    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is a password in it, which then has no place in a process's arguments.
    #[must_use]
    pub fn has_password(&self) -> bool {
        dsn::has_password(&self.0)
    }
}

impl From<String> for SecretDsn {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Serialize for SecretDsn {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl std::fmt::Debug for SecretDsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() {
            "none"
        } else {
            "********"
        })
    }
}

/// Which server takes a Hub's mail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// Name or address of the server. Default empty: the Hub sends no mail.
    pub host: String,
    /// Default 0: 587 for `starttls`, 465 for `implicit`, 25 for `none`.
    pub port: u16,
    /// How the way to the server is protected. Default `starttls`.
    pub security: MailSecurity,
    /// Default empty: the server asks nobody who it is.
    pub username: String,
    /// Its password. Default empty.
    pub password: SecretDsn,
    /// A file with the password in it, which wins over the password itself. Default none.
    pub password_file: Option<PathBuf>,
    /// PEM file of certificate authorities to trust beside the built-in ones. Default none.
    pub ca_file: Option<PathBuf>,
    /// Whom mails are from: `leapmux@example.org` or `LeapMux <leapmux@example.org>`.
    pub from: String,
    /// For one try to hand over one mail, in milliseconds. Default 10,000.
    pub timeout_ms: u64,
    /// Before the second of five tries, in milliseconds; four times as long before each one after it.
    /// Default 2,000.
    pub retry_ms: u64,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            security: MailSecurity::Starttls,
            username: String::new(),
            password: SecretDsn::default(),
            password_file: None,
            ca_file: None,
            from: "leapmux@localhost".to_owned(),
            timeout_ms: 10_000,
            retry_ms: 2_000,
        }
    }
}

impl MailConfig {
    /// The port, or the usual one.
    pub(crate) const fn port(&self) -> u16 {
        match (self.port, self.security) {
            (0, MailSecurity::Starttls) => 587,
            (0, MailSecurity::Implicit) => 465,
            (0, MailSecurity::None) => 25,
            (port, _) => port,
        }
    }
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// TLS after a greeting in clear; without TLS nothing is sent.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None: for a server on the same machine.
    None,
}

/// Limits that one user can meet. Generous: they stop accidents and abuse, not work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Open WebSockets of one user, relay and events together. Default 32.
    pub sessions_per_user: u32,
    /// Live channels of one user. Default 1024.
    pub channels_per_user: u32,
    /// Channels that one user may open within a second, on average. Default 20.
    pub opens_per_second: u32,
    /// Opens beyond the average that may come at once. Default 100.
    pub opens_burst: u32,
    /// Channels that one user may renew within a second, on average. Default 200.
    pub renewals_per_second: u32,
    /// Renewals beyond the average that may come at once, as they do when a Hub was restarted: two
    /// for each live channel. Default 2048.
    pub renewals_burst: u32,
    /// Registered Workers of one user. Default 256.
    pub workers_per_user: u32,
    /// Unused registration keys of one user. Default 16.
    pub registration_keys_per_user: u32,
    /// Workspaces that one user owns. Default 1000.
    pub workspaces_per_user: u32,
    /// Organisations that one user owns, the personal one included. Default 32.
    pub organisations_per_user: u32,
    /// API tokens of one user, logins of command lines among them. Default 64.
    pub api_tokens_per_user: u32,
    /// Failed sign-ins from one address within a minute. Default 10.
    pub failed_sign_ins_per_minute: u32,
    /// Right passwords of one user within a minute. Default 30.
    pub sign_ins_per_minute: u32,
    /// Ways to a provider of sign-in that are begun from one address within a minute. Default 30.
    pub oauth_starts_per_minute: u32,
    /// Requests of one user within a second, on average. Default 500.
    pub requests_per_second: u32,
    /// Requests of one user beyond the average that may come at once. Default 5000.
    pub requests_burst: u32,
    /// Changes that one user orders within a second, on average. Default 20.
    pub orders_per_second: u32,
    /// Orders of one user beyond the average that may come at once. Default 400.
    pub orders_burst: u32,
    /// Requests from one address within a second, on average, by whoever is not signed in. Default
    /// 50.
    pub stranger_requests_per_second: u32,
    /// Such requests beyond the average that may come at once. Default 500.
    pub stranger_requests_burst: u32,
    /// Registrations of Workers from one address, and keys for them made by one user, within an hour.
    /// Default 120.
    pub registrations_per_hour: u32,
    /// Links for a forgotten password asked for from one address within an hour. Default 20.
    pub password_resets_per_hour: u32,
    /// Mails to one mailbox, and mails caused by one user, within an hour. Default 10.
    pub mails_per_hour: u32,
    /// Accounts made from one address within an hour. Default 60.
    pub sign_ups_per_hour: u32,
    /// Logins of one user; beyond it the one that was not used for longest ends. Default 64.
    pub logins_per_user: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            sessions_per_user: 32,
            channels_per_user: 1_024,
            opens_per_second: 20,
            opens_burst: 100,
            renewals_per_second: 200,
            renewals_burst: 2_048,
            workers_per_user: 256,
            registration_keys_per_user: 16,
            workspaces_per_user: 1_000,
            organisations_per_user: 32,
            api_tokens_per_user: 64,
            failed_sign_ins_per_minute: 10,
            sign_ins_per_minute: 30,
            oauth_starts_per_minute: 30,
            requests_per_second: 500,
            requests_burst: 5_000,
            orders_per_second: 20,
            orders_burst: 400,
            stranger_requests_per_second: 50,
            stranger_requests_burst: 500,
            registrations_per_hour: 120,
            password_resets_per_hour: 20,
            mails_per_hour: 10,
            sign_ups_per_hour: 60,
            logins_per_user: 64,
        }
    }
}

/// Limits that one organisation can meet, unless an admin of the Hub gave it others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganisationQuotas {
    /// Members. Default 500.
    pub members: u32,
    /// Registered Workers. Default 1000.
    pub workers: u32,
    /// Live channels to its Workers. Default 10,000.
    pub channels: u32,
    /// Bytes of frames relayed to and from its Workers within a second; 0: no limit. Default 0.
    pub bytes_per_second: u64,
}

impl Default for OrganisationQuotas {
    fn default() -> Self {
        Self {
            members: 500,
            workers: 1_000,
            channels: 10_000,
            bytes_per_second: 0,
        }
    }
}

/// Memory of the relay, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// Frames of all channels that wait for their sockets, and 256 bytes for each. Beyond it the
    /// channel that holds the most is closed. Default 268,435,456 (256 MiB): 49 channels that are as
    /// full of large frames as one may be, 40 of small ones.
    pub waiting_bytes: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        let waiting_bytes = 256 * 1024 * 1024;
        Self { waiting_bytes }
    }
}

/// Limits of time, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From accept to the first bytes and from there to whole request headers. Default 10,000.
    pub request_head_ms: u64,
    /// For the body of a request. Default 10,000.
    pub request_body_ms: u64,
    /// For a call and its answer, whatever its caller would wait. Default 30,000.
    pub call_ms: u64,
    /// A socket that takes no byte for so long is closed. Default 30,000.
    pub write_stall_ms: u64,
    /// A connection of HTTP/2 that carries no Worker's link is closed after so long. Default
    /// 30,000.
    pub linkless_ms: u64,
    /// Silence of a WebSocket after which it is pinged. Default 15,000.
    pub ping_after_ms: u64,
    /// Silence of a WebSocket after which it is closed. Default 40,000.
    pub session_dead_ms: u64,
    /// From a link's start to its Hello. Default 10,000.
    pub hello_ms: u64,
    /// How often a link looks at its clock. Default 2,000.
    pub link_tick_ms: u64,
    /// Silence of a link after which a heartbeat is sent. Default 5,000.
    pub heartbeat_after_ms: u64,
    /// Silence of a link after which it is dead. Default 10,000.
    pub link_dead_ms: u64,
    /// For a place in the database pool, and for its lock. Default 5,000.
    pub database_ms: u64,
    /// When revocations could not be read for so long, every channel is closed. Default 30,000.
    pub ledger_blind_ms: u64,
    /// Life of a registration key. Default 300,000 (5 minutes).
    pub registration_key_ms: u64,
    /// Life of an API token, after which it has to be refreshed. Default 3,600,000 (1 hour).
    pub access_token_ms: u64,
    /// Life of the token that refreshes it. Default 7,776,000,000 (90 days).
    pub refresh_token_ms: u64,
    /// How long after its first use a refresh token may be used again, by whoever asked at the
    /// same time. Default 60,000.
    pub refresh_grace_ms: u64,
    /// From a person's word in a browser to the command line's login. Default 60,000.
    pub authorisation_ms: u64,
    /// For a person to type the code of a command line's login. Default 600,000 (10 minutes).
    pub device_login_ms: u64,
    /// Between two questions whether he has. Default 5,000.
    pub device_poll_ms: u64,
    /// For a Worker to say that it goes, when it was deregistered. Default 3,000.
    pub farewell_ms: u64,
    /// Life of a login since it was last used. Default 604,800,000 (7 days).
    pub login_ms: u64,
    /// How often the tokens of accounts at providers of sign-in are looked at, and refreshed where
    /// they end soon; up to half as much is added at random. Default 300,000 (5 minutes).
    pub oauth_refresh_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request_head_ms: 10_000,
            request_body_ms: 10_000,
            call_ms: 30_000,
            write_stall_ms: 30_000,
            linkless_ms: 30_000,
            ping_after_ms: 15_000,
            session_dead_ms: 40_000,
            hello_ms: 10_000,
            link_tick_ms: 2_000,
            heartbeat_after_ms: 5_000,
            link_dead_ms: 10_000,
            database_ms: 5_000,
            ledger_blind_ms: 30_000,
            registration_key_ms: 300_000,
            access_token_ms: 3_600_000,
            refresh_token_ms: 7_776_000_000,
            refresh_grace_ms: 60_000,
            authorisation_ms: 60_000,
            device_login_ms: 600_000,
            device_poll_ms: 5_000,
            farewell_ms: 3_000,
            login_ms: 604_800_000,
            oauth_refresh_ms: 300_000,
        }
    }
}

/// How a Hub goes down, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrainConfig {
    /// From "not ready" to the first goodbye, while load balancers take notice. Default 0.
    pub delay_ms: u64,
    /// Goodbyes are spread over so long. Default 2,000.
    pub spread_ms: u64,
    /// Then connections have so long to go by themselves. Default 5,000.
    pub timeout_ms: u64,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            delay_ms: 0,
            spread_ms: 2_000,
            timeout_ms: 5_000,
        }
    }
}

/// Milliseconds, as a duration.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused() {
        let read = |text| serde_json::from_str::<HubConfig>(text);
        assert!(read(r#"{"listen":"127.0.0.1:0"}"#).is_ok());
        assert!(read(r#"{"lisen":"127.0.0.1:0"}"#).is_err());
        assert!(read(r#"{"quotas":{"channels":1}}"#).is_err());
        assert!(read(r#"{"timeouts":{"hello_ms":"soon"}}"#).is_err());
    }

    #[test]
    fn a_dsn_is_not_shown() {
        let read = r#"{"storage":{"type":"postgres","postgres_dsn":"password=hunter2"}}"#;
        let read = serde_json::from_str::<HubConfig>(read).unwrap();
        assert_eq!(read.storage.kind, StorageKind::Postgres);
        assert_eq!(read.storage.postgres_dsn.expose(), "password=hunter2");
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let read = serde_json::from_str::<HubConfig>(r#"{"timeouts":{"hello_ms":1}}"#).unwrap();
        assert_eq!(read.timeouts.hello_ms, 1);
        assert_eq!(read.timeouts.link_dead_ms, Timeouts::default().link_dead_ms);
        assert_eq!(read.listen, HubConfig::default().listen);
    }
}
