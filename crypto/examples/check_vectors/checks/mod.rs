//! What a file of vectors is, and whether this crate agrees with it.

mod acvp;
mod aead;
mod case;
mod kem;
mod lists;
mod noise;
mod wycheproof;

use std::fmt;

use serde_json::Value;

pub(crate) use case::{Case, Check, Verdict, differs, expect_equal, expect_refused};

/// What the cases of one file came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// Name and reason of each.
    pub(crate) failures: Vec<String>,
    /// Cases of other protocols, parameter sets or interfaces.
    pub(crate) skipped: usize,
}

/// Runs every case of a file that is recognised.
///
/// Nothing passed and nothing failed means that the file is of no use here.
pub(crate) fn check(text: &str) -> Tally {
    let mut tally = Tally::default();
    let Ok(file) = serde_json::from_str::<Value>(text) else {
        return tally;
    };
    let nothing = Vec::new();
    match &file {
        // ACVP's own files are a list of a version and the vectors; BLAKE2's a list of vectors.
        Value::Array(parts) if parts.iter().any(has_groups) => {
            parts
                .iter()
                .filter(|part| has_groups(part))
                .for_each(|part| groups(part, &mut tally));
        }
        Value::Array(entries) => lists::entries(entries, &mut tally),
        Value::Object(_) if has_groups(&file) => groups(&file, &mut tally),
        Value::Object(_) => {
            let entries = file
                .get("vectors")
                .and_then(Value::as_array)
                .unwrap_or(&nothing);
            lists::entries(entries, &mut tally);
            lists::single(&file, &mut tally);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
    tally
}

fn has_groups(file: &Value) -> bool {
    file.get("testGroups").is_some_and(Value::is_array)
}

/// A file in groups: ACVP names a mode, Wycheproof does not.
fn groups(file: &Value, tally: &mut Tally) {
    let is_acvp = file.get("mode").is_some_and(Value::is_string);
    for group in file
        .get("testGroups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let check = if is_acvp {
            acvp::check_of(file, group)
        } else {
            wycheproof::check_of(file, group)
        };
        for test in group
            .get("tests")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            tally.run(&Case::in_group(test, group), check);
        }
    }
}

impl Tally {
    /// Runs one case, or counts it as skipped if there is nothing to run it with.
    pub(crate) fn run(&mut self, case: &Case<'_>, check: Option<Check>) {
        let Some(check) = check else {
            self.skipped += 1;
            return;
        };
        match check(case) {
            Ok(()) => self.passed += 1,
            Err(reason) => self
                .failures
                .push(format!("case {}: {reason}", case.name())),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())?;
        if self.skipped == 0 {
            Ok(())
        } else {
            write!(f, ", {} of others skipped", self.skipped)
        }
    }
}
