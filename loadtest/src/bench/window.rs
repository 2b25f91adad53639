//! A closed loop on many connections: as many frames go out as come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::Message;

use super::plain::take_whole;
use crate::{client::junk::Junk, hub::door::RelaySocket};

/// All connections of a turn.
pub(super) struct Shuttles {
    tasks: JoinSet<anyhow::Result<()>>,
    returned: Arc<AtomicU64>,
    window: usize,
}

/// Where frames go.
enum Out {
    Socket(SplitSink<RelaySocket, Message>),
    Stream(OwnedWriteHalf, BytesMut),
}

/// Where they come back.
enum Back {
    Socket(SplitStream<RelaySocket>, usize),
    Stream(OwnedReadHalf, BytesMut),
}

const READ: usize = 64 * 1024;

impl Shuttles {
    pub(super) fn new(window: usize) -> Self {
        Self {
            tasks: JoinSet::new(),
            returned: Arc::default(),
            window,
        }
    }

    /// A session of the Hub with one channel.
    pub(super) fn add_socket(&mut self, session: Junk, frame: Bytes) {
        let (sink, stream) = session.split();
        self.add(Out::Socket(sink), Back::Socket(stream, frame.len()), frame);
    }

    /// A connection of the splice.
    pub(super) fn add_stream(&mut self, stream: TcpStream, frame: Bytes) {
        let (read, write) = stream.into_split();
        let back = Back::Stream(read, BytesMut::with_capacity(READ));
        self.add(Out::Stream(write, BytesMut::new()), back, frame);
    }

    fn add(&mut self, out: Out, back: Back, frame: Bytes) {
        let (credit, credits) = mpsc::channel(self.window);
        let (window, returned) = (self.window, self.returned.clone());
        self.tasks.spawn(async move {
            // Reading never waits for writing, or both sides could wait for each other.
            tokio::try_join!(
                give(out, frame, window, credits),
                take(back, credit, &returned)
            )?;
            Ok(())
        });
    }

    /// Lets them run.
    ///
    /// # Errors
    ///
    /// A connection broke.
    pub(super) async fn run_for(&mut self, time: Duration) -> anyhow::Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            ended = self.tasks.join_next() => match ended {
                Some(Err(panicked)) => Err(panicked.into()),
                Some(Ok(Err(error))) => Err(error),
                Some(Ok(Ok(()))) | None => bail!("a connection ended by itself"),
            },
        }
    }

    /// Frames that came back so far.
    pub(super) fn returned(&self) -> u64 {
        self.returned.load(Ordering::Relaxed)
    }

    /// Lets all connections go.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn give(
    mut out: Out,
    frame: Bytes,
    window: usize,
    mut credits: mpsc::Receiver<usize>,
) -> anyhow::Result<()> {
    out.give(&frame, window).await?;
    while let Some(mut count) = credits.recv().await {
        while let Ok(more) = credits.try_recv() {
            count += more;
        }
        out.give(&frame, count).await?;
    }
    Ok(())
}

async fn take(
    mut back: Back,
    credit: mpsc::Sender<usize>,
    returned: &AtomicU64,
) -> anyhow::Result<()> {
    loop {
        let count = back.take().await?;
        returned.fetch_add(count as u64, Ordering::Relaxed);
        // As many places as frames under way: there is always one.
        credit.send(count).await?;
    }
}

impl Out {
    /// Sends so many frames in as few writes as it can.
    async fn give(&mut self, frame: &Bytes, count: usize) -> anyhow::Result<()> {
        match self {
            Self::Socket(sink) => {
                for _ in 0..count {
                    sink.feed(Message::Binary(frame.clone())).await?;
                }
                sink.flush().await?;
            }
            Self::Stream(stream, buffer) => {
                buffer.clear();
                (0..count).for_each(|_| buffer.extend_from_slice(frame));
                stream.write_all(buffer).await?;
            }
        }
        Ok(())
    }
}

impl Back {
    /// Waits for a frame, and takes what has come with it.
    async fn take(&mut self) -> anyhow::Result<usize> {
        match self {
            Self::Socket(stream, bytes) => {
                let mut count = 0;
                let mut next = Some(stream.next().await);
                while let Some(message) = next {
                    let message = message.context("the Hub closed a session")??;
                    count += usize::from(is_echo(&message, *bytes)?);
                    next = stream.next().now_or_never();
                }
                Ok(count)
            }
            Self::Stream(stream, buffer) => {
                if stream.read_buf(buffer).await? == 0 {
                    bail!("the splice closed a connection");
                }
                let (count, _) = take_whole(buffer);
                buffer.reserve(READ);
                Ok(count)
            }
        }
    }
}

fn is_echo(message: &Message, bytes: usize) -> anyhow::Result<bool> {
    match message {
        Message::Binary(raw) if raw.len() == bytes => Ok(true),
        Message::Ping(_) | Message::Pong(_) => Ok(false),
        // Of another length: a control message, which here is the end of the channel.
        Message::Binary(_) | Message::Text(_) | Message::Close(_) | Message::Frame(_) => {
            bail!("the Hub closed a channel")
        }
    }
}
