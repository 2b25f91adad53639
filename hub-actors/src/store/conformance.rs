//! Every question and order, on both databases.

use schema::ids::{CredentialId, OrganisationId, UserId, WorkerId, WorkspaceId};

use super::{
    Connection, access,
    both::{Sandbox, on_both},
    credentials::{self, Kind, NewCredential},
    mail_codes,
    registration_keys::{self, RegistrationKey},
    tables::organisations,
    users::{self, FirstIds, NewUser, User},
    workers::{self, Worker},
};
use crate::{
    error::Fault,
    token::{Pepper, Purpose, SecretHash},
};

on_both! {
    the_admin_is_made_once,
    a_credential_lives_until_it_expires_or_is_revoked,
    what_was_traded_for_a_credential_ends_with_it,
    one_secret_is_one_credential,
    a_worker_is_found_by_id_owner_and_token,
    there_is_one_bundled_worker,
    a_registration_key_opens_once,
    a_registration_key_is_its_users_own,
    what_belongs_to_a_user_goes_with_the_user,
    names_sort_by_their_bytes,
    a_name_and_a_verified_address_are_one_user_s_and_a_slug_finds_another,
    the_first_admin_is_claimed_under_a_name,
    a_login_in_use_moves_on_and_not_all_the_time,
    a_code_from_a_mail_is_good_once_for_a_time_and_the_newest_alone,
}

/// Asks or orders, as a whole transaction.
async fn ask<T: Send + 'static>(
    sandbox: &Sandbox,
    mut work: impl FnMut(&mut Connection) -> Result<T, Fault> + Send + 'static,
) -> T {
    let done = sandbox.store.write(move |conn| work(conn).map(Ok::<_, ()>));
    done.await.unwrap().unwrap()
}

fn hash(secret: &str) -> SecretHash {
    Pepper::fixed(1).hash(Purpose::Login, secret)
}

async fn admin(sandbox: &Sandbox) -> User {
    ask(sandbox, |conn| {
        let ids = FirstIds {
            organisation: OrganisationId::parse("o1").unwrap(),
            user: UserId::parse("u1").unwrap(),
            workspace: WorkspaceId::parse("s1").unwrap(),
        };
        users::ensure_admin(conn, &ids, 5)
    })
    .await
}

fn credential(id: &str) -> CredentialId {
    CredentialId::parse(id).unwrap()
}

async fn issue(
    sandbox: &Sandbox,
    id: &'static str,
    kind: Kind,
    parent: Option<&'static str>,
    expires_ms: Option<i64>,
) {
    let user = admin(sandbox).await.id;
    let (id, parent) = (credential(id), parent.map(credential));
    let secret = hash(id.as_str());
    ask(sandbox, move |conn| {
        let new = NewCredential {
            id: &id,
            user: &user,
            kind,
            parent: parent.as_ref(),
            hash: Some(secret),
            expires_ms,
        };
        credentials::insert(conn, &new, 10)
    })
    .await;
}

async fn lives(sandbox: &Sandbox, id: &'static str, now_ms: i64) -> bool {
    ask(sandbox, move |conn| {
        credentials::is_live(conn, &credential(id), now_ms)
    })
    .await
}

async fn the_admin_is_made_once(sandbox: &Sandbox) {
    let first = admin(sandbox).await;
    assert_eq!(
        (first.username.as_str(), first.organisation.as_str()),
        ("admin", "o1")
    );
    let again = ask(sandbox, |conn| {
        let ids = FirstIds {
            organisation: OrganisationId::parse("o2").unwrap(),
            user: UserId::parse("u2").unwrap(),
            workspace: WorkspaceId::parse("s2").unwrap(),
        };
        users::ensure_admin(conn, &ids, 6)
    });
    assert_eq!(again.await, first);
    let user = first.id.clone();
    let roles = ask(sandbox, move |conn| access::roles_of(conn, &user)).await;
    let owned: Vec<_> = roles.keys().map(WorkspaceId::as_str).collect();
    assert_eq!(owned, ["s1"]);
    let stranger = ask(sandbox, |conn| {
        users::find(conn, &UserId::parse("u2").unwrap())
    });
    assert_eq!(stranger.await, None);
}

async fn a_credential_lives_until_it_expires_or_is_revoked(sandbox: &Sandbox) {
    issue(sandbox, "c1", Kind::Login, None, Some(20)).await;
    issue(sandbox, "c2", Kind::Login, None, None).await;
    let found = |now_ms, kind| {
        ask(sandbox, move |conn| {
            let found = credentials::find_live(conn, kind, hash("c1"), now_ms)?;
            Ok(found.map(|found| (found.id.as_str().to_owned(), found.expires_ms)))
        })
    };
    let c1 = Some(("c1".to_owned(), Some(20)));
    assert_eq!(found(19, Kind::Login).await, c1);
    assert_eq!(found(20, Kind::Login).await, None);
    assert_eq!(found(19, Kind::AccessToken).await, None);
    assert!(lives(sandbox, "c1", 19).await && !lives(sandbox, "c1", 20).await);
    assert!(lives(sandbox, "c2", i64::MAX).await);
    let revoked = ask(sandbox, |conn| {
        credentials::revoke(conn, &credential("c2"), 30)
    });
    assert_eq!(revoked.await, [credential("c2")]);
    assert!(!lives(sandbox, "c2", 0).await);
    let again = ask(sandbox, |conn| {
        credentials::revoke(conn, &credential("c2"), 31)
    });
    assert_eq!(again.await, []);
    let forgotten = |now_ms| {
        ask(sandbox, move |conn| {
            credentials::forget_expired(conn, now_ms)
        })
    };
    assert_eq!(forgotten(20 + credentials::KEPT_MS - 1).await, 0);
    assert_eq!(forgotten(20 + credentials::KEPT_MS).await, 1);
    assert!(!lives(sandbox, "c1", 0).await);
}

async fn what_was_traded_for_a_credential_ends_with_it(sandbox: &Sandbox) {
    issue(sandbox, "c1", Kind::AccessToken, None, None).await;
    issue(sandbox, "c2", Kind::Login, Some("c1"), Some(50)).await;
    issue(sandbox, "c3", Kind::Login, None, Some(50)).await;
    let sole = ask(sandbox, |conn| {
        credentials::find_sole(conn, Kind::AccessToken)
    });
    let (sole, stored) = sole.await.unwrap();
    assert_eq!(sole.id, credential("c1"));
    assert_eq!(stored.unwrap(), hash("c1").as_bytes());
    let revoked = ask(sandbox, |conn| {
        credentials::revoke(conn, &credential("c1"), 30)
    });
    let mut revoked = revoked.await;
    revoked.sort();
    assert_eq!(revoked, [credential("c1"), credential("c2")]);
    assert!(lives(sandbox, "c3", 30).await);
    let gone = ask(sandbox, |conn| {
        credentials::find_sole(conn, Kind::AccessToken)
    });
    assert!(gone.await.is_none());
}

async fn one_secret_is_one_credential(sandbox: &Sandbox) {
    issue(sandbox, "c1", Kind::Login, None, None).await;
    let user = admin(sandbox).await.id;
    let second = sandbox.store.write(move |conn| {
        let new = NewCredential {
            id: &credential("c2"),
            user: &user,
            kind: Kind::Login,
            parent: None,
            hash: Some(hash("c1")),
            expires_ms: None,
        };
        credentials::insert(conn, &new, 10).map(Ok::<_, ()>)
    });
    assert!(matches!(second.await, Err(Fault::Database(_))));
    assert!(!lives(sandbox, "c2", 10).await);
}

fn worker(id: &str, name: &str, bundled: bool) -> Worker {
    Worker {
        id: WorkerId::parse(id).unwrap(),
        owner: UserId::parse("u1").unwrap(),
        organisation: OrganisationId::parse("o1").unwrap(),
        name: name.to_owned(),
        public_key: vec![1, 2, 0, 255],
        encryption_mode: 2,
        bundled,
        version: "1.2.3".to_owned(),
        registered_ms: 40,
        last_seen_ms: 0,
        registration_id: "r".to_owned(),
        registration_tag: vec![9; 64],
        deregistering: false,
    }
}

async fn a_worker_is_found_by_id_owner_and_token(sandbox: &Sandbox) {
    let owner = admin(sandbox).await.id;
    let stored = worker("w1", "desk ü", false);
    let new = stored.clone();
    ask(sandbox, move |conn| workers::insert(conn, &new, hash("t"))).await;
    let id = stored.id.clone();
    let found = ask(sandbox, move |conn| workers::find(conn, &id)).await;
    assert_eq!(found.as_ref(), Some(&stored));
    let count = owner;
    assert_eq!(
        ask(sandbox, move |conn| workers::count(conn, &count)).await,
        1
    );
    let by = |token| {
        ask(sandbox, move |conn| {
            workers::find_by_token(conn, hash(token))
        })
    };
    assert_eq!(by("t").await, Some(stored.clone()));
    assert_eq!(by("other").await, None);
    let id = stored.id.clone();
    ask(sandbox, move |conn| {
        workers::note_hello(conn, &id, 1, "1.3.0", 50)?;
        workers::note_seen(conn, &id, 60)
    })
    .await;
    let seen = by("t").await.unwrap();
    assert_eq!(
        (
            seen.encryption_mode,
            seen.version.as_str(),
            seen.last_seen_ms
        ),
        (1, "1.3.0", 60)
    );
}

async fn there_is_one_bundled_worker(sandbox: &Sandbox) {
    admin(sandbox).await;
    let none = ask(sandbox, workers::find_bundled).await;
    assert_eq!(none, None);
    let stored = worker("w1", "a", true);
    let new = stored.clone();
    ask(sandbox, move |conn| workers::insert(conn, &new, hash("t"))).await;
    let second = sandbox.store.write(|conn| {
        let second = workers::insert(conn, &worker("w2", "b", true), hash("u"));
        second.map(Ok::<_, ()>)
    });
    assert!(second.await.is_err());
    let id = stored.id.clone();
    ask(sandbox, move |conn| {
        workers::renew_bundled(conn, &id, &[7], hash("n"))
    })
    .await;
    let found = ask(sandbox, workers::find_bundled).await.unwrap();
    assert_eq!((found.id, found.public_key), (stored.id, vec![7]));
}

fn key(user: &str) -> RegistrationKey {
    RegistrationKey {
        user: UserId::parse(user).unwrap(),
        organisation: None,
        worker_name: String::new(),
        device_algorithm: 1,
        device_key: vec![1; 32],
        device_tag: vec![2; 64],
        expires_ms: 100,
    }
}

async fn add_key(sandbox: &Sandbox, id: &'static str) -> bool {
    ask(sandbox, move |conn| {
        registration_keys::insert(conn, hash(id), &key("u1"))
    })
    .await
}

async fn a_registration_key_opens_once(sandbox: &Sandbox) {
    admin(sandbox).await;
    assert!(add_key(sandbox, "k").await);
    assert!(!add_key(sandbox, "k").await);
    let good = |now_ms| {
        ask(sandbox, move |conn| {
            registration_keys::is_good(conn, hash("k"), now_ms)
        })
    };
    let take = |now_ms| {
        ask(sandbox, move |conn| {
            registration_keys::take(conn, hash("k"), now_ms)
        })
    };
    assert!(good(99).await && !good(100).await);
    assert_eq!(take(99).await, Some(key("u1")));
    assert_eq!(take(99).await, None);
    assert!(!good(99).await);
    assert!(add_key(sandbox, "k").await);
    assert_eq!(take(100).await, None);
    assert!(add_key(sandbox, "k").await);
}

async fn a_registration_key_is_its_users_own(sandbox: &Sandbox) {
    admin(sandbox).await;
    add_key(sandbox, "a").await;
    add_key(sandbox, "b").await;
    let count = |now_ms| {
        ask(sandbox, move |conn| {
            registration_keys::count(conn, &UserId::parse("u1").unwrap(), now_ms)
        })
    };
    let revoke = |user: &'static str| {
        ask(sandbox, move |conn| {
            registration_keys::revoke(conn, hash("a"), &UserId::parse(user).unwrap())
        })
    };
    assert_eq!(count(99).await, 2);
    assert!(!revoke("u2").await);
    assert!(revoke("u1").await);
    assert_eq!(count(99).await, 1);
    assert_eq!(count(100).await, 0);
}

async fn what_belongs_to_a_user_goes_with_the_user(sandbox: &Sandbox) {
    issue(sandbox, "c1", Kind::Login, None, None).await;
    add_key(sandbox, "a").await;
    ask(sandbox, |conn| {
        workers::insert(conn, &worker("w1", "a", false), hash("t"))
    })
    .await;
    let left = ask(sandbox, |conn| {
        use diesel::{QueryDsl as _, RunQueryDsl as _};

        use super::tables::{memberships, organisations, registration_keys, users, workspaces};
        diesel::delete(users::table).execute(conn)?;
        let counts: [i64; 4] = [
            organisations::table.count().get_result(conn)?,
            memberships::table.count().get_result(conn)?,
            workspaces::table.count().get_result(conn)?,
            registration_keys::table.count().get_result(conn)?,
        ];
        Ok(counts)
    });
    assert_eq!(left.await, [0; 4]);
    assert!(!lives(sandbox, "c1", 0).await);
    let worker = ask(sandbox, |conn| {
        workers::find(conn, &WorkerId::parse("w1").unwrap())
    });
    assert_eq!(worker.await, None);
}

async fn names_sort_by_their_bytes(sandbox: &Sandbox) {
    let owner = admin(sandbox).await.id;
    for (id, name) in [("w1", "b"), ("w2", "B"), ("w3", "a-b"), ("w4", "ab")] {
        let new = worker(id, name, false);
        ask(sandbox, move |conn| workers::insert(conn, &new, hash(id))).await;
    }
    let seen = ask(sandbox, move |conn| workers::seen_by(conn, &owner, None)).await;
    let names: Vec<_> = seen.iter().map(|one| one.worker.name.as_str()).collect();
    assert_eq!(names, ["B", "a-b", "ab", "b"]);
}

fn newcomer(username: &str, verified: Option<&str>) -> NewUser {
    NewUser {
        ids: FirstIds::random().unwrap(),
        username: username.to_owned(),
        display_name: username.to_owned(),
        email: verified.map(str::to_owned),
        email_verified: verified.is_some(),
        password_hash: None,
        admin: false,
    }
}

/// Makes a user; what the caller would do where that fails is not ours here.
async fn create(sandbox: &Sandbox, new: &NewUser) -> bool {
    let new = new.clone();
    let done = sandbox.store.write(move |conn| {
        let made = users::create(conn, &new, 5)?;
        Ok(made.then_some(()).ok_or(()))
    });
    done.await.unwrap().is_ok()
}

async fn a_name_and_a_verified_address_are_one_user_s_and_a_slug_finds_another(sandbox: &Sandbox) {
    let ann = newcomer("ann", Some("ann@example.org"));
    assert!(create(sandbox, &ann).await);
    assert!(!create(sandbox, &newcomer("ann", None)).await);
    assert!(!create(sandbox, &newcomer("bob", Some("ann@example.org"))).await);
    // A refusal left nothing of bob behind; a team's slug is in nobody's way.
    let id = ann.ids.organisation.clone();
    ask(sandbox, move |conn| {
        use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
        let personal = organisations::table.find(id.as_str());
        diesel::update(personal)
            .set(organisations::slug.eq("bob"))
            .execute(conn)?;
        Ok(())
    })
    .await;
    let bob = newcomer("bob", None);
    assert!(create(sandbox, &bob).await);
    let id = bob.ids.organisation.clone();
    let slug = ask(sandbox, move |conn| {
        use diesel::{QueryDsl as _, RunQueryDsl as _};
        let personal = organisations::table.find(id.as_str());
        Ok(personal.select(organisations::slug).first::<String>(conn)?)
    })
    .await;
    assert!(
        slug.starts_with("bob-") && crate::names::is_slug(&slug),
        "{slug}"
    );
}

async fn the_first_admin_is_claimed_under_a_name(sandbox: &Sandbox) {
    let admin = admin(sandbox).await;
    assert!(create(sandbox, &newcomer("ann", None)).await);
    let claimed = ask(sandbox, move |conn| {
        assert!(!users::is_claimed(conn)?);
        let taken = users::claim(conn, &admin, "ann", "Ann", "a hash")?;
        let claimed = users::claim(conn, &admin, "root", "Root", "a hash")?;
        assert!(users::is_claimed(conn)?);
        let locks = users::locks(conn, "root")?.unwrap();
        assert_eq!(locks.password_hash.as_deref(), Some("a hash"));
        assert_eq!(locks.id, admin.id);
        Ok((taken, claimed))
    })
    .await;
    assert_eq!(claimed, (false, true));
}

async fn a_login_in_use_moves_on_and_not_all_the_time(sandbox: &Sandbox) {
    issue(sandbox, "c1", Kind::Login, None, Some(100)).await;
    issue(sandbox, "c2", Kind::AccessToken, None, Some(100)).await;
    // Used at 10, and at most once in 60.
    let slide = async |id: &'static str, now_ms: i64| {
        ask(sandbox, move |conn| {
            credentials::slide(conn, &credential(id), now_ms - 60, now_ms, 500)
        })
        .await
    };
    assert!(!slide("c1", 69).await);
    assert!(slide("c1", 70).await);
    assert!(!slide("c1", 129).await);
    assert!(!slide("c2", 70).await);
    // It ends 500 after its last use, and what is over does not begin anew.
    let live = async |now_ms: i64| {
        ask(sandbox, move |conn| {
            credentials::is_live(conn, &credential("c1"), now_ms)
        })
        .await
    };
    assert!(live(569).await && !live(570).await);
    assert!(!slide("c1", 570).await);
}

async fn a_code_from_a_mail_is_good_once_for_a_time_and_the_newest_alone(sandbox: &Sandbox) {
    use mail_codes::{Code, Purpose};
    let user = admin(sandbox).await.id;
    let code = Code {
        user: user.clone(),
        email: "ann@example.org".to_owned(),
        expires_ms: 100,
    };
    let kept = code.clone();
    ask(sandbox, move |conn| {
        for (secret, purpose) in [
            ("old", Purpose::Confirm),
            ("reset", Purpose::Reset),
            ("new", Purpose::Confirm),
        ] {
            mail_codes::insert(conn, hash(secret), purpose, &kept, 5)?;
        }
        Ok(())
    })
    .await;
    let take = async |secret: &'static str, purpose: Purpose, now_ms: i64| {
        ask(sandbox, move |conn| {
            mail_codes::take(conn, hash(secret), purpose, now_ms)
        })
        .await
    };
    assert_eq!(take("old", Purpose::Confirm, 10).await, None);
    assert_eq!(take("new", Purpose::Reset, 10).await, None);
    assert_eq!(take("new", Purpose::Confirm, 100).await, None);
    assert_eq!(take("new", Purpose::Confirm, 99).await, Some(code.clone()));
    assert_eq!(take("new", Purpose::Confirm, 99).await, None);
    ask(sandbox, move |conn| {
        mail_codes::forget(conn, &user, Purpose::Reset)
    })
    .await;
    assert_eq!(take("reset", Purpose::Reset, 10).await, None);
}
