//! A program in a tab that uses `leapmux remote`, without a login of its own.

#![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{LEAPMUX, Solo, errors, http, text};

fn open(solo: &Solo, script: &str) -> Value {
    let script = format!("R=\"{LEAPMUX} remote\"; cd \"$HOME\"; {script}");
    let opening = [
        "--json",
        "terminal",
        "open",
        "--delegate",
        "--",
        "/bin/sh",
        "-c",
        &script,
    ];
    let opened = solo.remote(&opening, b"");
    assert!(opened.status.success(), "{}", errors(&opened));
    serde_json::from_str(&text(&opened)).expect("JSON")
}

/// What a file holds, once it is there. Whole: it is moved to its place.
fn left(home: &Path, name: &str) -> String {
    let begun = Instant::now();
    loop {
        if let Ok(content) = fs::read_to_string(home.join(name)) {
            return content;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no {name}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn delegations(solo: &Solo) -> Vec<Value> {
    let listed = http::call(
        &solo.daemon.url,
        "TokenService/ListDelegations",
        "",
        &json!({}),
    );
    let listed = listed.expect("an answer").json();
    listed["delegations"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

#[test]
fn a_program_in_a_tab_lists_and_opens_terminals_of_its_workspace_and_no_more() {
    let solo = Solo::start(&[]);
    let tab = open(
        &solo,
        "$R --json terminal list > list 2>&1; \
         $R terminal open --title inner -- sleep 1000 > opened 2>&1; \
         $R exec -- true > exec 2>&1; \
         $R terminal list --workspace-id other > other 2>&1; \
         $R --delegated worker list > workers 2>&1; \
         env -u LEAPMUX_DELEGATION $R --delegated terminal list > outside 2>&1; \
         touch done; sleep 1000",
    );
    left(solo.home(), "done");
    let read = |name: &str| left(solo.home(), name);
    let listed: Value =
        serde_json::from_str(&read("list")).unwrap_or_else(|_| panic!("{}", read("list")));
    assert_eq!(listed[0]["terminalId"], tab["terminalId"]);
    assert_eq!(listed[0]["workspaceId"], tab["workspaceId"]);
    let inner = read("opened");
    let all = text(&solo.remote(&["--json", "terminal", "list"], b""));
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all[1]["terminalId"], inner.trim());
    assert_eq!(all[1]["title"], "inner");
    assert_eq!(all[1]["workspaceId"], tab["workspaceId"]);
    assert!(read("exec").contains("terminal open"), "{}", read("exec"));
    assert!(
        read("other").contains("only the workspace"),
        "{}",
        read("other")
    );
    assert!(
        read("workers").contains("want a login"),
        "{}",
        read("workers")
    );
    assert!(
        read("outside").contains("is not set"),
        "{}",
        read("outside")
    );
    // All of them were one bearer's.
    let delegations = delegations(&solo);
    assert_eq!(delegations.len(), 1, "{delegations:?}");
    assert_eq!(delegations[0]["tabId"], tab["terminalId"]);
    assert_eq!(delegations[0]["workspaceId"], tab["workspaceId"]);
    // No key was kept, and no login.
    let kept: Vec<PathBuf> = fs::read_dir(solo.home().join(".config/leapmux/remote"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(!kept.iter().any(|path| path.ends_with("credentials.json")));
}

fn looking_at(solo: &Solo, terminal: &str) -> u64 {
    let all = text(&solo.remote(&["--json", "terminal", "list"], b""));
    let all: Vec<Value> = serde_json::from_str(&all).expect("JSON");
    let found = all.iter().find(|one| one["terminalId"] == terminal);
    found.expect("it is there")["attached"]
        .as_u64()
        .unwrap_or_default()
}

#[test]
fn a_delegation_that_is_revoked_ends_what_runs_by_it() {
    let solo = Solo::start(&[]);
    let shown = open(&solo, "echo there; exec sleep 1000");
    let shown = shown["terminalId"].as_str().expect("an id");
    let tab = open(
        &solo,
        &format!(
            "$R terminal attach {shown} 2> why; echo $? > code.new; mv code.new code; \
             $R terminal list > list.new 2>&1; mv list.new list; sleep 1000"
        ),
    );
    let begun = Instant::now();
    while looking_at(&solo, shown) != 1 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        thread::sleep(Duration::from_millis(20));
    }
    let its = || {
        let mut given = delegations(&solo);
        given.retain(|one| one["tabId"] == tab["terminalId"]);
        given
    };
    let id = json!({ "credentialId": its()[0]["credentialId"] });
    let revoked = Instant::now();
    let done = http::call(&solo.daemon.url, "TokenService/RevokeDelegation", "", &id);
    assert_eq!(done.expect("an answer").status, 200);
    assert_eq!(left(solo.home(), "code").trim(), "255");
    println!("left {:?} after it was revoked", revoked.elapsed());
    // Nobody makes another behind the person's back.
    assert!(!left(solo.home(), "list").contains(shown));
    assert_eq!(its(), Vec::<Value>::new());
}
