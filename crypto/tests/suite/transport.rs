//! Frames: in order, once, whole, within the limits.

use crypto::transport::{HARD_LIMIT, SOFT_LIMIT};
use crypto::{Error, Mode, PLAINTEXT_MAX, TAG_LEN};
use proptest::prelude::*;

use crate::support::establish;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_in_order_open_to_what_was_sealed(
        frames in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..40), any::<[u8; 9]>()),
            1..20,
        ),
    ) {
        let (mut client, mut worker) = establish(Mode::Classic);
        for (index, (plaintext, associated_data)) in (0..).zip(&frames) {
            prop_assert_eq!(client.sealer.counter(), index);
            prop_assert_eq!(worker.opener.counter(), index);
            let sealed = client.sealer.seal(associated_data, plaintext).expect("seals");
            prop_assert_eq!(sealed.len(), plaintext.len() + TAG_LEN);
            let opened = worker.opener.open(associated_data, &sealed).expect("opens");
            prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        }
    }

    #[test]
    fn any_other_order_is_refused(skipped in 1_usize..6) {
        let (mut client, mut worker) = establish(Mode::Classic);
        let frames: Vec<_> = (0..6_u8)
            .map(|content| client.sealer.seal(b"", &[content]).expect("seals"))
            .collect();
        prop_assert_eq!(worker.opener.open(b"", &frames[skipped]).err(), Some(Error::Decrypt));
        prop_assert_eq!(worker.opener.counter(), 0);
    }

    #[test]
    fn a_frame_with_any_bit_changed_is_refused(
        plaintext in proptest::collection::vec(any::<u8>(), 0..100),
        bit in any::<prop::sample::Index>(),
    ) {
        let (mut client, mut worker) = establish(Mode::Classic);
        let mut sealed = client.sealer.seal(b"ad", &plaintext).expect("seals");
        let bit = bit.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(worker.opener.open(b"ad", &sealed).err(), Some(Error::Decrypt));
    }

    #[test]
    fn no_bytes_make_the_opener_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        associated_data in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let (_, mut worker) = establish(Mode::Classic);
        prop_assert_eq!(worker.opener.open(&associated_data, &bytes).err(), Some(Error::Decrypt));
    }
}

#[test]
fn a_replayed_frame_is_refused() {
    let (mut client, mut worker) = establish(Mode::Classic);
    let sealed = client.sealer.seal(b"", b"once").expect("seals");
    assert!(worker.opener.open(b"", &sealed).is_ok());
    assert_eq!(worker.opener.open(b"", &sealed).err(), Some(Error::Decrypt));
}

#[test]
fn a_frame_that_failed_is_the_last_one() {
    let (mut client, mut worker) = establish(Mode::Classic);
    let genuine = client.sealer.seal(b"", b"first").expect("seals");
    assert_eq!(
        worker.opener.open(b"", b"garbage of some length").err(),
        Some(Error::Decrypt)
    );
    assert_eq!(worker.opener.counter(), 0);
    assert_eq!(
        worker.opener.open(b"", &genuine).err(),
        Some(Error::Decrypt)
    );
}

#[test]
fn a_frame_reflected_to_its_sender_is_refused() {
    let (mut client, _) = establish(Mode::Classic);
    let sealed = client.sealer.seal(b"", b"mine").expect("seals");
    assert_eq!(client.opener.open(b"", &sealed).err(), Some(Error::Decrypt));
}

#[test]
fn other_associated_data_is_refused() {
    let (mut client, mut worker) = establish(Mode::Classic);
    let sealed = client
        .sealer
        .seal(b"\0\0\0\0\0\0\0\x01\0", b"text")
        .expect("seals");
    let opened = worker.opener.open(b"\0\0\0\0\0\0\0\x01\x01", &sealed);
    assert_eq!(opened.err(), Some(Error::Decrypt));
}

#[test]
fn the_longest_plaintext_fits_and_one_byte_more_uses_up_no_counter() {
    let (mut client, mut worker) = establish(Mode::Classic);
    let too_long = client.sealer.seal(b"", &[0; PLAINTEXT_MAX + 1]);
    assert_eq!(too_long.err(), Some(Error::PlaintextTooLong));
    assert_eq!(client.sealer.counter(), 0);
    let sealed = client.sealer.seal(b"", &[1; PLAINTEXT_MAX]).expect("seals");
    assert_eq!(sealed.len(), 65_535);
    assert_eq!(
        worker.opener.open(b"", &sealed).expect("opens").len(),
        PLAINTEXT_MAX
    );
    assert_eq!(
        worker.opener.open(b"", &[0; 65_536]).err(),
        Some(Error::Decrypt)
    );
}

#[test]
fn renewal_is_wanted_once_the_next_counter_exceeds_the_soft_limit() {
    assert_eq!(SOFT_LIMIT, 2_147_483_647);
    let (client, worker) = establish(Mode::Classic);
    let mut sealer = client.sealer.at_counter(SOFT_LIMIT);
    let mut opener = worker.opener.at_counter(SOFT_LIMIT);
    assert!(!sealer.wants_renewal() && !opener.wants_renewal());
    let sealed = sealer.seal(b"", b"x").expect("seals");
    assert!(opener.open(b"", &sealed).is_ok());
    assert!(sealer.wants_renewal() && opener.wants_renewal());
    // Wanting one does not stop the channel.
    let sealed = sealer.seal(b"", b"y").expect("seals");
    assert!(opener.open(b"", &sealed).is_ok());
}

#[test]
fn nothing_is_sealed_or_opened_beyond_the_hard_limit() {
    assert_eq!(HARD_LIMIT, 4_294_967_295);
    let (client, worker) = establish(Mode::Classic);
    let mut sealer = client.sealer.at_counter(HARD_LIMIT);
    let mut opener = worker.opener.at_counter(HARD_LIMIT);
    let sealed = sealer.seal(b"", b"the last one").expect("seals");
    assert!(opener.open(b"", &sealed).is_ok());
    assert_eq!(sealer.seal(b"", b"").err(), Some(Error::CounterExhausted));
    assert_eq!(
        opener.open(b"", &sealed).err(),
        Some(Error::CounterExhausted)
    );
    assert_eq!(
        (sealer.counter(), opener.counter()),
        (HARD_LIMIT + 1, HARD_LIMIT + 1)
    );
}

#[test]
fn a_counter_never_goes_back() {
    let (client, worker) = establish(Mode::Classic);
    assert_eq!(client.sealer.at_counter(9).at_counter(3).counter(), 9);
    assert_eq!(worker.opener.at_counter(9).at_counter(3).counter(), 9);
}
