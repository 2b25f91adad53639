//! The Hub's public port: Connect unary calls, and the relay's WebSocket. Loopback only.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{client::IntoClientRequest as _, protocol::WebSocketConfig},
};

/// One Hub and the credential that is shown to it.
#[derive(Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    bearer: Option<HeaderValue>,
}

/// The relay's socket.
pub(crate) type RelaySocket = WebSocketStream<TcpStream>;

const PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_MAX: usize = 8 * 1024 * 1024;
/// A control message of 128 KiB and its kind byte.
const SOCKET_MESSAGE_MAX: usize = 128 * 1024 + 1;
/// Bytes that may wait for a socket before sending waits.
const SOCKET_WRITE_MAX: usize = 1024 * 1024;

impl Door {
    /// `http://127.0.0.1:PORT`, with the access token of a file.
    ///
    /// # Errors
    ///
    /// Any address but loopback's: this is a load generator.
    pub(crate) fn new(url: &str, access_token_file: Option<&Path>) -> anyhow::Result<Self> {
        let token = access_token_file.map(|path| {
            fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
        });
        let bearer = token
            .transpose()?
            .map(|token| bearer(token.trim()))
            .transpose()?;
        Ok(Self {
            address: loopback(url)?,
            bearer,
        })
    }

    /// The address, for gRPC.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One unary call, `method` as `Service/Method`.
    ///
    /// # Errors
    ///
    /// With the Hub's status.
    pub(crate) async fn call<Q, A>(&self, method: &str, question: &Q) -> anyhow::Result<A>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let mut request = Request::post(format!("/leapmux.v1.{method}"))
            .header(header::CONTENT_TYPE, "application/proto")
            .header("connect-protocol-version", "1");
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let (status, body) = self.exchange(request, question.encode_to_vec()).await?;
        if status != StatusCode::OK {
            bail!("{method}: the Hub answered {status}");
        }
        A::decode(body).with_context(|| format!("{method}: the answer is no protobuf"))
    }

    /// One page.
    ///
    /// # Errors
    ///
    /// With the status.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Bytes> {
        let (status, body) = self.exchange(Request::get(path), Vec::new()).await?;
        if status != StatusCode::OK {
            bail!("{path}: the Hub answered {status}");
        }
        Ok(body)
    }

    async fn exchange(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = request.header(header::HOST, self.address.to_string());
        let request = request.body(Full::new(Bytes::from(body)))?;
        let exchanged = timeout(PATIENCE, async {
            let stream = TokioIo::new(self.dial().await?);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
            let answer = async { read(sender.send_request(request).await?).await };
            // The connection is driven while its answer is read, and is let go of then.
            tokio::select! {
                answer = answer => answer,
                ended = connection => match ended {
                    Ok(()) => bail!("the Hub closed the connection without an answer"),
                    Err(error) => Err(error.into()),
                },
            }
        });
        exchanged.await.context("the Hub did not answer in time")?
    }

    /// A new WebSocket of the relay.
    ///
    /// # Errors
    ///
    /// It was not opened, or not in time.
    pub(crate) async fn relay(&self) -> anyhow::Result<RelaySocket> {
        let mut request = format!("ws://{}/ws/relay", self.address).into_client_request()?;
        let headers = request.headers_mut();
        let protocol = HeaderValue::from_static("leapmux.relay.v1");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        if let Some(bearer) = &self.bearer {
            headers.insert(header::AUTHORIZATION, bearer.clone());
        }
        let upgraded = timeout(PATIENCE, async {
            let stream = self.dial().await?;
            let config = Some(socket_config());
            tokio_tungstenite::client_async_with_config(request, stream, config)
                .await
                .context("the relay was not opened")
        });
        let (socket, _) = upgraded
            .await
            .context("the relay was not opened in time")??;
        Ok(socket)
    }

    async fn dial(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.with_context(|| format!("no Hub at {}", self.address))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn socket_config() -> WebSocketConfig {
    let mut config = WebSocketConfig::default();
    // Thousands of idle sockets: the default of 128 KiB each would be the harness's own limit.
    config.read_buffer_size = 16 * 1024;
    config.max_message_size = Some(SOCKET_MESSAGE_MAX);
    config.max_frame_size = Some(SOCKET_MESSAGE_MAX);
    config.max_write_buffer_size = SOCKET_WRITE_MAX;
    config
}

async fn read(
    answer: http::Response<hyper::body::Incoming>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    let body = body.map_err(|_| anyhow::anyhow!("the Hub's answer broke off or is too large"))?;
    Ok((status, body.to_bytes()))
}

fn bearer(token: &str) -> anyhow::Result<HeaderValue> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.context("the access token has odd characters")?;
    value.set_sensitive(true);
    Ok(value)
}

fn loopback(url: &str) -> anyhow::Result<SocketAddr> {
    let rest = url
        .strip_prefix("http://")
        .context(HOW)?
        .trim_end_matches('/');
    let address: SocketAddr = rest
        .replace("localhost", "127.0.0.1")
        .parse()
        .context(HOW)?;
    if !address.ip().is_loopback() {
        bail!(HOW);
    }
    Ok(address)
}

const HOW: &str = "a Hub is named http://127.0.0.1:PORT: load is made for loopback only";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_loaded() {
        assert!(loopback("http://127.0.0.9:80/").is_ok());
        assert!(loopback("http://localhost:80").is_ok());
        assert!(loopback("http://[::1]:80").is_ok());
        for url in [
            "",
            "http://10.0.0.1:80",
            "https://127.0.0.1:80",
            "http://127.0.0.1",
            "ws://[::1]:1",
        ] {
            assert!(loopback(url).is_err(), "{url}");
        }
    }
}
