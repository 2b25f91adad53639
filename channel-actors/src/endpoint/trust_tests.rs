//! Whom a Worker believes, row by row.

use crypto::{DeviceKey, Label, Mode};
use prost::Message as _;
use rand::SeedableRng as _;
use schema::wire::{self, Role};

use super::*;
use crate::endpoint::{access::Roles, claim::to_wire};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

fn rng() -> rand::rngs::StdRng {
    rand::rngs::StdRng::seed_from_u64(7)
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a valid id")
}

fn device(seed: u8) -> DeviceKey {
    DeviceKey::from_seeds(&[seed; 32], &[seed; 32])
}

fn key(device: &DeviceKey) -> Bytes {
    device.public_bytes(Mode::Classic).into()
}

fn claim(name: &str, device: &DeviceKey, certificates: Vec<wire::Signed>) -> ClaimedDevice {
    ClaimedDevice {
        user: user(name),
        mode: Mode::Classic,
        algorithm: 1,
        key: key(device),
        certificates,
        delegated: false,
    }
}

fn trust(policy: Policy, first_use: bool) -> Trust {
    let worker = WorkerId::parse("worker").expect("a valid id");
    Trust::new(policy, worker, user("owner"), first_use, &Limits::default())
}

fn owned_by(device: &DeviceKey) -> Trust {
    let mut trust = trust(Policy::KnownDevices, false);
    let source = Source::Registration;
    trust.replay(Change::Trusted(TrustedDevice {
        user: user("owner"),
        algorithm: 1,
        key: key(device),
        source,
        expires_at: None,
        signer: None,
    }));
    trust
}

fn certificate(signer: &DeviceKey, of: &str, subject: &DeviceKey, serial: u64) -> wire::Signed {
    certificate_until(signer, of, subject, serial, NOW + DAY)
}

fn certificate_until(
    signer: &DeviceKey,
    of: &str,
    subject: &DeviceKey,
    serial: u64,
    expires_at: u64,
) -> wire::Signed {
    let body = wire::DeviceCertificate {
        user_id: of.to_owned(),
        device_algorithm: 1,
        device_key: key(subject),
        serial,
        expires_at,
    };
    signed(signer, Label::Device, of.as_bytes(), body.encode_to_vec())
}

fn signed(signer: &DeviceKey, label: Label, context: &[u8], body: Vec<u8>) -> wire::Signed {
    let signed = signer.sign(Mode::Classic, label, context, body, &mut rng());
    to_wire(signed.expect("it can be signed"))
}

fn grant(
    signer: &DeviceKey,
    to: &str,
    subject: &DeviceKey,
    serial: u64,
    days: u64,
) -> wire::Signed {
    grant_of("garden", Role::Editor, signer, (to, subject), serial, days)
}

fn grant_of(
    workspace: &str,
    role: Role,
    signer: &DeviceKey,
    (to, subject): (&str, &DeviceKey),
    serial: u64,
    days: u64,
) -> wire::Signed {
    let body = wire::GrantCertificate {
        worker_id: "worker".to_owned(),
        workspace_id: workspace.to_owned(),
        grantee_user_id: to.to_owned(),
        grantee_device_algorithm: 1,
        grantee_device_key: key(subject),
        role: role.into(),
        serial,
        expires_at: NOW + days * DAY,
    };
    signed(signer, Label::Grant, b"worker", body.encode_to_vec())
}

fn workspace(name: &str) -> WorkspaceId {
    WorkspaceId::parse(name).expect("a valid id")
}

fn cap(roles: &[(&str, Role)]) -> Option<Roles> {
    Some(
        roles
            .iter()
            .map(|(name, role)| (workspace(name), *role))
            .collect(),
    )
}

fn standing(it: &Trust, name: &str, device: &DeviceKey, now: u64) -> Option<Standing> {
    it.standing(&user(name), 1, &key(device), now)
}

/// What a guest's device is capped by.
fn cap_of(it: &Trust, device: &DeviceKey, now: u64) -> Option<Roles> {
    standing(it, "guest", device, now)?.cap
}

fn is_trusted(judgement: &Judgement) -> bool {
    matches!(judgement.verdict, Verdict::Trusted { .. })
}

#[test]
fn a_known_device_is_trusted_and_a_stranger_waits() {
    let mut it = owned_by(&device(1));
    assert!(is_trusted(
        &it.judge(&claim("owner", &device(1), vec![]), NOW)
    ));
    let judgement = it.judge(&claim("owner", &device(2), vec![]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
    assert_eq!(judgement.changes.len(), 1);
    // The same key of another user is another device.
    let other = it.judge(&claim("guest", &device(1), vec![]), NOW);
    assert_eq!(other.verdict, Verdict::Waiting);
}

#[test]
fn sixteen_devices_wait_and_four_of_one_user() {
    let mut it = owned_by(&device(1));
    for seed in 10..14 {
        let judgement = it.judge(&claim("a", &device(seed), vec![]), NOW);
        assert_eq!(judgement.verdict, Verdict::Waiting);
    }
    let fifth = it.judge(&claim("a", &device(14), vec![]), NOW);
    assert_eq!(fifth.verdict, Verdict::Unknown);
    for (name, seeds) in [("b", 20..24), ("c", 30..34), ("d", 40..44)] {
        for seed in seeds {
            let judgement = it.judge(&claim(name, &device(seed), vec![]), NOW);
            assert_eq!(judgement.verdict, Verdict::Waiting);
        }
    }
    let seventeenth = it.judge(&claim("e", &device(50), vec![]), NOW);
    assert_eq!(seventeenth.verdict, Verdict::Unknown);
    // Who waits already goes on waiting.
    let again = it.judge(&claim("a", &device(10), vec![]), NOW);
    assert_eq!((again.verdict, again.changes), (Verdict::Waiting, vec![]));
}

#[test]
fn an_approved_device_waits_no_more_and_a_removed_one_is_unknown() {
    let mut it = owned_by(&device(1));
    let _ = it.judge(&claim("owner", &device(2), vec![]), NOW);
    let _ = it.approve(user("owner"), 1, key(&device(2)));
    assert_eq!(it.waiting().count(), 0);
    assert!(is_trusted(
        &it.judge(&claim("owner", &device(2), vec![]), NOW)
    ));
    let _ = it.remove(user("owner"), key(&device(2)));
    assert!(!it.still_trusts(&user("owner"), 1, &key(&device(2)), NOW));
    let judgement = it.judge(&claim("owner", &device(2), vec![]), NOW);
    assert_eq!(judgement.verdict, Verdict::Unknown);
}

#[test]
fn without_a_secret_the_owners_first_device_is_trusted_and_only_that() {
    let mut it = trust(Policy::KnownDevices, true);
    let guest = it.judge(&claim("guest", &device(3), vec![]), NOW);
    assert_eq!(guest.verdict, Verdict::Waiting);
    assert!(is_trusted(
        &it.judge(&claim("owner", &device(1), vec![]), NOW)
    ));
    let second = it.judge(&claim("owner", &device(2), vec![]), NOW);
    assert_eq!(second.verdict, Verdict::Waiting);
    // Removing the first does not open the door again.
    let _ = it.remove(user("owner"), key(&device(1)));
    let third = it.judge(&claim("owner", &device(4), vec![]), NOW);
    assert_eq!(third.verdict, Verdict::Waiting);
}

#[test]
fn a_device_of_this_machine_does_not_use_the_first_use_up() {
    let mut it = trust(Policy::KnownDevices, true);
    it.replay(Change::Trusted(TrustedDevice {
        user: user("owner"),
        algorithm: 1,
        key: key(&device(9)),
        source: Source::Local,
        expires_at: None,
        signer: None,
    }));
    assert!(is_trusted(
        &it.judge(&claim("owner", &device(9), vec![]), NOW)
    ));
    assert!(is_trusted(
        &it.judge(&claim("owner", &device(1), vec![]), NOW)
    ));
}

#[test]
fn tofu_trusts_each_users_first_and_any_trusts_all() {
    let mut tofu = trust(Policy::Tofu, false);
    assert!(is_trusted(
        &tofu.judge(&claim("guest", &device(1), vec![]), NOW)
    ));
    let second = tofu.judge(&claim("guest", &device(2), vec![]), NOW);
    assert_eq!(second.verdict, Verdict::Waiting);
    let mut any = trust(Policy::Any, false);
    for seed in 1..5 {
        assert!(is_trusted(
            &any.judge(&claim("guest", &device(seed), vec![]), NOW)
        ));
    }
}

#[test]
fn a_certificate_of_a_trusted_device_speaks_for_the_next() {
    let mut it = owned_by(&device(1));
    let signed = certificate(&device(1), "owner", &device(2), 5);
    let judgement = it.judge(&claim("owner", &device(2), vec![signed.clone()]), NOW);
    assert_eq!(
        judgement.verdict,
        Verdict::Trusted {
            cap: None,
            expires_at: Some(NOW + DAY)
        }
    );
    // Shown again it changes nothing; when it has expired it holds no more.
    let again = it.judge(&claim("owner", &device(2), vec![signed.clone()]), NOW);
    assert_eq!(again.changes, vec![]);
    let late = it.judge(&claim("owner", &device(2), vec![signed]), NOW + DAY);
    assert_eq!(late.verdict, Verdict::Waiting);
}

#[test]
fn a_certificate_holds_only_for_its_signer_user_device_and_serial() {
    for (signed, why) in [
        (
            certificate(&device(8), "owner", &device(2), 5),
            "an unknown signer",
        ),
        (
            certificate(&device(1), "guest", &device(2), 5),
            "another user",
        ),
        (
            certificate(&device(1), "owner", &device(3), 5),
            "another device",
        ),
        (
            certificate(&device(1), "owner", &device(2), 3),
            "a lower serial",
        ),
        (
            grant(&device(1), "owner", &device(2), 5, 1),
            "another label",
        ),
    ] {
        let mut it = owned_by(&device(1));
        let of = SerialOf {
            signer: user("owner"),
            subject: key(&device(2)),
            workspace: None,
        };
        it.replay(Change::Serial(of, 4));
        let judgement = it.judge(&claim("owner", &device(2), vec![signed]), NOW);
        assert_eq!(judgement.verdict, Verdict::Waiting, "{why}");
    }
}

#[test]
fn an_altered_certificate_holds_for_nothing() {
    let mut it = owned_by(&device(1));
    let mut signed = certificate(&device(1), "owner", &device(2), 5);
    let mut body = signed.body.to_vec();
    *body.last_mut().expect("it has bytes") ^= 1;
    signed.body = body.into();
    let judgement = it.judge(&claim("owner", &device(2), vec![signed]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
}

#[test]
fn no_certificate_brings_a_removed_device_back() {
    let mut it = owned_by(&device(1));
    let signed = certificate(&device(1), "owner", &device(2), 5);
    let _ = it.judge(&claim("owner", &device(2), vec![signed.clone()]), NOW);
    let _ = it.remove(user("owner"), key(&device(2)));
    let judgement = it.judge(&claim("owner", &device(2), vec![signed]), NOW);
    assert_eq!(judgement.verdict, Verdict::Unknown);
}

#[test]
fn a_grant_of_the_owner_lets_a_guest_in_with_that_role() {
    let mut it = owned_by(&device(1));
    let signed = grant(&device(1), "guest", &device(5), 1, 30);
    let judgement = it.judge(&claim("guest", &device(5), vec![signed]), NOW);
    let garden = WorkspaceId::parse("garden").expect("a valid id");
    let cap = Some(Roles::from([(garden, Role::Editor)]));
    let expires_at = Some(NOW + 30 * DAY);
    assert_eq!(judgement.verdict, Verdict::Trusted { cap, expires_at });
}

#[test]
fn a_guest_never_signs_grants_and_no_grant_lasts_longer_than_30_days() {
    let mut it = owned_by(&device(1));
    let first = grant(&device(1), "guest", &device(5), 1, 1);
    assert!(is_trusted(
        &it.judge(&claim("guest", &device(5), vec![first]), NOW)
    ));
    let onward = grant(&device(5), "friend", &device(6), 1, 1);
    let judgement = it.judge(&claim("friend", &device(6), vec![onward]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
    let endless = grant(&device(1), "other", &device(7), 1, 31);
    let judgement = it.judge(&claim("other", &device(7), vec![endless]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
}

#[test]
fn a_guests_further_device_rests_on_the_granted_one() {
    let mut it = owned_by(&device(1));
    let certificates = vec![
        certificate(&device(5), "guest", &device(6), 1),
        grant(&device(1), "guest", &device(5), 1, 20),
    ];
    let judgement = it.judge(&claim("guest", &device(6), certificates), NOW);
    assert!(is_trusted(&judgement));
}

#[test]
fn what_was_kept_can_be_replayed() {
    let mut it = owned_by(&device(1));
    let signed = grant(&device(1), "guest", &device(5), 1, 30);
    let judgement = it.judge(&claim("guest", &device(5), vec![signed]), NOW);
    let mut again = owned_by(&device(1));
    judgement
        .changes
        .into_iter()
        .for_each(|change| again.replay(change));
    assert!(is_trusted(
        &again.judge(&claim("guest", &device(5), vec![]), NOW)
    ));
}

#[path = "standing_tests.rs"]
mod standing;

#[test]
fn a_serial_from_the_future_is_no_word_of_the_owners() {
    let (owner, guest) = (device(1), device(2));
    let mut trust = owned_by(&owner);
    let ahead = (NOW + 2 * DAY) * 1_000;
    let judged = trust.judge(
        &claim(
            "guest",
            &guest,
            vec![grant(&owner, "guest", &guest, ahead, 3)],
        ),
        NOW,
    );
    assert_eq!(judged.verdict, Verdict::Waiting);
    let introduced = certificate(&owner, "owner", &guest, u64::MAX);
    let judged = trust.judge(&claim("owner", &guest, vec![introduced]), NOW);
    assert_eq!(judged.verdict, Verdict::Waiting);
    let in_time = grant(&owner, "guest", &guest, NOW * 1_000, 3);
    let judged = trust.judge(&claim("guest", &guest, vec![in_time]), NOW);
    assert!(matches!(judged.verdict, Verdict::Trusted { .. }));
}

#[test]
fn strangers_who_wait_do_not_keep_the_owner_out() {
    let mut trust = owned_by(&device(1));
    for number in 0..40 {
        let name = format!("guest{number}");
        trust.judge(&claim(&name, &device(100 + number), Vec::new()), NOW);
    }
    let stranger = trust.judge(&claim("late", &device(200), Vec::new()), NOW);
    assert_eq!(stranger.verdict, Verdict::Unknown);
    let own = trust.judge(&claim("owner", &device(201), Vec::new()), NOW);
    assert_eq!(own.verdict, Verdict::Waiting);
}

#[test]
fn a_delegations_channel_is_for_no_device_that_is_kept() {
    let mut trust = owned_by(&device(1));
    let delegated = ClaimedDevice {
        delegated: true,
        ..claim("owner", &device(1), Vec::new())
    };
    assert_eq!(trust.judge(&delegated, NOW).verdict, Verdict::Unknown);
}
