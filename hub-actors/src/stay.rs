//! How long a connection of HTTP/2 may stay: as long as it carries a Worker's link, and otherwise
//! not for long. Pings alone keep nobody here.

use std::{
    future::Future as _,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

/// Looks at a connection that has calls under way and no link, before it is let go all the same.
const LOOKS_WITH_CALLS: u32 = 4;

/// What a connection is used for. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uses {
    links: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    /// Where the connection came from; nowhere for a Unix socket.
    peer: Option<IpAddr>,
}

/// One use; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Use(Arc<AtomicUsize>);

impl Uses {
    /// Of a connection from there.
    pub(crate) fn from_peer(peer: Option<IpAddr>) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }

    /// Where the connection came from.
    pub(crate) const fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// For as long as a link lives.
    pub(crate) fn link(&self) -> Use {
        Use::begin(&self.links)
    }

    /// For as long as a call is not answered.
    pub(crate) fn call(&self) -> Use {
        Use::begin(&self.calls)
    }
}

impl Use {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection's time.
pub(crate) struct Stay {
    uses: Uses,
    period: Duration,
    look: Pin<Box<Sleep>>,
    looks_with_calls: u32,
}

impl Stay {
    /// Looks at the uses once a `period`. Needs a runtime.
    pub(crate) fn new(uses: Uses, period: Duration) -> Self {
        Self {
            uses,
            period,
            look: Box::pin(tokio::time::sleep(period)),
            looks_with_calls: 0,
        }
    }

    pub(crate) const fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Ready when the connection has to go.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.look.as_mut().poll(cx).is_ready() {
            if !self.may_stay() {
                return Poll::Ready(());
            }
            self.look = Box::pin(tokio::time::sleep(self.period));
        }
        Poll::Pending
    }

    fn may_stay(&mut self) -> bool {
        let used = |count: &AtomicUsize| count.load(Ordering::Acquire) > 0;
        if used(&self.uses.links) {
            self.looks_with_calls = 0;
            return true;
        }
        self.looks_with_calls += 1;
        used(&self.uses.calls) && self.looks_with_calls < LOOKS_WITH_CALLS
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(30);

    async fn over(stay: &mut Stay, within: Duration) -> bool {
        let over = poll_fn(|cx| stay.poll_over(cx));
        tokio::time::timeout(within, over).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_use_goes_after_one_period() {
        let mut stay = Stay::new(Uses::default(), PERIOD);
        assert!(!over(&mut stay, PERIOD - Duration::from_secs(1)).await);
        assert!(over(&mut stay, Duration::from_secs(2)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_keeps_its_connection_and_its_end_does_not() {
        let mut stay = Stay::new(Uses::default(), PERIOD);
        let link = stay.uses().link();
        assert!(!over(&mut stay, PERIOD * 100).await);
        drop(link);
        assert!(over(&mut stay, PERIOD * 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_a_connection_for_a_while_only() {
        let mut stay = Stay::new(Uses::default(), PERIOD);
        let _call = stay.uses().call();
        assert!(!over(&mut stay, PERIOD * 3).await);
        assert!(over(&mut stay, PERIOD * 2).await);
    }
}
