//! What becomes of what a channel's endpoint tells.

use super::{
    CallError, ConnectError, Connection, Received,
    channel::Channel,
    session::Connected,
    slot::{Around, Connecting, Slot, State},
};
use crate::{
    close::CloseReason,
    endpoint::{Endpoint, Event},
};

impl Slot {
    /// Hands out what has happened, and sends what there is room for now.
    pub(super) fn hear(&mut self, around: &mut Around<'_>) {
        while let Some(event) = self.endpoint().and_then(Endpoint::poll_event) {
            self.event(event, around);
        }
        self.flush();
    }

    /// Sends what there is room for; without a path everything waits.
    pub(super) fn flush(&mut self) {
        if let (State::Live(endpoint), Connection::Connected) =
            (&mut self.state, *self.watched.connection.borrow())
        {
            for (id, flow) in &mut self.streams {
                flow.flush(*id, endpoint);
            }
        }
    }

    fn event(&mut self, event: Event, around: &mut Around<'_>) {
        match event {
            Event::Established { workspaces } => {
                if let Some(Connecting { way, pin, answer }) = self.connecting.take() {
                    let channel = Channel::new(way, workspaces);
                    // Who does not wait any more drops the channel, and that closes it.
                    let _ = answer.send(Ok(Connected { channel, pin }));
                }
            }
            Event::Response { id, result } => {
                if let Err(error) = &result {
                    self.deliver(id, Received::End(Some(error.clone())));
                    self.streams.remove(&id);
                }
                if let Some(answer) = self.calls.remove(&id) {
                    let _ = answer.send(result.map_err(CallError::Worker));
                }
            }
            Event::StreamData { id, data } => self.deliver(id, Received::Data(data)),
            Event::StreamEnd { id, error } => {
                let failed = error.is_some();
                self.deliver(id, Received::End(error));
                if failed {
                    self.streams.remove(&id);
                }
            }
            Event::Pong { rtt } => {
                for answer in self.pings.drain(..) {
                    let _ = answer.send(rtt);
                }
            }
            Event::RenewalDue => self.renew(around),
            Event::Detached => self.detached(around),
            Event::Attached => self.attached(around),
            Event::RenewalRefused { retry_after, .. } => {
                self.renewal.back_off.told(retry_after);
                self.detached(around);
            }
            Event::Closed { reason, failure } => {
                self.watched.closed.send_replace(Some(reason));
                let error = failure.map_or(ConnectError::Closed(reason), ConnectError::Failed);
                self.refuse(error);
            }
            // `hear` sends what has room; the others are the Worker's.
            Event::StreamRoom { .. }
            | Event::Claimed { .. }
            | Event::Request { .. }
            | Event::Cancelled { .. } => {}
        }
    }

    /// The path is gone, with the transport or on the other side of the Hub; or it was not renewed.
    fn detached(&mut self, around: &mut Around<'_>) {
        let since = around.now;
        self.watched.connection.send_if_modified(|connection| {
            let was = matches!(connection, Connection::Connected);
            if was {
                *connection = Connection::Reconnecting { since };
            }
            was
        });
        if around.has_path {
            self.renew_later(around);
        }
    }

    fn attached(&mut self, around: &Around<'_>) {
        self.renewal.at = None;
        self.renewal.back_off.up(around.now);
        self.watched.connection.send_replace(Connection::Connected);
    }

    fn renew_later(&mut self, around: &mut Around<'_>) {
        let luck = around.luck();
        self.renewal.at = Some(around.now + self.renewal.back_off.down(around.now, luck));
    }

    fn deliver(&self, id: u64, item: Received) {
        if let Some(flow) = self.streams.get(&id) {
            flow.deliver(item);
        }
    }

    /// It did not open, or is open no more: whoever waits is told, by the end of the watch at the
    /// latest.
    pub(super) fn refuse(&mut self, error: ConnectError) {
        if let Some(connecting) = self.connecting.take() {
            let _ = connecting.answer.send(Err(error));
        }
        let reason = CloseReason::ConnectionLost;
        self.watched
            .closed
            .send_if_modified(|closed| closed.replace(closed.unwrap_or(reason)).is_none());
        for (_, answer) in std::mem::take(&mut self.calls) {
            let reason = self.watched.closed.borrow().unwrap_or(reason);
            let _ = answer.send(Err(CallError::Closed(reason)));
        }
        self.streams.clear();
        self.pings.clear();
    }
}
