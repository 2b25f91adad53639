//! Tells on every path that a channel is no more.

/// How a channel went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It was closed, and whoever had to be told was.
    Closed,
    /// Its actor failed in the middle of something: the client knows nothing yet.
    Failed,
}

/// Goes with its channel, and tells when that goes.
pub(crate) struct Guard {
    gone: Option<Box<dyn FnOnce(Leave) + Send>>,
    leave: Leave,
}

impl Guard {
    pub(crate) fn new(gone: impl FnOnce(Leave) + Send + 'static) -> Self {
        Self {
            gone: Some(Box::new(gone)),
            leave: Leave::Failed,
        }
    }

    /// The channel has said all that it had to say.
    pub(crate) const fn over(&mut self) {
        self.leave = Leave::Closed;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            gone(self.leave);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_channel_that_fails_says_nothing_of_an_end_and_its_guard_tells() {
        let (told, leaves) = mpsc::channel();
        let guard = || {
            let told = told.clone();
            Guard::new(move |leave| told.send(leave).expect("a listener"))
        };
        let mut closed = guard();
        closed.over();
        drop(closed);
        let failing = guard();
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _channel = failing;
            panic!("as a service may");
        }));
        assert!(failed.is_err());
        drop(told);
        assert_eq!(
            leaves.iter().collect::<Vec<_>>(),
            [Leave::Closed, Leave::Failed]
        );
    }
}
