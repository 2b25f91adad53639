//! Scenario: messages through channels and back, at a rate that waits for nothing.
//!
//! Links first, then sessions, then channels, with a look at the Hub's process after each: so
//! what one more of each costs is told apart. Then the load; then everything goes, and the Hub
//! has to be as empty as before.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crate::{
    cli::EchoOptions,
    client::{
        Connections, Population, Stage, Whom,
        lane::{Lane, Run, lock},
    },
    clock::Clock,
    hub::{cost::Cost, figures::Connected},
    payload::Payloads,
    recorder::Recorder,
    schedule::{Load, Schedule},
    target::Target,
    verdict::{Health, Verdict},
    worker::Fleet,
};

use self::{
    pacer::Paced,
    report::{Asked, Each, HubCost, Report, micros},
};

mod pacer;
mod report;

/// Memory is looked at when the work of a step is over.
const SETTLE: Duration = Duration::from_millis(300);
/// Longest wait for a Hub to let go of everything.
const EMPTY_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);
/// A channel's window: messages and bytes under way, some less than a Hub keeps.
const WINDOW_MESSAGES: usize = 1_024;
const WINDOW_BYTES: usize = 4 << 20;

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

/// Looks at the Hub's process after each step.
struct Steps<'a> {
    target: &'a Target,
    costs: Vec<Cost>,
}

impl Steps<'_> {
    async fn look(&mut self) -> anyhow::Result<()> {
        tokio::time::sleep(SETTLE).await;
        self.costs.extend(self.target.cost()?);
        Ok(())
    }
}

/// What was measured, before it is judged.
struct Measured {
    stages: [Stage; 3],
    load: Loaded,
    hub: Option<HubCost>,
    before: Option<Connected>,
    after: Option<Connected>,
    broken: Vec<anyhow::Error>,
}

/// The load itself.
struct Loaded {
    run: Arc<Run>,
    lanes: Vec<Arc<Lane>>,
    paced: Paced,
    wall: Duration,
    harness: Cost,
}

async fn measure(options: &EchoOptions) -> anyhow::Result<Report> {
    let target = Target::reach(&options.target).await?;
    let before = target.figures().await?.map(|figures| figures.connected());
    let workers = usize::try_from(options.workers)?;
    let registered = Fleet::register(&target.door, workers, options.crypto).await?;
    let mut steps = Steps {
        target: &target,
        costs: Vec::new(),
    };
    steps.look().await?;
    let clock = Clock::start();
    let fleet = Fleet::link(&target.door, registered).await?;
    let seconds = clock.elapsed().as_secs_f64();
    let links = Stage {
        asked: workers,
        established: workers,
        seconds,
        ..Stage::default()
    };
    steps.look().await?;
    let sessions = usize::try_from(options.sessions)?;
    let (connections, sessions) = Connections::open(&target.door, sessions).await;
    steps.look().await?;
    let whom = Whom {
        workers: &fleet.workers,
        user: &target.user,
        crypto: options.crypto,
        channels: usize::try_from(options.channels)?,
    };
    let (population, channels) = Population::open(connections, &whom).await;
    steps.look().await?;
    let frames = frames(&target).await?;
    let (population, load, broken) = load(options, population).await?;
    steps.costs.extend(target.cost()?);
    let frames = self::frames(&target)
        .await?
        .zip(frames)
        .map(|(after, before)| after - before);
    population.end().await;
    fleet.end().await;
    let after = wait_until_gone(&target, before).await?;
    let stages = [links, sessions, channels];
    let hub = hub_cost(&steps.costs, &stages, frames);
    judge(
        options,
        &target,
        Measured {
            stages,
            load,
            hub,
            before,
            after,
            broken,
        },
    )
}

async fn frames(target: &Target) -> anyhow::Result<Option<f64>> {
    Ok(target.figures().await?.map(|figures| figures.frames()))
}

async fn load(
    options: &EchoOptions,
    population: Population,
) -> anyhow::Result<(Population, Loaded, Vec<anyhow::Error>)> {
    let channels = population.channels();
    let lanes: Vec<_> = (0..channels).map(|_| Arc::new(Lane::default())).collect();
    let payloads = Payloads::new(options.seed, options.size.high);
    let recorder = Mutex::new(Recorder::new(options.warmup)?);
    let schedule = Schedule::new(Load {
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
    });
    let before = Cost::own()?;
    let clock = Clock::start();
    let under_way_max = WINDOW_MESSAGES.min(WINDOW_BYTES / options.size.high);
    let run = Arc::new(Run {
        clock,
        payloads,
        recorder,
        under_way_max,
    });
    let (queues, driven) = population.drive(&run, &lanes);
    let paced = pacer::pace(clock, schedule, queues).await?;
    let (population, broken) = driven.finish().await;
    let (wall, harness) = (clock.elapsed(), Cost::own()? - before);
    Ok((
        population,
        Loaded {
            run,
            lanes,
            paced,
            wall,
            harness,
        },
        broken,
    ))
}

/// Waits until nothing more is connected than before.
async fn wait_until_gone(
    target: &Target,
    before: Option<Connected>,
) -> anyhow::Result<Option<Connected>> {
    let clock = Clock::start();
    loop {
        let now = target.figures().await?.map(|figures| figures.connected());
        if now == before || clock.elapsed() > EMPTY_PATIENCE {
            return Ok(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn hub_cost(costs: &[Cost], stages: &[Stage; 3], frames: Option<f64>) -> Option<HubCost> {
    let [rest, linked, connected, opened, loaded] = costs else {
        return None;
    };
    let [links, sessions, channels] = stages;
    let (load, frames) = (*loaded - *opened, frames?);
    Some(HubCost {
        rss_at_rest_bytes: rest.rss_bytes,
        rss_after_load_bytes: loaded.rss_bytes,
        link: Each::of(*linked - *rest, links.established),
        session: Each::of(*connected - *linked, sessions.established),
        channel: Each::of(*opened - *connected, channels.established),
        frames,
        cpu_us_per_frame: micros(load.cpu) / frames.max(1.0),
        cpu_seconds_of_load: load.cpu.as_secs_f64(),
    })
}

fn judge(options: &EchoOptions, target: &Target, measured: Measured) -> anyhow::Result<Report> {
    let Measured {
        stages,
        load,
        hub,
        before,
        after,
        broken,
    } = measured;
    let mut delivery = crate::audit::Delivery::default();
    load.lanes.iter().for_each(|lane| delivery += lane.close());
    let recorder = lock(&load.run.recorder);
    let (response, service, lag) = (recorder.response(), recorder.service(), recorder.lag());
    let cores = thread::available_parallelism()?.get();
    let health = Health {
        lag_p99_us: lag.p99_us,
        dropped: load.paced.dropped,
        arrivals: load.paced.arrivals,
        harness_cpu_s: load.harness.cpu.as_secs_f64(),
        hub_cpu_s: hub.as_ref().map_or(0.0, |hub| hub.cpu_seconds_of_load),
        machine_s: load.wall.as_secs_f64() * cores as f64,
    };
    let mut failures = Vec::new();
    for (name, stage) in ["links", "sessions", "channels"].into_iter().zip(&stages) {
        if let Some(why) = &stage.first_failure {
            failures.push(format!("{} {name}: {why}", stage.failed));
        }
    }
    if !delivery.is_perfect() {
        failures.push("delivery: not everything came back once and in order".to_owned());
    }
    if let Some(first) = broken.first() {
        failures.push(format!(
            "{} sessions broke under load: {first:#}",
            broken.len()
        ));
    }
    // Others may come and go at a Hub that is not ours.
    if target.is_own() && after != before {
        failures.push("the Hub did not let go of everything".to_owned());
    }
    let saturated = health.saturated(options.lag_limit);
    // A message that was lost is lost, however late it was sent; a time is only worth something
    // when the harness kept up.
    let is_sound = failures.is_empty();
    let gates = options
        .threshold
        .iter()
        .filter(|gate| !gate.holds(&response, &service));
    failures.extend(gates.map(|gate| format!("threshold {}", gate.text())));
    let verdict = match saturated {
        Some(_) if is_sound => Verdict::Invalid,
        None if failures.is_empty() => Verdict::Passed,
        Some(_) | None => Verdict::Failed,
    };
    let [links, sessions, channels] = stages;
    Ok(Report {
        schema: Report::SCHEMA,
        scenario: "echo",
        verdict,
        saturated,
        failures,
        load: Asked::new(options, cores),
        links,
        sessions,
        channels,
        throughput: delivery.received as f64 / load.wall.as_secs_f64(),
        delivery,
        response,
        service,
        lag,
        health,
        hub,
        after,
    })
}
