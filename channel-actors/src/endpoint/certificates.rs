//! What certificates say for a device: signed by whom, for whom, how fresh.

use bytes::Bytes;
use crypto::Label;
use prost::Message as _;
use schema::{
    ids::{UserId, WorkspaceId},
    wire::{self, Role},
};

use super::{
    ClaimedDevice,
    claim::verified,
    devices::{Change, Grant, SerialOf, Source, TrustedDevice},
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
}

/// A grant lasts 30 days at most; the owner's page renews it.
const GRANT_LONGEST_S: u64 = 30 * 24 * 60 * 60;
