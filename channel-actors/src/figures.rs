//! What is counted of channels at the Hub. Label sets are closed and begin at zero, so that
//! opened = live + the sum of the closed can be checked from the outside.

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::{
    close::CloseReason,
    refusal::RefusalReason,
    relay::{Dropped, Ending, Side},
};

/// Gauge, label `state`: `opening`, `live`.
pub const CHANNELS: &str = "leapmux_hub_channels";
/// Counter, label `result`: `ok`, a refusal's label, or `closed`.
pub const OPENS: &str = "leapmux_hub_channel_opens_total";
/// Counter, label `reason`: a close reason's label. Of channels that were live.
pub const CLOSES: &str = "leapmux_hub_channel_closes_total";
/// Counter of frames, label `direction`: `to_worker`, `to_client`.
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
    for state in [State::Opening, State::Live] {
        gauge!(CHANNELS, "state" => state.label()).set(0.0);
    }
    let refusals = RefusalReason::ALL.iter().map(|reason| reason.label());
    for result in refusals.chain([OPEN_OK, OPEN_CLOSED]) {
        counter!(OPENS, "result" => result).absolute(0);
    }
    for reason in CloseReason::ALL {
        counter!(CLOSES, "reason" => reason.label()).absolute(0);
    }
    for reason in Dropped::ALL {
        counter!(RELAY_DROPS, "reason" => reason.label()).absolute(0);
    }
    for side in [Side::Client, Side::Worker] {
        let direction = toward(side);
        counter!(RELAY_MESSAGES, "direction" => direction).absolute(0);
        counter!(RELAY_BYTES, "direction" => direction).absolute(0);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Live,
}

impl State {
    const fn label(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Live => "live",
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
    to_client: Direction,
    to_worker: Direction,
}

struct Direction {
    messages: Counter,
    bytes: Counter,
}

impl Counted {
    pub(crate) fn opening() -> Self {
        State::Opening.add(1.0);
        Self {
            state: State::Opening,
            ending: Ending::Closed(CloseReason::Internal),
            to_client: Direction::toward(Side::Client),
            to_worker: Direction::toward(Side::Worker),
        }
    }

    pub(crate) fn live(&mut self) {
        self.state.add(-1.0);
        self.state = State::Live;
        self.state.add(1.0);
        counter!(OPENS, "result" => OPEN_OK).increment(1);
    }

    pub(crate) const fn ending(&mut self, ending: Ending) {
        self.ending = ending;
    }

    pub(crate) fn passed(&self, to: Side, bytes: u64) {
        let direction = match to {
            Side::Client => &self.to_client,
            Side::Worker => &self.to_worker,
        };
        direction.messages.increment(1);
        direction.bytes.increment(bytes);
    }
}

/// Counts a frame that was not passed on.
pub(crate) fn dropped(reason: Dropped) {
    counter!(RELAY_DROPS, "reason" => reason.label()).increment(1);
}

impl Direction {
    fn toward(side: Side) -> Self {
        let direction = toward(side);
        Self {
            messages: counter!(RELAY_MESSAGES, "direction" => direction),
            bytes: counter!(RELAY_BYTES, "direction" => direction),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.state.add(-1.0);
        match (self.state, self.ending) {
            (State::Live, ending) => counter!(CLOSES, "reason" => ending.label()).increment(1),
            (State::Opening, Ending::Refused(reason)) => {
                counter!(OPENS, "result" => reason.label()).increment(1);
            }
            (State::Opening, Ending::Closed(_)) => {
                counter!(OPENS, "result" => OPEN_CLOSED).increment(1);
            }
        }
    }
}
