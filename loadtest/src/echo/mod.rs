//! Scenario: messages through channels and back, at a rate that waits for nothing.
//!
//! Links first, then sessions, then channels, with a look at the Hub's process after each: so
//! what one more of each costs is told apart. Then the load; then everything goes, and the Hub
//! has to be as empty as before.

use std::time::Duration;

use crate::{
    cli::EchoOptions,
    client::{Connections, Population, Stage, Whom},
    clock::Clock,
    conservation::Conservation,
    hub::{cost::Cost, figures::Connected},
    target::Target,
    verdict::Verdict,
    worker::{Fleet, Loyalty, Registered},
};

use self::{
    judgement::Measured,
    report::{HubCost, Report},
};

mod judgement;
mod load;

mod report;

/// Memory is looked at when the work of a step is over.
const SETTLE: Duration = Duration::from_millis(300);
/// Longest wait for a Hub to let go of everything.
const EMPTY_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// Runs it and prints the report.
///
/// # Errors
///
/// There is no Hub, or no Worker could link.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub(crate) async fn run(options: &EchoOptions) -> anyhow::Result<Verdict> {
    let report = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.verdict)
}

/// Everybody who takes part, and what it cost the Hub to let them in.
struct Gathered {
    fleet: Fleet,
    population: Population,
    /// Links, sessions, channels.
    stages: [Stage; 3],
    costs: Vec<Cost>,
}

async fn measure(options: &EchoOptions) -> anyhow::Result<Report> {
    let target = Target::reach(&options.target).await?;
    let before = connected(&target).await;
    let Gathered {
        fleet,
        population,
        stages,
        mut costs,
    } = gather(options, &target).await?;
    let frames_before = frames(&target).await;
    let (population, load) = load::run(options, population).await?;
    costs.extend(target.cost());
    let frames = frames(&target)
        .await
        .zip(frames_before)
        .map(|(after, before)| after - before);
    population.end().await;
    fleet.end().await;
    let after = wait_until_gone(&target, before).await;
    let figures = target.figures().await.filter(|_| target.is_own());
    let books = figures.as_ref().map(Conservation::of);
    let hub = HubCost::of(&costs, &stages, frames);
    let let_go = after.is_some() && after == before;
    // Others may come and go at a Hub that is not ours.
    let let_go = let_go || !target.is_own();
    judgement::judge(
        options,
        Measured {
            stages,
            load,
            hub,
            after,
            let_go,
            books,
        },
    )
}

async fn gather(options: &EchoOptions, target: &Target) -> anyhow::Result<Gathered> {
    let workers = usize::try_from(options.workers)?;
    let registered = Fleet::register(&target.door, workers, options.crypto).await?;
    let mut costs = Vec::new();
    costs.extend(settled(target).await);
    let (fleet, links) = link(target, registered).await?;
    costs.extend(settled(target).await);
    let count = usize::try_from(options.sessions)?;
    let (connections, sessions) = Connections::open(&target.door, count).await;
    costs.extend(settled(target).await);
    let whom = Whom {
        workers: &fleet.workers,
        user: &target.user,
        crypto: options.crypto,
        channels: usize::try_from(options.channels)?,
    };
    let (population, channels) = Population::open(connections, &whom).await;
    costs.extend(settled(target).await);
    Ok(Gathered {
        fleet,
        population,
        stages: [links, sessions, channels],
        costs,
    })
}

async fn link(target: &Target, workers: Vec<Registered>) -> anyhow::Result<(Fleet, Stage)> {
    let (clock, count) = (Clock::start(), workers.len());
    let fleet = Fleet::link(&target.door, workers, Loyalty::Once).await?;
    let seconds = clock.elapsed().as_secs_f64();
    Ok((
        fleet,
        Stage {
            asked: count,
            established: count,
            seconds,
            ..Stage::default()
        },
    ))
}

async fn settled(target: &Target) -> Option<Cost> {
    tokio::time::sleep(SETTLE).await;
    target.cost()
}

async fn frames(target: &Target) -> Option<f64> {
    Some(target.figures().await?.frames())
}

async fn connected(target: &Target) -> Option<Connected> {
    Some(target.figures().await?.connected())
}

/// Waits until what is connected is what was before.
async fn wait_until_gone(target: &Target, before: Option<Connected>) -> Option<Connected> {
    let clock = Clock::start();
    loop {
        let now = connected(target).await;
        if now.is_none() || now == before || clock.elapsed() > EMPTY_PATIENCE {
            return now;
        }
        tokio::time::sleep(LOOK).await;
    }
}
