//! A terminal waits for nobody who is away.

use channel_actors::{
    close::CloseReason,
    endpoint::{Call, Endpoint, Event},
};
use prost::Message as _;
use schema::{
    ids::ChannelId,
    wire::{self, terminal_event, terminal_input},
};

use crate::fleet::{Fleet, Job};

/// Looks at a terminal, and may type.
struct Viewing {
    terminal: String,
    stream: Option<u64>,
    typed: Option<&'static str>,
    tail: Vec<u8>,
    snapshots: u32,
    ended: Option<wire::RpcError>,
}

impl Viewing {
    fn at(terminal: &str) -> Self {
        Self {
            terminal: terminal.to_owned(),
            stream: None,
            typed: None,
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
                        self.tail.clear();
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
        if let Some(typed) = self.typed.take() {
            let body = Some(terminal_input::Body::Data(typed.into()));
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
            let script = "trap 'echo got it; over=1' INT; read go; seq 1 500000; echo all said; \
                 while [ -z \"$over\" ]; do sleep 0.05; done; echo it is over; cat";
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

/// Has a client type, with a path or without.
fn types(fleet: &mut Fleet, id: ChannelId, typed: &'static str) {
    let client = fleet.clients.get_mut(&id).expect("a client");
    let before = client.job::<Viewing>();
    client.job = Box::new(Viewing {
        stream: before.stream,
        snapshots: before.snapshots,
        typed: Some(typed),
        ..Viewing::at(&before.terminal)
    });
    fleet.wake(id);
}

async fn until_shown(fleet: &mut Fleet, id: ChannelId, text: &'static str) {
    fleet
        .until(text, |fleet| {
            fleet.clients[&id].job::<Viewing>().shows(text)
        })
        .await;
}

#[tokio::test]
async fn a_viewer_that_is_away_holds_up_nobody_and_what_it_types_meanwhile_arrives_once() {
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
    types(&mut fleet, here, "\n");
    // Several times what the other's stream has credit for.
    until_shown(&mut fleet, here, "all said").await;
    types(&mut fleet, away, "\x03");
    fleet.come_back = true;
    fleet.wake(away);
    until_shown(&mut fleet, away, "it is over").await;
    types(&mut fleet, away, "the end\n");
    until_shown(&mut fleet, here, "the end").await;
    let seen = fleet.clients[&here].job::<Viewing>();
    let shown = String::from_utf8_lossy(&seen.tail);
    assert_eq!(shown.matches("got it").count(), 1, "{shown}");
    let client = &fleet.clients[&away];
    assert_eq!((client.closed, client.attached), (None::<CloseReason>, 2));
    // What it had no room for is in a snapshot, on the stream that it had.
    let viewing = client.job::<Viewing>();
    assert_eq!((viewing.snapshots, &viewing.ended), (2, &None));
    fleet.worker.stop().await;
}
