//! Who takes part, and how it comes to be: sessions first, then channels, never too many at once.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use channel_actors::endpoint::DeviceKey;
use futures_util::{StreamExt as _, stream};
use rand::RngExt as _;
use schema::ids::UserId;
use tokio::sync::mpsc;

use super::{
    driven::Driven,
    junk::{Answer, Junk},
    lane::{Lane, Run},
    sealed::Sealed,
    stage::{Stage, staged},
};
use crate::{
    cli::Crypto,
    hub::door::{Door, RelaySocket},
    schedule::Arrival,
    worker::Registered,
};

/// Sessions without channels.
pub(crate) struct Connections(Vec<RelaySocket>);

/// Sessions, each with the same number of channels.
pub(crate) struct Population {
    pub(super) sessions: Vec<Session>,
    pub(super) channels: usize,
}

pub(super) enum Session {
    Junk(Box<Junk>),
    Sealed(Sealed),
}

/// With whom channels are opened, and as whom.
pub(crate) struct Whom<'a> {
    pub(crate) workers: &'a [Registered],
    pub(crate) user: &'a UserId,
    pub(crate) crypto: Crypto,
    pub(crate) channels: usize,
}

/// Connects that are under way at a time.
const CONNECTS_AT_ONCE: usize = 32;
/// Handshakes that are: a Worker lets 8 of a user wait.
const HANDSHAKES_AT_ONCE: usize = 8;
/// Refusals that name a delay, before an open counts as failed.
const RETRIES: u32 = 60;
const DELAY_MIN: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(5);

impl Connections {
    /// So many WebSockets.
    pub(crate) async fn open(door: &Door, count: usize) -> (Self, Stage) {
        let connecting = (0..count).map(|_| door.relay());
        let (sockets, stage) = staged(connecting, count, CONNECTS_AT_ONCE).await;
        (Self(sockets), stage)
    }
}

impl Population {
    /// Opens the channels of every session.
    pub(crate) async fn open(connections: Connections, whom: &Whom<'_>) -> (Self, Stage) {
        Self::of(connections, whom.crypto).grow(whom).await
    }

    /// Sessions that have no channels yet.
    pub(crate) fn of(connections: Connections, crypto: Crypto) -> Self {
        let sessions = connections.0.into_iter();
        Self {
            sessions: sessions.map(|one| Session::new(one, crypto)).collect(),
            channels: 0,
        }
    }

    /// Opens so many more channels on every session.
    pub(crate) async fn grow(self, whom: &Whom<'_>) -> (Self, Stage) {
        let device = Arc::new(DeviceKey::generate(&mut rand::rng()));
        let at_once = if whom.crypto.is_real() {
            HANDSHAKES_AT_ONCE
        } else {
            CONNECTS_AT_ONCE
        };
        let count = self.sessions.len();
        let opening = self
            .sessions
            .into_iter()
            .enumerate()
            .map(|(index, session)| {
                let device = device.clone();
                async move { equip(session, index, whom, &device).await }
            });
        let (sessions, stage) = staged(opening, count, at_once).await;
        let more = whom.channels;
        let stage = Stage {
            asked: stage.asked * more,
            established: stage.established * more,
            failed: stage.failed * more,
            ..stage
        };
        let channels = self.channels + more;
        (Self { sessions, channels }, stage)
    }

    /// Channels in all.
    pub(crate) fn channels(&self) -> usize {
        self.sessions.len() * self.channels
    }

    /// Sets every session to work. Gives a queue for each channel, in order.
    pub(crate) fn drive(
        self,
        run: &Arc<Run>,
        lanes: &[Arc<Lane>],
    ) -> (Vec<mpsc::Sender<Arrival>>, Driven) {
        let mut senders = Vec::new();
        let mut driven = Driven::new(self.channels);
        for (index, session) in self.sessions.into_iter().enumerate() {
            let first = index * self.channels;
            let lanes: Vec<_> = lanes
                .iter()
                .skip(first)
                .take(self.channels)
                .cloned()
                .collect();
            senders.extend(match session {
                Session::Junk(junk) => driven.add_junk(*junk, run.clone(), first, lanes),
                Session::Sealed(sealed) => driven.add_sealed(sealed, run.clone(), lanes),
            });
        }
        (senders, driven)
    }

    /// Says goodbye to the Hub, everywhere.
    pub(crate) async fn end(self) {
        let ending = self.sessions.into_iter().map(Session::end);
        stream::iter(ending)
            .buffer_unordered(CONNECTS_AT_ONCE)
            .for_each(|()| async {})
            .await;
    }
}

impl Session {
    fn new(socket: RelaySocket, crypto: Crypto) -> Self {
        if crypto.is_real() {
            Self::Sealed(Sealed::new(socket))
        } else {
            Self::Junk(Box::new(Junk::new(socket)))
        }
    }

    async fn open(
        &mut self,
        worker: &Registered,
        user: &UserId,
        device: &Arc<DeviceKey>,
    ) -> anyhow::Result<Answer> {
        match self {
            Self::Junk(junk) => junk.open(&worker.id).await,
            Self::Sealed(sealed) => sealed.open(worker, user, device).await,
        }
    }

    async fn end(self) {
        match self {
            Self::Junk(junk) => junk.end().await,
            Self::Sealed(sealed) => sealed.end().await,
        }
    }
}

/// Opens a session's channels one after another, Workers in turn. A refusal that names a delay is
/// asked again after it.
async fn equip(
    mut session: Session,
    index: usize,
    whom: &Whom<'_>,
    device: &Arc<DeviceKey>,
) -> anyhow::Result<Session> {
    let first = index * whom.channels;
    let turns = whom
        .workers
        .iter()
        .cycle()
        .skip(first % whom.workers.len().max(1));
    for worker in turns.take(whom.channels) {
        let mut tries = 0;
        while let Answer::Refused(after) = session.open(worker, whom.user, device).await? {
            tries += 1;
            if after.is_zero() || tries > RETRIES {
                bail!("an open was refused");
            }
            let jitter = 1.0 + rand::rng().random::<f64>() / 2.0;
            tokio::time::sleep(after.clamp(DELAY_MIN, DELAY_MAX).mul_f64(jitter)).await;
        }
    }
    Ok(session)
}
