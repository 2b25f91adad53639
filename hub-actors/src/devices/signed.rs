//! BRAIN: what the Hub can tell of a certificate: that it has the shape of one, and what it says.
//!
//! It cannot check a signature, for it knows no key to check with; and it need not: whoever relies
//! on a certificate does. What is looked at here keeps nonsense out of the database.

use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire::{DeviceCertificate, GrantCertificate, Role, Signed},
};

/// What a grant says, as far as anybody can read it who cannot check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantSays {
    pub(crate) worker: WorkerId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) grantee: UserId,
    pub(crate) device: Vec<u8>,
    /// Unspecified takes a grant back.
    pub(crate) role: Role,
    pub(crate) serial: i64,
    pub(crate) expires_ms: i64,
}

/// What a certificate for a device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceSays {
    pub(crate) user: UserId,
    pub(crate) device: Vec<u8>,
    pub(crate) serial: i64,
    pub(crate) expires_ms: i64,
}

/// Longest body of a certificate: two keys of the longest kind would fit.
const BODY_MAX: usize = 4_096;
/// And of all of it.
const SIGNED_MAX: usize = 12 * 1_024;

/// Reads an encoded `Signed` over a `GrantCertificate`.
pub(crate) fn grant(bytes: &[u8]) -> Option<GrantSays> {
    let said = GrantCertificate::decode(signed(bytes)?.body).ok()?;
    is_key(said.grantee_device_algorithm, said.grantee_device_key.len()).then_some(())?;
    Some(GrantSays {
        worker: WorkerId::parse(&said.worker_id).ok()?,
        workspace: WorkspaceId::parse(&said.workspace_id).ok()?,
        grantee: UserId::parse(&said.grantee_user_id).ok()?,
        role: Role::try_from(said.role).ok()?,
        serial: serial(said.serial)?,
        expires_ms: in_ms(said.expires_at)?,
        device: said.grantee_device_key.into(),
    })
}

/// Reads an encoded `Signed` over a `DeviceCertificate`.
pub(crate) fn device(bytes: &[u8]) -> Option<DeviceSays> {
    let said = DeviceCertificate::decode(signed(bytes)?.body).ok()?;
    is_key(said.device_algorithm, said.device_key.len()).then_some(())?;
    Some(DeviceSays {
        user: UserId::parse(&said.user_id).ok()?,
        serial: serial(said.serial)?,
        expires_ms: in_ms(said.expires_at)?,
        device: said.device_key.into(),
    })
}

/// Whether a device's key can be of this algorithm: Ed25519, or Ed25519 and ML-DSA-65.
pub(crate) const fn is_key(algorithm: u32, len: usize) -> bool {
    matches!((algorithm, len), (1, 32) | (2, 1_984))
}

fn signed(bytes: &[u8]) -> Option<Signed> {
    let fits = bytes.len() <= SIGNED_MAX;
    let signed = fits.then(|| Signed::decode(bytes).ok())??;
    let has_shape = is_key(signed.algorithm, signed.key.len())
        && matches!(
            (signed.algorithm, signed.signature.len()),
            (1, 64) | (2, 3_373)
        )
        && (1..=BODY_MAX).contains(&signed.body.len());
    has_shape.then_some(signed)
}

fn serial(serial: u64) -> Option<i64> {
    i64::try_from(serial).ok().filter(|serial| *serial > 0)
}

fn in_ms(seconds: u64) -> Option<i64> {
    i64::try_from(seconds).ok()?.checked_mul(1_000)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Something with the shape of a grant.
    pub(crate) fn a_grant(change: impl FnOnce(&mut GrantCertificate)) -> Vec<u8> {
        let mut said = GrantCertificate {
            worker_id: "w1".to_owned(),
            workspace_id: "desk".to_owned(),
            grantee_user_id: "bob".to_owned(),
            grantee_device_algorithm: 1,
            grantee_device_key: vec![2; 32].into(),
            role: Role::Viewer.into(),
            serial: 1,
            expires_at: 4_000_000_000,
        };
        change(&mut said);
        wrapped(said.encode_to_vec())
    }

    /// Something with the shape of a certificate for a device.
    pub(crate) fn for_device(change: impl FnOnce(&mut DeviceCertificate)) -> Vec<u8> {
        let mut said = DeviceCertificate {
            user_id: "bob".to_owned(),
            device_algorithm: 1,
            device_key: vec![3; 32].into(),
            serial: 1,
            expires_at: 4_000_000_000,
        };
        change(&mut said);
        wrapped(said.encode_to_vec())
    }

    fn wrapped(body: Vec<u8>) -> Vec<u8> {
        let signed = Signed {
            algorithm: 1,
            key: vec![1; 32].into(),
            body: body.into(),
            signature: vec![0; 64].into(),
        };
        signed.encode_to_vec()
    }

    #[test]
    fn what_has_the_shape_of_a_certificate_is_read() {
        let said = grant(&a_grant(|_| {})).unwrap();
        assert_eq!((said.role, said.serial), (Role::Viewer, 1));
        assert_eq!(said.expires_ms, 4_000_000_000_000);
        assert_eq!(device(&for_device(|_| {})).unwrap().user.as_str(), "bob");
    }

    #[test]
    fn what_has_not_is_refused() {
        assert_eq!(grant(b""), None);
        assert_eq!(grant(&[0xff; 64]), None);
        assert_eq!(grant(&a_grant(|said| said.serial = 0)), None);
        assert_eq!(grant(&a_grant(|said| said.serial = u64::MAX)), None);
        assert_eq!(grant(&a_grant(|said| said.expires_at = u64::MAX)), None);
        assert_eq!(grant(&a_grant(|said| said.role = 9)), None);
        assert_eq!(
            grant(&a_grant(|said| said.worker_id = "?".to_owned())),
            None
        );
        assert_eq!(
            grant(&a_grant(|said| said.grantee_device_key = vec![1; 31].into())),
            None
        );
        assert_eq!(
            grant(&a_grant(|said| said.worker_id = "w".repeat(20_000))),
            None
        );
        assert_eq!(device(&for_device(|said| said.user_id.clear())), None);
    }
}
