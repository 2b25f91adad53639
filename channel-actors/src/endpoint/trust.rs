//! BRAIN of which devices a Worker believes (docs/protocol.md, section 4).
//!
//! A claim alone repeats what the Hub said. What makes it worth something is that the Worker knows
//! the device: from registration, from the first use where there was no secret, from a person who
//! approved it, or from a certificate of somebody whom it knows already. Nothing here is stored:
//! every judgement names its changes, and the shell keeps them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use schema::ids::{UserId, WorkerId, WorkspaceId};

use super::{ClaimedDevice, access::Roles};
use crate::limits::Limits;

pub use super::devices::{
    Change, Grant, Judgement, Policy, SerialOf, Source, TrustedDevice, Verdict, WaitingDevice,
};

/// What a Worker knows of devices.
#[derive(Debug)]
pub struct Trust {
    policy: Policy,
    pub(super) worker: WorkerId,
    pub(super) owner: UserId,
    first_use: bool,
    devices: BTreeMap<(UserId, Bytes), TrustedDevice>,
    removed: BTreeSet<(UserId, Bytes)>,
    grants: BTreeMap<(UserId, WorkspaceId), Grant>,
    pub(super) serials: BTreeMap<SerialOf, u64>,
    waiting: VecDeque<WaitingDevice>,
    waiting_max: usize,
    waiting_per_user: usize,
}

impl Trust {
    /// Knows nobody yet. With `first_use` the owner's first device is trusted as it comes: for a
    /// Worker that was registered without a secret.
    #[must_use]
    pub const fn new(
        policy: Policy,
        worker: WorkerId,
        owner: UserId,
        first_use: bool,
        limits: &Limits,
    ) -> Self {
        Self {
            policy,
            worker,
            owner,
            first_use,
            devices: BTreeMap::new(),
            removed: BTreeSet::new(),
            grants: BTreeMap::new(),
            serials: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_max: limits.waiting_devices,
            waiting_per_user: limits.waiting_devices_per_user,
        }
    }

    /// Repeats a change that was kept.
    pub fn replay(&mut self, change: Change) {
        match change {
            Change::Trusted(device) => self.trust(device),
            Change::Removed { user, key } => self.forget(user, key),
            Change::Granted(grant) => {
                self.grants
                    .insert((grant.user.clone(), grant.workspace.clone()), grant);
            }
            Change::Serial(of, serial) => {
                let highest = self.serials.entry(of).or_default();
                *highest = serial.max(*highest);
            }
            Change::Waiting(device) => self.waiting.push_back(device),
        }
    }

    /// Judges the device behind a claim; `now` in Unix seconds.
    pub fn judge(&mut self, claimed: &ClaimedDevice, now: u64) -> Judgement {
        let mut changes = Vec::new();
        if self
            .removed
            .contains(&(claimed.user.clone(), claimed.key.clone()))
        {
            return Judgement {
                verdict: Verdict::Unknown,
                changes,
            };
        }
        if self.policy != Policy::Any {
            self.heed_certificates(claimed, now, &mut changes);
        }
        let verdict = self.verdict(claimed, now, &mut changes);
        Judgement { verdict, changes }
    }

    /// Whether a channel of this device may go on; `now` in Unix seconds.
    #[must_use]
    pub fn still_trusts(&self, user: &UserId, algorithm: u8, key: &[u8], now: u64) -> bool {
        let removed = self
            .removed
            .iter()
            .any(|(whose, which)| whose == user && which == key);
        !removed && (self.policy == Policy::Any || self.find(user, algorithm, key, now).is_some())
    }

    /// A person approves a device, waiting or not.
    pub fn approve(&mut self, user: UserId, algorithm: u8, key: Bytes) -> Vec<Change> {
        let source = Source::Approved;
        let device = TrustedDevice {
            user,
            algorithm,
            key,
            source,
            expires_at: None,
        };
        self.trust(device.clone());
        vec![Change::Trusted(device)]
    }

    /// A person removes a device, trusted or waiting. Close the channels that rest on it.
    pub fn remove(&mut self, user: UserId, key: Bytes) -> Vec<Change> {
        self.forget(user.clone(), key.clone());
        vec![Change::Removed { user, key }]
    }

    /// The trusted devices, in the order of user and key.
    pub fn devices(&self) -> impl Iterator<Item = &TrustedDevice> {
        self.devices.values()
    }

    /// The devices that wait, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &WaitingDevice> {
        self.waiting.iter()
    }

    fn verdict(&mut self, claimed: &ClaimedDevice, now: u64, changes: &mut Vec<Change>) -> Verdict {
        if self.policy == Policy::Any {
            return Verdict::Trusted {
                cap: None,
                expires_at: None,
            };
        }
        if let Some(device) = self.find(&claimed.user, claimed.algorithm, &claimed.key, now) {
            let (cap, until) = self.cap(&claimed.user, now);
            let expires_at = device.expires_at.into_iter().chain(until).min();
            return Verdict::Trusted { cap, expires_at };
        }
        if self.is_first_use(&claimed.user) {
            let device = trusted(claimed, Source::FirstUse, None);
            self.note(Change::Trusted(device), changes);
            return Verdict::Trusted {
                cap: None,
                expires_at: None,
            };
        }
        self.wait(claimed, changes)
    }

    fn is_first_use(&self, user: &UserId) -> bool {
        let allowed = match self.policy {
            Policy::KnownDevices => self.first_use && *user == self.owner,
            Policy::Tofu => true,
            Policy::Any => false,
        };
        let counts =
            |device: &TrustedDevice| device.user == *user && device.source != Source::Local;
        allowed
            && !self.devices.values().any(counts)
            && !self.removed.iter().any(|(whose, _)| whose == user)
    }

    fn wait(&mut self, claimed: &ClaimedDevice, changes: &mut Vec<Change>) -> Verdict {
        let ClaimedDevice {
            user,
            algorithm,
            key,
            ..
        } = claimed.clone();
        let device = WaitingDevice {
            user,
            algorithm,
            key,
        };
        if self.waiting.contains(&device) {
            return Verdict::Waiting;
        }
        let of_user = self
            .waiting
            .iter()
            .filter(|other| other.user == device.user)
            .count();
        if self.waiting.len() >= self.waiting_max || of_user >= self.waiting_per_user {
            return Verdict::Unknown;
        }
        self.note(Change::Waiting(device), changes);
        Verdict::Waiting
    }

    /// The unexpired entry that covers a key.
    pub(super) fn find(
        &self,
        user: &UserId,
        algorithm: u8,
        key: &[u8],
        now: u64,
    ) -> Option<&TrustedDevice> {
        let alive = |device: &&TrustedDevice| device.expires_at.is_none_or(|until| until > now);
        let covers = |device: &&TrustedDevice| {
            device.user == *user && device.algorithm == algorithm && device.key == key
        };
        self.devices
            .values()
            .find(|device| covers(device) && alive(device))
    }

    /// What the owner's certificates leave to a user, and until when.
    fn cap(&self, user: &UserId, now: u64) -> (Option<Roles>, Option<u64>) {
        let live = |grant: &&Grant| grant.user == *user && grant.expires_at > now;
        let grants: Vec<_> = self.grants.values().filter(live).collect();
        if *user == self.owner || grants.is_empty() {
            return (None, None);
        }
        let until = grants.iter().map(|grant| grant.expires_at).min();
        let role = |grant: &&Grant| (grant.workspace.clone(), grant.role);
        (Some(grants.iter().map(role).collect()), until)
    }

    /// Makes a change and lists it, unless all is as it says already.
    pub(super) fn note(&mut self, change: Change, changes: &mut Vec<Change>) {
        let known = match &change {
            Change::Trusted(device) => !self.is_news(device),
            Change::Serial(of, serial) => self.serials.get(of) == Some(serial),
            Change::Granted(grant) => {
                self.grants
                    .get(&(grant.user.clone(), grant.workspace.clone()))
                    == Some(grant)
            }
            Change::Removed { .. } | Change::Waiting(_) => false,
        };
        if !known {
            self.replay(change.clone());
            changes.push(change);
        }
    }

    /// A certificate neither brings a removed device back nor shortens what a person decided.
    fn is_news(&self, device: &TrustedDevice) -> bool {
        let at = (device.user.clone(), device.key.clone());
        let lasting = self.devices.get(&at).is_some_and(|known| {
            known == device || (known.expires_at.is_none() && device.expires_at.is_some())
        });
        !lasting && !self.removed.contains(&at)
    }

    fn trust(&mut self, device: TrustedDevice) {
        let at = (device.user.clone(), device.key.clone());
        self.removed.remove(&at);
        self.waiting
            .retain(|waiting| (&waiting.user, &waiting.key) != (&at.0, &at.1));
        self.devices.insert(at, device);
    }

    fn forget(&mut self, user: UserId, key: Bytes) {
        self.waiting
            .retain(|waiting| (&waiting.user, &waiting.key) != (&user, &key));
        let at = (user, key);
        self.devices.remove(&at);
        self.removed.insert(at);
    }
}

pub(super) fn trusted(
    claimed: &ClaimedDevice,
    source: Source,
    expires_at: Option<u64>,
) -> TrustedDevice {
    TrustedDevice {
        user: claimed.user.clone(),
        algorithm: claimed.algorithm,
        key: claimed.key.clone(),
        source,
        expires_at,
    }
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
