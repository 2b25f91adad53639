//! The queue from a Link to its Worker, which tonic drains as the Worker reads.
//!
//! It has no bound of its own and needs none: a frame holds its place in its channel's lane until
//! tonic takes it, and everything else is counted. Link and tonic share it, since tonic keeps its
//! end for as long as a Worker that does not read keeps its connection: what the Link does not
//! want to be held any longer it takes out itself.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use channel_actors::lane::Passing;
use futures_util::Stream;
use schema::wire::to_worker;

/// Control messages that may wait for the Worker to read; one that reads holds none for long.
const CONTROLS_MAX: usize = 8_192;
/// Bytes of them: a renewal of 3,192 bytes for each of 4,096 channels, and the rest of it.
const CONTROL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// With so many parcels it is worth looking whether frames are gone from their lanes.
const SWEEP_MIN: usize = 16_384;

/// A queue's two ends.
pub(crate) fn pair() -> (Outbox, Outgoing) {
    let shared = Arc::new(Mutex::new(Queue::default()));
    let outgoing = Outgoing {
        queue: Arc::clone(&shared),
    };
    (Outbox { queue: shared }, outgoing)
}

#[derive(Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    controls: usize,
    control_bytes: usize,
    /// So many parcels are too many if nothing is in them.
    sweep_at: usize,
    /// Nothing more comes in.
    closed: bool,
    /// tonic's end is gone.
    abandoned: bool,
    waker: Option<Waker>,
}

enum Parcel {
    /// Its fence is asked when tonic takes it.
    Frame(Passing),
    Control(to_worker::Body),
}

impl Queue {
    /// The next message that may go out.
    fn take(&mut self) -> Option<to_worker::Body> {
        loop {
            match self.parcels.pop_front()? {
                Parcel::Frame(passing) => {
                    if let Some(frame) = passing.pass() {
                        return Some(to_worker::Body::Relay(frame.into_bytes()));
                    }
                }
                Parcel::Control(body) => {
                    self.controls -= 1;
                    self.control_bytes -= size(&body);
                    return Some(body);
                }
            }
        }
    }

    fn push(&mut self, parcel: Parcel) {
        if self.parcels.len() >= self.sweep_at {
            self.sweep();
        }
        self.parcels.push_back(parcel);
        self.wake();
    }

    /// Throws the envelopes away whose channels have let go of their frames: a Worker that does not
    /// read would leave them here for ever.
    fn sweep(&mut self) {
        self.parcels.retain(|parcel| match parcel {
            Parcel::Frame(passing) => passing.waits(),
            Parcel::Control(_) => true,
        });
        self.sweep_at = SWEEP_MIN.max(2 * self.parcels.len());
    }

    fn clear(&mut self) {
        self.parcels = VecDeque::new();
        (self.controls, self.control_bytes) = (0, 0);
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The queue towards tonic. Dropping it lets the queue be sent out and ends the stream.
pub(crate) struct Outbox {
    queue: Arc<Mutex<Queue>>,
}

/// The Worker reads too slowly, or is gone.
pub(crate) struct Stuck;

impl Outbox {
    /// Frames are bounded by their lanes.
    pub(crate) fn frame(&self, passing: Passing) -> Result<(), Stuck> {
        let mut queue = lock(&self.queue);
        if queue.abandoned {
            return Err(Stuck);
        }
        queue.push(Parcel::Frame(passing));
        Ok(())
    }

    /// The rest is bounded by count, and by its bytes.
    pub(crate) fn say(&self, body: to_worker::Body) -> Result<(), Stuck> {
        let mut queue = lock(&self.queue);
        let bytes = queue.control_bytes + size(&body);
        if queue.abandoned || queue.controls >= CONTROLS_MAX || bytes > CONTROL_BYTES_MAX {
            return Err(Stuck);
        }
        queue.controls += 1;
        queue.control_bytes = bytes;
        queue.push(Parcel::Control(body));
        Ok(())
    }

    /// Takes the frames back, whatever was said stays.
    pub(crate) fn drop_frames(&self) {
        let is_control = |parcel: &Parcel| matches!(parcel, Parcel::Control(_));
        lock(&self.queue).parcels.retain(is_control);
    }

    /// Takes everything back, once called.
    pub(crate) fn cutter(&self) -> impl FnOnce() + Send + use<> {
        let queue = Arc::clone(&self.queue);
        move || {
            let mut queue = lock(&queue);
            queue.clear();
            queue.wake();
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        queue.wake();
    }
}

/// What tonic sends to the Worker; it ends when the Link does.
pub(crate) struct Outgoing {
    queue: Arc<Mutex<Queue>>,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.abandoned = true;
        queue.clear();
    }
}

impl Stream for Outgoing {
    type Item = to_worker::Body;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<to_worker::Body>> {
        let mut queue = lock(&self.queue);
        if let Some(body) = queue.take() {
            return Poll::Ready(Some(body));
        }
        if queue.closed {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

const fn size(body: &to_worker::Body) -> usize {
    match body {
        to_worker::Body::Relay(raw) => raw.len(),
        // Some words each.
        to_worker::Body::Welcome(_)
        | to_worker::Body::Heartbeat(_)
        | to_worker::Body::Goodbye(_) => 0,
    }
}

/// No code that holds the lock can panic half-way.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use channel_actors::{fence::Fence, lane::Lane, relay::Dropped};
    use futures_util::StreamExt as _;
    use schema::{frame::Frame, ids::ChannelId, wire::Heartbeat};

    use super::*;

    fn frame(lane: &mut Lane) -> Passing {
        let id = ChannelId::from_bytes([7; 16]);
        let frame = Frame::new(id, 0, 1, 0, &[0xAB; 17]);
        lane.enter(frame, crate::clock::now()).unwrap()
    }

    fn lane() -> (Fence, Lane) {
        let fence = Fence::new();
        (fence.clone(), Lane::new(fence, 8, 1_000_000))
    }

    #[tokio::test]
    async fn no_frame_leaves_after_its_fence_has_fallen() {
        let (outbox, mut outgoing) = pair();
        let (fence, mut lane) = lane();
        (0..4).for_each(|_| assert!(outbox.frame(frame(&mut lane)).is_ok()));
        assert!(outgoing.next().await.is_some());
        fence.fall();
        assert!(outbox.say(heartbeat()).is_ok());
        assert_eq!(outgoing.next().await, Some(heartbeat()));
        assert_eq!(lane.waiting(), 0);
    }

    #[tokio::test]
    async fn what_nobody_reads_is_taken_back_and_the_goodbye_last() {
        let (outbox, mut outgoing) = pair();
        let (_fence, mut lane) = lane();
        (0..4).for_each(|_| assert!(outbox.frame(frame(&mut lane)).is_ok()));
        assert!(outbox.say(heartbeat()).is_ok());
        outbox.drop_frames();
        assert_eq!(lane.waiting(), 0);
        assert_eq!(lock(&outgoing.queue).parcels.len(), 1);
        let cut = outbox.cutter();
        drop(outbox);
        cut();
        assert!(outgoing.next().await.is_none());
    }

    #[tokio::test]
    async fn a_link_whose_stream_is_gone_is_told() {
        let (outbox, outgoing) = pair();
        let (_fence, mut lane) = lane();
        assert!(outbox.frame(frame(&mut lane)).is_ok());
        drop(outgoing);
        assert_eq!(lane.waiting(), 0);
        assert!(outbox.frame(frame(&mut lane)).is_err() && outbox.say(heartbeat()).is_err());
    }

    #[tokio::test]
    async fn a_stream_that_waits_is_woken() {
        let (outbox, mut outgoing) = pair();
        let saying = async {
            tokio::task::yield_now().await;
            assert!(outbox.say(heartbeat()).is_ok());
        };
        let (read, ()) = tokio::join!(outgoing.next(), saying);
        assert!(read.is_some());
    }

    fn heartbeat() -> to_worker::Body {
        to_worker::Body::Heartbeat(Heartbeat { nonce: 1 })
    }

    #[tokio::test]
    async fn what_is_read_gives_its_place_back() {
        let (outbox, mut outgoing) = pair();
        for _ in 0..CONTROLS_MAX {
            assert!(outbox.say(heartbeat()).is_ok());
        }
        assert!(outbox.say(heartbeat()).is_err());
        assert!(outgoing.next().await.is_some());
        assert!(outbox.say(heartbeat()).is_ok());
    }

    #[tokio::test]
    async fn what_is_said_is_bounded_by_its_bytes_too() {
        let (outbox, mut outgoing) = pair();
        let large = || to_worker::Body::Relay(vec![0; CONTROL_BYTES_MAX / 4].into());
        (0..4).for_each(|_| assert!(outbox.say(large()).is_ok()));
        assert!(outbox.say(large()).is_err() && outbox.say(heartbeat()).is_ok());
        assert!(outgoing.next().await.is_some());
        assert!(outbox.say(large()).is_ok());
    }

    #[test]
    fn envelopes_that_nothing_is_in_do_not_pile_up() {
        let (outbox, outgoing) = pair();
        for _ in 0..2 * SWEEP_MIN {
            let (_fence, mut lane) = lane();
            assert!(outbox.frame(frame(&mut lane)).is_ok());
            lane.release(Dropped::Overrun);
        }
        assert!(lock(&outgoing.queue).parcels.len() <= SWEEP_MIN);
    }

    #[tokio::test]
    async fn the_stream_ends_with_its_link_once_all_is_read() {
        let (outbox, mut outgoing) = pair();
        assert!(outbox.say(heartbeat()).is_ok());
        drop(outbox);
        assert!(outgoing.next().await.is_some());
        assert!(outgoing.next().await.is_none());
    }
}
