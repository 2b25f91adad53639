//! All simulated Workers of a run. Dropping it drops their links.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use tokio::{sync::Notify, task::JoinSet};

use super::{
    handshakes::Handshakes,
    home::{Home, Loyalty},
    registration::{Registered, register},
};
use crate::{cli::Crypto, hub::door::Door};

/// Linked Workers.
#[derive(Default)]
pub(crate) struct Fleet {
    links: JoinSet<()>,
    /// Who they are.
    pub(crate) workers: Vec<Registered>,
    /// What they were asked for.
    pub(crate) handshakes: Arc<Handshakes>,
    scissors: Vec<Arc<Notify>>,
}

/// Registrations and links that are under way at a time; a Hub keeps 16 unused keys of a user.
const AT_ONCE: usize = 8;

impl Fleet {
    /// Registers so many.
    ///
    /// # Errors
    ///
    /// The first that failed.
    pub(crate) async fn register(
        door: &Door,
        count: usize,
        crypto: Crypto,
    ) -> anyhow::Result<Vec<Registered>> {
        let registering = (0..count).map(|_| register(door, crypto));
        let registered: Vec<_> = stream::iter(registering)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        registered.into_iter().collect()
    }

    /// Links them.
    ///
    /// # Errors
    ///
    /// The first that failed.
    pub(crate) async fn link(
        door: &Door,
        workers: Vec<Registered>,
        loyalty: Loyalty,
    ) -> anyhow::Result<Self> {
        let handshakes = Arc::<Handshakes>::default();
        let linking = workers.iter().map(|worker| {
            let home = Home::new(door.clone(), worker.clone(), handshakes.clone());
            async move {
                let mut home = home;
                let link = home.dial().await?;
                anyhow::Ok((home, link))
            }
        });
        let linked: Vec<_> = stream::iter(linking).buffered(AT_ONCE).collect().await;
        let (mut links, mut scissors) = (JoinSet::new(), Vec::new());
        for one in linked {
            let (home, link) = one?;
            scissors.push(home.scissors());
            links.spawn(home.live(link, loyalty));
        }
        Ok(Self {
            links,
            workers,
            handshakes,
            scissors,
        })
    }

    /// Cuts the link of one of them, in turn.
    pub(crate) fn cut(&self, number: usize) {
        let which = number % self.scissors.len().max(1);
        if let Some(scissors) = self.scissors.get(which) {
            scissors.notify_one();
        }
    }

    /// Unlinks them all.
    pub(crate) async fn end(mut self) {
        self.links.shutdown().await;
    }
}
