//! The way to a Hub: TCP, TLS or a Unix socket, all with a deadline.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::address::Address;

/// Any byte stream to a Hub.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// Longest wait for a connection, TLS included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects; an `https` address really speaks TLS and checks the certificate.
///
/// # Errors
///
/// Names the Hub, and what to look at.
pub(crate) async fn dial(
    address: &Address,
    ca_file: Option<&Path>,
) -> anyhow::Result<Box<dyn Pipe>> {
    let dialled = timeout(DIAL_TIMEOUT, connect(address, ca_file)).await;
    let within = dialled.with_context(|| {
        format!(
            "no answer from {} within {} s",
            address.key(),
            DIAL_TIMEOUT.as_secs()
        )
    })?;
    within.with_context(|| {
        format!(
            "the Hub at {} cannot be reached; is it running, and is --hub right?",
            address.key()
        )
    })
}

async fn connect(address: &Address, ca_file: Option<&Path>) -> anyhow::Result<Box<dyn Pipe>> {
    match address {
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Address::Tcp { tls, host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            watch(&stream)?;
            if *tls {
                wrap(stream, host, ca_file).await
            } else {
                Ok(Box::new(stream))
            }
        }
    }
}

/// Has the kernel ask a silent Hub whether it is there, and end a connection on which it does not
/// answer: of a network that went away without a word nobody is told otherwise. The numbers are
/// those of a Worker's link.
fn watch(stream: &TcpStream) -> nix::Result<()> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    #[cfg(target_os = "linux")]
    {
        setsockopt(stream, sockopt::TcpKeepIdle, &ASK_AFTER_S)?;
        setsockopt(stream, sockopt::TcpKeepInterval, &ASK_EVERY_S)?;
        setsockopt(stream, sockopt::TcpUserTimeout, &DEAD_AFTER_MS)?;
    }
    Ok(())
}

/// Silence after which the other side is asked for a sign.
#[cfg(target_os = "linux")]
const ASK_AFTER_S: u32 = 5;
/// From one question to the next.
#[cfg(target_os = "linux")]
const ASK_EVERY_S: u32 = 2;
/// Without a sign for so long, the connection is over.
#[cfg(target_os = "linux")]
const DEAD_AFTER_MS: u32 = 10_000;

async fn wrap(
    stream: TcpStream,
    host: &str,
    ca_file: Option<&Path>,
) -> anyhow::Result<Box<dyn Pipe>> {
    let name = ServerName::try_from(host.to_owned()).context("not a name that TLS can check")?;
    let connector = TlsConnector::from(Arc::new(tls_config(ca_file)?));
    Ok(Box::new(connector.connect(name, stream).await?))
}

fn tls_config(ca_file: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let named = crate::paths::variable("SSL_CERT_FILE").map(PathBuf::from);
    for path in named.iter().map(PathBuf::as_path).chain(ca_file) {
        let what = || format!("the certificate authorities in {}", path.display());
        let read = rustls::pki_types::CertificateDer::pem_file_iter(path);
        for certificate in read.with_context(what)? {
            roots.add(certificate.with_context(what)?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

use rustls::pki_types::pem::PemObject as _;
