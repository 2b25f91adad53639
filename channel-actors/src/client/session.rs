//! One connection to a Hub, as its user sees it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use crypto::{DeviceKey, Mode, Pin, PublicKey};
use futures_util::{Sink, Stream};
use rand_core::CryptoRng;
use schema::{
    ids::{ChannelId, UserId, WorkerId, WorkspaceId},
    wire::{self, RpcError},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::{
    CallError, ConnectError, Dial, Received, Transport, TrustDecision, channel::Channel,
    flow::Turn, slot::ConnectAnswer, task,
};
use crate::{endpoint::SendError, limits::Limits};

/// A connection to a Hub. Dropping it, and all channels, ends it.
///
/// One that [`lasts`](Self::lasting) dials again when its transport is lost, for as long as it has
/// a channel that can be carried on; the channels go on where they were.
pub struct Session {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

/// Whom to connect to, and as whom.
pub struct ConnectParts {
    /// The Worker.
    pub worker: WorkerId,
    /// Its composite key, as the Hub offers it.
    pub worker_key: PublicKey,
    /// Its mode, as the Hub offers it.
    pub mode: Mode,
    /// What is pinned of it.
    pub pinned: Option<Pin>,
    /// Asked when that differs. [`RejectChanges`](super::RejectChanges) unless a person can be
    /// asked.
    pub trust: Arc<dyn TrustDecision>,
    /// The signed-in user.
    pub user: UserId,
    /// This client's device key.
    pub device: Arc<DeviceKey>,
    /// What speaks for it.
    pub certificates: Vec<wire::Signed>,
    /// What to use; nothing = all that is granted.
    pub workspaces: Vec<WorkspaceId>,
    /// 16 fresh random bytes.
    pub channel: ChannelId,
}

/// A channel, and what to remember of its Worker.
pub struct Connected {
    /// The channel.
    pub channel: Channel,
    /// Store this now; none when the pin holds as it is. The claim was accepted, so a first
    /// contact that failed pins nothing.
    pub pin: Option<Pin>,
}

/// What handles want of the task.
pub(super) enum Order {
    Connect {
        parts: Box<ConnectParts>,
        answer: ConnectAnswer,
    },
    Call {
        channel: ChannelId,
        method: String,
        payload: Bytes,
        workspace: Option<WorkspaceId>,
        deliver: Option<mpsc::UnboundedSender<Received>>,
        begun: oneshot::Sender<Result<u64, CallError>>,
        answer: oneshot::Sender<Result<Bytes, CallError>>,
    },
    Send {
        channel: ChannelId,
        id: u64,
        data: Bytes,
        turn: Turn,
        done: oneshot::Sender<Result<(), SendError>>,
    },
    EndStream {
        channel: ChannelId,
        id: u64,
        error: Option<RpcError>,
        done: oneshot::Sender<Result<(), SendError>>,
    },
    Consumed {
        channel: ChannelId,
        id: u64,
        bytes: usize,
    },
    Ping {
        channel: ChannelId,
        answer: oneshot::Sender<Duration>,
    },
    /// Of the session.
    End,
}

impl Session {
    /// Takes a transport of outer messages and starts the task that owns it. The channels end with
    /// the transport.
    pub fn start<T, S, E>(
        incoming: T,
        outgoing: S,
        limits: Arc<Limits>,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Self
    where
        T: Stream<Item = Result<Bytes, E>> + Send + 'static,
        S: Sink<Bytes, Error: Send> + Send + 'static,
    {
        Self::run(
            Transport::of_messages(incoming, outgoing),
            None,
            limits,
            rng,
        )
    }

    /// Takes a transport, and what makes the next one whenever it is lost.
    pub fn lasting(
        transport: Transport,
        dial: impl Dial,
        limits: Arc<Limits>,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Self {
        Self::run(transport, Some(Box::new(dial)), limits, rng)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the session owns its task and ends it"
    )]
    fn run(
        transport: Transport,
        dial: Option<Box<dyn Dial>>,
        limits: Arc<Limits>,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Self {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let ways = task::Ways {
            orders: orders.downgrade(),
            ordered,
        };
        Self {
            orders,
            task: tokio::spawn(task::run(transport, dial, limits, rng, ways)),
        }
    }

    /// Opens a channel: pin, handshake, claim.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; whatever it is, nothing of the channel is left.
    pub async fn connect(&self, parts: ConnectParts) -> Result<Connected, ConnectError> {
        let (answer, answered) = oneshot::channel();
        let order = Order::Connect {
            parts: Box::new(parts),
            answer,
        };
        self.orders
            .send(order)
            .await
            .map_err(|_| ConnectError::Disconnected)?;
        answered.await.unwrap_or(Err(ConnectError::Disconnected))
    }

    /// Whether the connection is gone for good.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Says goodbye on every channel and waits until it is out, or `patience` is at its end.
    pub async fn end(self, patience: Duration) {
        let Self { orders, mut task } = self;
        let ended = async {
            // A task that has ended takes no orders.
            let _ = orders.send(Order::End).await;
            (&mut task).await
        };
        if timeout(patience, ended).await.is_err() {
            task.abort();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}

/// Orders that may wait for the task.
const ORDERS: usize = 256;
