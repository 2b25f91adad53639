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
    /// Percent of the first plateaus' memory that the last hold more; below zero: less.
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
            failures.push("the last plateaus lie too high above the first".to_owned());
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

/// A single reading strays by a percent with whatever the allocator did last, so three stand for
/// each end where there are enough of them.
fn growth(plateaus: &[Plateau]) -> Option<f64> {
    let each = if plateaus.len() < 6 { 1 } else { 3 };
    let first = median(plateaus.get(..each)?)?;
    let last = median(plateaus.get(plateaus.len() - each..)?)?;
    Some((last / first - 1.0) * 100.0)
}

/// Of resident memory; of an odd number of plateaus.
fn median(plateaus: &[Plateau]) -> Option<f64> {
    let resident = plateaus.iter().map(|one| one.footprint.rss_bytes);
    let mut resident: Vec<_> = resident.collect();
    resident.sort_unstable();
    resident.get(resident.len() / 2).map(|bytes| *bytes as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plateaus(resident: &[u64]) -> Vec<Plateau> {
        let each = resident.iter().map(|rss_bytes| Plateau {
            cycles: 0,
            connected: Connected::default(),
            footprint: Footprint {
                rss_bytes: *rss_bytes,
                ..Footprint::default()
            },
        });
        each.collect()
    }

    #[test]
    fn one_reading_that_strays_is_no_growth_and_three_are() {
        let growth = |resident: &[u64]| growth(&plateaus(resident));
        assert_eq!(growth(&[100, 98, 101, 100, 100, 107, 100]), Some(0.0));
        let grown = growth(&[100, 98, 101, 100, 103, 107, 104]).expect("seven plateaus");
        assert!((grown - 4.0).abs() < 1e-9, "{grown}");
        assert_eq!(growth(&[100, 150]), Some(50.0));
        assert_eq!(growth(&[]), None);
    }

    #[test]
    fn what_is_left_on_a_plateau_is_a_fault() {
        let mut left = plateaus(&[1, 1]);
        assert_eq!(faults_of(&left), Vec::<String>::new());
        left[1].connected.channels = 1.0;
        left[1].footprint.files = 3;
        assert_eq!(faults_of(&left).len(), 2);
    }
}
