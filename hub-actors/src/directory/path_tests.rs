//! Paths of channels, and what is revoked of them.

use super::{
    tests::{
        asked, channel, credential, denied, directory, known, now, reason, revoke, running,
        session, stands_with, user, worker,
    },
    *,
};

fn shared(name: &str) -> Topic {
    let workspace = schema::ids::WorkspaceId::parse(name).unwrap();
    Topic::Access(workspace, user())
}

#[test]
fn every_path_of_a_channel_is_found_by_what_it_stands_with() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    let second = session(&mut directory, "d");
    let over_second = Asked {
        topics: [stands_with("d")].into(),
        ..asked(second, 1)
    };
    known(&mut directory, over_second);
    for (name, session) in [("c", first), ("d", second)] {
        let revoked = revoke(&mut directory, name);
        assert_eq!(revoked.paths, [(channel(1), session)]);
    }
}

#[test]
fn a_path_that_went_is_still_found_until_its_channel_has_forgotten_it() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    let second = session(&mut directory, "c");
    known(&mut directory, asked(second, 1));
    assert!(!directory.forget_path(channel(1), second), "it is asking");
    assert_eq!(directory.session_gone(first), [channel(1)]);
    let paths = directory.parties(channel(1)).unwrap().0;
    assert_eq!(paths, [first, second]);
    assert!(directory.forget_path(channel(1), first));
    assert_eq!(directory.parties(channel(1)).unwrap().0, [second]);
    assert_eq!(directory.session_gone(second), [channel(1)]);
    directory.channel_gone(channel(1), Some(second), None);
    assert_eq!(directory.census().topics, 0);
}

#[test]
fn the_paths_of_a_channel_are_bounded() {
    let mut directory = Directory::new(Quotas::default());
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    for _ in 0..3 {
        let next = session(&mut directory, "c");
        known(&mut directory, asked(next, 1));
    }
    let last = session(&mut directory, "c");
    assert_eq!(denied(&mut directory, asked(last, 1)), RefusalReason::Busy);
    known(&mut directory, asked(first, 1));
}

#[test]
fn a_path_of_nothing_but_refused_renewals_is_given_back() {
    let mut directory = Directory::new(Quotas::default());
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    let second = session(&mut directory, "d");
    let over_second = Asked {
        topics: [stands_with("d")].into(),
        ..asked(second, 1)
    };
    let both = [(); 2].map(|()| known(&mut directory, over_second.clone()));
    assert!(!directory.settle_path(both[0], second, false), "one waits");
    assert!(directory.settle_path(both[1], second, false));
    assert_eq!(directory.parties(channel(1)).unwrap().0, [first]);
    assert_eq!(directory.channels_of(second), []);
    assert_eq!(revoke(&mut directory, "d").paths, []);
    // One that the channel has stays, whatever is refused over it.
    let over_second = Asked {
        as_of: 1,
        ..over_second
    };
    for (is_taken, is_over) in [(true, false), (false, false)] {
        let reservation = known(&mut directory, over_second.clone());
        let settled = directory.settle_path(reservation, second, is_taken);
        assert_eq!(settled, is_over);
    }
    let over_first = known(&mut directory, asked(first, 1));
    assert!(!directory.settle_path(over_first, first, false));
    assert_eq!(directory.parties(channel(1)).unwrap().0, [first, second]);
    assert!(directory.forget_path(channel(1), second), "it moved away");
    assert_eq!(directory.parties(channel(1)).unwrap().0, [first]);
}

#[test]
fn what_the_worker_is_told_over_one_path_every_path_stands_with() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let first = session(&mut directory, "c");
    running(&mut directory, first, 1);
    let second = session(&mut directory, "d");
    let wide: BTreeSet<Topic> = [stands_with("d"), shared("more")].into();
    let over_second = Asked {
        topics: wide.clone(),
        as_of: 5,
        ..asked(second, 1)
    };
    let reservation = known(&mut directory, over_second);
    assert_eq!(directory.commit_path(reservation, second), Ok(()));
    let both = directory.stand_with_all(channel(1), &wide, 5);
    assert_eq!(both, Ok(vec![first, second]));
    let older = directory.stand_with_all(channel(1), &wide, 4);
    assert_eq!(older, Err(RefusalReason::Busy), "the Worker knows better");
    assert_eq!(directory.revoke(shared("more"), 5, now()).paths, []);
    let withdrawn = directory.revoke(shared("more"), 6, now());
    let paths = [(channel(1), first), (channel(1), second)];
    assert_eq!(withdrawn.paths, paths);
    let late = directory.stand_with_all(channel(1), &wide, 5);
    assert_eq!(late, Err(RefusalReason::Busy), "it was revoked since");
    // A credential is of one path.
    let signed_out = directory.revoke(stands_with("d"), 7, now());
    assert_eq!(signed_out.paths, [(channel(1), second)]);
}

#[test]
fn a_path_that_was_revoked_begins_anew_and_stands_with_what_is_granted_now() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 0).unwrap();
    let session = session(&mut directory, "c");
    running(&mut directory, session, 1);
    let share = stands_with("share");
    let shared = Asked {
        topics: [share.clone()].into(),
        ..asked(session, 2)
    };
    let reservation = directory.reserve(shared.clone()).unwrap();
    directory.commit(reservation).unwrap();
    directory.revoke(share.clone(), 1, now());
    // Its actor has not reported yet.
    let again = Asked { as_of: 2, ..shared };
    let reservation = known(&mut directory, again);
    assert_eq!(directory.commit_path(reservation, session), Ok(()));
    let revoked = directory.revoke(share, 3, now());
    assert_eq!(revoked.paths, [(channel(2), session)]);
    directory.channel_gone(channel(2), None, None);
    directory.channel_gone(channel(1), None, None);
    directory.session_gone(session);
    assert_eq!(directory.census().topics, 0);
}

#[test]
fn after_a_lapse_nothing_counts_that_was_decided_before() {
    let mut directory = directory();
    let link = directory.admit_link(worker("w"), 3).unwrap().link;
    let session = session(&mut directory, "c");
    let reservation = directory.reserve(asked(session, 1)).unwrap();
    let lapsed = directory.lapse(9);
    assert_eq!(lapsed.channels, [channel(1)]);
    assert_eq!(lapsed.sessions, [session]);
    assert_eq!(lapsed.links, [(worker("w"), link)]);
    assert_eq!(directory.commit(reservation), Err(RefusalReason::Busy));
    assert_eq!(directory.may_stay(session), Err(NoSession::Draining));
    let stale = Asked {
        as_of: 8,
        ..asked(session, 2)
    };
    assert_eq!(reason(directory.reserve(stale)), RefusalReason::Busy);
    let anew = Asked {
        as_of: 9,
        ..asked(session, 2)
    };
    assert!(directory.reserve(anew).is_ok());
}

#[test]
fn whoever_cannot_see_what_is_revoked_lets_nobody_in() {
    let mut directory = directory();
    directory.admit_link(worker("w"), 3).unwrap();
    let session = session(&mut directory, "c");
    let begun = directory.reserve(asked(session, 1)).unwrap();
    running(&mut directory, session, 2);
    let path = known(&mut directory, asked(session, 2));
    directory.go_blind();
    let busy = RefusalReason::Busy;
    assert_eq!(directory.commit(begun), Err(busy));
    assert_eq!(directory.commit_path(path, session), Err(Some(busy)));
    assert_eq!(reason(directory.reserve(asked(session, 3))), busy);
    assert_eq!(denied(&mut directory, asked(session, 2)), busy);
    let access = directory.stand_with_all(channel(2), &BTreeSet::new(), 9);
    assert_eq!(access, Err(busy));
    assert_eq!(directory.may_stay(session), Err(NoSession::Draining));
    let more = directory.admit_session(user(), credential("c"), 9, SessionKind::Relay);
    assert_eq!(more, Err(NoSession::Draining));
    let link = directory.admit_link(worker("v"), 9);
    assert_eq!(link.unwrap_err(), RefusalReason::Draining);
    directory.see();
    assert_eq!(directory.may_stay(session), Ok(()));
    assert!(directory.reserve(asked(session, 3)).is_ok());
}

#[test]
fn old_revocations_are_forgotten_and_newer_ones_are_not() {
    let mut directory = directory();
    let began = now();
    let minute = Duration::from_secs(60);
    directory.revoke(stands_with("old"), 1, began);
    directory.revoke(stands_with("new"), 2, began + 10 * minute);
    directory.forget_old(began + 11 * minute);
    assert!(!directory.is_revoked(&stands_with("old"), 0));
    assert!(directory.is_revoked(&stands_with("new"), 0));
}
