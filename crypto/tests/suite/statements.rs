//! What devices and Workers sign.

use crypto::{Algorithm, DeviceKey, Error, Label, Mode, SignedParts, claim_context, verify};

use crate::support::{BOTH, identity, rng};

const LABELS: [Label; 3] = [Label::Claim, Label::Device, Label::Grant];

#[test]
fn a_devices_statement_verifies_in_its_mode_for_its_purpose_and_context() {
    let device = DeviceKey::generate(&mut rng());
    for mode in BOTH {
        for label in LABELS {
            let parts = sign(&device, mode, label);
            assert_eq!(parts.key, device.public_bytes(mode));
            assert_eq!(parts.key.len(), Algorithm::for_mode(mode).key_len());
            assert_eq!(
                parts.signature.len(),
                Algorithm::for_mode(mode).signature_len()
            );
            assert_eq!(verify(mode, label, b"context", &parts), Ok(()));
            assert_eq!(
                verify(mode, label, b"contexu", &parts),
                Err(Error::Signature)
            );
            for other in LABELS.into_iter().filter(|other| *other != label) {
                assert_eq!(
                    verify(mode, other, b"context", &parts),
                    Err(Error::Signature)
                );
            }
            assert_eq!(
                verify(other_mode(mode), label, b"context", &parts),
                Err(Error::Mode)
            );
            assert!(verify(mode, Label::Rotation, b"context", &parts).is_err());
        }
    }
}

#[test]
fn a_statement_with_any_byte_changed_is_refused() {
    let device = DeviceKey::generate(&mut rng());
    for mode in BOTH {
        let parts = sign(&device, mode, Label::Claim);
        let fields: [fn(&mut SignedParts) -> &mut Vec<u8>; 3] = [
            |parts| &mut parts.key,
            |parts| &mut parts.body,
            |parts| &mut parts.signature,
        ];
        for field in fields {
            let length = field(&mut parts.clone()).len();
            for at in (0..length).step_by(1 + length / 200) {
                let mut changed = parts.clone();
                field(&mut changed)[at] ^= 4;
                let verdict = verify(mode, Label::Claim, b"context", &changed);
                assert_eq!(verdict, Err(Error::Signature), "byte {at}");
            }
            for other in [
                Vec::new(),
                field(&mut parts.clone())[1..].to_vec(),
                vec![0; 70_000],
            ] {
                let mut changed = parts.clone();
                *field(&mut changed) = other;
                let verdict = verify(mode, Label::Claim, b"context", &changed);
                assert_eq!(verdict, Err(Error::Signature));
            }
        }
    }
}

#[test]
fn an_unknown_or_foreign_algorithm_is_refused() {
    let device = DeviceKey::generate(&mut rng());
    for mode in BOTH {
        let parts = sign(&device, mode, Label::Claim);
        for algorithm in (0..=255).filter(|byte| *byte != parts.algorithm) {
            let changed = SignedParts {
                algorithm,
                ..parts.clone()
            };
            assert_eq!(
                verify(mode, Label::Claim, b"context", &changed),
                Err(Error::Mode)
            );
        }
    }
}

#[test]
fn in_post_quantum_mode_both_halves_must_verify() {
    let (mode, label) = (Mode::PostQuantum, Label::Claim);
    let device = DeviceKey::generate(&mut rng());
    let (mine, mut other_body) = (sign(&device, mode, label), sign(&device, mode, label));
    other_body = device
        .sign(
            mode,
            label,
            b"context",
            [&other_body.body[..], b"!"].concat(),
            &mut rng(),
        )
        .expect("signs");
    let ed25519_of_another = [&other_body.signature[..64], &mine.signature[64..]].concat();
    let ml_dsa_of_another = [&mine.signature[..64], &other_body.signature[64..]].concat();
    for signature in [ed25519_of_another, ml_dsa_of_another] {
        let mixed = SignedParts {
            signature,
            ..mine.clone()
        };
        assert_eq!(
            verify(mode, label, b"context", &mixed),
            Err(Error::Signature)
        );
    }
}

#[test]
fn ml_dsa_signatures_are_hedged() {
    let device = DeviceKey::generate(&mut rng());
    let two = [(); 2].map(|()| sign(&device, Mode::PostQuantum, Label::Claim).signature);
    assert_eq!(two[0][..64], two[1][..64]);
    assert_ne!(two[0][64..], two[1][64..]);
}

#[test]
fn empty_and_overlong_fields_are_not_signed() {
    let device = DeviceKey::generate(&mut rng());
    for (context, body) in [(0, 1), (1, 0), (65_536, 1), (1, 65_536)] {
        let signed = device.sign(
            Mode::Classic,
            Label::Grant,
            &vec![1; context],
            vec![1; body],
            &mut rng(),
        );
        assert_eq!(signed.err(), Some(Error::Field));
    }
}

#[test]
fn a_rotation_is_signed_by_the_workers_old_key_and_by_no_device() {
    let mode = Mode::PostQuantum;
    let parts = identity().sign_rotation("worker-1", b"new key".to_vec(), &mut rng());
    let parts = parts.expect("signs");
    assert_eq!(parts.key, identity().public().as_bytes()[1600..]);
    assert_eq!(verify(mode, Label::Rotation, b"worker-1", &parts), Ok(()));
    assert_eq!(
        verify(mode, Label::Rotation, b"worker-2", &parts),
        Err(Error::Signature)
    );
    assert_eq!(
        verify(Mode::Classic, Label::Rotation, b"worker-1", &parts),
        Err(Error::Mode)
    );
    assert_eq!(
        verify(mode, Label::Grant, b"worker-1", &parts),
        Err(Error::Mode)
    );
    let device = DeviceKey::generate(&mut rng());
    let by_device = device.sign(mode, Label::Rotation, b"worker-1", vec![1], &mut rng());
    assert_eq!(by_device.err(), Some(Error::Mode));
}

#[test]
fn a_claim_fits_no_other_channel_and_no_other_worker() {
    let device = DeviceKey::generate(&mut rng());
    let context = claim_context(&[5; 64], "worker-1");
    let parts = device
        .sign(
            Mode::Classic,
            Label::Claim,
            &context,
            b"body".to_vec(),
            &mut rng(),
        )
        .expect("signs");
    assert_eq!(
        verify(Mode::Classic, Label::Claim, &context, &parts),
        Ok(())
    );
    for other in [
        claim_context(&[6; 64], "worker-1"),
        claim_context(&[5; 64], "worker-2"),
    ] {
        let verdict = verify(Mode::Classic, Label::Claim, &other, &parts);
        assert_eq!(verdict, Err(Error::Signature));
    }
}

/// A key of small order verifies many messages; an encoding that is not canonical is another key
/// to whoever compares bytes.
#[test]
fn ed25519_keys_of_small_order_and_odd_encodings_are_refused() {
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    // y = p + 1, the same point not reduced.
    let mut odd_identity = [0xff; 32];
    (odd_identity[0], odd_identity[31]) = (0xee, 0x7f);
    for key in [identity_point, odd_identity, [0; 32]] {
        // R = the identity and s = 0 satisfy the equation for a key of small order.
        let signature = [&identity_point[..], &[0; 32]].concat();
        assert!(!crypto::primitives::ed25519_verifies(
            &key, b"message", &signature
        ));
    }
}

fn sign(device: &DeviceKey, mode: Mode, label: Label) -> SignedParts {
    device
        .sign(mode, label, b"context", b"the body".to_vec(), &mut rng())
        .expect("signs")
}

fn other_mode(mode: Mode) -> Mode {
    match mode {
        Mode::Classic => Mode::PostQuantum,
        Mode::PostQuantum => Mode::Classic,
    }
}
