//! The way from the link into one channel.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use actix::{Addr, Recipient};
use channel_actors::{
    close::CloseReason,
    post::{Kept, Overrun, tell},
};
use schema::{
    frame::Frame,
    ids::UserId,
    wire::{self, control},
};

use crate::{
    messages::{Close, ControlFromHub, FromHub, LinkLost, Path, RenewFromHub},
    secure_channel::SecureChannel,
};

/// What the link and a channel know of each other without asking.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The newest renewal that was asked: older ones are not worth computing.
    asked: AtomicU64,
    /// The newest epoch: what the Hub takes a Close for.
    epoch: AtomicU32,
}

impl Marks {
    /// Whether no newer renewal waits behind this one.
    pub(crate) fn is_newest(&self, number: u64) -> bool {
        self.asked.load(Ordering::Acquire) == number
    }

    pub(crate) fn renewed(&self, serial: u32) {
        self.epoch.store(serial, Ordering::Release);
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    fn ask(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// The way into a channel. Frames and renewals keep their order.
pub(super) struct Line {
    pub(super) user: UserId,
    pub(super) marks: Arc<Marks>,
    frames: Kept<FromHub>,
    renewals: Kept<RenewFromHub>,
    control: Recipient<ControlFromHub>,
    lost: Recipient<LinkLost>,
    close: Recipient<Close>,
}

impl Line {
    pub(super) fn new(channel: &Addr<SecureChannel>, user: UserId, marks: Arc<Marks>) -> Self {
        Self {
            user,
            marks,
            frames: Kept::new(channel.clone().recipient()),
            renewals: Kept::new(channel.clone().recipient()),
            control: channel.clone().recipient(),
            lost: channel.clone().recipient(),
            close: channel.clone().recipient(),
        }
    }

    /// A frame that finds no place ends the channel. One that is no more tells by its guard.
    pub(super) fn frame(&self, frame: Frame, generation: u64) {
        match self.frames.offer(FromHub { frame, generation }) {
            Ok(()) | Err(Overrun::Gone) => {}
            Err(Overrun::Full) => self.close(CloseReason::TooSlow),
        }
    }

    /// Asks for a renewal; false when there is no place for it.
    pub(super) fn renew(&self, renew: wire::Renew, path: Path) -> bool {
        let number = self.marks.ask();
        let asked = RenewFromHub {
            renew,
            path,
            number,
        };
        self.renewals.offer(asked).is_ok()
    }

    pub(super) fn control(&self, body: control::Body) {
        tell(&self.control, ControlFromHub(body));
    }

    pub(super) fn lost(&self, generation: u64) {
        tell(&self.lost, LinkLost { generation });
    }

    pub(super) fn close(&self, reason: CloseReason) {
        tell(&self.close, Close { reason });
    }
}
