//! How fast the channels of one organisation may carry bytes. Nothing is lost: whoever carried too
//! much is read later, and its own socket or stream makes it wait.
//!
//! | here | is |
//! |---|---|
//! | [`Pace`] | BRAIN: one organisation's bucket |
//! | [`Paces`] | which channel is whose, for sessions and links that must not wait |
//! | [`Brake`], [`Braked`] | what holds the reading of one connection |

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use dashmap::DashMap;
use futures_util::{Stream, StreamExt as _};
use schema::ids::{ChannelId, OrganisationId};
use tokio::time::Sleep;

/// What may come at once, as time at the pace.
const BURST: Duration = Duration::from_secs(1);
/// One wait is no longer: then at least one message is read.
const STEP: Duration = Duration::from_secs(1);
/// What is owed is remembered for no longer.
const DEBT_MAX: Duration = Duration::from_secs(10);

/// One organisation's bucket.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes within a second; 0 for no limit.
    rate: AtomicU64,
    /// What was carried is paid for by then.
    paid: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) const fn new(rate: u64) -> Self {
        Self {
            rate: AtomicU64::new(rate),
            paid: Mutex::new(None),
        }
    }

    pub(crate) fn set(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// So many bytes were read: how long to wait before more are.
    pub(crate) fn charge(&self, bytes: usize, now: Instant) -> Duration {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return Duration::ZERO;
        }
        let cost = (bytes as u64).saturating_mul(1_000_000) / rate;
        let cost = Duration::from_micros(cost).min(DEBT_MAX);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let until = paid.map_or(now, |paid| paid.max(now)) + cost;
        let until = until.min(now + BURST + DEBT_MAX);
        *paid = Some(until);
        let owed = until.saturating_duration_since(now);
        owed.saturating_sub(BURST).min(STEP)
    }
}

/// The paces of one Hub. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paces(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    organisations: DashMap<OrganisationId, Weak<Pace>>,
    channels: DashMap<ChannelId, Arc<Pace>>,
}

impl Paces {
    /// A channel of this organisation begins, or was authorised anew.
    pub(crate) fn came(&self, channel: ChannelId, organisation: &OrganisationId, rate: u64) {
        let mut known = self
            .0
            .organisations
            .entry(organisation.clone())
            .or_default();
        let pace = known.upgrade().unwrap_or_else(|| {
            let pace = Arc::new(Pace::new(rate));
            *known = Arc::downgrade(&pace);
            pace
        });
        pace.set(rate);
        self.0.channels.insert(channel, pace);
    }

    /// A channel ended.
    pub(crate) fn went(&self, channel: &ChannelId) {
        self.0.channels.remove(channel);
    }

    /// The pace of a channel, which its connections keep.
    pub(crate) fn of(&self, channel: &ChannelId) -> Option<Arc<Pace>> {
        self.0.channels.get(channel).map(|pace| Arc::clone(&pace))
    }

    /// Changes the pace of channels that run.
    pub(crate) fn set(&self, organisation: &OrganisationId, rate: u64) {
        let pace = self.0.organisations.get(organisation);
        if let Some(pace) = pace.and_then(|pace| pace.upgrade()) {
            pace.set(rate);
        }
    }
}

/// What holds the reading of one connection. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Brake(Rc<RefCell<Option<Pin<Box<Sleep>>>>>);

impl Brake {
    /// Nothing more is read for so long.
    pub(crate) fn press(&self, wait: Duration) {
        if !wait.is_zero() {
            *self.0.borrow_mut() = Some(Box::pin(tokio::time::sleep(wait)));
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut held = self.0.borrow_mut();
        if let Some(sleep) = held.as_mut() {
            ready!(sleep.as_mut().poll(cx));
            *held = None;
        }
        Poll::Ready(())
    }
}

/// A connection's messages, as fast as its brake lets them come.
pub(crate) struct Braked<S> {
    stream: S,
    brake: Brake,
}

impl<S> Braked<S> {
    pub(crate) const fn new(stream: S, brake: Brake) -> Self {
        Self { stream, brake }
    }
}

impl<S: Stream + Unpin> Stream for Braked<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        ready!(self.brake.poll(cx));
        self.stream.poll_next_unpin(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_is_more_waits_until_it_is_paid() {
        let (pace, now) = (Pace::new(1_000), crate::clock::now());
        assert_eq!(pace.charge(1_000, now), Duration::ZERO);
        assert_eq!(pace.charge(500, now), Duration::from_millis(500));
        let later = now + Duration::from_millis(500);
        assert_eq!(pace.charge(100, later), Duration::from_millis(100));
        let rested = now + Duration::from_secs(60);
        assert_eq!(
            pace.charge(1_000, rested),
            Duration::ZERO,
            "it is full again"
        );
    }

    #[test]
    fn one_wait_is_no_longer_than_a_second_and_a_debt_is_forgotten() {
        let (pace, now) = (Pace::new(1), crate::clock::now());
        for _ in 0..10 {
            assert_eq!(pace.charge(1_000_000, now), STEP);
        }
        let later = now + BURST + DEBT_MAX;
        pace.set(1_000);
        assert_eq!(pace.charge(1_000, later), Duration::ZERO);
        pace.set(0);
        assert_eq!(pace.charge(usize::MAX, later), Duration::ZERO);
    }

    #[test]
    fn all_channels_of_an_organisation_share_one_pace_that_can_be_changed() {
        let paces = Paces::default();
        let organisation = OrganisationId::parse("o").unwrap();
        let channels = [1, 2].map(|byte| ChannelId::from_bytes([byte; 16]));
        channels
            .iter()
            .for_each(|channel| paces.came(*channel, &organisation, 1_000));
        let [first, second] = channels.map(|channel| paces.of(&channel).unwrap());
        let now = crate::clock::now();
        assert_eq!(first.charge(1_000, now), Duration::ZERO);
        assert!(second.charge(1_000, now) > Duration::ZERO);
        paces.set(&organisation, 0);
        assert_eq!(first.charge(1_000_000, now), Duration::ZERO);
        channels.iter().for_each(|channel| paces.went(channel));
        assert!(paces.of(&channels[0]).is_none());
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test measures paused time")]
    async fn a_brake_holds_the_next_message_and_loses_none() {
        let brake = Brake::default();
        let messages = futures_util::stream::iter([1, 2, 3]);
        let mut braked = Braked::new(messages, brake.clone());
        assert_eq!(braked.next().await, Some(1));
        brake.press(Duration::from_millis(700));
        let began = tokio::time::Instant::now();
        assert_eq!(braked.next().await, Some(2));
        assert!(began.elapsed() >= Duration::from_millis(700));
        assert_eq!(braked.next().await, Some(3));
        assert!(began.elapsed() < Duration::from_millis(800));
    }
}
