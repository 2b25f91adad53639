//! What a trusted device rests on, until when, and what that leaves to its user.

use bytes::Bytes;
use schema::{ids::UserId, wire::Role};

use super::{
    access::Roles,
    devices::{Grant, Policy, Source, Standing, TrustedDevice},
    trust::Trust,
};

impl Trust {
    /// Whether a channel of this device may go on; `now` in Unix seconds.
    #[must_use]
    pub fn still_trusts(&self, user: &UserId, algorithm: u8, key: &[u8], now: u64) -> bool {
        self.standing(user, algorithm, key, now).is_some()
    }

    /// What a channel of this device rests on now; none when it may not go on. Ask after every
    /// change, and when something has expired; `now` in Unix seconds.
    #[must_use]
    pub fn standing(&self, user: &UserId, algorithm: u8, key: &[u8], now: u64) -> Option<Standing> {
        let is_removed = |(whose, which): &(UserId, Bytes)| whose == user && which == key;
        if self.removed.iter().any(is_removed) {
            return None;
        }
        if self.policy == Policy::Any {
            return Some(Standing {
                cap: None,
                expires_at: None,
            });
        }
        let life = self.life(self.find(user, algorithm, key, now)?, now, CHAIN)?;
        let (cap, until) = self.cap(user, now);
        let expires_at = Some(until.map_or(life, |until| until.min(life)));
        Some(Standing {
            cap,
            expires_at: expires_at.filter(|until| *until != FOR_EVER),
        })
    }

    /// Whether a device or a grant has expired after the one moment and not after the other, in
    /// Unix seconds: then channels are to be looked at.
    #[must_use]
    pub fn expired_between(&self, after: u64, until: u64) -> bool {
        let devices = self.devices.values().filter_map(|device| device.expires_at);
        let mut ends = devices.chain(self.grants.values().map(|grant| grant.expires_at));
        ends.any(|end| end > after && end <= until)
    }

    /// The unexpired entry that covers a key.
    pub(super) fn find(
        &self,
        user: &UserId,
        algorithm: u8,
        key: &[u8],
        now: u64,
    ) -> Option<&TrustedDevice> {
        let alive = |device: &&TrustedDevice| self.life(device, now, CHAIN).is_some();
        let covers = |device: &&TrustedDevice| {
            device.user == *user && device.algorithm == algorithm && device.key == key
        };
        self.devices
            .values()
            .find(|device| covers(device) && alive(device))
    }

    /// What the owner's certificates leave to a user now, whichever device speaks for them; none =
    /// no bound. `now` in Unix seconds.
    #[must_use]
    pub fn granted(&self, user: &UserId, now: u64) -> Option<Roles> {
        self.cap(user, now).0
    }

    /// What the owner's certificates leave to a user, and until when. With known devices only,
    /// another user has nothing that the owner did not sign for; with first use, nobody whom the
    /// owner ever signed for gets more by an expiry.
    fn cap(&self, user: &UserId, now: u64) -> (Option<Roles>, Option<u64>) {
        let of_user = || self.grants.values().filter(|grant| grant.user == *user);
        let is_capped = match self.policy {
            Policy::KnownDevices => *user != self.owner,
            Policy::Tofu => *user != self.owner && of_user().next().is_some(),
            Policy::Any => false,
        };
        if !is_capped {
            return (None, None);
        }
        let live = |grant: &'_ Grant| self.grant_life(grant, now, CHAIN);
        let until = of_user().filter_map(live).min();
        let granted = of_user().filter(|grant| live(grant).is_some());
        let role = |grant: &Grant| (grant.workspace.clone(), grant.role);
        (Some(granted.map(role).collect()), until)
    }

    /// Until when a device is trusted, if it is: no longer than what it rests on.
    pub(super) fn life(&self, device: &TrustedDevice, now: u64, steps: u8) -> Option<u64> {
        let own = device.expires_at.unwrap_or(FOR_EVER);
        let rests_on = match (&device.source, &device.signer) {
            (Source::Grant, _) => self.grants_life(&device.user, &device.key, now, steps)?,
            (_, None) => FOR_EVER,
            (_, Some(signer)) => self.life_of_key(&device.user, signer, now, steps)?,
        };
        Some(own.min(rests_on)).filter(|until| *until > now)
    }

    /// Until when the last of a device's grants holds.
    pub(super) fn grants_life(
        &self,
        user: &UserId,
        key: &[u8],
        now: u64,
        steps: u8,
    ) -> Option<u64> {
        let its = |grant: &&Grant| grant.user == *user && is_for(grant, key);
        let grants = self.grants.values().filter(its);
        grants
            .filter_map(|grant| self.grant_life(grant, now, steps))
            .max()
    }

    fn grant_life(&self, grant: &Grant, now: u64, steps: u8) -> Option<u64> {
        if grant.role == Role::Unspecified {
            return None;
        }
        let signer = self.life_of_key(&self.owner, &grant.signer, now, steps)?;
        Some(grant.expires_at.min(signer)).filter(|until| *until > now)
    }

    fn life_of_key(&self, user: &UserId, key: &[u8], now: u64, steps: u8) -> Option<u64> {
        let is_it = |device: &&TrustedDevice| device.user == *user && device.key == key;
        let device = self.devices.values().find(is_it)?;
        self.life(device, now, steps.checked_sub(1)?)
    }
}

/// Whether a grant names a device. A key of both algorithms begins with the one of the first.
pub(super) fn is_for(grant: &Grant, key: &[u8]) -> bool {
    grant.device == key || (key.len() == ED25519_LEN && grant.device.starts_with(key))
}

/// Never, in Unix seconds.
pub(super) const FOR_EVER: u64 = u64::MAX;
/// A device that signed for a device that signed: so many steps and no more are followed.
pub(super) const CHAIN: u8 = 8;
const ED25519_LEN: usize = 32;
