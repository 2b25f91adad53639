//! Many seeds, and what they would not find if they found nothing.
//!
//! `SIMULATION_SEED=4711 cargo test -p simulation every_seed` replays one seed, with
//! `SIMULATION_TRACE=1` line by line; `SIMULATION_SEED=1000000 SIMULATION_SEEDS=20000` runs so many
//! from there on, on `SIMULATION_THREADS` threads. No process may run one seed twice: `crypto`
//! watches that no key seals twice.

use std::{collections::BTreeMap, process::Command, thread};

use crypto::Mode;
use simulation::{Control, Setting, run, world::Happened};

#[test]
fn every_invariant_holds_for_every_seed() {
    let first = setting("SIMULATION_SEED");
    let alone = if first.is_some() { 1 } else { SEEDS };
    let (first, seeds) = (
        first.unwrap_or(1 << 20),
        setting("SIMULATION_SEEDS").unwrap_or(alone),
    );
    let threads = setting("SIMULATION_THREADS").unwrap_or(1);
    let part = move |at| {
        let of_part = (first + at..first + seeds).step_by(usize::try_from(threads).expect("few"));
        of_part.fold(Sum::default(), Sum::with)
    };
    let parts: Vec<_> = (0..threads)
        .map(|at| thread::spawn(move || part(at)))
        .collect();
    let parts = parts
        .into_iter()
        .map(|part| part.join().expect("its seed is printed above"));
    let sum = parts.fold(Sum::default(), Sum::and);
    println!(
        "{seeds} seeds:\n{}{:?}\n{:?}",
        sum.happened.table(),
        sum.closes,
        sum.refusals
    );
    assert!(sum.broken.is_empty(), "SIMULATION_SEED: {:#?}", sum.broken);
    if seeds >= SEEDS {
        // It must have happened, or it proves nothing.
        let it = sum.happened;
        assert!(
            it.established >= 5 * seeds && it.messages >= 500 * seeds && it.attached >= 5 * seeds
        );
        assert!(
            it.sessions_cut >= seeds && it.hubs_killed >= seeds / 2 && it.links_cut >= seeds / 2
        );
        assert!(
            it.revocations >= seeds / 2 && it.half_open >= seeds / 2 && it.freezes >= seeds / 2
        );
        assert!(it.strange >= seeds / 2 && it.offences >= seeds / 10 && it.drains >= seeds / 4);
    }
}

#[test]
fn the_same_in_the_post_quantum_mode() {
    for seed in [3 << 32, 3 << 32 | 1] {
        let mode = Mode::PostQuantum;
        let outcome = run(Setting {
            mode,
            trouble_ms: 8_000,
            ..Setting::of(seed)
        });
        assert_eq!(outcome.broken, None, "seed {seed}");
        assert!(outcome.happened.established > 0);
    }
}

#[test]
fn a_seed_replays() {
    const CHILD: &str = "SIMULATION_CHILD";
    if setting(CHILD).is_some() {
        println!("it went like this: {:?}", run(Setting::of(7 << 32)));
        return;
    }
    let child = || {
        let mut child = Command::new(std::env::current_exe().expect("a path"));
        child
            .args(["--exact", "a_seed_replays", "--nocapture"])
            .env(CHILD, "1");
        let said = child.output().expect("it runs").stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines()
            .find(|line| line.contains("it went like this"))
            .map(str::to_owned)
    };
    let first = child();
    assert!(first.is_some());
    assert_eq!(first, child());
}

#[test]
fn a_frame_that_an_ended_channel_left_in_a_wedged_socket_does_not_pass_after_a_revocation() {
    // The fence of a channel that had ended was remembered by nobody, and this seed was a find.
    let control = Control::ForgetsTheFencesOfTheEnded;
    let broken = run(Setting {
        control,
        ..Setting::of(FENCE)
    })
    .broken;
    assert!(broken.is_some_and(|found| found.contains("behind its fence")));
}

#[test]
fn a_worker_that_answers_the_renewal_of_an_earlier_path_first_is_at_no_fault() {
    // Its channel was closed as a breach, for good.
    assert_eq!(run(Setting::of(LATE_ANSWER)).broken, None);
}

#[test]
fn without_the_epoch_in_the_header_of_a_frame_it_breaks() {
    assert!(finds(Control::NoEpochInTheHeader, 40).is_some());
}

#[test]
fn a_relay_that_loses_a_frame_and_says_nothing_is_found() {
    assert!(finds(Control::LosesFramesSilently, 3).is_some());
}

#[test]
fn a_registry_that_looks_at_the_credential_before_it_registers_is_found() {
    let found = finds(Control::ChecksBeforeItRegisters, 60);
    let found = found.expect("a find");
    assert!(
        found.contains("revoked") || found.contains("fence"),
        "{found}"
    );
}

#[test]
fn one_that_looks_after_it_has_registered_needs_no_tombstone() {
    assert_eq!(finds(Control::LeavesNoTombstone, 8), None);
}

/// The first find among so many seeds.
fn finds(control: Control, seeds: u64) -> Option<String> {
    let first = (1 + control as u64) << 40;
    let setting = |seed| Setting {
        control,
        ..Setting::of(seed)
    };
    (first..first + seeds).find_map(|seed| run(setting(seed)).broken)
}

#[derive(Default)]
struct Sum {
    happened: Happened,
    closes: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<&'static str, u64>,
    broken: BTreeMap<u64, String>,
}

impl Sum {
    fn with(self, seed: u64) -> Self {
        if seed.is_multiple_of(1_000) {
            eprintln!("seed {seed}");
        }
        let outcome = run(Setting::of(seed));
        if let Some(broken) = &outcome.broken {
            eprintln!("SIMULATION_SEED={seed}: {broken}");
        }
        let broken = outcome.broken.map(|broken| (seed, broken));
        self.and(Self {
            happened: outcome.happened,
            closes: outcome.closes,
            refusals: outcome.refusals,
            broken: broken.into_iter().collect(),
        })
    }

    fn and(mut self, other: Self) -> Self {
        self.happened.add(&other.happened);
        for (sum, more) in [
            (&mut self.closes, other.closes),
            (&mut self.refusals, other.refusals),
        ] {
            more.into_iter()
                .for_each(|(label, count)| *sum.entry(label).or_default() += count);
        }
        self.broken.extend(other.broken);
        self
    }
}

fn setting(name: &str) -> Option<u64> {
    let (_, value) = std::env::vars().find(|(key, _)| key == name)?;
    Some(value.parse().expect("a number"))
}

/// Some 0.2 s each, on one core of a development build.
const SEEDS: u64 = 40;
/// Seeds that once were finds.
const FENCE: u64 = 25;
const LATE_ANSWER: u64 = 226;
