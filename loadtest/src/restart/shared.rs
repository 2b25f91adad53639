//! What all sessions of a restart run share.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use channel_actors::{Limits, endpoint::DeviceKey};
use schema::ids::UserId;
use serde::Serialize;

use super::outage::Gap;
use crate::{
    client::lane::{Run, lock},
    hub::door::Door,
};

/// It.
pub(super) struct Shared {
    pub(super) run: Run,
    pub(super) door: Door,
    pub(super) user: UserId,
    pub(super) device: Arc<DeviceKey>,
    pub(super) limits: Arc<Limits>,
    pub(super) gaps: Mutex<Vec<Gap>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    renewed: AtomicU64,
    refused: AtomicU64,
    attached: AtomicU64,
    dialled: AtomicU64,
}

/// What clients did, all in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    /// Handshakes from the beginning.
    pub(super) opened: u64,
    /// Renewals asked for,
    pub(super) renewed: u64,
    /// refused for a while,
    pub(super) refused: u64,
    /// and carried through.
    pub(super) attached: u64,
    /// Sockets opened.
    pub(super) dialled: u64,
}

impl Shared {
    pub(super) fn new(run: Run, door: Door, user: UserId) -> Self {
        Self {
            run,
            door,
            user,
            device: Arc::new(DeviceKey::generate(&mut rand::rng())),
            limits: Arc::new(Limits::default()),
            gaps: Mutex::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn open(&self) {
        add_one(&self.counts.opened);
    }

    pub(super) fn renew(&self) {
        add_one(&self.counts.renewed);
    }

    pub(super) fn refuse(&self) {
        add_one(&self.counts.refused);
    }

    pub(super) fn attach(&self) {
        add_one(&self.counts.attached);
    }

    pub(super) fn dial(&self) {
        add_one(&self.counts.dialled);
    }

    /// Books an outage that is over, if one is.
    pub(super) fn gaps(&self, gap: Option<Gap>) {
        lock(&self.gaps).extend(gap);
    }

    /// So far.
    pub(super) fn done(&self) -> Done {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Done {
            opened: read(&self.counts.opened),
            renewed: read(&self.counts.renewed),
            refused: read(&self.counts.refused),
            attached: read(&self.counts.attached),
            dialled: read(&self.counts.dialled),
        }
    }
}

fn add_one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
