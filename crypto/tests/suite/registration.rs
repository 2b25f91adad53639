//! Tags at first contact.

use crypto::{Algorithm, Error, device_tag, verify_device_tag, verify_worker_tag, worker_tag};

const SECRET: [u8; 32] = [3; 32];

#[test]
fn a_workers_tag_binds_secret_id_and_key() {
    let tag = worker_tag(&SECRET, "registration-1", b"key").expect("good id");
    assert_eq!(
        verify_worker_tag(&SECRET, "registration-1", b"key", &tag),
        Ok(())
    );
    let refused = Err(Error::Tag);
    assert_eq!(
        verify_worker_tag(&[4; 32], "registration-1", b"key", &tag),
        refused
    );
    assert_eq!(
        verify_worker_tag(&SECRET, "registration-2", b"key", &tag),
        refused
    );
    assert_eq!(
        verify_worker_tag(&SECRET, "registration-1", b"kez", &tag),
        refused
    );
    assert_eq!(
        verify_worker_tag(&SECRET, "registration-1k", b"ey", &tag),
        refused
    );
}

#[test]
fn a_devices_tag_binds_secret_id_user_algorithm_and_key() {
    let ed25519 = Algorithm::Ed25519;
    let both = Algorithm::Ed25519MlDsa65;
    let tag = device_tag(&SECRET, "registration-1", "user-1", ed25519, b"key").expect("good ids");
    let verdict = |secret, id, user, algorithm, key: &[u8]| {
        verify_device_tag(secret, id, user, algorithm, key, &tag)
    };
    let refused = Err(Error::Tag);
    assert_eq!(
        verdict(&SECRET, "registration-1", "user-1", ed25519, b"key"),
        Ok(())
    );
    assert_eq!(
        verdict(&[4; 32], "registration-1", "user-1", ed25519, b"key"),
        refused
    );
    assert_eq!(
        verdict(&SECRET, "registration-2", "user-1", ed25519, b"key"),
        refused
    );
    assert_eq!(
        verdict(&SECRET, "registration-1", "user-2", ed25519, b"key"),
        refused
    );
    assert_eq!(
        verdict(&SECRET, "registration-1", "user-1", both, b"key"),
        refused
    );
    assert_eq!(
        verdict(&SECRET, "registration-1", "user-1", ed25519, b"kez"),
        refused
    );
}

#[test]
fn a_missing_cut_or_changed_tag_is_refused() {
    let tag = worker_tag(&SECRET, "registration-1", b"key").expect("good id");
    let verdict = |tag: &[u8]| verify_worker_tag(&SECRET, "registration-1", b"key", tag);
    assert_eq!(verdict(&[]), Err(Error::Tag));
    assert_eq!(verdict(&tag[..63]), Err(Error::Tag));
    for at in 0..tag.len() {
        let mut changed = tag;
        changed[at] ^= 1;
        assert_eq!(verdict(&changed), Err(Error::Tag));
    }
}

#[test]
fn a_workers_tag_is_no_devices_tag() {
    let tag = worker_tag(&SECRET, "id", b"key").expect("good id");
    let verdict = verify_device_tag(&SECRET, "id", "key", Algorithm::Ed25519, b"key", &tag);
    assert_eq!(verdict, Err(Error::Tag));
    assert_eq!(
        worker_tag(&SECRET, "", b"key").err(),
        Some(Error::Identifier)
    );
}
