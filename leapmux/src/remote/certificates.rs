//! What speaks for this device at a Worker: certificates by the person's other devices and grants by the
//! Worker's owner, as the Hub keeps them. The Worker judges them; here only number and size count.

use crypto::{Algorithm, DeviceKey, Mode};
use prost::Message as _;
use schema::{
    ids::WorkerId,
    wire::{
        DeviceCertificate, ListCertificatesRequest, ListCertificatesResponse,
        RegisterDeviceRequest, RegisterDeviceResponse, Signed,
    },
};

use super::{device, hub::Hub};

/// A Worker takes no more with a claim, and the claim has to fit into one frame.
const MOST: usize = 8;
const MOST_BYTES: usize = 56 * 1024;
/// Tag and length of one in a claim.
const OVERHEAD: usize = 8;

/// Those that fit. A claim without any may be believed all the same, so nothing here is an error.
pub(crate) async fn fetch(
    hub: &Hub,
    worker: &WorkerId,
    mode: Mode,
    device: &DeviceKey,
) -> Vec<Signed> {
    let request = ListCertificatesRequest {
        worker_id: worker.as_str().to_owned(),
    };
    let listed: Result<ListCertificatesResponse, _> = hub
        .call("WorkspaceService/ListCertificates", &request)
        .await;
    let Ok(listed) = listed else {
        tracing::debug!("the Hub lists no certificates");
        return Vec::new();
    };
    let all = listed.signed.iter().map(|bytes| Signed::decode(&**bytes));
    fitting(all.flatten().collect(), mode, &device.public_bytes(mode))
}

/// Names this device at the Hub, so that another one of the same person can speak for it.
pub(crate) async fn register(hub: &Hub, device: &DeviceKey) {
    let request = RegisterDeviceRequest {
        algorithm: Algorithm::for_mode(Mode::PostQuantum).byte().into(),
        key: device.public_bytes(Mode::PostQuantum).into(),
        label: device::machine(),
    };
    let named: Result<RegisterDeviceResponse, _> =
        hub.call("AccountService/RegisterDevice", &request).await;
    if named.is_err() {
        tracing::debug!("the Hub does not name this device");
    }
}

/// What introduces this very device goes first, then grants, in the Hub's order: the newest before older
/// ones. Certificates of the person's other devices stay here.
fn fitting(all: Vec<Signed>, mode: Mode, own: &[u8]) -> Vec<Signed> {
    let algorithm = u32::from(Algorithm::for_mode(mode).byte());
    let readable = all.into_iter().filter(|one| one.algorithm == algorithm);
    let (introductions, grants): (Vec<_>, Vec<_>) =
        readable.partition(|one| introduced(one).is_some());
    let its = introductions
        .into_iter()
        .filter(|one| introduced(one).is_some_and(|key| key == own));
    let mut room = MOST_BYTES;
    let fits = |one: &Signed| {
        let left = room.checked_sub(one.encoded_len() + OVERHEAD);
        room = left.unwrap_or(room);
        left.is_some()
    };
    its.chain(grants).take(MOST).filter(fits).collect()
}

/// The key that a device's certificate is about; none for a grant, which does not read as one.
fn introduced(signed: &Signed) -> Option<Vec<u8>> {
    let read = DeviceCertificate::decode(&*signed.body).ok()?;
    Some(read.device_key.to_vec()).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: Vec<u8>, signature: usize) -> Signed {
        Signed {
            algorithm: 1,
            key: vec![1; 32].into(),
            body: body.into(),
            signature: vec![0; signature].into(),
        }
    }

    fn about(key: u8) -> Signed {
        let certificate = DeviceCertificate {
            device_key: vec![key; 32].into(),
            ..DeviceCertificate::default()
        };
        signed(certificate.encode_to_vec(), 64)
    }

    fn grant(workspace: &str, signature: usize) -> Signed {
        let certificate = schema::wire::GrantCertificate {
            workspace_id: workspace.to_owned(),
            grantee_user_id: "bob".to_owned(),
            ..Default::default()
        };
        signed(certificate.encode_to_vec(), signature)
    }

    #[test]
    fn what_introduces_this_device_goes_first_and_others_devices_stay_here() {
        let all = vec![about(7), grant("a", 64), about(9), grant("b", 64)];
        let chosen = fitting(all, Mode::Classic, &[9; 32]);
        assert_eq!(chosen, [about(9), grant("a", 64), grant("b", 64)]);
        let other_mode = fitting(vec![about(9)], Mode::PostQuantum, &[9; 32]);
        assert_eq!(other_mode, []);
    }

    #[test]
    fn only_what_a_claim_has_room_for_is_shown() {
        let all = vec![grant("a", 50_000), grant("b", 50_000), grant("c", 64)];
        let chosen = fitting(all, Mode::Classic, &[9; 32]);
        assert_eq!(chosen, [grant("a", 50_000), grant("c", 64)]);
        let many = vec![grant("a", 64); 20];
        assert_eq!(fitting(many, Mode::Classic, &[9; 32]).len(), MOST);
    }
}
