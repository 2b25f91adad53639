//! Keys as they are stored and sent.

use crypto::{DeviceKey, Error, Identity, Mode, PUBLIC_KEY_LEN, PublicKey};

use crate::support::{BOTH, identity, rng};

#[test]
fn an_identity_survives_being_stored() {
    let encoded = identity().encode();
    assert_eq!(encoded.len(), 257);
    let decoded = Identity::decode(&encoded).expect("decodes");
    assert!(decoded.public() == identity().public());
    assert_eq!(*decoded.encode(), *encoded);
}

#[test]
fn a_damaged_identity_is_refused() {
    let encoded = identity().encode();
    for at in 0..encoded.len() {
        let mut damaged = encoded.to_vec();
        damaged[at] ^= 0x10;
        assert_eq!(
            Identity::decode(&damaged).err(),
            Some(Error::Key),
            "byte {at}"
        );
    }
    for other in [
        &[][..],
        &encoded[1..],
        &encoded[..256],
        &[&encoded[..], &[0]].concat(),
    ] {
        assert_eq!(Identity::decode(other).err(), Some(Error::Key));
    }
}

#[test]
fn two_identities_differ() {
    assert!(Identity::generate(&mut rng()).public() != identity().public());
}

#[test]
fn a_device_key_survives_being_stored_and_a_damaged_one_is_refused() {
    let device = DeviceKey::generate(&mut rng());
    let encoded = device.encode();
    assert_eq!(encoded.len(), 97);
    let decoded = DeviceKey::decode(&encoded).expect("decodes");
    for mode in BOTH {
        assert_eq!(decoded.public_bytes(mode), device.public_bytes(mode));
    }
    for at in 0..encoded.len() {
        let mut damaged = encoded.to_vec();
        damaged[at] ^= 0x10;
        assert_eq!(
            DeviceKey::decode(&damaged).err(),
            Some(Error::Key),
            "byte {at}"
        );
    }
    assert_eq!(DeviceKey::decode(&encoded[..96]).err(), Some(Error::Key));
}

#[test]
fn a_public_key_has_1664_bytes_of_which_classic_mode_uses_32() {
    let key = identity().public();
    assert_eq!(PUBLIC_KEY_LEN, 1664);
    assert_eq!(key.for_mode(Mode::PostQuantum), key.as_bytes());
    assert_eq!(key.for_mode(Mode::Classic), &key.as_bytes()[..32]);
    let read = PublicKey::from_bytes(key.as_bytes()).expect("reads");
    assert!(&read == key);
    for bad in [
        &[][..],
        &key.as_bytes()[..32],
        &key.as_bytes()[1..],
        &[0; 1665],
    ] {
        assert_eq!(PublicKey::from_bytes(bad).err(), Some(Error::Key));
    }
}

#[test]
fn a_public_key_whose_ml_kem_part_is_not_reduced_is_refused() {
    let mut bytes = identity().public().as_bytes().to_vec();
    bytes[32] = 0xff;
    bytes[33] |= 0x0f;
    assert_eq!(PublicKey::from_bytes(&bytes).err(), Some(Error::Key));
}

#[test]
fn public_keys_that_differ_in_one_bit_differ() {
    let key = identity().public();
    for at in [0, 31, 1631, 1663] {
        let mut bytes = key.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(PublicKey::from_bytes(&bytes).expect("reads") != *key);
    }
}
