//! The two halves of a stream. When both, and the answer, are dropped, the stream is cancelled.

use std::sync::Arc;

use bytes::Bytes;
use schema::wire::RpcError;
use tokio::sync::{mpsc, oneshot};

use super::{CallError, channel::OpenCall, flow::Turn, session::Order};
use crate::endpoint::SendError;

/// Sends on a stream.
pub struct StreamSender {
    pub(super) call: Arc<OpenCall>,
}

/// Receives from a stream. What is not taken is not granted anew, so a slow reader slows its own
/// stream and no other.
pub struct StreamReceiver {
    items: mpsc::UnboundedReceiver<Received>,
    call: Arc<OpenCall>,
    over: bool,
}

/// What comes on a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// One message.
    Data(Bytes),
    /// The other side has ended, well or with an error.
    End(Option<RpcError>),
}

impl StreamSender {
    /// Sends one message of up to 256 KiB, as soon as credit covers it.
    ///
    /// # Errors
    ///
    /// The stream or the channel is over.
    pub async fn send(&self, data: Bytes) -> Result<(), CallError> {
        self.send_in_turn(data, Turn::InOrder { leaving: 0 }).await
    }

    /// As [`send`](Self::send), but leaves so many bytes of credit unused, for
    /// [`send_first`](Self::send_first). A message that fills a whole one leaves nothing.
    ///
    /// # Errors
    ///
    /// The stream or the channel is over.
    pub async fn send_leaving(&self, data: Bytes, leaving: usize) -> Result<(), CallError> {
        self.send_in_turn(data, Turn::InOrder { leaving }).await
    }

    /// Sends before all that waits for credit, and without waiting for it where others have left
    /// some.
    ///
    /// # Errors
    ///
    /// The stream or the channel is over.
    pub async fn send_first(&self, data: Bytes) -> Result<(), CallError> {
        self.send_in_turn(data, Turn::First).await
    }

    async fn send_in_turn(&self, data: Bytes, turn: Turn) -> Result<(), CallError> {
        let (done, sent) = oneshot::channel();
        let (channel, id) = (self.call.way.channel, self.call.id);
        self.call
            .way
            .order(Order::Send {
                channel,
                id,
                data,
                turn,
                done,
            })
            .await?;
        self.settle(sent).await
    }

    /// Ends this side.
    ///
    /// # Errors
    ///
    /// The stream or the channel is over.
    pub async fn end(&self) -> Result<(), CallError> {
        self.end_with(None).await
    }

    /// Ends the whole stream with an error.
    ///
    /// # Errors
    ///
    /// The stream or the channel is over.
    pub async fn fail(&self, error: RpcError) -> Result<(), CallError> {
        self.end_with(Some(error)).await
    }

    async fn end_with(&self, error: Option<RpcError>) -> Result<(), CallError> {
        let (done, ended) = oneshot::channel();
        let (channel, id) = (self.call.way.channel, self.call.id);
        self.call
            .way
            .order(Order::EndStream {
                channel,
                id,
                error,
                done,
            })
            .await?;
        self.settle(ended).await
    }

    async fn settle(
        &self,
        done: oneshot::Receiver<Result<(), SendError>>,
    ) -> Result<(), CallError> {
        Ok(done.await.map_err(|_| self.call.way.ended())??)
    }
}

impl StreamReceiver {
    pub(super) const fn new(items: mpsc::UnboundedReceiver<Received>, call: Arc<OpenCall>) -> Self {
        Self {
            items,
            call,
            over: false,
        }
    }

    /// The next message; none after the other side's good end.
    ///
    /// # Errors
    ///
    /// The Worker's error, or the end of the channel: that is never the end of a stream.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        if self.over {
            return Ok(None);
        }
        match self.items.recv().await {
            Some(Received::Data(data)) => {
                let (channel, id) = (self.call.way.channel, self.call.id);
                let bytes = data.len();
                // The channel may be over and the data still good.
                let _ = self
                    .call
                    .way
                    .order(Order::Consumed { channel, id, bytes })
                    .await;
                Ok(Some(data))
            }
            Some(Received::End(None)) => {
                self.over = true;
                Ok(None)
            }
            Some(Received::End(Some(error))) => Err(CallError::Worker(error)),
            None => Err(self.call.way.ended()),
        }
    }
}
