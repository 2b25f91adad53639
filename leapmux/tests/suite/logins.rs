//! Logins of the command line, with the browser played; a Worker that goes, and one that is given
//! away.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Daemon, LEAPMUX, command, errors, http, log_in, registration_key, run, text};

/// A Hub with a home beside it.
struct Scene {
    home: tempfile::TempDir,
    hub: Daemon,
}

impl Scene {
    fn start(more: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let data = home.path().join("hub");
        let data = data.to_str().expect("text");
        let fixed = [
            "hub",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--data-dir",
            data,
        ];
        let hub = Daemon::start(LEAPMUX, home.path(), fixed.iter().chain(more));
        Self { home, hub }
    }

    /// `Authorization` of the operator, whom the page would have signed in.
    fn person(&self) -> String {
        let token = fs::read_to_string(self.data().join("access-token")).expect("made at start");
        format!("Authorization: Bearer {}\r\n", token.trim())
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("hub")
    }

    fn call(&self, method: &str, question: &Value) -> Value {
        let answer = http::call(&self.hub.url, method, &self.person(), question);
        answer.expect("an answer").json()
    }

    fn remote(&self, arguments: &[&str]) -> std::process::Output {
        let fixed = ["remote", "--hub", &self.hub.url];
        run(
            LEAPMUX,
            self.home.path(),
            fixed.iter().chain(arguments),
            b"",
        )
    }

    /// Begins a login; the process, and the first line that holds this.
    fn login(&self, how: &str, holds: impl Fn(&str) -> bool) -> (Child, String) {
        let mut child = command(LEAPMUX, self.home.path())
            .args(["remote", "--hub", &self.hub.url, "login", how])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut lines = said.lines().map_while(Result::ok);
        let line = lines.find(|line| holds(line)).expect("it says so");
        // The rest is read, so that nothing is in its way.
        std::thread::spawn(move || lines.count());
        (child, line.trim().to_owned())
    }

    fn credentials(&self) -> PathBuf {
        self.home
            .path()
            .join(".config/leapmux/remote/credentials.json")
    }

    fn pair(&self) -> Value {
        let kept = fs::read(self.credentials()).expect("kept");
        let kept: Value = serde_json::from_slice(&kept).expect("JSON");
        kept[&self.hub.url].clone()
    }

    /// Changes what is kept, as time would.
    fn age(&self, change: impl Fn(&mut Value)) {
        let kept = fs::read(self.credentials()).expect("kept");
        let mut kept: Value = serde_json::from_slice(&kept).expect("JSON");
        change(&mut kept[&self.hub.url]);
        fs::write(self.credentials(), kept.to_string()).expect("ours");
    }
}

fn ends(mut child: Child) {
    let output = child.wait().expect("our own child");
    assert!(output.success());
}

/// The value of a name behind the `#`, decoded.
fn named(url: &str, name: &str) -> String {
    let fragment = url.split_once('#').expect("a fragment").1;
    let mut pairs = fragment.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(key, _)| *key == name).expect(name).1;
    value
        .replace("%3A", ":")
        .replace("%2F", "/")
        .replace("%20", " ")
}

fn log_in_by_browser(scene: &Scene) {
    let (child, url) = scene.login("--browser", |line| line.contains("/authorise#"));
    let asked = json!({
        "challenge": named(&url, "challenge"),
        "redirectUri": named(&url, "redirect_uri"),
        "state": named(&url, "state"),
        "client": named(&url, "client"),
    });
    let to = scene.call("TokenService/AuthoriseCommandLine", &asked);
    let to = to["redirectTo"].as_str().expect("a place").to_owned();
    let (host, path) = to
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("a URL");
    let forged = format!("/{path}").replace("state=", "state=x");
    assert!(
        http::get(host, &forged)
            .expect("an answer")
            .text()
            .contains("nothing here")
    );
    let seen = http::get(host, &format!("/{path}")).expect("an answer");
    assert!(seen.text().contains("close this page"), "{}", seen.text());
    ends(child);
}

#[test]
fn a_browser_on_this_machine_logs_the_command_line_in_until_it_logs_out() {
    let scene = Scene::start(&[]);
    log_in_by_browser(&scene);
    let listed = scene.remote(&["worker", "list"]);
    assert!(listed.status.success(), "{}", errors(&listed));
    let tokens = scene.call("TokenService/ListApiTokens", &json!({}));
    let label = tokens["tokens"][0]["label"].as_str().expect("a label");
    assert!(label.starts_with("leapmux on "), "{label}");
    let access = scene.pair()["access_token"].clone();
    let out = scene.remote(&["logout"]);
    assert!(out.status.success(), "{}", errors(&out));
    let credential = format!(
        "Authorization: Bearer {}\r\n",
        access.as_str().expect("text")
    );
    let who = http::call(
        &scene.hub.url,
        "AccountService/WhoAmI",
        &credential,
        &json!({}),
    );
    assert!(who.expect("an answer").json().get("signedIn").is_none());
    assert!(!scene.remote(&["worker", "list"]).status.success());
}

#[test]
fn a_login_in_place_of_another_ends_that_one() {
    let scene = Scene::start(&[]);
    log_in_by_browser(&scene);
    log_in_by_browser(&scene);
    assert!(scene.remote(&["worker", "list"]).status.success());
    let tokens = scene.call("TokenService/ListApiTokens", &json!({}));
    let tokens = tokens["tokens"].as_array().expect("a list").clone();
    let ids: Vec<_> = tokens.iter().map(|one| &one["tokenId"]).collect();
    assert_eq!(ids, [&scene.pair()["token_id"]]);
    // Also where the old one has to be refreshed to be used at all.
    scene.age(|pair| pair["access_expires_unix_ms"] = json!(1));
    log_in(LEAPMUX, scene.home.path(), &scene.hub.url, &scene.data());
    let tokens = scene.call("TokenService/ListApiTokens", &json!({}));
    assert_eq!(tokens, json!({}));
}

#[test]
fn a_login_is_refreshed_before_it_expires_and_when_it_is_refused() {
    let scene = Scene::start(&[]);
    log_in_by_browser(&scene);
    let first = scene.pair();
    scene.age(|pair| pair["access_expires_unix_ms"] = json!(1));
    assert!(scene.remote(&["worker", "list"]).status.success());
    let second = scene.pair();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    scene.age(|pair| pair["access_token"] = json!("lma_not-this-one"));
    assert!(scene.remote(&["worker", "list"]).status.success());
    assert_ne!(second["access_token"], scene.pair()["access_token"]);
    // Two at once make one refresh of it, or two that both go on.
    scene.age(|pair| pair["access_expires_unix_ms"] = json!(1));
    std::thread::scope(|both| {
        for _ in 0..2 {
            both.spawn(|| {
                let listed = scene.remote(&["worker", "list"]);
                assert!(listed.status.success(), "{}", errors(&listed));
            });
        }
    });
}

#[test]
fn a_typed_code_logs_the_command_line_in() {
    let scene = Scene::start(&[]);
    let is_code = |line: &str| line.trim().len() == 9 && line.trim().find('-') == Some(4);
    let (child, code) = scene.login("--device-code", is_code);
    let decided = json!({ "userCode": code, "approve": true });
    scene.call("TokenService/DecideDeviceLogin", &decided);
    ends(child);
    let listed = scene.remote(&["worker", "list"]);
    assert!(listed.status.success(), "{}", errors(&listed));
}

/// A Worker that is registered and online; its id.
fn worker(scene: &Scene, data: &Path) -> (Daemon, String) {
    log_in(LEAPMUX, scene.home.path(), &scene.hub.url, &scene.data());
    let key = registration_key(LEAPMUX, scene.home.path(), &scene.hub.url);
    let (data, key) = (data.to_str().expect("text"), key.to_str().expect("text"));
    let arguments = [
        "worker",
        "--hub",
        &scene.hub.url,
        "--data-dir",
        data,
        "--registration-key-file",
        key,
    ];
    let mut worker = Daemon::spawn(LEAPMUX, scene.home.path(), arguments);
    loop {
        let line = worker.line();
        if let Some(id) = line.strip_prefix("Worker is online: ") {
            let id = id.to_owned();
            return (worker, id);
        }
    }
}

#[test]
fn a_worker_that_is_sent_away_says_goodbye_and_keeps_what_is_its_own() {
    let scene = Scene::start(&[]);
    let data = scene.home.path().join("worker");
    let (mut worker, id) = worker(&scene, &data);
    let gone = scene.call("WorkerService/DeregisterWorker", &json!({ "workerId": id }));
    let (code, log) = worker.finish();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("was deregistered"), "{log}");
    assert_eq!(gone["confirmed"], true);
    assert!(data.join("identity.key").exists());
    assert!(!data.join("worker.token").exists() && !data.join("hub.json").exists());
    let listed = scene.call("WorkerService/ListWorkers", &json!({}));
    assert!(listed.get("workers").is_none());
}

#[test]
fn a_worker_leaves_by_itself_and_takes_another_owner_at_its_own_word_only() {
    let scene = Scene::start(&[]);
    let data = scene.home.path().join("worker");
    let (mut daemon, _) = worker(&scene, &data);
    daemon.stop();
    let folder = data.to_str().expect("text");
    let worker = |arguments: &[&str]| {
        let fixed = ["worker"].iter().chain(arguments);
        run(
            LEAPMUX,
            scene.home.path(),
            fixed.chain(["--data-dir", folder].iter()),
            b"",
        )
    };
    let before = text(&worker(&["owner", "show"]));
    let wrong = worker(&["owner", "accept", "--user", "not an id"]);
    assert!(!wrong.status.success());
    assert_eq!(text(&worker(&["owner", "show"])), before);
    let accepted = worker(&["owner", "accept", "--user", "u_other"]);
    assert!(accepted.status.success(), "{}", errors(&accepted));
    assert_eq!(text(&worker(&["owner", "show"])).trim(), "u_other");
    let left = worker(&["deregister"]);
    assert!(left.status.success(), "{}", errors(&left));
    let listed = scene.call("WorkerService/ListWorkers", &json!({}));
    assert!(listed.get("workers").is_none());
    assert!(!worker(&["deregister"]).status.success());
}
