//! Bad starts: never a panic, always one line that says what to do, and a code that is not 0.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use crate::support::{Daemon, LEAPMUX, Solo, errors, run};

/// Asserts that it failed with one line of ours that has all of `words`.
fn assert_refused(home: &Path, arguments: &[&str], words: &[&str]) {
    let mut daemon = Daemon::spawn(LEAPMUX, home, arguments);
    let (code, log) = daemon.finish();
    assert_eq!(code, Some(1), "{arguments:?}: {log}");
    assert!(!log.contains("panicked"), "{log}");
    let ours: Vec<&str> = log
        .lines()
        .filter(|line| line.starts_with("leapmux: "))
        .collect();
    assert_eq!(ours.len(), 1, "{log}");
    for word in words {
        assert!(ours[0].contains(word), "{word:?} is not in {:?}", ours[0]);
    }
}

fn solo_arguments(data: &Path) -> Vec<String> {
    let data = data.to_str().expect("text");
    [
        "solo",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "",
        "--data-dir",
        data,
    ]
    .map(Into::into)
    .into()
}

fn assert_solo_refused(solo: &mut Solo, words: &[&str]) {
    let arguments = solo_arguments(&solo.data());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_refused(solo.home(), &arguments, words);
}

#[test]
fn a_taken_port_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("bound").to_string();
    let arguments = ["solo", "--listen", &listen, "--admin-listen", ""];
    assert_refused(home.path(), &arguments, &[&listen, "choose another"]);
}

#[test]
fn who_is_let_in_is_what_the_command_says() {
    let home = tempfile::tempdir().expect("a folder");
    for (command, other) in [("hub", "solo"), ("solo", "hub")] {
        let file = home.path().join("config.yaml");
        let text = match command {
            "hub" => format!("mode: {other}\n"),
            _ => format!("hub:\n  mode: {other}\n"),
        };
        fs::write(&file, text).expect("ours");
        let file = file.to_str().expect("text");
        let arguments = [
            command,
            "--config",
            file,
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "",
        ];
        assert_refused(
            home.path(),
            &arguments,
            &[&format!("leapmux {other}"), "remove it"],
        );
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let mut solo = Solo::start(&[]);
    solo.daemon.stop();
    let key = solo.data().join("worker/identity.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_solo_refused(&mut solo, &["identity.key", "chmod 600"]);
}

#[test]
fn a_damaged_key_file_is_refused_and_left_alone() {
    let mut solo = Solo::start(&[]);
    solo.daemon.stop();
    let key = solo.data().join("worker/identity.key");
    let mut bytes = fs::read(&key).expect("a key");
    bytes.truncate(bytes.len() - 1);
    fs::write(&key, &bytes).expect("ours");
    assert_solo_refused(&mut solo, &["identity.key"]);
    assert_eq!(fs::read(&key).expect("a key"), bytes);
}

#[test]
fn a_database_that_is_none_is_refused_and_left_alone() {
    let mut solo = Solo::start(&[]);
    solo.daemon.stop();
    let database = database(&solo.data().join("hub"));
    let garbage = b"this is not a database, however long one looks at it".repeat(100);
    for entry in fs::read_dir(solo.data().join("hub"))
        .expect("a folder")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with("-wal") || name.ends_with("-shm") {
            fs::remove_file(entry.path()).expect("ours");
        }
    }
    fs::write(&database, &garbage).expect("ours");
    assert_solo_refused(&mut solo, &["database"]);
    assert_eq!(fs::read(&database).expect("there"), garbage);
}

fn database(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path());
    let is_database = |path: &std::path::PathBuf| {
        fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    };
    files.into_iter().find(is_database).expect("a database")
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    fs::write(&file, "").expect("ours");
    let data = file.join("data");
    let data = data.to_str().expect("text");
    let arguments = [
        "solo",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "",
        "--data-dir",
        data,
    ];
    assert_refused(home.path(), &arguments, &["file"]);
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let home = tempfile::tempdir().expect("a folder");
    let output = run(LEAPMUX, home.path(), ["solo", "--lisen", "x"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("--listen"), "{}", errors(&output));
}

#[test]
fn an_unknown_key_is_refused_by_name_in_file_and_environment() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("leapmux.yaml");
    fs::write(&file, "lisen: here\n").expect("ours");
    let file = file.to_str().expect("text");
    assert_refused(home.path(), &["hub", "--config", file], &["lisen"]);
    let mut command = crate::support::command(LEAPMUX, home.path());
    command.arg("hub").env("LEAPMUX_HUB_QUOTAS__CHANELS", "1");
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("chanels"), "{}", errors(&output));
}

#[test]
fn a_level_that_is_none_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    assert_refused(
        home.path(),
        &["hub", "--log-level", "hub=loud"],
        &["--log-level"],
    );
    assert_refused(
        home.path(),
        &["hub", "--log-level", "bananas"],
        &["--log-level"],
    );
}

#[test]
fn remote_without_a_hub_says_where_it_looked() {
    let home = tempfile::tempdir().expect("a folder");
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound");
    let hub = format!("http://{free}");
    let output = run(
        LEAPMUX,
        home.path(),
        ["remote", "--hub", &hub, "worker", "list"],
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert!(
        said.contains(&hub) && said.contains("--hub") && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn a_worker_that_belongs_to_no_hub_says_how_to_register() {
    let home = tempfile::tempdir().expect("a folder");
    let arguments = ["worker", "--hub", "http://127.0.0.1:1"];
    assert_refused(home.path(), &arguments, &["--registration-key"]);
}

#[test]
fn a_registration_key_that_is_none_is_refused_without_repeating_it() {
    let home = tempfile::tempdir().expect("a folder");
    let key = home.path().join("key");
    fs::write(&key, "not-a-registration-key").expect("ours");
    let key = key.to_str().expect("text");
    let arguments = [
        "worker",
        "--hub",
        "http://127.0.0.1:1",
        "--registration-key-file",
        key,
    ];
    let mut daemon = Daemon::spawn(LEAPMUX, home.path(), arguments);
    let (code, log) = daemon.finish();
    assert_eq!(code, Some(1), "{log}");
    assert!(!log.contains("not-a-registration-key"), "{log}");
}

#[test]
fn printing_the_configuration_starts_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let output = run(
        LEAPMUX,
        home.path(),
        ["solo", "--print-config", "--listen", "127.0.0.1:9"],
        b"",
    );
    assert!(output.status.success(), "{}", errors(&output));
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed["hub"]["listen"], "127.0.0.1:9");
    assert!(!home.path().join(".local").exists(), "something was made");
}

#[test]
fn a_service_without_a_home_needs_only_its_data_folder() {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join("data");
    for arguments in [["hub", "--print-config"], ["worker", "--print-config"]] {
        let mut command = crate::support::command(LEAPMUX, home.path());
        command.env_remove("HOME").args(arguments);
        let refused = command.output().expect("it starts");
        assert!(
            errors(&refused).contains("--data-dir"),
            "{}",
            errors(&refused)
        );
        let output = command
            .arg("--data-dir")
            .arg(&data)
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{}", errors(&output));
    }
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let home = tempfile::tempdir().expect("a folder");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full disk");
    let mut command = crate::support::command(LEAPMUX, home.path());
    command.args(["solo", "--print-config"]).stdout(full);
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(
        errors(&output).contains("standard output"),
        "{}",
        errors(&output)
    );
}
