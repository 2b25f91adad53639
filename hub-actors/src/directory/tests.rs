use channel_actors::relay::Side;

use super::*;

pub(super) fn directory() -> Directory {
    Directory::new(Quotas {
        channels_per_user: 2,
        sessions_per_user: 2,
        ..Quotas::default()
    })
}

pub(super) fn user() -> UserId {
    UserId::parse("u").unwrap()
}

pub(super) fn credential(name: &str) -> CredentialId {
    CredentialId::parse(name).unwrap()
}

pub(super) fn worker(name: &str) -> WorkerId {
    WorkerId::parse(name).unwrap()
}

pub(super) fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 16])
}

pub(super) fn now() -> Instant {
    crate::clock::now()
}

pub(super) fn session(directory: &mut Directory, name: &str) -> SessionId {
    directory
        .admit_session(user(), credential(name), 0, SessionKind::Relay)
        .unwrap()
}

pub(super) fn stands_with(name: &str) -> Topic {
    Topic::Credential(credential(name))
}

pub(super) fn revoke(directory: &mut Directory, name: &str) -> Revoked {
    directory.revoke(stands_with(name), 1, now())
}

pub(super) fn asked(session: SessionId, byte: u8) -> Asked {
    Asked {
        channel: channel(byte),
        session,
        worker: worker("w"),
        user: user(),
        organisation: OrganisationId::parse("o").unwrap(),
        organisation_channels: 0,
        topics: [stands_with("c")].into(),
        as_of: 0,
    }
}

pub(super) fn reason(denied: Result<Reservation, Denied>) -> RefusalReason {
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
    let link = directory.admit_link(worker("w"), 0).unwrap().link;
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    assert_eq!(directory.census().opening, 1);
    assert_eq!(directory.commit(reservation), Ok(link));
    assert_eq!(directory.census().channels, 1);
    let parties = (vec![session], worker("w"));
    assert_eq!(directory.parties(channel(1)), Some(parties));
    assert_eq!(directory.channel_gone(channel(1), None, None), None);
    assert_eq!(directory.session_gone(session), Vec::new());
    assert_eq!(directory.link_gone(&worker("w"), link), Some(Vec::new()));
    assert!(directory.census().is_empty());
}

#[test]
fn a_revocation_that_races_an_open_wins() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    directory.admit_link(worker("w"), 0).unwrap();
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    let revoked = revoke(&mut directory, "c");
    assert_eq!(
        revoked,
        Revoked {
            paths: vec![(channel(1), session)],
            sessions: vec![session],
            link: None,
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
    let late = directory.admit_session(user(), credential("c"), 0, SessionKind::Relay);
    assert_eq!(late, Err(NoSession::Revoked));
}

#[test]
fn a_revocation_touches_nothing_of_another_credential() {
    let mut directory = directory();
    let mine = session(&mut directory, "c");
    let other = session(&mut directory, "d");
    directory.admit_link(worker("w"), 0).unwrap();
    directory.reserve(asked(mine, 1)).unwrap();
    assert_eq!(revoke(&mut directory, "d").sessions, vec![other]);
    assert_eq!(directory.may_stay(mine), Ok(()));
}

#[test]
fn a_reservation_of_a_gone_session_does_not_touch_a_later_one_of_the_same_id() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
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
    directory.admit_link(worker("w"), 0).unwrap();
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
        directory.admit_session(user(), credential("c"), 0, SessionKind::Events)
    };
    assert_eq!(third(&mut directory), Err(NoSession::Quota));
    directory.session_gone(first);
    assert!(third(&mut directory).is_ok());
}

#[test]
fn the_newer_link_wins_and_the_older_takes_nothing_with_it() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    let old = directory.admit_link(worker("w"), 0).unwrap();
    assert_eq!(old.replaced, None);
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    directory.commit(reservation).unwrap();
    let new = directory.admit_link(worker("w"), 0).unwrap();
    assert_eq!(new.replaced, Some((old.link, vec![channel(1)])));
    assert_eq!(directory.link_gone(&worker("w"), old.link), None);
    assert_eq!(directory.census().links, 1);
}

#[test]
fn the_sixteenth_offence_names_the_offender() {
    let mut directory = directory();
    let session = session(&mut directory, "c");
    let link = directory.admit_link(worker("w"), 0).unwrap().link;
    let mut breach = |byte: u8, side| {
        let reservation = directory.reserve(asked(session, byte)).unwrap();
        directory.commit(reservation).unwrap();
        directory.channel_gone(channel(byte), Some(session), Some(side))
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
    let link = directory.admit_link(worker("w"), 0).unwrap().link;
    directory.drain();
    assert_eq!(
        reason(directory.reserve(asked(first, 1))),
        RefusalReason::Draining
    );
    assert_eq!(
        directory.admit_link(worker("x"), 0),
        Err(RefusalReason::Draining)
    );
    let refused = directory.admit_session(user(), credential("c"), 0, SessionKind::Relay);
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

pub(super) fn running(directory: &mut Directory, session: SessionId, byte: u8) {
    let reservation = directory.reserve(asked(session, byte)).unwrap();
    directory.commit(reservation).unwrap();
}

pub(super) fn known(directory: &mut Directory, asked: Asked) -> Reservation {
    match directory.renew(asked) {
        Ok(Renewal::Known(reservation)) => reservation,
        other => panic!("not of a known channel: {other:?}"),
    }
}

fn anew(directory: &mut Directory, asked: Asked) -> Reservation {
    match directory.renew(asked) {
        Ok(Renewal::Anew(reservation)) => reservation,
        other => panic!("not anew: {other:?}"),
    }
}

pub(super) fn denied(directory: &mut Directory, asked: Asked) -> RefusalReason {
    directory.renew(asked).unwrap_err().refusal.reason
}

#[test]
fn a_channel_that_runs_here_is_renewed_where_it_is() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    for over in [first, session(&mut directory, "c")] {
        let reservation = known(&mut directory, asked(over, 1));
        assert_eq!(directory.commit_path(reservation, over), Ok(()));
        assert!(!directory.settle_path(reservation, over, true));
    }
    assert_eq!(directory.census().channels, 1, "it counts once");
}

#[test]
fn one_that_is_not_here_begins_like_an_open_and_counts_like_one() {
    let mut directory = directory();
    let first = session(&mut directory, "c");
    assert_eq!(
        denied(&mut directory, asked(first, 1)),
        RefusalReason::WorkerOffline
    );
    let link = directory.admit_link(worker("w"), 0).unwrap().link;
    let reservation = anew(&mut directory, asked(first, 1));
    assert_eq!(
        denied(&mut directory, asked(first, 1)),
        RefusalReason::Busy,
        "it is not running yet"
    );
    assert_eq!(directory.commit(reservation), Ok(link));
    running(&mut directory, first, 2);
    assert_eq!(
        directory.renew(asked(first, 3)).unwrap_err().quota,
        Some(Quota::Channels)
    );
}

#[test]
fn a_channel_of_another_user_or_to_another_worker_does_not_exist() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    directory.admit_link(worker("v"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    let stranger = UserId::parse("stranger").unwrap();
    let theirs = directory
        .admit_session(stranger.clone(), credential("s"), 0, SessionKind::Relay)
        .unwrap();
    let by_stranger = Asked {
        user: stranger,
        topics: [stands_with("s")].into(),
        ..asked(theirs, 1)
    };
    let elsewhere = Asked {
        worker: worker("v"),
        ..asked(first, 1)
    };
    for asked in [by_stranger, elsewhere] {
        assert_eq!(denied(&mut directory, asked), RefusalReason::NotFound);
    }
    assert_eq!(directory.channels_of(theirs), Vec::new());
}

#[test]
fn a_channel_over_a_link_that_was_replaced_is_asked_for_again_in_a_moment() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    directory.admit_link(worker("w"), 0).unwrap();
    let denied = directory.renew(asked(first, 1)).unwrap_err().refusal;
    assert_eq!(denied.reason, RefusalReason::Busy);
    assert!(denied.retry_after < Duration::from_secs(1));
    directory.channel_gone(channel(1), None, None);
    anew(&mut directory, asked(first, 1));
}

#[test]
fn a_renewal_meets_the_end_of_its_channel_and_begins_anew() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    let reservation = known(&mut directory, asked(first, 1));
    directory.channel_gone(channel(1), None, None);
    assert_eq!(directory.commit_path(reservation, first), Err(None));
    let later = anew(&mut directory, asked(first, 1));
    directory.commit(later).unwrap();
    assert_eq!(
        directory.commit_path(reservation, first),
        Err(None),
        "that is another"
    );
}

#[test]
fn a_grant_that_knew_of_the_revocation_is_good_whichever_comes_first() {
    for comes_first in [false, true] {
        let mut directory = directory();
        directory.admit_link(worker("w"), 0).unwrap();
        let session = session(&mut directory, "d");
        let share = Topic::Access(
            schema::ids::WorkspaceId::parse("s").unwrap(),
            UserId::parse("u").unwrap(),
        );
        let given_again = Asked {
            topics: [share.clone()].into(),
            as_of: 7,
            ..asked(session, 1)
        };
        let before = Asked {
            as_of: 6,
            channel: channel(2),
            ..given_again.clone()
        };
        let mut withdrawn = Revoked::default();
        if comes_first {
            withdrawn = directory.revoke(share.clone(), 7, now());
        }
        let reservation = directory.reserve(given_again).unwrap();
        if !comes_first {
            withdrawn = directory.revoke(share, 7, now());
        }
        assert_eq!(withdrawn, Revoked::default(), "first: {comes_first}");
        assert!(directory.commit(reservation).is_ok());
        assert_eq!(reason(directory.reserve(before)), RefusalReason::NotFound);
    }
}

#[test]
fn a_revoked_worker_takes_its_link_and_every_channel_to_it() {
    let mut directory = directory();
    let old = directory.admit_link(worker("w"), 3).unwrap().link;
    let session = session(&mut directory, "c");
    let topic = Topic::Worker(worker("w"));
    let to_it = Asked {
        topics: [stands_with("c"), topic.clone()].into(),
        ..asked(session, 1)
    };
    let reservation = directory.reserve(to_it).unwrap();
    directory.commit(reservation).unwrap();
    let revoked = directory.revoke(topic, 4, now());
    assert_eq!(revoked.link, Some((worker("w"), old)));
    assert_eq!(revoked.paths, [(channel(1), session)]);
    assert_eq!(revoked.sessions, []);
    let again = directory.admit_link(worker("w"), 3);
    assert_eq!(again.unwrap_err(), RefusalReason::Credential);
    assert!(directory.admit_link(worker("w"), 4).is_ok());
}

#[test]
fn the_channels_of_an_organisation_are_limited() {
    let mut directory = Directory::new(Quotas::default());
    directory.admit_link(worker("w"), 0).unwrap();
    let session = session(&mut directory, "c");
    let of = |name: &str, byte| Asked {
        organisation: OrganisationId::parse(name).unwrap(),
        organisation_channels: 1,
        ..asked(session, byte)
    };
    let first = directory.reserve(of("o", 1)).unwrap();
    let second = directory.reserve(of("o", 2)).unwrap_err();
    assert_eq!(second.quota, Some(Quota::OrganisationChannels));
    assert!(directory.reserve(of("p", 3)).is_ok());
    directory.release(first);
    assert!(directory.reserve(of("o", 2)).is_ok());
    assert_eq!(directory.organisations.len(), 2);
}
