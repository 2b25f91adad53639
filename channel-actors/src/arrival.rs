//! A frame on its way from a socket to its channel.

use schema::frame::Frame;

use crate::{figures, relay::Dropped};

/// A frame in a Channel's mailbox. One that never comes out of it is counted, so that what came in
/// is what went out and what was discarded.
#[derive(Debug)]
pub(crate) struct Arrival {
    frame: Option<Frame>,
}

impl Arrival {
    pub(crate) fn take(mut self) -> Option<Frame> {
        self.frame.take()
    }
}

impl From<Frame> for Arrival {
    fn from(frame: Frame) -> Self {
        Self { frame: Some(frame) }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.frame.is_some() {
            figures::dropped(Dropped::Undelivered);
        }
    }
}
