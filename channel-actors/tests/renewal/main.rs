//! New epochs: what is cut, late, replayed or forged loses nothing, doubles nothing and ends nothing.

#![cfg(feature = "endpoint")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

#[path = "../support/mod.rs"]
mod support;

mod ages;
mod answers;
mod cuts;
mod waiting;

use bytes::Bytes;
use channel_actors::{endpoint::Event, relay::Side};
use schema::{
    frame::{Frame, Outer},
    wire::{self, control::Body},
};
use support::wire::Wire;

/// The client asks for new keys; its Renew is on no path yet.
fn asked(wire: &mut Wire) -> wire::Renew {
    assert_eq!(wire.client.renew(&mut wire.rng, wire.now), Ok(()));
    match wire.client.poll_outgoing(wire.now) {
        Some(Outer::Control(Body::Renew(renew))) => renew,
        other => panic!("a Renew first, not {other:?}"),
    }
}

/// The Worker's answer; the relay knows of the new epoch.
fn answered(wire: &mut Wire, renew: &wire::Renew) -> Body {
    wire.relay.renewal_asked();
    let answer = wire.answer(renew);
    let passed = match &answer {
        Body::Renewed(renewed) => wire.relay.renewed(renewed.serial, renewed.noise.len()),
        _ => wire.relay.renewal_refused(),
    };
    assert_eq!(passed, Ok(()));
    answer
}

fn tell_client(wire: &mut Wire, body: &Body) {
    wire.client.receive_control(body, &mut wire.rng, wire.now);
}

fn both_detach(wire: &mut Wire) {
    wire.client.detach(wire.now);
    wire.worker.detach(wire.now);
    wire.collect();
}

/// The client has a new path: the channel is attached again.
fn come_back(wire: &mut Wire) {
    wire.renew();
    assert_eq!(wire.closed(), (None, None));
    assert!(!wire.client.is_detached() && !wire.worker.is_detached());
    assert_eq!(wire.client_events.pop(), Some(Event::Attached));
}

/// The payloads of the requests that the Worker got, in their order.
fn requests(wire: &Wire) -> Vec<Bytes> {
    let payload = |event: &Event| match event {
        Event::Request { payload, .. } => Some(payload.clone()),
        _ => None,
    };
    wire.worker_events.iter().filter_map(payload).collect()
}

/// The payloads of the answers that the client got.
fn responses(wire: &Wire) -> Vec<Bytes> {
    let payload = |event: &Event| match event {
        Event::Response {
            result: Ok(payload),
            ..
        } => Some(payload.clone()),
        _ => None,
    };
    wire.client_events.iter().filter_map(payload).collect()
}

fn from_client(wire: &mut Wire) -> Vec<Frame> {
    wire.take_frames(Side::Client)
}
