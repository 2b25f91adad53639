//! Each row of the protocol's table of claims, as written.

#![cfg(feature = "endpoint")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

mod support;

use std::time::Duration;

use channel_actors::{
    CloseReason,
    endpoint::{Event, Failure},
    relay::Side,
};
use crypto::DeviceKey;
use schema::wire::{self, FailureReason, Role, inner::Body};
use support::{
    POST_QUANTUM, access, device,
    hostile::Hostile,
    rng,
    wire::{Judge, Setup, Wire},
    workspace,
};

fn ping() -> Body {
    Body::Ping(wire::Ping { nonce: 1 })
}

fn request(id: u64) -> Body {
    let method = "worker.info".to_owned();
    Body::Request(wire::Request {
        id,
        method,
        ..wire::Request::default()
    })
}

fn failure_of(said: &[Body]) -> Option<FailureReason> {
    said.iter().find_map(|body| match body {
        Body::Failure(failure) => Some(failure.reason()),
        _ => None,
    })
}

fn closed(events: &[Event]) -> Option<CloseReason> {
    match events.last() {
        Some(Event::Closed { reason, .. }) => Some(*reason),
        _ => None,
    }
}

#[test]
fn a_claim_that_holds_is_accepted_in_both_modes() {
    for mode in [support::CLASSIC, POST_QUANTUM] {
        let mut wire = Wire::opened(Setup {
            mode,
            ..Setup::default()
        });
        wire.run();
        let workspaces = access(&[("garden", Role::Owner), ("shed", Role::Viewer)]);
        let established = Event::Established { workspaces };
        assert_eq!(wire.worker_events.get(1), Some(&established));
        assert_eq!(wire.client_events, [established]);
        assert_eq!(wire.client.role(&workspace("shed")), Some(Role::Viewer));
    }
}

#[test]
fn the_worker_gives_the_least_of_announced_claimed_and_signed() {
    let cap = [
        (workspace("garden"), Role::Editor),
        (workspace("attic"), Role::Owner),
    ]
    .into();
    let mut wire = Wire::opened(Setup {
        workspaces: vec![workspace("garden"), workspace("attic")],
        judge: Judge::Accept(Some(cap)),
        ..Setup::default()
    });
    wire.run();
    assert_eq!(wire.worker.role(&workspace("garden")), Some(Role::Editor));
    assert_eq!(wire.worker.role(&workspace("shed")), None);
    assert_eq!(wire.worker.role(&workspace("attic")), None);
    wire.worker
        .change_access(&access(&[("garden", Role::Viewer)]));
    assert_eq!(wire.worker.role(&workspace("garden")), Some(Role::Viewer));
}

#[test]
fn another_user_id_is_a_mismatch() {
    // The client signs for whom the prologue names; so somebody else's claim needs real keys.
    let mut hostile = Hostile::new();
    let claim = hostile.claim("mallory", &device());
    hostile.say(Body::Claim(claim));
    let (events, said) = hostile.outcome();
    assert_eq!(failure_of(&said), Some(FailureReason::UserIdMismatch));
    assert_eq!(closed(&events), Some(CloseReason::Rejected));
}

#[test]
fn a_hub_that_announces_another_user_fails_at_message_1() {
    use channel_actors::{
        RefusalReason,
        endpoint::{AcceptParts, Initiator, Responder},
    };
    let id = support::channel(1);
    let limits = std::sync::Arc::new(channel_actors::Limits::default());
    let now = support::wire::start();
    let parts = support::wire::open_parts(support::CLASSIC, id, "alice", vec![], limits.clone());
    let opened = Initiator::open(parts, &mut rng(1), now);
    let Ok((_, wire::control::Body::Open(open))) = opened else {
        panic!("an open")
    };
    let mut announced = support::incoming(id, open.noise.to_vec());
    announced.user_id = "mallory".to_owned();
    let accepted = Responder::accept(AcceptParts {
        identity: support::identity(),
        mode: support::CLASSIC,
        worker: support::worker(),
        incoming: &announced,
        limits,
    });
    assert_eq!(accepted.err(), Some(RefusalReason::Handshake));
}

#[test]
fn any_other_message_first_is_not_verified() {
    for first in [ping(), request(1), Body::Ack(wire::Ack { received: 0 })] {
        let mut hostile = Hostile::new();
        hostile.say(first);
        let (events, said) = hostile.outcome();
        assert_eq!(failure_of(&said), Some(FailureReason::UserIdNotVerified));
        assert_eq!(closed(&events), Some(CloseReason::Rejected));
    }
}

#[test]
fn garbage_first_is_not_verified() {
    for (flags, plaintext) in [(0, &b"\xff\xff\xff"[..]), (1, b"half a claim")] {
        let mut hostile = Hostile::new();
        hostile.say_raw(1, flags, plaintext);
        let (_, said) = hostile.outcome();
        assert_eq!(failure_of(&said), Some(FailureReason::UserIdNotVerified));
    }
}

#[test]
fn no_claim_within_ten_seconds_closes() {
    let mut wire = Wire::opened(Setup::default());
    wire.advance(Duration::from_millis(9_999));
    assert_eq!(wire.worker.closed(), None);
    wire.advance(Duration::from_millis(1));
    assert_eq!(wire.worker.closed(), Some(CloseReason::ClaimTimeout));
}

#[test]
fn a_client_whose_claim_is_not_answered_gives_up() {
    let mut wire = Wire::opened(Setup {
        judge: Judge::Later,
        ..Setup::default()
    });
    wire.run();
    wire.now += Duration::from_secs(15);
    wire.client.expire(wire.now);
    assert_eq!(wire.client.closed(), Some(CloseReason::ClaimTimeout));
}

#[test]
fn a_claim_that_is_not_frame_0_closes() {
    let mut hostile = Hostile::accepted();
    let again = hostile.claim("alice", &device());
    hostile.say(Body::Claim(again));
    let (events, said) = hostile.outcome();
    assert_eq!(failure_of(&said), Some(FailureReason::ClaimInvalid));
    assert_eq!(closed(&events), Some(CloseReason::Rejected));
}

#[test]
fn an_unknown_device_is_told_its_fingerprint() {
    let judge = Judge::Reject("able-bird-cage-dock");
    let mut wire = Wire::opened(Setup {
        judge,
        ..Setup::default()
    });
    wire.run();
    let fingerprint = "able-bird-cage-dock".to_owned();
    let failure = Some(Failure::DeviceNotTrusted { fingerprint });
    let reason = CloseReason::Rejected;
    assert_eq!(wire.client_events, [Event::Closed { reason, failure }]);
    assert_eq!(wire.worker.closed(), Some(CloseReason::Rejected));
}

#[test]
fn what_is_sent_behind_the_claim_waits_for_its_acceptance() {
    let mut wire = Wire::opened(Setup {
        judge: Judge::Later,
        ..Setup::default()
    });
    assert!(wire.call("worker.info", "x".into()).is_ok());
    wire.run();
    assert_eq!(wire.worker_events.len(), 1, "only the claim");
    assert!(
        wire.passed.iter().all(|(from, _)| *from == Side::Client),
        "the Worker is silent"
    );
    wire.worker.accept_claim(0, None, wire.now);
    wire.run();
    assert!(matches!(
        wire.worker_events.get(2),
        Some(Event::Request { id: 1, .. })
    ));
}

#[test]
fn a_signature_of_another_channel_device_or_label_does_not_hold() {
    let foreign = Hostile::new().claim("alice", &device());
    let mut wrong_label = Hostile::new();
    let body = wrong_label
        .claim("alice", &device())
        .signed
        .expect("a signature")
        .body;
    let label = crypto::Label::Device;
    let context = crypto::claim_context(wrong_label.keys.root.hash(), "worker");
    let signed = device().sign(
        support::CLASSIC,
        label,
        &context,
        body.to_vec(),
        &mut rng(1),
    );
    let signed = signed.map(channel_actors::endpoint::claim::to_wire).ok();
    let mut swapped_key = Hostile::new();
    let mut with_other_key = swapped_key.claim("alice", &device());
    let other = DeviceKey::from_seeds(&[8; 32], &[8; 32]).public_bytes(support::CLASSIC);
    if let Some(signed) = &mut with_other_key.signed {
        signed.key = other.into();
    }
    // The randomness of tests is fixed, so another channel has to differ in something else.
    let mut other_hash = foreign.clone();
    if let Some(signed) = &mut other_hash.signed {
        let context = crypto::claim_context(&[0; 64], "worker");
        let again = device().sign(
            support::CLASSIC,
            crypto::Label::Claim,
            &context,
            signed.body.to_vec(),
            &mut rng(1),
        );
        *signed = channel_actors::endpoint::claim::to_wire(again.expect("it can be signed"));
    }
    for (hostile, claim) in [
        (
            &mut wrong_label,
            wire::Claim {
                signed,
                certificates: vec![],
            },
        ),
        (&mut swapped_key, with_other_key),
        (&mut Hostile::new(), other_hash),
        (&mut Hostile::new(), wire::Claim::default()),
    ] {
        hostile.say(Body::Claim(claim));
        let (events, said) = hostile.outcome();
        assert_eq!(failure_of(&said), Some(FailureReason::ClaimInvalid));
        assert_eq!(closed(&events), Some(CloseReason::Rejected));
    }
}

#[test]
fn more_certificates_than_allowed_are_not_even_looked_at() {
    let mut hostile = Hostile::new();
    let mut claim = hostile.claim("alice", &device());
    claim.certificates = vec![wire::Signed::default(); 9];
    hostile.say(Body::Claim(claim));
    let (_, said) = hostile.outcome();
    assert_eq!(failure_of(&said), Some(FailureReason::ClaimInvalid));
}
