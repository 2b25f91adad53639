//! Renewal under random cuts, lost suffixes, late deliveries, replays and rekeys in flight.
//!
//! `RENEWAL_SEEDS=1 RENEWAL_FIRST=4711` replays one seed.

#![cfg(feature = "endpoint")]

mod support;

use std::thread;

use rand::{SeedableRng as _, rngs::StdRng};
use support::simulation::{Happened, Header, Simulation};

#[test]
fn every_message_arrives_once_and_in_order_whatever_is_cut_lost_late_or_replayed() {
    let (first, seeds) = (setting("RENEWAL_FIRST", 1), setting("RENEWAL_SEEDS", 3_000));
    let halves = [first, first + 1].map(|from| {
        thread::spawn(move || {
            let seeds = (from..first + seeds).step_by(2);
            seeds.map(simulated).fold(Happened::default(), sum)
        })
    });
    let halves = halves.map(|half| half.join().expect("a seed that failed is printed above"));
    let all = sum(halves[0], halves[1]);
    println!("{seeds} seeds: {all:?}");
    // It must have happened, or it proves nothing.
    assert!(all.cuts >= 3 * seeds && all.late >= 3 * seeds && all.reattached >= 3 * seeds);
    assert!(all.rekeys >= 2 * seeds && all.moves >= seeds && all.lost >= 4 * seeds);
    assert!(all.full_windows >= seeds / 2 && all.replays >= seeds / 2);
}

#[test]
fn without_the_epoch_in_the_header_of_a_frame_it_breaks() {
    let broken = (1..=20).filter(|seed| {
        let it = Simulation::new(1 << 40 | seed, Header::TakenOut).run(STEPS);
        it.broken.is_some() || !it.is_complete()
    });
    let broken = broken.count();
    assert!(broken >= 10, "{broken} of 20");
}

#[test]
fn a_state_that_was_copied_without_a_path_seals_nothing_twice() {
    // Two channels with the same numbers from the first byte on are a copy of each other. What
    // both seal before they part is the same; `crypto` panics at the first frame that is not.
    let mut copies = [0, 1].map(|_| Simulation::new(2 << 40, Header::Kept));
    for copy in &mut copies {
        copy.steps(30);
        copy.cut_both();
    }
    assert_eq!(copies[0].client.epoch(), copies[1].client.epoch());
    for (seed, mut copy) in copies.into_iter().enumerate() {
        copy.rng = StdRng::seed_from_u64(3 << 40 | seed as u64);
        let copy = copy.run(STEPS);
        assert!(copy.broken.is_none() && copy.is_complete());
    }
}

fn simulated(seed: u64) -> Happened {
    let it = Simulation::new(seed, Header::Kept).run(STEPS);
    let replay = format!("RENEWAL_SEEDS=1 RENEWAL_FIRST={seed}");
    assert_eq!(it.broken, None, "{replay}");
    assert!(it.is_in_order(), "twice, or out of order: {replay}");
    assert!(it.is_complete(), "no progress: {replay}");
    it.happened
}

const fn sum(one: Happened, other: Happened) -> Happened {
    Happened {
        cuts: one.cuts + other.cuts,
        moves: one.moves + other.moves,
        late: one.late + other.late,
        lost: one.lost + other.lost,
        replays: one.replays + other.replays,
        rekeys: one.rekeys + other.rekeys,
        reattached: one.reattached + other.reattached,
        full_windows: one.full_windows + other.full_windows,
        messages: one.messages + other.messages,
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::vars().find(|(key, _)| key == name);
    set.map_or(default, |(_, value)| value.parse().expect("a number"))
}

const STEPS: usize = 240;
