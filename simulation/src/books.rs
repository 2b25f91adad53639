//! The Hub's own figures, read as an operator would, and the sums that they have to keep.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use channel_actors::figures::{
    CHANNELS, CLOSES, OPENS, RELAY_DROPS, RELAY_MESSAGES, RELAY_RECEIVED, RENEWALS,
};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

use crate::{hub::Hub, world::World};

/// What the Session and the Link count, and not the Channel.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) received: u64,
    pub(crate) late: u64,
    pub(crate) foreign: u64,
}

/// All figures of one process, by name and labels.
#[derive(Default)]
pub(crate) struct Figures {
    cells: Mutex<BTreeMap<String, Arc<Cell>>>,
}

#[derive(Default)]
struct Cell {
    count: AtomicU64,
    level: AtomicI64,
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.count.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.count.store(value, Ordering::Relaxed);
    }
}

impl GaugeFn for Cell {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole numbers, and small ones"
    )]
    fn increment(&self, value: f64) {
        self.level.fetch_add(value as i64, Ordering::Relaxed);
    }

    fn decrement(&self, value: f64) {
        GaugeFn::increment(self, -value);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole numbers, and small ones"
    )]
    fn set(&self, value: f64) {
        self.level.store(value as i64, Ordering::Relaxed);
    }
}

thread_local! {
    static OF_THIS_THREAD: &'static Figures = Box::leak(Box::default());
}

impl Figures {
    /// With nothing in them. A recorder has to outlive all that it gave out.
    pub(crate) fn of_this_thread() -> &'static Self {
        let figures = OF_THIS_THREAD.with(|figures| *figures);
        figures
            .cells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        figures
    }

    fn cell(&self, key: &Key) -> Arc<Cell> {
        let mut name = key.name().to_owned();
        for label in key.labels() {
            name.push(' ');
            name.push_str(label.value());
        }
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.entry(name).or_default().clone()
    }

    /// The sum of a name over the labels that fit.
    pub(crate) fn sum(&self, name: &str, fits: impl Fn(&str) -> bool) -> u64 {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = cells.iter().filter_map(|(key, cell)| {
            let label = key.strip_prefix(name)?.trim_start();
            fits(label).then_some(cell)
        });
        of_name.map(|cell| cell.count.load(Ordering::Relaxed)).sum()
    }

    fn level(&self, name: &str) -> i64 {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = cells.iter().filter(|(key, _)| key.starts_with(name));
        of_name
            .map(|(_, cell)| cell.level.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn by_label(&self, name: &str) -> Vec<(String, u64)> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = cells.iter().filter_map(|(key, cell)| {
            let label = key.strip_prefix(name)?.trim_start();
            Some((label.to_owned(), cell.count.load(Ordering::Relaxed)))
        });
        of_name.filter(|(_, count)| *count > 0).collect()
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl World {
    /// What waits in a dying process was received and is not passed on: dropping it says so.
    pub(crate) fn bury_books(&mut self, dead: &mut Hub) {
        dead.sessions
            .values_mut()
            .for_each(|session| session.outgoing.clear());
        dead.links
            .values_mut()
            .for_each(|link| link.outgoing.clear());
    }

    /// Nothing is under way any more: received = passed on + dropped + stray, and
    /// opened + attached = live + closed.
    pub(crate) fn check_sums(&mut self) {
        let all = |_: &str| true;
        let figures = self.figures;
        let received = figures.sum(RELAY_RECEIVED, all);
        let out = figures.sum(RELAY_MESSAGES, all) + figures.sum(RELAY_DROPS, all);
        let strays = self.books.late + self.books.foreign;
        if received != self.books.received || received != out + strays {
            let dropped = figures.by_label(RELAY_DROPS);
            return self.find(&format!(
                "{received} frames in, {out} passed on or dropped, {strays} stray; {dropped:?}"
            ));
        }
        let opened = figures.sum(OPENS, |label| label == "ok")
            + figures.sum(RENEWALS, |label| label == "attached");
        let closed = figures.sum(CLOSES, all);
        let live = figures.level(CHANNELS);
        if live != 0 || opened != closed {
            self.find(&format!(
                "{opened} channels opened or attached, {closed} closed, {live} live"
            ));
        }
    }
}
