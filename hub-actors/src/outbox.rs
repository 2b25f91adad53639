//! The queue from a Link to its Worker, which tonic drains as the Worker reads.
//!
//! It has no bound of its own and needs none: a frame holds its place in its channel's window
//! until tonic takes it, and everything else is counted.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use channel_actors::fence::Passage;
use futures_util::Stream;
use schema::wire::{ToWorker as Downstream, to_worker};
use tokio::sync::mpsc;
use tonic::Status;

/// Control messages that may wait for the Worker to read; one that reads holds none for long.
const CONTROLS_MAX: usize = 8_192;

/// A queue's two ends.
pub(crate) fn pair() -> (Outbox, Outgoing) {
    let (queue, outgoing) = mpsc::unbounded_channel();
    (
        Outbox {
            queue,
            controls: Arc::default(),
        },
        Outgoing { queue: outgoing },
    )
}

/// The queue towards tonic.
pub(crate) struct Outbox {
    queue: mpsc::UnboundedSender<Parcel>,
    controls: Arc<AtomicUsize>,
}

/// One message on its way out, and what it holds until tonic takes it.
struct Parcel {
    message: Downstream,
    _hold: Hold,
}

enum Hold {
    Frame { _passage: Passage },
    Control(Arc<AtomicUsize>),
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Self::Control(waiting) = self {
            waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The Worker reads too slowly, or is gone.
pub(crate) struct Stuck;

impl Outbox {
    /// Frames are bounded by their passages, the rest by count.
    pub(crate) fn frame(&self, raw: Bytes, passage: Passage) -> Result<(), Stuck> {
        let message = Downstream {
            body: Some(to_worker::Body::Relay(raw)),
        };
        let parcel = Parcel {
            message,
            _hold: Hold::Frame { _passage: passage },
        };
        self.queue.send(parcel).map_err(|_| Stuck)
    }

    pub(crate) fn say(&self, body: to_worker::Body) -> Result<(), Stuck> {
        if self.controls.fetch_add(1, Ordering::AcqRel) >= CONTROLS_MAX {
            self.controls.fetch_sub(1, Ordering::AcqRel);
            return Err(Stuck);
        }
        let hold = Hold::Control(Arc::clone(&self.controls));
        let parcel = Parcel {
            message: Downstream { body: Some(body) },
            _hold: hold,
        };
        self.queue.send(parcel).map_err(|_| Stuck)
    }
}

/// What tonic sends to the Worker; it ends when the Link does.
pub(crate) struct Outgoing {
    queue: mpsc::UnboundedReceiver<Parcel>,
}

impl Stream for Outgoing {
    type Item = Result<Downstream, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queue
            .poll_recv(cx)
            .map(|parcel| parcel.map(|parcel| Ok(parcel.message)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use schema::wire::Heartbeat;

    use super::*;

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
    async fn the_stream_ends_with_its_link_once_all_is_read() {
        let (outbox, mut outgoing) = pair();
        assert!(outbox.say(heartbeat()).is_ok());
        drop(outbox);
        assert!(outgoing.next().await.is_some());
        assert!(outgoing.next().await.is_none());
    }
}
