//! One channel in the hands of its user.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use schema::{
    ids::{ChannelId, WorkspaceId},
    wire::WorkspaceAccess,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    CallError, Connection,
    session::Order,
    stream::{StreamReceiver, StreamSender},
};
use crate::{close::CloseReason, endpoint::SendError};

/// A channel whose claim was accepted. Dropping it closes it.
pub struct Channel {
    way: Way,
    workspaces: Vec<WorkspaceAccess>,
}

/// An answer that has not come yet. Dropping it cancels the call.
pub struct Pending {
    answer: oneshot::Receiver<Result<Bytes, CallError>>,
    pub(super) call: Arc<OpenCall>,
}

/// How a handle speaks to the session's task.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) channel: ChannelId,
    pub(super) orders: mpsc::Sender<Order>,
    /// For drops, which cannot wait. At most one for each handle, so it is bounded by them.
    pub(super) farewells: mpsc::UnboundedSender<Farewell>,
    pub(super) closed: watch::Receiver<Option<CloseReason>>,
    pub(super) connection: watch::Receiver<Connection>,
}

/// A handle was dropped.
pub(super) enum Farewell {
    Call(ChannelId, u64),
    Channel(ChannelId),
}

/// One request that may have to be cancelled.
pub(super) struct OpenCall {
    pub(super) way: Way,
    pub(super) id: u64,
}

impl Channel {
    pub(super) const fn new(way: Way, workspaces: Vec<WorkspaceAccess>) -> Self {
        Self { way, workspaces }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ChannelId {
        self.way.channel
    }

    /// What the Worker lets this user use.
    #[must_use]
    pub fn workspaces(&self) -> &[WorkspaceAccess] {
        &self.workspaces
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// The Worker's error, the end of the channel, or no answer within `patience`.
    pub async fn call(
        &self,
        method: &str,
        payload: Bytes,
        workspace: Option<&WorkspaceId>,
        patience: Duration,
    ) -> Result<Bytes, CallError> {
        let begun = self.way.begin(method, payload, workspace, None);
        let answered = async { begun.await?.answer().await };
        timeout(patience, answered)
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    /// Asks for something that opens a stream. Whether the answer comes first or last is the
    /// method's matter, so it can be waited for apart.
    ///
    /// # Errors
    ///
    /// The request was not taken.
    pub async fn stream(
        &self,
        method: &str,
        payload: Bytes,
        workspace: Option<&WorkspaceId>,
    ) -> Result<(Pending, StreamSender, StreamReceiver), CallError> {
        let (deliver, items) = mpsc::unbounded_channel();
        let pending = self
            .way
            .begin(method, payload, workspace, Some(deliver))
            .await?;
        let sender = StreamSender {
            call: pending.call.clone(),
        };
        let receiver = StreamReceiver::new(items, pending.call.clone());
        Ok((pending, sender, receiver))
    }

    /// How long a message takes to the Worker and back.
    ///
    /// # Errors
    ///
    /// The end of the channel, or no answer within `patience`.
    pub async fn ping(&self, patience: Duration) -> Result<Duration, CallError> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.way
                .order(Order::Ping {
                    channel: self.id(),
                    answer,
                })
                .await?;
            answered.await.map_err(|_| self.way.ended())
        };
        timeout(patience, asked)
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    /// Whether it is connected now. Its streams and calls do not notice when it is not: what they
    /// want waits.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.way.connection.clone()
    }

    /// Waits for the end of the channel, and says why.
    pub async fn closed(&self) -> CloseReason {
        let mut closed = self.way.closed.clone();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(CloseReason::ConnectionLost),
            Err(_) => CloseReason::ConnectionLost,
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // The session's task may be gone, and the channel with it.
        let _ = self.way.farewells.send(Farewell::Channel(self.way.channel));
    }
}

impl Pending {
    /// Waits for the answer, as long as the channel lives.
    ///
    /// # Errors
    ///
    /// The Worker's error, or the end of the channel.
    pub async fn answer(self) -> Result<Bytes, CallError> {
        self.answer
            .await
            .unwrap_or_else(|_| Err(self.call.way.ended()))
    }
}

impl Way {
    pub(super) async fn order(&self, order: Order) -> Result<(), CallError> {
        self.orders.send(order).await.map_err(|_| self.ended())
    }

    /// What to say when the session's task does not answer: the channel, or the stream, is over.
    pub(super) fn ended(&self) -> CallError {
        match *self.closed.borrow() {
            Some(reason) => CallError::Closed(reason),
            None if self.orders.is_closed() => CallError::Closed(CloseReason::ConnectionLost),
            None => CallError::Send(SendError::Unknown),
        }
    }

    async fn begin(
        &self,
        method: &str,
        payload: Bytes,
        workspace: Option<&WorkspaceId>,
        deliver: Option<mpsc::UnboundedSender<super::Received>>,
    ) -> Result<Pending, CallError> {
        let (answer, answered) = oneshot::channel();
        let (begun, id) = oneshot::channel();
        let channel = self.channel;
        let method = method.to_owned();
        let workspace = workspace.cloned();
        self.order(Order::Call {
            channel,
            method,
            payload,
            workspace,
            deliver,
            begun,
            answer,
        })
        .await?;
        let id = id.await.map_err(|_| self.ended())??;
        let call = Arc::new(OpenCall {
            way: self.clone(),
            id,
        });
        Ok(Pending {
            answer: answered,
            call,
        })
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        // To cancel what is over does nothing.
        let _ = self
            .way
            .farewells
            .send(Farewell::Call(self.way.channel, self.id));
    }
}
