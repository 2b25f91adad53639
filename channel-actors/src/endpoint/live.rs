//! Either end of a channel that has keys: what it is made of, what goes out, how it ends.
//!
//! What comes in stands in `arrivals`, what the application says in `speech`, how frames are sealed
//! in `sealing`, new keys in `renewal`, and what time and a lost path do in `attachment`.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use crypto::{Established, Mode};
use schema::{
    frame::{Frame, Outer},
    ids::{ChannelId, UserId, WorkerId, WorkspaceId},
    wire::{self, inner::Body},
};

use super::{
    Event, Failure,
    access::Access,
    attachment::Dropped,
    calls::Calls,
    echo::Echo,
    epoch::{Epoch, Epochs},
    gate::{Phase, Shut},
    outbox::Outbox,
    renewals::Renewals,
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
    /// None once it is closed.
    pub(super) epochs: Option<Epochs>,
    pub(super) phase: Phase,
    /// A claim was accepted once: the channel outlives its path.
    pub(super) established: bool,
    /// Client: what the next epochs need.
    pub(super) renewals: Option<Box<Renewals>>,
    /// Worker: the newest serial that was answered.
    pub(super) accepted_serial: u32,
    /// When the newest claim was accepted.
    pub(super) claimed: Instant,
    /// Worker: what the claim that is being looked at asks for.
    pub(super) asked: Vec<WorkspaceId>,
    /// Whether a path has the channel, so that a Close would come to somebody. An exchange that
    /// failed leaves it detached and the path as it is.
    pub(super) path_stands: bool,
    /// The same before the Renew that waits for its answer, which may go by a new path.
    pub(super) path_stood: bool,
    /// From the loss of the path to an accepted claim.
    pub(super) detached_until: Option<Instant>,
    /// Since when nothing can come.
    pub(super) stands_still: Option<Instant>,
    pub(super) dropped: Dropped,
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
    pub(super) ready: VecDeque<Outer>,
    closed: Option<CloseReason>,
}

/// Who talks to whom, and how it is encrypted.
#[derive(Debug, Clone)]
pub(super) struct Parties {
    pub(super) channel: ChannelId,
    pub(super) worker: WorkerId,
    pub(super) user: UserId,
    pub(super) mode: Mode,
    /// Worker: the Hub says that the client stands with a delegation.
    pub(super) delegated: bool,
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
    /// What its further epochs need, at the client.
    pub(super) renewals: Option<Box<Renewals>>,
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
        let first = Epoch {
            number: 0,
            born: now,
            keys: start.established,
        };
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
            epochs: Some(Epochs::new(first)),
            phase: start.phase,
            established: false,
            renewals: start.renewals,
            accepted_serial: 0,
            claimed: now,
            asked: Vec::new(),
            path_stands: true,
            path_stood: true,
            detached_until: None,
            stands_still: None,
            dropped: Dropped::default(),
            access: start.access,
            joiner: Joiner::default(),
            outbox: Outbox::default(),
            held: VecDeque::new(),
            first: start.first,
            echo: Echo::default(),
            events: VecDeque::new(),
            ready: VecDeque::new(),
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
        let event = self.events.pop_front();
        if event.is_none() {
            self.events.shrink_to(EVENT_PLACES);
        }
        event
    }

    /// Ends the channel, tells the other end where there is a path, and wipes the keys. Idempotent.
    pub fn close(&mut self, reason: CloseReason) {
        if self.closed.is_some() {
            return;
        }
        if self.path_stands {
            let close = close::close(self.parties.channel, self.sent_under(), reason);
            self.ready.push_back(Outer::Control(close));
        }
        self.end(reason, None);
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
        if !self.established || self.closed.is_some() {
            return Vec::new();
        }
        self.access.effective()
    }

    /// The role in a workspace now; none before the claim is accepted, or after the end.
    #[must_use]
    pub fn role(&self, workspace: &WorkspaceId) -> Option<wire::Role> {
        if !self.established || self.closed.is_some() {
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
        if self.side == Side::Worker && self.established {
            self.access.sign(cap);
        }
    }

    /// Worker: whether what the user may do has a bound besides what the Hub announces. Only who
    /// has none can be the Worker's owner.
    #[must_use]
    pub const fn is_capped(&self) -> bool {
        self.access.is_capped()
    }

    /// Starts the counters elsewhere, to test their limits.
    #[must_use]
    pub fn at_counters(mut self, sealed: u64, opened: u64) -> Self {
        if let Some(epochs) = &mut self.epochs {
            epochs.at_counters(sealed, opened);
        }
        self
    }

    /// The newest epoch. A frame or a Close of an older one is not judged.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epochs.as_ref().map_or(0, |it| it.newest().number)
    }

    /// The epoch that a Close names. From its Renew on a client uses nothing of the base epoch, and
    /// the Worker may be ahead: so it is the one that was asked for.
    pub(super) fn sent_under(&self) -> u32 {
        match (self.phase, &self.renewals) {
            (Phase::Renewing { .. } | Phase::Detached, Some(renewals)) => renewals.serial(),
            _ => self.epoch(),
        }
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
        self.epochs = None;
        self.renewals = None;
        self.window.clear();
        self.tally = Tally::new(&self.limits, self.message_bytes);
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

/// Places for events that an idle channel keeps.
const EVENT_PLACES: usize = 16;
