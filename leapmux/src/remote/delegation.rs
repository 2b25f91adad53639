//! What the Worker that started this program lets it do: asked for at the socket that the environment
//! names, and good for as long as the connection to it is held.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use crypto::{DeviceKey, Mode, Pin, PublicKey};
use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire::{
        Delegated, DelegationAnswer, DelegationAsk, DelegationRefusal, EncryptionMode,
        delegation_answer::Body,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};
use zeroize::Zeroizing;

use super::{address::Address, channel::NotOpen, hub::Hub};

/// The variable that names the socket.
pub(crate) const SOCKET: &str = "LEAPMUX_DELEGATION";

/// What was given, and the connection by which it stays good.
pub(crate) struct Delegation {
    pub(crate) hub: Hub,
    pub(crate) device: DeviceKey,
    pub(crate) worker: WorkerId,
    pub(crate) pin: Pin,
    pub(crate) key: PublicKey,
    pub(crate) mode: Mode,
    pub(crate) user: UserId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) stay: UnixStream,
}

/// Longer than the Worker takes to ask its Hub, by each of three channels.
const PATIENCE: Duration = Duration::from_secs(50);
/// A key of 1,664 bytes, a bearer, and paths.
const ANSWER_MAX: u32 = 64 << 10;

/// The socket of this program's tab.
///
/// # Errors
///
/// It was not started by a Worker, or not in a workspace.
pub(crate) fn socket() -> anyhow::Result<PathBuf> {
    let path = crate::paths::variable(SOCKET).map(PathBuf::from);
    path.with_context(|| {
        format!(
            "{SOCKET} is not set: --delegated is for programs that a Worker started in a workspace"
        )
    })
}

/// Asks with a key that was made for it.
///
/// # Errors
///
/// Each says what to do.
pub(crate) async fn ask(socket: &PathBuf) -> Result<Delegation, NotOpen> {
    let device = DeviceKey::generate(&mut rand::rng());
    let asking = exchange(socket, &device);
    let (delegated, stay) = timeout(PATIENCE, asking)
        .await
        .map_err(|_| NotOpen::Passing(anyhow!("the Worker did not answer in time")))??;
    Ok(read(delegated, device, stay)?)
}

async fn exchange(
    socket: &PathBuf,
    device: &DeviceKey,
) -> Result<(Delegated, UnixStream), NotOpen> {
    let mut stream = UnixStream::connect(socket).await.map_err(|error| {
        NotOpen::Final(anyhow!(
            "the Worker that started this program cannot be reached ({error}); name --hub to use \
             your own login"
        ))
    })?;
    let answer = said(&mut stream, device).await.map_err(NotOpen::Passing)?;
    match answer.body {
        Some(Body::Delegated(delegated)) => Ok((*delegated, stream)),
        Some(Body::Refused(refused)) => Err(refusal(refused.reason())),
        None => Err(NotOpen::Final(anyhow!("the Worker's answer is empty"))),
    }
}

async fn said(stream: &mut UnixStream, device: &DeviceKey) -> anyhow::Result<DelegationAnswer> {
    let ask = DelegationAsk {
        device_key: device.public_bytes(Mode::PostQuantum).into(),
    };
    let ask = ask.encode_to_vec();
    stream.write_u32(u32::try_from(ask.len())?).await?;
    stream.write_all(&ask).await?;
    let length = stream.read_u32().await?;
    if length > ANSWER_MAX {
        bail!("the Worker's answer is too long");
    }
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(length)?]);
    stream.read_exact(&mut bytes).await?;
    DelegationAnswer::decode(bytes.as_slice()).context("the Worker's answer cannot be read")
}

fn read(delegated: Delegated, device: DeviceKey, stay: UnixStream) -> anyhow::Result<Delegation> {
    let token = Zeroizing::new(delegated.token);
    let ca_file = Some(delegated.ca_file).filter(|path| !path.is_empty());
    let mode = match EncryptionMode::try_from(delegated.encryption_mode) {
        Ok(EncryptionMode::Classic) => Mode::Classic,
        Ok(EncryptionMode::PostQuantum) => Mode::PostQuantum,
        Ok(EncryptionMode::Unspecified) | Err(_) => bail!("the Worker does not say its mode"),
    };
    let key = PublicKey::from_bytes(&delegated.worker_key).context("the Worker's key is none")?;
    let hub = Hub::with_token(Address::parse(&delegated.hub)?, token);
    Ok(Delegation {
        hub: hub.trusting(ca_file.map(PathBuf::from)),
        device,
        worker: WorkerId::parse(&delegated.worker_id)?,
        pin: Pin {
            public_key: key.as_bytes().to_vec(),
            mode,
        },
        key,
        mode,
        user: UserId::parse(&delegated.user_id)?,
        workspace: WorkspaceId::parse(&delegated.workspace_id)?,
        stay,
    })
}

fn refusal(reason: DelegationRefusal) -> NotOpen {
    let final_word = |text: &str| NotOpen::Final(anyhow!("{text}"));
    let passing = |text: &str| NotOpen::Passing(anyhow!("{text}"));
    match reason {
        DelegationRefusal::NobodyThere => passing(
            "nobody is connected who may open this tab: open its workspace in a browser, and try again",
        ),
        DelegationRefusal::NotGranted => final_word(
            "the Hub gives this tab no delegation: its user may not open it any more, or it has \
             given as many as it may; open the workspace anew, or name --hub to use your own login",
        ),
        DelegationRefusal::HubAway => {
            passing("the Worker cannot reach its Hub; try again when it is back")
        }
        DelegationRefusal::TooMany => {
            passing("too many programs of this tab, or of all, are connected; end some of them")
        }
        DelegationRefusal::Malformed | DelegationRefusal::Unspecified => {
            final_word("the Worker does not understand this program; are they of the same version?")
        }
    }
}
