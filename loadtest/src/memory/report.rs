//! What a memory run says.

use std::fmt;

use serde::Serialize;

use super::{
    Kind,
    fit::{Reading, Slope},
};
use crate::{hub::cost::Footprint, verdict::Verdict};

/// All kinds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    scenario: &'static str,
    pub(super) verdict: Verdict,
    steps: u64,
    rows: Vec<Row>,
    version: &'static str,
}

/// One kind.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) kind: Kind,
    /// Before the first of the kind.
    pub(super) at_rest: Footprint,
    pub(super) readings: Vec<Reading>,
    /// None when there were too few readings.
    pub(super) slope: Option<Slope>,
}

/// Version of the JSON form.
const SCHEMA: u32 = 1;
/// A line that explains less is none.
const EXPLAINED_MIN: f64 = 0.8;

impl Report {
    /// There is no gate: a slope is a figure. Without one, or with readings all over the place, a
    /// run says nothing.
    pub(super) fn new(steps: u64, rows: Vec<Row>) -> Self {
        let is_sound = rows.iter().all(Row::is_sound);
        Self {
            schema: SCHEMA,
            scenario: "memory",
            verdict: if is_sound {
                Verdict::Passed
            } else {
                Verdict::Invalid
            },
            steps,
            rows,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl Row {
    fn is_sound(&self) -> bool {
        let slope = self.slope.as_ref();
        slope.is_some_and(|slope| slope.explained >= EXPLAINED_MIN)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "memory     resident, per idle one more, {} steps",
            self.steps
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        write!(f, "verdict    {:?}", self.verdict)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{:?}", self.kind).to_lowercase();
        let most = self.readings.last().map_or(0.0, |last| last.count);
        match &self.slope {
            Some(slope) => write!(f, "{name:<10} {slope}, up to {most:.0}"),
            None => write!(f, "{name:<10} not measured"),
        }
    }
}
