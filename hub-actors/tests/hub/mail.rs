//! Mail at the doors, against an SMTP server of our own: what goes out, and what its codes open.

use hub_actors::{Hub, MailSecurity, Mode, StartError};

use crate::{
    sink::{Sink, Way},
    support::{Answer, PASSWORD, PATIENCE, Person, Stopwatch, TestHub, config},
};

/// A Hub whose mail goes to the sink.
async fn hub(sink: &Sink) -> TestHub {
    TestHub::with(Mode::Hub, |config| {
        // A slash too many makes no link with two.
        config.public_url = format!("{PUBLIC}/");
        sink.configure(&mut config.mail);
        config.mail.retry_ms = 1;
        config.quotas.mails_per_hour = 1_000;
    })
    .await
}

pub(crate) const PUBLIC: &str = "http://hub.example.org";

/// The code in a mail that leads to a place of the page.
pub(crate) fn code(mail: &str, place: &str) -> String {
    let start = format!("{PUBLIC}/{place}#");
    let (_, rest) = mail
        .split_once(&start)
        .unwrap_or_else(|| panic!("no link: {mail}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

pub(crate) async fn ask_change(hub: &TestHub, person: &Person, email: &str) -> Answer {
    let json = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
    person
        .call(hub, "AccountService/RequestEmailChange", &json)
        .await
}

pub(crate) async fn confirm(hub: &TestHub, code: &str) -> Answer {
    let json = format!(r#"{{"code":"{code}"}}"#);
    hub.call("AccountService/ConfirmEmail", &json).await
}

/// Gives a person an address that counts.
pub(crate) async fn give_address(hub: &TestHub, sink: &Sink, person: &Person, email: &str) {
    assert_eq!(ask_change(hub, person, email).await.status, 200);
    let mail = sink.to(email, 1).await;
    let confirmed = confirm(hub, &code(&mail, "confirm")).await;
    assert_eq!(confirmed.json()["email"], email);
}

async fn me(hub: &TestHub, person: &Person) -> serde_json::Value {
    person.call(hub, "AccountService/WhoAmI", "{}").await.json()
}

async fn mails(hub: &TestHub, fate: &str) -> f64 {
    hub.books().await.sum("leapmux_hub_mails_total", fate)
}

/// Waits until a number of mails met a fate.
async fn until(hub: &TestHub, fate: &str, count: f64) {
    let watch = Stopwatch::start();
    while mails(hub, fate).await < count {
        assert!(
            watch.elapsed() < PATIENCE,
            "never {count} mails were {fate}"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_address_counts_once_its_code_has_come_back_and_the_old_one_is_told() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let ann = hub.sign_up("ann").await;
    assert_eq!(me(&hub, &ann).await["mailAvailable"], true);
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    assert!(me(&hub, &ann).await.get("email").is_none());
    let mail = sink.to("ann@one.example", 1).await;
    assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
    let first = code(&mail, "confirm");
    assert_eq!(confirm(&hub, &first).await.status, 200);
    assert_eq!(me(&hub, &ann).await["email"], "ann@one.example");
    assert_eq!(me(&hub, &ann).await["emailVerified"], true);
    // A code is good once, and for nothing else.
    assert_eq!(confirm(&hub, &first).await.status, 400);

    assert_eq!(ask_change(&hub, &ann, "Ann@Two.example").await.status, 200);
    let second = code(&sink.to("ann@two.example", 1).await, "confirm");
    let reset = format!(r#"{{"code":"{second}","newPassword":"another password"}}"#);
    let wrong = hub.call("AccountService/ResetPassword", &reset).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(confirm(&hub, &second).await.status, 200);
    let told = sink.to("ann@one.example", 2).await;
    assert!(told.contains("has another e-mail address"), "{told}");
}

#[tokio::test]
async fn only_the_newest_code_is_good_and_only_with_the_password() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let ann = hub.sign_up("ann").await;
    let json = r#"{"email":"ann@one.example","password":"wrong password"}"#;
    let refused = ann
        .call(&hub, "AccountService/RequestEmailChange", json)
        .await;
    assert_eq!(refused.status, 401);
    for _ in 0..2 {
        assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    }
    sink.to("ann@one.example", 2).await;
    let mut codes: Vec<String> = sink
        .all("ann@one.example")
        .iter()
        .map(|mail| code(mail, "confirm"))
        .collect();
    codes.dedup();
    assert_eq!(codes.len(), 2);
    let mut answers = Vec::new();
    for code in &codes {
        answers.push(confirm(&hub, code).await.status);
    }
    answers.sort_unstable();
    assert_eq!(answers, [200, 400]);
}

#[tokio::test]
async fn an_address_is_one_account_s() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let (ann, bob) = (hub.sign_up("ann").await, hub.sign_up("bob").await);
    give_address(&hub, &sink, &ann, "us@one.example").await;
    assert_eq!(ask_change(&hub, &bob, "us@one.example").await.status, 200);
    let mail = sink.to("us@one.example", 2).await;
    let taken = confirm(&hub, &code(&mail, "confirm")).await;
    assert_eq!(taken.status, 409, "{}", taken.text());
}

#[tokio::test]
async fn a_newcomer_s_address_is_asked_about() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let json = format!(r#"{{"username":"ann","password":"{PASSWORD}","email":"ann@one.example"}}"#);
    let ann = hub.call("AccountService/SignUp", &json).await;
    let ann = hub.person(&ann).await;
    assert!(me(&hub, &ann).await.get("emailVerified").is_none());
    let mail = sink.to("ann@one.example", 1).await;
    assert_eq!(confirm(&hub, &code(&mail, "confirm")).await.status, 200);
    assert_eq!(me(&hub, &ann).await["emailVerified"], true);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_ends_every_login() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let ann = hub.sign_up("ann").await;
    give_address(&hub, &sink, &ann, "ann@one.example").await;

    // Nobody's address, an address that does not count, and hers are answered alike.
    let bob = hub.sign_up("bob").await;
    assert_eq!(ask_change(&hub, &bob, "bob@one.example").await.status, 200);
    sink.to("bob@one.example", 1).await;
    let mut answers = Vec::new();
    for email in ["nobody@one.example", "bob@one.example", "ann@one.example"] {
        let json = format!(r#"{{"email":"{email}"}}"#);
        let answer = hub.call("AccountService/RequestPasswordReset", &json).await;
        answers.push((answer.status, answer.text()));
    }
    answers.dedup();
    assert_eq!(answers, [(200, "{}".to_owned())]);

    let mail = sink.to("ann@one.example", 2).await;
    let code = code(&mail, "reset");
    let reset = format!(r#"{{"code":"{code}","newPassword":"another password"}}"#);
    assert_eq!(
        hub.call("AccountService/ResetPassword", &reset)
            .await
            .status,
        200
    );
    assert!(me(&hub, &ann).await.get("signedIn").is_none());
    assert_eq!(
        hub.call("AccountService/ResetPassword", &reset)
            .await
            .status,
        400
    );
    let told = sink.to("ann@one.example", 3).await;
    assert!(told.contains("was changed"), "{told}");
    let json = r#"{"username":"ann","password":"another password"}"#;
    assert_eq!(hub.call("AccountService/SignIn", json).await.status, 200);
    // What went to the others would have come before.
    assert_eq!(sink.all("nobody@one.example").len(), 0);
    assert_eq!(sink.all("bob@one.example").len(), 1);
}

#[tokio::test]
async fn another_password_is_told_to_its_owner_and_makes_links_of_before_worthless() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let ann = hub.sign_up("ann").await;
    give_address(&hub, &sink, &ann, "ann@one.example").await;
    let ask = r#"{"email":"ann@one.example"}"#;
    let asked = hub.call("AccountService/RequestPasswordReset", ask).await;
    assert_eq!(asked.status, 200);
    let code = code(&sink.to("ann@one.example", 2).await, "reset");
    let change = format!(r#"{{"oldPassword":"{PASSWORD}","newPassword":"another password"}}"#);
    let changed = ann
        .call(&hub, "AccountService/ChangePassword", &change)
        .await;
    assert_eq!(changed.status, 200);
    let told = sink.to("ann@one.example", 3).await;
    assert!(told.contains("was changed"), "{told}");
    let reset = format!(r#"{{"code":"{code}","newPassword":"a third password"}}"#);
    let refused = hub.call("AccountService/ResetPassword", &reset).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn every_way_to_a_server_is_gone_with_a_password_where_it_is_safe() {
    for way in [Way::Starttls, Way::Implicit, Way::None] {
        let sink = Sink::start(way).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "mail secret\n").unwrap();
        private(&file);
        let hub = TestHub::with(Mode::Hub, |config| {
            config.public_url = PUBLIC.to_owned();
            sink.configure(&mut config.mail);
            config.mail.username = "leapmux".to_owned();
            config.mail.password_file = Some(file);
        })
        .await;
        let ann = hub.sign_up("ann").await;
        give_address(&hub, &sink, &ann, "ann@one.example").await;
        // AUTH PLAIN of leapmux and its password.
        assert!(
            sink.heard("AUTH PLAIN AGxlYXBtdXgAbWFpbCBzZWNyZXQ="),
            "{way:?}"
        );
        assert_eq!(sink.was_encrypted(), way != Way::None, "{way:?}");
    }
}

fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_server_that_offers_no_tls_or_a_strange_certificate_gets_nothing() {
    let sink = Sink::start(Way::None).await;
    let hub = TestHub::with(Mode::Hub, |config| {
        config.public_url = PUBLIC.to_owned();
        sink.configure(&mut config.mail);
        config.mail.security = MailSecurity::Starttls;
        config.mail.retry_ms = 1;
    })
    .await;
    let ann = hub.sign_up("ann").await;
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    until(&hub, "given_up", 1.0).await;
    drop(hub);

    let sink = Sink::start(Way::Implicit).await;
    let hub = TestHub::with(Mode::Hub, |config| {
        config.public_url = PUBLIC.to_owned();
        sink.configure(&mut config.mail);
        config.mail.ca_file = None;
        config.mail.retry_ms = 1;
    })
    .await;
    let ann = hub.sign_up("ann").await;
    let before = mails(&hub, "given_up").await;
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    until(&hub, "given_up", before + 1.0).await;
    assert!(sink.all("ann@one.example").is_empty());
}

#[tokio::test]
async fn a_server_that_is_busy_or_down_gets_the_mail_later() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let ann = hub.sign_up("ann").await;
    sink.refuse(451, 2);
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    sink.to("ann@one.example", 1).await;
    sink.hang_up(2);
    assert_eq!(ask_change(&hub, &ann, "ann@two.example").await.status, 200);
    sink.to("ann@two.example", 1).await;
    until(&hub, "sent", 2.0).await;
}

#[tokio::test]
async fn a_server_that_will_not_have_it_is_asked_once() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    let ann = hub.sign_up("ann").await;
    sink.refuse(550, 1);
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    until(&hub, "refused", 1.0).await;
    assert!(sink.all("ann@one.example").is_empty());
    // The next one finds a server that takes it.
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    sink.to("ann@one.example", 1).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_keeps_no_answer_waiting_and_the_mail_is_given_up() {
    let sink = Sink::start(Way::None).await;
    let hub = hub(&sink).await;
    sink.stop();
    let ann = hub.sign_up("ann").await;
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 200);
    until(&hub, "given_up", 1.0).await;
}

#[tokio::test]
async fn a_hub_without_a_mail_server_says_so() {
    let hub = TestHub::hub().await;
    let ann = hub.sign_up("ann").await;
    assert!(me(&hub, &ann).await.get("mailAvailable").is_none());
    assert_eq!(ask_change(&hub, &ann, "ann@one.example").await.status, 400);
    let json = r#"{"email":"ann@one.example"}"#;
    let refused = hub.call("AccountService/RequestPasswordReset", json).await;
    assert!(
        refused.text().contains("sends no mail"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn a_hub_whose_password_would_cross_the_network_readable_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder, Mode::Hub);
    config.public_url = PUBLIC.to_owned();
    config.mail.host = "mail.example.org".to_owned();
    config.mail.security = MailSecurity::None;
    config.mail.username = "leapmux".to_owned();
    config.mail.password = "secret".to_owned().into();
    let refused = Hub::start(config).await.err().unwrap();
    assert!(matches!(refused, StartError::Mail(_)));
    assert!(
        refused.to_string().contains("use starttls or implicit"),
        "{refused}"
    );
}
