//! `leapmux remote terminal`, in a real terminal.

use std::fs;

use crate::support::{Person, Solo, text};

#[test]
fn it_has_our_size_and_ends_with_the_shells_code() {
    let solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("stty size; echo $((6*7))end\r");
    person.sees("30 100");
    person.sees("42end");
    person.types("exit 7\r");
    assert_eq!(person.leaves(), 7);
}

#[test]
fn one_can_leave_and_come_back_to_the_same_screen() {
    let solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    person.types("~.");
    person.sees("detached");
    assert_eq!(person.leaves(), 0);

    let listed = text(&solo.remote(&["--json", "terminal", "list"], b""));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed[0]["state"], "TERMINAL_STATE_RUNNING", "{listed}");
    let id = listed[0]["terminalId"].as_str().expect("an id");

    let mut person = Person::sit_down(&solo, &["attach", &id[..8]]);
    person.sees("1234mark");
    person.types("exit\r");
    assert_eq!(person.leaves(), 0);
}

#[test]
fn what_is_typed_in_one_go_with_the_escape_arrives() {
    let solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    person.types("echo $((20+3))last\r~.");
    person.sees("detached");
    assert_eq!(person.leaves(), 0);
    for round in 0..8 {
        let mut person = Person::sit_down(&solo, &["attach", &only(&solo)]);
        person.sees(&format!("{}last", 23 + round));
        person.types(&format!("echo $(({round}+24))last\r~."));
        person.sees("detached");
        assert_eq!(person.leaves(), 0);
    }
}

/// The id of the only terminal.
fn only(solo: &Solo) -> String {
    let listed = text(&solo.remote(&["--json", "terminal", "list"], b""));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    listed[0]["terminalId"].as_str().expect("an id").to_owned()
}

#[test]
fn who_finds_another_key_than_before_is_told_and_does_not_go_on_trying() {
    let mut solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    another_key_is_pinned(&solo);
    solo.restart(&[]);
    person.sees("has changed since the last connection");
    assert_eq!(person.leaves(), 255);
}

/// As if the Worker had had another key when it was first met.
fn another_key_is_pinned(solo: &Solo) {
    let path = solo.home().join(".config/leapmux/remote/pins.json");
    let mut pins: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("pins")).expect("JSON");
    let pin = pins.as_object_mut().expect("pins").values_mut().next();
    let key = &mut pin.expect("a pin")["public_key"];
    let first = if key.as_str().expect("a key").starts_with('0') {
        "1"
    } else {
        "0"
    };
    let other = format!("{first}{}", &key.as_str().expect("a key")[1..]);
    *key = other.into();
    fs::write(&path, pins.to_string()).expect("ours");
}

#[test]
fn it_comes_back_after_the_hub_was_away() {
    let mut solo = Solo::start(&[]);
    let mut person = Person::sit_down(&solo, &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    solo.restart(&[]);
    person.sees("connection lost");
    // In solo the Worker restarted with its Hub: the last screen is all that is left.
    person.sees("last screen");
    assert_eq!(person.leaves(), 255);
}

#[test]
fn without_a_terminal_it_names_exec() {
    let solo = Solo::start(&[]);
    let output = solo.remote(&["terminal"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(crate::support::errors(&output).contains("remote exec"));
    let left = text(&solo.remote(&["--json", "terminal", "list"], b""));
    assert_eq!(left.trim(), "[]", "a shell was left behind");
}
