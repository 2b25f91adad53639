//! How long something takes, asserted and printed.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two looks: shorter than any bound by far.
const LOOK: Duration = Duration::from_millis(10);

/// The time on the test's own clock.
#[expect(clippy::disallowed_methods, reason = "these tests are about real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Looks until it is so, and says how long that took since `since`.
///
/// # Panics
///
/// When it is not so within `bound` of `since`.
pub(crate) fn since(
    since: Instant,
    what: &str,
    bound: Duration,
    mut look: impl FnMut() -> bool,
) -> Duration {
    while !look() {
        assert!(since.elapsed() < bound, "{what}: not within {bound:?}");
        thread::sleep(LOOK);
    }
    let took = since.elapsed();
    report(what, took, bound);
    took
}

/// The same from now on.
pub(crate) fn until(what: &str, bound: Duration, look: impl FnMut() -> bool) -> Duration {
    since(now(), what, bound, look)
}

/// Prints a figure and holds it against its bound.
pub(crate) fn report(what: &str, took: Duration, bound: Duration) {
    eprintln!(
        "fault: {what}: {:.3} s (bound {:.3} s)",
        took.as_secs_f64(),
        bound.as_secs_f64()
    );
    assert!(took <= bound, "{what}: {took:?} is more than {bound:?}");
}

/// So many seconds.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
