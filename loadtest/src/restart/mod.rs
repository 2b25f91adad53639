//! Scenario: the Hub is killed under live channels and started again, several times, while
//! messages go on arriving. Every channel continues, every message arrives once and in order, and
//! nobody shakes hands again.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    cli::{Crypto, count, run_time, sizes},
    client::lane::{Lane, Run},
    clock::Clock,
    conservation::Conservation,
    hub::{
        cost::{self, Cost},
        figures::Connected,
        process::Blow,
    },
    pacer,
    payload::Payloads,
    recorder::Recorder,
    redial::Manner,
    schedule::{Arrival, Load, Schedule, Sizes},
    target::Target,
    threshold::duration,
    verdict::Verdict,
    worker::{Fleet, Loyalty},
};

use self::{
    report::{Measured, Report},
    session::Session,
    shared::Shared,
};

mod line;
mod opening;
mod outage;
mod report;
mod session;
mod shared;

#[derive(Args)]
pub(crate) struct RestartOptions {
    /// The binary to start a Hub of [default: leapmux, beside this binary]
    #[arg(long, value_name = "PATH")]
    hub_bin: Option<PathBuf>,
    /// Channels in all
    #[arg(long, default_value_t = 500, value_parser = count(5_000))]
    channels: u64,
    /// Sessions that they are spread over
    #[arg(long, default_value_t = 50, value_parser = count(1_000))]
    sessions: u64,
    /// Simulated Workers; channels go to them in turn
    #[arg(long, default_value_t = 5, value_parser = count(100))]
    workers: u64,
    /// How often the Hub is ended and started again
    #[arg(long, default_value_t = 5, value_parser = count(100))]
    restarts: u64,
    /// From one end to the next. Ends dial again after waits that grow, and 30 s of rest make them
    /// short again
    #[arg(long, default_value = "40s", value_parser = run_time)]
    every: Duration,
    /// How it is ended
    #[arg(long, value_enum, default_value_t = Blow::Kill)]
    by: Blow,
    /// How long it stays away
    #[arg(long, default_value = "0s", value_parser = duration)]
    away: Duration,
    /// Real handshakes, of either kind
    #[arg(long, value_enum, default_value_t = Real::Pq)]
    crypto: Real,
    /// Messages in a second, over all channels
    #[arg(long, default_value_t = 1_000, value_parser = count(1_000_000))]
    rate: u64,
    /// Bytes of a payload, as FROM..TO
    #[arg(long, default_value = "64..1024", value_parser = sizes)]
    size: Sizes,
    /// Replays the load
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// A run whose sends are later than this (99th percentile) is not valid
    #[arg(long, default_value = "500ms", value_parser = duration)]
    lag_limit: Duration,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Noise cannot renew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Real {
    Classic,
    Pq,
}

/// Load before the first end of the Hub, so that there is something to interrupt.
const LEAD: Duration = Duration::from_secs(3);
/// Arrivals that may wait for their session.
const QUEUE: usize = 65_536;
const CONNECTS_AT_ONCE: usize = 8;
/// Longest wait for sessions to finish after the load, and for the Hub to be empty then.
const FINISH: Duration = Duration::from_secs(120);
const EMPTY_PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

impl Real {
    const fn crypto(self) -> Crypto {
        match self {
            Self::Classic => Crypto::Classic,
            Self::Pq => Crypto::Pq,
        }
    }
}

/// Runs it and prints the report.
///
/// # Errors
///
/// There is no Hub, it does not start again, or a channel could not be opened.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub(crate) async fn run(options: &RestartOptions) -> anyhow::Result<Verdict> {
    let report = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.verdict)
}

async fn measure(options: &RestartOptions) -> anyhow::Result<Report> {
    let mut target = Target::start(options.hub_bin.as_deref()).await?;
    let workers = usize::try_from(options.workers)?;
    let registered = Fleet::register(&target.door, workers, options.crypto.crypto()).await?;
    let fleet = Fleet::link(&target.door, registered, Loyalty::Redials(Manner::Worker)).await?;
    let channels = usize::try_from(options.channels)?;
    let lanes: Vec<_> = (0..channels).map(|_| Arc::new(Lane::default())).collect();
    let shared = Arc::new(Shared::new(
        run_of(options)?,
        target.door.clone(),
        target.user.clone(),
    ));
    let (queues, mut driven) = gather(options, &shared, &fleet, &lanes).await?;
    let opened = fleet.handshakes.so_far();
    let (before, machine) = (Cost::own()?, cost::machine()?);
    let begun = shared.run.clock.elapsed();
    let arrivals = schedule(options).map(move |one| Arrival {
        at: begun + one.at,
        ..one
    });
    let loading = pacer::pace(shared.run.clock, arrivals, queues);
    let (paced, downtimes) = tokio::try_join!(loading, strike(options, &mut target))?;
    let broken = finish(&mut driven).await;
    let wall = shared.run.clock.elapsed().saturating_sub(begun);
    let (cost, machine) = (
        Cost::own()? - before,
        cost::machine()?.saturating_sub(machine),
    );
    let shaken = fleet.handshakes.so_far();
    fleet.end().await;
    let (books, is_empty) = emptied(&target).await;
    Report::new(
        options,
        Measured {
            shared,
            lanes,
            paced,
            broken,
            opened,
            shaken,
            downtimes,
            books,
            is_empty,
            wall,
            cost,
            machine,
        },
    )
}

fn run_of(options: &RestartOptions) -> anyhow::Result<Run> {
    Ok(Run {
        clock: Clock::start(),
        payloads: Payloads::new(options.seed, options.size.high),
        recorder: Mutex::new(Recorder::new(Duration::ZERO)?),
        // Streams have their own credit.
        under_way_max: usize::MAX,
    })
}

fn schedule(options: &RestartOptions) -> Schedule {
    Schedule::new(Load {
        rate: options.rate as f64,
        channels: usize::try_from(options.channels).unwrap_or(1),
        sizes: options.size,
        span: LEAD + options.every * u32::try_from(options.restarts).unwrap_or(u32::MAX),
        seed: options.seed,
    })
}

/// Channels of each session, in order; the first ones take what does not divide.
fn shares(options: &RestartOptions) -> impl Iterator<Item = usize> {
    let (channels, sessions) = (options.channels, options.sessions.min(options.channels));
    let share = move |index| channels / sessions + u64::from(index < channels % sessions);
    (0..sessions).map(move |index| usize::try_from(share(index)).unwrap_or_default())
}

type Driven = JoinSet<anyhow::Result<()>>;

/// Opens every session with its channels, and sets it to work at once: who does not read is taken
/// for dead. Gives a queue for each channel, in order.
async fn gather(
    options: &RestartOptions,
    shared: &Arc<Shared>,
    fleet: &Fleet,
    lanes: &[Arc<Lane>],
) -> anyhow::Result<(Vec<mpsc::Sender<Arrival>>, Driven)> {
    let (mut queues, mut driven, mut opening) = (Vec::new(), JoinSet::new(), Vec::new());
    for (index, share) in shares(options).enumerate() {
        let (sender, queue) = mpsc::channel(QUEUE);
        let first = queues.len();
        queues.extend(std::iter::repeat_n(sender, share));
        let mine = lanes.iter().skip(first).take(share);
        opening.push(async move {
            let mut session = Session::connect(shared.clone()).await?;
            let workers = fleet.workers.iter().cycle().skip(index);
            for (lane, worker) in mine.zip(workers) {
                session.open(worker, lane.clone()).await?;
            }
            anyhow::Ok(session.drive(queue, first))
        });
    }
    let mut opened = stream::iter(opening).buffer_unordered(CONNECTS_AT_ONCE);
    while let Some(driving) = opened.next().await {
        driven.spawn(driving?);
    }
    Ok((queues, driven))
}

/// Ends the Hub and starts it again, at equal distances. Gives how long each time took to its ready line.
async fn strike(options: &RestartOptions, target: &mut Target) -> anyhow::Result<Vec<Duration>> {
    let mut downtimes = Vec::new();
    sleep(LEAD).await;
    for _ in 0..options.restarts {
        let clock = Clock::start();
        target.strike(options.by).await?;
        sleep(options.away).await;
        let again = target.start_again().await;
        again.context("the Hub does not start again")?;
        downtimes.push(clock.elapsed());
        sleep(clock.until(options.every)).await;
    }
    Ok(downtimes)
}

/// Waits for every session. Gives why some broke.
async fn finish(driven: &mut Driven) -> Vec<anyhow::Error> {
    let mut broken = Vec::new();
    let finishing = async {
        while let Some(ended) = driven.join_next().await {
            broken.extend(
                ended
                    .map_err(anyhow::Error::from)
                    .and_then(|ended| ended)
                    .err(),
            );
        }
    };
    if timeout(FINISH, finishing).await.is_err() {
        broken.push(anyhow::anyhow!("sessions that did not finish in time"));
    }
    broken
}

/// The last Hub's books, once it has let go of everything.
async fn emptied(target: &Target) -> (Option<Conservation>, bool) {
    let clock = Clock::start();
    loop {
        let figures = target.figures().await;
        let is_empty = figures.as_ref().is_some_and(|figures| {
            let no_entries = figures.tables().iter().all(|(_, entries)| *entries == 0.0);
            figures.connected() == Connected::default() && no_entries
        });
        if is_empty || clock.elapsed() > EMPTY_PATIENCE {
            return (figures.as_ref().map(Conservation::of), is_empty);
        }
        sleep(LOOK).await;
    }
}
