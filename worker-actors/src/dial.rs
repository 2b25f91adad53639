//! The only file that knows HTTP/2, TCP, TLS and Unix sockets.

use std::{io, path::PathBuf, str::FromStr, time::Duration};

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Uri};

/// Where a Hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubAddress {
    /// `http://host:port`: cleartext underneath; what channels carry is encrypted all the same.
    Plain(Uri),
    /// `https://host[:port]`.
    Tls(Uri),
    /// `unix:/path`.
    Unix(PathBuf),
}

/// Why there is no connection. One line.
#[derive(Debug, Error)]
pub enum DialError {
    /// The address is none.
    #[error("the Hub's address must be http://host:port, https://host or unix:/path")]
    Address,
    /// The file of further certificate authorities cannot be read.
    #[error("cannot read the certificate authorities in {path}: {error}")]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// TLS cannot be set up with what is configured.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Nobody answers there, or not in time.
    #[error("the Hub cannot be reached: {0}")]
    Unreachable(String),
}

impl FromStr for HubAddress {
    type Err = DialError;

    fn from_str(text: &str) -> Result<Self, DialError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let given = path.starts_with('/');
            return given
                .then(|| Self::Unix(path.into()))
                .ok_or(DialError::Address);
        }
        let uri: Uri = text
            .trim_end_matches('/')
            .parse()
            .map_err(|_| DialError::Address)?;
        let bare = uri.host().is_some_and(|host| !host.is_empty())
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && names_host_and_port(&uri);
        match uri.scheme_str() {
            Some("http") if bare => Ok(Self::Plain(uri)),
            Some("https") if bare => Ok(Self::Tls(uri)),
            _ => Err(DialError::Address),
        }
    }
}

/// No user name, and no port or one that is: what is none would be taken for the scheme's own.
fn names_host_and_port(uri: &Uri) -> bool {
    uri.authority().is_some_and(|authority| {
        let whole = authority.as_str();
        !whole.contains('@') && (whole == authority.host() || authority.port_u16().is_some())
    })
}

/// Connects, in the time given.
///
/// # Errors
///
/// Named as above.
pub(crate) async fn dial(
    hub: &HubAddress,
    ca_file: Option<&PathBuf>,
    time: Duration,
) -> Result<Channel, DialError> {
    let connecting = async {
        match hub {
            HubAddress::Plain(uri) => reach(endpoint(uri.clone(), time)).await,
            HubAddress::Tls(uri) => {
                let tls = tls(ca_file).await?;
                let endpoint = endpoint(uri.clone(), time).tls_config(tls);
                reach(endpoint.map_err(|error| DialError::Tls(causes(&error)))?).await
            }
            HubAddress::Unix(path) => reach_unix(path.clone(), time).await,
        }
    };
    let late = |_| DialError::Unreachable(String::from("no answer in time"));
    tokio::time::timeout(time, connecting).await.map_err(late)?
}

async fn reach(endpoint: Endpoint) -> Result<Channel, DialError> {
    endpoint
        .connect()
        .await
        .map_err(|error| DialError::Unreachable(causes(&error)))
}

async fn reach_unix(path: PathBuf, time: Duration) -> Result<Channel, DialError> {
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address of a Unix socket has no host; HTTP/2 wants one.
    let endpoint = endpoint(Uri::from_static("http://localhost"), time);
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| DialError::Unreachable(causes(&error)))
}

fn endpoint(uri: Uri, time: Duration) -> Endpoint {
    Endpoint::from(uri)
        .connect_timeout(time)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEPALIVE))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(DATA_FRAME_MAX)
}

/// The built-in authorities, and those of the file.
async fn tls(ca_file: Option<&PathBuf>) -> Result<ClientTlsConfig, DialError> {
    let config = ClientTlsConfig::new().with_webpki_roots();
    let Some(path) = ca_file else {
        return Ok(config);
    };
    let pem = tokio::fs::read(path).await;
    let pem = pem.map_err(|error| DialError::Authorities {
        path: path.clone(),
        error,
    })?;
    Ok(config.ca_certificate(Certificate::from_pem(pem)))
}

/// The innermost cause says what a person can act on.
fn causes(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// What may be under way to us: the link's frames are bounded by the channels' windows.
const WINDOW_BYTES: u32 = 4 << 20;
/// The largest DATA frame of HTTP/2 that the Hub may send: several messages of the link.
const DATA_FRAME_MAX: u32 = 256 << 10;
/// So that the kernel, too, finds out about a dead peer.
const KEEPALIVE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let parse = |text: &str| text.parse::<HubAddress>();
        assert!(matches!(
            parse("http://127.0.0.1:4327/"),
            Ok(HubAddress::Plain(_))
        ));
        assert!(matches!(
            parse("https://hub.example"),
            Ok(HubAddress::Tls(_))
        ));
        assert!(matches!(
            parse("unix:/run/hub.sock"),
            Ok(HubAddress::Unix(_))
        ));
        assert!(matches!(
            parse("unix:///run/hub.sock"),
            Ok(HubAddress::Unix(_))
        ));
        for bad in [
            "",
            "hub",
            "ftp://hub",
            "http://",
            "unix:",
            "unix:hub",
            "https://hub/path",
            "http://h?q",
            "http://h:",
            "http://h:99999",
            "http://u@h:80",
        ] {
            assert!(matches!(parse(bad), Err(DialError::Address)), "{bad}");
        }
    }

    #[tokio::test]
    async fn https_to_a_server_without_tls_fails() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let address = format!("https://127.0.0.1:{port}")
            .parse()
            .expect("an address");
        let serving = async {
            let (mut socket, _) = listener.accept().await.expect("a caller");
            let mut first = [0; 3];
            tokio::io::AsyncReadExt::read_exact(&mut socket, &mut first)
                .await
                .expect("bytes");
            first
        };
        let dialling = dial(&address, None, Duration::from_secs(10));
        let (first, dialled) = tokio::join!(serving, dialling);
        // A TLS handshake record, version 3.x: not one byte goes out in clear.
        assert_eq!(first[..2], [0x16, 0x03]);
        assert!(matches!(dialled, Err(DialError::Unreachable(_))));
    }
}
