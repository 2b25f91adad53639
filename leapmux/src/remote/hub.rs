//! What the command line asks of a Hub: Connect unary calls in protobuf, and the relay's WebSocket.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use schema::wire::{RefreshTokenRequest, TokenPair};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use zeroize::Zeroizing;

use super::{
    address::Address,
    dial::{Pipe, dial},
    login::{Kept, Login, Pair},
};

/// One Hub and what is shown to it.
#[derive(Clone)]
pub(crate) struct Hub {
    address: Address,
    shown: Shown,
    ca_file: Option<Arc<Path>>,
}

/// What is shown to a Hub; there is one copy of it.
#[derive(Clone)]
enum Shown {
    Nothing,
    Token(Arc<Zeroizing<String>>),
    Kept(Arc<Kept>),
}

/// Why the Hub did not do what was asked.
pub(crate) enum NotServed {
    /// It does not take the credential, or knows nothing of what was asked for.
    Denied(anyhow::Error),
    /// Anything else: it may do so the next time.
    Absent(anyhow::Error),
}

/// The relay's socket.
pub(crate) type RelaySocket = WebSocketStream<Box<dyn Pipe>>;

const CALL_TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_MAX: usize = 4 * 1024 * 1024;
/// The largest outer message, a control message of 128 KiB, and its kind byte.
const SOCKET_MESSAGE_MAX: usize = 128 * 1024 + 1;
/// Bytes that may wait for the socket before sending waits.
const SOCKET_WRITE_MAX: usize = 1024 * 1024;

impl Hub {
    /// Shows the login that is kept, and keeps it fresh. No connection is made yet.
    pub(crate) const fn new(address: Address, kept: Arc<Kept>) -> Self {
        let shown = Shown::Kept(kept);
        Self {
            address,
            shown,
            ca_file: None,
        }
    }

    /// Shows this and nothing else.
    pub(crate) fn with_token(address: Address, token: Zeroizing<String>) -> Self {
        let shown = Shown::Token(Arc::new(token));
        Self {
            address,
            shown,
            ca_file: None,
        }
    }

    /// Trusts what this file's certificate authorities have signed as well.
    pub(crate) fn trusting(self, ca_file: Option<PathBuf>) -> Self {
        let ca_file = ca_file.map(Arc::from);
        Self { ca_file, ..self }
    }

    /// Shows nothing: for whoever is about to log in.
    pub(crate) const fn anonymous(address: Address) -> Self {
        let shown = Shown::Nothing;
        Self {
            address,
            shown,
            ca_file: None,
        }
    }

    /// The Hub's address.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// One unary call, `method` as `Service/Method`.
    ///
    /// # Errors
    ///
    /// In the Hub's own words, or with what to do about a login.
    pub(crate) async fn call<Q, A>(&self, method: &str, question: &Q) -> Result<A, NotServed>
    where
        Q: prost::Message,
        A: prost::Message + Default,
    {
        let (status, body) = self.ask(method, question.encode_to_vec()).await?;
        if status == StatusCode::OK {
            let answer = A::decode(body).with_context(|| {
                format!("{method}: the answer is no protobuf; is this a LeapMux Hub?")
            });
            return answer.map_err(NotServed::Absent);
        }
        Err(self.not_served(method, status, &body))
    }

    /// The same, as the status and the body of the answer.
    pub(crate) async fn ask(
        &self,
        method: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), NotServed> {
        let bearer = self.bearer().await?;
        let answer = self.once(method, body.clone(), bearer.as_deref()).await?;
        let refused = bearer.filter(|_| answer.0 == StatusCode::UNAUTHORIZED);
        match refused {
            Some(refused) => match self.fresher(&refused).await? {
                Some(bearer) => self.once(method, body, Some(&bearer)).await,
                None => Ok(answer),
            },
            None => Ok(answer),
        }
    }

    async fn once(
        &self,
        method: &str,
        body: Vec<u8>,
        bearer: Option<&String>,
    ) -> Result<(StatusCode, Bytes), NotServed> {
        let answered = timeout(CALL_TIMEOUT, self.exchange(method, body, bearer)).await;
        answered
            .with_context(|| format!("{} did not answer {method} in time", self.address.key()))
            .flatten()
            .map_err(NotServed::Absent)
    }

    /// What is shown now; a pair is refreshed before it expires.
    async fn bearer(&self) -> Result<Option<Zeroizing<String>>, NotServed> {
        let login = match &self.shown {
            Shown::Nothing => None,
            Shown::Token(token) => return Ok(Some(Zeroizing::clone(token))),
            Shown::Kept(kept) => kept.login().await,
        };
        let Some(login) = login else { return Ok(None) };
        let bearer = login.bearer();
        if login.pair().is_some_and(is_about_to_expire)
            && let Some(fresh) = self.fresher(&bearer).await?
        {
            return Ok(Some(fresh));
        }
        Ok(Some(bearer))
    }

    /// What may be shown in place of a bearer that the Hub takes no more, or soon will not.
    async fn fresher(&self, stale: &str) -> Result<Option<Zeroizing<String>>, NotServed> {
        let Shown::Kept(kept) = &self.shown else {
            return Ok(None);
        };
        let refresh = async |refresh_token: Zeroizing<String>| {
            let question = RefreshTokenRequest {
                refresh_token: refresh_token.to_string(),
            };
            let asked = self.once("TokenService/RefreshToken", question.encode_to_vec(), None);
            let (status, body) = asked.await?;
            match status {
                StatusCode::OK => Ok(Some(TokenPair::decode(body)?)),
                // The login is over, and the Hub says so to whatever was asked.
                StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    Ok(None)
                }
                status => bail!("the login cannot be renewed now: the Hub answered {status}"),
            }
        };
        let fresh = kept.freshen(stale, refresh).await;
        let fresh = fresh.map_err(NotServed::Absent)?;
        Ok(fresh.as_ref().map(Login::bearer))
    }

    async fn exchange(
        &self,
        method: &str,
        body: Vec<u8>,
        bearer: Option<&String>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = dial(&self.address, self.ca_file.as_deref()).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::post(format!("/leapmux.v1.{method}"))
            .header(header::HOST, self.address.authority())
            .header(header::CONTENT_TYPE, "application/proto")
            .header("connect-protocol-version", "1");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, authorization(token)?);
        }
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?);
        let answer = async { read(answer.await?).await };
        // The connection has to be driven while its answer is read, and is let go of then.
        tokio::select! {
            answer = answer => answer,
            ended = connection => match ended {
                Ok(()) => bail!("the Hub closed the connection without an answer"),
                Err(error) => Err(error.into()),
            },
        }
    }

    fn explain(
        &self,
        method: &str,
        status: StatusCode,
        said: Option<ConnectError>,
    ) -> anyhow::Error {
        match said {
            Some(said)
                if said.code == "unauthenticated" && matches!(self.shown, Shown::Token(_)) =>
            {
                anyhow::anyhow!("{} does not take this token", self.address.key())
            }
            Some(said) if said.code == "unauthenticated" => anyhow::anyhow!(
                "the Hub wants a login: run 'leapmux remote login --hub {}'",
                self.address.key()
            ),
            Some(said) => anyhow::anyhow!("{method}: {} ({})", said.message, said.code),
            None => anyhow::anyhow!("{method}: the Hub answered {status}"),
        }
    }

    /// The relay's WebSocket, ready for outer messages.
    ///
    /// # Errors
    ///
    /// Tells a Hub that refuses from one that is not there.
    pub(crate) async fn relay(&self) -> Result<RelaySocket, NotServed> {
        let bearer = self.bearer().await?;
        let request = self.upgrade(bearer.as_deref()).map_err(NotServed::Absent)?;
        let stream = dial(&self.address, self.ca_file.as_deref())
            .await
            .map_err(NotServed::Absent)?;
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(SOCKET_MESSAGE_MAX);
        config.max_frame_size = Some(SOCKET_MESSAGE_MAX);
        config.max_write_buffer_size = SOCKET_WRITE_MAX;
        let upgraded = timeout(
            CALL_TIMEOUT,
            tokio_tungstenite::client_async_with_config(request, stream, Some(config)),
        );
        match upgraded.await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                if let Some(bearer) = bearer.filter(|_| answer.status() == StatusCode::UNAUTHORIZED)
                    && self.fresher(&bearer).await?.is_some()
                {
                    let again = "the login was refreshed: try again";
                    return Err(NotServed::Absent(anyhow::anyhow!(again)));
                }
                Err(self.not_served("relay", answer.status(), body))
            }
            Ok(Err(error)) => Err(NotServed::Absent(anyhow::anyhow!(
                "the relay cannot be opened: {error}"
            ))),
            Err(_) => Err(NotServed::Absent(anyhow::anyhow!(
                "the Hub did not open the relay in time"
            ))),
        }
    }

    fn upgrade(&self, bearer: Option<&String>) -> anyhow::Result<Request<()>> {
        let mut request =
            format!("ws://{}/ws/relay", self.address.authority()).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            http::HeaderValue::from_static("leapmux.relay.v1"),
        );
        if let Some(token) = bearer {
            headers.insert(header::AUTHORIZATION, authorization(token)?);
        }
        Ok(request)
    }

    /// Why the Hub did not do it, from its answer.
    pub(crate) fn not_served(&self, method: &str, status: StatusCode, body: &[u8]) -> NotServed {
        let said: Option<ConnectError> = serde_json::from_slice(body).ok();
        // A status alone may be that of a proxy whose Hub is about to come back.
        let is_unknown = said.as_ref().is_some_and(|said| said.code == "not_found");
        let error = self.explain(method, status, said);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => NotServed::Denied(error),
            _ if is_unknown => NotServed::Denied(error),
            _ => NotServed::Absent(error),
        }
    }
}

impl From<NotServed> for anyhow::Error {
    fn from(not_served: NotServed) -> Self {
        match not_served {
            NotServed::Denied(error) | NotServed::Absent(error) => error,
        }
    }
}

#[derive(serde::Deserialize)]
struct ConnectError {
    code: String,
    #[serde(default)]
    message: String,
}

async fn read(
    answer: http::Response<hyper::body::Incoming>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    let body = body.map_err(|_| anyhow::anyhow!("the Hub's answer broke off or is too large"))?;
    Ok((status, body.to_bytes()))
}

/// A minute before it does.
fn is_about_to_expire(pair: &Pair) -> bool {
    let now_ms = time::OffsetDateTime::now_utc()
        .unix_timestamp()
        .saturating_mul(1_000);
    pair.access_expires_unix_ms.saturating_sub(60_000) < now_ms
}

fn authorization(token: &str) -> anyhow::Result<http::HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut value =
        http::HeaderValue::from_str(&text).context("the access token has odd characters")?;
    value.set_sensitive(true);
    Ok(value)
}
