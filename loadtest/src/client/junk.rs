//! A session without cryptography: the shape of a client, at the price of a memory copy.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use rand::RngExt as _;
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, WorkerId},
    wire::{self, control::Body},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use super::lane::{Lane, PATIENCE, Pace, Run};
use crate::{
    hub::door::RelaySocket,
    schedule::Arrival,
    worker::{FRAME_OVERHEAD, message_1},
};

/// A session with its channels.
pub(crate) struct Junk {
    socket: RelaySocket,
    channels: Vec<ChannelId>,
}

/// An open's answer.
pub(super) enum Answer {
    Opened,
    /// To be asked again after so long; zero = not by itself.
    Refused(Duration),
}

const OPEN_PATIENCE: Duration = Duration::from_secs(20);

impl Junk {
    /// A session without channels.
    pub(crate) const fn new(socket: RelaySocket) -> Self {
        Self {
            socket,
            channels: Vec::new(),
        }
    }

    /// Asks for one more channel.
    pub(super) async fn open(&mut self, worker: &WorkerId) -> anyhow::Result<Answer> {
        let channel = ChannelId::from_bytes(rand::rng().random());
        let open = wire::Open {
            channel_id: Bytes::copy_from_slice(channel.as_bytes()),
            worker_id: worker.as_str().to_owned(),
            noise: message_1(),
            workspaces: Vec::new(),
            max_message_bytes: 0,
        };
        self.socket
            .send(Message::Binary(Outer::from(Body::Open(open)).encode()))
            .await?;
        let answer = timeout(OPEN_PATIENCE, self.answer())
            .await
            .context("no answer to an open")??;
        if matches!(answer, Answer::Opened) {
            self.channels.push(channel);
        }
        Ok(answer)
    }

    /// Opens one channel, or fails.
    ///
    /// # Errors
    ///
    /// It was refused.
    pub(crate) async fn open_at_once(&mut self, worker: &WorkerId) -> anyhow::Result<ChannelId> {
        match self.open(worker).await? {
            Answer::Opened => self.channels.last().copied().context("a channel"),
            Answer::Refused(_) => bail!("an open was refused"),
        }
    }

    async fn answer(&mut self) -> anyhow::Result<Answer> {
        while let Some(message) = self.socket.next().await {
            let Message::Binary(raw) = message? else {
                continue;
            };
            match Outer::parse(raw)? {
                Outer::Control(Body::Opened(_)) => return Ok(Answer::Opened),
                Outer::Control(Body::Refused(refused)) => {
                    let after = Duration::from_millis(refused.retry_after_ms.into());
                    return Ok(Answer::Refused(after));
                }
                Outer::Control(_) | Outer::Frame(_) => {}
            }
        }
        bail!("the Hub closed a session")
    }

    /// The two halves of its socket.
    pub(crate) fn split(self) -> (SplitSink<RelaySocket, Message>, SplitStream<RelaySocket>) {
        self.socket.split()
    }

    /// Sends what arrives on the queue and books what comes back, until all has, or the Hub is
    /// silent. The arrivals' channels count from `first`.
    ///
    /// # Errors
    ///
    /// A channel or the session broke; the lanes know what was lost.
    pub(super) async fn drive(
        self,
        run: &Run,
        queue: mpsc::Receiver<Arrival>,
        first: usize,
        lanes: &[Arc<Lane>],
    ) -> anyhow::Result<Self> {
        let channels = self.channels.clone();
        let (sink, stream) = self.socket.split();
        let (written, is_written) = watch::channel(());
        let room = Notify::new();
        let session = Session {
            run,
            first,
            channels: &channels,
            lanes,
            room: &room,
        };
        let (sink, stream) = tokio::try_join!(
            session.write(sink, queue, written),
            session.read(stream, is_written)
        )?;
        Ok(Self {
            socket: sink.reunite(stream)?,
            channels,
        })
    }

    /// Says goodbye.
    pub(super) async fn end(mut self) {
        // The Hub may have gone first.
        let _ = timeout(OPEN_PATIENCE, self.socket.close(None)).await;
    }
}

/// A session while it is driven.
struct Session<'a> {
    run: &'a Run,
    first: usize,
    channels: &'a [ChannelId],
    lanes: &'a [Arc<Lane>],
    room: &'a Notify,
}

type Sink = SplitSink<RelaySocket, Message>;
type Stream = SplitStream<RelaySocket>;

impl Session<'_> {
    async fn write(
        &self,
        mut sink: Sink,
        mut queue: mpsc::Receiver<Arrival>,
        _written: watch::Sender<()>,
    ) -> anyhow::Result<Sink> {
        let mut pace = Pace::new(self.run.clock);
        let mut correlation = 0;
        while let Some(arrival) = queue.recv().await {
            let mut next = Some(arrival);
            while let Some(arrival) = next {
                correlation += 1;
                self.send(arrival, correlation, &mut sink, &mut pace)
                    .await?;
                next = queue.try_recv().ok();
            }
            pace.hold(sink.flush()).await?;
        }
        Ok(sink)
    }

    async fn send(
        &self,
        arrival: Arrival,
        correlation: u64,
        sink: &mut Sink,
        pace: &mut Pace,
    ) -> anyhow::Result<()> {
        let at = arrival.channel.saturating_sub(self.first);
        let found = self.lanes.get(at).zip(self.channels.get(at));
        let (lane, channel) = found.context("an arrival for another session")?;
        if lane.under_way() >= self.run.under_way_max {
            pace.hold(self.wait_for_room(lane, sink)).await?;
        }
        let mut ciphertext = BytesMut::with_capacity(arrival.bytes + FRAME_OVERHEAD);
        lane.depart(self.run, arrival, pace, &mut ciphertext);
        ciphertext.put_bytes(0, FRAME_OVERHEAD);
        let frame = Frame::new(*channel, 0, correlation, 0, &ciphertext);
        pace.hold(sink.feed(Message::Binary(frame.into_bytes())))
            .await?;
        Ok(())
    }

    async fn wait_for_room(&self, lane: &Lane, sink: &mut Sink) -> anyhow::Result<()> {
        sink.flush().await?;
        while lane.under_way() >= self.run.under_way_max {
            timeout(PATIENCE, self.room.notified())
                .await
                .context("a channel stands still")?;
        }
        Ok(())
    }

    async fn read(
        &self,
        mut stream: Stream,
        mut is_written: watch::Receiver<()>,
    ) -> anyhow::Result<Stream> {
        let places: BTreeMap<_, _> = self.channels.iter().zip(self.lanes).collect();
        let mut done = false;
        while !done || self.lanes.iter().any(|lane| lane.under_way() > 0) {
            tokio::select! {
                message = stream.next() => {
                    let message = message.context("the Hub closed a session")??;
                    if let Message::Binary(raw) = message {
                        self.heard(raw, &places)?;
                    }
                }
                // The sender was dropped.
                _ = is_written.changed(), if !done => done = true,
                () = tokio::time::sleep(PATIENCE), if done => break,
            }
        }
        Ok(stream)
    }

    fn heard(&self, raw: Bytes, places: &BTreeMap<&ChannelId, &Arc<Lane>>) -> anyhow::Result<()> {
        match Outer::parse(raw)? {
            Outer::Frame(frame) => {
                let lane = places
                    .get(&frame.channel())
                    .context("a frame of another session")?;
                let payload = frame.ciphertext().split_last_chunk::<FRAME_OVERHEAD>();
                lane.arrive(self.run, payload.map_or(&[], |(payload, _)| payload));
                self.room.notify_one();
            }
            Outer::Control(Body::Close(close)) => bail!("a channel was closed: {}", close.reason),
            Outer::Control(Body::Goodbye(_)) => bail!("the Hub said goodbye"),
            Outer::Control(_) => {}
        }
        Ok(())
    }
}
