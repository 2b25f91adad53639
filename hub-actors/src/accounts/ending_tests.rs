use super::*;
use crate::{
    accounts::removal,
    caller::Caller,
    operator::changes,
    store::{
        both::{Sandbox, on_both},
        cast,
        credentials::NewCredential,
        ledger,
        tables::users,
    },
};

on_both! {
    what_a_child_made_ends_with_the_login_and_what_had_expired_is_not_counted,
    the_access_token_leaves_who_is_an_admin_no_more,
    a_stray_access_token_is_the_admins_again,
}

fn id(text: &str) -> CredentialId {
    CredentialId::parse(text).unwrap()
}

fn add(
    conn: &mut Connection,
    of: &UserId,
    (name, kind): (&str, Kind),
    parent: Option<&str>,
    expires_ms: Option<i64>,
) -> Result<(), Fault> {
    let (name, parent) = (id(name), parent.map(id));
    let new = NewCredential {
        id: &name,
        user: of,
        kind,
        parent: parent.as_ref(),
        hash: None,
        expires_ms,
    };
    rows::insert(conn, &new, 1)
}

async fn what_a_child_made_ends_with_the_login_and_what_had_expired_is_not_counted(
    sandbox: &Sandbox,
) {
    let ann = cast::person(sandbox, "ann").await;
    let user = ann.user.clone();
    cast::ask(sandbox, move |conn| {
        for (name, parent, expires_ms) in [
            ("mine", None, Some(9)),
            ("of-mine", Some("mine"), Some(9)),
            ("other", None, Some(9)),
            ("past", None, Some(2)),
            ("child", Some("other"), Some(9)),
            ("grandchild", Some("child"), Some(9)),
        ] {
            let kind = if parent.is_none() {
                Kind::Login
            } else {
                Kind::Delegation
            };
            add(conn, &user, (name, kind), parent, expires_ms)?;
        }
        add(conn, &user, ("api", Kind::Api), None, Some(9))
    })
    .await;
    let ended = cast::order(sandbox, move |conn, notes| {
        let mine = id("mine");
        let which = (Which::Logins, Some(&mine));
        Ok(end(conn, notes, &ann.user, which, Reason::Revoked, 2)?)
    });
    let (count, notes) = ended.await.unwrap();
    let gone = ["child", "grandchild", "other", "past"];
    let gone = gone.map(|one| (Topic::Credential(id(one)), Reason::Revoked));
    assert_eq!((count, notes.revoked), (3, gone.to_vec()));
}

async fn promote(sandbox: &Sandbox, of: &Caller) {
    let user = of.user.clone();
    cast::ask(sandbox, move |conn| {
        let row = diesel::update(users::table.find(user.as_str()));
        Ok(row.set(users::admin.eq(true)).execute(conn)?)
    })
    .await;
}

async fn holder(sandbox: &Sandbox) -> UserId {
    let sole = cast::ask(sandbox, |conn| rows::find_sole(conn, Kind::AccessToken));
    sole.await.unwrap().0.user
}

async fn the_access_token_leaves_who_is_an_admin_no_more(sandbox: &Sandbox) {
    let (ann, bob) = (
        cast::person(sandbox, "ann").await,
        cast::person(sandbox, "bob").await,
    );
    promote(sandbox, &ann).await;
    promote(sandbox, &bob).await;
    let user = ann.user.clone();
    cast::ask(sandbox, move |conn| {
        add(conn, &user, ("token", Kind::AccessToken), None, None)
    })
    .await;
    let (user, topic) = (ann.user.clone(), Topic::Credential(id("token")));
    let demoted = cast::order(sandbox, move |conn, notes| {
        Ok(changes::set_admin(conn, notes, &user, false)??)
    });
    let notes = demoted.await.unwrap().1;
    assert_eq!(notes.revoked, [(topic.clone(), Reason::RoleLowered)]);
    assert_eq!(holder(sandbox).await, bob.user);

    promote(sandbox, &ann).await;
    let user = bob.user.clone();
    let disabled = cast::order(sandbox, move |conn, notes| {
        Ok(changes::set_disabled(conn, notes, &user, true, 2)??)
    });
    let notes = disabled.await.unwrap().1;
    assert!(notes.revoked.contains(&(topic, Reason::AccountDisabled)));
    assert_eq!(holder(sandbox).await, ann.user);
}

async fn a_stray_access_token_is_the_admins_again(sandbox: &Sandbox) {
    let (ann, bob) = (
        cast::person(sandbox, "ann").await,
        cast::person(sandbox, "bob").await,
    );
    promote(sandbox, &bob).await;
    let (stray, admin) = (ann.user.clone(), bob.user.clone());
    let reclaimed = sandbox.store.write(move |conn| {
        add(conn, &stray, ("token", Kind::AccessToken), None, None)?;
        for _ in 0..2 {
            let sole = rows::find_sole(conn, Kind::AccessToken)?;
            let (token, _) = sole.ok_or(Fault::Row("the token"))?;
            removal::reclaim_access_token(conn, &token, &admin, 3)?;
        }
        Ok(Ok::<_, ()>(ledger::read_after(conn, 0, 9)?))
    });
    let entries = reclaimed.await.unwrap().unwrap();
    assert_eq!(holder(sandbox).await, bob.user);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].topic, Topic::Credential(id("token")));
}
