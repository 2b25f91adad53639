//! A simulated client that comes back: it dials again, attaches its channels again, and sends on.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rand::RngExt as _;
use schema::{frame::Outer, ids::ChannelId, wire::control::Body};
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{line::Line, shared::Shared};
use crate::{
    clock,
    hub::door::RelaySocket,
    redial::{Manner, Redial},
    schedule::Arrival,
};

/// One client.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    /// None while there is no Hub.
    pub(super) socket: Option<RelaySocket>,
    dialling: Option<Dialling>,
    redial: Redial,
    pub(super) lines: BTreeMap<ChannelId, Line>,
    /// In the order of their arrivals.
    pub(super) order: Vec<ChannelId>,
    /// When to come back, once the Hub has said goodbye.
    hint: Duration,
}

type Dialling = Pin<Box<dyn Future<Output = anyhow::Result<RelaySocket>> + Send>>;

enum Input {
    Arrival(Option<Arrival>),
    Heard(Option<Bytes>),
    Dialled(anyhow::Result<Box<RelaySocket>>),
    Time,
}

/// Longest wait for an open, and for what is under way at the end: a Worker redials for minutes.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
/// A Hub that takes nothing for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);

impl Session {
    /// Dials for the first time.
    ///
    /// # Errors
    ///
    /// There is no Hub.
    pub(super) async fn connect(shared: Arc<Shared>) -> anyhow::Result<Self> {
        let socket = shared.door.relay().await?;
        shared.dial();
        let mut redial = Redial::new(Manner::Page);
        redial.up(shared.run.clock.elapsed());
        Ok(Self {
            shared,
            socket: Some(socket),
            dialling: None,
            redial,
            lines: BTreeMap::new(),
            order: Vec::new(),
            hint: Duration::ZERO,
        })
    }

    /// Sends what arrives and books what comes back, over however many paths, until all has.
    ///
    /// # Errors
    ///
    /// A channel ended, which none of them should.
    pub(super) async fn drive(
        mut self,
        queue: mpsc::Receiver<Arrival>,
        first: usize,
    ) -> anyhow::Result<()> {
        let mut queue = Some(queue);
        while queue.is_some() {
            self.settle().await;
            if let Some(arrival) = self.step(&mut queue).await? {
                self.send(arrival, first)?;
            }
            self.check()?;
        }
        self.await_rest().await?;
        self.end().await;
        Ok(())
    }

    /// Waits for what is under way, until it has come or nothing does any more.
    async fn await_rest(&mut self) -> anyhow::Result<()> {
        let (mut silence, mut before) = (Duration::ZERO, usize::MAX);
        while self.under_way() > 0 && silence < PATIENCE {
            self.settle().await;
            // Whether something came or not, it is looked at what is left.
            let mut nothing = None;
            let stepped = timeout(LOOK, self.step(&mut nothing)).await;
            if let Ok(stepped) = stepped {
                stepped?;
            } else {
                silence += LOOK;
            }
            self.check()?;
            let now = self.under_way();
            if now < before {
                (silence, before) = (Duration::ZERO, now);
            }
        }
        Ok(())
    }

    /// Closes every channel, then the socket.
    async fn end(mut self) {
        self.lines.values_mut().for_each(Line::close);
        self.settle().await;
        if let Some(mut socket) = self.socket.take() {
            // The Hub may have gone first.
            let _ = timeout(WRITE_PATIENCE, async {
                socket.close(None).await?;
                while let Some(Ok(_)) = socket.next().await {}
                anyhow::Ok(())
            })
            .await;
        }
    }

    fn under_way(&self) -> usize {
        let dark = |line: &Line| usize::from(line.is_dark());
        let each = self.lines.values();
        each.map(|line| line.lane.under_way() + dark(line)).sum()
    }

    fn send(&mut self, arrival: Arrival, first: usize) -> anyhow::Result<()> {
        let channel = self.order.get(arrival.channel.saturating_sub(first));
        let line = channel.and_then(|channel| self.lines.get_mut(channel));
        let line = line.context("an arrival for another session")?;
        line.send(&self.shared, arrival);
        Ok(())
    }

    pub(super) fn line(&self, channel: ChannelId) -> anyhow::Result<&Line> {
        let line = self.lines.get(&channel).context("the channel")?;
        line.check()?;
        Ok(line)
    }

    fn check(&self) -> anyhow::Result<()> {
        self.lines.values().try_for_each(Line::check)
    }

    /// One input. Gives an arrival that came; takes the queue away when it has ended.
    pub(super) async fn step(
        &mut self,
        queue: &mut Option<mpsc::Receiver<Arrival>>,
    ) -> anyhow::Result<Option<Arrival>> {
        let due = self.deadline();
        let input = tokio::select! {
            heard = hear(&mut self.socket) => Input::Heard(heard),
            arrival = take(queue) => Input::Arrival(arrival),
            socket = dialled(&mut self.dialling) => Input::Dialled(socket.map(Box::new)),
            () = sleep_until(due.into()) => Input::Time,
        };
        match input {
            Input::Arrival(None) => *queue = None,
            Input::Arrival(arrival) => return Ok(arrival),
            Input::Heard(None) => self.lost(),
            Input::Heard(Some(raw)) => self.heard(Outer::parse(raw)?),
            Input::Dialled(Err(_)) => self.dial_later(),
            Input::Dialled(Ok(socket)) => self.path(*socket),
            Input::Time => {
                let shared = self.shared.clone();
                self.lines
                    .values_mut()
                    .for_each(|line| line.expire(&shared));
            }
        }
        Ok(None)
    }

    fn deadline(&self) -> Instant {
        let next = self.lines.values().filter_map(Line::deadline).min();
        next.unwrap_or_else(|| clock::now() + PATIENCE)
    }

    pub(super) fn heard(&mut self, outer: Outer) {
        let channel = match &outer {
            Outer::Frame(frame) => Some(frame.channel()),
            Outer::Control(Body::Renewed(renewed)) => id(&renewed.channel_id),
            Outer::Control(Body::Refused(refused)) => id(&refused.channel_id),
            Outer::Control(Body::Close(close)) => id(&close.channel_id),
            Outer::Control(Body::Goodbye(goodbye)) => {
                self.hint = Duration::from_millis(goodbye.reconnect_after_ms.into());
                None
            }
            Outer::Control(_) => None,
        };
        let line = channel.and_then(|channel| self.lines.get_mut(&channel));
        if let Some(line) = line {
            line.heard(outer);
        }
    }

    /// There is no socket any more.
    fn lost(&mut self) {
        self.socket = None;
        self.lines.values_mut().for_each(Line::lost);
        self.dial_later();
    }

    fn dial_later(&mut self) {
        let (luck, hint) = (rand::rng().random(), std::mem::take(&mut self.hint));
        let wait = self
            .redial
            .down(self.shared.run.clock.elapsed(), luck, hint);
        let door = self.shared.door.clone();
        self.dialling = Some(Box::pin(async move {
            sleep(wait).await;
            door.relay().await
        }));
    }

    /// There is another socket: every channel is attached again over it.
    fn path(&mut self, socket: RelaySocket) {
        self.shared.dial();
        self.redial.up(self.shared.run.clock.elapsed());
        self.socket = Some(socket);
        let shared = self.shared.clone();
        self.lines.values_mut().for_each(|line| line.path(&shared));
    }

    /// Heeds what has happened and writes what follows from it.
    pub(super) async fn settle(&mut self) {
        let mut out = Vec::new();
        let has_path = self.socket.is_some();
        for line in self.lines.values_mut() {
            line.settle(&self.shared, has_path, &mut out);
        }
        if let Some(socket) = self.socket.as_mut().filter(|_| !out.is_empty()) {
            let writing = timeout(WRITE_PATIENCE, write(socket, out));
            if !matches!(writing.await, Ok(Ok(()))) {
                self.lost();
            }
        }
    }
}

fn id(bytes: &Bytes) -> Option<ChannelId> {
    ChannelId::try_from(&**bytes).ok()
}

/// The next outer message; none when the socket is gone. Pends while there is none.
pub(super) async fn hear(socket: &mut Option<RelaySocket>) -> Option<Bytes> {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(raw))) => return Some(raw),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

async fn take(queue: &mut Option<mpsc::Receiver<Arrival>>) -> Option<Arrival> {
    match queue {
        Some(queue) => queue.recv().await,
        None => std::future::pending().await,
    }
}

async fn dialled(dialling: &mut Option<Dialling>) -> anyhow::Result<RelaySocket> {
    let Some(future) = dialling else {
        return std::future::pending().await;
    };
    let socket = future.await;
    *dialling = None;
    socket
}

pub(super) async fn write(socket: &mut RelaySocket, out: Vec<Outer>) -> anyhow::Result<()> {
    for outer in out {
        socket.feed(Message::Binary(outer.encode())).await?;
    }
    Ok(socket.flush().await?)
}
