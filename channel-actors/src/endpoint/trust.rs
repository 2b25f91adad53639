//! BRAIN of which devices a Worker believes (docs/protocol.md, section 4).
//!
//! A claim alone repeats what the Hub said. What makes it worth something is that the Worker knows
//! the device: from registration, from the first use where there was no secret, from a person who
//! approved it, or from a certificate of somebody whom it knows already. Nothing here is stored:
//! every judgement names its changes, and the shell keeps them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use crypto::Mode;
use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire,
};

use super::{ClaimedDevice, standing::is_for};
use crate::limits::Limits;

pub use super::devices::{
    Change, Grant, Judgement, Policy, SerialOf, Source, Standing, TrustedDevice, Verdict,
    WaitingDevice,
};

/// What a Worker knows of devices.
#[derive(Debug)]
pub struct Trust {
    pub(super) policy: Policy,
    pub(super) worker: WorkerId,
    pub(super) owner: UserId,
    first_use: bool,
    pub(super) devices: BTreeMap<(UserId, Bytes), TrustedDevice>,
    pub(super) removed: BTreeSet<(UserId, Bytes)>,
    pub(super) grants: BTreeMap<(UserId, WorkspaceId), Grant>,
    pub(super) serials: BTreeMap<SerialOf, u64>,
    waiting: VecDeque<WaitingDevice>,
    waiting_max: usize,
    waiting_per_user: usize,
    pub(super) announced_certificates: usize,
    pub(super) certified_devices: usize,
    pub(super) certified_ever: usize,
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
            announced_certificates: limits.announced_certificates,
            certified_devices: limits.certified_devices,
            certified_ever: limits.certified_ever,
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
        // A delegation's key is on no list that is kept.
        if claimed.delegated
            || self
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

    /// Heeds grants that the Hub announces, whoever they are for: a withdrawal is not for the
    /// grantee to show. `now` in Unix seconds.
    pub fn heed(&mut self, mode: Mode, certificates: &[wire::Signed], now: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for signed in certificates.iter().take(self.announced_certificates) {
            self.heed_grant(mode, signed, now, &mut changes);
        }
        changes
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
            signer: None,
        };
        self.trust(device.clone());
        vec![Change::Trusted(device)]
    }

    /// A person removes a device, trusted or waiting. Close the channels that rest on it, or on
    /// what it signed.
    pub fn remove(&mut self, user: UserId, key: Bytes) -> Vec<Change> {
        self.forget(user.clone(), key.clone());
        vec![Change::Removed { user, key }]
    }

    /// The trusted devices, in the order of user and key.
    pub fn devices(&self) -> impl Iterator<Item = &TrustedDevice> {
        self.devices.values()
    }

    /// The removed devices: users and keys.
    pub fn removed(&self) -> impl Iterator<Item = &(UserId, Bytes)> {
        self.removed.iter()
    }

    /// The devices that wait, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &WaitingDevice> {
        self.waiting.iter()
    }

    fn verdict(&mut self, claimed: &ClaimedDevice, now: u64, changes: &mut Vec<Change>) -> Verdict {
        let standing =
            |trust: &Self| trust.standing(&claimed.user, claimed.algorithm, &claimed.key, now);
        if standing(self).is_none() && self.is_first_use(&claimed.user) {
            let device = trusted(claimed, Source::FirstUse, None, None);
            self.note(Change::Trusted(device), changes);
        }
        match standing(self) {
            Some(Standing { cap, expires_at }) => Verdict::Trusted { cap, expires_at },
            None => self.wait(claimed, changes),
        }
    }

    fn is_first_use(&self, user: &UserId) -> bool {
        let allowed = match self.policy {
            Policy::KnownDevices => self.first_use && *user == self.owner,
            Policy::Tofu => true,
            Policy::Any => false,
        };
        // An expired one was the first too.
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
        let count =
            |of: &dyn Fn(&WaitingDevice) -> bool| self.waiting.iter().filter(|it| of(it)).count();
        let of_user = count(&|other| other.user == device.user);
        // Whoever has to approve the others always finds a place.
        let is_full = device.user != self.owner
            && count(&|other| other.user != self.owner) >= self.waiting_max;
        if is_full || of_user >= self.waiting_per_user {
            return Verdict::Unknown;
        }
        self.note(Change::Waiting(device), changes);
        Verdict::Waiting
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
            // What was approved, or was there first, rests on nothing.
            let rests_on_nothing = known.signer.is_none() && known.expires_at.is_none();
            known == device || (rests_on_nothing && device.expires_at.is_some())
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
        self.forget_signed(&at.0, &at.1);
        self.removed.insert(at);
    }

    /// Whoever held a removed device may have signed with it.
    fn forget_signed(&mut self, user: &UserId, key: &[u8]) {
        let dropped = self.forget_grants_of(user, key);
        let orphaned = |device: &&TrustedDevice| match device.source {
            Source::Grant => dropped.iter().any(|grant| {
                grant.user == device.user
                    && is_for(grant, &device.key)
                    && !self.is_granted(&device.user, &device.key)
            }),
            Source::Registration
            | Source::FirstUse
            | Source::Approved
            | Source::Local
            | Source::Certificate => {
                device.user == *user && device.signer.as_ref().is_some_and(|by| by == key)
            }
        };
        let orphans = self.devices.values().filter(orphaned);
        let orphans: Vec<_> = orphans
            .map(|device| (device.user.clone(), device.key.clone()))
            .collect();
        for at in orphans {
            self.devices.remove(&at);
            self.forget_signed(&at.0, &at.1);
        }
    }

    fn forget_grants_of(&mut self, user: &UserId, key: &[u8]) -> Vec<Grant> {
        if *user != self.owner {
            return Vec::new();
        }
        let signed = |grant: &&Grant| grant.signer == key;
        let dropped: Vec<_> = self.grants.values().filter(signed).cloned().collect();
        self.grants.retain(|_, grant| grant.signer != key);
        dropped
    }

    fn is_granted(&self, user: &UserId, key: &[u8]) -> bool {
        let mut grants = self.grants.values();
        grants.any(|grant| grant.user == *user && is_for(grant, key))
    }
}

pub(super) fn trusted(
    claimed: &ClaimedDevice,
    source: Source,
    expires_at: Option<u64>,
    signer: Option<Bytes>,
) -> TrustedDevice {
    TrustedDevice {
        user: claimed.user.clone(),
        algorithm: claimed.algorithm,
        key: claimed.key.clone(),
        source,
        expires_at,
        signer,
    }
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
