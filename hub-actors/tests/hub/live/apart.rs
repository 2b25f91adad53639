//! What closes nothing, what becomes more, and what ends by itself.

use super::*;

/// Whether a frame goes through.
async fn passes(browser: &mut Browser, worker: &mut TestWorker, id: u8, correlation: u64) {
    browser.send(frame(id, correlation, &[0; 17])).await;
    loop {
        match worker.outer().await {
            Outer::Frame(passed) => {
                assert_eq!(passed.correlation(), correlation);
                return;
            }
            Outer::Control(Body::AccessChanged(_)) => {}
            Outer::Control(other) => panic!("not passed: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_has_nothing_to_do_with_a_channel_does_not_close_it() {
    let team = Team::on_sqlite().await;
    let mut worker = team.link().await;
    let (mut own, mut shared) = (
        team.browser(&team.root).await,
        team.browser(&team.bob).await,
    );
    open(&mut own, &mut worker, 1, &team.worker_id).await;
    open(&mut shared, &mut worker, 2, &team.worker_id).await;
    let (bob, workspace) = (&team.bob.user_id, &team.workspace);

    let renamed = r#"{"displayName":"Bob the Builder"}"#;
    let renamed = team
        .bob
        .call(&team.hub, "AccountService/UpdateProfile", renamed);
    assert_eq!(renamed.await.status, 200);
    let elsewhere = team.hub.sign_in("bob").await;
    let out = elsewhere.call(&team.hub, "AccountService/SignOut", "{}");
    assert_eq!(out.await.status, 200);
    // A token that was refreshed: its end moves, its topic stays.
    let later =
        format!("UPDATE credentials SET expires_ms = 9999999999999 WHERE user_id = '{bob}'");
    team.rows.write(&later).await;
    for (kind, subject) in [
        (1, "c_of_nobody".to_owned()),
        (2, "w_of_nobody".to_owned()),
        (3, format!("{workspace} u_nobody")),
        (3, format!("s_other {bob}")),
        (4, format!("{} s_other", team.worker_id)),
    ] {
        team.rows.revoke("SELECT 1", kind, &subject, 2).await;
    }
    let heard = Stopwatch::start();
    while team
        .hub
        .books()
        .await
        .sum("leapmux_hub_revocations_total", "")
        < 6.0
    {
        assert!(heard.elapsed() < PATIENCE, "the ledger was not read");
    }
    passes(&mut own, &mut worker, 1, 1).await;
    passes(&mut shared, &mut worker, 2, 1).await;

    // The owner's own channel does not stand with the workspace.
    team.unhost().await;
    let Body::Close(close) = worker.control().await else {
        panic!("the shared one ends")
    };
    assert_eq!(close.channel_id[..], [2; 16]);
    passes(&mut own, &mut worker, 1, 2).await;
}

#[tokio::test]
async fn access_that_became_more_reaches_an_open_channel_before_what_is_sent_with_it() {
    let team = Team::on_sqlite().await;
    let mut worker = team.link().await;
    let mut browser = team.browser(&team.bob).await;
    open(&mut browser, &mut worker, 1, &team.worker_id).await;
    let json = format!(r#"{{{},"role":"ROLE_EDITOR"}}"#, team.grantee());
    team.workspace_call("ShareWorkspace", &json).await;
    let Body::AccessChanged(changed) = worker.control().await else {
        panic!("not told")
    };
    assert_eq!((changed.change, changed.workspaces.len()), (1, 1));
    assert_eq!(changed.workspaces[0].role(), wire::Role::Editor);
    let (channel_id, change) = (changed.channel_id, changed.change);
    let acknowledged = wire::AccessAcknowledged { channel_id, change };
    worker.send(Body::AccessAcknowledged(acknowledged)).await;
    let told = "leapmux_hub_channel_access_announcements_total";
    let watch = Stopwatch::start();
    while team.hub.books().await.sum(told, "\"acknowledged\"") < 1.0 {
        assert!(watch.elapsed() < PATIENCE, "not counted");
    }
    browser.send(frame(1, 7, &[0; 17])).await;
    assert_eq!(worker.frame().await.correlation(), 7);
    // And less again ends it.
    team.share().await;
    let Body::Close(close) = worker.control().await else {
        panic!("not closed")
    };
    assert_eq!(close.reason(), CloseReason::Revoked);
}

#[tokio::test]
async fn a_login_that_was_moved_on_is_not_ended_by_the_time_it_had_at_first() {
    let hub = TestHub::with(Mode::Hub, |config| {
        generous(config);
        config.timeouts.login_ms = 2_000;
    });
    let hub = hub.await;
    let rows = Rows::Sqlite(hub.folder.path().join("data/hub.db"));
    let root = hub.set_up().await;
    let (worker_id, token) = register(&hub, &root).await;
    let mut worker = TestWorker::link(&hub, &token).await;
    let (stays, goes) = (hub.sign_in("root").await, hub.sign_in("root").await);
    let who = stays.call(&hub, "AccountService/WhoAmI", "{}").await.json();
    let credential = who["credentialId"].as_str().unwrap();
    let mut browsers = Vec::new();
    for (id, person) in [(1, &stays), (2, &goes)] {
        let cookie = [("Cookie", person.cookie.as_str())];
        let mut browser = Browser::open_with(&hub, &cookie).await.ok().unwrap();
        open(&mut browser, &mut worker, id, &worker_id).await;
        browsers.push(browser);
    }
    rows.write(&format!(
        "UPDATE credentials SET expires_ms = 9999999999999 WHERE id = '{credential}'"
    ))
    .await;
    let Body::Close(close) = worker.control().await else {
        panic!("no Close")
    };
    assert_eq!(close.channel_id[..], [2; 16]);
    passes(&mut browsers[0], &mut worker, 1, 1).await;
}

#[tokio::test]
async fn an_organisation_has_so_many_channels_and_carries_so_much() {
    let team = Team::on_sqlite().await;
    let mut worker = team.link().await;
    let organisation = &team.root.organisation_id;
    let quotas = |channels: u32, bytes: u32| {
        let json = format!(
            r#"{{"organisationId":"{organisation}","quotas":{{"members":9,"workers":9,"channels":{channels},"bytesPerSecond":"{bytes}"}}}}"#
        );
        let (root, hub) = (&team.root, &team.hub);
        async move {
            let set = root.call(hub, "OrganisationService/SetQuotas", &json).await;
            assert_eq!(set.status, 200, "{}", set.text());
        }
    };
    quotas(1, 0).await;
    let mut browser = team.browser(&team.bob).await;
    open(&mut browser, &mut worker, 1, &team.worker_id).await;
    browser.ask(2, &team.worker_id).await;
    let Body::Refused(refused) = browser.control().await else {
        panic!("not refused")
    };
    assert_eq!(refused.reason(), wire::RefusalReason::Quota);

    // A second's worth passes at once, and what is more is read later; nothing is lost.
    quotas(1, 20_000).await;
    let watch = Stopwatch::start();
    for correlation in 0..40 {
        browser.send(frame(1, correlation, &[0; 970])).await;
    }
    for correlation in 0..40 {
        assert_eq!(worker.frame().await.correlation(), correlation);
    }
    assert!(
        watch.elapsed() > Duration::from_millis(700),
        "{:?}",
        watch.elapsed()
    );
    quotas(1, 0).await;
    let watch = Stopwatch::start();
    for correlation in 0..40 {
        worker.send(frame(1, correlation, &[0; 970])).await;
        assert_eq!(browser.frame().await.correlation(), correlation);
    }
    assert!(
        watch.elapsed() < Duration::from_millis(700),
        "{:?}",
        watch.elapsed()
    );
}

#[tokio::test]
async fn whoever_misses_a_revocation_lets_everybody_go_and_in_again() {
    let team = Team::on_sqlite().await;
    let mut worker = team.link().await;
    let mut browser = team.browser(&team.bob).await;
    open(&mut browser, &mut worker, 1, &team.worker_id).await;
    team.rows
        .write("UPDATE ledger_counter SET last = last + 5")
        .await;
    let Body::Close(close) = browser.control().await else {
        panic!("no Close")
    };
    assert_eq!(close.reason(), CloseReason::ConnectionLost);
    let (goodbye, _) = browser.end().await;
    assert_eq!(goodbye, Some(CloseReason::ConnectionLost));
    let goodbye = worker.end().await.unwrap();
    assert_eq!(goodbye.reason(), wire::LinkGoodbyeReason::Unspecified);
    team.hub.until(Census::is_empty).await;
    let mut worker = team.link().await;
    let mut browser = team.browser(&team.bob).await;
    open(&mut browser, &mut worker, 2, &team.worker_id).await;
    passes(&mut browser, &mut worker, 2, 1).await;
}

#[tokio::test]
async fn a_deregistered_worker_is_told_so_and_one_with_another_owner_comes_back() {
    let team = Team::on_sqlite().await;
    for (reason, told) in [
        (12, wire::LinkGoodbyeReason::Unspecified),
        (11, wire::LinkGoodbyeReason::Deregistered),
    ] {
        let mut worker = team.link().await;
        let mut browser = team.browser(&team.root).await;
        open(&mut browser, &mut worker, 1, &team.worker_id).await;
        team.rows
            .revoke("SELECT 1", 2, &team.worker_id, reason)
            .await;
        let Body::Close(close) = browser.control().await else {
            panic!("no Close")
        };
        assert_eq!(close.reason(), CloseReason::Revoked);
        assert_eq!(worker.end().await.unwrap().reason(), told);
    }
}
