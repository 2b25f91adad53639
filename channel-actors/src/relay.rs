//! BRAIN of the Hub's half of a channel: opening or renewing, live, closed.
//!
//! It judges every frame by its header and its size and sees nothing else. A stale epoch is not a
//! fault: the frame was under way when the ends went on to new keys.

use std::time::Instant;

use schema::frame::Frame;

use crate::{close::CloseReason, limits::Limits, refusal::RefusalReason, tally::Tally};

/// One of the two connections that a channel runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The browser's or the command line's.
    Client,
    /// The Worker's.
    Worker,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Worker,
            Self::Worker => Self::Client,
        }
    }

    /// The name in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Worker => "worker",
        }
    }
}

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// On to the other side.
    Pass,
    /// Dropped and counted.
    Drop(Dropped),
    /// The channel ends; the sender broke a rule.
    Close(CloseReason),
}

/// Why a frame was dropped and the channel not closed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Sealed under an epoch that is over.
    StaleEpoch,
    /// The channel is closed.
    Closed,
    /// The fence has fallen.
    Revoked,
    /// It broke a rule, and its channel ended for that.
    Violation,
    /// Its channel had no place left, or held too much for too long, and ended for that.
    Overrun,
    /// Its channel ended, or was full, before it came to it.
    Undelivered,
    /// It waited for its connection, which ended first.
    Unsent,
}

impl Dropped {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::StaleEpoch,
        Self::Closed,
        Self::Revoked,
        Self::Violation,
        Self::Overrun,
        Self::Undelivered,
        Self::Unsent,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::StaleEpoch => "stale_epoch",
            Self::Closed => "closed",
            Self::Revoked => "revoked",
            Self::Violation => "violation",
            Self::Overrun => "overrun",
            Self::Undelivered => "undelivered",
            Self::Unsent => "unsent",
        }
    }
}

/// How a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It never opened.
    Refused(RefusalReason),
    /// It was closed, live or not.
    Closed(CloseReason),
}

impl Ending {
    /// The name in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.label(),
            Self::Closed(reason) => reason.label(),
        }
    }
}

/// The Hub's half of one channel.
#[derive(Debug)]
pub struct Relay {
    limits: Limits,
    state: State,
    epoch: u32,
    message_bytes: usize,
    from_client: Tally,
    from_worker: Tally,
    fenced: bool,
    /// Renewals that were passed on and not answered.
    renewals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening {
        until: Instant,
    },
    /// It has no path of which its Worker has said that it is the channel's.
    Renewing,
    Live,
    Closed,
}

impl Relay {
    /// A channel that was announced to its Worker. `client_message_bytes` is the limit that the
    /// client named in its open, 0 for the protocol's.
    #[must_use]
    pub fn opening(limits: &Limits, client_message_bytes: u32, now: Instant) -> Self {
        let until = now + limits.open_timeout;
        Self::begin(limits, client_message_bytes, State::Opening { until })
    }

    /// A channel that the Hub does not know and the ends do: it lost its path, or its Hub. What was
    /// announced when it was opened is known to the ends alone, and they enforce it.
    #[must_use]
    pub fn renewing(limits: &Limits) -> Self {
        Self::begin(limits, 0, State::Renewing)
    }

    fn begin(limits: &Limits, client_message_bytes: u32, state: State) -> Self {
        let message_bytes = limits.message_bytes_with(client_message_bytes);
        Self {
            state,
            epoch: 0,
            message_bytes,
            from_client: Tally::new(limits, message_bytes),
            from_worker: Tally::new(limits, message_bytes),
            fenced: false,
            renewals: 0,
            limits: limits.clone(),
        }
    }

    /// Judges one frame.
    pub fn admit(&mut self, from: Side, frame: &Frame, now: Instant) -> Verdict {
        if self.fenced {
            return Verdict::Drop(Dropped::Revoked);
        }
        match self.state {
            State::Closed => Verdict::Drop(Dropped::Closed),
            State::Opening { .. } => Verdict::Close(CloseReason::ProtocolError),
            // Neither end seals anything from its Renew, or its answer, on.
            State::Renewing => Verdict::Drop(Dropped::StaleEpoch),
            State::Live => self.admit_live(from, frame, now),
        }
    }

    /// The Worker took the channel, and names its own limit of a message.
    ///
    /// # Errors
    ///
    /// A second answer is a breach of the protocol by the Worker.
    pub fn opened(&mut self, worker_message_bytes: u32) -> Result<(), CloseReason> {
        if !self.is_opening() {
            return Err(CloseReason::ProtocolError);
        }
        let announced = self.limits.message_bytes_with(worker_message_bytes);
        self.message_bytes = self.message_bytes.min(announced);
        self.state = State::Live;
        self.begin_tallies();
        Ok(())
    }

    /// A renewal is passed on to the Worker: it may answer once.
    pub const fn renewal_asked(&mut self) {
        self.renewals = self.renewals.saturating_add(1);
    }

    /// The Worker refused a renewal, which changes nothing.
    ///
    /// # Errors
    ///
    /// Nobody asked: a Worker could send without end what has no place in a window.
    pub fn renewal_refused(&mut self) -> Result<(), CloseReason> {
        self.take_renewal()
    }

    /// The Worker answered a renewal with so many bytes: a new epoch, and new tallies with it.
    ///
    /// # Errors
    ///
    /// Nobody asked, an epoch that does not rise, or an answer larger than one can be.
    pub fn renewed(&mut self, serial: u32, noise_bytes: usize) -> Result<(), CloseReason> {
        self.take_renewal()?;
        if serial <= self.epoch || noise_bytes > RENEWED_BYTES {
            return Err(CloseReason::ProtocolError);
        }
        self.epoch = serial;
        self.state = State::Live;
        self.begin_tallies();
        Ok(())
    }

    /// The client's path went, and a renewal over another is under way.
    pub fn path_lost(&mut self) {
        if self.state == State::Live {
            self.state = State::Renewing;
        }
    }

    /// Whether a Close that names this epoch still counts.
    #[must_use]
    pub const fn heeds_close(&self, epoch: u32) -> bool {
        epoch >= self.epoch
    }

    /// The reason that an end's Close is passed on with. An end that gives a reason which only the
    /// Hub can know, or none, is told by neither.
    #[must_use]
    pub fn reason_of_an_end(code: i32) -> CloseReason {
        CloseReason::from_wire(code)
            .filter(|reason| reason.is_an_ends())
            .unwrap_or(CloseReason::ProtocolError)
    }

    /// From now on no frame passes.
    pub const fn fence(&mut self) {
        self.fenced = true;
    }

    /// Ends the channel; false when it had ended before.
    pub fn close(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Closed) != State::Closed
    }

    /// When [`expire`](Self::expire) wants to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Opening { until } => Some(until),
            State::Live => [self.from_client.deadline(), self.from_worker.deadline()]
                .into_iter()
                .flatten()
                .min(),
            State::Renewing | State::Closed => None,
        }
    }

    /// What the time that passed has ended. The caller closes. It is nobody's proven fault: who
    /// stands still between two chunks may wait for acknowledgements that the other withholds.
    #[must_use]
    pub fn expire(&self, now: Instant) -> Option<Ending> {
        match self.state {
            State::Opening { until } if until <= now => {
                Some(Ending::Refused(RefusalReason::Timeout))
            }
            State::Live if self.from_client.is_late(now) || self.from_worker.is_late(now) => {
                Some(Ending::Closed(CloseReason::ChunkTimeout))
            }
            State::Opening { .. } | State::Renewing | State::Live | State::Closed => None,
        }
    }

    /// Whether the Worker has not answered yet.
    #[must_use]
    pub const fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// Whether it waits for a path.
    #[must_use]
    pub fn is_renewing(&self) -> bool {
        self.state == State::Renewing
    }

    /// Whether frames pass.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == State::Live && !self.fenced
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The newest epoch that the Hub has seen begin.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The channel's limit of a message, in bytes of plaintext.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    fn admit_live(&mut self, from: Side, frame: &Frame, now: Instant) -> Verdict {
        if frame.epoch() < self.epoch {
            return Verdict::Drop(Dropped::StaleEpoch);
        }
        if frame.epoch() > self.epoch {
            return Verdict::Close(CloseReason::ProtocolError);
        }
        match self.tally(from).admit(frame, now) {
            Ok(_) => Verdict::Pass,
            Err(reason) => Verdict::Close(reason),
        }
    }

    const fn tally(&mut self, from: Side) -> &mut Tally {
        match from {
            Side::Client => &mut self.from_client,
            Side::Worker => &mut self.from_worker,
        }
    }

    fn begin_tallies(&mut self) {
        self.from_client = Tally::new(&self.limits, self.message_bytes);
        self.from_worker = Tally::new(&self.limits, self.message_bytes);
    }

    fn take_renewal(&mut self) -> Result<(), CloseReason> {
        let may = matches!(self.state, State::Live | State::Renewing);
        if !may || self.renewals == 0 {
            return Err(CloseReason::ProtocolError);
        }
        self.renewals -= 1;
        Ok(())
    }
}

/// The Worker's message of a renewal in the post-quantum mode (docs/protocol.md, section 5).
const RENEWED_BYTES: usize = 1_624;

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
