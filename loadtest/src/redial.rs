//! BRAIN: when a simulated end dials again. As the real ones do it: waits double, are jittered from
//! the first one on, and only what stood for a while makes them short again.

use std::time::Duration;

/// How the waits of one kind of end are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A Worker: 1 s to 180 s, each a fifth more or less.
    Worker,
    /// A page: 0.5 s to 30 s, drawn from the whole span above a quarter of a second.
    Page,
    /// None that is real: always soon, where cuts are what a run is made of.
    Promptly,
}

/// What stood for so long was good.
const STEADY: Duration = Duration::from_secs(30);
/// A longer hint is not believed.
const HINT_MAX: Duration = Duration::from_secs(60);
const DOUBLINGS_MAX: u32 = 16;

/// The waits of one end. Times from the beginning of the run.
#[derive(Debug, Clone)]
pub(crate) struct Redial {
    manner: Manner,
    failures: u32,
    up_since: Option<Duration>,
}

impl Redial {
    pub(crate) const fn new(manner: Manner) -> Self {
        Self {
            manner,
            failures: 0,
            up_since: None,
        }
    }

    /// It is connected.
    pub(crate) const fn up(&mut self, now: Duration) {
        self.up_since = Some(now);
    }

    /// It is not, or not any more. Gives the wait; `luck` is from [0, 1), a hint of zero is none.
    pub(crate) fn down(&mut self, now: Duration, luck: f64, hint: Duration) -> Duration {
        let stood = self.up_since.take().map(|since| now.saturating_sub(since));
        if stood.is_some_and(|time| time >= STEADY) {
            self.failures = 0;
        }
        let failures = self.failures;
        self.failures = (failures + 1).min(DOUBLINGS_MAX);
        if hint.is_zero() {
            self.manner.wait(failures, luck)
        } else {
            hint.min(HINT_MAX)
        }
    }
}

impl Manner {
    fn wait(self, failures: u32, luck: f64) -> Duration {
        let double = |first: u64, most: u64| {
            let span = Duration::from_millis(first) * 2_u32.saturating_pow(failures);
            span.min(Duration::from_millis(most))
        };
        match self {
            Self::Worker => double(1_000, 180_000).mul_f64(0.8 + 0.4 * luck),
            Self::Promptly => Duration::from_millis(200).mul_f64(0.5 + luck),
            Self::Page => {
                let least = Duration::from_millis(250);
                least + double(500, 30_000).saturating_sub(least).mul_f64(luck)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const NONE: Duration = Duration::ZERO;

    fn wait(redial: &mut Redial, now: Duration, luck: f64) -> u128 {
        redial.down(now, luck, NONE).as_millis()
    }

    #[test]
    fn waits_double_up_to_their_most_and_are_jittered() {
        let mut worker = Redial::new(Manner::Worker);
        let waits: Vec<_> = (0..9).map(|_| wait(&mut worker, NOW, 0.5)).collect();
        let seconds: Vec<_> = waits.iter().map(|wait| wait / 1_000).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 180]);
        for (luck, first) in [(0.0, 800), (0.5, 1_000)] {
            assert_eq!(wait(&mut Redial::new(Manner::Worker), NOW, luck), first);
        }
        let mut page = Redial::new(Manner::Page);
        let waits: Vec<_> = (0..3).map(|_| wait(&mut page, NOW, 0.0)).collect();
        assert_eq!(waits, [250, 250, 250]);
        assert_eq!(wait(&mut page, NOW, 0.5), 2_125);
    }

    #[test]
    fn only_what_stood_makes_waits_short_again_and_a_hint_wins() {
        let mut redial = Redial::new(Manner::Worker);
        for _ in 0..4 {
            wait(&mut redial, NOW, 0.5);
        }
        redial.up(NOW);
        assert_eq!(
            wait(&mut redial, NOW + Duration::from_secs(29), 0.5),
            16_000
        );
        redial.up(NOW);
        assert_eq!(wait(&mut redial, NOW + STEADY, 0.5), 1_000);
        let hint = Duration::from_millis(70);
        assert_eq!(redial.down(NOW, 0.5, hint), hint);
        assert_eq!(redial.down(NOW, 0.5, Duration::MAX), HINT_MAX);
    }
}
