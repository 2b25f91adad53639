//! `leapmux admin` as operators use it: beside a running Hub, on its database and key file.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    site::{Site, is_in, sign_in},
    support::{LEAPMUX, errors, http, log_in, text},
};

#[test]
fn the_first_admin_is_made_before_the_hub_ever_ran() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    let mut hub = site.hub();
    let cookie = sign_in(&hub, "ann", "correct horse").expect("the password is right");
    assert!(is_in(&hub, &cookie));
    let users = site.json(&["user", "list"]);
    let names: Vec<_> = users
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["username"])
        .collect();
    assert_eq!(names, ["admin", "ann"]);
    hub.stop();
}

#[test]
fn a_password_comes_from_a_file_or_standard_input_and_is_no_argument() {
    let site = Site::new();
    let file = site.home().join("password");
    fs::write(&file, "correct horse\n").expect("ours");
    let file = file.to_str().expect("text");
    site.says(&[
        "user",
        "create",
        "--username",
        "ann",
        "--password-file",
        file,
    ]);
    site.refused(
        &["user", "create", "--username", "bob", "--password", "x"],
        2,
        "--password",
    );
    site.refused(
        &["user", "create", "--username", "bob"],
        1,
        "standard input",
    );
    let short = site.admin_with(&["user", "create", "--username", "bob"], "short\n");
    assert_eq!(short.status.code(), Some(2));
    assert!(errors(&short).contains("8 to 128"), "{}", errors(&short));
}

#[test]
fn accounts_are_changed_by_name_or_id_and_each_end_has_its_code() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    site.make("bob", &["--email", "Bob@Example.org"]);
    let bob = site.json(&["user", "get", "bob"]);
    assert_eq!(bob["email"], "bob@example.org");
    let id = bob["user_id"].as_str().expect("an id").to_owned();
    site.says(&[
        "user",
        "update",
        &id,
        "--display-name",
        "Bob B",
        "--username",
        "bobby",
    ]);
    assert_eq!(
        site.json(&["user", "get", "bobby"])["display_name"],
        "Bob B"
    );
    site.says(&["user", "grant-admin", "bobby"]);
    site.refused(&["user", "delete", "bobby"], 4, "--force");
    site.says(&["user", "revoke-admin", "bobby"]);
    site.says(&["user", "delete", "bobby"]);
    site.refused(&["user", "get", "bobby"], 3, "bobby");
    site.refused(&["user", "update", "ann"], 2, "--display-name");
    site.refused(
        &["user", "update", "ann", "--username", "No Slug"],
        2,
        "a-z 0-9",
    );
    site.says(&["user", "delete", "ann", "--force"]);
    site.refused(&["user", "delete", "admin", "--force"], 4, "last admin");
    site.refused(&["worker", "get", "w_1"], 3, "w_1");
    site.refused(&["session", "revoke-all"], 4, "--yes");
}

#[test]
fn looking_makes_nothing() {
    let site = Site::new();
    site.refused(&["user", "list"], 3, "db migrate");
    assert!(!site.data().exists());
    assert_eq!(site.json(&["db", "version"])["exists"], false);
    assert!(!site.data().exists());
    site.says(&["db", "migrate"]);
    assert_eq!(
        site.json(&["db", "version"])["pending"],
        serde_json::json!([])
    );
    let path = site.says(&["db", "path"]);
    assert!(Path::new(path.trim()).exists(), "{path}");
}

#[test]
fn whoever_is_forced_out_is_out_in_the_running_hub() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    let mut hub = site.hub();
    let cookie = sign_in(&hub, "ann", "correct horse").expect("in");
    let listed = site.says(&["user", "list-sessions", "ann"]);
    assert!(listed.contains("login"), "{listed}");
    assert_eq!(site.json(&["session", "revoke-user", "ann"])["revoked"], 1);
    assert!(!is_in(&hub, &cookie));
    let cookie = sign_in(&hub, "ann", "correct horse").expect("in again");
    let reset = site.admin_with(&["user", "reset-password", "ann"], "battery staple\n");
    assert!(reset.status.success(), "{}", errors(&reset));
    assert!(!is_in(&hub, &cookie));
    assert!(sign_in(&hub, "ann", "correct horse").is_none());
    let cookie = sign_in(&hub, "ann", "battery staple").expect("the new one");
    site.says(&["user", "update", "ann", "--disable"]);
    assert!(!is_in(&hub, &cookie));
    assert!(sign_in(&hub, "ann", "battery staple").is_none());
    hub.stop();
}

#[test]
fn an_operator_of_the_running_hub_closes_its_events_within_a_quarter_of_a_second() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    let mut hub = site.hub();
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let cookie = sign_in(&hub, "ann", "correct horse").expect("in");
        let events = Events::open(&hub.url, &cookie);
        let output = site.admin(&["session", "revoke-user", "ann"]);
        assert!(output.status.success(), "{}", errors(&output));
        // The command has committed before it ends, so this is an upper bound of what is left.
        slowest = events.closed().max(slowest);
    }
    eprintln!("closed at most {slowest:?} after the command had ended");
    assert!(slowest < Duration::from_millis(250), "{slowest:?}");
    hub.stop();
}

/// The events' WebSocket, as a plain connection.
struct Events {
    stream: std::net::TcpStream,
}

impl Events {
    fn open(url: &str, cookie: &str) -> Self {
        use std::io::{Read as _, Write as _};
        let host = url.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(host).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        let request = format!(
            "GET /ws/events HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: {cookie}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer");
            head.extend(byte);
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self { stream }
    }

    /// How long it takes from now until the Hub says goodbye: a frame with opcode 8.
    fn closed(mut self) -> Duration {
        let begun = now();
        while self.frame() != 8 {}
        now().duration_since(begun)
    }

    /// Reads one frame of a server, which is short and not masked; its opcode.
    fn frame(&mut self) -> u8 {
        use std::io::Read as _;
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("a frame");
        let mut length = usize::from(head[1]);
        if length == 126 {
            let mut long = [0; 2];
            self.stream.read_exact(&mut long).expect("a length");
            length = usize::from(u16::from_be_bytes(long));
        }
        assert_ne!(head[1], 127, "a frame of events is short");
        self.stream
            .read_exact(&mut vec![0; length])
            .expect("a payload");
        head[0] & 0x0f
    }
}

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_doctor_says_what_to_fix_and_is_content_when_it_is_fixed() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    site.make("ann", &[]);
    site.says(&["doctor"]);
    let key = site.data().join("encryption.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("ours");
    let sick = site.admin(&["doctor"]);
    assert_eq!(sick.status.code(), Some(5));
    assert!(
        text(&sick).contains(&format!("chmod 600 {}", key.display())),
        "{}",
        text(&sick)
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours");
    site.says(&["doctor"]);
    fs::rename(&key, site.home().join("elsewhere")).expect("ours");
    let sick = site.admin(&["doctor"]);
    assert_eq!(sick.status.code(), Some(5));
    assert!(text(&sick).contains("missing"), "{}", text(&sick));
}

#[test]
fn the_audit_log_says_who_and_shows_what_was_changed_by_hand() {
    use diesel::{Connection as _, connection::SimpleConnection as _};
    let site = Site::new();
    site.make("ann", &[]);
    site.make("bob", &[]);
    let entries = site.json(&["audit", "list", "--action", "user."]);
    assert_eq!(entries[0]["action"], "user.created");
    assert_eq!(entries[0]["actor_kind"], "operator");
    let exported = site.says(&["audit", "export"]);
    assert_eq!(exported.lines().count(), 2);
    assert!(!exported.contains("correct horse"));
    let path = site.says(&["db", "path"]);
    let mut conn = diesel::SqliteConnection::establish(path.trim()).expect("a database");
    let refused = conn.batch_execute("UPDATE audit_log SET actor_id = 'x' WHERE seq = 1");
    assert!(refused.is_err(), "a guard against accidents");
    conn.batch_execute(
        "DROP TRIGGER audit_log_kept; UPDATE audit_log SET actor_id = 'x' WHERE seq = 1",
    )
    .expect("whoever means it gets through");
    let broken = site.admin(&["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(5));
    assert!(
        text(&broken).contains("entry 1 was changed"),
        "{}",
        text(&broken)
    );
}

#[test]
fn programs_get_json_and_people_get_columns() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    let people = site.says(&["user", "list"]);
    let mut lines = people.lines();
    assert!(
        lines
            .next()
            .is_some_and(|head| head.starts_with("USERNAME  NAME")),
        "{people}"
    );
    assert_eq!(site.json(&["org", "list"])[0]["personal"], true);
    for looked in [
        &["session", "list"][..],
        &["worker", "list"],
        &["worker", "reg-key", "list"],
        &["api-token", "list"],
        &["delegation-token", "list"],
    ] {
        assert_eq!(site.json(looked), serde_json::json!([]), "{looked:?}");
    }
}

#[test]
fn a_token_that_the_operator_makes_opens_the_hub_until_it_is_revoked() {
    let site = Site::new();
    site.make("ci", &[]);
    let mut hub = site.hub();
    let issue = [
        "api-token",
        "issue",
        "--user",
        "ci",
        "--label",
        "deploy",
        "--scopes",
    ];
    site.refused(&[&issue[..], &["everything"]].concat(), 2, "scope");
    let issued = site.json(&[&issue[..], &["read,channels"]].concat());
    let bearer = issued["access_token"].as_str().expect("a secret");
    let header = format!("Authorization: Bearer {bearer}\r\n");
    let me = || {
        let me = http::call(
            &hub.url,
            "AccountService/WhoAmI",
            &header,
            &serde_json::json!({}),
        );
        me.expect("an answer").json()["username"].clone()
    };
    assert_eq!(me(), "ci");
    let listed = site.says(&["api-token", "list", "--user", "ci"]);
    assert!(
        listed.contains("deploy") && !listed.contains(bearer),
        "{listed}"
    );
    let id = issued["token_id"].as_str().expect("an id");
    site.refused(&["session", "revoke", id], 3, id);
    site.says(&["api-token", "revoke", id]);
    assert_eq!(me(), serde_json::Value::Null);
    hub.stop();
}

#[test]
fn a_provider_is_added_with_its_secret_sealed_and_taken_away() {
    let site = Site::new();
    site.make("ann", &[]);
    let add = [
        "oauth-provider",
        "add",
        "--name",
        "Work",
        "--client-id",
        "leapmux",
        "--kind",
    ];
    site.refused(&[&add[..], &["oidc"]].concat(), 2, "--issuer");
    let add = [&add[..], &["oidc", "--issuer", "https://login.example.org"]].concat();
    let added = site.admin_with(&add, "hunter2hunter2\n");
    assert!(added.status.success(), "{}", errors(&added));
    assert!(text(&added).contains("/oauth/callback"), "{}", text(&added));
    let again = site.admin_with(&add, "hunter2hunter2\n");
    assert_eq!(again.status.code(), Some(4), "{}", errors(&again));
    let stored = fs::read(site.says(&["db", "path"]).trim()).expect("a database");
    assert!(!stored.windows(14).any(|piece| piece == b"hunter2hunter2"));
    site.says(&["oauth-provider", "disable", "Work"]);
    assert_eq!(site.json(&["oauth-provider", "list"])[0]["enabled"], false);
    site.says(&["encryption-key", "rotate"]);
    site.refused(
        &["encryption-key", "remove", "--version", "1"],
        4,
        "reencrypt",
    );
    assert_eq!(site.json(&["encryption-key", "reencrypt"])["rows"], 1);
    site.refused(&["encryption-key", "remove", "--version", "2"], 4, "active");
    site.says(&["encryption-key", "remove", "--version", "1"]);
    site.refused(
        &["encryption-key", "remove", "--version", "1"],
        3,
        "version 1",
    );
    site.says(&["oauth-provider", "remove", "Work"]);
    site.refused(&["oauth-provider", "enable", "Work"], 3, "Work");
}

#[test]
fn the_access_token_is_replaced_and_not_revoked() {
    let site = Site::new();
    let mut hub = site.hub();
    log_in(LEAPMUX, site.home(), &hub.url, &site.data());
    let sessions = site.json(&["session", "list"]);
    let token = &sessions[0];
    assert_eq!(token["kind"], "access_token");
    let id = token["session_id"].as_str().expect("an id");
    site.refused(&["session", "revoke", id], 4, "access-token");
    hub.stop();
}
