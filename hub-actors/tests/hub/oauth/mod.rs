//! Signing in by a provider, from the button to the login, and everything that must not work.

use std::{net::SocketAddr, sync::Arc};

use hub_actors::{
    HubConfig, Mode, SecretText,
    operator::{NewProvider, NewUser, Operator, Preset},
};

use crate::{
    mail::PUBLIC,
    provider::{CLIENT, Lie, Provider, SECRET},
    support::{Answer, PATIENCE, Stopwatch, TestHub, config, http},
};

mod links;

/// A Hub with a provider.
struct Stage {
    hub: TestHub,
    provider: Arc<Provider>,
    operator: Operator,
    id: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Oidc,
    Github,
}

struct Setting {
    sort: Sort,
    sign_up: bool,
    trusted: bool,
}

const OPEN: Setting = Setting {
    sort: Sort::Oidc,
    sign_up: true,
    trusted: true,
};

impl Stage {
    async fn set(setting: Setting) -> Self {
        Self::set_with(setting, |_| {}).await
    }

    async fn set_with(setting: Setting, change: impl FnOnce(&mut HubConfig)) -> Self {
        let hub = TestHub::with(Mode::Hub, |config| {
            change(config);
            config.sign_up = setting.sign_up;
            config.timeouts.oauth_refresh_ms = 20;
            config.quotas.oauth_starts_per_minute = 1_000;
        });
        let hub = hub.await;
        let provider = Provider::start().await;
        let operator = Operator::open(config(&hub.folder, Mode::Hub))
            .await
            .unwrap();
        let issuer = provider.issuer();
        let new = NewProvider {
            preset: match setting.sort {
                Sort::Oidc => Preset::Oidc(issuer),
                Sort::Github => Preset::Github(Some(issuer)),
            },
            name: "Example".to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: SecretText::from(SECRET.to_owned()),
            scopes: Vec::new(),
            trusted_email: setting.trusted,
        };
        let id = operator.add_oauth_provider(new).await.unwrap();
        Self {
            hub,
            provider,
            operator,
            id,
        }
    }

    /// Follows the button to the provider; the address that it sends the browser back to.
    async fn go(&self, browser: &mut Visitor, redirect: &str) -> String {
        let path = format!("/oauth/start/{}?redirect={redirect}", self.id);
        let departed = browser.get(self.hub.addr(), &path, "same-origin").await;
        assert_eq!(departed.status, 303, "{}", departed.text());
        self.provider_says(departed.header("location").unwrap())
            .await
    }

    /// The same to link an account, once that was begun.
    async fn go_to_link(&self, browser: &mut Visitor) -> Answer {
        let path = format!("/oauth/start/{}?redirect=/&link=1", self.id);
        browser.get(self.hub.addr(), &path, "same-origin").await
    }

    async fn begin_link(&self, browser: &Visitor, password: &str) -> u16 {
        let json = format!(r#"{{"password":"{password}"}}"#);
        let begun = browser.call(&self.hub, "AccountService/BeginLink", &json);
        begun.await.status
    }

    /// The whole way to a link; where the page leads on to.
    async fn link(&self, browser: &mut Visitor) -> String {
        assert_eq!(self.begin_link(browser, "correct horse").await, 200);
        let departed = self.go_to_link(browser).await;
        let back = departed.header("location").unwrap();
        let back = self.provider_says(back).await;
        self.come_back(browser, &back).await
    }

    async fn provider_says(&self, url: &str) -> String {
        let path = url.strip_prefix(&self.provider.issuer()).unwrap();
        let addr = self
            .provider
            .issuer()
            .split_once("//")
            .unwrap()
            .1
            .parse()
            .unwrap();
        let said = http(addr, "GET", path, &[], b"").await;
        let back = said.header("location").unwrap().to_owned();
        let here = format!("http://{}", self.hub.addr());
        let back = back
            .strip_prefix(&here)
            .or_else(|| back.strip_prefix(PUBLIC));
        back.unwrap().to_owned()
    }

    /// The whole way; where the page leads on to.
    async fn sign_in(&self, browser: &mut Visitor) -> String {
        let back = self.go(browser, "/").await;
        self.come_back(browser, &back).await
    }

    async fn come_back(&self, browser: &mut Visitor, back: &str) -> String {
        let page = browser.get(self.hub.addr(), back, "cross-site").await;
        assert_eq!(page.status, 200, "{}", page.text());
        leads_to(&page)
    }

    async fn username(&self, browser: &Visitor) -> Option<String> {
        let told = browser.call(&self.hub, "AccountService/WhoAmI", "{}").await;
        told.json()["username"].as_str().map(str::to_owned)
    }

    async fn user(&self, name: &str, email: &str) {
        let new = NewUser {
            username: name.to_owned(),
            display_name: None,
            email: Some(email.to_owned()),
            admin: false,
            password: SecretText::from("correct horse".to_owned()),
        };
        self.operator.create_user(new).await.unwrap();
    }

    async fn by_password(&self, name: &str) -> Visitor {
        let mut browser = Visitor::default();
        let body = format!(r#"{{"username":"{name}","password":"correct horse"}}"#);
        let answer = browser
            .call(&self.hub, "AccountService/SignIn", &body)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        browser.keep(&answer);
        browser
    }
}

/// Where a page leads on to by itself.
fn leads_to(page: &Answer) -> String {
    let text = page.text();
    let target = text.split_once("content=\"0;url=").unwrap().1;
    target.split_once('"').unwrap().0.replace("&amp;", "&")
}

/// A browser that keeps cookies, and knows which of them another site's doing brings along.
#[derive(Default, Clone)]
struct Visitor {
    cookies: Vec<(String, String, bool)>,
}

impl Visitor {
    fn keep(&mut self, answer: &Answer) {
        for line in answer.head.lines() {
            let Some(cookie) = line
                .to_ascii_lowercase()
                .starts_with("set-cookie:")
                .then(|| &line[11..])
            else {
                continue;
            };
            let (name, rest) = cookie.trim().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.retain(|(kept, ..)| kept != name);
            if !value.is_empty() {
                let strict = cookie.contains("SameSite=Strict");
                assert!(strict || cookie.contains("SameSite=Lax"), "{cookie}");
                assert!(cookie.contains("HttpOnly"), "{cookie}");
                self.cookies
                    .push((name.to_owned(), value.to_owned(), strict));
            }
        }
    }

    fn header(&self, cross_site: bool) -> String {
        let sent = self
            .cookies
            .iter()
            .filter(|(_, _, strict)| !(cross_site && *strict));
        let sent: Vec<_> = sent
            .map(|(name, value, _)| format!("{name}={value}"))
            .collect();
        sent.join("; ")
    }

    async fn get(&mut self, addr: SocketAddr, path: &str, site: &str) -> Answer {
        let cookie = self.header(site == "cross-site");
        let headers = [
            ("Cookie", cookie.as_str()),
            ("Sec-Fetch-Site", site),
            ("Sec-Fetch-Mode", "navigate"),
        ];
        let answer = http(addr, "GET", path, &headers, b"").await;
        self.keep(&answer);
        answer
    }

    async fn call(&self, hub: &TestHub, method: &str, json: &str) -> Answer {
        let cookie = self.header(false);
        hub.call_with(method, json, &[("Cookie", cookie.as_str())])
            .await
    }
}

#[tokio::test]
async fn a_provider_lets_somebody_in_who_then_has_an_account() {
    let stage = Stage::set(OPEN).await;
    let mut browser = Visitor::default();
    let back = stage.go(&mut browser, "/workspaces%3Fa%3D1%26b%3D2").await;
    let page = browser.get(stage.hub.addr(), &back, "cross-site").await;
    assert_eq!(leads_to(&page), "/workspaces?a=1&b=2");
    assert!(page.header("content-security-policy").is_some());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(
        stage.username(&browser).await.as_deref(),
        Some("ada-lovelace")
    );
    // The way's own cookie is gone, the login's is Strict.
    let names: Vec<_> = browser
        .cookies
        .iter()
        .map(|(name, _, strict)| (name.as_str(), *strict))
        .collect();
    assert_eq!(names, [("leapmux", true)]);

    // Another browser is let in as the same user, whatever the name is now.
    stage.provider.person(|person| person.name = "Augusta");
    let mut other = Visitor::default();
    stage.sign_in(&mut other).await;
    assert_eq!(
        stage.username(&other).await.as_deref(),
        Some("ada-lovelace")
    );
    // Another person with the same name is another user.
    stage.provider.person(|person| {
        (person.subject, person.name, person.email) = (2, "ada lovelace", "other@example.org");
    });
    let mut third = Visitor::default();
    stage.sign_in(&mut third).await;
    assert_eq!(
        stage.username(&third).await.as_deref(),
        Some("ada-lovelace-2")
    );
}

#[tokio::test]
async fn where_sign_up_is_closed_a_provider_makes_no_account() {
    let closed = Setting {
        sign_up: false,
        ..OPEN
    };
    let stage = Stage::set(closed).await;
    let mut browser = Visitor::default();
    assert_eq!(
        stage.sign_in(&mut browser).await,
        "/?oauth_error=no_account"
    );
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn an_address_links_only_where_provider_and_hub_have_both_verified_it() {
    let closed = Setting {
        sign_up: false,
        ..OPEN
    };
    let stage = Stage::set(closed).await;
    stage.user("ada", "ada@example.org").await;
    stage.provider.person(|person| person.verified = false);
    let mut browser = Visitor::default();
    assert_eq!(
        stage.sign_in(&mut browser).await,
        "/?oauth_error=no_account"
    );
    stage.provider.person(|person| person.verified = true);
    assert_eq!(stage.sign_in(&mut browser).await, "/");
    assert_eq!(stage.username(&browser).await.as_deref(), Some("ada"));

    let untrusted = Setting {
        sign_up: false,
        trusted: false,
        ..OPEN
    };
    let stage = Stage::set(untrusted).await;
    stage.user("ada", "ada@example.org").await;
    let mut browser = Visitor::default();
    assert_eq!(
        stage.sign_in(&mut browser).await,
        "/?oauth_error=no_account"
    );
}

#[tokio::test]
async fn an_address_of_a_provider_that_is_not_trusted_stays_unverified() {
    let untrusted = Setting {
        trusted: false,
        ..OPEN
    };
    let stage = Stage::set(untrusted).await;
    stage.user("real-ada", "ada@example.org").await;
    let mut browser = Visitor::default();
    assert_eq!(stage.sign_in(&mut browser).await, "/");
    // A user of their own, beside the one whose address it is.
    assert_eq!(
        stage.username(&browser).await.as_deref(),
        Some("ada-lovelace")
    );
}

#[tokio::test]
async fn an_address_that_only_the_account_tells_is_asked_for() {
    let closed = Setting {
        sign_up: false,
        ..OPEN
    };
    let stage = Stage::set(closed).await;
    stage.user("ada", "ada@example.org").await;
    stage.provider.tells_only_by_account();
    let mut browser = Visitor::default();
    assert_eq!(stage.sign_in(&mut browser).await, "/");
    assert_eq!(stage.username(&browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn github_is_known_by_its_number_and_its_primary_verified_address() {
    let github = Setting {
        sort: Sort::Github,
        sign_up: false,
        trusted: true,
    };
    let stage = Stage::set(github).await;
    stage.user("ada", "ada@example.org").await;
    stage.user("old", "old@example.org").await;
    stage.provider.person(|person| person.verified = false);
    let mut browser = Visitor::default();
    assert_eq!(
        stage.sign_in(&mut browser).await,
        "/?oauth_error=no_account"
    );
    stage.provider.person(|person| person.verified = true);
    assert_eq!(stage.sign_in(&mut browser).await, "/");
    assert_eq!(stage.username(&browser).await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn an_id_token_that_is_not_right_in_everything_lets_nobody_in() {
    let stage = Stage::set(OPEN).await;
    for lie in [
        Lie::Nonce,
        Lie::NoNonce,
        Lie::Audience,
        Lie::OneMoreAudience,
        Lie::Issuer,
        Lie::Expired,
        Lie::Unsigned,
        Lie::ClientSecret,
        Lie::OtherKey,
        Lie::ChangedClaims,
        Lie::NoIdToken,
        Lie::AccessTokenHash,
    ] {
        stage.provider.lies(lie);
        let mut browser = Visitor::default();
        assert_eq!(
            stage.sign_in(&mut browser).await,
            "/?oauth_error=failed",
            "{lie:?}"
        );
        assert!(browser.cookies.is_empty(), "{lie:?}");
    }
    stage.provider.lies(Lie::Nothing);
    assert_eq!(stage.sign_in(&mut Visitor::default()).await, "/");
}

#[tokio::test]
async fn a_provider_that_describes_another_is_not_gone_to() {
    let stage = Stage::set(OPEN).await;
    stage.provider.lies(Lie::OtherIssuerInDiscovery);
    let path = format!("/oauth/start/{}?redirect=/x", stage.id);
    let page = Visitor::default()
        .get(stage.hub.addr(), &path, "same-origin")
        .await;
    assert_eq!(leads_to(&page), "/x?oauth_error=failed");
}

#[tokio::test]
async fn a_provider_is_asked_once_what_it_is_and_again_when_its_keys_are_others() {
    let stage = Stage::set(OPEN).await;
    for _ in 0..2 {
        assert_eq!(stage.sign_in(&mut Visitor::default()).await, "/");
    }
    assert_eq!(stage.provider.described(), 1);
    stage.provider.signs_with("another");
    assert_eq!(stage.sign_in(&mut Visitor::default()).await, "/");
    assert_eq!(stage.provider.described(), 2);
}

#[tokio::test]
async fn nobody_comes_back_twice_or_for_somebody_else_or_from_another_provider() {
    let stage = Stage::set(OPEN).await;
    let mut browser = Visitor::default();
    let back = stage.go(&mut browser, "/").await;
    let before = browser.clone();
    // Whoever is made to follow another person's link back has not begun it.
    let mut victim = Visitor::default();
    assert_eq!(
        stage.come_back(&mut victim, &back).await,
        "/?oauth_error=expired"
    );
    assert!(victim.cookies.is_empty());
    // It was shown to somebody else, and is worth nothing any more.
    assert_eq!(
        stage.come_back(&mut browser, &back).await,
        "/?oauth_error=expired"
    );
    browser = before;

    let back = stage.go(&mut browser, "/").await;
    let kept = browser.clone();
    assert_eq!(stage.come_back(&mut browser, &back).await, "/");
    assert_eq!(
        stage.come_back(&mut kept.clone(), &back).await,
        "/?oauth_error=expired"
    );

    // A code that the provider has taken already, under a state that is good.
    let mut browser = Visitor::default();
    let old = back
        .split_once("code=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap();
    let fresh = stage.go(&mut browser, "/").await;
    let new = fresh
        .split_once("code=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    let replayed = fresh.replace(&format!("code={new}&"), &format!("code={old}&"));
    assert_ne!(replayed, fresh);
    assert_eq!(
        stage.come_back(&mut browser, &replayed).await,
        "/?oauth_error=failed"
    );

    let back = stage.go(&mut browser, "/").await;
    let mixed = format!(
        "{}&iss=https%3A%2F%2Felsewhere.example",
        back.split_once("&iss=").unwrap().0
    );
    assert_eq!(
        stage.come_back(&mut browser, &mixed).await,
        "/?oauth_error=failed"
    );
    let back = stage.go(&mut browser, "/").await;
    let twice = format!("{back}&code=other");
    assert_eq!(
        stage.come_back(&mut browser, &twice).await,
        "/?oauth_error=failed"
    );
    for nothing in [
        "/oauth/callback",
        "/oauth/callback?state=x",
        "/oauth/callback?code=x",
    ] {
        assert_eq!(
            stage.come_back(&mut browser, nothing).await,
            "/?oauth_error=expired"
        );
    }
}

#[tokio::test]
async fn whoever_says_no_at_the_provider_is_told_so_where_they_were() {
    let stage = Stage::set(OPEN).await;
    let mut browser = Visitor::default();
    let back = stage.go(&mut browser, "/sign-in").await;
    let state = back
        .split_once("state=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap();
    let no = format!("/oauth/callback?error=access_denied&state={state}");
    assert_eq!(
        stage.come_back(&mut browser, &no).await,
        "/sign-in?oauth_error=denied"
    );
}

#[tokio::test]
async fn nobody_is_led_to_another_host() {
    let stage = Stage::set(OPEN).await;
    for target in [
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "https%3A%2F%2Fevil.example",
        "%2F%09%2Fevil.example",
    ] {
        let mut browser = Visitor::default();
        let back = stage.go(&mut browser, target).await;
        assert_eq!(stage.come_back(&mut browser, &back).await, "/", "{target}");
    }
}

#[tokio::test]
async fn another_site_can_send_a_browser_back_but_not_off_and_not_by_a_fetch() {
    let stage = Stage::set(OPEN).await;
    let addr = stage.hub.addr();
    let start = format!("/oauth/start/{}", stage.id);
    let mut browser = Visitor::default();
    assert_eq!(browser.get(addr, &start, "cross-site").await.status, 403);
    let back = stage.go(&mut browser, "/").await;
    let fetch = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    assert_eq!(http(addr, "GET", &back, &fetch, b"").await.status, 403);
    assert_eq!(
        http(addr, "POST", "/oauth/callback", &fetch, b"")
            .await
            .status,
        403
    );
    let rebound = [("Host", "evil.example")];
    let _any_host = http(addr, "GET", &back, &rebound, b"").await;
    // A form of the provider's, which comes without a cookie, and what follows upon it.
    let (path, form) = back.split_once('?').unwrap();
    let headers = [
        ("Origin", "https://id.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let back = stage.go(&mut browser, "/").await;
    let form_of = back.split_once('?').unwrap().1;
    let posted = http(
        addr,
        "POST",
        path,
        &headers,
        format!("{form_of}&user=x").as_bytes(),
    )
    .await;
    assert_eq!(posted.status, 303);
    let again = posted.header("location").unwrap().to_owned();
    assert!(!again.contains("user=x") && !form.is_empty());
    assert_eq!(stage.come_back(&mut browser, &again).await, "/");
    assert!(stage.username(&browser).await.is_some());
}
