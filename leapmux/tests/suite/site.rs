//! A Hub's data folder with its operator, for tests of `leapmux admin`.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use crate::support::{Daemon, LEAPMUX, errors, http, run, text};

/// A folder, and what stands in it.
pub(crate) struct Site {
    home: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self { home }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    pub(crate) fn hub(&self) -> Daemon {
        let data = self.data();
        let data = data.to_str().expect("text");
        let arguments = [
            "hub",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "",
            "--data-dir",
            data,
        ];
        Daemon::start(LEAPMUX, self.home(), arguments)
    }

    /// `leapmux admin ARGUMENTS`, with a line on standard input.
    pub(crate) fn admin_with(&self, arguments: &[&str], input: &str) -> Output {
        let data = self.data();
        let fixed = ["admin", "--data-dir", data.to_str().expect("text")];
        run(
            LEAPMUX,
            self.home(),
            fixed.iter().chain(arguments),
            input.as_bytes(),
        )
    }

    pub(crate) fn admin(&self, arguments: &[&str]) -> Output {
        self.admin_with(arguments, "")
    }

    /// What it prints when it succeeds.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output = self.admin(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            errors(&output)
        );
        text(&output)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.says(&[&["--json"], arguments].concat());
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("no JSON: {said}"))
    }

    pub(crate) fn refused(&self, arguments: &[&str], code: i32, word: &str) {
        let output = self.admin(arguments);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{word:?} is not in {said}");
    }

    pub(crate) fn make(&self, name: &str, flags: &[&str]) {
        let arguments = [&["user", "create", "--username", name], flags].concat();
        let made = self.admin_with(&arguments, "correct horse\n");
        assert!(made.status.success(), "{}", errors(&made));
    }
}

/// The cookie of somebody who signs in.
pub(crate) fn sign_in(hub: &Daemon, name: &str, password: &str) -> Option<String> {
    let question = serde_json::json!({ "username": name, "password": password });
    let answer = http::call(&hub.url, "AccountService/SignIn", "", &question).expect("an answer");
    let cookie = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.split(';').next()?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| value.trim().to_owned())
    });
    cookie.filter(|_| answer.status == 200)
}

/// Whether a cookie still lets anybody in.
pub(crate) fn is_in(hub: &Daemon, cookie: &str) -> bool {
    let header = format!("Cookie: {cookie}\r\n");
    let me = http::call(
        &hub.url,
        "AccountService/WhoAmI",
        &header,
        &serde_json::json!({}),
    );
    me.expect("an answer").json()["signedIn"] == true
}
