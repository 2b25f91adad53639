//! The load itself: a pacer, and every session at work.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    cli::EchoOptions,
    client::{
        Population,
        lane::{Lane, Run},
    },
    clock::Clock,
    hub::cost::{self, Cost},
    pacer::{self, Paced},
    payload::Payloads,
    recorder::Recorder,
    schedule::{Load, Schedule},
};

/// A channel's window: messages and bytes under way, some less than a Hub keeps.
const WINDOW_MESSAGES: usize = 1_024;
const WINDOW_BYTES: usize = 4 << 20;

/// What came of it.
pub(super) struct Loaded {
    pub(super) run: Arc<Run>,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) paced: Paced,
    pub(super) wall: Duration,
    /// Of the harness.
    pub(super) cost: Cost,
    /// Of everything on the machine.
    pub(super) machine: Duration,
    /// Why sessions broke.
    pub(super) broken: Vec<anyhow::Error>,
}

/// Runs the schedule, and waits for what is under way.
pub(super) async fn run(
    options: &EchoOptions,
    population: Population,
) -> anyhow::Result<(Population, Loaded)> {
    let channels = population.channels();
    let lanes: Vec<_> = (0..channels).map(|_| Arc::new(Lane::default())).collect();
    let payloads = Payloads::new(options.seed, options.size.high);
    let recorder = Mutex::new(Recorder::new(options.warmup)?);
    let under_way_max = WINDOW_MESSAGES.min(WINDOW_BYTES / options.size.high);
    let (before, machine) = (Cost::own()?, cost::machine()?);
    let clock = Clock::start();
    let run = Arc::new(Run {
        clock,
        payloads,
        recorder,
        under_way_max,
    });
    let (queues, driven) = population.drive(&run, &lanes);
    let paced = pacer::pace(clock, schedule(options, channels), queues).await?;
    let (population, broken) = driven.finish().await;
    let (wall, cost) = (clock.elapsed(), Cost::own()? - before);
    let machine = cost::machine()?.saturating_sub(machine);
    Ok((
        population,
        Loaded {
            run,
            lanes,
            paced,
            wall,
            cost,
            machine,
            broken,
        },
    ))
}

fn schedule(options: &EchoOptions, channels: usize) -> Schedule {
    Schedule::new(Load {
        rate: options.rate as f64,
        channels,
        sizes: options.size,
        // Without a channel there is nothing to send.
        span: if channels == 0 {
            Duration::ZERO
        } else {
            options.duration
        },
        seed: options.seed,
    })
}
