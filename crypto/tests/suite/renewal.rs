//! New epochs.

use crypto::{Error, Established, Identity, Mode, Renewal, Root};

use crate::support::{BOTH, establish, identity, rng};

#[test]
fn a_renewal_gives_both_sides_new_keys_and_each_others_numbers() {
    for mode in BOTH {
        let (client, worker) = establish(mode);
        let (mut new_client, mut new_worker, numbers) = renewed(mode, &client.root, &worker.root);
        assert_eq!(numbers, (10, 20));
        assert_eq!(new_client.root.hash(), new_worker.root.hash());
        assert_ne!(new_client.root.hash(), client.root.hash());
        let sealed = new_client.sealer.seal(b"", b"again").expect("seals");
        assert_eq!(
            *new_worker.opener.open(b"", &sealed).expect("opens"),
            b"again"
        );
        let mut old = worker;
        let sealed = new_client.sealer.seal(b"", b"again").expect("seals");
        assert_eq!(old.opener.open(b"", &sealed).err(), Some(Error::Decrypt));
        // The next one begins from the new root.
        let (next, _, _) = renewed(mode, &new_client.root, &new_worker.root);
        assert_ne!(next.root.hash(), new_client.root.hash());
    }
}

#[test]
fn messages_have_the_lengths_of_the_protocol() {
    for (mode, lengths) in [(Mode::Classic, (56, 56)), (Mode::PostQuantum, (3192, 1624))] {
        let (client, worker) = establish(mode);
        let (_, renew) = crypto::renew(&asked(mode), &client.root, identity().public(), &mut rng())
            .expect("asks");
        let (_, _, noise) =
            crypto::answer_renewal(&asked(mode), &worker.root, identity(), &renew, &mut rng())
                .expect("answers");
        assert_eq!((renew.len(), noise.len()), lengths);
    }
}

#[test]
fn another_serial_base_root_mode_or_worker_is_refused() {
    let stranger = Identity::generate(&mut rng());
    for mode in BOTH {
        let (client, worker) = establish(mode);
        let (other, _) = establish(mode);
        let (_, renew) = crypto::renew(&asked(mode), &client.root, identity().public(), &mut rng())
            .expect("asks");
        let answer = |renewal: Renewal, root: &Root, identity: &Identity| {
            crypto::answer_renewal(&renewal, root, identity, &renew, &mut rng()).err()
        };
        let good = asked(mode);
        let refused = Some(Error::Handshake);
        assert_eq!(
            answer(Renewal { serial: 2, ..good }, &worker.root, identity()),
            refused
        );
        assert_eq!(
            answer(Renewal { base: 1, ..good }, &worker.root, identity()),
            refused
        );
        assert_eq!(answer(good, &other.root, identity()), refused);
        assert_eq!(answer(good, &worker.root, &stranger), refused);
        let other_mode = if mode == Mode::Classic {
            Mode::PostQuantum
        } else {
            Mode::Classic
        };
        assert_eq!(
            answer(
                Renewal {
                    mode: other_mode,
                    ..good
                },
                &worker.root,
                identity()
            ),
            refused
        );
        assert_eq!(answer(good, &worker.root, identity()), None);
    }
}

#[test]
fn messages_with_a_byte_changed_or_of_another_length_are_refused() {
    for mode in BOTH {
        let (client, worker) = establish(mode);
        let ask = || {
            crypto::renew(&asked(mode), &client.root, identity().public(), &mut rng())
                .expect("asks")
        };
        let answer = |renew: &[u8]| {
            crypto::answer_renewal(&asked(mode), &worker.root, identity(), renew, &mut rng())
        };
        let (_, renew) = ask();
        for changed in changes(&renew) {
            assert_eq!(answer(&changed).err(), Some(Error::Handshake));
        }
        let length = answer(&renew).expect("answers").2.len();
        for at in 0..changes(&vec![0; length]).len() {
            let (awaiting, renew) = ask();
            let (_, _, noise) = answer(&renew).expect("answers");
            assert_eq!(
                awaiting.finish(&changes(&noise)[at]).err(),
                Some(Error::Handshake)
            );
        }
    }
}

#[test]
fn a_handshake_message_is_no_renewal() {
    for mode in BOTH {
        let (client, worker) = establish(mode);
        let (_, message_1) = crypto::initiate(
            mode,
            &crate::support::prologue(mode),
            identity().public(),
            &mut rng(),
        )
        .expect("starts");
        let padded = [&message_1[..], &[0; 8]].concat();
        let answered =
            crypto::answer_renewal(&asked(mode), &worker.root, identity(), &padded, &mut rng());
        assert_eq!(answered.err(), Some(Error::Handshake));
        let (awaiting, _) =
            crypto::renew(&asked(mode), &client.root, identity().public(), &mut rng())
                .expect("asks");
        assert_eq!(awaiting.finish(&message_1).err(), Some(Error::Handshake));
    }
}

/// Some fifty bytes across the message changed in turn, and four other lengths.
fn changes(message: &[u8]) -> Vec<Vec<u8>> {
    let step = (message.len() / 50).max(1);
    let flipped = |at: usize| {
        let mut changed = message.to_vec();
        changed[at] ^= 0x80;
        changed
    };
    let mut all: Vec<_> = (0..message.len()).step_by(step).map(flipped).collect();
    all.push(flipped(message.len() - 1));
    all.push(Vec::new());
    all.push(message[..message.len() - 1].to_vec());
    all.push(message[..message.len() - 8].to_vec());
    all.push([message, &[0]].concat());
    all
}

fn renewed(mode: Mode, client: &Root, worker: &Root) -> (Established, Established, (u64, u64)) {
    let (awaiting, renew) =
        crypto::renew(&asked(mode), client, identity().public(), &mut rng()).expect("asks");
    let answered = Renewal {
        received: 20,
        ..asked(mode)
    };
    let (at_worker, from_client, noise) =
        crypto::answer_renewal(&answered, worker, identity(), &renew, &mut rng()).expect("answers");
    let (at_client, from_worker) = awaiting.finish(&noise).expect("finishes");
    (at_client, at_worker, (from_client, from_worker))
}

fn asked(mode: Mode) -> Renewal {
    Renewal {
        mode,
        serial: 1,
        base: 0,
        received: 10,
    }
}
