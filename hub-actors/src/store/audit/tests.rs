//! The chain, on both databases.

use std::collections::BTreeSet;

use super::*;
use crate::store::both::{Sandbox, on_both};

on_both! {
    a_chain_is_whole_after_many_writers,
    a_changed_entry_shows,
    a_cut_in_the_middle_shows,
    a_cut_at_the_end_shows_to_whoever_kept_the_head,
    a_chain_written_anew_shows_to_whoever_kept_the_head,
    an_organisation_reads_its_own_entries,
    nothing_is_changed_or_cut_by_accident,
    the_newest_that_fit_are_found,
}

const EVENT: Event<'_> = Event {
    actor: Actor::User,
    actor_id: "u1",
    address: "192.0.2.1",
    action: "login.ended",
    object: Object::Credential,
    object_id: "c1",
    organisation: None,
    detail: "",
};

async fn add(sandbox: &Sandbox, event: Event<'static>) {
    let added = sandbox
        .store
        .write(move |conn| append(conn, &event, 5).map(Ok::<_, ()>));
    added.await.unwrap().unwrap();
}

async fn check(sandbox: &Sandbox, known: Option<Head>) -> Result<Head, Broken> {
    let checked = sandbox.store.run(move |conn| verify(conn, known.as_ref()));
    checked.await.unwrap()
}

/// Does what whoever owns the database can do: first the guards go.
async fn tamper(sandbox: &Sandbox, statement: &'static str) {
    let done = sandbox.store.run(move |conn| {
        let guards = match conn {
            Connection::Sqlite(_) => &["audit_log_kept", "audit_log_whole"][..],
            Connection::Postgres(_) => &["audit_log_kept ON audit_log"],
        };
        for guard in guards {
            diesel::sql_query(format!("DROP TRIGGER IF EXISTS {guard}")).execute(conn)?;
        }
        Ok(diesel::sql_query(statement).execute(conn)?)
    });
    assert!(done.await.unwrap() > 0);
}

async fn nothing_is_changed_or_cut_by_accident(sandbox: &Sandbox) {
    add(sandbox, EVENT).await;
    for statement in ["UPDATE audit_log SET at_ms = 1", "DELETE FROM audit_log"] {
        let done = sandbox
            .store
            .run(move |conn| Ok(diesel::sql_query(statement).execute(conn)?));
        assert!(done.await.is_err(), "{statement}");
    }
    assert_eq!(check(sandbox, None).await.unwrap().seq, 1);
}

async fn the_newest_that_fit_are_found(sandbox: &Sandbox) {
    for action in [
        "user.created",
        "user_created",
        "login.ended",
        "user.deleted",
    ] {
        add(sandbox, Event { action, ..EVENT }).await;
    }
    let found = |action, before| {
        let search = Search {
            action: Some(action),
            before,
            ..Search::default()
        };
        let read = sandbox
            .store
            .run(move |conn| read_before(conn, &search, 10));
        async {
            read.await
                .unwrap()
                .iter()
                .map(|one| one.seq)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(found("user.", None).await, [4, 1]);
    assert_eq!(found("user.", Some(4)).await, [1]);
    assert_eq!(found("user_", None).await, [2]);
    assert_eq!(found("%", None).await, [0; 0]);
}

async fn a_chain_is_whole_after_many_writers(sandbox: &Sandbox) {
    let writers = (0..5).map(|_| async {
        for _ in 0..6 {
            add(sandbox, EVENT).await;
        }
    });
    futures_util::future::join_all(writers).await;
    let end = check(sandbox, None).await.unwrap();
    assert_eq!(end.seq, 30);
    assert_eq!(sandbox.store.run(head).await.unwrap(), end);
}

async fn a_changed_entry_shows(sandbox: &Sandbox) {
    for _ in 0..3 {
        add(sandbox, EVENT).await;
    }
    tamper(
        sandbox,
        "UPDATE audit_log SET actor_id = 'u2' WHERE seq = 2",
    )
    .await;
    assert_eq!(check(sandbox, None).await, Err(Broken::Changed(2)));
}

async fn a_cut_in_the_middle_shows(sandbox: &Sandbox) {
    for _ in 0..3 {
        add(sandbox, EVENT).await;
    }
    tamper(sandbox, "DELETE FROM audit_log WHERE seq = 2").await;
    assert_eq!(check(sandbox, None).await, Err(Broken::Missing(2)));
    tamper(sandbox, "UPDATE audit_log SET seq = 2 WHERE seq = 3").await;
    assert_eq!(check(sandbox, None).await, Err(Broken::Changed(2)));
}

async fn a_cut_at_the_end_shows_to_whoever_kept_the_head(sandbox: &Sandbox) {
    for _ in 0..3 {
        add(sandbox, EVENT).await;
    }
    let kept = check(sandbox, None).await.unwrap();
    assert_eq!(check(sandbox, Some(kept.clone())).await, Ok(kept.clone()));
    tamper(sandbox, "DELETE FROM audit_log WHERE seq = 3").await;
    assert!(check(sandbox, None).await.is_ok());
    assert_eq!(check(sandbox, Some(kept)).await, Err(Broken::Head(3)));
}

async fn a_chain_written_anew_shows_to_whoever_kept_the_head(sandbox: &Sandbox) {
    add(sandbox, EVENT).await;
    let kept = check(sandbox, None).await.unwrap();
    tamper(sandbox, "DELETE FROM audit_log").await;
    let event = Event {
        actor_id: "u2",
        ..EVENT
    };
    add(sandbox, event).await;
    assert!(check(sandbox, None).await.is_ok());
    assert_eq!(check(sandbox, Some(kept)).await, Err(Broken::Head(1)));
}

async fn an_organisation_reads_its_own_entries(sandbox: &Sandbox) {
    let own = Event {
        organisation: Some("o1"),
        ..EVENT
    };
    add(sandbox, EVENT).await;
    add(sandbox, own).await;
    let read = sandbox.store.run(|conn| {
        let filter = Filter {
            organisation: Some("o1"),
            actor: Some("u1"),
            object: Some("c1"),
        };
        read_after(conn, &filter, 0, 10)
    });
    let read = read.await.unwrap();
    let of: Vec<_> = read.iter().map(|entry| &entry.organisation_id).collect();
    assert_eq!(of, [&Some("o1".to_owned())]);
    let line = serde_json::to_string(read.first().unwrap()).unwrap();
    assert!(line.contains(r#""action":"login.ended""#), "{line}");
    // Hashes as people compare them.
    let hash = serde_json::from_str::<serde_json::Value>(&line).unwrap();
    let hash = hash.get("hash").and_then(|hash| hash.as_str()).unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn no_two_kinds_have_one_name() {
    let actors = Actor::ALL.map(Actor::label);
    assert_eq!(BTreeSet::from(actors).len(), actors.len());
    let objects = Object::ALL.map(Object::label);
    assert_eq!(BTreeSet::from(objects).len(), objects.len());
}

#[test]
fn nothing_can_be_moved_from_one_field_to_the_next() {
    let entry = |actor_id: &str, address: &str, organisation: Option<&str>| Entry {
        seq: 1,
        at_ms: 1,
        actor_kind: String::new(),
        actor_id: actor_id.to_owned(),
        address: address.to_owned(),
        action: String::new(),
        object_kind: String::new(),
        object_id: String::new(),
        organisation_id: organisation.map(str::to_owned),
        detail: String::new(),
        previous_hash: NOTHING.to_vec(),
        hash: Vec::new(),
    };
    let hash = |actor, address, organisation| entry(actor, address, organisation).compute();
    assert_ne!(hash("ab", "", None), hash("a", "b", None));
    assert_ne!(hash("a", "", None), hash("a", "", Some("")));
    assert_eq!(hash("a", "b", None), hash("a", "b", None));
}

#[test]
fn hex_is_read_as_it_was_written() {
    assert_eq!(from_hex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
    for bad in ["0", "0g", "+1"] {
        assert_eq!(from_hex(bad), None, "{bad}");
    }
}
