//! What a churn run says.

use std::fmt;

use serde::Serialize;

use super::{ChurnOptions, cycle::Outcomes};
use crate::{
    conservation::Conservation,
    hub::{cost::Footprint, figures::Connected},
    verdict::Verdict,
};

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    scenario: &'static str,
    pub(super) verdict: Verdict,
    failures: Vec<String>,
    outcomes: Outcomes,
    plateaus: Vec<Plateau>,
    /// Percent of the first plateau's memory that the last holds more; below zero: less.
    growth: Option<f64>,
    tolerance: f64,
    #[serde(flatten)]
    end: End,
    warmup: u64,
    seed: u64,
    version: &'static str,
}

/// A look at the Hub when everybody but the Workers had gone.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Plateau {
    pub(super) cycles: u64,
    pub(super) connected: Connected,
    pub(super) footprint: Footprint,
}

/// What was left when the Workers had gone, too.
#[derive(Debug, Serialize)]
pub(super) struct End {
    /// Before the first cycle.
    pub(super) cold: Option<Plateau>,
    pub(super) is_empty: bool,
    pub(super) books: Option<Conservation>,
    /// Of the Hub's directory.
    pub(super) maps: Vec<(String, f64)>,
    pub(super) seconds: f64,
}

/// Version of the JSON form.
const SCHEMA: u32 = 1;

impl Report {
    pub(super) fn new(
        options: &ChurnOptions,
        outcomes: Outcomes,
        plateaus: Vec<Plateau>,
        end: End,
    ) -> Self {
        let growth = growth(&plateaus);
        let mut failures = Vec::new();
        if let Some(why) = &outcomes.first_failure {
            let failed = outcomes.failed;
            failures.push(format!("{failed} cycles failed, the first: {why}"));
        }
        failures.extend(faults_of(&plateaus));
        if growth.is_some_and(|percent| percent > options.tolerance) {
            failures.push("the last plateau lies too high above the first".to_owned());
        }
        if !end.is_empty {
            failures.push("the Hub did not let go of everything, or was gone".to_owned());
        }
        failures.extend(end.books.iter().flat_map(Conservation::faults));
        Self {
            schema: SCHEMA,
            scenario: "churn",
            verdict: verdict(&failures, &plateaus, options.plateaus),
            failures,
            outcomes,
            plateaus,
            growth,
            tolerance: options.tolerance,
            end,
            warmup: options.warmup,
            seed: options.seed,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Without a look at each plateau nothing was shown.
fn verdict(failures: &[String], plateaus: &[Plateau], asked: u64) -> Verdict {
    if !failures.is_empty() {
        Verdict::Failed
    } else if (plateaus.len() as u64) < asked {
        Verdict::Invalid
    } else {
        Verdict::Passed
    }
}

fn growth(plateaus: &[Plateau]) -> Option<f64> {
    let rss = |plateau: &Plateau| plateau.footprint.rss_bytes as f64;
    let (first, last) = (plateaus.first().map(rss)?, plateaus.last().map(rss)?);
    Some((last / first - 1.0) * 100.0)
}

fn faults_of(plateaus: &[Plateau]) -> Vec<String> {
    let mut faults = Vec::new();
    let [first, .., last] = plateaus else {
        return faults;
    };
    let crowd = |plateau: &Plateau| {
        let Connected {
            sessions, channels, ..
        } = plateau.connected;
        (sessions, channels)
    };
    if plateaus.iter().any(|one| crowd(one) != crowd(first)) {
        faults.push("sessions or channels were left on a plateau".to_owned());
    }
    if last.footprint.files > first.footprint.files {
        let (before, after) = (first.footprint.files, last.footprint.files);
        faults.push(format!("{before} open files have become {after}"));
    }
    faults
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcomes {
            gone,
            cut_off,
            offline,
            failed,
            ..
        } = &self.outcomes;
        let (all, seconds) = (self.outcomes.all(), self.end.seconds);
        writeln!(
            f,
            "churn      {all} cycles after a warm-up, {seconds:.1} s in all, seed {}",
            self.seed
        )?;
        writeln!(
            f,
            "cycles     {gone} as planned, {cut_off} cut off, {offline} found no Worker, {failed} failed"
        )?;
        self.end
            .cold
            .iter()
            .chain(&self.plateaus)
            .try_for_each(|one| writeln!(f, "{one}"))?;
        if let Some(growth) = self.growth {
            writeln!(f, "growth     {growth:+.2} % of {} allowed", self.tolerance)?;
        }
        if let Some(books) = &self.end.books {
            write!(f, "{books}")?;
        }
        write!(f, "maps      ")?;
        let each = self.end.maps.iter();
        for (map, entries) in each {
            write!(f, " {map} {entries}")?;
        }
        writeln!(f)?;
        let mut failures = self.failures.iter();
        failures.try_for_each(|failure| writeln!(f, "failed     {failure}"))?;
        write!(f, "verdict    {:?}", self.verdict)
    }
}

impl fmt::Display for Plateau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Footprint {
            rss_bytes,
            anonymous_bytes,
            files,
        } = self.footprint;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let Connected {
            sessions,
            links,
            channels,
        } = self.connected;
        write!(
            f,
            "plateau    {:>7} cycles: {:.2} MiB resident, {:.2} MiB heap and stacks, {files} files, \
             {sessions} sessions, {links} links, {channels} channels",
            self.cycles,
            mib(rss_bytes),
            mib(anonymous_bytes)
        )
    }
}
