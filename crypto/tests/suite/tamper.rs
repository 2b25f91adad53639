//! Each byte of each handshake message, changed in turn.

use crypto::{AwaitingReply, Error, Mode};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::{BOTH, identity, prologue, rng};

#[test]
fn message_1_with_any_byte_changed_is_refused() {
    for mode in BOTH {
        let (_, message_1) = start(mode);
        for at in 0..message_1.len() {
            let changed = flipped(&message_1, at);
            let accepted = crypto::accept(identity(), mode, &prologue(mode), &changed);
            assert_eq!(accepted.err(), Some(Error::Handshake), "byte {at}");
        }
    }
}

#[test]
fn message_2_with_any_byte_changed_is_refused() {
    for mode in BOTH {
        let message_2 = answer(mode);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = message_2.len().div_ceil(threads);
        std::thread::scope(|scope| {
            for from in (0..message_2.len()).step_by(share) {
                let to = (from + share).min(message_2.len());
                let message_2 = &message_2;
                scope.spawn(move || (from..to).for_each(|at| refuses_byte(mode, message_2, at)));
            }
        });
        assert!(start(mode).0.finish(&message_2).is_ok());
    }
}

fn refuses_byte(mode: Mode, message_2: &[u8], at: usize) {
    let finished = start(mode).0.finish(&flipped(message_2, at));
    assert_eq!(finished.err(), Some(Error::Handshake), "byte {at}");
}

#[test]
fn messages_of_any_other_length_are_refused() {
    for mode in BOTH {
        let (_, message_1) = start(mode);
        for other in other_lengths(&message_1) {
            let accepted = crypto::accept(identity(), mode, &prologue(mode), &other);
            assert_eq!(
                accepted.err(),
                Some(Error::Handshake),
                "{} bytes",
                other.len()
            );
        }
        for other in other_lengths(&answer(mode)) {
            let finished = start(mode).0.finish(&other);
            assert_eq!(
                finished.err(),
                Some(Error::Handshake),
                "{} bytes",
                other.len()
            );
        }
    }
}

#[test]
fn the_answer_to_another_message_1_is_refused() {
    for mode in BOTH {
        let (other, _) = crypto::initiate(mode, &prologue(mode), identity().public(), &mut rng())
            .expect("starts");
        assert_eq!(other.finish(&answer(mode)).err(), Some(Error::Handshake));
    }
}

#[test]
fn a_message_cannot_stand_in_for_the_other_of_the_same_length() {
    let (awaiting, message_1) = start(Mode::Classic);
    assert_eq!(awaiting.finish(&message_1).err(), Some(Error::Handshake));
    let reflected = answer(Mode::Classic);
    let accepted = crypto::accept(
        identity(),
        Mode::Classic,
        &prologue(Mode::Classic),
        &reflected,
    );
    assert_eq!(accepted.err(), Some(Error::Handshake));
}

/// The same start every time: a state is used up by each attempt to finish it.
fn start(mode: Mode) -> (AwaitingReply, Vec<u8>) {
    let mut rng = StdRng::seed_from_u64(42);
    crypto::initiate(mode, &prologue(mode), identity().public(), &mut rng).expect("starts")
}

fn answer(mode: Mode) -> Vec<u8> {
    let (_, message_1) = start(mode);
    let accepted = crypto::accept(identity(), mode, &prologue(mode), &message_1).expect("accepts");
    accepted.reply(identity(), &mut rng()).expect("replies").1
}

fn flipped(message: &[u8], at: usize) -> Vec<u8> {
    let mut changed = message.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}

fn other_lengths(message: &[u8]) -> Vec<Vec<u8>> {
    let cut = [
        0,
        1,
        16,
        31,
        32,
        33,
        message.len() / 2,
        message.len() - 16,
        message.len() - 1,
    ];
    let mut others: Vec<_> = cut
        .iter()
        .map(|length| message[..*length].to_vec())
        .collect();
    others.push([message, &[0]].concat());
    others.push([message, message].concat());
    others.push(vec![0; 70_000]);
    others
}
