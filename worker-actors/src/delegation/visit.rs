//! One program at a tab's socket: it asks, is answered, and is trusted for as long as it stays.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::{Algorithm, Mode};
use prost::Message as _;
use schema::{
    ids::UserId,
    wire::{
        Delegated, DelegationAnswer, DelegationAsk, DelegationRefusal, DelegationRefused,
        delegation_answer::Body,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::Mutex,
    time,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    Delegations, Tab,
    guests::Guest,
    mint::MintError,
    purse::{Bearer, Choice, Purse},
};
use crate::{clock, device_book::DeviceBook};

/// A tab's bearer; held while another is got, so that it is got once.
pub(super) type SharedPurse = Arc<Mutex<Purse>>;

/// What a program meets.
pub(super) struct Visit {
    pub(super) delegations: Delegations,
    pub(super) tab: Tab,
    pub(super) purse: SharedPurse,
    /// Whether there is a place for it.
    pub(super) room: bool,
}

/// The trust in a program's key. Dropping it ends it.
struct Stay {
    devices: DeviceBook,
    user: UserId,
    key: Bytes,
}

impl Visit {
    pub(super) async fn receive(self, mut stream: UnixStream) {
        let asked = time::timeout(PATIENCE, read(&mut stream)).await;
        let (body, stay) = match asked {
            Ok(Ok(ask)) if self.room => self.answer(&ask).await,
            Ok(Ok(_)) => refuse(DelegationRefusal::TooMany),
            Ok(Err(_)) => refuse(DelegationRefusal::Malformed),
            Err(_) => return,
        };
        if write(&mut stream, body).await.is_ok() {
            let ends = stay.as_ref().map_or(0, |(_, ends_in)| *ends_in);
            // It says nothing more; what ends is its connection, or its time.
            let _ = time::timeout(Duration::from_secs(ends), gone(&mut stream)).await;
        }
    }

    async fn answer(&self, ask: &DelegationAsk) -> (Body, Option<(Stay, u64)>) {
        let parts = &self.delegations.0.parts;
        let Some(key) = key_for(parts.mode, &ask.device_key) else {
            return refuse(DelegationRefusal::Malformed);
        };
        let bearer = match self.bearer().await {
            Ok(bearer) => bearer,
            Err(reason) => return refuse(reason),
        };
        let expires_at = u64::try_from(bearer.expires_ms / 1_000).unwrap_or_default();
        let guest = Guest {
            workspace: self.tab.workspace.clone(),
            expires_at,
        };
        let (devices, user) = (parts.devices.clone(), self.tab.user.clone());
        if devices
            .admit_guest(user.clone(), key.clone(), guest)
            .is_err()
        {
            return refuse(DelegationRefusal::TooMany);
        }
        let stay = Stay { devices, user, key };
        let left = expires_at.saturating_sub(clock::unix_seconds());
        (
            Body::Delegated(Box::new(self.delegated(&bearer))),
            Some((stay, left)),
        )
    }

    /// The bearer at hand, or a new one.
    pub(super) async fn bearer(&self) -> Result<Bearer, DelegationRefusal> {
        let mut purse = self.purse.lock().await;
        let open = self.delegations.0.sponsors.of(&self.tab);
        let channels = match purse.choose(open, clock::unix_ms()) {
            Choice::Give(bearer) => return Ok(bearer),
            Choice::Get(channels) => channels,
            Choice::Nobody => return Err(DelegationRefusal::NobodyThere),
        };
        let mut refusal = DelegationRefusal::NobodyThere;
        for channel in channels {
            match self.delegations.0.mint.bearer(&self.tab, channel).await {
                Ok(bearer) => {
                    purse.put(bearer.clone());
                    return Ok(bearer);
                }
                // Another channel of the same user may do.
                Err(MintError::Unknown) => refusal = DelegationRefusal::NotGranted,
                Err(error) => {
                    tracing::warn!(%error, "no delegation");
                    refusal = match error {
                        MintError::Away => DelegationRefusal::HubAway,
                        MintError::Unknown | MintError::Refused(_) => DelegationRefusal::NotGranted,
                    };
                    break;
                }
            }
        }
        // Who asks again at once is answered no sooner than this.
        time::sleep(PAUSE).await;
        Err(refusal)
    }

    fn delegated(&self, bearer: &Bearer) -> Delegated {
        let parts = &self.delegations.0.parts;
        let ca_file = parts.caller.ca_file.as_ref();
        let terminal = self.tab.terminal.as_ref();
        Delegated {
            hub: parts.hub.clone(),
            ca_file: ca_file.map_or_else(String::new, |path| path.to_string_lossy().into_owned()),
            token: bearer.token.as_str().to_owned(),
            expires_unix_ms: bearer.expires_ms,
            worker_id: parts.worker.as_str().to_owned(),
            worker_key: parts.public_key.as_bytes().to_vec().into(),
            encryption_mode: crate::announced_mode(parts.mode).into(),
            user_id: self.tab.user.as_str().to_owned(),
            workspace_id: self.tab.workspace.as_str().to_owned(),
            tab_id: terminal.map_or_else(String::new, |id| id.as_str().to_owned()),
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.devices.dismiss_guest(&self.user, &self.key);
    }
}

fn refuse(reason: DelegationRefusal) -> (Body, Option<(Stay, u64)>) {
    let reason = reason.into();
    (Body::Refused(DelegationRefused { reason }), None)
}

/// The part of a device's key by which a channel of the mode knows it.
fn key_for(mode: Mode, whole: &Bytes) -> Option<Bytes> {
    let is_whole = whole.len() == Algorithm::for_mode(Mode::PostQuantum).key_len();
    is_whole.then(|| whole.slice(..Algorithm::for_mode(mode).key_len()))
}

async fn read(stream: &mut UnixStream) -> io::Result<DelegationAsk> {
    let length = stream.read_u32().await?;
    if length > ASK_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    stream.read_exact(&mut bytes).await?;
    DelegationAsk::decode(&*bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

async fn write(stream: &mut UnixStream, body: Body) -> io::Result<()> {
    let mut answer = DelegationAnswer { body: Some(body) };
    let bytes = Zeroizing::new(answer.encode_to_vec());
    if let Some(Body::Delegated(delegated)) = &mut answer.body {
        delegated.token.zeroize();
    }
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    let writing = async {
        stream.write_u32(length).await?;
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    time::timeout(PATIENCE, writing).await?
}

/// Waits until the other side has closed; what it says meanwhile is not heard.
async fn gone(stream: &mut UnixStream) {
    let mut ignored = [0; 64];
    while matches!(stream.read(&mut ignored).await, Ok(1..)) {}
}

/// How long a question may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// A key and a little.
const ASK_MAX: u32 = 4 << 10;
/// After a refusal by the Hub.
const PAUSE: Duration = Duration::from_millis(500);
