//! Sessions at work, one task each.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    junk::Junk,
    lane::{Lane, Run},
    population::{Population, Session},
    sealed::Sealed,
};
use crate::schedule::Arrival;

/// Arrivals that may wait for their sender.
const QUEUE: usize = 16_384;

/// Sessions at work.
pub(crate) struct Driven {
    tasks: JoinSet<anyhow::Result<Session>>,
    channels: usize,
}

impl Driven {
    /// Nobody yet.
    pub(super) fn new(channels: usize) -> Self {
        Self {
            tasks: JoinSet::new(),
            channels,
        }
    }

    /// One queue for the whole session.
    pub(super) fn add_junk(
        &mut self,
        junk: Junk,
        run: Arc<Run>,
        first: usize,
        lanes: Vec<Arc<Lane>>,
    ) -> Vec<mpsc::Sender<Arrival>> {
        let (sender, queue) = mpsc::channel(QUEUE);
        self.tasks.spawn(async move {
            let driven = junk.drive(&run, queue, first, &lanes).await?;
            Ok(Session::Junk(Box::new(driven)))
        });
        vec![sender; self.channels]
    }

    /// A queue for each channel.
    pub(super) fn add_sealed(
        &mut self,
        sealed: Sealed,
        run: Arc<Run>,
        lanes: Vec<Arc<Lane>>,
    ) -> Vec<mpsc::Sender<Arrival>> {
        let (senders, queues) = lanes.iter().map(|_| mpsc::channel(QUEUE)).unzip();
        self.tasks
            .spawn(async move { Ok(Session::Sealed(sealed.drive(&run, queues, &lanes).await?)) });
        senders
    }

    /// Waits until all queues are closed and everything came back. Gives who is still there, and
    /// why others are not.
    pub(crate) async fn finish(mut self) -> (Population, Vec<anyhow::Error>) {
        let (mut sessions, mut broken) = (Vec::new(), Vec::new());
        while let Some(driven) = self.tasks.join_next().await {
            match driven
                .map_err(anyhow::Error::from)
                .and_then(|driven| driven)
            {
                Ok(session) => sessions.push(session),
                Err(error) => broken.push(error),
            }
        }
        (
            Population {
                sessions,
                channels: self.channels,
            },
            broken,
        )
    }
}
