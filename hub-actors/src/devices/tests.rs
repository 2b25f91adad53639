use super::{
    certifying, registering,
    signed::{self, tests::for_device},
};
use crate::{
    caller::Caller,
    error::{Quota, Refusal},
    notes::{About, Notes},
    store::{
        both::{Sandbox, on_both},
        cast::{ask, order, person, refreshed, team, worker, workspace},
        devices::{self, Certificate, Device},
        shares,
    },
};

on_both! {
    devices_are_listed_in_the_order_in_which_they_came,
    a_user_has_so_many_devices_and_no_more,
    owners_of_workers_hear_of_a_device_that_needs_a_grant,
    the_newest_certificate_of_a_device_is_kept_and_goes_with_it,
}

fn device(byte: u8, at_ms: i64) -> Device {
    Device {
        algorithm: 1,
        key: vec![byte; 32],
        label: format!("device {byte}"),
        created_ms: at_ms,
        last_seen_ms: at_ms,
    }
}

async fn register(sandbox: &Sandbox, who: &Caller, new: Device) -> Result<Notes, Refusal> {
    let me = who.user.clone();
    let done = order(sandbox, move |conn, notes| {
        registering::register(conn, notes, &me, &new)
    });
    done.await.map(|(_, notes)| notes)
}

async fn keys(sandbox: &Sandbox, who: &Caller) -> Vec<(u8, i64)> {
    let me = who.user.clone();
    let all = ask(sandbox, move |conn| devices::of(conn, &me)).await;
    all.iter()
        .map(|one| (one.key[0], one.last_seen_ms))
        .collect()
}

async fn devices_are_listed_in_the_order_in_which_they_came(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    for (byte, at) in [(9, 1), (4, 2), (9, 3)] {
        register(sandbox, &ann, device(byte, at)).await.unwrap();
    }
    // A key is not one person's alone: it is of no use to whoever only says that it is theirs.
    register(sandbox, &bob, device(9, 5)).await.unwrap();
    assert_eq!(keys(sandbox, &ann).await, [(9, 3), (4, 2)]);
    let me = ann.user.clone();
    let forget = move |byte: u8| {
        let me = me.clone();
        order(sandbox, move |conn, notes| {
            registering::forget(conn, notes, &me, &[byte; 32])
        })
    };
    assert!(forget(9).await.is_ok());
    assert_eq!(forget(9).await.err(), Some(Refusal::NotFound));
    assert_eq!(keys(sandbox, &ann).await, [(4, 2)]);
    assert_eq!(keys(sandbox, &bob).await, [(9, 5)]);
}

async fn a_user_has_so_many_devices_and_no_more(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    for byte in 0..32 {
        register(sandbox, &ann, device(byte, 1)).await.unwrap();
    }
    let full = register(sandbox, &ann, device(32, 1)).await;
    assert!(matches!(full, Err(Refusal::Quota(Quota::Devices, _))));
    assert!(register(sandbox, &ann, device(31, 2)).await.is_ok());
}

async fn owners_of_workers_hear_of_a_device_that_needs_a_grant(sandbox: &Sandbox) {
    use schema::wire::{
        OrganisationRole::{Member, Owner},
        Role::Viewer,
    };
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner), (&bob, Member)]).await;
    let desk = workspace(sandbox, "desk", &crew, &ann).await;
    let w1 = worker(sandbox, "w1", &crew, &ann).await;
    let (with, by, w) = (
        shares::Grantee::User(bob.user.clone()),
        ann.user.clone(),
        w1.clone(),
    );
    ask(sandbox, move |conn| {
        shares::attach(conn, &w, &desk)?;
        shares::put(conn, &desk, &with, Viewer, &by, 1)
    })
    .await;
    let notes = register(sandbox, &bob, device(1, 1)).await.unwrap();
    assert_eq!(notes.news.len(), 1);
    assert_eq!(notes.news[0].users, std::slice::from_ref(&ann.user));
    assert_eq!(notes.news[0].about, About::Grants(w1));
    assert!(
        register(sandbox, &bob, device(1, 2))
            .await
            .unwrap()
            .news
            .is_empty()
    );
    assert!(
        register(sandbox, &ann, device(2, 2))
            .await
            .unwrap()
            .news
            .is_empty()
    );
}

async fn the_newest_certificate_of_a_device_is_kept_and_goes_with_it(sandbox: &Sandbox) {
    let bob = person(sandbox, "bob").await;
    register(sandbox, &bob, device(3, 1)).await.unwrap();
    let publish = |id: &'static str, serial: u64| {
        let bytes = for_device(|said| said.serial = serial);
        let says = signed::device(&bytes).unwrap();
        let new = Certificate {
            id: id.to_owned(),
            serial: says.serial,
            signed: bytes,
            expires_ms: says.expires_ms,
        };
        let me = bob.user.clone();
        order(sandbox, move |conn, notes| {
            certifying::publish(conn, notes, &me, &says, &new)
        })
    };
    let (_, notes) = publish("d1", 5).await.unwrap();
    assert_eq!(refreshed(&notes), ["bob"]);
    let (_, notes) = publish("d2", 4).await.unwrap();
    assert_eq!(refreshed(&notes), [""; 0]);
    publish("d3", 6).await.unwrap();
    let kept = || {
        let me = bob.user.clone();
        ask(sandbox, move |conn| devices::certificates_of(conn, &me))
    };
    let ids: Vec<_> = kept().await.into_iter().map(|one| one.id).collect();
    assert_eq!(ids, ["d3"]);
    let me = bob.user.clone();
    let forgotten = order(sandbox, move |conn, notes| {
        registering::forget(conn, notes, &me, &[3; 32])
    });
    assert!(forgotten.await.is_ok());
    assert!(kept().await.is_empty());
}
