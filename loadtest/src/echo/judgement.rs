//! What a run was worth.

use std::thread;

use super::{
    load::Loaded,
    report::{Asked, HubCost, Report},
};
use crate::{
    audit::Delivery,
    cli::EchoOptions,
    client::{Stage, lane::lock},
    conservation::Conservation,
    hub::figures::Connected,
    verdict::{Health, Verdict},
};

/// What was measured.
pub(super) struct Measured {
    pub(super) stages: [Stage; 3],
    pub(super) load: Loaded,
    pub(super) hub: Option<HubCost>,
    pub(super) after: Option<Connected>,
    /// Whether the Hub let go of everything.
    pub(super) let_go: bool,
    /// None of a Hub that others use, too.
    pub(super) books: Option<Conservation>,
}

/// Judges it.
pub(super) fn judge(options: &EchoOptions, measured: Measured) -> anyhow::Result<Report> {
    let mut delivery = Delivery::default();
    measured
        .load
        .lanes
        .iter()
        .for_each(|lane| delivery += lane.close());
    let (response, service, lag) = {
        let recorder = lock(&measured.load.run.recorder);
        (recorder.response(), recorder.service(), recorder.lag())
    };
    let cores = thread::available_parallelism()?.get();
    let health = health(&measured, lag.p99_us, cores);
    let saturated = health.saturated(options.lag_limit);
    let mut failures = faults(&measured, &delivery);
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
    let [links, sessions, channels] = measured.stages;
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
        throughput: delivery.received as f64 / measured.load.wall.as_secs_f64(),
        delivery,
        response,
        service,
        lag,
        health,
        hub: measured.hub,
        after: measured.after,
        books: measured.books,
    })
}

fn health(measured: &Measured, lag_p99_us: u64, cores: usize) -> Health {
    let Loaded {
        paced,
        wall,
        cost,
        machine,
        ..
    } = &measured.load;
    let harness_cpu_s = cost.cpu.as_secs_f64();
    let hub_cpu_s = measured
        .hub
        .as_ref()
        .map_or(0.0, |hub| hub.cpu_seconds_of_load);
    Health {
        lag_p99_us,
        dropped: paced.dropped,
        orphaned: paced.orphaned,
        arrivals: paced.arrivals,
        harness_cpu_s,
        hub_cpu_s,
        others_cpu_s: (machine.as_secs_f64() - harness_cpu_s - hub_cpu_s).max(0.0),
        machine_s: wall.as_secs_f64() * cores as f64,
    }
}

/// What is wrong, however well the harness fared.
fn faults(measured: &Measured, delivery: &Delivery) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, stage) in ["links", "sessions", "channels"]
        .into_iter()
        .zip(&measured.stages)
    {
        if let Some(why) = &stage.first_failure {
            faults.push(format!("{} {name} failed, the first: {why}", stage.failed));
        }
    }
    if !delivery.is_perfect() {
        faults.push("not everything came back once and in order".to_owned());
    }
    if let Some(first) = measured.load.broken.first() {
        let count = measured.load.broken.len();
        faults.push(format!(
            "{count} sessions broke under load, the first: {first:#}"
        ));
    }
    if !measured.let_go {
        faults.push("the Hub did not let go of everything, or was gone".to_owned());
    }
    faults.extend(measured.books.iter().flat_map(Conservation::faults));
    faults
}
