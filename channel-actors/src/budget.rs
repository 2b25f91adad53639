//! What waits in all lanes of a Hub together, and who has to go when it is too much.
//!
//! Each lane has a bound of its own, and many lanes that are full would still be more memory than a
//! Hub has. So their bytes are counted in one sum; when it is exceeded, the channel that holds the
//! most is closed, and not the one that happened to send.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use metrics::counter;

use crate::figures::EVICTIONS;

/// Bytes that may wait for all sockets of a Hub together.
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    last: u64,
    holders: BTreeMap<u64, Holder>,
}

#[derive(Clone)]
struct Holder {
    held: Arc<Held>,
    evict: Arc<dyn Fn() + Send + Sync>,
}

/// What one channel holds.
#[derive(Default)]
struct Held {
    bytes: AtomicUsize,
    evicted: AtomicBool,
    holdings: Mutex<Vec<Weak<dyn Holding>>>,
}

/// Where bytes of an account wait.
pub(crate) trait Holding: Send + Sync {
    /// Lets them all go, wherever their envelopes are; nothing enters any more.
    fn let_go(&self);
}

/// One channel's part of a [`Budget`]. Kept by its lanes, and by every frame in them.
pub(crate) struct Account {
    budget: Arc<Budget>,
    number: u64,
    held: Arc<Held>,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            books: Mutex::default(),
        }
    }

    /// An account; `evict` is called at most once, and must only pass the word on.
    pub(crate) fn open(self: &Arc<Self>, evict: impl Fn() + Send + Sync + 'static) -> Arc<Account> {
        let (held, evict) = (Arc::<Held>::default(), Arc::new(evict));
        let mut books = self.lock();
        books.last += 1;
        let number = books.last;
        let holder = Holder {
            held: Arc::clone(&held),
            evict,
        };
        books.holders.insert(number, holder);
        drop(books);
        let budget = Arc::clone(self);
        Arc::new(Account {
            budget,
            number,
            held,
        })
    }

    /// Bytes that wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Lets the largest holder go, unless what those hold who are on their way is enough. Its bytes
    /// come back here and now: its channel may have ended, and its socket take nothing.
    fn relieve(&self) {
        let largest = self.largest();
        if let Some(Holder { held, evict }) = largest
            && !held.evicted.swap(true, Ordering::AcqRel)
        {
            counter!(EVICTIONS).increment(1);
            held.let_go();
            evict();
        }
    }

    fn largest(&self) -> Option<Holder> {
        let books = self.lock();
        let (leaving, staying): (Vec<_>, Vec<_>) = books
            .holders
            .values()
            .partition(|holder| holder.held.evicted.load(Ordering::Acquire));
        let leaving: usize = leaving.iter().map(|holder| holder.held.bytes()).sum();
        if self.held().saturating_sub(leaving) <= self.limit {
            return None;
        }
        staying
            .into_iter()
            .max_by_key(|holder| holder.held.bytes())
            .cloned()
    }

    /// No code that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    fn holdings(&self) -> MutexGuard<'_, Vec<Weak<dyn Holding>>> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn let_go(&self) {
        let holdings = std::mem::take(&mut *self.holdings());
        let living = holdings.iter().filter_map(Weak::upgrade);
        living.for_each(|holding| holding.let_go());
    }
}

impl Account {
    /// What is to let go of its bytes when the channel is evicted.
    pub(crate) fn enrol(&self, holding: Weak<dyn Holding>) {
        let mut holdings = self.held.holdings();
        holdings.retain(|known| known.strong_count() > 0);
        holdings.push(holding);
    }

    /// Takes so many bytes; false for a channel that has to go. May have another one evicted.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        if self.held.evicted.load(Ordering::Acquire) {
            return false;
        }
        self.held.bytes.fetch_add(bytes, Ordering::AcqRel);
        let before = self.budget.held.fetch_add(bytes, Ordering::AcqRel);
        if before + bytes > self.budget.limit {
            self.budget.relieve();
        }
        true
    }

    /// Gives them back.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.held.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.budget.held.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let holder = self.budget.lock().holders.remove(&self.number);
        // Outside the lock: it holds what its owner put into it.
        drop(holder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(budget: &Arc<Budget>) -> (Arc<Account>, Arc<AtomicUsize>) {
        let told = Arc::<AtomicUsize>::default();
        let telling = Arc::clone(&told);
        let account = budget.open(move || {
            telling.fetch_add(1, Ordering::AcqRel);
        });
        (account, told)
    }

    fn times(told: &AtomicUsize) -> usize {
        told.load(Ordering::Acquire)
    }

    #[test]
    fn the_largest_holder_goes_and_not_the_one_that_sends() {
        let budget = Arc::new(Budget::new(100));
        let ((wedged, told), (honest, spared)) = (account(&budget), account(&budget));
        assert!(wedged.take(80) && honest.take(20));
        assert_eq!((times(&told), times(&spared)), (0, 0));
        assert!(honest.take(1), "the sender is not the culprit");
        assert_eq!((times(&told), times(&spared)), (1, 0));
        assert!(!wedged.take(1), "who has to go takes nothing more");
    }

    #[test]
    fn one_goes_at_a_time_while_what_it_holds_is_on_its_way_back() {
        let budget = Arc::new(Budget::new(100));
        let ((wedged, told), (honest, spared)) = (account(&budget), account(&budget));
        assert!(wedged.take(90) && honest.take(20));
        assert!(honest.take(70));
        assert_eq!((times(&told), times(&spared)), (1, 0), "90 are leaving");
        assert!(honest.take(20));
        assert_eq!(times(&spared), 1, "110 are not");
        wedged.give_back(90);
        honest.give_back(110);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn who_goes_leaves_the_books() {
        let budget = Arc::new(Budget::new(100));
        let (gone, _) = account(&budget);
        assert_eq!(budget.lock().holders.len(), 1);
        drop(gone);
        assert_eq!(budget.lock().holders.len(), 0);
    }
}
