//! Both modes of the handshake, end to end.

use crate::support::{BOTH, establish, identity, prologue, rng};
use crypto::{Error, Mode, Prologue};

#[test]
fn both_sides_have_each_others_keys_afterwards() {
    for mode in BOTH {
        let (mut client, mut worker) = establish(mode);
        assert_eq!(client.root.hash(), worker.root.hash());
        let up = client
            .sealer
            .seal(b"ad", b"from the client")
            .expect("seals");
        assert_eq!(
            *worker.opener.open(b"ad", &up).expect("opens"),
            b"from the client"
        );
        let down = worker.sealer.seal(b"", b"from the Worker").expect("seals");
        assert_eq!(
            *client.opener.open(b"", &down).expect("opens"),
            b"from the Worker"
        );
    }
}

#[test]
fn messages_have_the_lengths_of_the_protocol() {
    let identity = identity();
    for mode in BOTH {
        let (_, message_1) =
            crypto::initiate(mode, &prologue(mode), identity.public(), &mut rng()).expect("starts");
        assert_eq!(message_1.len(), mode.message_1_len());
        let accepted =
            crypto::accept(identity, mode, &prologue(mode), &message_1).expect("accepts");
        let (_, message_2) = accepted.reply(identity, &mut rng()).expect("replies");
        assert_eq!(message_2.len(), mode.message_2_len());
    }
}

#[test]
fn a_prologue_of_another_mode_is_refused_before_anything_else() {
    let other = prologue(Mode::Classic);
    let started = crypto::initiate(Mode::PostQuantum, &other, identity().public(), &mut rng());
    assert_eq!(started.err(), Some(Error::Mode));
    let accepted = crypto::accept(identity(), Mode::PostQuantum, &other, &[0; 3184]);
    assert_eq!(accepted.err(), Some(Error::Mode));
}

#[test]
fn each_part_of_the_prologue_binds() {
    for mode in BOTH {
        let (_, message_1) =
            crypto::initiate(mode, &prologue(mode), identity().public(), &mut rng())
                .expect("starts");
        let others = [
            Prologue::new(mode, &[8; 16], "worker-1", "user-1"),
            Prologue::new(mode, &[7; 16], "worker-2", "user-1"),
            Prologue::new(mode, &[7; 16], "worker-1", "user-2"),
            Prologue::new(mode, &[7; 16], "worker-1u", "ser-1"),
        ];
        for other in others {
            let accepted =
                crypto::accept(identity(), mode, &other.expect("a prologue"), &message_1);
            assert_eq!(accepted.err(), Some(Error::Handshake));
        }
        assert!(crypto::accept(identity(), mode, &prologue(mode), &message_1).is_ok());
    }
}

#[test]
fn a_hub_that_names_another_mode_to_the_worker_is_found_out() {
    // The classic message is a prefix in shape only: lengths differ, and so does the mode byte.
    let classic = prologue(Mode::Classic);
    let (_, message_1) =
        crypto::initiate(Mode::Classic, &classic, identity().public(), &mut rng()).expect("starts");
    let accepted = crypto::accept(
        identity(),
        Mode::PostQuantum,
        &prologue(Mode::PostQuantum),
        &message_1,
    );
    assert_eq!(accepted.err(), Some(Error::Handshake));
    let lying = crypto::fixed::prologue(Mode::Classic, prologue(Mode::PostQuantum).as_bytes());
    let accepted = crypto::accept(identity(), Mode::Classic, &lying, &message_1);
    assert_eq!(accepted.err(), Some(Error::Handshake));
}

#[test]
fn another_workers_key_does_not_accept() {
    let stranger = crypto::Identity::generate(&mut rng());
    for mode in BOTH {
        let (_, message_1) =
            crypto::initiate(mode, &prologue(mode), identity().public(), &mut rng())
                .expect("starts");
        let accepted = crypto::accept(&stranger, mode, &prologue(mode), &message_1);
        assert_eq!(accepted.err(), Some(Error::Handshake));
    }
}

#[test]
fn ids_are_ascii_of_1_to_64_bytes() {
    let long = "w".repeat(65);
    for bad in ["", "wörker", long.as_str()] {
        let as_worker = Prologue::new(Mode::Classic, &[7; 16], bad, "user-1");
        assert_eq!(as_worker.err(), Some(Error::Identifier));
        let as_user = Prologue::new(Mode::Classic, &[7; 16], "worker-1", bad);
        assert_eq!(as_user.err(), Some(Error::Identifier));
    }
    assert!(Prologue::new(Mode::Classic, &[7; 16], &"w".repeat(64), "u").is_ok());
}
