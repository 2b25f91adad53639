//! From a letter to a mail server: SMTP by `lettre`, with TLS by rustls.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::letters::Letter;
use crate::{
    config::{MailConfig, MailSecurity, ms},
    names, origin,
    private_file::{self, PrivateFileError},
};

/// Why no mail can be sent; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A password in clear, on a wire that is not this machine's.
    #[error(
        "mail.security is none and mail.username is set, so the password would cross the network \
         readable: use starttls or implicit, or a mail server on this machine"
    )]
    Plaintext,
    /// A link has to lead somewhere.
    #[error("mail.host is set and public_url is not: mails carry links to it")]
    PublicUrl,
    /// `mail.from`
    #[error(
        "mail.from is not an address, like leapmux@example.org or LeapMux <leapmux@example.org>"
    )]
    From,
    /// One without the other.
    #[error(
        "mail.username and a password (mail.password_file, or LEAPMUX_HUB_MAIL__PASSWORD) go together"
    )]
    HalfCredentials,
    /// `mail.password_file`
    #[error("mail.password_file {}: {source}", path.display())]
    PasswordFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PrivateFileError,
    },
    /// `mail.password_file` is not there.
    #[error("mail.password_file {} is not there or not text", path.display())]
    NoPassword {
        /// Which.
        path: PathBuf,
    },
    /// `mail.ca_file`
    #[error("mail.ca_file {} cannot be read as PEM certificates", path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
    },
    /// `mail.host`
    #[error("mail.host is not a name or address that TLS can check")]
    Host,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    Sent,
    /// Another try may do: no connection, no time, a refusal for now.
    NotNow,
    /// The server will not have it, or it cannot be written down as a mail.
    Never,
}

/// One mail server, and whom its mails are from.
pub(super) struct Delivery {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// The right half of message ids.
    domain: String,
    timeout: Duration,
}

impl Delivery {
    /// What a configuration names; none where it names none.
    pub(super) fn new(config: &MailConfig, public_url: &str) -> Result<Option<Self>, MailError> {
        if config.host.is_empty() {
            return Ok(None);
        }
        let Some(domain) = origin::host(public_url) else {
            return Err(MailError::PublicUrl);
        };
        let credentials = credentials(config)?;
        if credentials.is_some()
            && config.security == MailSecurity::None
            && !is_loopback(&config.host)
        {
            return Err(MailError::Plaintext);
        }
        let from = config
            .from
            .parse::<Mailbox>()
            .map_err(|_| MailError::From)?;
        let timeout = ms(config.timeout_ms);
        let mut transport =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
                .port(config.port())
                .tls(tls(config)?)
                .timeout(Some(timeout))
                .hello_name(ClientId::Domain(domain.clone()));
        if let Some(credentials) = credentials {
            transport = transport.credentials(credentials);
        }
        Ok(Some(Self {
            transport: transport.build(),
            from,
            domain,
            timeout,
        }))
    }

    /// Tries once. What goes wrong is logged without address and text.
    pub(super) async fn try_once(&self, letter: &Letter) -> Tried {
        let Some(message) = self.message(letter) else {
            tracing::warn!("a mail could not be written: its address is none");
            return Tried::Never;
        };
        let sent = tokio::time::timeout(self.timeout, self.transport.send(message));
        match sent.await {
            Ok(Ok(_)) => Tried::Sent,
            Ok(Err(error)) if error.is_permanent() => {
                let code = error.status().map(u16::from);
                tracing::warn!(code, "the mail server refused a mail");
                Tried::Never
            }
            Ok(Err(error)) => {
                let code = error.status().map(u16::from);
                tracing::info!(
                    code,
                    tls = error.is_tls(),
                    "the mail server did not take a mail"
                );
                Tried::NotNow
            }
            Err(_) => {
                tracing::info!("the mail server did not take a mail in time");
                Tried::NotNow
            }
        }
    }

    fn message(&self, letter: &Letter) -> Option<Message> {
        let to = letter.to.parse::<Address>().ok()?;
        let id = names::id("m").ok()?;
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.expose().to_owned())
            .ok()?;
        // Nobody's holiday notice is to answer it. RFC 3834.
        message.headers_mut().insert_raw(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        Some(message)
    }
}

fn credentials(config: &MailConfig) -> Result<Option<Credentials>, MailError> {
    let password = match &config.password_file {
        None => config.password.expose().to_owned(),
        Some(path) => {
            let read = private_file::read_mounted(path, 1_024).map_err(|source| {
                MailError::PasswordFile {
                    path: path.clone(),
                    source,
                }
            })?;
            let text = read.and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| MailError::NoPassword { path: path.clone() })?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    match (config.username.is_empty(), password.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(Credentials::new(config.username.clone(), password))),
        (true, false) | (false, true) => Err(MailError::HalfCredentials),
    }
}

fn tls(config: &MailConfig) -> Result<Tls, MailError> {
    if config.security == MailSecurity::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(config.host.clone())
        .certificate_store(CertificateStore::WebpkiRoots);
    if let Some(path) = &config.ca_file {
        let failed = || MailError::CaFile { path: path.clone() };
        let pem = std::fs::read(path).map_err(|_| failed())?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| failed())?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build_rustls().map_err(|_| MailError::Host)?;
    Ok(match config.security {
        MailSecurity::Starttls => Tls::Required(parameters),
        MailSecurity::Implicit => Tls::Wrapper(parameters),
        MailSecurity::None => Tls::None,
    })
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(change: impl FnOnce(&mut MailConfig)) -> Result<(), MailError> {
        let mut config = MailConfig {
            host: "mail.example.org".to_owned(),
            from: "leapmux@example.org".to_owned(),
            ..MailConfig::default()
        };
        change(&mut config);
        Delivery::new(&config, "https://hub.example.org").map(drop)
    }

    #[test]
    fn no_password_crosses_a_network_readable() {
        let none = |host: &'static str| {
            configured(|config| {
                config.host = host.to_owned();
                config.security = MailSecurity::None;
                config.username = "leapmux".to_owned();
                config.password = "secret".to_owned().into();
            })
        };
        for foreign in [
            "mail.example.org",
            "192.0.2.1",
            "localhost.example.org",
            "::2",
        ] {
            assert!(
                matches!(none(foreign), Err(MailError::Plaintext)),
                "{foreign}"
            );
        }
        for own in [
            "localhost",
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
        ] {
            assert!(none(own).is_ok(), "{own}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        assert!(configured(|_| {}).is_ok());
        let half = configured(|config| config.username = "leapmux".to_owned());
        assert!(matches!(half, Err(MailError::HalfCredentials)));
        let half = configured(|config| config.password = "secret".to_owned().into());
        assert!(matches!(half, Err(MailError::HalfCredentials)));
        let from = configured(|config| config.from = "nobody".to_owned());
        assert!(matches!(from, Err(MailError::From)));
        let file = configured(|config| config.ca_file = Some("/nowhere".into()));
        assert!(matches!(file, Err(MailError::CaFile { .. })));
        let nowhere = Delivery::new(
            &MailConfig {
                host: "localhost".to_owned(),
                ..MailConfig::default()
            },
            "",
        );
        assert!(matches!(nowhere, Err(MailError::PublicUrl)));
        let none = Delivery::new(&MailConfig::default(), "");
        assert!(none.is_ok_and(|none| none.is_none()));
    }
}
