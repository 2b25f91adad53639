//! `leapmux remote`: the same channel as the page's, from a shell.

use std::fs;

use crate::support::{Solo, errors, text};

#[test]
fn output_and_exit_code_are_carried_through() {
    let solo = Solo::start(&[]);
    let script = "printf out; printf err >&2; exit 3";
    let output = solo.remote(&["exec", "--", "sh", "-c", script], b"");
    assert_eq!(text(&output), "out", "{}", errors(&output));
    assert_eq!(errors(&output), "err");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn standard_input_reaches_the_command_to_its_end() {
    let solo = Solo::start(&[]);
    let input: Vec<u8> = (0..3_000_000u32)
        .flat_map(|n| n.to_le_bytes())
        .take(3_000_000)
        .collect();
    let output = solo.remote(&["exec", "--", "cat"], &input);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(
        output.stdout == input,
        "{} of {} bytes",
        output.stdout.len(),
        input.len()
    );
}

#[test]
fn the_command_gets_its_folder_and_variables() {
    let solo = Solo::start(&[]);
    let arguments = [
        "exec",
        "--working-directory",
        "/",
        "--env",
        "GREETING=hello there",
        "--",
    ];
    let command = ["sh", "-c", "pwd; echo $GREETING"];
    let output = solo.remote(&[&arguments[..], &command].concat(), b"");
    assert_eq!(text(&output), "/\nhello there\n", "{}", errors(&output));
}

#[test]
fn a_command_that_is_not_there_is_an_error_of_ours() {
    let solo = Solo::start(&[]);
    let output = solo.remote(&["exec", "--", "no-such-command-here"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(
        errors(&output).starts_with("leapmux: "),
        "{}",
        errors(&output)
    );
}

#[test]
fn json_holds_every_byte_and_the_code() {
    let solo = Solo::start(&[]);
    let output = solo.remote(
        &[
            "--json",
            "exec",
            "--",
            "sh",
            "-c",
            "printf 'a\\377'; exit 4",
        ],
        b"",
    );
    let lines: Vec<serde_json::Value> = text(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.last(), Some(&serde_json::json!({ "exit_code": 4 })));
    assert_eq!(
        lines.first(),
        Some(&serde_json::json!({ "stdout_base64": "Yf8=" }))
    );
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_changed_key_stops_the_command_and_names_the_remedy() {
    let mut solo = Solo::start(&[]);
    assert!(solo.remote(&["exec", "--", "true"], b"").status.success());
    fs::remove_file(solo.data().join("worker/identity.key")).expect("the key was there");
    solo.restart(&[]);
    let output = solo.remote(&["exec", "--", "true"], b"");
    assert_eq!(output.status.code(), Some(255));
    let said = errors(&output);
    let remedy = said
        .split("leapmux remote worker pins remove --worker-id=")
        .nth(1);
    let worker = remedy
        .and_then(|rest| rest.split(['\'', ' ', '\n']).next())
        .expect(&said);
    let removed = solo.remote(
        &["worker", "pins", "remove", &format!("--worker-id={worker}")],
        b"",
    );
    assert!(removed.status.success(), "{}", errors(&removed));
    assert!(solo.remote(&["exec", "--", "true"], b"").status.success());
}

#[test]
fn a_weaker_mode_stops_the_command() {
    let mut solo = Solo::start(&[]);
    assert!(solo.remote(&["exec", "--", "true"], b"").status.success());
    solo.restart(&["--encryption-mode", "classic"]);
    let output = solo.remote(&["exec", "--", "true"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(errors(&output).contains("classic"), "{}", errors(&output));
}

#[test]
fn classic_mode_works_from_the_first_contact_on() {
    let solo = Solo::start(&["--encryption-mode", "classic"]);
    let output = solo.remote(&["exec", "--", "echo", "hello"], b"");
    assert_eq!(text(&output), "hello\n", "{}", errors(&output));
    let pins = text(&solo.remote(&["worker", "pins", "list"], b""));
    assert!(pins.contains("classic"), "{pins}");
}

#[test]
fn a_damaged_pin_file_trusts_nothing() {
    let solo = Solo::start(&[]);
    assert!(solo.remote(&["exec", "--", "true"], b"").status.success());
    let pins = solo.home().join(".config/leapmux/remote/pins.json");
    fs::write(&pins, "{").expect("ours");
    let output = solo.remote(&["exec", "--", "true"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(errors(&output).contains("pins.json"), "{}", errors(&output));
}

#[test]
fn an_unknown_worker_is_not_found() {
    let solo = Solo::start(&[]);
    let output = solo.remote(&["exec", "--worker-id", "w_nobody", "--", "true"], b"");
    assert_eq!(output.status.code(), Some(255));
    assert!(
        errors(&output).contains("worker list"),
        "{}",
        errors(&output)
    );
}

#[test]
fn output_that_nobody_reads_ends_the_command_quietly() {
    let solo = Solo::start(&[]);
    let mut child = crate::support::command(crate::support::LEAPMUX, solo.home())
        .args(["remote", "--hub", &solo.daemon.url, "exec", "--", "yes"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut first = [0; 2];
    let mut output = child.stdout.take().expect("piped");
    std::io::Read::read_exact(&mut output, &mut first).expect("it says something");
    drop(output);
    let ended = child.wait_with_output().expect("our own child");
    assert_eq!(ended.status.code(), Some(141), "{}", errors(&ended));
    assert_eq!(errors(&ended), "");
}
