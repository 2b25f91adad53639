//! Certificates that are properly signed and say anything: a Worker's trust under owners, grantees
//! and strangers who hold real keys.

use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use channel_actors::{
    Limits,
    endpoint::{
        ClaimedDevice, DeviceKey, Mode,
        claim::to_wire,
        trust::{Change, Policy, Source, Trust, TrustedDevice, Verdict},
    },
};
use crypto::Label;
use prost::Message as _;
use schema::{
    ids::{UserId, WorkerId},
    wire,
};

use crate::dice::Dice;

const USERS: [&str; 3] = ["owner", "guest", "other"];
const WORKSPACES: [&str; 3] = ["garden", "shed", "not an id"];
/// Of which the first is the owner's registered device, and the last two nobody ever vouches for.
const DEVICES: usize = 6;

fn devices() -> &'static [DeviceKey; DEVICES] {
    static DEVICES_MADE: OnceLock<[DeviceKey; DEVICES]> = OnceLock::new();
    DEVICES_MADE.get_or_init(|| {
        [1, 2, 3, 4, 5, 6].map(|seed| DeviceKey::from_seeds(&[seed; 32], &[seed + 10; 32]))
    })
}

fn key(device: u8) -> Bytes {
    devices()[usize::from(device) % DEVICES]
        .public_bytes(Mode::Classic)
        .into()
}

fn named(names: [&'static str; 3], at: u8) -> &'static str {
    names[usize::from(at) % names.len()]
}

#[derive(Arbitrary, Debug)]
struct Certificate<'a> {
    is_grant: bool,
    fits: bool,
    signer: u8,
    user: u8,
    subject: u8,
    workspace: u8,
    role: u8,
    serial: u8,
    days: u8,
    raw: Option<&'a [u8]>,
}

impl Certificate<'_> {
    fn signed(&self) -> wire::Signed {
        let user = named(USERS, self.user);
        // Nobody vouches for the last two.
        let subject = key(self.subject % 4);
        let (serial, expires_at) = (u64::from(self.serial), u64::from(self.days) * 86_400);
        let (label, context, mut body) = if self.is_grant {
            let body = wire::GrantCertificate {
                worker_id: "worker".to_owned(),
                workspace_id: named(WORKSPACES, self.workspace).to_owned(),
                grantee_user_id: user.to_owned(),
                grantee_device_algorithm: 1,
                grantee_device_key: subject,
                role: i32::from(self.role % 5),
                serial,
                expires_at,
            };
            (Label::Grant, "worker", body.encode_to_vec())
        } else {
            let body = wire::DeviceCertificate {
                user_id: user.to_owned(),
                device_algorithm: 1,
                device_key: subject,
                serial,
                expires_at,
            };
            (Label::Device, user, body.encode_to_vec())
        };
        let context = if self.fits { context } else { "elsewhere" };
        body.extend_from_slice(self.raw.unwrap_or_default());
        let signer = &devices()[usize::from(self.signer) % DEVICES];
        let signed = signer.sign(
            Mode::Classic,
            label,
            context.as_bytes(),
            body,
            &mut Dice::new(1),
        );
        to_wire(signed.expect("body and context are short and not empty"))
    }
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Announced(Vec<Certificate<'a>>),
    Claimed(u8, u8, Vec<Certificate<'a>>),
    Removed(u8, u8),
    Days(u8),
}

/// Any row of announcements, claims and removals. What is written down of them makes the same
/// Worker again, waiting devices are few, and a key that nobody vouched for is nobody's.
pub fn certificates(data: &[u8]) {
    let Ok(steps) = Vec::<Step<'_>>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let (mut trust, mut replayed) = (fresh(), fresh());
    let mut now = 0;
    for step in steps.iter().take(16) {
        let changes = match step {
            Step::Announced(list) => trust.heed(Mode::Classic, &signed(list), now),
            Step::Claimed(user, device, list) => {
                let claimed = ClaimedDevice {
                    user: UserId::parse(named(USERS, *user)).expect("it is an id"),
                    mode: Mode::Classic,
                    algorithm: 1,
                    key: key(*device),
                    certificates: signed(list),
                    delegated: false,
                };
                let judgement = trust.judge(&claimed, now);
                if let Verdict::Trusted { cap, expires_at } = &judgement.verdict {
                    assert!(usize::from(*device) % DEVICES < 4, "nobody vouched for it");
                    assert!(
                        claimed.user.as_str() == "owner" || cap.is_some(),
                        "a guest has a cap"
                    );
                    assert!(expires_at.is_none_or(|until| until > now));
                }
                judgement.changes
            }
            Step::Removed(user, device) => {
                let user = UserId::parse(named(USERS, *user)).expect("it is an id");
                trust.remove(user, key(*device))
            }
            Step::Days(days) => {
                now += u64::from(*days % 40) * 86_400;
                Vec::new()
            }
        };
        changes
            .into_iter()
            .for_each(|change| replayed.replay(change));
        assert!(trust.devices().eq(replayed.devices()), "the same devices");
        assert!(trust.removed().eq(replayed.removed()), "the same removals");
        assert!(trust.waiting().eq(replayed.waiting()), "the same wait");
        // The owner's places are beside those of all others.
        let limits = Limits::default();
        let places = limits.waiting_devices + limits.waiting_devices_per_user;
        assert!(trust.waiting().count() <= places);
    }
}

fn signed(certificates: &[Certificate<'_>]) -> Vec<wire::Signed> {
    certificates
        .iter()
        .take(6)
        .map(Certificate::signed)
        .collect()
}

/// A Worker that knows its owner's registered device and nobody else.
fn fresh() -> Trust {
    let owner = UserId::parse("owner").expect("it is an id");
    let worker = WorkerId::parse("worker").expect("it is an id");
    let policy = Policy::KnownDevices;
    let mut trust = Trust::new(policy, worker, owner.clone(), false, &Limits::default());
    trust.replay(Change::Trusted(TrustedDevice {
        user: owner,
        algorithm: 1,
        key: key(0),
        source: Source::Registration,
        expires_at: None,
        signer: None,
    }));
    trust
}
