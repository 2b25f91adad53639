//! Either end of a channel that has keys: what it is made of, what goes out, what time does.
//!
//! What comes in stands in `arrivals`, what the application says in `speech`, and how frames are
//! sealed in `sealing`.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crypto::{Established, Mode, Opener, Root, Sealer};
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, UserId, WorkerId, WorkspaceId},
    wire::{self, inner::Body},
};

use super::{
    Event, Failure,
    access::Access,
    calls::Calls,
    gate::{Phase, Shut},
    outbox::Outbox,
    streams::Streams,
    window::{Receipts, Window},
};
use crate::{
    chunks::Joiner,
    close::{self, CloseReason},
    limits::Limits,
    relay::Side,
    tally::Tally,
};

/// One end of one channel.
///
/// It owns the keys, and they are gone as soon as it is closed: everything after that is refused.
pub struct Endpoint {
    pub(super) parties: Parties,
    pub(super) side: Side,
    pub(super) limits: Arc<Limits>,
    pub(super) message_bytes: usize,
    pub(super) epoch: u32,
    pub(super) keys: Option<Keys>,
    pub(super) phase: Phase,
    pub(super) access: Access,
    pub(super) tally: Tally,
    pub(super) joiner: Joiner,
    pub(super) receipts: Receipts,
    pub(super) window: Window,
    pub(super) outbox: Outbox,
    pub(super) calls: Calls,
    pub(super) streams: Streams,
    pub(super) held: VecDeque<Frame>,
    pub(super) first: Option<Body>,
    pub(super) echo: Echo,
    pub(super) events: VecDeque<Event>,
    ready: VecDeque<Outer>,
    born: Instant,
    pub(super) renewal: Option<Instant>,
    closed: Option<CloseReason>,
}

/// Who talks to whom, and how it is encrypted.
#[derive(Debug, Clone)]
pub(super) struct Parties {
    pub(super) channel: ChannelId,
    pub(super) worker: WorkerId,
    pub(super) user: UserId,
    pub(super) mode: Mode,
}

/// What an epoch has. Dropping it wipes it.
pub(super) struct Keys {
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    pub(super) root: Root,
}

/// Pings of both directions. The newest of each is enough.
#[derive(Debug, Default)]
pub(super) struct Echo {
    pub(super) nonce: u64,
    pub(super) asked: Option<(u64, Instant)>,
    pub(super) to_ask: bool,
    pub(super) to_answer: Option<u64>,
}

/// What a new endpoint starts from.
pub(super) struct Start {
    pub(super) parties: Parties,
    pub(super) side: Side,
    pub(super) limits: Arc<Limits>,
    pub(super) message_bytes: usize,
    pub(super) established: Established,
    pub(super) phase: Phase,
    pub(super) access: Access,
    /// The claim, at the client.
    pub(super) first: Option<Body>,
    /// After the earliest moment of renewal, at the client.
    pub(super) renewal_jitter: Duration,
    pub(super) now: Instant,
}

impl Endpoint {
    pub(super) fn new(start: Start) -> Self {
        let Start {
            limits,
            message_bytes,
            now,
            ..
        } = start;
        let Established {
            sealer,
            opener,
            root,
        } = start.established;
        let due = now + limits.key_renewal_age + start.renewal_jitter;
        Self {
            tally: Tally::new(&limits, message_bytes),
            receipts: Receipts::new(&limits),
            window: Window::new(&limits),
            calls: Calls::new(&limits),
            streams: Streams::new(&limits),
            parties: start.parties,
            side: start.side,
            limits,
            message_bytes,
            epoch: 0,
            keys: Some(Keys {
                sealer,
                opener,
                root,
            }),
            phase: start.phase,
            access: start.access,
            joiner: Joiner::default(),
            outbox: Outbox::default(),
            held: VecDeque::new(),
            first: start.first,
            echo: Echo::default(),
            events: VecDeque::new(),
            ready: VecDeque::new(),
            born: now,
            renewal: (start.side == Side::Client).then_some(due),
            closed: None,
        }
    }

    /// What to send next: frames, sealed in this moment, and after the last of them the Close of
    /// a channel that ended here. Ask until there is nothing more.
    ///
    /// Who cannot queue what it was given has to [`close`](Self::close): the other end could not
    /// open anything that follows.
    pub fn poll_outgoing(&mut self, now: Instant) -> Option<Outer> {
        if let Some(outer) = self.ready.pop_front() {
            return Some(outer);
        }
        let frame = self.next_frame(now).map(Outer::Frame);
        // A frame that could not be sealed has left a Close behind.
        frame.or_else(|| self.ready.pop_front())
    }

    /// What has happened. Ask until there is nothing more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`expire`](Self::expire) wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.closed.is_some() {
            return None;
        }
        let acknowledge = self.receipts.deadline().filter(|_| self.phase.may_send());
        let expiry = Some(self.born + self.limits.key_age);
        let times = [
            self.phase.deadline(),
            self.tally.deadline(),
            acknowledge,
            self.renewal,
            expiry,
        ];
        times.into_iter().flatten().min()
    }

    /// Time has passed. Acknowledgements that became due come out of `poll_outgoing`.
    pub fn expire(&mut self, now: Instant) {
        if self.phase.deadline().is_some_and(|until| until <= now) {
            self.close(CloseReason::ClaimTimeout);
        } else if self.tally.is_late(now) {
            self.close(CloseReason::ChunkTimeout);
        } else if now >= self.born + self.limits.key_age {
            self.close(CloseReason::KeyExpired);
        } else if self.renewal.is_some_and(|due| due <= now) {
            self.want_renewal();
        }
    }

    /// Ends the channel, tells the other end, and wipes the keys. Idempotent.
    pub fn close(&mut self, reason: CloseReason) {
        if self.closed.is_none() {
            let close = close::close(self.parties.channel, self.epoch, reason);
            self.ready.push_back(Outer::Control(close));
            self.end(reason, None);
        }
    }

    /// The path is gone.
    pub fn lost(&mut self) {
        self.ready.clear();
        self.end(CloseReason::ConnectionLost, None);
    }

    /// Why it is closed, if it is.
    #[must_use]
    pub const fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// The channel's id.
    #[must_use]
    pub const fn channel(&self) -> ChannelId {
        self.parties.channel
    }

    /// Its user.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.parties.user
    }

    /// What the user may use now; nothing before the claim is accepted.
    #[must_use]
    pub fn workspaces(&self) -> Vec<wire::WorkspaceAccess> {
        match self.phase {
            Phase::Open if self.closed.is_none() => self.access.effective(),
            Phase::Open
            | Phase::AwaitingClaim { .. }
            | Phase::Judging { .. }
            | Phase::AwaitingAnswer { .. } => Vec::new(),
        }
    }

    /// The role in a workspace now; none before the claim is accepted, or after the end.
    #[must_use]
    pub fn role(&self, workspace: &WorkspaceId) -> Option<wire::Role> {
        if self.phase != Phase::Open || self.closed.is_some() {
            return None;
        }
        self.access.role(workspace)
    }

    /// Worker: the Hub announced other access. It takes effect at once.
    pub fn change_access(&mut self, workspaces: &[wire::WorkspaceAccess]) {
        if self.side == Side::Worker {
            self.access.announce(workspaces);
        }
    }

    /// Worker: what certificates grant at most has changed; see
    /// [`Trust::standing`](super::trust::Trust::standing). It takes effect at once.
    pub fn change_cap(&mut self, cap: Option<super::access::Roles>) {
        if self.side == Side::Worker && self.phase == Phase::Open {
            self.access.sign(cap);
        }
    }

    /// Starts the counters elsewhere, to test their limits.
    #[must_use]
    pub fn at_counters(mut self, sealed: u64, opened: u64) -> Self {
        self.keys = self.keys.take().map(|keys| Keys {
            sealer: keys.sealer.at_counter(sealed),
            opener: keys.opener.at_counter(opened),
            root: keys.root,
        });
        self
    }

    pub(super) fn shut(&mut self, shut: Shut) {
        match shut {
            Shut::Close(reason) => self.close(reason),
            Shut::Fail(failure) => self.fail(&failure),
        }
    }

    /// Worker: the last word, sealed before the keys go.
    pub(super) fn fail(&mut self, failure: &Failure) {
        let body = Body::Failure(failure.to_wire());
        if let Some(frame) = self.seal_uncounted(body) {
            self.ready.push_back(Outer::Frame(frame));
        }
        self.close(CloseReason::Rejected);
    }

    pub(super) fn end(&mut self, reason: CloseReason, failure: Option<Failure>) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        self.keys = None;
        self.first = None;
        self.echo = Echo::default();
        self.joiner = Joiner::default();
        self.held.clear();
        self.outbox.clear();
        self.calls.clear();
        self.streams.clear();
        self.events.push_back(Event::Closed { reason, failure });
    }

    pub(super) fn tell_room(&mut self) {
        if self.outbox.stream_bytes() > self.limits.outbox_bytes / 2 {
            return;
        }
        for id in self.streams.take_wanting() {
            let room = self.streams.room(id).unwrap_or_default();
            self.events.push_back(Event::StreamRoom { id, room });
        }
    }
}
