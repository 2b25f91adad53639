//! Accounts at the doors: the first admin, sign-up, passwords and what guessing at them meets.

use hub_actors::{
    Mode,
    operator::{AuditSearch, Operator},
};

use crate::support::{Answer, Browser, PASSWORD, PATIENCE, Person, Stopwatch, TestHub, config};

async fn sign_in(hub: &TestHub, username: &str, password: &str) -> Answer {
    let json = format!(r#"{{"username":"{username}","password":"{password}"}}"#);
    hub.call("AccountService/SignIn", &json).await
}

async fn who(hub: &TestHub) -> serde_json::Value {
    hub.call("AccountService/WhoAmI", "{}").await.json()
}

/// Connect's code of an answer.
fn code(answer: &Answer) -> (u16, String) {
    let code = answer.json()["code"].as_str().unwrap().to_owned();
    (answer.status, code)
}

#[tokio::test]
async fn the_first_admin_is_claimed_once_and_by_the_access_token() {
    let hub = TestHub::hub().await;
    assert_eq!(who(&hub).await["setupRequired"], true);
    let wrong = format!(r#"{{"accessToken":"wrong","username":"root","password":"{PASSWORD}"}}"#);
    let refused = hub.call("AccountService/SetUp", &wrong).await;
    assert_eq!(code(&refused), (401, "unauthenticated".to_owned()));

    let root = hub.set_up().await;
    assert_eq!(root.user_id, hub.hub.admin_user().as_str());
    let me = root.call(&hub, "AccountService/WhoAmI", "{}").await.json();
    for (key, value) in [
        ("username", "\"root\""),
        ("displayName", "\"root\""),
        ("admin", "true"),
        ("hasPassword", "true"),
        ("signUpOpen", "true"),
    ] {
        assert_eq!(me[key].to_string(), value, "{key}");
    }
    assert!(me.get("setupRequired").is_none());

    let again = format!(
        r#"{{"accessToken":"{}","username":"other","password":"{PASSWORD}"}}"#,
        hub.token()
    );
    let refused = hub.call("AccountService/SetUp", &again).await;
    assert_eq!(code(&refused), (400, "failed_precondition".to_owned()));
    assert_eq!(hub.sign_in("root").await.user_id, root.user_id);
}

#[tokio::test]
async fn whoever_signs_up_has_an_account_and_is_no_admin() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    assert_eq!(ann.username, "ann");
    let me = ann.call(&hub, "AccountService/WhoAmI", "{}").await.json();
    assert_eq!(me["username"], "ann");
    assert!(me.get("admin").is_none());
    // Names are typed in any case, and passwords are not.
    assert_eq!(sign_in(&hub, " Ann", PASSWORD).await.status, 200);
    let upper = PASSWORD.to_uppercase();
    assert_eq!(sign_in(&hub, "ann", &upper).await.status, 401);

    let taken = format!(r#"{{"username":"ann","password":"{PASSWORD}"}}"#);
    let taken = hub.call("AccountService/SignUp", &taken).await;
    assert_eq!(code(&taken), (409, "already_exists".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_a_name_or_a_password_is_told_so() {
    let hub = TestHub::hub().await;
    for (username, password, told) in [
        ("Ann", PASSWORD, "username"),
        ("a--b", PASSWORD, "username"),
        ("", PASSWORD, "username"),
        ("ann", "7 lette", "8 to 128 characters"),
        ("ann", &"a".repeat(129), "8 to 128 characters"),
    ] {
        let json = format!(r#"{{"username":"{username}","password":"{password}"}}"#);
        let refused = hub.call("AccountService/SignUp", &json).await;
        assert_eq!(refused.status, 400, "{username} {password}");
        assert!(refused.text().contains(told), "{}", refused.text());
    }
}

#[tokio::test]
async fn a_closed_hub_makes_no_accounts() {
    let hub = TestHub::with(Mode::Hub, |config| config.sign_up = false).await;
    assert!(who(&hub).await.get("signUpOpen").is_none());
    let json = format!(r#"{{"username":"ann","password":"{PASSWORD}"}}"#);
    let refused = hub.call("AccountService/SignUp", &json).await;
    assert_eq!(code(&refused), (400, "failed_precondition".to_owned()));
}

#[tokio::test]
async fn whoever_was_invited_by_a_link_gets_in_where_nobody_else_does_and_is_a_member() {
    let hub = TestHub::with(Mode::Hub, |config| config.sign_up = false).await;
    let root = hub.set_up().await;
    let team = r#"{"slug":"acme","name":"Acme"}"#;
    let team = root
        .call(&hub, "OrganisationService/CreateOrganisation", team)
        .await
        .json();
    let team = team["organisation"]["organisationId"]
        .as_str()
        .unwrap()
        .to_owned();
    let link =
        format!(r#"{{"organisationId":"{team}","role":"ORGANISATION_ROLE_MEMBER","uses":1}}"#);
    let link = root
        .call(&hub, "OrganisationService/CreateInviteLink", &link)
        .await
        .json();
    let secret = link["secret"].as_str().unwrap();
    let sign_up = async |name: &str, invitation: &str| {
        let json = format!(
            r#"{{"username":"{name}","password":"{PASSWORD}","invitation":"{invitation}"}}"#
        );
        hub.call("AccountService/SignUp", &json).await
    };
    assert_eq!(sign_up("ann", "lmi_wrong").await.status, 400);
    let ann = hub.person(&sign_up("ann", secret).await).await;
    let mine = ann
        .call(&hub, "OrganisationService/ListOrganisations", "{}")
        .await;
    assert!(mine.text().contains("acme"), "{}", mine.text());
    // It was good once.
    assert_eq!(sign_up("bob", secret).await.status, 400);
    assert_eq!(sign_in(&hub, "bob", PASSWORD).await.status, 401);
}

/// What a client sees, without the time.
fn seen(answer: &Answer) -> (u16, String, Vec<String>) {
    let lines = answer.head.lines().map(str::to_ascii_lowercase);
    let timeless = lines.filter(|line| !line.starts_with("date:"));
    let mut timeless: Vec<_> = timeless.collect();
    timeless.sort();
    (answer.status, answer.text(), timeless)
}

#[tokio::test]
async fn a_name_that_nobody_has_is_answered_as_one_that_somebody_has() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 1_000;
    })
    .await;
    hub.sign_up("ann").await;
    let hashes = async || {
        hub.books()
            .await
            .sum("leapmux_hub_password_hashes_total", "")
    };
    let mut answers = Vec::new();
    for name in ["ann", "nobody"] {
        let before = hashes().await;
        let tries =
            futures_util::future::join_all((0..4).map(|_| sign_in(&hub, name, "wrong password")));
        let mut seen_of: Vec<_> = tries.await.iter().map(seen).collect();
        seen_of.push(seen(&sign_in(&hub, name, "wrong password").await));
        // The fifth locks the name, also for the right password.
        let locked = sign_in(&hub, name, PASSWORD).await;
        assert_eq!(code(&locked), (429, "resource_exhausted".to_owned()));
        let after: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((25..=30).contains(&after), "{after}");
        answers.push((seen_of, hashes().await - before));
    }
    assert_eq!(answers[0].0, answers[1].0);
    // As many passwords were looked at, and none while the name was locked.
    assert_eq!((answers[0].1, answers[1].1), (5.0, 5.0));
}

#[tokio::test]
async fn many_tries_at_once_are_no_more_guesses_than_one_after_the_other() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 1_000;
    })
    .await;
    hub.sign_up("ann").await;
    let tries = (0..40).map(|_| sign_in(&hub, "ann", "wrong password"));
    let tries = futures_util::future::join_all(tries).await;
    let looked_at = tries.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn the_right_password_forgets_the_wrong_ones() {
    let hub = TestHub::with(Mode::Hub, |config| {
        config.quotas.failed_sign_ins_per_minute = 1_000;
    })
    .await;
    hub.sign_up("ann").await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(sign_in(&hub, "ann", "wrong password").await.status, 401);
        }
        hub.sign_in("ann").await;
    }
}

/// Wrong passwords for Ann, five from each of these networks.
async fn guess(hub: &TestHub, networks: std::ops::Range<u8>) {
    let json = r#"{"username":"ann","password":"wrong password"}"#;
    for network in networks {
        let address = format!("203.0.113.{network}");
        let headers = [("X-Forwarded-For", address.as_str())];
        for _ in 0..5 {
            let wrong = hub.call_with("AccountService/SignIn", json, &headers);
            assert_eq!(wrong.await.status, 401);
        }
    }
}

async fn behind_a_proxy() -> TestHub {
    TestHub::with(Mode::Hub, |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
    })
    .await
}

#[tokio::test]
async fn strangers_who_guess_keep_the_owner_out_only_from_many_networks() {
    let hub = behind_a_proxy().await;
    let ann = hub.sign_up("ann").await;
    guess(&hub, 0..5).await;
    hub.sign_in("ann").await;
    guess(&hub, 5..10).await;
    // One more from wherever, and one that is refused.
    assert_eq!(sign_in(&hub, "ann", "wrong password").await.status, 401);
    assert_eq!(sign_in(&hub, "ann", PASSWORD).await.status, 429);
    // Whoever is in changes the password nevertheless.
    let change = format!(r#"{{"oldPassword":"{PASSWORD}","newPassword":"another password"}}"#);
    let changed = ann.call(&hub, "AccountService/ChangePassword", &change);
    assert_eq!(changed.await.status, 200);
}

#[tokio::test]
async fn a_login_that_is_asked_for_the_password_is_locked_by_its_own_wrong_ones() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let other = hub.sign_in("ann").await;
    let change = async |person: &Person, password: &str| {
        let json = format!(r#"{{"oldPassword":"{password}","newPassword":"{PASSWORD}"}}"#);
        let changed = person.call(&hub, "AccountService/ChangePassword", &json);
        changed.await.status
    };
    for _ in 0..5 {
        assert_eq!(change(&ann, "wrong password").await, 401);
    }
    assert_eq!(change(&ann, PASSWORD).await, 429);
    assert_eq!(change(&other, PASSWORD).await, 200);
}

#[tokio::test]
async fn a_lock_outlives_a_restart_and_does_not_tell_whose_name_it_is() {
    let mut hub = behind_a_proxy().await;
    hub.sign_up("ann").await;
    guess(&hub, 0..5).await;
    assert_eq!(sign_in(&hub, "ann", "wrong password").await.status, 401);
    assert_eq!(sign_in(&hub, "ann", PASSWORD).await.status, 429);
    // The lock is written after the answer, the last of them all.
    let operator = Operator::open(config(&hub.folder, Mode::Hub))
        .await
        .unwrap();
    let watch = Stopwatch::start();
    let written = async |action: &str| {
        let search = AuditSearch {
            action: Some(action.to_owned()),
            limit: 100,
            ..AuditSearch::default()
        };
        operator.audit(search).await.unwrap().len()
    };
    while written("login.failed").await + written("login.locked").await < 26 {
        assert!(watch.elapsed() < PATIENCE, "never written");
        tokio::task::yield_now().await;
    }
    hub.hub.drain().await;
    hub.restart().await;
    let locked = sign_in(&hub, "ann", PASSWORD).await;
    let nobody = sign_in(&hub, "nobody", PASSWORD).await;
    assert_eq!(locked.status, 401);
    assert_eq!(seen(&locked), seen(&nobody));
}

async fn watch(hub: &TestHub, person: &Person) -> Browser {
    let opened = Browser::open_with(hub, &[("Cookie", &person.cookie)]).await;
    opened.map_err(|refused| refused.0).unwrap()
}

/// Whether the person is still let in.
async fn is_in(hub: &TestHub, person: &Person) -> bool {
    let who = person.call(hub, "AccountService/WhoAmI", "{}").await;
    who.json()["signedIn"] == true
}

#[tokio::test]
async fn another_password_ends_every_other_login_and_spares_the_one_that_asked() {
    let hub = TestHub::hub().await;
    let (here, bob) = (hub.sign_up("ann").await, hub.sign_up("bob").await);
    let there = hub.sign_in("ann").await;
    let mut elsewhere = watch(&hub, &there).await;
    let _mine = watch(&hub, &here).await;
    let change =
        |old: &str, new: &str| format!(r#"{{"oldPassword":"{old}","newPassword":"{new}"}}"#);

    let wrong = change("wrong password", "another password");
    let wrong = here
        .call(&hub, "AccountService/ChangePassword", &wrong)
        .await;
    assert_eq!(code(&wrong), (401, "unauthenticated".to_owned()));
    assert!(is_in(&hub, &there).await);

    let right = change(PASSWORD, "another password");
    let right = here
        .call(&hub, "AccountService/ChangePassword", &right)
        .await;
    assert_eq!(right.status, 200, "{}", right.text());
    elsewhere.end().await;
    assert!(!is_in(&hub, &there).await);
    assert!(is_in(&hub, &here).await && is_in(&hub, &bob).await);
    hub.until(|census| census.sessions == 1).await;
    assert_eq!(sign_in(&hub, "ann", PASSWORD).await.status, 401);
    assert_eq!(sign_in(&hub, "ann", "another password").await.status, 200);
}

#[tokio::test]
async fn another_shown_name_closes_nothing() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    let _open = watch(&hub, &ann).await;
    let named = ann
        .call(
            &hub,
            "AccountService/UpdateProfile",
            r#"{"displayName":"Ann O."}"#,
        )
        .await;
    assert_eq!(named.status, 200);
    let me = ann.call(&hub, "AccountService/WhoAmI", "{}").await.json();
    assert_eq!(me["displayName"], "Ann O.");
    hub.until(|census| census.sessions == 1).await;
}

#[tokio::test]
async fn logins_are_listed_and_ended_one_by_one_or_all_others() {
    let hub = TestHub::hub().await;
    let (here, bob) = (hub.sign_up("ann").await, hub.sign_up("bob").await);
    let (second, third) = (hub.sign_in("ann").await, hub.sign_in("ann").await);
    let listed = here
        .call(&hub, "AccountService/ListLogins", "{}")
        .await
        .json();
    let logins = listed["logins"].as_array().unwrap().clone();
    assert_eq!(logins.len(), 3);
    let this_one = |login: &&serde_json::Value| login["thisOne"] == true;
    assert_eq!(logins.iter().filter(this_one).count(), 1);
    assert!(logins.iter().all(|login| login["address"] == "127.0.0.1"));

    let of = async |person: &Person| {
        let me = person
            .call(&hub, "AccountService/WhoAmI", "{}")
            .await
            .json();
        me["credentialId"].as_str().unwrap().to_owned()
    };
    let revoke = |id: &str| format!(r#"{{"credentialId":"{id}"}}"#);
    // Another's login is as little there as one that never was.
    for id in [of(&bob).await.as_str(), "c_nothing", "", "not an id"] {
        let refused = here
            .call(&hub, "AccountService/RevokeLogin", &revoke(id))
            .await;
        assert_eq!(code(&refused), (404, "not_found".to_owned()), "{id:?}");
    }
    let second_id = of(&second).await;
    let ended = here
        .call(&hub, "AccountService/RevokeLogin", &revoke(&second_id))
        .await;
    assert_eq!(ended.status, 200);
    assert!(!is_in(&hub, &second).await && is_in(&hub, &third).await);

    let others = here
        .call(&hub, "AccountService/RevokeOtherLogins", "{}")
        .await;
    assert_eq!(others.json()["revoked"], 1);
    assert!(!is_in(&hub, &third).await);
    assert!(is_in(&hub, &here).await && is_in(&hub, &bob).await);
}

#[tokio::test]
async fn the_login_that_was_not_used_for_longest_makes_room() {
    let hub = TestHub::with(Mode::Hub, |config| config.quotas.logins_per_user = 2).await;
    let first = hub.sign_up("ann").await;
    let _second = hub.sign_in("ann").await;
    let mut open = watch(&hub, &first).await;
    let third = hub.sign_in("ann").await;
    open.end().await;
    assert!(!is_in(&hub, &first).await && is_in(&hub, &third).await);
}

#[tokio::test]
async fn a_deleted_account_takes_its_logins_along_and_its_name_is_free() {
    let hub = TestHub::hub().await;
    hub.set_up().await;
    let ann = hub.sign_up("ann").await;
    let mut open = watch(&hub, &ann).await;
    let delete =
        |password: &str, name: &str| format!(r#"{{"password":"{password}","username":"{name}"}}"#);
    for (json, status) in [
        (delete(PASSWORD, "an"), 400),
        (delete("wrong password", "ann"), 401),
        (delete(PASSWORD, "ann"), 200),
    ] {
        let answer = ann.call(&hub, "AccountService/DeleteAccount", &json).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    open.end().await;
    assert!(!is_in(&hub, &ann).await);
    assert_eq!(sign_in(&hub, "ann", PASSWORD).await.status, 401);
    assert_ne!(hub.sign_up("ann").await.user_id, ann.user_id);
}

#[tokio::test]
async fn the_last_admin_cannot_go() {
    let hub = TestHub::hub().await;
    let root = hub.set_up().await;
    let json = format!(r#"{{"password":"{PASSWORD}","username":"root"}}"#);
    let refused = root.call(&hub, "AccountService/DeleteAccount", &json).await;
    assert_eq!(code(&refused), (400, "failed_precondition".to_owned()));
    assert!(is_in(&hub, &root).await);
}

#[tokio::test]
async fn solo_has_no_accounts() {
    let hub = TestHub::solo().await;
    for (method, json) in [
        ("SetUp", "{}"),
        ("SignUp", "{}"),
        ("ChangePassword", "{}"),
        ("UpdateProfile", "{}"),
        ("DeleteAccount", "{}"),
        ("RevokeOtherLogins", "{}"),
    ] {
        let refused = hub.call(&format!("AccountService/{method}"), json).await;
        assert_eq!(
            code(&refused),
            (400, "failed_precondition".to_owned()),
            "{method}"
        );
    }
}

#[tokio::test]
async fn somebody_who_signs_up_first_keeps_no_operator_out() {
    let hub = TestHub::hub().await;
    let early = hub.sign_up("early").await;
    let who = early.call(&hub, "AccountService/WhoAmI", "{}").await.json();
    assert_eq!(who["setupRequired"], true);
    assert!(who.get("admin").is_none());
    let root = hub.set_up().await;
    let who = root.call(&hub, "AccountService/WhoAmI", "{}").await.json();
    assert_eq!(who["admin"], true);
    assert!(who.get("setupRequired").is_none());
}
