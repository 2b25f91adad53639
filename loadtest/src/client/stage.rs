//! BRAIN, and a loop round it: how many of something there are of those that were asked for.

use std::fmt;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::clock::Clock;

/// How many of something were asked for, and how many there are.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Stage {
    pub(crate) asked: usize,
    pub(crate) established: usize,
    pub(crate) failed: usize,
    /// Why the first failed.
    pub(crate) first_failure: Option<String>,
    pub(crate) seconds: f64,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            established,
            failed,
            seconds,
            ..
        } = self;
        write!(
            f,
            "{established} of {asked} in {seconds:.2} s, {failed} failed"
        )
    }
}

/// Does it all, so many at a time, and counts.
pub(super) async fn staged<T>(
    each: impl Iterator<Item = impl Future<Output = anyhow::Result<T>>>,
    asked: usize,
    at_once: usize,
) -> (Vec<T>, Stage) {
    let clock = Clock::start();
    let results: Vec<_> = stream::iter(each).buffer_unordered(at_once).collect().await;
    let (mut established, mut first_failure) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(one) => established.push(one),
            Err(error) => first_failure = first_failure.or_else(|| Some(format!("{error:#}"))),
        }
    }
    let stage = Stage {
        asked,
        established: established.len(),
        failed: asked.saturating_sub(established.len()),
        first_failure,
        seconds: clock.elapsed().as_secs_f64(),
    };
    (established, stage)
}
