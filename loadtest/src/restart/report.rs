//! What a restart run says.

use std::{fmt, sync::Arc, thread, time::Duration};

use serde::Serialize;

use super::{
    RestartOptions,
    outage::Spread,
    shared::{Done, Shared},
};
use crate::{
    audit::Delivery,
    client::lane::{Lane, lock},
    conservation::Conservation,
    hub::cost::Cost,
    pacer::Paced,
    recorder::Spectrum,
    verdict::{Health, Saturated, Verdict},
    worker::Shaken,
};

/// What was measured.
pub(super) struct Measured {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) paced: Paced,
    pub(super) broken: Vec<anyhow::Error>,
    /// Before the first end of the Hub,
    pub(super) opened: Shaken,
    /// and at the end.
    pub(super) shaken: Shaken,
    pub(super) downtimes: Vec<Duration>,
    pub(super) books: Option<Conservation>,
    pub(super) is_empty: bool,
    pub(super) wall: Duration,
    pub(super) cost: Cost,
    pub(super) machine: Duration,
}

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    scenario: &'static str,
    pub(super) verdict: Verdict,
    saturated: Option<Saturated>,
    failures: Vec<String>,
    channels: u64,
    sessions: u64,
    workers: u64,
    restarts: u64,
    by: String,
    crypto: super::Real,
    rate: u64,
    seed: u64,
    delivery: Delivery,
    /// From the last echo before to the first after, over all channels and restarts.
    blackout: Spread,
    /// From the moment when a client knew that its path is lost to the accepted claim.
    detached: Spread,
    /// From the Hub's end to its ready line.
    hub_down: Spread,
    clients: Done,
    /// Signatures of Workers before the first end of the Hub.
    signed_first: u64,
    /// And after it: none should be.
    signed_later: u64,
    renewals: u64,
    renewals_refused: u64,
    response: Spectrum,
    lag: Spectrum,
    health: Health,
    books: Option<Conservation>,
    version: &'static str,
}

/// Version of the JSON form.
const SCHEMA: u32 = 1;

impl Report {
    pub(super) fn new(options: &RestartOptions, measured: Measured) -> anyhow::Result<Self> {
        let mut delivery = Delivery::default();
        measured
            .lanes
            .iter()
            .for_each(|lane| delivery += lane.close());
        let (response, lag) = {
            let recorder = lock(&measured.shared.run.recorder);
            (recorder.response(), recorder.lag())
        };
        let gaps = lock(&measured.shared.gaps).clone();
        let health = health(&measured, lag.p99_us)?;
        let saturated = health.saturated(options.lag_limit);
        let failures = faults(options, &measured, &delivery, gaps.len());
        let verdict = match saturated {
            _ if !failures.is_empty() => Verdict::Failed,
            Some(_) => Verdict::Invalid,
            None => Verdict::Passed,
        };
        Ok(Self {
            schema: SCHEMA,
            scenario: "restart",
            verdict,
            saturated,
            failures,
            channels: options.channels,
            sessions: options.sessions,
            workers: options.workers,
            restarts: options.restarts,
            by: format!("{:?}", options.by).to_lowercase(),
            crypto: options.crypto,
            rate: options.rate,
            seed: options.seed,
            delivery,
            blackout: Spread::of(gaps.iter().map(|gap| gap.dark)),
            detached: Spread::of(gaps.iter().map(|gap| gap.detached)),
            hub_down: Spread::of(measured.downtimes.iter().copied()),
            clients: measured.shared.done(),
            signed_first: measured.opened.signed,
            signed_later: measured.shaken.signed - measured.opened.signed,
            renewals: measured.shaken.renewed,
            renewals_refused: measured.shaken.refused,
            response,
            lag,
            health,
            books: measured.books,
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// The Hub's own time is not known: it was another process each time.
fn health(measured: &Measured, lag_p99_us: u64) -> anyhow::Result<Health> {
    let cores = thread::available_parallelism()?.get();
    let Paced {
        arrivals,
        dropped,
        orphaned,
    } = measured.paced;
    let harness_cpu_s = measured.cost.cpu.as_secs_f64();
    Ok(Health {
        lag_p99_us,
        dropped,
        orphaned,
        arrivals,
        harness_cpu_s,
        hub_cpu_s: 0.0,
        others_cpu_s: (measured.machine.as_secs_f64() - harness_cpu_s).max(0.0),
        machine_s: measured.wall.as_secs_f64() * cores as f64,
    })
}

fn faults(
    options: &RestartOptions,
    measured: &Measured,
    delivery: &Delivery,
    outages: usize,
) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(first) = measured.broken.first() {
        let count = measured.broken.len();
        faults.push(format!("{count} sessions broke, the first: {first:#}"));
    }
    if !delivery.is_perfect() {
        faults.push("not everything came back once and in order".to_owned());
    }
    let expected = options.channels * options.restarts;
    if outages as u64 != expected {
        faults.push(format!(
            "{outages} outages came to an end instead of {expected}"
        ));
    }
    let signed = measured.shaken.signed;
    if signed != options.channels || measured.shared.done().opened != options.channels {
        let channels = options.channels;
        faults.push(format!("{signed} handshakes for {channels} channels"));
    }
    if !measured.is_empty {
        faults.push("the Hub did not let go of everything, or was gone".to_owned());
    }
    faults.extend(measured.books.iter().flat_map(Conservation::faults));
    faults
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channels,
            sessions,
            workers,
            restarts,
            by,
            crypto,
            rate,
            seed,
            ..
        } = self;
        writeln!(
            f,
            "restart    {restarts} by {by} under {channels} channels of {sessions} sessions to \
             {workers} Workers, {crypto:?}, {rate}/s, seed {seed}"
        )?;
        writeln!(f, "delivery   {}", self.delivery)?;
        writeln!(f, "blackout   {}", self.blackout)?;
        writeln!(f, "detached   {}", self.detached)?;
        writeln!(f, "Hub away   {}", self.hub_down)?;
        writeln!(
            f,
            "handshakes {} before, {} after; {} renewals, {} refused by Workers",
            self.signed_first, self.signed_later, self.renewals, self.renewals_refused
        )?;
        let Done {
            opened,
            renewed,
            refused,
            attached,
            dialled,
        } = self.clients;
        writeln!(
            f,
            "clients    {opened} opened, {renewed} renewals asked, {refused} put off, \
             {attached} attached, {dialled} sockets"
        )?;
        writeln!(f, "response   {}", self.response)?;
        writeln!(f, "lag        {}", self.lag)?;
        writeln!(f, "cpu        {}", self.health)?;
        if let Some(books) = &self.books {
            write!(f, "{books}")?;
        }
        let mut failures = self.failures.iter();
        failures.try_for_each(|failure| writeln!(f, "failed     {failure}"))?;
        match self.saturated {
            Some(reason) => write!(f, "verdict    {:?} (harness: {reason:?})", self.verdict),
            None => write!(f, "verdict    {:?}", self.verdict),
        }
    }
}
