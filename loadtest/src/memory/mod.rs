//! Scenario: what one more idle session, link and channel holds of the Hub's memory.
//!
//! Each kind has a Hub of its own, so that nothing of one is left for the next. Things are added in
//! equal steps, the process is looked at after each, and a line is put through what was seen: a
//! single difference would tell the allocator's mood, not a cost.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::{
    cli::{Crypto, count},
    client::{Connections, Population, Whom},
    hub::door::Door,
    target::Target,
    verdict::Verdict,
    worker::{Fleet, Loyalty},
};

use self::{
    fit::{Reading, Slope},
    report::{Report, Row},
};

pub(crate) mod fit;
mod report;

#[derive(Args)]
pub(crate) struct MemoryOptions {
    /// The binary to start Hubs of [default: leapmux, beside this binary]
    #[arg(long, value_name = "PATH")]
    hub_bin: Option<PathBuf>,
    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    of: Vec<Kind>,
    /// Steps, and one before them that is not counted
    #[arg(long, default_value_t = 8, value_parser = count(100))]
    steps: u64,
    /// Sessions of a step; of links a fifth, of opaque channels twice as many
    #[arg(long, default_value_t = 250, value_parser = count(5_000))]
    per_step: u64,
    /// Channels of a step with real keys; a post-quantum one costs a Worker 0.2 s
    #[arg(long, default_value_t = 40, value_parser = count(1_000))]
    real_per_step: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A WebSocket that says nothing
    Session,
    /// A Worker that has no channel
    Link,
    /// Opened with noise of the post-quantum sizes
    Opaque,
    /// Opened with a classic handshake, and one stream on it
    Classic,
    /// Opened with a post-quantum handshake, and one stream on it
    Pq,
}

/// Readings are taken when the work of a step is over.
const SETTLE: Duration = Duration::from_millis(700);
/// Sessions that channels are spread over, and Workers.
const CARRIERS: usize = 20;
const WORKERS: usize = 4;

impl Kind {
    const ALL: [Self; 5] = [
        Self::Session,
        Self::Link,
        Self::Opaque,
        Self::Classic,
        Self::Pq,
    ];

    const fn crypto(self) -> Crypto {
        match self {
            Self::Classic => Crypto::Classic,
            Self::Pq => Crypto::Pq,
            Self::Session | Self::Link | Self::Opaque => Crypto::Opaque,
        }
    }

    /// How many make a step; channels in whole rounds over their carriers.
    fn per_step(self, options: &MemoryOptions) -> usize {
        let [plain, real] = [options.per_step, options.real_per_step]
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        match self {
            Self::Session => plain,
            Self::Link => (plain / 5).max(1),
            Self::Opaque => plain * 2,
            Self::Classic | Self::Pq => real,
        }
    }
}

/// Runs it and prints the report.
///
/// # Errors
///
/// There is no Hub, or a step could not be made.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub(crate) async fn run(options: &MemoryOptions) -> anyhow::Result<Verdict> {
    let mut rows = Vec::new();
    for kind in &options.of {
        rows.push(measure(*kind, options).await?);
    }
    let report = Report::new(options.steps, rows);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.verdict)
}

async fn measure(kind: Kind, options: &MemoryOptions) -> anyhow::Result<Row> {
    let target = Target::start(options.hub_bin.as_deref()).await?;
    let (mut crowd, mut readings) = (Crowd::gather(kind, &target).await?, Vec::new());
    let at_rest = target.footprint().unwrap_or_default();
    for step in 0..=options.steps {
        crowd.grow(kind.per_step(options), &target).await?;
        tokio::time::sleep(SETTLE).await;
        let read = read(kind, &target).await;
        readings.extend(read.filter(|_| step > 0));
    }
    crowd.end().await;
    Ok(Row {
        kind,
        at_rest,
        slope: Slope::through(&readings),
        readings,
    })
}

/// How many there are by the Hub's own count, and what it holds.
async fn read(kind: Kind, target: &Target) -> Option<Reading> {
    let connected = target.figures().await?.connected();
    let count = match kind {
        Kind::Session => connected.sessions,
        Kind::Link => connected.links,
        Kind::Opaque | Kind::Classic | Kind::Pq => connected.channels,
    };
    let bytes = target.footprint()?.rss_bytes as f64;
    Some(Reading { count, bytes })
}

/// What is there already, by what it is.
enum Crowd {
    Sessions(Vec<Connections>),
    Links(Vec<Fleet>),
    Channels {
        fleet: Fleet,
        population: Option<Population>,
        crypto: Crypto,
    },
}

impl Crowd {
    /// Nothing of the kind, but what it needs.
    async fn gather(kind: Kind, target: &Target) -> anyhow::Result<Self> {
        match kind {
            Kind::Session => Ok(Self::Sessions(Vec::new())),
            Kind::Link => Ok(Self::Links(Vec::new())),
            Kind::Opaque | Kind::Classic | Kind::Pq => {
                let crypto = kind.crypto();
                let fleet = link(&target.door, WORKERS, crypto).await?;
                let (connections, _) = Connections::open(&target.door, CARRIERS).await;
                let population = Some(Population::of(connections, crypto));
                Ok(Self::Channels {
                    fleet,
                    population,
                    crypto,
                })
            }
        }
    }

    async fn grow(&mut self, by: usize, target: &Target) -> anyhow::Result<()> {
        match self {
            Self::Sessions(sessions) => {
                sessions.push(Connections::open(&target.door, by).await.0);
            }
            Self::Links(fleets) => fleets.push(link(&target.door, by, Crypto::Opaque).await?),
            Self::Channels {
                fleet,
                population,
                crypto,
            } => {
                let whom = Whom {
                    workers: &fleet.workers,
                    user: &target.user,
                    crypto: *crypto,
                    channels: by.div_ceil(CARRIERS),
                };
                if let Some(before) = population.take() {
                    *population = Some(before.grow(&whom).await.0);
                }
            }
        }
        Ok(())
    }

    async fn end(self) {
        match self {
            Self::Sessions(sessions) => drop(sessions),
            Self::Links(fleets) => {
                for fleet in fleets {
                    fleet.end().await;
                }
            }
            Self::Channels {
                fleet, population, ..
            } => {
                if let Some(population) = population {
                    population.end().await;
                }
                fleet.end().await;
            }
        }
    }
}

async fn link(door: &Door, count: usize, crypto: Crypto) -> anyhow::Result<Fleet> {
    let registered = Fleet::register(door, count, crypto).await?;
    Fleet::link(door, registered, Loyalty::Once).await
}
