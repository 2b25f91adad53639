//! Linked accounts, once they are there.

use super::*;
use crate::sink::{Sink, Way};

#[tokio::test]
async fn a_user_links_an_account_and_keeps_one_way_in() {
    let closed = Setting {
        sign_up: false,
        trusted: false,
        ..OPEN
    };
    let stage = Stage::set(closed).await;
    stage.user("grace", "grace@example.org").await;
    let mut grace = stage.by_password("grace").await;
    assert_eq!(stage.link(&mut grace).await, "/");
    let listed = grace
        .call(&stage.hub, "AccountService/ListLinkedAccounts", "{}")
        .await
        .json();
    let linked = &listed["accounts"][0];
    assert_eq!(linked["subject"], "4711");
    assert_eq!(linked["email"], "ada@example.org");
    let mut elsewhere = Visitor::default();
    assert_eq!(stage.sign_in(&mut elsewhere).await, "/");
    assert_eq!(stage.username(&elsewhere).await.as_deref(), Some("grace"));

    // It is nobody else's any more.
    stage.user("eve", "eve@example.org").await;
    let mut eve = stage.by_password("eve").await;
    assert_eq!(stage.link(&mut eve).await, "/?oauth_error=taken");
    let unlink = format!(r#"{{"providerId":"{}","subject":"4711"}}"#, stage.id);
    assert_eq!(
        eve.call(&stage.hub, "AccountService/UnlinkAccount", &unlink)
            .await
            .status,
        404
    );
    let gone = grace
        .call(&stage.hub, "AccountService/UnlinkAccount", &unlink)
        .await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(
        stage.sign_in(&mut Visitor::default()).await,
        "/?oauth_error=no_account"
    );
}

#[tokio::test]
async fn a_link_begins_with_the_password_once_and_its_owner_is_told() {
    let sink = Sink::start(Way::None).await;
    let closed = Setting {
        sign_up: false,
        trusted: false,
        ..OPEN
    };
    let stage = Stage::set_with(closed, |config| {
        config.public_url = PUBLIC.to_owned();
        sink.configure(&mut config.mail);
    })
    .await;
    stage.user("grace", "grace@example.org").await;
    let mut grace = stage.by_password("grace").await;
    // Whoever sits down at her open browser and does not know it links nothing.
    assert_eq!(stage.begin_link(&grace, "wrong password").await, 401);
    let refused = stage.go_to_link(&mut grace).await;
    assert_eq!(leads_to(&refused), "/?oauth_error=expired");
    assert_eq!(
        stage.sign_in(&mut grace.clone()).await,
        "/?oauth_error=no_account"
    );
    assert_eq!(stage.link(&mut grace).await, "/");
    let told = sink.to("grace@example.org", 1).await;
    assert!(told.contains("account at Example"), "{told}");
    // It was for one.
    let refused = stage.go_to_link(&mut grace).await;
    assert_eq!(leads_to(&refused), "/?oauth_error=expired");
    let mut nobody = Visitor::default();
    let refused = stage.go_to_link(&mut nobody).await;
    assert_eq!(leads_to(&refused), "/?oauth_error=expired");
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let stage = Stage::set(OPEN).await;
    let mut browser = Visitor::default();
    stage.sign_in(&mut browser).await;
    let unlink = format!(r#"{{"providerId":"{}","subject":"4711"}}"#, stage.id);
    let refused = browser
        .call(&stage.hub, "AccountService/UnlinkAccount", &unlink)
        .await;
    assert_eq!(refused.json()["code"], "failed_precondition");
    assert!(
        stage
            .operator
            .remove_oauth_provider("Example", false)
            .await
            .is_err()
    );
    assert_eq!(stage.sign_in(&mut Visitor::default()).await, "/");
    stage
        .operator
        .remove_oauth_provider("Example", true)
        .await
        .unwrap();
    assert!(stage.operator.oauth_providers().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_link_that_was_begun_ends_with_the_login_that_began_it() {
    let closed = Setting {
        sign_up: false,
        ..OPEN
    };
    let stage = Stage::set(closed).await;
    stage.user("grace", "grace@example.org").await;
    let mut grace = stage.by_password("grace").await;
    assert_eq!(stage.begin_link(&grace, "correct horse").await, 200);
    let departed = stage.go_to_link(&mut grace).await;
    let back = departed.header("location").unwrap();
    let back = stage.provider_says(back).await;
    let out = grace.call(&stage.hub, "AccountService/SignOut", "{}").await;
    assert_eq!(out.status, 200);
    assert_eq!(
        stage.come_back(&mut grace, &back).await,
        "/?oauth_error=expired"
    );
}

#[tokio::test]
async fn a_provider_that_is_switched_off_lets_nobody_in_who_is_under_way() {
    let stage = Stage::set(OPEN).await;
    let mut browser = Visitor::default();
    let back = stage.go(&mut browser, "/").await;
    stage
        .operator
        .enable_oauth_provider("Example", false)
        .await
        .unwrap();
    assert_eq!(
        stage.come_back(&mut browser, &back).await,
        "/?oauth_error=failed"
    );
    let listed = browser
        .call(&stage.hub, "AccountService/ListProviders", "{}")
        .await
        .json();
    assert!(
        listed
            .get("providers")
            .is_none_or(|list| list.as_array().is_none_or(Vec::is_empty))
    );
    stage
        .operator
        .enable_oauth_provider("Example", true)
        .await
        .unwrap();
    let listed = browser
        .call(&stage.hub, "AccountService/ListProviders", "{}")
        .await
        .json();
    assert_eq!(listed["providers"][0]["kind"], "oidc");
}

#[tokio::test]
async fn tokens_are_sealed_and_refreshed_until_the_provider_says_no() {
    let stage = Stage::set(OPEN).await;
    stage.sign_in(&mut Visitor::default()).await;
    let watch = Stopwatch::start();
    let until = async |what: &dyn Fn() -> bool| {
        while !what() {
            assert!(watch.elapsed() < PATIENCE);
            tokio::task::yield_now().await;
        }
    };
    until(&|| stage.provider.refreshed() >= 2).await;
    // Under keys that were rotated in between, too.
    assert_eq!(stage.operator.rotate_encryption_key().await.unwrap(), 2);
    assert_eq!(stage.operator.reencrypt().await.unwrap().version, 2);
    let seen = stage.provider.refreshed();
    until(&|| stage.provider.refreshed() >= seen + 2).await;
    stage.operator.remove_encryption_key(1).await.unwrap();
    stage.provider.takes_refresh_tokens(false);

    let folder = stage.hub.folder.path().join("data");
    for file in ["hub.db", "hub.db-wal"] {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        for secret in [SECRET, "refresh-of-the-person", "refresh-again", "access-"] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {file}");
        }
    }
}
