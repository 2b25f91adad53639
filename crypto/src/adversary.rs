//! Attackers who compute what the protocol computes, as far as they can, and change one thing.
//!
//! Their messages carry valid tags, so that each test ends at the check it is named after.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::exchange::{ClientRandomness, WorkerRandomness};
use crate::handshake::{self, Accepted, AwaitingReply, Established, Root};
use crate::kem::{self, KemPublic, KemSecret};
use crate::symmetric::SymmetricState;
use crate::x25519::DhSecret;
use crate::{
    AwaitingRenewal, DeviceKey, Error, Identity, IdentitySeeds, Mode, Opener, Prologue, PublicKey,
    Sealer, hybrid, noise_nk, slh,
};

/// Points of small order and their encodings (RFC 7748, 6.1; libsodium's list).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn a_client_key_of_low_order_is_refused_though_its_tag_is_right() {
    for e in low_order() {
        let mut state = opened(Mode::Classic);
        state.mix_hash(&e);
        state.mix_key(&[0; 32]);
        let tag = state.encrypt_and_hash(&[]).expect("seals");
        let message = [&e[..], &tag].concat();
        let accepted = crate::accept(
            &identity(),
            Mode::Classic,
            &prologue(Mode::Classic),
            &message,
        );
        assert_eq!(accepted.err(), Some(Error::Handshake));
    }
}

#[test]
fn a_worker_key_of_low_order_is_refused_before_message_1() {
    for low in low_order() {
        let mut composite = identity().public().as_bytes().to_vec();
        composite[..32].copy_from_slice(&low);
        let key = PublicKey::from_bytes(&composite).expect("its ML-KEM key is good");
        let begun = begin(Mode::Classic, &key);
        assert_eq!(begun.err(), Some(Error::Handshake));
    }
}

#[test]
fn an_answer_of_low_order_is_refused_though_its_tag_is_right() {
    for e2 in low_order() {
        let (awaiting, message_1) = begin(Mode::Classic, identity().public()).expect("begins");
        let mut accepted = accept(Mode::Classic, &message_1).expect("accepts");
        accepted.state.mix_hash(&e2);
        accepted.state.mix_key(&[0; 32]);
        let tag = accepted.state.encrypt_and_hash(&[]).expect("seals");
        let finished = awaiting.finish(&[&e2[..], &tag].concat());
        assert_eq!(finished.err(), Some(Error::Handshake));
    }
}

#[test]
fn an_ephemeral_ml_kem_key_that_is_not_reduced_is_refused_though_the_tag_is_right() {
    let good = KemSecret::from_seed(&[9; 64]).public();
    assert!(accept(Mode::PostQuantum, &message_1_with(&good)).is_ok());
    // The first coefficient becomes 0xfff, beyond q = 3329.
    let mut bad = good;
    (bad[0], bad[1]) = (0xff, bad[1] | 0x0f);
    let accepted = accept(Mode::PostQuantum, &message_1_with(&bad));
    assert_eq!(accepted.err(), Some(Error::Handshake));
}

#[test]
fn a_worker_without_the_slh_dsa_key_is_named_in_the_words_of_the_protocol() {
    let thief = identity()
        .with_foreign_signature_secret()
        .expect("assembles");
    assert!(thief.public() == identity().public());
    let (awaiting, message_1) = begin(Mode::PostQuantum, identity().public()).expect("begins");
    let accepted = accept(Mode::PostQuantum, &message_1).expect("accepts");
    let (_, message_2) = accepted
        .write(&thief, &worker_randomness(), &[])
        .expect("replies");
    let error = awaiting.finish(&message_2).err().expect("is refused");
    assert_eq!(error, Error::WorkerSignature);
    assert_eq!(
        error.to_string(),
        "noise-hybrid: SLH-DSA signature verification failed"
    );
}

#[test]
fn the_signature_covers_what_was_exchanged_before_it() {
    let (awaiting, message_1) = begin(Mode::PostQuantum, identity().public()).expect("begins");
    let accepted = accept(Mode::PostQuantum, &message_1).expect("accepts");
    let (_, message_2) = accepted
        .write(&identity(), &worker_randomness(), &[])
        .expect("replies");
    let (_, signature) = awaiting.read(&message_2).expect("is genuine");
    // A man in the middle with both static Diffie-Hellman and KEM secrets runs another handshake
    // with the client, and puts the genuine signature into it.
    let other = ClientRandomness {
        e: [77; 32],
        ..client_randomness()
    };
    let (awaiting, message_1) = AwaitingReply::begin(
        Mode::PostQuantum,
        &prologue(Mode::PostQuantum),
        identity().public(),
        &other,
        &[],
    )
    .expect("begins");
    let accepted = accept(Mode::PostQuantum, &message_1).expect("accepts");
    let message_2 = accepted.write_sealing(&signature);
    assert_eq!(
        awaiting.finish(&message_2).err(),
        Some(Error::WorkerSignature)
    );
}

#[test]
fn states_that_hold_secrets_wipe_them() {
    fn wiped_on_drop<T: ZeroizeOnDrop>() {}
    wiped_on_drop::<SymmetricState>();
    wiped_on_drop::<ClientRandomness>();
    wiped_on_drop::<WorkerRandomness>();
    wiped_on_drop::<IdentitySeeds>();
    let mut state = opened(Mode::Classic);
    state.mix_key(&[1; 32]);
    state.zeroize();
    assert_eq!(state.hash(), &[0; 64]);
    // With chaining key, key and counter zeroed as well, it seals like a state made of zeros.
    let mut zeros = SymmetricState::resume(&[0; 64], &[0; 64]);
    assert_eq!(state.encrypt_and_hash(b"x"), zeros.encrypt_and_hash(b"x"));
    state.mix_key(&[]);
    zeros.mix_key(&[]);
    assert_eq!(state.encrypt_and_hash(b"x"), zeros.encrypt_and_hash(b"x"));
}

#[test]
fn every_state_can_go_to_another_thread() {
    fn can_go<T: Send + 'static>() {}
    can_go::<Accepted>();
    can_go::<AwaitingReply>();
    can_go::<AwaitingRenewal>();
    can_go::<Established>();
    can_go::<Root>();
    can_go::<Identity>();
    can_go::<DeviceKey>();
    can_go::<(Sealer, Opener)>();
}

impl Accepted {
    /// Message 2 with a signature taken from elsewhere.
    fn write_sealing(mut self, signature: &[u8]) -> Vec<u8> {
        let e2 = DhSecret::from_bytes(&[88; 32]);
        let ephemeral = self.share.kem.as_ref().expect("post-quantum mode");
        let mut message = Vec::new();
        noise_nk::write_2(&mut self.state, &e2, &self.share.e, &mut message).expect("agrees");
        hybrid::write_2(&mut self.state, ephemeral, &[99; 32], &mut message);
        message.extend(self.state.encrypt_and_hash(signature).expect("seals"));
        message
    }
}

fn low_order() -> impl Iterator<Item = [u8; 32]> {
    LOW_ORDER.iter().map(|point| {
        let bytes = hex::decode(point).expect("is hex");
        bytes.try_into().expect("is 32 bytes")
    })
}

/// Message 1 of a client that brings `ephemeral` and computes everything else rightly.
fn message_1_with(ephemeral: &[u8; kem::KEY_LEN]) -> Vec<u8> {
    let identity = identity();
    let mut state = opened(Mode::PostQuantum);
    let mut message = Vec::new();
    let e = DhSecret::from_bytes(&[3; 32]);
    noise_nk::write_1(&mut state, &e, identity.public().x25519(), &mut message).expect("agrees");
    let key = KemPublic::parse(identity.public().kem()).expect("is good");
    let (ciphertext, secret) = key.encapsulate(&[4; 32]);
    state.mix_hash(&ciphertext);
    state.mix_key(&*secret);
    state.mix_hash(ephemeral);
    let tag = state.encrypt_and_hash(&[]).expect("seals");
    [&message[..], &ciphertext, ephemeral, &tag].concat()
}

fn begin(mode: Mode, worker: &PublicKey) -> Result<(AwaitingReply, Vec<u8>), Error> {
    AwaitingReply::begin(mode, &prologue(mode), worker, &client_randomness(), &[])
}

fn accept(mode: Mode, message_1: &[u8]) -> Result<Accepted, Error> {
    crate::accept(&identity(), mode, &prologue(mode), message_1)
}

fn opened(mode: Mode) -> Box<SymmetricState> {
    handshake::opening(mode, &prologue(mode), identity().public()).expect("the modes agree")
}

fn prologue(mode: Mode) -> Prologue {
    Prologue::new(mode, &[7; 16], "worker-1", "user-1").expect("good ids")
}

fn client_randomness() -> ClientRandomness {
    ClientRandomness {
        e: [1; 32],
        encapsulation: [2; 32],
        ephemeral_ml_kem: [3; 64],
    }
}

fn worker_randomness() -> WorkerRandomness {
    WorkerRandomness {
        e2: [4; 32],
        encapsulation: [5; 32],
        signature: [6; slh::N],
    }
}

fn identity() -> Identity {
    Identity::from_seeds(&IdentitySeeds {
        x25519: [11; 32],
        ml_kem: [12; 64],
        slh_dsa_sk_seed: [13; 32],
        slh_dsa_sk_prf: [14; 32],
        slh_dsa_pk_seed: [15; 32],
    })
}
