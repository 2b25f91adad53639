//! How a channel begins in the session's task: the pin, the Open, a slot for what follows.

use crypto::{Pin, PinVerdict};
use tokio::sync::watch;

use super::{
    ConnectError, ConnectParts, Connection, PinQuestion,
    channel::Way,
    slot::{ConnectAnswer, Connecting, Slot, Watched},
    task::{Task, now},
};
use crate::endpoint::{Initiator, OpenParts};

impl Task {
    pub(super) fn connect(&mut self, parts: ConnectParts, answer: ConnectAnswer) {
        match self.open(parts) {
            Ok((initiator, pin)) => self.insert(initiator, pin, answer),
            // Who asked may have gone.
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    fn open(&mut self, parts: ConnectParts) -> Result<(Box<Initiator>, Option<Pin>), ConnectError> {
        let pin = judged(&parts)?;
        if self.slots.contains_key(&parts.channel) {
            return Err(ConnectError::Taken);
        }
        let open = OpenParts {
            mode: parts.mode,
            worker_key: &parts.worker_key,
            channel: parts.channel,
            worker: parts.worker,
            user: parts.user,
            device: parts.device,
            certificates: parts.certificates,
            workspaces: parts.workspaces,
            limits: self.limits.clone(),
        };
        let (initiator, body) = Initiator::open(open, &mut *self.rng, now())?;
        self.control.push(body);
        Ok((Box::new(initiator), pin))
    }

    fn insert(&mut self, initiator: Box<Initiator>, pin: Option<Pin>, answer: ConnectAnswer) {
        let Some(orders) = self.orders.upgrade() else {
            return;
        };
        let farewells = self.farewells.clone();
        let channel = initiator.channel();
        let (closed, is_closed) = watch::channel(None);
        let (connection, is_connected) = watch::channel(Connection::Connected);
        let way = Way {
            channel,
            orders,
            farewells,
            closed: is_closed,
            connection: is_connected,
        };
        let watched = Watched { closed, connection };
        let connecting = Connecting { way, pin, answer };
        let slot = Slot::opening(initiator, connecting, watched, self.limits.stream_message);
        self.slots.insert(channel, slot);
    }
}

/// The pin to store, if it may go on.
fn judged(parts: &ConnectParts) -> Result<Option<Pin>, ConnectError> {
    let key = parts.worker_key.as_bytes();
    let verdict = crypto::judge(parts.pinned.as_ref(), key, parts.mode);
    let question = PinQuestion {
        worker: &parts.worker,
        verdict,
        pinned: parts.pinned.as_ref(),
        offered_key: key,
        offered_mode: parts.mode,
    };
    if verdict.stops() && !parts.trust.accepts(&question) {
        return Err(ConnectError::NotTrusted(verdict));
    }
    let pin = || Pin {
        public_key: key.to_vec(),
        mode: parts.mode,
    };
    Ok((verdict != PinVerdict::Match).then(pin))
}
