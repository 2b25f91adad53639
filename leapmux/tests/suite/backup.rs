//! Backups, and what comes back with them.

use std::{fs, path::Path};

use crate::{
    site::{Site, is_in, sign_in},
    support::errors,
};

#[test]
fn a_backup_brings_back_what_was_and_no_login_with_it() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    let mut hub = site.hub();
    let cookie = sign_in(&hub, "ann", "correct horse").expect("in");
    let file = site.home().join("backup.tar");
    let file = file.to_str().expect("text");
    let backup = site.json(&["db", "backup", "--to", file]);
    site.refused(&["db", "backup", "--to", file], 4, "exists");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(file).expect("made"));
    assert_eq!(mode & 0o777, 0o600);
    let head = format!(
        "{}:{}",
        backup["audit_entries"],
        backup["audit_head"].as_str().expect("hex")
    );
    site.says(&["audit", "verify", "--head", &head]);
    site.says(&["encryption-key", "rotate"]);
    site.make("mallory", &[]);
    site.says(&["user", "delete", "ann", "--force"]);
    site.refused(
        &["db", "restore", "--from", file, "--force"],
        4,
        "another Hub runs",
    );
    hub.stop();
    site.refused(&["db", "restore", "--from", file], 4, "--force");
    let restored = site.json(&["db", "restore", "--from", file, "--force"]);
    assert_eq!(restored["revoked"], 1);
    let aside = restored["kept_aside"].as_str().expect("a folder");
    assert!(Path::new(aside).join("hub.db").exists());
    let mut hub = site.hub();
    assert!(!is_in(&hub, &cookie));
    assert!(sign_in(&hub, "ann", "correct horse").is_some());
    site.refused(&["user", "get", "mallory"], 3, "mallory");
    assert_eq!(
        site.json(&["encryption-key", "list"])
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    site.says(&["audit", "verify", "--head", &head]);
    let audit = site.says(&["audit", "list"]);
    assert!(audit.contains("database.restored"), "{audit}");
    assert!(
        site.admin(&["doctor"]).status.success(),
        "{}",
        site.says(&["doctor"])
    );
    hub.stop();
}

#[test]
fn what_other_tools_restored_lets_nobody_in_either() {
    let site = Site::new();
    site.make("ann", &["--admin"]);
    let mut hub = site.hub();
    let cookie = sign_in(&hub, "ann", "correct horse").expect("in");
    site.refused(&["db", "restored"], 4, "--yes");
    assert!(is_in(&hub, &cookie));
    assert_eq!(site.json(&["db", "restored", "--yes"])["revoked"], 1);
    assert!(!is_in(&hub, &cookie));
    // The data folder's access token is good again after the next start.
    assert_eq!(site.json(&["session", "list"]), serde_json::json!([]));
    hub.stop();
    let mut hub = site.hub();
    assert_eq!(site.json(&["session", "list"])[0]["kind"], "access_token");
    hub.stop();
}

#[test]
fn a_backup_that_was_cut_or_changed_touches_nothing() {
    let site = Site::new();
    site.make("ann", &[]);
    let whole = site.home().join("whole.tar");
    site.says(&["db", "backup", "--to", whole.to_str().expect("text")]);
    let bytes = fs::read(&whole).expect("ours");
    let damaged = site.home().join("damaged.tar");
    let path = damaged.to_str().expect("text");
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (what, content) in [
        ("cut", &bytes[..middle]),
        ("empty", &[]),
        ("changed", &flipped),
        ("no archive", b"leapmux"),
    ] {
        fs::write(&damaged, content).expect("ours");
        let refused = site.admin(&["db", "restore", "--from", path, "--force"]);
        assert_eq!(
            refused.status.code(),
            Some(1),
            "{what}: {}",
            errors(&refused)
        );
        let said = errors(&refused);
        assert!(said.contains("not a whole backup"), "{what}: {said}");
    }
    site.says(&["user", "get", "ann"]);
    let left = fs::read_dir(site.data()).expect("a folder").flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().contains("restore"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_backup_starts_a_hub_on_another_machine() {
    let (here, there) = (Site::new(), Site::new());
    here.make("ann", &["--admin"]);
    let file = here.home().join("backup.tar");
    let file = file.to_str().expect("text");
    here.says(&["db", "backup", "--to", file]);
    there.says(&["db", "restore", "--from", file]);
    let mut hub = there.hub();
    assert!(sign_in(&hub, "ann", "correct horse").is_some());
    hub.stop();
}
