//! A thread that hands out arrivals when they are due. It waits for nobody: timers of a runtime
//! are a millisecond coarse, and a sender that is late must not make the next one late.

use std::thread;

use anyhow::Context as _;
use tokio::sync::{mpsc::Sender, mpsc::error::TrySendError, oneshot};

use crate::{clock::Clock, schedule::Arrival};

/// What became of the arrivals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Paced {
    /// All.
    pub(crate) arrivals: u64,
    /// Their sender's queue was full.
    pub(crate) dropped: u64,
    /// Their sender had gone: its channel broke.
    pub(crate) orphaned: u64,
}

/// Runs the schedule to its end. The queues are closed then, or when nobody waits any more.
pub(crate) async fn pace(
    clock: Clock,
    schedule: impl Iterator<Item = Arrival> + Send + 'static,
    queues: Vec<Sender<Arrival>>,
) -> anyhow::Result<Paced> {
    let (done, paced) = oneshot::channel();
    let pacer = thread::Builder::new().name("pacer".to_owned());
    // It ends with the schedule, which has an end, or with who waits.
    pacer.spawn(move || {
        let mut sums = Paced::default();
        for arrival in schedule {
            let wait = clock.until(arrival.at);
            if !wait.is_zero() {
                thread::sleep(wait);
            }
            if done.is_closed() {
                return;
            }
            sums.hand_out(arrival, &queues);
        }
        drop(queues);
        // Who waits may have gone in this moment.
        let _ = done.send(sums);
    })?;
    paced.await.context("the pacer ended early")
}

impl Paced {
    fn hand_out(&mut self, arrival: Arrival, queues: &[Sender<Arrival>]) {
        self.arrivals += 1;
        match queues
            .get(arrival.channel)
            .map(|queue| queue.try_send(arrival))
        {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => self.dropped += 1,
            Some(Err(TrySendError::Closed(_))) | None => self.orphaned += 1,
        }
    }
}
