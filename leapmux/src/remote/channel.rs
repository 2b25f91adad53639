//! From a Hub's address to an open channel: parameters, pin, handshake, claim, pin kept.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow, bail};
use channel_actors::{
    CloseReason,
    client::{CallError, Channel, ConnectError, ConnectParts, RejectChanges, Session},
    endpoint::Failure,
    limits::Limits,
    refusal::{Refusal, RefusalReason},
};
use crypto::{Mode, PinVerdict, PublicKey};
use rand::{Rng as _, SeedableRng as _};
use schema::{
    ids::{ChannelId, UserId, WorkerId, WorkspaceId},
    wire::{
        EncryptionMode, GetHandshakeParametersRequest, GetHandshakeParametersResponse,
        ListWorkersRequest, ListWorkersResponse, WhoAmIRequest, WhoAmIResponse,
    },
};
use tokio::net::UnixStream;

use super::{
    certificates,
    delegation::Delegation,
    device,
    folder::Folder,
    hub::{Hub, NotServed},
    pins::{Entry, Pins},
    registrations,
    relay::{self, Redial},
    way::Destination,
};

/// What the Hub says of a Worker, which is believed only as far as the pin allows.
struct Offer {
    worker: WorkerId,
    key: PublicKey,
    mode: Mode,
    /// Whether a secret that the Hub never saw vouches for the key.
    verified: bool,
}

/// Why there is no channel.
pub(crate) enum NotOpen {
    /// The Worker does not trust this device. Nothing changes it but a person.
    Device(anyhow::Error),
    /// Nothing changes it but a person.
    Final(anyhow::Error),
    /// It may go by itself.
    Passing(anyhow::Error),
}

impl NotOpen {
    const fn is_for_the_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }
}

/// What is wrong here does not go by itself: files of this device, keys, tags.
impl From<anyhow::Error> for NotOpen {
    fn from(error: anyhow::Error) -> Self {
        Self::Final(error)
    }
}

impl From<NotServed> for NotOpen {
    fn from(not_served: NotServed) -> Self {
        match not_served {
            NotServed::Denied(error) => Self::Final(error),
            NotServed::Absent(error) => Self::Passing(error),
        }
    }
}

impl From<NotOpen> for anyhow::Error {
    fn from(not_open: NotOpen) -> Self {
        match not_open {
            NotOpen::Device(error) | NotOpen::Final(error) | NotOpen::Passing(error) => error,
        }
    }
}

/// An open channel, and the connection that carries it.
pub(crate) struct Open {
    session: Session,
    worker: WorkerId,
    workspace: Option<WorkspaceId>,
    /// What a delegation's trust hangs on.
    stay: Option<UnixStream>,
    /// The channel.
    pub(crate) channel: Channel,
}

impl Open {
    /// The Worker at its other end.
    pub(crate) fn worker(&self) -> &str {
        self.worker.as_str()
    }

    /// The workspace to work in; none = the owner's own view of all.
    pub(crate) const fn workspace(&self) -> Option<&WorkspaceId> {
        self.workspace.as_ref()
    }

    /// Says goodbye and gives it a moment to arrive.
    pub(crate) async fn close(self) {
        drop(self.channel);
        self.session.end(GOODBYE).await;
        drop(self.stay);
    }
}

/// Longest wait for a goodbye to be written.
const GOODBYE: Duration = Duration::from_secs(2);

/// Opens a channel to the named Worker, or to the only one there is.
///
/// # Errors
///
/// Each says what to do next; a changed key names the command that clears its pin.
pub(super) async fn open(hub: &Hub, folder: &Folder, to: &Destination) -> Result<Open, NotOpen> {
    let me: WhoAmIResponse = hub.call("AccountService/WhoAmI", &WhoAmIRequest {}).await?;
    if !me.signed_in {
        return Err(NotOpen::Final(anyhow!(
            "the Hub wants a login: run 'leapmux remote login --hub {}'",
            hub.address().key()
        )));
    }
    let (worker, is_own) = choose(hub, to.worker.as_deref()).await?;
    let offer = offer(hub, folder, worker).await?;
    let pins = Pins::new(folder);
    let (verdict, entry) = pins.judge(offer.worker.as_str(), &offer.key, offer.mode, now()?)?;
    if verdict.stops() {
        return Err(refusal(&offer, entry.as_ref(), verdict).into());
    }
    let pinned = entry.as_ref().map(Entry::pin).transpose()?;
    let device = Arc::new(device::load(folder)?);
    let parts = ConnectParts {
        worker: offer.worker.clone(),
        worker_key: offer.key.clone(),
        mode: offer.mode,
        pinned,
        trust: Arc::new(RejectChanges),
        user: UserId::parse(&me.user_id).map_err(anyhow::Error::from)?,
        certificates: certificates::fetch(hub, &offer.worker, offer.mode, &device).await,
        device: Arc::clone(&device),
        workspaces: Vec::new(),
        channel: fresh_id(),
    };
    let connected = connect(hub, parts).await;
    if connected.as_ref().is_err_and(NotOpen::is_for_the_device) {
        certificates::register(hub, &device).await;
    }
    let mut open = connected?;
    open.workspace = place(&open.channel, to.workspace.as_ref(), is_own)?;
    pins.keep(
        offer.worker.as_str(),
        &offer.key,
        offer.mode,
        offer.verified,
        now()?,
    )?;
    Ok(open)
}

/// Opens a channel with what the Worker has given to this program.
pub(super) async fn open_delegated(given: Delegation) -> Result<Open, NotOpen> {
    let Delegation {
        hub,
        device,
        worker,
        pin,
        key,
        mode,
        user,
        workspace,
        stay,
    } = given;
    let parts = ConnectParts {
        worker,
        worker_key: key,
        mode,
        pinned: Some(pin),
        trust: Arc::new(RejectChanges),
        user,
        device: Arc::new(device),
        certificates: Vec::new(),
        workspaces: vec![workspace.clone()],
        channel: fresh_id(),
    };
    let open = connect(&hub, parts).await?;
    Ok(Open {
        workspace: Some(workspace),
        stay: Some(stay),
        ..open
    })
}

/// The workspace that is asked for, or the only one there is. Whoever owns the Worker needs none.
fn place(
    channel: &Channel,
    wanted: Option<&WorkspaceId>,
    is_own: bool,
) -> anyhow::Result<Option<WorkspaceId>> {
    let there = channel.workspaces().iter();
    let there: Vec<_> = there.map(|one| one.workspace_id.as_str()).collect();
    match (wanted, &*there) {
        (Some(wanted), there) if there.contains(&wanted.as_str()) => Ok(Some(wanted.clone())),
        (Some(wanted), _) => bail!(
            "this Worker lets you use no workspace {wanted}: see 'leapmux remote workspace list'"
        ),
        (None, [only]) => Ok(Some(WorkspaceId::parse(only)?)),
        (None, _) if is_own => Ok(None),
        (None, []) => bail!("nothing of this Worker is shared with you"),
        (None, several) => bail!(
            "this Worker hosts several workspaces: choose one with --workspace-id ({})",
            several.join(", ")
        ),
    }
}

fn fresh_id() -> ChannelId {
    let mut channel = [0; 16];
    rand::rng().fill_bytes(&mut channel);
    ChannelId::from_bytes(channel)
}

async fn choose(hub: &Hub, wanted: Option<&str>) -> Result<(WorkerId, bool), NotOpen> {
    let listed: ListWorkersResponse = hub
        .call("WorkerService/ListWorkers", &ListWorkersRequest {})
        .await?;
    let mut found = listed
        .workers
        .iter()
        .filter(|one| wanted.is_none_or(|id| id == one.worker_id));
    match (found.next(), found.next()) {
        (Some(only), None) => {
            let id = WorkerId::parse(&only.worker_id).map_err(anyhow::Error::from)?;
            if only.online {
                Ok((id, only.owned))
            } else {
                Err(NotOpen::Passing(anyhow!("the Worker {id} is offline")))
            }
        }
        (Some(_), Some(_)) => Err(NotOpen::Final(anyhow!(
            "there are several Workers: choose one with --worker-id (see 'leapmux remote worker list')"
        ))),
        (None, _) => Err(NotOpen::Final(anyhow!(
            "there is no such Worker: see 'leapmux remote worker list'"
        ))),
    }
}

async fn offer(hub: &Hub, folder: &Folder, worker: WorkerId) -> Result<Offer, NotOpen> {
    let request = GetHandshakeParametersRequest {
        worker_id: worker.as_str().to_owned(),
    };
    let said: GetHandshakeParametersResponse = hub
        .call("WorkerService/GetHandshakeParameters", &request)
        .await?;
    let key = PublicKey::from_bytes(&said.public_key)
        .context("the Hub offers a Worker key that is none")?;
    let mode = match said.encryption_mode() {
        EncryptionMode::Classic => Mode::Classic,
        EncryptionMode::PostQuantum => Mode::PostQuantum,
        EncryptionMode::Unspecified => {
            return Err(NotOpen::Passing(anyhow!(
                "the Worker's encryption mode is not known; is it online?"
            )));
        }
    };
    let verified = vouched(folder, &said, &key)?;
    Ok(Offer {
        worker,
        key,
        mode,
        verified,
    })
}

/// Checks the Worker's tag when its registration key was made here; a wrong one is never ignored.
fn vouched(
    folder: &Folder,
    said: &GetHandshakeParametersResponse,
    key: &PublicKey,
) -> anyhow::Result<bool> {
    let Some(secret) = registrations::secret(folder, &said.registration_id)? else {
        return Ok(false);
    };
    let tag = &said.registration_tag;
    crypto::verify_worker_tag(&secret, &said.registration_id, key.as_bytes(), tag).ok().context(
        "the key that the Hub offers is not the one of the Worker that was registered with your \
         registration key: do not trust this Hub",
    )?;
    Ok(true)
}

fn refusal(offer: &Offer, entry: Option<&Entry>, verdict: PinVerdict) -> anyhow::Error {
    let (worker, mode) = (&offer.worker, offer.mode.as_str());
    let remedy = format!(
        "if you expected this, run 'leapmux remote worker pins remove --worker-id={worker}'"
    );
    let pinned = entry.map_or("unknown", |entry| entry.mode.as_str());
    if verdict == PinVerdict::ModeWeaker {
        return anyhow!("the worker {worker} offers {mode} where {pinned} is pinned; {remedy}");
    }
    let expected = entry.map_or("unknown", |entry| entry.fingerprint.as_str());
    let actual = crypto::fingerprint(offer.key.as_bytes());
    anyhow!(
        "the public key for worker {worker} has changed since the last connection \
         (expected {expected} in mode {pinned}, actual {actual} in mode {mode}); verify the \
         worker's identity, and {remedy}"
    )
}

async fn connect(hub: &Hub, parts: ConnectParts) -> Result<Open, NotOpen> {
    let session = Session::lasting(
        relay::transport(hub.relay().await?),
        Redial(hub.clone()),
        Arc::new(Limits::default()),
        Box::new(rand::rngs::StdRng::from_rng(&mut rand::rng())),
    );
    let worker = parts.worker.clone();
    let connected = session.connect(parts).await;
    let connected = connected.map_err(|error| not_open(&error))?;
    Ok(Open {
        session,
        worker,
        workspace: None,
        stay: None,
        channel: connected.channel,
    })
}

fn not_open(error: &ConnectError) -> NotOpen {
    let explained = explain(error);
    if matches!(
        error,
        ConnectError::Failed(Failure::DeviceNotTrusted { .. })
    ) {
        NotOpen::Device(explained)
    } else if is_final(error) {
        NotOpen::Final(explained)
    } else {
        NotOpen::Passing(explained)
    }
}

const fn is_final(error: &ConnectError) -> bool {
    match error {
        ConnectError::NotTrusted(_) | ConnectError::Open(_) | ConnectError::Failed(_) => true,
        ConnectError::Refused(Refusal { reason, .. }) => matches!(
            reason,
            RefusalReason::NotFound
                | RefusalReason::Credential
                | RefusalReason::Handshake
                | RefusalReason::Malformed
        ),
        ConnectError::Closed(reason) => matches!(reason, CloseReason::Revoked),
        ConnectError::Timeout | ConnectError::Disconnected | ConnectError::Taken => false,
    }
}

fn explain(error: &ConnectError) -> anyhow::Error {
    if let ConnectError::Failed(Failure::DeviceNotTrusted { fingerprint }) = error {
        return anyhow!(
            "device not trusted: this device is {fingerprint}; approve it in the page of a device \
             that is (yours, under Settings; or, at somebody else's Worker, its owner's, under \
             Sharing), or on the Worker with 'leapmux worker devices approve {fingerprint}'"
        );
    }
    if let ConnectError::Refused(refusal) = error
        && !refusal.retry_after.is_zero()
    {
        let seconds = refusal.retry_after.as_secs().max(1);
        return anyhow!("{error}; try again in {seconds} s");
    }
    anyhow!("{error}")
}

/// What a call failed with, in the Worker's words where it has some.
pub(crate) fn worker_said(error: CallError) -> anyhow::Error {
    match error {
        CallError::Worker(said) if !said.message.is_empty() => {
            anyhow!("{}", plain(&said.message))
        }
        CallError::Closed(reason) => ended(reason),
        CallError::Worker(_) | CallError::Send(_) | CallError::Timeout => {
            anyhow!("{error}")
        }
    }
}

/// Why there is no channel any more, for a person.
fn ended(reason: CloseReason) -> anyhow::Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most are best told by their name"
    )]
    let said = match reason {
        CloseReason::DetachedTooLong => "the connection was lost for too long",
        CloseReason::Revoked => "the login or the access to the Worker was taken away",
        CloseReason::ClosedByWorker => "the Worker has stopped",
        CloseReason::WorkerOffline => "the Worker has gone offline",
        _ => return anyhow!("the channel was closed: {}", reason.label()),
    };
    anyhow!("{said} ({})", reason.label())
}

/// Text from elsewhere on our terminal: nothing in it may move the cursor.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn now() -> anyhow::Result<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line is a shell: here the clock is read"
    )]
    let now = SystemTime::now();
    Ok(now
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970")?
        .as_secs())
}
