//! All simulated Workers of a run. Dropping it drops their links.

use futures_util::{StreamExt as _, stream};
use tokio::task::JoinSet;

use super::{
    link::Link,
    registration::{Registered, register},
};
use crate::{cli::Crypto, hub::door::Door};

/// Linked Workers.
#[derive(Default)]
pub(crate) struct Fleet {
    links: JoinSet<()>,
    /// Who they are.
    pub(crate) workers: Vec<Registered>,
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
    pub(crate) async fn link(door: &Door, workers: Vec<Registered>) -> anyhow::Result<Self> {
        let linking = workers
            .iter()
            .map(|worker| Link::open(door, worker.clone()));
        let linked: Vec<_> = stream::iter(linking)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut links = JoinSet::new();
        for link in linked {
            links.spawn(link?.serve());
        }
        Ok(Self { links, workers })
    }

    /// Unlinks them all.
    pub(crate) async fn end(mut self) {
        self.links.shutdown().await;
    }
}
