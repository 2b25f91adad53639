//! Scenario: connect, open, exchange and go, many times over. What a Hub forgets to let go of
//! shows.
//!
//! Clients go politely, by a socket that is dropped, in the middle of a message, or by a reset; now
//! and then a Worker's link is cut under its channels. At equal distances everybody has gone, and
//! the Hub's process and its own counts are read.

use std::{ops::Range, time::Duration};

use clap::Args;
use futures_util::{StreamExt as _, stream};

use crate::{
    cli::{Crypto, TargetOptions, count},
    clock::Clock,
    conservation::Conservation,
    hub::figures::{Connected, Figures},
    redial::Manner,
    schedule::Dice,
    target::Target,
    verdict::Verdict,
    worker::{Fleet, Loyalty},
};

use self::{
    cycle::{Outcomes, Plan, cycle},
    report::{Plateau, Report},
};

mod cycle;
mod report;

#[derive(Args)]
pub(crate) struct ChurnOptions {
    #[command(flatten)]
    target: TargetOptions,
    /// Sessions that come and go, each with a channel
    #[arg(long, default_value_t = 20_000, value_parser = count(10_000_000))]
    cycles: u64,
    /// Cycles before those that count: a Hub remembers what has lately closed, up to a bound, and
    /// its allocator finds its size
    #[arg(long, default_value_t = 60_000)]
    warmup: u64,
    /// Cycles that are under way at a time
    #[arg(long, default_value_t = 16, value_parser = count(256))]
    at_once: u64,
    /// Simulated Workers
    #[arg(long, default_value_t = 4, value_parser = count(1_000))]
    workers: u64,
    /// A Worker's link is cut after so many cycles, each Worker in turn
    #[arg(long, default_value_t = 1_000, value_parser = count(10_000_000))]
    cut_every: u64,
    /// How often everybody goes and the Hub is looked at
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    plateaus: u64,
    /// Percent that the last plateaus may lie above the first
    #[arg(long, default_value_t = 2.0)]
    tolerance: f64,
    /// Replays who goes how
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Memory is looked at when the work is over.
const SETTLE: Duration = Duration::from_secs(1);
/// Longest wait for a Hub to let go, and for cut Workers to be back.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(50);

/// Runs it and prints the report.
///
/// # Errors
///
/// There is no Hub, or no Worker could link.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub(crate) async fn run(options: &ChurnOptions) -> anyhow::Result<Verdict> {
    let report = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.verdict)
}

async fn measure(options: &ChurnOptions) -> anyhow::Result<Report> {
    let (clock, target) = (Clock::start(), Target::reach(&options.target).await?);
    let before = connected(&target).await.unwrap_or_default();
    let workers = usize::try_from(options.workers)?;
    let registered = Fleet::register(&target.door, workers, Crypto::Opaque).await?;
    let fleet = Fleet::link(&target.door, registered, Loyalty::Redials(Manner::Promptly)).await?;
    let linked = Connected {
        links: before.links + options.workers as f64,
        ..before
    };
    let (mut plateaus, mut dice) = (Vec::new(), Dice(options.seed));
    let cold = plateau(&target, linked, 0).await;
    let warming = turn(options, &target, &fleet, 1..options.warmup + 1, &mut dice).await;
    let mut outcomes = warming.only_failures();
    for step in 0..options.plateaus {
        let cycles = share(options.cycles, options.plateaus, step);
        let from = outcomes.all() + 1;
        outcomes += turn(options, &target, &fleet, from..from + cycles, &mut dice).await;
        plateaus.extend(plateau(&target, linked, outcomes.all()).await);
    }
    fleet.end().await;
    let (figures, is_empty) = emptied(&target, before).await;
    let seconds = clock.elapsed().as_secs_f64();
    // Others may come and go at a Hub that is not ours.
    let figures = figures.filter(|_| target.is_own());
    let books = figures.as_ref().map(Conservation::of);
    let maps = figures.as_ref().map(Figures::tables).unwrap_or_default();
    Ok(Report::new(
        options,
        outcomes,
        plateaus,
        report::End {
            cold,
            is_empty,
            books,
            maps,
            seconds,
        },
    ))
}

/// The cycles of one step; the first steps take what does not divide.
const fn share(all: u64, steps: u64, step: u64) -> u64 {
    all / steps + if step < all % steps { 1 } else { 0 }
}

/// So many cycles, and the cuts between them.
async fn turn(
    options: &ChurnOptions,
    target: &Target,
    fleet: &Fleet,
    numbers: Range<u64>,
    dice: &mut Dice,
) -> Outcomes {
    let plans: Vec<_> = numbers.clone().map(|_| Plan::draw(dice)).collect();
    let workers = fleet.workers.iter().cycle();
    let going = plans.into_iter().zip(workers).zip(numbers);
    let going = going.map(|((plan, worker), number)| async move {
        if number % options.cut_every == 0 {
            fleet.cut(usize::try_from(number / options.cut_every).unwrap_or_default());
        }
        cycle(&target.door, &worker.id, plan).await
    });
    let at_once = usize::try_from(options.at_once).unwrap_or(1);
    let mut outcomes = Outcomes::default();
    let mut ended = stream::iter(going).buffer_unordered(at_once);
    while let Some((outcome, tries)) = ended.next().await {
        outcomes.add(outcome, tries);
    }
    outcomes
}

/// Waits until only the Workers are there, and looks.
async fn plateau(target: &Target, linked: Connected, cycles: u64) -> Option<Plateau> {
    wait_for(target, linked).await;
    tokio::time::sleep(SETTLE).await;
    // A scrape would be an open file itself.
    let footprint = target.footprint()?;
    let connected = connected(target).await?;
    Some(Plateau {
        cycles,
        connected,
        footprint,
    })
}

async fn emptied(target: &Target, before: Connected) -> (Option<Figures>, bool) {
    let is_empty = wait_for(target, before).await;
    let figures = target.figures().await;
    let tables = figures.as_ref().map(Figures::tables).unwrap_or_default();
    let is_empty = is_empty && tables.iter().all(|(_, entries)| *entries == 0.0);
    (figures, is_empty || !target.is_own())
}

/// Whether so many are connected, before the patience ends.
async fn wait_for(target: &Target, expected: Connected) -> bool {
    let clock = Clock::start();
    while connected(target).await != Some(expected) {
        if clock.elapsed() > PATIENCE {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

async fn connected(target: &Target) -> Option<Connected> {
    Some(target.figures().await?.connected())
}
