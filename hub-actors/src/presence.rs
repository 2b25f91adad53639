//! Who is linked, for readers that must not wait: written by the Registry only.

use std::sync::Arc;

use dashmap::DashMap;
use schema::ids::WorkerId;

use crate::messages::LinkId;

/// A lock-free view of the links. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    links: Arc<DashMap<WorkerId, Live>>,
}

/// What a linked Worker said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) link: LinkId,
    /// `wire::EncryptionMode` of the running process.
    pub(crate) encryption_mode: i32,
    pub(crate) version: String,
}

impl Presence {
    pub(crate) fn get(&self, worker: &WorkerId) -> Option<Live> {
        self.links.get(worker).map(|live| live.clone())
    }

    pub(crate) fn came(&self, worker: WorkerId, live: Live) {
        self.links.insert(worker, live);
    }

    /// A link that was replaced takes nothing away when it goes.
    pub(crate) fn went(&self, worker: &WorkerId, link: LinkId) {
        self.links.remove_if(worker, |_, live| live.link == link);
    }
}
