//! A mail server that keeps what it gets: real SMTP, with TLS from the first byte, on demand, or
//! not at all.

use std::sync::{Arc, Mutex};

use hub_actors::{MailConfig, MailSecurity};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::support::{PATIENCE, Stopwatch};

/// How the server protects its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Starttls,
    Implicit,
    None,
}

#[derive(Default)]
struct Kept {
    mails: Vec<(String, String)>,
    lines: Vec<String>,
    encrypted: bool,
    /// A code, and how many mails are still refused with it.
    refusing: (u16, u32),
    hanging_up: u32,
}

/// The server.
pub(crate) struct Sink {
    way: Way,
    port: u16,
    folder: TempDir,
    kept: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    pub(crate) async fn start(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tls = acceptor(&folder);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::<Mutex<Kept>>::default();
        let serving = serve(listener, way, tls, Arc::clone(&kept));
        #[expect(clippy::disallowed_methods, reason = "the sink owns it and ends it")]
        let task = tokio::spawn(serving);
        Self {
            way,
            port,
            folder,
            kept,
            task,
        }
    }

    /// What a Hub is told about it.
    pub(crate) fn configure(&self, mail: &mut MailConfig) {
        mail.host = "127.0.0.1".to_owned();
        mail.port = self.port;
        mail.from = "LeapMux <leapmux@hub.example.org>".to_owned();
        mail.security = match self.way {
            Way::Starttls => MailSecurity::Starttls,
            Way::Implicit => MailSecurity::Implicit,
            Way::None => MailSecurity::None,
        };
        mail.ca_file = Some(self.folder.path().join("ca.pem"));
    }

    /// The newest mail to an address, once there are so many.
    pub(crate) async fn to(&self, address: &str, count: usize) -> String {
        let watch = Stopwatch::start();
        loop {
            let mails = self.all(address);
            if mails.len() >= count {
                return mails.last().unwrap().clone();
            }
            assert!(
                watch.elapsed() < PATIENCE,
                "{address} never had {count} mails; heard {:?}",
                self.kept.lock().unwrap().lines
            );
            tokio::task::yield_now().await;
        }
    }

    /// Every mail to an address.
    pub(crate) fn all(&self, address: &str) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        let theirs = kept.mails.iter().filter(|(to, _)| to == address);
        theirs.map(|(_, mail)| mail.clone()).collect()
    }

    /// Refuses the next mails.
    pub(crate) fn refuse(&self, code: u16, count: u32) {
        self.kept.lock().unwrap().refusing = (code, count);
    }

    /// Hangs up on the next connections.
    pub(crate) fn hang_up(&self, count: u32) {
        self.kept.lock().unwrap().hanging_up = count;
    }

    /// Whether a client said this.
    pub(crate) fn heard(&self, line: &str) -> bool {
        let kept = self.kept.lock().unwrap();
        kept.lines.iter().any(|heard| heard == line)
    }

    /// Whether the last mail came through TLS.
    pub(crate) fn was_encrypted(&self) -> bool {
        self.kept.lock().unwrap().encrypted
    }

    /// Is there no more.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

/// A certificate for this address by an authority that only the test's Hub knows.
fn acceptor(folder: &TempDir) -> TlsAcceptor {
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, way: Way, tls: TlsAcceptor, kept: Arc<Mutex<Kept>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let hangs_up = {
            let mut kept = kept.lock().unwrap();
            let hangs_up = kept.hanging_up > 0;
            kept.hanging_up = kept.hanging_up.saturating_sub(1);
            hangs_up
        };
        if !hangs_up {
            // One after the other: tests send few mails. Whoever breaks off is gone.
            let _gone = receive(stream, way, &tls, &kept).await;
        }
    }
}

async fn receive(
    stream: TcpStream,
    way: Way,
    tls: &TlsAcceptor,
    kept: &Mutex<Kept>,
) -> std::io::Result<()> {
    if way == Way::Implicit {
        let mut stream = BufStream::new(tls.accept(stream).await?);
        stream.write_all(b"220 sink\r\n").await?;
        stream.flush().await?;
        converse(&mut stream, false, true, kept).await?;
        return Ok(());
    }
    let mut plain = BufStream::new(stream);
    plain.write_all(b"220 sink\r\n").await?;
    plain.flush().await?;
    if converse(&mut plain, way == Way::Starttls, false, kept).await? {
        let mut stream = BufStream::new(tls.accept(plain.into_inner()).await?);
        converse(&mut stream, false, true, kept).await?;
    }
    Ok(())
}

/// Answers until the client goes, or wants TLS: `true`.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    offers_tls: bool,
    is_encrypted: bool,
    kept: &Mutex<Kept>,
) -> std::io::Result<bool> {
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end().to_owned();
        let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
        kept.lock().unwrap().lines.push(line.clone());
        let answer = match verb.as_str() {
            "EHLO" if offers_tls => "250-sink\r\n250 STARTTLS\r\n".to_owned(),
            "EHLO" => "250-sink\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n".to_owned(),
            "STARTTLS" => "220 go\r\n".to_owned(),
            "AUTH" => "235 in\r\n".to_owned(),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap().to_owned();
                refusal(kept).unwrap_or_else(|| "250 yes\r\n".to_owned())
            }
            "DATA" => "354 go on\r\n".to_owned(),
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "250 yes\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        match verb.as_str() {
            "STARTTLS" => return Ok(true),
            "QUIT" => return Ok(false),
            "DATA" => {
                let mail = body(stream).await?;
                let mut kept = kept.lock().unwrap();
                kept.mails.push((to.clone(), mail));
                kept.encrypted = is_encrypted;
            }
            _ => {}
        }
    }
}

fn refusal(kept: &Mutex<Kept>) -> Option<String> {
    let mut kept = kept.lock().unwrap();
    let (code, left) = kept.refusing;
    kept.refusing.1 = left.saturating_sub(1);
    (left > 0).then(|| format!("{code} no\r\n"))
}

/// Reads a mail to its end; quoted-printable is undone as far as links need it.
async fn body<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
) -> std::io::Result<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            break;
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
    stream.write_all(b"250 kept\r\n").await?;
    stream.flush().await?;
    Ok(mail.replace("=\r\n", "").replace("=3D", "="))
}
