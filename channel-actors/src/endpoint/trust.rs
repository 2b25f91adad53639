//! BRAIN of which devices a Worker believes (docs/protocol.md, section 4).
//!
//! A claim alone repeats what the Hub said. What makes it worth something is that the Worker knows
//! the device: from registration, from the first use where there was no secret, from a person who
//! approved it, or from a certificate of somebody whom it knows already. Nothing here is stored:
//! every judgement names its changes, and the shell keeps them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use crypto::Label;
use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire::{self, Role},
};

use super::{ClaimedDevice, access::Roles, claim::verified};
use crate::limits::Limits;

/// Whom a Worker believes without having been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nobody.
    #[default]
    KnownDevices,
    /// Each user's first device. Gives up: a Hub that is hostile at that moment can be that user.
    Tofu,
    /// Every device. Gives up: whoever runs the Hub can be any user.
    Any,
}

/// How a device came to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By the secret of the registration.
    Registration,
    /// It was the first.
    FirstUse,
    /// A person approved it at the Worker.
    Approved,
    /// It belongs to the same user of this machine. It does not count as the first.
    Local,
    /// An older device of the same user signed for it.
    Certificate,
    /// A device of the owner signed for it.
    Grant,
}

/// A device that a Worker believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedDevice {
    /// Whose.
    pub user: UserId,
    /// 1 or 2.
    pub algorithm: u8,
    /// Its public key.
    pub key: Bytes,
    /// Why.
    pub source: Source,
    /// Until when, in Unix seconds; none = until it is removed.
    pub expires_at: Option<u64>,
}

/// A device that waits for a person's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDevice {
    /// Whose, as the Hub and the device say.
    pub user: UserId,
    /// 1 or 2.
    pub algorithm: u8,
    /// Its public key.
    pub key: Bytes,
}

/// A role that the owner signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is granted to.
    pub user: UserId,
    /// Where.
    pub workspace: WorkspaceId,
    /// At most this.
    pub role: Role,
    /// Until when, in Unix seconds.
    pub expires_at: u64,
}

/// What a serial belongs to: it rises for each signer's user, subject and workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SerialOf {
    /// The user whose device signed.
    pub signer: UserId,
    /// The device's key, or the grantee's id.
    pub subject: Bytes,
    /// Of a grant.
    pub workspace: Option<WorkspaceId>,
}

/// What is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A device is trusted now.
    Trusted(TrustedDevice),
    /// A device is trusted no more, and no old certificate brings it back.
    Removed {
        /// Whose.
        user: UserId,
        /// Which.
        key: Bytes,
    },
    /// A role is granted now.
    Granted(Grant),
    /// The highest serial that was seen.
    Serial(SerialOf, u64),
    /// A device waits for approval.
    Waiting(WaitingDevice),
}

/// Whether a claim is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Trusted {
        /// What the owner signed for at most; none = what the Hub announces.
        cap: Option<Roles>,
        /// When to ask again, in Unix seconds.
        expires_at: Option<u64>,
    },
    /// `device not trusted`; a person may approve it.
    Waiting,
    /// `device not trusted`; nobody is asked.
    Unknown,
}

/// A verdict, and what came of finding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// To be kept, in order.
    pub changes: Vec<Change>,
}

/// What a Worker knows of devices.
#[derive(Debug)]
pub struct Trust {
    policy: Policy,
    worker: WorkerId,
    owner: UserId,
    first_use: bool,
    devices: BTreeMap<(UserId, Bytes), TrustedDevice>,
    removed: BTreeSet<(UserId, Bytes)>,
    grants: BTreeMap<(UserId, WorkspaceId), Grant>,
    serials: BTreeMap<SerialOf, u64>,
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
    fn find(&self, user: &UserId, algorithm: u8, key: &[u8], now: u64) -> Option<&TrustedDevice> {
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

    /// Grants first: a grantee's further devices rest on the one that was granted.
    fn heed_certificates(&mut self, claimed: &ClaimedDevice, now: u64, changes: &mut Vec<Change>) {
        for signed in &claimed.certificates {
            for change in self.granted(claimed, signed, now).into_iter().flatten() {
                self.note(change, changes);
            }
        }
        for signed in &claimed.certificates {
            for change in self.certified(claimed, signed, now).into_iter().flatten() {
                self.note(change, changes);
            }
        }
    }

    /// What a valid `GrantCertificate` changes.
    fn granted(
        &self,
        claimed: &ClaimedDevice,
        signed: &wire::Signed,
        now: u64,
    ) -> Option<Vec<Change>> {
        let context = self.worker.as_str().as_bytes();
        self.signer(&self.owner, signed, now)?;
        let body = verified(claimed.mode, Label::Grant, context, signed)?;
        let grant = wire::GrantCertificate::decode(body).ok()?;
        let role = Some(grant.role()).filter(|role| *role != Role::Unspecified)?;
        let workspace = WorkspaceId::parse(&grant.workspace_id).ok()?;
        let (expires_at, serial) = (grant.expires_at, grant.serial);
        let in_time = expires_at > now && expires_at <= now.saturating_add(GRANT_LONGEST_S);
        let ours = grant.worker_id == self.worker.as_str()
            && grant.grantee_user_id == claimed.user.as_str()
            && claimed.user != self.owner;
        let of = SerialOf {
            signer: self.owner.clone(),
            subject: Bytes::copy_from_slice(grant.grantee_user_id.as_bytes()),
            workspace: Some(workspace.clone()),
        };
        if !(in_time && ours && self.serial_holds(&of, serial)) {
            return None;
        }
        let user = claimed.user.clone();
        let device = TrustedDevice {
            user: user.clone(),
            algorithm: u8::try_from(grant.grantee_device_algorithm).ok()?,
            key: grant.grantee_device_key,
            source: Source::Grant,
            expires_at: Some(expires_at),
        };
        Some(vec![
            Change::Serial(of, serial),
            Change::Granted(Grant {
                user,
                workspace,
                role,
                expires_at,
            }),
            Change::Trusted(device),
        ])
    }

    /// What a valid `DeviceCertificate` changes.
    fn certified(
        &self,
        claimed: &ClaimedDevice,
        signed: &wire::Signed,
        now: u64,
    ) -> Option<Vec<Change>> {
        let context = claimed.user.as_str().as_bytes();
        let signer = self.signer(&claimed.user, signed, now)?;
        let body = verified(claimed.mode, Label::Device, context, signed)?;
        let certificate = wire::DeviceCertificate::decode(body).ok()?;
        let fits = certificate.user_id == claimed.user.as_str()
            && certificate.device_key == claimed.key
            && certificate.device_algorithm == u32::from(claimed.algorithm)
            && certificate.expires_at > now;
        let of = SerialOf {
            signer: claimed.user.clone(),
            subject: claimed.key.clone(),
            workspace: None,
        };
        if !(fits && self.serial_holds(&of, certificate.serial)) {
            return None;
        }
        // Whoever rests on somebody is not trusted longer than they are.
        let expires_at = signer
            .expires_at
            .into_iter()
            .chain([certificate.expires_at])
            .min();
        let device = trusted(claimed, Source::Certificate, expires_at);
        Some(vec![
            Change::Serial(of, certificate.serial),
            Change::Trusted(device),
        ])
    }

    fn signer(&self, user: &UserId, signed: &wire::Signed, now: u64) -> Option<&TrustedDevice> {
        let algorithm = u8::try_from(signed.algorithm).ok()?;
        self.find(user, algorithm, &signed.key, now)
    }

    fn serial_holds(&self, of: &SerialOf, serial: u64) -> bool {
        self.serials
            .get(of)
            .is_none_or(|highest| serial >= *highest)
    }

    /// Makes a change and lists it, unless all is as it says already.
    fn note(&mut self, change: Change, changes: &mut Vec<Change>) {
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

impl Policy {
    /// The policy of its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "known-devices" => Some(Self::KnownDevices),
            "tofu" => Some(Self::Tofu),
            "any" => Some(Self::Any),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KnownDevices => "known-devices",
            Self::Tofu => "tofu",
            Self::Any => "any",
        }
    }
}

fn trusted(claimed: &ClaimedDevice, source: Source, expires_at: Option<u64>) -> TrustedDevice {
    TrustedDevice {
        user: claimed.user.clone(),
        algorithm: claimed.algorithm,
        key: claimed.key.clone(),
        source,
        expires_at,
    }
}

/// A grant lasts 30 days at most; the owner's page renews it.
const GRANT_LONGEST_S: u64 = 30 * 24 * 60 * 60;

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
