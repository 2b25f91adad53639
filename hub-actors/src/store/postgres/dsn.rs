//! Where the database is, how the way there is protected, and how long anything may take.

use std::{
    fmt, fs, future::Future, io, net::IpAddr, path::Path, pin::Pin, sync::Arc, time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Client, Config,
    config::{Host, SslMode},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use crate::{config::SecretDsn, private_file, store::open::DatabaseError};

/// Why a connection cannot be had. None of them repeats the DSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The DSN cannot be read.
    #[error(
        "the DSN cannot be read; it is `postgres://USER@HOST/NAME?sslmode=verify-full` or `host=… user=… dbname=…`"
    )]
    Dsn,
    /// The DSN asks for what is not offered.
    #[error("the DSN's sslmode is not disable, require or verify-full")]
    SslMode,
    /// The file of certificate authorities cannot be used.
    #[error("storage.postgres_ca_file cannot be read or holds no certificate")]
    CaFile,
    /// Nobody answers there.
    #[error("nobody answers there in time; does it run, and is host and port right?")]
    Unreachable,
    /// Its certificate is not one that we trust, or it does not speak TLS.
    #[error(
        "no protected connection: it speaks no TLS, or its certificate is not for this host and signed by a known authority; name the authority in storage.postgres_ca_file, or say sslmode=disable where the way there is private"
    )]
    Tls,
    /// Wrong user, password or database, or it lets us not in.
    #[error("it refuses the user, the password or the name of the database")]
    Refused,
    /// It takes no more connections.
    #[error("it takes no more connections; lower storage.connections or raise its max_connections")]
    Full,
    /// No runtime.
    #[error("a thread or a file descriptor is missing; check the limits of processes and files")]
    Threads,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For name, TCP, TLS and authentication of one host.
    pub(crate) connect: Duration,
    /// For one statement.
    pub(crate) statement: Duration,
    /// For a lock.
    pub(crate) lock: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            statement: Duration::from_secs(5),
            lock: Duration::from_secs(5),
        }
    }
}

/// A host of its own never holds more than this back before it says that it is gone.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// The server ends what is too slow; this much later we stop waiting for it to say so.
const GRACE: Duration = Duration::from_secs(2);

/// Far more than anybody writes into a DSN.
const DSN_MAX: u64 = 4_096;

/// The DSN that was configured, or the content of the file that was.
///
/// # Errors
///
/// [`DatabaseError`] where there is none, or the file is not ours alone.
pub(crate) fn load(
    given: &SecretDsn,
    file: Option<&Path>,
) -> Result<Zeroizing<String>, DatabaseError> {
    let Some(path) = file else {
        return match given.expose() {
            "" => Err(DatabaseError::NoDsn),
            dsn => Ok(Zeroizing::new(dsn.to_owned())),
        };
    };
    read(path).ok_or(DatabaseError::DsnFile)
}

fn read(path: &Path) -> Option<Zeroizing<String>> {
    let content = private_file::read_mounted(path, DSN_MAX).ok()??;
    let content = Zeroizing::new(content);
    let text = std::str::from_utf8(&content).ok()?;
    Some(Zeroizing::new(text.trim().to_owned()))
}

/// Whether a DSN carries a password; of one that cannot be read, whether it might.
pub(crate) fn has_password(dsn: &str) -> bool {
    match dsn.parse::<Config>() {
        Ok(config) => config.get_password().is_some(),
        Err(_) => dsn.contains("password") || dsn.contains('@'),
    }
}

/// Everything that opens a connection. Holds a password: no `Debug`.
#[derive(Clone)]
pub(crate) struct Settings {
    config: Config,
    tls: MakeRustlsConnect,
    limits: Limits,
}

/// Carries one connection's bytes until its end.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Settings {
    /// Reads a DSN.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where it, or the file of authorities, cannot be used.
    pub(crate) fn new(
        dsn: &str,
        ca_file: Option<&Path>,
        limits: Limits,
    ) -> Result<Self, ConnectError> {
        // The client knows no other names; what it calls `require` is checked to the full here.
        let dsn = dsn.replace("sslmode=verify-full", "sslmode=require");
        if ["allow", "verify-ca"]
            .iter()
            .any(|mode| dsn.contains(&format!("sslmode={mode}")))
        {
            return Err(ConnectError::SslMode);
        }
        let mut config: Config = dsn.parse().map_err(|_| ConnectError::Dsn)?;
        if config.get_hosts().is_empty() {
            return Err(ConnectError::Dsn);
        }
        // Not said is not "perhaps": whoever can drop a packet could choose.
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(if is_local(&config) {
                SslMode::Disable
            } else {
                SslMode::Require
            });
        }
        config
            .application_name("leapmux-hub")
            .connect_timeout(limits.connect)
            .tcp_user_timeout(KEEPALIVE)
            .keepalives_idle(KEEPALIVE);
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls(ca_file)?),
            limits,
        })
    }

    /// `user@host:port/name`, for people.
    pub(crate) fn place(&self) -> String {
        Place(&self.config).to_string()
    }

    /// Longest wait for one answer.
    pub(super) fn patience(&self) -> Duration {
        self.limits.statement.max(self.limits.lock) + GRACE
    }

    pub(super) async fn connect(&self) -> Result<(Client, Driver), ConnectError> {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let whole = self.limits.connect.saturating_mul(hosts);
        let connecting = self.config.connect(self.tls.clone());
        let connected = tokio::time::timeout(whole, connecting).await;
        let connected = connected.map_err(|_| ConnectError::Unreachable)?;
        let (client, connection) = connected.map_err(|error| judge(&error))?;
        let driver = async move {
            // How it ended is told to whoever asks next.
            let _end = connection.await;
        };
        Ok((client, Box::pin(driver)))
    }

    /// Statements for the begin of a transaction. Nothing of them outlives it, so a pooler may
    /// give the connection to somebody else afterwards.
    pub(crate) fn within_transaction(&self) -> String {
        let Limits {
            statement, lock, ..
        } = self.limits;
        format!(
            "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}",
            statement.as_millis(),
            lock.as_millis(),
            (statement + GRACE).as_millis(),
        )
    }

    /// The same settings with more time, for what happens once.
    pub(crate) fn patient(&self, limit: Duration) -> Self {
        let limits = Limits {
            connect: self.limits.connect,
            statement: limit,
            lock: limit,
        };
        Self {
            limits,
            ..self.clone()
        }
    }
}

struct Place<'a>(&'a Config);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.0.get_user().unwrap_or_default())?;
        for (index, host) in self.0.get_hosts().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            let ports = self.0.get_ports();
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.0.get_dbname().unwrap_or_default())
    }
}

/// Whether no byte leaves this machine.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    })
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        let pem = fs::read(path).map_err(|_| ConnectError::CaFile)?;
        let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let (added, _) = roots.add_parsable_certificates(found.map_err(|_| ConnectError::CaFile)?);
        if added == 0 {
            return Err(ConnectError::CaFile);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConnectError::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn judge(error: &tokio_postgres::Error) -> ConnectError {
    if let Some(code) = error.code() {
        return match *code {
            SqlState::TOO_MANY_CONNECTIONS => ConnectError::Full,
            SqlState::CANNOT_CONNECT_NOW => ConnectError::Unreachable,
            _ => ConnectError::Refused,
        };
    }
    // The client tells its errors apart by their text only; the cause has a type.
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(cause)
            if cause
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>()) =>
        {
            ConnectError::Tls
        }
        Some(_) => ConnectError::Unreachable,
        None if error
            .to_string()
            .starts_with("error performing TLS handshake") =>
        {
            ConnectError::Tls
        }
        None if error.to_string().starts_with("invalid configuration") => ConnectError::Refused,
        None => ConnectError::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dsn: &str) -> Result<Settings, ConnectError> {
        Settings::new(dsn, None, Limits::default())
    }

    #[test]
    fn a_place_is_shown_without_its_password() {
        let settings = read("postgres://hub:hunter2@db.example.org:5433/leapmux").unwrap();
        assert_eq!(settings.place(), "hub@db.example.org:5433/leapmux");
        let settings = read("host=/run/pg user=hub password=hunter2 dbname=d").unwrap();
        assert_eq!(settings.place(), "hub@/run/pg/d");
    }

    #[test]
    fn a_password_is_noticed_in_either_form() {
        assert!(has_password("postgres://hub:hunter2@db/leapmux"));
        assert!(has_password("host=db password=hunter2"));
        assert!(has_password(
            "postgres://hub:hunter2@db/leapmux?sslmode=verify-full"
        ));
        assert!(!has_password("postgres://hub@db/leapmux"));
    }

    #[test]
    fn an_unreadable_dsn_is_not_repeated() {
        for dsn in [
            "postgres://a:hunter2@:x/",
            "password=hunter2 hots=a",
            "",
            "user=a",
        ] {
            let error = read(dsn).err().unwrap();
            assert_eq!(error, ConnectError::Dsn);
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn bytes_leave_the_machine_protected_unless_somebody_said_otherwise() {
        let mode = |dsn| read(dsn).unwrap().config.get_ssl_mode();
        assert_eq!(mode("host=db user=a"), SslMode::Require);
        assert_eq!(mode("host=db user=a sslmode=prefer"), SslMode::Require);
        assert_eq!(mode("host=db user=a sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("host=db user=a sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("host=127.0.0.1,/run/pg user=a"), SslMode::Disable);
        assert_eq!(mode("host=127.0.0.1,db user=a"), SslMode::Require);
        let weak = read("host=db user=a sslmode=verify-ca");
        assert_eq!(weak.err(), Some(ConnectError::SslMode));
    }
}
