//! A disk without room, and a database that somebody else holds.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _, sql_types::Text,
};
use serde_json::json;

use crate::{
    gauge::{now, seconds, since, until},
    rig::{HubRig, Launch, WorkerRig},
    support::http,
};

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[test]
fn a_full_disk_stops_writes_and_nothing_else() {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join("hub");
    fs::create_dir(&data).expect("ours");
    // A mount of the Hub's own, which goes with its process.
    let script = "mount -t tmpfs -o size=8m,mode=0700 tmpfs \"$1\" && shift && exec \"$@\"";
    let prefix = [
        "unshare",
        "-m",
        "sh",
        "-c",
        script,
        "sh",
        data.to_str().expect("text"),
    ];
    let launch = Launch {
        prefix: prefix.map(Into::into).into(),
        ..Launch::default()
    };
    let hub = HubRig::start_in(home, "127.0.0.1", launch);
    let _worker = WorkerRig::start(&hub, Launch::default());
    let mut running = hub.running();
    assert_eq!(hub.sign_in().expect("it answers").status, 200);

    let filling = hub.data().join("filling");
    fill(&filling);
    until("full disk: said by readyz", seconds(2), || !ready(&hub).0);
    let (_, said) = ready(&hub);
    assert!(said.contains("[-] disk"), "{said}");
    until("full disk: a write fails", seconds(10), || {
        let refused = hub.sign_in().expect("it answers");
        assert!([200, 503].contains(&refused.status), "{}", refused.text());
        refused.status == 503 && refused.json()["code"] == "unavailable"
    });
    running.round_trip();
    assert_eq!(hub.is_online(), Some(true), "reading stopped too");
    assert!(hub.short().status.success(), "no channel can be opened");

    let room = now();
    fs::remove_file(&filling).expect("ours");
    since(room, "full disk: ready again", seconds(2), || ready(&hub).0);
    since(room, "full disk: writes again", seconds(2), || {
        hub.sign_in().is_some_and(|answer| answer.status == 200)
    });
    running.round_trip();
    let mut conn = database(&hub);
    let found = diesel::sql_query("PRAGMA integrity_check").load::<Finding>(&mut conn);
    assert_eq!(found.expect("readable")[0].integrity_check, "ok");
}

fn fill(file: &Path) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .expect("ours");
    for size in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

fn ready(hub: &HubRig) -> (bool, String) {
    let answer = http::get(&hub.daemon.admin, "/readyz").expect("it answers");
    (answer.status == 200, answer.text())
}

fn database(hub: &HubRig) -> SqliteConnection {
    let path = hub.data().join("hub.db");
    SqliteConnection::establish(path.to_str().expect("text")).expect("a database")
}

#[test]
fn a_locked_database_stops_writes_and_nothing_else() {
    let hub = HubRig::start("127.0.0.1", Launch::default());
    let _worker = WorkerRig::start(&hub, Launch::default());
    let mut running = hub.running();
    let mut other = database(&hub);
    other
        .batch_execute("BEGIN IMMEDIATE")
        .expect("nobody else holds it");
    let locked = now();
    let worst = std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let refused = hub.sign_in().expect("it answers");
            assert_eq!(refused.status, 503, "{}", refused.text());
            assert_eq!(refused.json()["code"], "unavailable");
            since(
                locked,
                "locked database: a write is refused",
                seconds(8),
                || true,
            );
        });
        let mut worst = running.round_trip();
        while locked.elapsed() < seconds(10) || !writes.is_finished() {
            worst = worst.max(running.round_trip());
            assert_eq!(hub.is_online(), Some(true), "reading stopped too");
        }
        assert!(hub.short().status.success(), "no channel can be opened");
        writes.join().expect("it does not panic");
        worst
    });
    crate::gauge::report(
        "locked database: worst round trip of a running command",
        worst,
        seconds(1),
    );
    let free = now();
    other.batch_execute("ROLLBACK").expect("ours");
    since(free, "locked database: writes again", seconds(2), || {
        hub.sign_in().is_some_and(|answer| answer.status == 200)
    });
    let me = hub
        .call("AccountService/WhoAmI", &json!({}))
        .expect("it answers");
    assert_eq!(me.json()["signedIn"], true);
}
