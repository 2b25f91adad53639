//! One simulated Worker over all its links: what is behind them outlives each.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use rand::RngExt as _;
use tokio::{sync::Notify, time::timeout};

use super::{ends::Ends, handshakes::Handshakes, link::Link, registration::Registered};
use crate::{
    clock::Clock,
    hub::door::Door,
    redial::{Manner, Redial},
};

/// Whether a Worker dials again when its link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loyalty {
    Once,
    Redials(Manner),
}

/// A Worker, linked or not.
pub(super) struct Home {
    door: Door,
    worker: Registered,
    ends: Ends,
    redial: Redial,
    clock: Clock,
    scissors: Arc<Notify>,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Home {
    /// Not linked yet.
    pub(super) fn new(door: Door, worker: Registered, handshakes: Arc<Handshakes>) -> Self {
        Self {
            door,
            ends: Ends::of(&worker, handshakes),
            worker,
            redial: Redial::new(Manner::Promptly),
            clock: Clock::start(),
            scissors: Arc::default(),
        }
    }

    /// Cut its link.
    pub(super) fn scissors(&self) -> Arc<Notify> {
        self.scissors.clone()
    }

    /// Dials and is welcomed.
    ///
    /// # Errors
    ///
    /// The Hub is not there, or does not welcome it in time.
    pub(super) async fn dial(&mut self) -> anyhow::Result<Link> {
        let link = timeout(PATIENCE, Link::open(&self.door, &self.worker));
        let link = link.await.context("no welcome in time")??;
        self.redial.up(self.clock.elapsed());
        Ok(link)
    }

    /// Serves link after link.
    pub(super) async fn live(mut self, mut link: Link, loyalty: Loyalty) {
        let scissors = self.scissors.clone();
        let Loyalty::Redials(manner) = loyalty else {
            link.serve(&mut self.ends).await;
            return;
        };
        self.redial = Redial::new(manner);
        self.redial.up(self.clock.elapsed());
        loop {
            let hint = tokio::select! {
                hint = link.serve(&mut self.ends) => hint,
                () = scissors.notified() => Duration::ZERO,
            };
            drop(link);
            self.ends.lost();
            link = self.dial_until_welcome(hint).await;
        }
    }

    async fn dial_until_welcome(&mut self, mut hint: Duration) -> Link {
        loop {
            let luck = rand::rng().random();
            let wait = self.redial.down(self.clock.elapsed(), luck, hint);
            tokio::time::sleep(wait).await;
            // What is wrong shows as channels that do not come back.
            if let Ok(link) = self.dial().await {
                return link;
            }
            hint = Duration::ZERO;
        }
    }
}
