//! A terminal waits for nobody who is away.

use bytes::Bytes;
use channel_actors::{
    close::CloseReason,
    endpoint::{Call, Endpoint, Event},
};
use prost::Message as _;
use schema::wire::{self, terminal_event, terminal_input};

use crate::fleet::{Fleet, Job};

/// Looks at a terminal, and may press Enter.
struct Viewing {
    terminal: String,
    stream: Option<u64>,
    enter: bool,
    tail: Vec<u8>,
    snapshots: u32,
    ended: Option<wire::RpcError>,
}

impl Viewing {
    fn at(terminal: &str) -> Self {
        Self {
            terminal: terminal.to_owned(),
            stream: None,
            enter: false,
            tail: Vec::new(),
            snapshots: 0,
            ended: None,
        }
    }

    fn shows(&self, text: &str) -> bool {
        let shown = String::from_utf8_lossy(&self.tail);
        shown.contains(text)
    }

    fn draw(&mut self, data: &[u8]) {
        self.tail.extend(data);
        let excess = self.tail.len().saturating_sub(64 << 10);
        self.tail.drain(..excess);
    }
}

impl Job for Viewing {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest is no concern of a viewer"
    )]
    fn heed(&mut self, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::StreamData { id, data } => {
                endpoint.stream_consumed(id, data.len());
                match wire::TerminalEvent::decode(data).expect("an event").body {
                    Some(terminal_event::Body::Snapshot(snapshot)) => {
                        self.snapshots += 1;
                        self.draw(&snapshot.data);
                    }
                    Some(terminal_event::Body::Output(output)) => self.draw(&output.data),
                    Some(terminal_event::Body::Summary(_)) | None => {}
                }
            }
            Event::StreamEnd { error, .. } => self.ended = error,
            _ => {}
        }
    }

    fn go_on(&mut self, endpoint: &mut Endpoint) {
        if endpoint.closed().is_some() {
            return;
        }
        let attach = || wire::TerminalAttach {
            terminal_id: self.terminal.clone(),
            columns: 80,
            rows: 24,
            ..Default::default()
        };
        let id = *self.stream.get_or_insert_with(|| {
            let call = Call {
                method: "terminal.attach",
                payload: attach().encode_to_vec().into(),
                opens_stream: true,
                workspace: None,
            };
            endpoint.request(call).expect("a request")
        });
        if std::mem::take(&mut self.enter) {
            let body = Some(terminal_input::Body::Data(Bytes::from_static(b"\n")));
            let input = wire::TerminalInput { body };
            let sent = endpoint.stream_send(id, input.encode_to_vec().into());
            sent.expect("room");
        }
    }

    fn is_done(&self) -> bool {
        self.ended.is_some()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Opens a terminal.
#[derive(Default)]
struct Opening {
    asked: bool,
    terminal: Option<String>,
}

impl Job for Opening {
    fn heed(&mut self, _: &mut Endpoint, event: Event) {
        if let Event::Response { result, .. } = event {
            let summary = wire::TerminalSummary::decode(result.expect("a terminal"));
            self.terminal = Some(summary.expect("a summary").terminal_id);
        }
    }

    fn go_on(&mut self, endpoint: &mut Endpoint) {
        if !std::mem::replace(&mut self.asked, true) {
            let script = "read go; seq 1 500000; echo all said; cat";
            let call = Call {
                method: "terminal.open",
                payload: crate::support::sh(script).encode_to_vec().into(),
                opens_stream: false,
                workspace: None,
            };
            endpoint.request(call).expect("a request");
        }
    }

    fn is_done(&self) -> bool {
        self.terminal.is_some()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[tokio::test]
async fn a_viewer_that_is_away_falls_behind_and_holds_up_nobody() {
    let mut fleet = Fleet::new().await;
    let opener = fleet.open(Opening::default()).await;
    fleet.finish().await;
    let opened = fleet.clients[&opener].job::<Opening>().terminal.clone();
    let terminal = opened.expect("a terminal");
    let away = fleet.open(Viewing::at(&terminal)).await;
    let here = fleet.open(Viewing::at(&terminal)).await;
    fleet
        .until("both screens", |fleet| {
            let snapshots = |id| fleet.clients[&id].job::<Viewing>().snapshots;
            snapshots(away) == 1 && snapshots(here) == 1
        })
        .await;
    fleet.come_back = false;
    fleet.lose_session(away).await;
    fleet
        .until("a channel without a path", |fleet| {
            fleet.worker.census().detached == 1
        })
        .await;
    let client = fleet.clients.get_mut(&here).expect("a client");
    client.job = Box::new(Viewing {
        enter: true,
        stream: client.job::<Viewing>().stream,
        ..Viewing::at(&terminal)
    });
    fleet.wake(here);
    fleet
        .until("the other's last line", |fleet| {
            fleet.clients[&here].job::<Viewing>().shows("all said")
        })
        .await;
    fleet.come_back = true;
    fleet.wake(away);
    fleet
        .until("the end of the attachment", |fleet| {
            fleet.clients[&away].job::<Viewing>().ended.is_some()
        })
        .await;
    let viewing = fleet.clients[&away].job::<Viewing>();
    let error = viewing.ended.clone().expect("an error");
    assert_eq!((error.code, error.message.as_str()), (10, "behind"));
    assert!(!viewing.shows("all said"));
    // The channel stands, and the screen as it is now comes with the next attachment.
    let client = fleet.clients.get_mut(&away).expect("a client");
    assert_eq!((client.closed, client.attached), (None::<CloseReason>, 2));
    client.job = Box::new(Viewing::at(&terminal));
    fleet.wake(away);
    fleet
        .until("the screen", |fleet| {
            fleet.clients[&away].job::<Viewing>().shows("all said")
        })
        .await;
    assert_eq!(fleet.clients[&away].job::<Viewing>().snapshots, 1);
    fleet.worker.stop().await;
}
