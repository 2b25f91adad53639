//! What is counted of channels at the Hub. Label sets are closed and begin at zero, so that two sums
//! can be checked from the outside:
//!
//! * channels opened + attached = those that are live, or were and wait for a path, + all closed;
//! * frames received = passed on + in flight + all dropped or stray.

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::{
    close::CloseReason,
    refusal::RefusalReason,
    relay::{Dropped, Ending, Side},
};

/// Gauge, label `state`: `opening`, `attaching`, `live`, `waiting`.
pub const CHANNELS: &str = "leapmux_hub_channels";
/// Counter, label `result`: `ok`, a refusal's label, or `closed`.
pub const OPENS: &str = "leapmux_hub_channel_opens_total";
/// Counter, label `reason`: a close reason's label. Of channels that were live.
pub const CLOSES: &str = "leapmux_hub_channel_closes_total";
/// Counter, label `result`: [`RenewalResult`]'s, or a refusal's label.
pub const RENEWALS: &str = "leapmux_hub_channel_renewals_total";
/// Counter of announcements of access to running channels, label `result`: [`AnnouncementResult`]'s.
pub const ANNOUNCEMENTS: &str = "leapmux_hub_channel_access_announcements_total";
/// Counter of channels that were closed because all lanes together held too much, and they the most.
pub const EVICTIONS: &str = "leapmux_hub_relay_evictions_total";
/// Counter of Closes that were dropped, since they were said under an epoch that was over.
pub const STALE_CLOSES: &str = "leapmux_hub_channel_stale_closes_total";
/// Counter of frames that came off a socket, label `direction`: `to_worker`, `to_client`.
pub const RELAY_RECEIVED: &str = "leapmux_hub_relay_received_total";
/// Counter of frames that went to a socket, label `direction`.
pub const RELAY_MESSAGES: &str = "leapmux_hub_relay_messages_total";
/// Counter of bytes of ciphertext, label `direction`.
pub const RELAY_BYTES: &str = "leapmux_hub_relay_bytes_total";
/// Counter of frames that were not passed on, label `reason`.
pub const RELAY_DROPS: &str = "leapmux_hub_relay_drops_total";

/// The result of an open that was closed before it was answered.
const OPEN_CLOSED: &str = "closed";
/// The result of an open that was answered.
const OPEN_OK: &str = "ok";

/// Describes every figure and sets each of its labels to zero. Once, at start.
pub fn register() {
    describe_gauge!(CHANNELS, Unit::Count, "Channels by state");
    describe_counter!(OPENS, Unit::Count, "Channels asked for, by result");
    describe_counter!(
        CLOSES,
        Unit::Count,
        "Channels that were live and ended, by reason"
    );
    describe_counter!(RENEWALS, Unit::Count, "Renewals asked for, by result");
    describe_counter!(
        ANNOUNCEMENTS,
        Unit::Count,
        "Announcements of access to the Workers of running channels, by result"
    );
    for result in AnnouncementResult::ALL {
        counter!(ANNOUNCEMENTS, "result" => result.label()).absolute(0);
    }
    describe_counter!(
        STALE_CLOSES,
        Unit::Count,
        "Closes of an epoch that was over, dropped"
    );
    counter!(STALE_CLOSES).absolute(0);
    describe_counter!(
        EVICTIONS,
        Unit::Count,
        "Channels closed as the largest holder of what waits"
    );
    counter!(EVICTIONS).absolute(0);
    describe_counter!(
        RELAY_RECEIVED,
        Unit::Count,
        "Frames that came off a socket, by direction"
    );
    describe_counter!(
        RELAY_MESSAGES,
        Unit::Count,
        "Frames passed on, by direction"
    );
    describe_counter!(
        RELAY_BYTES,
        Unit::Bytes,
        "Ciphertext passed on, by direction"
    );
    describe_counter!(RELAY_DROPS, Unit::Count, "Frames not passed on, by reason");
    for state in State::ALL {
        gauge!(CHANNELS, "state" => state.label()).set(0.0);
    }
    let refusals = RefusalReason::ALL.iter().map(|reason| reason.label());
    for result in refusals.chain([OPEN_OK, OPEN_CLOSED]) {
        counter!(OPENS, "result" => result).absolute(0);
    }
    let refusals = RefusalReason::ALL.iter().map(|reason| reason.label());
    let answered = RenewalResult::ALL.iter().map(|result| result.label());
    for result in refusals.chain(answered) {
        counter!(RENEWALS, "result" => result).absolute(0);
    }
    for reason in CloseReason::ALL {
        counter!(CLOSES, "reason" => reason.label()).absolute(0);
    }
    for reason in Dropped::ALL {
        counter!(RELAY_DROPS, "reason" => reason.label()).absolute(0);
    }
    for side in [Side::Client, Side::Worker] {
        let direction = toward(side);
        counter!(RELAY_RECEIVED, "direction" => direction).absolute(0);
        counter!(RELAY_MESSAGES, "direction" => direction).absolute(0);
        counter!(RELAY_BYTES, "direction" => direction).absolute(0);
    }
}

/// What became of a renewal that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalResult {
    /// New keys on the path that stood.
    Rekeyed,
    /// Another path took the place of the one that stood.
    Moved,
    /// A channel that was not at this Hub has a path again.
    Attached,
    /// A channel of this Hub had lost its path, and has one again.
    Resumed,
    /// Nobody waited for the answer any more.
    Late,
    /// The channel ended before it was answered.
    Closed,
}

impl RenewalResult {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Rekeyed,
        Self::Moved,
        Self::Attached,
        Self::Resumed,
        Self::Late,
        Self::Closed,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rekeyed => "rekeyed",
            Self::Moved => "moved",
            Self::Attached => "attached",
            Self::Resumed => "resumed",
            Self::Late => "late",
            Self::Closed => "closed",
        }
    }
}

/// What became of an announcement of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncementResult {
    /// The Worker has taken it in.
    Acknowledged,
    /// It did not say so in time.
    Unanswered,
    /// The channel ended before.
    Closed,
}

impl AnnouncementResult {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Acknowledged, Self::Unanswered, Self::Closed];

    /// The name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unanswered => "unanswered",
            Self::Closed => "closed",
        }
    }
}

/// Counts announcements.
pub(crate) fn announced(result: AnnouncementResult, count: usize) {
    counter!(ANNOUNCEMENTS, "result" => result.label()).increment(count as u64);
}

/// Counts a renewal that was answered well, or not at all.
pub(crate) fn renewal(result: RenewalResult) {
    counter!(RENEWALS, "result" => result.label()).increment(1);
}

/// Counts a renewal that was refused, by whomever.
pub fn renewal_refused(reason: RefusalReason) {
    counter!(RENEWALS, "result" => reason.label()).increment(1);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Attaching,
    Live,
    Waiting,
}

impl State {
    const ALL: &[Self] = &[Self::Opening, Self::Attaching, Self::Live, Self::Waiting];

    const fn label(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Attaching => "attaching",
            Self::Live => "live",
            Self::Waiting => "waiting",
        }
    }

    fn add(self, change: f64) {
        gauge!(CHANNELS, "state" => self.label()).increment(change);
    }
}

const fn toward(side: Side) -> &'static str {
    match side {
        Side::Client => "to_client",
        Side::Worker => "to_worker",
    }
}

/// One channel's part in the figures. Dropping it takes the channel out of the gauges.
pub(crate) struct Counted {
    state: State,
    ending: Ending,
}

impl Counted {
    pub(crate) fn opening() -> Self {
        Self::begin(State::Opening)
    }

    pub(crate) fn attaching() -> Self {
        Self::begin(State::Attaching)
    }

    fn begin(state: State) -> Self {
        state.add(1.0);
        let ending = Ending::Closed(CloseReason::Internal);
        Self { state, ending }
    }

    fn go(&mut self, state: State) {
        self.state.add(-1.0);
        self.state = state;
        self.state.add(1.0);
    }

    pub(crate) fn opened(&mut self) {
        self.go(State::Live);
        counter!(OPENS, "result" => OPEN_OK).increment(1);
    }

    /// A renewal came through; `moved` to another path than the one that stood.
    pub(crate) fn renewed(&mut self, moved: bool) {
        let result = match self.state {
            State::Attaching => RenewalResult::Attached,
            State::Waiting => RenewalResult::Resumed,
            State::Opening | State::Live if moved => RenewalResult::Moved,
            State::Opening | State::Live => RenewalResult::Rekeyed,
        };
        if self.state != State::Live {
            self.go(State::Live);
        }
        renewal(result);
    }

    /// It lost its path.
    pub(crate) fn waiting(&mut self) {
        self.go(State::Waiting);
    }

    /// Whether it has ever been live.
    pub(crate) const fn was_live(&self) -> bool {
        matches!(self.state, State::Live | State::Waiting)
    }

    pub(crate) const fn ending(&mut self, ending: Ending) {
        self.ending = ending;
    }
}

/// Counts a Close of an epoch that is over.
pub(crate) fn stale_close() {
    counter!(STALE_CLOSES).increment(1);
}

/// Counts a frame that was not passed on.
pub(crate) fn dropped(reason: Dropped) {
    counter!(RELAY_DROPS, "reason" => reason.label()).increment(1);
}

/// Counts what comes off one socket.
pub struct Received {
    frames: Counter,
}

impl Received {
    /// What comes for this side.
    #[must_use]
    pub fn toward(side: Side) -> Self {
        let frames = counter!(RELAY_RECEIVED, "direction" => toward(side));
        Self { frames }
    }

    /// One frame more.
    pub fn count(&self) {
        self.frames.increment(1);
    }
}

/// Counts what leaves one lane.
pub(crate) struct PassedOn {
    messages: Counter,
    bytes: Counter,
}

impl PassedOn {
    pub(crate) fn toward(side: Side) -> Self {
        let direction = toward(side);
        Self {
            messages: counter!(RELAY_MESSAGES, "direction" => direction),
            bytes: counter!(RELAY_BYTES, "direction" => direction),
        }
    }

    pub(crate) fn count(&self, bytes: usize) {
        self.messages.increment(1);
        self.bytes.increment(bytes as u64);
    }
}

impl Default for PassedOn {
    fn default() -> Self {
        let (messages, bytes) = (Counter::noop(), Counter::noop());
        Self { messages, bytes }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.state.add(-1.0);
        match (self.state, self.ending) {
            (State::Live | State::Waiting, ending) => {
                counter!(CLOSES, "reason" => ending.label()).increment(1);
            }
            (State::Opening, Ending::Refused(reason)) => {
                counter!(OPENS, "result" => reason.label()).increment(1);
            }
            (State::Opening, Ending::Closed(_)) => {
                counter!(OPENS, "result" => OPEN_CLOSED).increment(1);
            }
            // Its renewals are counted one by one.
            (State::Attaching, _) => {}
        }
    }
}
