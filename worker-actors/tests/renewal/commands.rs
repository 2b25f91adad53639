//! Commands go on while their client is away, and no byte is lost or doubled.

use bytes::Bytes;
use channel_actors::endpoint::{Call, Endpoint, Event};
use prost::Message as _;
use schema::wire::{self, exec_input, exec_output};

use crate::fleet::{Fleet, Job};

/// `cat`: what is sent in has to come out.
pub(crate) struct Copying {
    id: Option<u64>,
    bytes: Vec<u8>,
    sent: usize,
    closed: bool,
    pub(crate) got: Vec<u8>,
    pub(crate) code: Option<i32>,
    pub(crate) error: Option<wire::RpcError>,
}

impl Copying {
    /// So many bytes, none like its neighbours.
    pub(crate) fn of(length: usize, seed: u32) -> Self {
        let mut state = u64::from(seed) << 1 | 1;
        let bytes = std::iter::from_fn(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            Some((state >> 56) as u8)
        });
        Self {
            id: None,
            bytes: bytes.take(length).collect(),
            sent: 0,
            closed: false,
            got: Vec::new(),
            code: None,
            error: None,
        }
    }

    fn say(endpoint: &mut Endpoint, id: u64, body: exec_input::Body) {
        let input = wire::ExecInput { body: Some(body) };
        let sent = endpoint.stream_send(id, input.encode_to_vec().into());
        sent.expect("room");
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.got == self.bytes
    }
}

/// Starts a command.
pub(crate) fn start(endpoint: &mut Endpoint, command: &[&str]) -> u64 {
    let start = wire::ExecStart {
        command: command.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let call = Call {
        method: "exec",
        payload: start.encode_to_vec().into(),
        opens_stream: true,
        workspace: None,
    };
    endpoint.request(call).expect("a request")
}

impl Job for Copying {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest is no concern of a copy"
    )]
    fn heed(&mut self, endpoint: &mut Endpoint, event: Event) {
        match event {
            Event::StreamData { id, data } => {
                let length = data.len();
                match wire::ExecOutput::decode(data).expect("an output").body {
                    Some(exec_output::Body::Stdout(data)) => self.got.extend(data),
                    Some(exec_output::Body::ExitCode(code)) => self.code = Some(code),
                    other => panic!("{other:?}"),
                }
                endpoint.stream_consumed(id, length);
            }
            Event::StreamEnd { error, .. } => self.error = error,
            Event::Response {
                result: Err(error), ..
            } => self.error = Some(error),
            _ => {}
        }
    }

    fn go_on(&mut self, endpoint: &mut Endpoint) {
        if endpoint.closed().is_some() {
            return;
        }
        let id = *self
            .id
            .get_or_insert_with(|| start(endpoint, &["/bin/cat"]));
        while self.sent < self.bytes.len() {
            let piece = (self.bytes.len() - self.sent).min(16 << 10);
            if endpoint.stream_room(id) < piece + 64 {
                return;
            }
            let data = Bytes::copy_from_slice(&self.bytes[self.sent..self.sent + piece]);
            Self::say(endpoint, id, exec_input::Body::Stdin(data));
            self.sent += piece;
        }
        if !self.closed && endpoint.stream_room(id) >= 64 {
            Self::say(endpoint, id, exec_input::Body::StdinClosed(true));
            self.closed = true;
        }
    }

    fn is_done(&self) -> bool {
        self.code.is_some() || self.error.is_some()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn assert_copied(fleet: &Fleet) {
    for client in fleet.clients.values() {
        let copying = client.job::<Copying>();
        assert_eq!((copying.code, copying.error.as_ref()), (Some(0), None));
        assert!(copying.is_exact());
    }
}

#[tokio::test]
async fn a_command_loses_no_byte_wherever_its_stream_is_cut() {
    let mut fleet = Fleet::new().await;
    for seed in 0..24 {
        fleet.clients.clear();
        fleet.open(Copying::of(700_000, seed)).await;
        // Early cuts as well as late ones: at the request, at a renewal, in the middle.
        let most = [3, 8, 20, 60][seed as usize % 4];
        for _ in 0..6 {
            fleet.cut_within(most);
            fleet
                .until("a cut or the end", |fleet| {
                    fleet.cut_after.is_none()
                        || fleet.clients.values().all(|client| client.job.is_done())
                })
                .await;
        }
        fleet.cut_after = None;
        fleet.finish().await;
        assert_copied(&fleet);
    }
    assert!(fleet.cuts > 48, "{}", fleet.cuts);
    fleet.worker.stop().await;
}

#[tokio::test]
async fn a_command_loses_no_byte_in_the_post_quantum_mode() {
    let mut fleet = Fleet::with(|config| config.encryption_mode = "post-quantum".into()).await;
    fleet.open(Copying::of(2_000_000, 7)).await;
    for _ in 0..4 {
        fleet.cut_within(40);
        fleet
            .until("a cut", |fleet| fleet.cut_after.is_none())
            .await;
    }
    fleet.finish().await;
    assert_copied(&fleet);
    fleet.worker.stop().await;
}

#[tokio::test]
async fn keys_are_renewed_on_a_live_path_and_no_stream_notices() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.open(Copying::of(3_000_000, 1)).await;
    for round in 1..=12 {
        let client = fleet.clients.get_mut(&channel).expect("a client");
        client
            .endpoint
            .renew(&mut crate::support::hub::rng(), crate::fleet::now())
            .expect("a renewal");
        let (before, got) = (client.attached, client.job::<Copying>().got.len());
        fleet.wake(channel);
        fleet
            .until("the new epoch, and something in it", |fleet| {
                let client = &fleet.clients[&channel];
                let copying = client.job::<Copying>();
                client.attached > before && (copying.got.len() > got || copying.is_done())
            })
            .await;
        assert_eq!(fleet.clients[&channel].serial, round);
    }
    fleet.finish().await;
    assert_copied(&fleet);
    fleet.worker.stop().await;
}

#[tokio::test]
async fn a_client_that_lost_its_session_comes_back_by_the_same_stream() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.open(Copying::of(2_000_000, 2)).await;
    let other = fleet.open(Copying::of(500_000, 3)).await;
    for _ in 0..5 {
        let got = fleet.clients[&channel].job::<Copying>().got.len();
        fleet
            .until("something", |fleet| {
                let copying = fleet.clients[&channel].job::<Copying>();
                copying.got.len() > got || copying.is_done()
            })
            .await;
        fleet.lose_session(channel).await;
    }
    fleet.finish().await;
    assert_copied(&fleet);
    assert_eq!(fleet.clients[&other].attached, 1, "nobody else noticed");
    fleet.worker.stop().await;
}
