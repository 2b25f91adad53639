//! A session with real keys: the client that the command line uses, and a stream on each channel.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use channel_actors::{
    Limits,
    client::{
        Channel, ConnectError, ConnectParts, RejectChanges, Session, StreamReceiver, StreamSender,
    },
    endpoint::{DeviceKey, PublicKey},
};
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, future};
use rand::{RngExt as _, SeedableRng as _};
use schema::ids::{ChannelId, UserId};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{self, Message};

use super::{
    junk::Answer,
    lane::{Lane, PATIENCE, Pace, Run},
};
use crate::{hub::door::RelaySocket, schedule::Arrival, worker::Registered};

/// A session with its channels.
pub(super) struct Sealed {
    session: Session,
    lines: Vec<Line>,
}

/// A channel and the one stream on it.
struct Line {
    /// Dropping it closes it.
    _channel: Channel,
    sender: StreamSender,
    receiver: StreamReceiver,
}

const METHOD: &str = "loadtest.Echo/Open";
const GOODBYE: Duration = Duration::from_secs(5);

impl Sealed {
    /// Takes a socket of the relay.
    pub(super) fn new(socket: RelaySocket) -> Self {
        let (sink, stream) = socket.split();
        let outgoing = sink
            .with(|raw: Bytes| future::ready(Ok::<_, tungstenite::Error>(Message::Binary(raw))));
        let incoming = stream.try_filter_map(|message| {
            future::ready(Ok(match message {
                Message::Binary(raw) => Some(raw),
                // Pings are answered by the library; text has no meaning here.
                Message::Text(_)
                | Message::Ping(_)
                | Message::Pong(_)
                | Message::Close(_)
                | Message::Frame(_) => None,
            }))
        });
        let rng = rand::rngs::StdRng::from_rng(&mut rand::rng());
        let limits = Arc::new(Limits::default());
        let session = Session::start(incoming, outgoing, limits, Box::new(rng));
        Self {
            session,
            lines: Vec::new(),
        }
    }

    /// Asks for one more channel, and opens a stream on it.
    pub(super) async fn open(
        &mut self,
        worker: &Registered,
        user: &UserId,
        device: &Arc<DeviceKey>,
    ) -> anyhow::Result<Answer> {
        let parts = ConnectParts {
            worker: worker.id.clone(),
            worker_key: PublicKey::from_bytes(&worker.public_key)
                .map_err(|_| anyhow::anyhow!("a simulated Worker's key is none"))?,
            mode: worker.mode,
            pinned: None,
            trust: Arc::new(RejectChanges),
            user: user.clone(),
            device: device.clone(),
            certificates: Vec::new(),
            workspaces: Vec::new(),
            channel: ChannelId::from_bytes(rand::rng().random()),
        };
        let channel = match self.session.connect(parts).await {
            Ok(connected) => connected.channel,
            Err(ConnectError::Refused(refusal)) => return Ok(Answer::Refused(refusal.retry_after)),
            Err(error) => return Err(error.into()),
        };
        let opening = channel.stream(METHOD, Bytes::new(), None);
        let (pending, sender, receiver) = timeout(PATIENCE, opening).await??;
        timeout(PATIENCE, pending.answer())
            .await
            .context("no answer to a request")??;
        self.lines.push(Line {
            _channel: channel,
            sender,
            receiver,
        });
        Ok(Answer::Opened)
    }

    /// Drives all its channels, each with its queue and its lane.
    ///
    /// # Errors
    ///
    /// A channel broke; the lanes know what was lost.
    pub(super) async fn drive(
        mut self,
        run: &Run,
        queues: Vec<mpsc::Receiver<Arrival>>,
        lanes: &[Arc<Lane>],
    ) -> anyhow::Result<Self> {
        let lines = std::mem::take(&mut self.lines)
            .into_iter()
            .zip(queues)
            .zip(lanes);
        let driving = lines.map(|((line, queue), lane)| line.drive(run, queue, lane));
        self.lines = future::try_join_all(driving).await?;
        Ok(self)
    }

    /// Says goodbye.
    pub(super) async fn end(self) {
        drop(self.lines);
        self.session.end(GOODBYE).await;
    }
}

impl Line {
    /// As with noise: sends what arrives, books what comes back.
    ///
    /// # Errors
    ///
    /// The channel broke; the lane knows what was lost.
    async fn drive(
        mut self,
        run: &Run,
        queue: mpsc::Receiver<Arrival>,
        lane: &Lane,
    ) -> anyhow::Result<Self> {
        let (written, is_written) = watch::channel(());
        tokio::try_join!(
            write(run, queue, lane, &self.sender, written),
            read(run, lane, &mut self.receiver, is_written)
        )?;
        Ok(self)
    }
}

async fn write(
    run: &Run,
    mut queue: mpsc::Receiver<Arrival>,
    lane: &Lane,
    sender: &StreamSender,
    _written: watch::Sender<()>,
) -> anyhow::Result<()> {
    let mut pace = Pace::new(run.clock);
    while let Some(arrival) = queue.recv().await {
        let mut payload = BytesMut::with_capacity(arrival.bytes);
        lane.depart(run, arrival, &pace, &mut payload);
        let sending = timeout(PATIENCE, sender.send(payload.freeze()));
        pace.hold(sending)
            .await
            .context("a channel stands still")??;
    }
    sender.end().await?;
    Ok(())
}

/// Ends with the stream, or when the Hub is silent.
async fn read(
    run: &Run,
    lane: &Lane,
    receiver: &mut StreamReceiver,
    is_written: watch::Receiver<()>,
) -> anyhow::Result<()> {
    let reading = async {
        while let Some(data) = receiver.next().await? {
            lane.arrive(run, &data);
        }
        Ok(())
    };
    tokio::select! {
        read = reading => read,
        () = silence(lane, is_written) => Ok(()),
    }
}

/// Comes back when everything was sent and nothing came back for a while.
async fn silence(lane: &Lane, mut is_written: watch::Receiver<()>) {
    // An error: the sender was dropped, which is the sign.
    let _ = is_written.changed().await;
    let mut before = usize::MAX;
    while lane.under_way() < before {
        before = lane.under_way();
        tokio::time::sleep(PATIENCE).await;
    }
}
