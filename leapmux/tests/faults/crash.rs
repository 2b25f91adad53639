//! Processes that are killed without a word.

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_types::BigInt,
};

use crate::{
    gauge::{now, seconds, since, until},
    rig::{HubRig, Launch, WorkerRig},
    support::{LEAPMUX, Person, errors, http, registration_key, text},
};

#[test]
fn a_killed_hub_comes_back_with_everything_it_acknowledged() {
    let mut hub = HubRig::start("127.0.0.1", Launch::default());
    let _worker = WorkerRig::start(&hub, Launch::default());
    let signed_in = hub.sign_in().expect("it answers");
    let cookie = cookie(&signed_in);
    let key = registration_key(LEAPMUX, hub.home(), hub.url());
    let mut running = hub.running();
    let killed = now();
    hub.daemon.kill();
    hub.restart();
    since(killed, "Hub killed: ready again", seconds(5), || {
        http::get(&hub.daemon.admin, "/readyz").is_ok_and(|answer| answer.status == 200)
    });
    since(
        killed,
        "Hub killed: Worker online again",
        seconds(10),
        || hub.is_online() == Some(true),
    );
    running.lives_on(killed, "Hub killed", seconds(15));
    let me = http::call(
        hub.url(),
        "AccountService/WhoAmI",
        &cookie,
        &serde_json::json!({}),
    );
    assert_eq!(
        me.expect("it answers").json()["signedIn"],
        true,
        "the login is lost"
    );
    let mut other = crate::support::command(LEAPMUX, hub.home());
    other
        .args(["worker", "--hub", hub.url(), "--registration-key-file"])
        .arg(key);
    other.arg("--data-dir").arg(hub.home().join("other"));
    let mut other = crate::support::Daemon::launch(other);
    assert!(
        other.line().starts_with("Registered: "),
        "the registration key is lost"
    );
}

/// The header's line that shows a login.
pub(crate) fn cookie(signed_in: &http::Answer) -> String {
    let set = signed_in.head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie")
            .then(|| value.split(';').next())?
    });
    format!(
        "Cookie: {}\r\n",
        set.unwrap_or_else(|| panic!("{}", signed_in.head))
    )
}

#[test]
fn a_killed_worker_comes_back_with_its_terminals_last_screens() {
    let hub = HubRig::start("127.0.0.1", Launch::default());
    let mut worker = WorkerRig::start(&hub, Launch::default());
    let mut person = Person::sit_down_at(LEAPMUX, hub.home(), hub.url(), &[]);
    person.types("echo $((1200+34))mark\r");
    person.sees("1234mark");
    until("last screen: stored", seconds(5), || {
        kept(&worker, "1234mark")
    });
    let killed = now();
    worker.daemon.kill();
    since(
        killed,
        "Worker killed: detected by the Hub",
        seconds(1),
        || hub.is_online() == Some(false),
    );
    let restarted = now();
    worker.restart();
    since(
        restarted,
        "Worker killed: online after its restart",
        seconds(5),
        || hub.is_online() == Some(true),
    );
    // The person's own client comes back by itself, and says what it shows.
    person.sees("last screen");
    assert_eq!(person.leaves(), 255);
    let listed = terminals(&hub);
    assert_eq!(listed[0]["state"], "TERMINAL_STATE_LOST", "{listed}");
    let id = listed[0]["terminalId"].as_str().expect("an id");
    let mut person = Person::sit_down_at(LEAPMUX, hub.home(), hub.url(), &["attach", id]);
    person.sees("1234mark");
    assert_eq!(person.leaves(), 255);
}

fn terminals(hub: &HubRig) -> serde_json::Value {
    let mut list = hub.remote();
    let listed = list
        .args(["--json", "terminal", "list"])
        .output()
        .expect("the binary starts");
    serde_json::from_str(&text(&listed)).unwrap_or_else(|_| panic!("{}", errors(&listed)))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Whether the Worker has stored a screen that shows this.
fn kept(worker: &WorkerRig, what: &str) -> bool {
    let database = worker.data().join("worker.db");
    let mut conn = SqliteConnection::establish(&database.to_string_lossy()).expect("a database");
    let asked = "SELECT count(*) AS count FROM terminals WHERE instr(screen, CAST(? AS BLOB)) > 0";
    let found = diesel::sql_query(asked)
        .bind::<diesel::sql_types::Text, _>(what)
        .get_result::<Count>(&mut conn);
    found.is_ok_and(|found| found.count == 1)
}
