//! The one way out of the directory.
//!
//! A Channel owns its [`Guard`]; dropping it tells whoever made it that the channel is gone: on
//! stop, panic and abandonment alike.

use schema::ids::ChannelId;

use crate::{
    close::CloseReason,
    relay::{Ending, Side},
    renewals::PathId,
};

/// What became of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelReport {
    /// Which.
    pub channel: ChannelId,
    /// How it ended; `internal` when it died without saying why.
    pub ending: Ending,
    /// The side that broke a rule of the wire, if one did.
    pub offender: Option<Side>,
    /// Whether it was ever live at this Hub.
    pub opened: bool,
    /// The newest epoch that was begun, or asked for.
    pub epoch: u32,
    /// Its client's connection, unless it waited for one.
    pub path: Option<PathId>,
    /// What passed towards the Worker.
    pub to_worker: Passed,
    /// What passed towards the browser.
    pub to_browser: Passed,
}

/// What passed in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Frames.
    pub frames: u64,
    /// Bytes of ciphertext.
    pub bytes: u64,
}

/// Reports once, when it is dropped.
pub struct Guard {
    report: ChannelReport,
    gone: Option<Box<dyn FnOnce(ChannelReport) + Send>>,
}

impl Guard {
    /// `gone` is called from a `Drop`: it may only pass the report on.
    pub fn new(channel: ChannelId, gone: impl FnOnce(ChannelReport) + Send + 'static) -> Self {
        let report = ChannelReport {
            channel,
            ending: Ending::Closed(CloseReason::Internal),
            offender: None,
            opened: false,
            epoch: 0,
            path: None,
            to_worker: Passed::default(),
            to_browser: Passed::default(),
        };
        Self {
            report,
            gone: Some(Box::new(gone)),
        }
    }

    pub(crate) const fn report(&mut self) -> &mut ChannelReport {
        &mut self.report
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            gone(self.report.clone());
        }
    }
}
