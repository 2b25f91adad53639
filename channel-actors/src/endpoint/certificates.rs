//! What certificates say for a device: signed by whom, for whom, how fresh.

use bytes::Bytes;
use crypto::{Label, Mode};
use prost::Message as _;
use schema::{
    ids::{UserId, WorkspaceId},
    wire::{self, Role},
};

use super::{
    ClaimedDevice,
    claim::verified,
    devices::{Change, Grant, SerialOf, Source, TrustedDevice},
    standing::CHAIN,
    trust::{Trust, trusted},
};

impl Trust {
    /// Grants first: a grantee's further devices rest on the one that was granted.
    pub(super) fn heed_certificates(
        &mut self,
        claimed: &ClaimedDevice,
        now: u64,
        changes: &mut Vec<Change>,
    ) {
        for signed in &claimed.certificates {
            self.heed_grant(claimed.mode, signed, now, changes);
        }
        for signed in &claimed.certificates {
            for change in self.certified(claimed, signed, now).into_iter().flatten() {
                self.note(change, changes);
            }
        }
    }

    /// What a valid `GrantCertificate` changes, whoever shows it. One that grants nothing, any more
    /// or at all, is heeded like the others: the newest word of the owner counts.
    pub(super) fn heed_grant(
        &mut self,
        mode: Mode,
        signed: &wire::Signed,
        now: u64,
        changes: &mut Vec<Change>,
    ) {
        let Some((grant, algorithm, serial)) = self.read_grant(mode, signed, now) else {
            return;
        };
        let of = SerialOf {
            signer: self.owner.clone(),
            subject: Bytes::copy_from_slice(grant.user.as_str().as_bytes()),
            workspace: Some(grant.workspace.clone()),
        };
        let at = (grant.user.clone(), grant.workspace.clone());
        let before = self.grants.get(&at).cloned();
        let same = before.as_ref().is_some_and(|known| says(known, &grant));
        if !self.serial_holds(&of, serial, same) {
            return;
        }
        let device = TrustedDevice {
            user: grant.user.clone(),
            algorithm,
            key: grant.device.clone(),
            source: Source::Grant,
            expires_at: None,
            signer: None,
        };
        self.note(Change::Serial(of, serial), changes);
        self.note(Change::Granted(grant), changes);
        self.rest_on_grants(device, now, changes);
        let left = before.and_then(|before| self.devices.get(&(before.user, before.device)));
        if let Some(left) = left.filter(|left| left.source == Source::Grant).cloned() {
            self.rest_on_grants(left, now, changes);
        }
    }

    fn read_grant(&self, mode: Mode, signed: &wire::Signed, now: u64) -> Option<(Grant, u8, u64)> {
        let context = self.worker.as_str().as_bytes();
        let signer = self.signer(&self.owner, signed, now)?.key.clone();
        let body = verified(mode, Label::Grant, context, signed)?;
        let certificate = wire::GrantCertificate::decode(body).ok()?;
        let user = UserId::parse(&certificate.grantee_user_id).ok()?;
        let is_other = certificate.worker_id != self.worker.as_str() || user == self.owner;
        if is_other || !is_plausible(certificate.serial, now) {
            return None;
        }
        let in_time = certificate.expires_at <= now.saturating_add(GRANT_LONGEST_S);
        let role = if in_time {
            certificate.role()
        } else {
            Role::Unspecified
        };
        let algorithm = u8::try_from(certificate.grantee_device_algorithm).ok()?;
        let grant = Grant {
            user,
            workspace: WorkspaceId::parse(&certificate.workspace_id).ok()?,
            role,
            expires_at: certificate.expires_at,
            device: certificate.grantee_device_key,
            signer,
        };
        Some((grant, algorithm, certificate.serial))
    }

    /// Notes a granted device for as long as its last grant holds; one that has none any more is
    /// noted as expired if it was known.
    fn rest_on_grants(&mut self, device: TrustedDevice, now: u64, changes: &mut Vec<Change>) {
        let at = (device.user.clone(), device.key.clone());
        let until = self.grants_life(&device.user, &device.key, now, CHAIN);
        let known = self.devices.get(&at);
        let expires_at = match (until, known) {
            (Some(until), _) => until,
            (None, Some(known)) if known.source == Source::Grant => {
                known.expires_at.map_or(now, |before| before.min(now))
            }
            (None, _) => return,
        };
        let expires_at = Some(expires_at);
        let device = TrustedDevice {
            expires_at,
            ..device
        };
        self.note(Change::Trusted(device), changes);
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
        let expires_at = certificate.expires_at;
        let fits = is_plausible(certificate.serial, now)
            && certificate.user_id == claimed.user.as_str()
            && certificate.device_key == claimed.key
            && certificate.device_algorithm == u32::from(claimed.algorithm)
            && expires_at > now
            && expires_at <= now.saturating_add(CERTIFICATE_LONGEST_S);
        let of = SerialOf {
            signer: claimed.user.clone(),
            subject: claimed.key.clone(),
            workspace: None,
        };
        let at = (claimed.user.clone(), claimed.key.clone());
        let known = self.devices.get(&at);
        let same = known.is_some_and(|known| {
            known.source == Source::Certificate && known.expires_at == Some(expires_at)
        });
        // What rests on something better, or on the signer's own trust, stays as it is.
        let alive = known.filter(|known| self.life(known, now, CHAIN).is_some());
        let settled = alive.is_some_and(|known| known.source != Source::Certificate);
        let holds = fits
            && !settled
            && !self.rests_on(signer, &claimed.key)
            && self.serial_holds(&of, certificate.serial, same)
            && (alive.is_some() || self.has_room_for_a_certified(&of, now));
        if !holds {
            return None;
        }
        let signer = Some(signer.key.clone());
        let device = trusted(claimed, Source::Certificate, Some(expires_at), signer);
        Some(vec![
            Change::Serial(of, certificate.serial),
            Change::Trusted(device),
        ])
    }

    /// Whether a device is, or rests on, the one of that key, or on too many to be followed.
    fn rests_on(&self, device: &TrustedDevice, key: &Bytes) -> bool {
        let mut at = device;
        for _ in 1..CHAIN {
            if at.key == *key {
                return true;
            }
            let Some(signer) = &at.signer else {
                return false;
            };
            match self.devices.get(&(at.user.clone(), signer.clone())) {
                Some(next) => at = next,
                None => return false,
            }
        }
        true
    }

    fn has_room_for_a_certified(&self, of: &SerialOf, now: u64) -> bool {
        let certified = |device: &&TrustedDevice| {
            device.user == of.signer
                && device.source == Source::Certificate
                && self.life(device, now, CHAIN).is_some()
        };
        let ever = |known: &&SerialOf| known.signer == of.signer && known.workspace.is_none();
        self.devices.values().filter(certified).count() < self.certified_devices
            && (self.serials.contains_key(of)
                || self.serials.keys().filter(ever).count() < self.certified_ever)
    }

    fn signer(&self, user: &UserId, signed: &wire::Signed, now: u64) -> Option<&TrustedDevice> {
        let algorithm = u8::try_from(signed.algorithm).ok()?;
        self.find(user, algorithm, &signed.key, now)
    }

    /// A serial that is shown again has to say the same again.
    fn serial_holds(&self, of: &SerialOf, serial: u64, same: bool) -> bool {
        self.serials
            .get(of)
            .is_none_or(|highest| serial > *highest || (serial == *highest && same))
    }
}

/// A serial is a number of milliseconds since 1970, or counts from below. One from the future would
/// leave no number for the withdrawal that follows it.
const fn is_plausible(serial: u64, now: u64) -> bool {
    serial / 1_000 <= now.saturating_add(AHEAD_S)
}

/// Whether two grants say the same, whoever signed them.
fn says(known: &Grant, grant: &Grant) -> bool {
    (known.role, known.expires_at, &known.device) == (grant.role, grant.expires_at, &grant.device)
}

/// How far a signer's clock may be ahead.
const AHEAD_S: u64 = 24 * 60 * 60;
/// A grant lasts 30 days at most; the owner's page renews it.
const GRANT_LONGEST_S: u64 = 30 * 24 * 60 * 60;
/// A device certificate lasts a year at most, and the longest year.
const CERTIFICATE_LONGEST_S: u64 = 366 * 24 * 60 * 60;
