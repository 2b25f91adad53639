//! Where frames wait for their socket: one lane for each direction of a channel.
//!
//! A socket that many channels share may stand still for long, and what waits for it may stand in
//! mailboxes that nobody empties meanwhile. So the frames stand in their lane, and only envelopes
//! without them travel: places and bytes are counted per channel, hence one slow connection holds
//! no more of each than its window, and a channel that has to go lets its memory go at once,
//! whatever its socket does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use schema::frame::Frame;

use crate::{
    budget::{Account, Holding},
    fence::Fence,
    figures::{self, PassedOn},
    relay::{Dropped, Side},
};

/// What a frame costs beside its bytes, on its channel's account: its slot, its envelope and the
/// mailbox that this is in. Without it, a budget of the smallest frames would be five times as large.
const PLACE_BYTES: usize = 256;
/// Places that an empty lane keeps at most.
const PLACES_KEPT: usize = 64;

/// One direction of a channel behind the Hub's judgement: a fence, so many places, and so many
/// bytes. Places alone would hold 285 MB of the largest frames.
pub struct Lane {
    fence: Fence,
    shared: Arc<Shared>,
    places: usize,
    bytes: usize,
    /// The one whose wait is measured,
    marked: Option<Mark>,
    /// and the one after it that is next.
    newest: Option<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    number: u64,
    since: Instant,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    passed_on: PassedOn,
    /// None for a lane by itself.
    account: Option<Arc<Account>>,
}

/// What waits, by number.
#[derive(Default)]
struct Queue {
    /// The number of what is in front.
    front: u64,
    frames: VecDeque<Option<Frame>>,
    bytes: usize,
    released: bool,
}

impl Queue {
    /// Its number, if there was room.
    fn push(&mut self, frame: Frame, places: usize, bytes: usize) -> Option<u64> {
        let size = frame.as_bytes().len();
        if self.released || self.frames.len() >= places || self.bytes + size > bytes {
            return None;
        }
        let number = self.front + self.frames.len() as u64;
        self.frames.push_back(Some(frame));
        self.bytes += size;
        Some(number)
    }

    fn take(&mut self, number: u64) -> Option<Frame> {
        let at = usize::try_from(number.checked_sub(self.front)?).ok()?;
        let frame = self.frames.get_mut(at)?.take();
        while let Some(None) = self.frames.front() {
            self.frames.pop_front();
            self.front += 1;
        }
        if self.frames.is_empty() && self.frames.capacity() > PLACES_KEPT {
            self.frames = VecDeque::new();
        }
        self.bytes -= frame.as_ref().map_or(0, |frame| frame.as_bytes().len());
        frame
    }

    fn holds(&self, number: u64) -> bool {
        let at = number.checked_sub(self.front).map(usize::try_from);
        let Some(Ok(at)) = at else { return false };
        matches!(self.frames.get(at), Some(Some(_)))
    }

    fn release(&mut self) -> VecDeque<Option<Frame>> {
        self.released = true;
        self.bytes = 0;
        self.front += self.frames.len() as u64;
        std::mem::take(&mut self.frames)
    }
}

impl Shared {
    fn take(&self, number: u64) -> Option<Frame> {
        let frame = self.lock().take(number)?;
        self.give_back(frame.as_bytes().len());
        Some(frame)
    }

    fn charge(&self, bytes: usize) -> bool {
        let account = self.account.as_ref();
        account.is_none_or(|account| account.take(bytes + PLACE_BYTES))
    }

    fn give_back(&self, bytes: usize) {
        if let Some(account) = &self.account {
            account.give_back(bytes + PLACE_BYTES);
        }
    }

    fn release(&self, why: Dropped) {
        let frames = self.lock().release();
        for frame in frames.into_iter().flatten() {
            self.give_back(frame.as_bytes().len());
            figures::dropped(why);
        }
    }

    /// No code that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding for Shared {
    fn let_go(&self) {
        self.release(Dropped::Overrun);
    }
}

impl Lane {
    /// A lane for `places` frames that wait for their socket, of `bytes` together.
    #[must_use]
    pub fn new(fence: Fence, places: usize, bytes: usize) -> Self {
        Self::of(Shared::default(), fence, places, bytes)
    }

    /// The same, whose frames are counted as they leave it, and whose bytes are on an account.
    #[must_use]
    pub(crate) fn toward(
        side: Side,
        account: Arc<Account>,
        fence: Fence,
        places: usize,
        bytes: usize,
    ) -> Self {
        let shared = Shared {
            passed_on: PassedOn::toward(side),
            account: Some(Arc::clone(&account)),
            ..Shared::default()
        };
        let lane = Self::of(shared, fence, places, bytes);
        let shared = Arc::downgrade(&lane.shared);
        account.enrol(shared);
        lane
    }

    fn of(shared: Shared, fence: Fence, places: usize, bytes: usize) -> Self {
        Self {
            fence,
            shared: Arc::new(shared),
            places,
            bytes,
            marked: None,
            newest: None,
        }
    }

    /// From now on frames enter under another fence; those that wait stay under theirs.
    pub fn go_under(&mut self, fence: Fence) {
        self.fence = fence;
    }

    /// Takes a frame in; none when there is no place for it, or it is too large beside those that
    /// wait.
    #[must_use]
    pub fn enter(&mut self, frame: Frame, now: Instant) -> Option<Passing> {
        let size = frame.as_bytes().len();
        if !self.shared.charge(size) {
            return None;
        }
        let mut queue = self.shared.lock();
        let front = queue.front;
        let entered = queue.push(frame, self.places, self.bytes);
        drop(queue);
        let Some(number) = entered else {
            self.shared.give_back(size);
            return None;
        };
        self.mark(number, front, now);
        Some(Passing {
            fence: self.fence.clone(),
            shared: Arc::clone(&self.shared),
            number: Some(number),
        })
    }

    /// One frame at a time is measured; when it has left, the next that enters is.
    fn mark(&mut self, number: u64, front: u64, now: Instant) {
        let since = now;
        self.newest = Some(Mark { number, since });
        if self.marked.is_none_or(|marked| marked.number < front) {
            self.marked = self.newest;
        }
    }

    /// When [`is_overdue`](Self::is_overdue) wants to be asked, for frames that may wait for
    /// `patience`.
    #[must_use]
    pub fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.marked.map(|marked| marked.since + patience)
    }

    /// Whether a frame has waited for longer than `patience`. It is found out before it has waited
    /// twice as long.
    pub fn is_overdue(&mut self, patience: Duration, now: Instant) -> bool {
        let mut queue = self.shared.lock();
        let front = queue.front;
        if queue.frames.is_empty() {
            queue.frames = VecDeque::new();
        }
        drop(queue);
        let waits = |mark: &Mark| mark.number >= front;
        self.marked = self
            .marked
            .filter(waits)
            .or_else(|| self.newest.filter(waits));
        self.marked
            .is_some_and(|marked| marked.since + patience <= now)
    }

    /// Lets everything go that waits, wherever its envelopes are, and counts it. Nothing enters
    /// any more.
    pub fn release(&self, why: Dropped) {
        self.shared.release(why);
    }

    /// What waits, for somebody who is to let it go after the lane's owner; none when nothing does.
    pub(crate) fn remains(&self) -> Option<Arc<dyn Holding>> {
        let shared = Arc::clone(&self.shared);
        (self.waiting() > 0).then_some(shared as Arc<dyn Holding>)
    }

    /// Frames that wait for their socket.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().frames.len()
    }
}

/// The envelope of a frame that waits in its lane. One that is never opened is counted as unsent.
pub struct Passing {
    fence: Fence,
    shared: Arc<Shared>,
    /// None when the frame was taken.
    number: Option<u64>,
}

impl Passing {
    /// Takes the frame out of its lane, unless the fence has fallen or the channel has let it go
    /// meanwhile. Its place is given back, so call this when the socket has room for it.
    #[must_use]
    pub fn pass(mut self) -> Option<Frame> {
        let frame = self.take()?;
        if self.fence.is_down() {
            figures::dropped(Dropped::Revoked);
            return None;
        }
        self.shared.passed_on.count(frame.ciphertext().len());
        Some(frame)
    }

    /// Whether its frame still waits. An envelope whose channel has let go of it may be thrown away.
    #[must_use]
    pub fn waits(&self) -> bool {
        let queue = self.shared.lock();
        self.number.is_some_and(|number| queue.holds(number))
    }

    fn take(&mut self) -> Option<Frame> {
        self.shared.take(self.number.take()?)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if self.take().is_some() {
            figures::dropped(if self.fence.is_down() {
                Dropped::Revoked
            } else {
                Dropped::Unsent
            });
        }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
