//! What stops a frame that is already on its way.
//!
//! After a revocation not one more frame of the channel may pass, also not one that waits in the
//! mailbox of a socket whose peer has stopped reading. So a frame travels with a [`Passage`], and
//! whoever takes it out of its envelope asks the fence first. The passage is also the frame's
//! place in the channel's window: places are counted per channel, hence one slow connection that
//! many channels share holds no more of each than its window.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use schema::frame::Frame;

use crate::{
    budget::Account,
    figures::{self, PassedOn},
    relay::{Dropped, Side},
};

/// A flag that falls once. The Registry lets it fall first and says goodbye second.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    down: Arc<AtomicBool>,
}

impl Fence {
    /// A fence that is up: frames pass.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing passes. It cannot be raised again.
    pub fn fall(&self) {
        self.down.store(true, Ordering::Release);
    }

    /// Whether it has fallen.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }
}

/// One direction of a channel behind the Hub's judgement: a fence, so many places, and so many
/// bytes. Places alone would hold 285 MB of the largest frames.
pub struct Lane {
    fence: Fence,
    taken: Arc<Taken>,
    places: usize,
    bytes: usize,
}

#[derive(Default)]
struct Taken {
    places: AtomicUsize,
    bytes: AtomicUsize,
    passed_on: PassedOn,
    /// None for a lane by itself.
    account: Option<Arc<Account>>,
}

impl Lane {
    /// A lane for `places` frames that wait for their socket, of `bytes` together.
    #[must_use]
    pub fn new(fence: Fence, places: usize, bytes: usize) -> Self {
        Self {
            fence,
            taken: Arc::default(),
            places,
            bytes,
        }
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
        let taken = Arc::new(Taken {
            passed_on: PassedOn::toward(side),
            account: Some(account),
            ..Taken::default()
        });
        Self {
            fence,
            taken,
            places,
            bytes,
        }
    }

    /// From now on frames enter under another fence; those that wait stay under theirs.
    pub fn go_under(&mut self, fence: Fence) {
        self.fence = fence;
    }

    /// Takes a place for one frame of so many bytes; none when there is none, or they are too
    /// many with those that wait.
    #[must_use]
    pub fn enter(&self, bytes: usize) -> Option<Passage> {
        // Only the Channel actor enters, so between the steps the numbers can only fall.
        let places = self.taken.places.load(Ordering::Acquire);
        let held = self.taken.bytes.load(Ordering::Acquire);
        if places >= self.places || held + bytes > self.bytes {
            return None;
        }
        let account = self.taken.account.as_ref();
        if account.is_some_and(|account| !account.take(bytes)) {
            return None;
        }
        self.taken.places.fetch_add(1, Ordering::AcqRel);
        self.taken.bytes.fetch_add(bytes, Ordering::AcqRel);
        Some(Passage {
            fence: self.fence.clone(),
            taken: self.taken.clone(),
            bytes,
        })
    }

    /// Frames that wait for their socket.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.taken.places.load(Ordering::Acquire)
    }
}

/// A frame's place. Dropping it gives the place back, so keep it until the socket has the frame.
pub struct Passage {
    fence: Fence,
    taken: Arc<Taken>,
    bytes: usize,
}

impl Passage {
    /// Whether the frame may still go out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.fence.is_down()
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.taken.places.fetch_sub(1, Ordering::AcqRel);
        self.taken.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        if let Some(account) = &self.taken.account {
            account.give_back(self.bytes);
        }
    }
}

/// A frame in its envelope. One that is never taken out is counted as unsent.
pub struct Passing {
    inside: Option<(Frame, Passage)>,
}

impl Passing {
    /// Puts a frame into its envelope.
    #[must_use]
    pub const fn new(frame: Frame, passage: Passage) -> Self {
        let inside = Some((frame, passage));
        Self { inside }
    }

    /// Takes it out, unless the fence has fallen meanwhile.
    #[must_use]
    pub fn pass(mut self) -> Option<(Frame, Passage)> {
        let (frame, passage) = self.inside.take()?;
        if !passage.is_open() {
            figures::dropped(Dropped::Revoked);
            return None;
        }
        passage.taken.passed_on.count(frame.ciphertext().len());
        Some((frame, passage))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Some((_, passage)) = &self.inside {
            let fell = !passage.is_open();
            figures::dropped(if fell {
                Dropped::Revoked
            } else {
                Dropped::Unsent
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_so_many_places_and_takes_them_back() {
        let lane = Lane::new(Fence::new(), 2, 100);
        let first = lane.enter(1);
        let second = lane.enter(1);
        assert!(first.is_some() && second.is_some() && lane.enter(1).is_none());
        drop(first);
        assert!(lane.enter(1).is_some());
        assert_eq!(lane.waiting(), 1);
    }

    #[test]
    fn a_lane_holds_so_many_bytes_and_takes_them_back() {
        let lane = Lane::new(Fence::new(), 10, 100);
        let first = lane.enter(60);
        assert!(first.is_some() && lane.enter(41).is_none());
        let second = lane.enter(40);
        assert!(second.is_some() && lane.enter(1).is_none());
        drop(first);
        assert!(lane.enter(60).is_some());
    }

    #[test]
    fn a_waiting_frame_does_not_pass_a_fallen_fence() {
        let fence = Fence::new();
        let lane = Lane::new(fence.clone(), 1, 100);
        let frame = Frame::new(
            schema::ids::ChannelId::from_bytes([0; 16]),
            0,
            1,
            0,
            &[0; 17],
        );
        let waiting = lane.enter(47).map(|passage| Passing::new(frame, passage));
        fence.fall();
        assert!(waiting.and_then(Passing::pass).is_none());
        assert_eq!(lane.waiting(), 0);
    }
}
