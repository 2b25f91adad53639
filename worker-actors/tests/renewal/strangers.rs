//! What somebody else, or the past, says of a channel does it no harm.

use bytes::Bytes;
use channel_actors::{close, close::CloseReason, refusal::RefusalReason};
use schema::{
    frame::Outer,
    ids::ChannelId,
    wire::{self, control},
};

use crate::{
    commands::Copying,
    fleet::{Fleet, Idle, now},
    support::hub::rng,
};

/// What a Renew is refused with.
async fn refusal(fleet: &mut Fleet, renew: wire::Renew) -> Option<RefusalReason> {
    let serial = renew.serial;
    fleet.say(control::Body::Renew(renew)).await;
    loop {
        match fleet.hear().await {
            Outer::Control(control::Body::Refused(refused)) if refused.serial == serial => {
                return RefusalReason::from_wire(refused.reason);
            }
            Outer::Control(control::Body::Renewed(renewed)) if renewed.serial == serial => {
                return None;
            }
            other @ (Outer::Control(_) | Outer::Frame(_)) => fleet.deliver(other),
        }
    }
}

/// The Renew that a client would send now. The client itself waits for no answer to it.
fn renewal(fleet: &mut Fleet, channel: ChannelId) -> wire::Renew {
    let client = fleet.clients.get_mut(&channel).expect("a client");
    client.endpoint.renew(&mut rng(), now()).expect("a renewal");
    match client.endpoint.poll_outgoing(now()) {
        Some(Outer::Control(control::Body::Renew(renew))) => renew,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_renewal_by_somebody_without_the_channels_secrets_changes_nothing() {
    let mut fleet = Fleet::new().await;
    let channel = fleet.open(Copying::of(1_000_000, 5)).await;
    let stranger = fleet.open(Idle).await;
    let theirs = renewal(&mut fleet, stranger);
    fleet.clients.remove(&stranger);
    let of = |channel: ChannelId, renew: &wire::Renew| wire::Renew {
        channel_id: channel.as_bytes().to_vec().into(),
        ..renew.clone()
    };
    let forged = refusal(&mut fleet, of(channel, &theirs)).await;
    assert_eq!(forged, Some(RefusalReason::Handshake));
    let garbage = wire::Renew {
        noise: Bytes::from_static(b"nothing"),
        serial: u32::MAX,
        ..of(channel, &theirs)
    };
    assert_eq!(
        refusal(&mut fleet, garbage).await,
        Some(RefusalReason::Handshake)
    );
    let baseless = wire::Renew {
        base: 9,
        ..of(channel, &theirs)
    };
    assert_eq!(
        refusal(&mut fleet, baseless).await,
        Some(RefusalReason::Stale)
    );
    let unknown = of(ChannelId::from_bytes([9; 16]), &theirs);
    assert_eq!(
        refusal(&mut fleet, unknown).await,
        Some(RefusalReason::Stale)
    );
    fleet.finish().await;
    let client = &fleet.clients[&channel];
    assert!(client.job::<Copying>().is_exact());
    assert_eq!((client.attached, client.closed), (1, None));
    fleet.worker.stop().await;
}

#[tokio::test]
async fn what_was_sent_by_an_older_path_is_late_on_a_newer_one() {
    let mut fleet = Fleet::new().await;
    fleet.recorded = Some(Vec::new());
    let channel = fleet.open(Copying::of(6_000_000, 6)).await;
    for round in 0..4 {
        fleet.cut_after = Some(10 + 5 * round);
        fleet
            .until("a cut", |fleet| fleet.cut_after.is_none())
            .await;
        let past = fleet.recorded.take().expect("a record");
        fleet.come_back = false;
        fleet.until("a stream", |fleet| fleet.link.is_some()).await;
        // Before the new path is the channel's, and after it.
        replay(&mut fleet, &past).await;
        let old = close::close(
            channel,
            fleet.clients[&channel].serial,
            CloseReason::ChunkTimeout,
        );
        fleet.come_back = true;
        fleet.wake(channel);
        let attached = fleet.clients[&channel].attached;
        fleet
            .until("the new epoch", |fleet| {
                fleet.clients[&channel].attached > attached
            })
            .await;
        replay(&mut fleet, &past).await;
        fleet.say(old).await;
        fleet.recorded = Some(Vec::new());
        assert_eq!(fleet.clients[&channel].closed, None, "{round}");
    }
    fleet.finish().await;
    assert!(fleet.clients[&channel].job::<Copying>().is_exact());
    fleet.worker.stop().await;
}

/// Says again what was said, renewals included.
async fn replay(fleet: &mut Fleet, past: &[Bytes]) {
    for bytes in past {
        fleet.send(bytes.clone()).await;
    }
}
