use schema::ids::{OrganisationId, WorkspaceId};

use super::*;
use crate::{
    store::{
        both::{Sandbox, on_both},
        users::FirstIds,
    },
    token::{Pepper, Purpose},
};

on_both! {
    an_access_token_is_good_until_it_expires_and_the_family_for_longer,
    a_family_ends_with_all_that_it_made,
    a_family_without_a_refresh_token_is_forgotten,
    a_disabled_user_refreshes_nothing,
}

fn hash(text: &str) -> SecretHash {
    Pepper::fixed(1).hash(Purpose::ApiAccess, text)
}

fn pair(name: &str, access_expires_ms: i64, refresh_expires_ms: i64) -> NewPair {
    NewPair {
        id: name.to_owned(),
        access: hash(&format!("access {name}")),
        access_expires_ms,
        refresh: hash(&format!("refresh {name}")),
        refresh_expires_ms,
    }
}

fn family() -> CredentialId {
    CredentialId::parse("c_family").unwrap()
}

/// A user with a family and its first pair.
async fn begin(sandbox: &Sandbox) -> UserId {
    ask(sandbox, |conn| {
        let ids = FirstIds {
            organisation: OrganisationId::parse("o1").unwrap(),
            user: UserId::parse("u1").unwrap(),
            workspace: WorkspaceId::parse("s1").unwrap(),
        };
        let user = crate::store::users::ensure_admin(conn, &ids, 5)?.id;
        let new = NewFamily {
            id: family(),
            user: user.clone(),
            label: "laptop".to_owned(),
            scopes: Scopes::ALL,
            address: String::new(),
            user_agent: String::new(),
        };
        insert(conn, &new, &pair("a", 20, 100), 10)?;
        Ok(user)
    })
    .await
}

async fn ask<T: Send + 'static>(
    sandbox: &Sandbox,
    mut work: impl FnMut(&mut Connection) -> Result<T, Fault> + Send + 'static,
) -> T {
    let done = sandbox.store.write(move |conn| work(conn).map(Ok::<_, ()>));
    done.await.unwrap().unwrap()
}

async fn opens(sandbox: &Sandbox, name: &'static str, now_ms: i64) -> bool {
    ask(sandbox, move |conn| {
        let found = find_access(conn, hash(&format!("access {name}")), now_ms)?;
        Ok(found.is_some_and(|(credential, scopes)| {
            assert_eq!((credential.id, scopes), (family(), Scopes::ALL));
            true
        }))
    })
    .await
}

async fn an_access_token_is_good_until_it_expires_and_the_family_for_longer(sandbox: &Sandbox) {
    let user = begin(sandbox).await;
    assert!(opens(sandbox, "a", 19).await && !opens(sandbox, "a", 20).await);
    assert!(!opens(sandbox, "b", 19).await);
    // Expired, and not forgotten: it is refreshed later.
    ask(sandbox, |conn| credentials::forget_expired(conn, 30)).await;
    ask(sandbox, |conn| {
        let found = find_refresh(conn, hash("refresh a"))?.unwrap();
        assert_eq!((found.used_ms, found.expires_ms), (None, 100));
        add(conn, &family(), &pair("b", 50, 130), 30)?;
        use_up(conn, "a", "b", 30)?;
        use_up(conn, "a", "c", 31)?;
        assert_eq!(
            find_refresh(conn, hash("refresh a"))?.unwrap().used_ms,
            Some(30)
        );
        assert_eq!(made_since(conn, &family(), 10)?, 1);
        Ok(())
    })
    .await;
    assert!(opens(sandbox, "b", 49).await && !opens(sandbox, "a", 31).await);
    let listed = ask(sandbox, move |conn| list(conn, &user, 60)).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].expires_ms, listed[0].last_used_ms), (130, 30));
}

async fn a_family_ends_with_all_that_it_made(sandbox: &Sandbox) {
    begin(sandbox).await;
    let revoked = ask(sandbox, |conn| revoke(conn, &family(), 15)).await;
    assert_eq!(revoked, [family()]);
    assert!(!opens(sandbox, "a", 16).await);
    let refresh = ask(sandbox, |conn| find_refresh(conn, hash("refresh a")));
    assert_eq!(refresh.await, None);
    let owner = ask(sandbox, |conn| owner(conn, &family())).await;
    assert_eq!(owner, None);
}

async fn a_family_without_a_refresh_token_is_forgotten(sandbox: &Sandbox) {
    begin(sandbox).await;
    ask(sandbox, |conn| forget_expired(conn, 99)).await;
    assert!(ask(sandbox, |conn| owner(conn, &family())).await.is_some());
    ask(sandbox, |conn| forget_expired(conn, 100)).await;
    assert!(ask(sandbox, |conn| owner(conn, &family())).await.is_none());
    assert!(!opens(sandbox, "a", 11).await);
}

async fn a_disabled_user_refreshes_nothing(sandbox: &Sandbox) {
    begin(sandbox).await;
    let found = ask(sandbox, |conn| {
        diesel::update(users::table)
            .set(users::disabled_ms.eq(12))
            .execute(conn)?;
        find_refresh(conn, hash("refresh a"))
    });
    assert_eq!(found.await, None);
}
