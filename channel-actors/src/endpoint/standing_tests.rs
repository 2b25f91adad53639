//! What trust rests on: who signed, until when, and what is left when that goes.

use super::*;

#[test]
fn another_user_without_a_grant_may_nothing_whatever_the_hub_announces() {
    let mut it = owned_by(&device(1));
    let _ = it.approve(user("guest"), 1, key(&device(5)));
    let judgement = it.judge(&claim("guest", &device(5), vec![]), NOW);
    let (cap, expires_at) = (cap(&[]), None);
    assert_eq!(judgement.verdict, Verdict::Trusted { cap, expires_at });
    let owner = standing(&it, "owner", &device(1), NOW).expect("it is trusted");
    assert_eq!(owner.cap, None);
}

#[test]
fn the_expiry_of_a_grant_takes_rights_and_gives_none() {
    let mut it = owned_by(&device(1));
    let _ = it.approve(user("guest"), 1, key(&device(5)));
    let guest = ("guest", &device(5));
    let short = grant_of("garden", Role::Editor, &device(1), guest, 1, 1);
    let long = grant_of("forest", Role::Viewer, &device(1), guest, 1, 30);
    // In either order: the shorter one ends nothing but itself.
    for certificates in [vec![short.clone(), long.clone()], vec![long, short]] {
        let judgement = it.judge(&claim("guest", &device(5), certificates), NOW);
        let cap = cap(&[("garden", Role::Editor), ("forest", Role::Viewer)]);
        let expires_at = Some(NOW + DAY);
        assert_eq!(judgement.verdict, Verdict::Trusted { cap, expires_at });
    }
    let later = NOW + DAY;
    assert!(it.expired_between(later - 1, later) && !it.expired_between(NOW, later - 1));
    assert_eq!(
        cap_of(&it, &device(5), later),
        cap(&[("forest", Role::Viewer)])
    );
    assert_eq!(cap_of(&it, &device(5), NOW + 30 * DAY), cap(&[]));
}

#[test]
fn a_granted_device_lasts_as_long_as_its_last_grant() {
    let mut it = owned_by(&device(1));
    let guest = ("guest", &device(5));
    let long = grant_of("forest", Role::Viewer, &device(1), guest, 1, 30);
    let short = grant_of("garden", Role::Editor, &device(1), guest, 1, 1);
    let _ = it.judge(&claim("guest", &device(5), vec![long, short]), NOW);
    assert!(standing(&it, "guest", &device(5), NOW + DAY).is_some());
    assert_eq!(standing(&it, "guest", &device(5), NOW + 30 * DAY), None);
}

#[test]
fn the_owner_lowers_and_withdraws_what_the_grantee_would_not_show() {
    let mut it = owned_by(&device(1));
    let guest = ("guest", &device(5));
    let editor = grant_of("garden", Role::Editor, &device(1), guest, 5, 30);
    let _ = it.judge(&claim("guest", &device(5), vec![editor.clone()]), NOW);
    let viewer = grant_of("garden", Role::Viewer, &device(1), guest, 6, 20);
    assert!(!it.heed(Mode::Classic, &[viewer], NOW).is_empty());
    assert_eq!(
        cap_of(&it, &device(5), NOW),
        cap(&[("garden", Role::Viewer)])
    );
    let _ = it.judge(&claim("guest", &device(5), vec![editor.clone()]), NOW);
    assert_eq!(
        cap_of(&it, &device(5), NOW),
        cap(&[("garden", Role::Viewer)])
    );
    let nothing = grant_of("garden", Role::Unspecified, &device(1), guest, 7, 20);
    let _ = it.heed(Mode::Classic, &[nothing], NOW);
    assert_eq!(standing(&it, "guest", &device(5), NOW), None);
    let judgement = it.judge(&claim("guest", &device(5), vec![editor]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
}

#[test]
fn an_expired_or_too_long_grant_takes_the_place_of_an_older_one() {
    for days in [0, 31] {
        let mut it = owned_by(&device(1));
        let old = grant(&device(1), "guest", &device(5), 5, 30);
        let _ = it.judge(&claim("guest", &device(5), vec![old.clone()]), NOW);
        let new = grant(&device(1), "guest", &device(5), 6, days);
        let _ = it.heed(Mode::Classic, &[new], NOW);
        let judgement = it.judge(&claim("guest", &device(5), vec![old]), NOW);
        assert_eq!(judgement.verdict, Verdict::Waiting, "{days}");
    }
}

#[test]
fn one_serial_says_one_thing() {
    let mut it = owned_by(&device(1));
    let guest = ("guest", &device(5));
    let viewer = grant_of("garden", Role::Viewer, &device(1), guest, 5, 30);
    let editor = grant_of("garden", Role::Editor, &device(1), guest, 5, 30);
    let _ = it.judge(&claim("guest", &device(5), vec![viewer, editor]), NOW);
    assert_eq!(
        cap_of(&it, &device(5), NOW),
        cap(&[("garden", Role::Viewer)])
    );
    let short = certificate_until(&device(1), "owner", &device(2), 5, NOW + DAY);
    let long = certificate_until(&device(1), "owner", &device(2), 5, NOW + 2 * DAY);
    let judgement = it.judge(&claim("owner", &device(2), vec![short, long]), NOW);
    let (cap, expires_at) = (None, Some(NOW + DAY));
    assert_eq!(judgement.verdict, Verdict::Trusted { cap, expires_at });
}

#[test]
fn removing_a_device_forgets_all_that_it_signed() {
    let mut it = owned_by(&device(1));
    let second = certificate(&device(1), "owner", &device(2), 1);
    let _ = it.judge(&claim("owner", &device(2), vec![second]), NOW);
    let third = certificate(&device(2), "owner", &device(3), 1);
    let _ = it.judge(&claim("owner", &device(3), vec![third.clone()]), NOW);
    let granted = grant(&device(3), "guest", &device(5), 1, 1);
    let fifth = certificate(&device(5), "guest", &device(6), 1);
    let _ = it.judge(&claim("guest", &device(6), vec![granted, fifth]), NOW);
    assert!(standing(&it, "guest", &device(6), NOW).is_some());
    let _ = it.remove(user("owner"), key(&device(2)));
    for (name, seed) in [("owner", 2), ("owner", 3), ("guest", 5), ("guest", 6)] {
        assert_eq!(standing(&it, name, &device(seed), NOW), None, "{seed}");
    }
    assert_eq!(it.devices().count(), 1);
    // Not even when the device comes back does what it signed.
    let _ = it.approve(user("owner"), 1, key(&device(2)));
    assert_eq!(standing(&it, "owner", &device(3), NOW), None);
    let judgement = it.judge(&claim("owner", &device(3), vec![third]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
}

#[test]
fn what_was_kept_of_a_removed_devices_signatures_is_worth_nothing() {
    let mut it = owned_by(&device(1));
    // Changes that a list kept in this order: the removal first.
    let (user, source) = (user("owner"), Source::Certificate);
    it.replay(Change::Removed {
        user: user.clone(),
        key: key(&device(2)),
    });
    it.replay(Change::Trusted(TrustedDevice {
        user,
        algorithm: 1,
        key: key(&device(3)),
        source,
        expires_at: Some(NOW + DAY),
        signer: Some(key(&device(2))),
    }));
    assert_eq!(standing(&it, "owner", &device(3), NOW), None);
}

#[test]
fn a_device_certificate_lasts_a_year_at_most() {
    let mut it = owned_by(&device(1));
    let year = 366 * DAY;
    let endless = certificate_until(&device(1), "owner", &device(2), 1, NOW + year + 1);
    let judgement = it.judge(&claim("owner", &device(2), vec![endless]), NOW);
    assert_eq!(judgement.verdict, Verdict::Waiting);
    let long = certificate_until(&device(1), "owner", &device(2), 1, NOW + year);
    assert!(is_trusted(
        &it.judge(&claim("owner", &device(2), vec![long]), NOW)
    ));
}

#[test]
fn devices_that_vouch_for_each_other_rest_on_nothing() {
    let mut it = owned_by(&device(1));
    let second = certificate(&device(1), "owner", &device(2), 1);
    let _ = it.judge(&claim("owner", &device(2), vec![second]), NOW);
    let third = certificate(&device(2), "owner", &device(3), 1);
    let _ = it.judge(&claim("owner", &device(3), vec![third]), NOW);
    let back = certificate(&device(3), "owner", &device(2), 2);
    let _ = it.judge(&claim("owner", &device(2), vec![back]), NOW);
    let _ = it.remove(user("owner"), key(&device(1)));
    assert_eq!(standing(&it, "owner", &device(2), NOW), None);
    assert_eq!(standing(&it, "owner", &device(3), NOW), None);
}

#[test]
fn a_user_has_32_certified_devices_at_most_and_256_ever() {
    let mut it = owned_by(&device(1));
    let mut now = NOW;
    let certify = |it: &mut Trust, seed: u16, now: u64| {
        let mut seeds = [7; 32];
        seeds[..2].copy_from_slice(&seed.to_be_bytes());
        let next = DeviceKey::from_seeds(&seeds, &seeds);
        let signed = certificate_until(&device(1), "owner", &next, 1, now + DAY);
        is_trusted(&it.judge(&claim("owner", &next, vec![signed]), now))
    };
    for seed in 0..256 {
        if seed % 32 == 0 {
            assert!(seed == 0 || !certify(&mut it, 1_000, now), "a 33rd");
            now += DAY;
        }
        assert!(certify(&mut it, seed, now), "{seed}");
    }
    assert!(!certify(&mut it, 1_001, now + DAY));
    // Who has had a certificate may have another.
    let first = 0;
    let mut seeds = [7; 32];
    seeds[..2].copy_from_slice(&u16::to_be_bytes(first));
    let old = DeviceKey::from_seeds(&seeds, &seeds);
    let signed = certificate_until(&device(1), "owner", &old, 2, now + 2 * DAY);
    assert!(is_trusted(
        &it.judge(&claim("owner", &old, vec![signed]), now + DAY)
    ));
}
