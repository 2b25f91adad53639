//! What an echo run says.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    audit::Delivery,
    cli::{Crypto, EchoOptions},
    client::Stage,
    conservation::Conservation,
    hub::{cost::Cost, figures::Connected},
    recorder::Spectrum,
    verdict::{Health, Saturated, Verdict},
};

/// Version of the JSON form; a field that is removed or changes its meaning raises it.
const SCHEMA: u32 = 1;

/// One run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) scenario: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) saturated: Option<Saturated>,
    /// Gates that did not hold, in words.
    pub(crate) failures: Vec<String>,
    pub(crate) load: Asked,
    pub(crate) links: Stage,
    pub(crate) sessions: Stage,
    pub(crate) channels: Stage,
    pub(crate) delivery: Delivery,
    /// Messages that came back in a second of the run.
    pub(crate) throughput: f64,
    pub(crate) response: Spectrum,
    pub(crate) service: Spectrum,
    pub(crate) lag: Spectrum,
    pub(crate) health: Health,
    /// None where the Hub's process or metrics are not known.
    pub(crate) hub: Option<HubCost>,
    /// What was connected when everything had gone.
    pub(crate) after: Option<Connected>,
    /// Whether what came is here or went; none of a Hub that others use, too.
    pub(crate) books: Option<Conservation>,
}

/// What was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    pub(crate) rate: u64,
    pub(crate) size_from: usize,
    pub(crate) size_to: usize,
    pub(crate) seconds: f64,
    pub(crate) warmup_seconds: f64,
    pub(crate) seed: u64,
    pub(crate) crypto: Crypto,
    pub(crate) cores: usize,
    pub(crate) version: &'static str,
}

impl Asked {
    pub(super) fn new(options: &EchoOptions, cores: usize) -> Self {
        Self {
            rate: options.rate,
            size_from: options.size.low,
            size_to: options.size.high,
            seconds: options.duration.as_secs_f64(),
            warmup_seconds: options.warmup.as_secs_f64(),
            seed: options.seed,
            crypto: options.crypto,
            cores,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The Hub's process, per thing it had to do.
#[derive(Debug, Serialize)]
pub(crate) struct HubCost {
    pub(crate) rss_at_rest_bytes: u64,
    pub(crate) rss_after_load_bytes: u64,
    pub(crate) link: Each,
    pub(crate) session: Each,
    pub(crate) channel: Each,
    /// Frames relayed, in both directions, acknowledgements too.
    pub(crate) frames: f64,
    pub(crate) cpu_us_per_frame: f64,
    pub(crate) cpu_seconds_of_load: f64,
}

/// What one more costs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Each {
    pub(crate) rss_bytes: f64,
    pub(crate) cpu_us: f64,
}

impl Each {
    /// A cost, divided.
    fn of(cost: Cost, count: usize) -> Self {
        let share = 1.0 / count.max(1) as f64;
        Self {
            rss_bytes: cost.rss_bytes as f64 * share,
            cpu_us: micros(cost.cpu) * share,
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl HubCost {
    /// From five readings: at rest, with links, with sessions, with channels, after the load.
    pub(super) fn of(costs: &[Cost], stages: &[Stage; 3], frames: Option<f64>) -> Option<Self> {
        let [rest, linked, connected, opened, loaded] = costs else {
            return None;
        };
        let [links, sessions, channels] = stages;
        let (load, frames) = (*loaded - *opened, frames?);
        Some(Self {
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
}

impl Report {
    /// The version of this form.
    pub(super) const SCHEMA: u32 = SCHEMA;
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.load)?;
        let stages = [&self.links, &self.sessions, &self.channels];
        for (name, stage) in ["links", "sessions", "channels"].into_iter().zip(stages) {
            writeln!(f, "{name:<10} {stage}")?;
        }
        writeln!(f, "delivery   {}", self.delivery)?;
        writeln!(f, "throughput {:.0}/s", self.throughput)?;
        writeln!(f, "response   {}", self.response)?;
        writeln!(f, "service    {}", self.service)?;
        writeln!(f, "lag        {}", self.lag)?;
        writeln!(f, "cpu        {}", self.health)?;
        if let Some(hub) = &self.hub {
            write!(f, "{hub}")?;
        }
        if let Some(Connected {
            sessions,
            links,
            channels,
        }) = self.after
        {
            writeln!(
                f,
                "after      {sessions} sessions, {links} links, {channels} channels"
            )?;
        }
        if let Some(books) = &self.books {
            write!(f, "{books}")?;
        }
        self.failures
            .iter()
            .try_for_each(|failure| writeln!(f, "failed     {failure}"))?;
        match self.saturated {
            Some(reason) => write!(
                f,
                "verdict    {:?}: the harness was the limit ({reason:?})",
                self.verdict
            ),
            None => write!(f, "verdict    {:?}", self.verdict),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rate,
            size_from,
            size_to,
            seconds,
            seed,
            crypto,
            cores,
            ..
        } = self;
        write!(
            f,
            "echo       {rate}/s of {size_from}..{size_to} bytes for {seconds} s, "
        )?;
        write!(f, "{crypto:?}, seed {seed}, {cores} cores")
    }
}

impl fmt::Display for HubCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "hub        {:.1} MiB at rest, {:.1} MiB after the load; {:.2} us of CPU per frame ({:.0} frames)",
            mib(self.rss_at_rest_bytes),
            mib(self.rss_after_load_bytes),
            self.cpu_us_per_frame,
            self.frames
        )?;
        for (name, each) in [
            ("link", self.link),
            ("session", self.session),
            ("channel", self.channel),
        ] {
            let kib = each.rss_bytes / 1_024.0;
            writeln!(
                f,
                "a {name:<8} {kib:.1} KiB resident, {:.0} us of CPU",
                each.cpu_us
            )?;
        }
        Ok(())
    }
}
