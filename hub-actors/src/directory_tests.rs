use super::*;

fn directory() -> Directory {
    Directory::new(Quotas {
        channels_per_user: 2,
        sessions_per_user: 2,
        ..Quotas::default()
    })
}

fn user() -> UserId {
    UserId::parse("u").unwrap()
}

fn credential(name: &str) -> CredentialId {
    CredentialId::parse(name).unwrap()
}

fn worker(name: &str) -> WorkerId {
    WorkerId::parse(name).unwrap()
}

fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 16])
}

fn now() -> Instant {
    crate::clock::now()
}

fn session(directory: &mut Directory, name: &str) -> SessionId {
    directory
        .admit_session(user(), credential(name), SessionKind::Relay)
        .unwrap()
}

fn asked(session: SessionId, byte: u8) -> Asked {
    Asked {
        channel: channel(byte),
        session,
        worker: worker("w"),
        user: user(),
        credential: credential("c"),
    }
}

fn reason(denied: Result<Reservation, Denied>) -> RefusalReason {
    denied.unwrap_err().refusal.reason
}

#[test]
fn a_channel_runs_between_a_session_and_a_link() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    assert_eq!(
        reason(directory.reserve(asked(session, 1))),
        RefusalReason::WorkerOffline
    );
    let link = directory.admit_link(worker("w")).unwrap().link;
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    assert_eq!(directory.census().opening, 1);
    assert_eq!(directory.commit(reservation), Ok(link));
    assert_eq!(directory.census().channels, 1);
    assert_eq!(directory.parties(channel(1)), Some((session, worker("w"))));
    assert_eq!(directory.channel_gone(channel(1), None), None);
    assert_eq!(directory.session_gone(session), Vec::new());
    assert_eq!(directory.link_gone(&worker("w"), link), Some(Vec::new()));
    assert!(directory.census().is_empty());
}

#[test]
fn a_revocation_that_races_an_open_wins() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    directory.admit_link(worker("w")).unwrap();
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    let revoked = directory.revoke(credential("c"), now());
    assert_eq!(
        revoked,
        Revoked {
            channels: vec![channel(1)],
            sessions: vec![session]
        }
    );
    assert_eq!(
        directory.commit(reservation),
        Err(RefusalReason::Credential)
    );
    assert_eq!(directory.census().opening, 0);
    assert_eq!(
        reason(directory.reserve(asked(session, 2))),
        RefusalReason::Credential
    );
    assert_eq!(directory.may_stay(session), Err(NoSession::Revoked));
    let late = directory.admit_session(user(), credential("c"), SessionKind::Relay);
    assert_eq!(late, Err(NoSession::Revoked));
}

#[test]
fn a_revocation_touches_nothing_of_another_credential() {
    let mut directory = directory();
    let mine = session(&mut directory, "c");
    let other = session(&mut directory, "d");
    directory.admit_link(worker("w")).unwrap();
    directory.reserve(asked(mine, 1)).unwrap();
    assert_eq!(
        directory.revoke(credential("d"), now()).sessions,
        vec![other]
    );
    assert_eq!(directory.may_stay(mine), Ok(()));
}

#[test]
fn a_reservation_of_a_gone_session_does_not_touch_a_later_one_of_the_same_id() {
    let mut directory = directory();
    directory.admit_link(worker("w")).unwrap();
    let first = session(&mut directory, "c");
    let stale = directory.reserve(asked(first, 1)).unwrap();
    assert_eq!(directory.session_gone(first), Vec::new());
    let second = session(&mut directory, "c");
    let fresh = directory.reserve(asked(second, 1)).unwrap();
    assert!(directory.commit(stale).is_err());
    directory.release(stale);
    assert!(directory.commit(fresh).is_ok());
}

#[test]
fn ids_and_quotas_are_kept() {
    let mut directory = directory();
    directory.admit_link(worker("w")).unwrap();
    let session = session(&mut directory, "c");
    let first = directory.reserve(asked(session, 1)).unwrap();
    assert_eq!(
        reason(directory.reserve(asked(session, 1))),
        RefusalReason::Duplicate
    );
    directory.reserve(asked(session, 2)).unwrap();
    let third = directory.reserve(asked(session, 3)).unwrap_err();
    assert_eq!(third.quota, Some(Quota::Channels));
    directory.release(first);
    assert!(directory.reserve(asked(session, 3)).is_ok());
}

#[test]
fn sessions_of_a_user_are_limited() {
    let mut directory = directory();
    let first = session(&mut directory, "c");
    session(&mut directory, "c");
    let third = |directory: &mut Directory| {
        directory.admit_session(user(), credential("c"), SessionKind::Events)
    };
    assert_eq!(third(&mut directory), Err(NoSession::Quota));
    directory.session_gone(first);
    assert!(third(&mut directory).is_ok());
}

#[test]
fn the_newer_link_wins_and_the_older_takes_nothing_with_it() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    let old = directory.admit_link(worker("w")).unwrap();
    assert_eq!(old.replaced, None);
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    directory.commit(reservation).unwrap();
    let new = directory.admit_link(worker("w")).unwrap();
    assert_eq!(new.replaced, Some((old.link, vec![channel(1)])));
    assert_eq!(directory.link_gone(&worker("w"), old.link), None);
    assert_eq!(directory.census().links, 1);
}

#[test]
fn the_sixteenth_offence_names_the_offender() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    let link = directory.admit_link(worker("w")).unwrap().link;
    let mut breach = |byte: u8, side| {
        let reservation = directory.reserve(asked(session, byte)).unwrap();
        directory.commit(reservation).unwrap();
        directory.channel_gone(channel(byte), Some(side))
    };
    for byte in 0..15 {
        assert_eq!(breach(byte, Side::Client), None);
        assert_eq!(breach(byte, Side::Worker), None);
    }
    assert_eq!(breach(15, Side::Client), Some(Offender::Session(session)));
    assert_eq!(
        breach(15, Side::Worker),
        Some(Offender::Link(worker("w"), link))
    );
}

#[test]
fn a_draining_hub_lets_nobody_in_and_sends_everybody_away_once() {
    let mut directory = directory();
    let first = session(&mut directory, "c");
    let second = session(&mut directory, "c");
    let link = directory.admit_link(worker("w")).unwrap().link;
    directory.drain();
    assert_eq!(
        reason(directory.reserve(asked(first, 1))),
        RefusalReason::Draining
    );
    assert_eq!(
        directory.admit_link(worker("x")),
        Err(RefusalReason::Draining)
    );
    let refused = directory.admit_session(user(), credential("c"), SessionKind::Relay);
    assert_eq!(refused, Err(NoSession::Draining));
    let away = directory.send_away(1);
    assert_eq!((away.sessions, away.links), (vec![first], Vec::new()));
    // One that has no address yet hears it when it asks to begin.
    assert_eq!(directory.may_stay(first), Err(NoSession::Draining));
    assert_eq!(directory.may_stay(second), Ok(()));
    let away = directory.send_away(2);
    assert_eq!(
        (away.sessions, away.links),
        (vec![second], vec![(worker("w"), link)])
    );
    let away = directory.send_away(9);
    assert_eq!((away.sessions, away.links), (Vec::new(), Vec::new()));
}
