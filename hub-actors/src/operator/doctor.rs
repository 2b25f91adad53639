//! What may be wrong around a Hub, and what to do about it. Nothing is changed, and a thing that cannot
//! be looked at is a finding, no error.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{
    QueryableByName, RunQueryDsl as _,
    sql_types::{BigInt, Text},
};
use nix::sys::resource::{Resource, getrlimit};
use serde::Serialize;

use super::{
    Operator, OperatorError, audit,
    backup::{KEY_FILES, key_path},
    database, name_for_sudo, name_of,
    owner::other_owner,
};
use crate::{
    clock,
    config::HubConfig,
    error::Fault,
    folder::is_in_use,
    forwarded::Proxies,
    mail::Mailer,
    origin, private_file,
    store::{Connection, audit::head, open::FILE},
};

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// It works, and will be in somebody's way.
    Warning,
    /// It does not work, or is not safe.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: a fixed word.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub seen: String,
    /// What to do, where something is.
    pub fix: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Nothing is a problem; there may be warnings.
    pub healthy: bool,
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Finding {
    fn good(check: &'static str, seen: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Good,
            seen: seen.into(),
            fix: None,
        }
    }

    fn warning(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Warning,
            seen: seen.into(),
            fix: Some(fix.into()),
        }
    }

    fn problem(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Problem,
            seen: seen.into(),
            fix: Some(fix.into()),
        }
    }
}

/// Looks at everything.
pub async fn examine(config: &HubConfig) -> Examination {
    let mut findings = vec![folder(&config.data_dir)];
    // Whatever is in somebody else's folder is theirs, and theirs to look at.
    if other_owner(&config.data_dir).is_none() {
        findings.extend(files(config));
        findings.extend([space(&config.data_dir), hub(&config.data_dir)]);
        findings.extend(stored(config).await);
    }
    findings.extend([
        open_files(),
        memory(config),
        public_url(config),
        proxies(config),
        mail(config).await,
    ]);
    Examination {
        healthy: findings.iter().all(|one| one.state != State::Problem),
        findings,
    }
}

fn folder(path: &Path) -> Finding {
    const CHECK: &str = "data folder";
    let shown = path.display();
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) => {
            let fix = "start the Hub once, or name another --data-dir";
            return Finding::problem(CHECK, format!("{shown}: {error}"), fix);
        }
    };
    let me = nix::unistd::geteuid().as_raw();
    if let Some(owner) = other_owner(path) {
        let (owner, me) = (name_for_sudo(owner), name_of(me));
        let seen = format!("the Hub in {shown} belongs to {owner}, and this runs as {me}");
        let fix = format!("sudo -u {owner} leapmux admin doctor");
        return Finding::problem(CHECK, seen, fix);
    }
    // The root of a cluster's volume is not ours to change, and its group is ours alone.
    let exposed = if about.uid() == me { 0o077 } else { 0o007 };
    if about.mode() & exposed != 0 {
        let seen = format!(
            "{shown} has mode {:04o}: others may look into it",
            about.mode() & 0o7777
        );
        return Finding::warning(CHECK, seen, format!("chmod 700 {shown}"));
    }
    Finding::good(CHECK, format!("{shown}, ours alone"))
}

/// Whatever is a secret, or opens one.
fn files(config: &HubConfig) -> Vec<Finding> {
    let names = [FILE, "hub.db-wal", "hub.db-shm", "access-token"];
    let names = names.map(|name| config.data_dir.join(name));
    let paths = names
        .into_iter()
        .chain(KEY_FILES.map(|name| key_path(config, name)));
    let there: Vec<PathBuf> = paths.filter(|path| path.exists()).collect();
    let wrong: Vec<Finding> = there.iter().filter_map(|path| file(path)).collect();
    if !wrong.is_empty() {
        return wrong;
    }
    vec![Finding::good(
        "files",
        format!("{} files, ours alone", there.len()),
    )]
}

fn file(path: &Path) -> Option<Finding> {
    let seen = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let checked = File::open(path).map_err(private_file::PrivateFileError::from);
    let wrong = checked.and_then(|file| private_file::check(&file)).err()?;
    let fix = match wrong {
        private_file::PrivateFileError::Exposed => format!("chmod 600 {}", path.display()),
        private_file::PrivateFileError::Foreign => {
            let me = name_of(nix::unistd::geteuid().as_raw());
            format!("chown {me} {}", path.display())
        }
        private_file::PrivateFileError::Io(_) | private_file::PrivateFileError::TooLarge => {
            "look at the file and its folder".to_owned()
        }
    };
    Some(Finding::problem("files", seen(&wrong), fix))
}

const MIB: u64 = 1024 * 1024;

fn space(path: &Path) -> Finding {
    const CHECK: &str = "disk space";
    let Ok(found) = nix::sys::statvfs::statvfs(path) else {
        return Finding::problem(CHECK, "it cannot be asked for", "look at the data folder");
    };
    let free = found.blocks_available() * found.fragment_size() / MIB;
    let seen = format!("{free} MiB free");
    match free {
        0..16 => Finding::problem(
            CHECK,
            seen,
            "make room: the Hub is about to stop taking changes",
        ),
        16..1024 => Finding::warning(CHECK, seen, "make room before it runs out"),
        _ => Finding::good(CHECK, seen),
    }
}

fn hub(path: &Path) -> Finding {
    const CHECK: &str = "hub";
    match is_in_use(path) {
        Ok(false) => Finding::good(CHECK, "no Hub runs in this folder"),
        Ok(true) => Finding::good(CHECK, "a Hub runs in this folder"),
        Err(error) => Finding::problem(
            CHECK,
            error.to_string(),
            "make the folder readable for this user",
        ),
    }
}

/// What the database says, and what only it can tell about.
async fn stored(config: &HubConfig) -> Vec<Finding> {
    const CHECK: &str = "database";
    let version = match database::version(config).await {
        Ok(version) => version,
        Err(error) => return vec![unusable(CHECK, &error)],
    };
    if !version.exists {
        let fix = "start the Hub once, or run `leapmux admin db migrate`";
        return vec![Finding::problem(
            CHECK,
            format!("{}: there is none", version.place),
            fix,
        )];
    }
    if !version.pending.is_empty() {
        let seen = format!(
            "{}: {} migrations behind",
            version.place,
            version.pending.len()
        );
        let fix = "run `leapmux admin db backup`, then restart the Hub with this version or run `leapmux \
             admin db migrate`";
        return vec![Finding::problem(CHECK, seen, fix)];
    }
    let operator = match Operator::open(config.clone()).await {
        Ok(operator) => operator,
        Err(error) => return vec![unusable(CHECK, &error)],
    };
    let database = operator.ask(|conn| Ok(sound(conn)));
    let database = match database.await {
        Ok(Ok(())) => Finding::good(CHECK, format!("{}, sound, of this version", version.place)),
        Ok(Err(why)) => Finding::problem(
            CHECK,
            format!("{}: {why}", version.place),
            "restore a backup",
        ),
        Err(error) => unusable(CHECK, &error),
    };
    vec![
        database,
        keys(&operator).await,
        chain(&operator).await,
        time(&operator).await,
    ]
}

fn unusable(check: &'static str, error: &OperatorError) -> Finding {
    Finding::problem(
        check,
        error.to_string(),
        "do what it says, and run this again",
    )
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Every page and index of a file; a server looks after its own.
fn sound(conn: &mut Connection) -> Result<(), String> {
    let Connection::Sqlite(conn) = conn else {
        return Ok(());
    };
    let said = diesel::sql_query("PRAGMA integrity_check(1)").load::<Said>(conn);
    match said.as_deref() {
        Ok([one]) if one.integrity_check == "ok" => Ok(()),
        Ok([one, ..]) => Err(one.integrity_check.clone()),
        Ok([]) | Err(_) => Err("it cannot be checked".to_owned()),
    }
}

async fn keys(operator: &Operator) -> Finding {
    const CHECK: &str = "keys";
    let path = operator.config.key_file();
    if !path.exists() {
        let seen = format!("{}: it is missing", path.display());
        let fix = "restore it from the backup that belongs to the database";
        return Finding::problem(CHECK, seen, fix);
    }
    match operator.keyring().await {
        Ok(_) => Finding::good(CHECK, "there, and those of this database"),
        Err(error) => unusable(CHECK, &error),
    }
}

async fn chain(operator: &Operator) -> Finding {
    const CHECK: &str = "audit log";
    match audit::verify(&operator.store, None, || true).await {
        Ok(Ok(verified)) => match verified.problem {
            None => {
                let seen = format!("whole; its head is {}:{}", verified.entries, verified.head);
                Finding::good(CHECK, seen)
            }
            Some(why) => {
                let fix = "somebody changed the database by hand: compare it with a backup";
                Finding::problem(CHECK, why, fix)
            }
        },
        Ok(Err(_)) => Finding::good(CHECK, "not looked at to its end"),
        Err(fault) => unusable(CHECK, &fault.into()),
    }
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = BigInt)]
    now_ms: i64,
}

/// 2025-01-01 and 2100-01-01: outside of it no clock of a running Hub can be.
const SANE_MS: std::ops::Range<i64> = 1_735_689_600_000..4_102_444_800_000;
/// More than this, and times of several Hubs cannot be compared.
const SKEW_MS: i64 = 2_000;

async fn time(operator: &Operator) -> Finding {
    const CHECK: &str = "clock";
    const FIX: &str = "set the clock and keep it set, like with chrony or systemd-timesyncd";
    let now_ms = clock::unix_ms();
    if !SANE_MS.contains(&now_ms) {
        return Finding::problem(CHECK, "it shows a year that cannot be", FIX);
    }
    let asked = operator.ask(|conn| Ok((there(conn)?, newest(conn)?)));
    let (there, newest) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return unusable(CHECK, &error),
    };
    if newest > now_ms + SKEW_MS {
        let seen = format!(
            "{} s behind the newest entry of the audit log: it was set back",
            (newest - now_ms) / 1_000
        );
        return Finding::problem(CHECK, seen, FIX);
    }
    let skew = there.map_or(0, |there| (there - clock::unix_ms()).abs());
    if skew > SKEW_MS {
        let seen = format!("the database's server is {} s away", skew / 1_000);
        return Finding::problem(CHECK, seen, FIX);
    }
    Finding::good(CHECK, "it shows a time that can be")
}

/// What the server's clock shows, where the database is one.
fn there(conn: &mut Connection) -> Result<Option<i64>, Fault> {
    let Connection::Postgres(conn) = conn else {
        return Ok(None);
    };
    let now = diesel::sql_query(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms",
    );
    Ok(Some(now.get_result::<Now>(conn)?.now_ms))
}

fn newest(conn: &mut Connection) -> Result<i64, Fault> {
    let seq = head(conn)?.seq;
    let newest = crate::store::audit::read_after(conn, &Default::default(), seq - 1, 1)?;
    Ok(newest.first().map_or(0, |entry| entry.at_ms))
}

/// One for each browser's two sockets, each Worker, and the database.
const FILES: u64 = 4_096;

fn open_files() -> Finding {
    const CHECK: &str = "open files";
    let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Finding::warning(
            CHECK,
            "the limit cannot be asked for",
            "look at `ulimit -n`",
        );
    };
    let seen = format!("{soft} for this shell; the Hub's service may have another limit");
    if soft < FILES {
        let fix = "for more than a few hundred people: LimitNOFILE=65536 in the service, or `ulimit -n 65536`";
        return Finding::warning(CHECK, seen, fix);
    }
    Finding::good(CHECK, seen)
}

/// What the Hub needs beside its relay.
const BESIDE_MIB: u64 = 256;

fn memory(config: &HubConfig) -> Finding {
    const CHECK: &str = "memory";
    let relay = config.relay.waiting_bytes as u64 / MIB;
    let Some(limit) = memory_limit() else {
        return Finding::good(CHECK, "its limit cannot be seen here");
    };
    let seen = format!("{limit} MiB, of which the relay may hold {relay}");
    if limit < relay + BESIDE_MIB {
        let fix = "lower relay.waiting_bytes, or give the machine or container more memory";
        return Finding::warning(CHECK, seen, fix);
    }
    Finding::good(CHECK, seen)
}

/// The container's limit, where there is one, else what the machine has, in MiB.
fn memory_limit() -> Option<u64> {
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse::<u64>().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    let machine = machine.map(|kib| kib * 1024);
    container
        .into_iter()
        .chain(machine)
        .min()
        .map(|bytes| bytes / MIB)
}

fn public_url(config: &HubConfig) -> Finding {
    const CHECK: &str = "public_url";
    let url = config.public_url.as_str();
    if origin::public_url(url).is_none() {
        let fix = "https://HOST, as people type it, without a path";
        return Finding::problem(CHECK, format!("{url:?} is no URL of a Hub"), fix);
    }
    let is_local = is_local(&config.listen);
    match (url.is_empty(), url.starts_with("https://"), is_local) {
        (_, true, _) => Finding::good(CHECK, url),
        (true, _, true) => Finding::good(CHECK, "none: for this machine alone"),
        (true, _, false) => Finding::warning(
            CHECK,
            format!("none, and it listens on {}", config.listen),
            "set public_url to the https URL of the proxy in front",
        ),
        (false, false, _) => Finding::warning(
            CHECK,
            format!("{url}: logins and cookies travel without TLS"),
            "put a proxy with TLS in front, and set public_url to its https URL",
        ),
    }
}

fn proxies(config: &HubConfig) -> Finding {
    const CHECK: &str = "proxies";
    match Proxies::parse(&config.trusted_proxies) {
        Err(error) => Finding::problem(
            CHECK,
            error.to_string(),
            "correct trusted_proxies: the Hub does not start with it",
        ),
        Ok(_) if config.trusted_proxies.is_empty() && config.public_url.starts_with("https://") => {
            Finding::warning(
                CHECK,
                "public_url is https, so a proxy stands in front, and none is trusted: everybody has \
                 the proxy's address in limits, logins and the audit log, and one can lock out all",
                "set trusted_proxies to the proxy's address, and have it send X-Forwarded-For",
            )
        }
        Ok(_) if config.trusted_proxies.is_empty() => Finding::good(CHECK, "none is trusted"),
        Ok(_) => Finding::good(CHECK, config.trusted_proxies.join(", ")),
    }
}

/// For a connection to the mail server.
const DIAL: Duration = Duration::from_secs(5);

async fn mail(config: &HubConfig) -> Finding {
    const CHECK: &str = "mail";
    let (host, port) = (config.mail.host.as_str(), config.mail.port());
    match Mailer::could_start(&config.mail, &config.public_url) {
        Err(error) => {
            return Finding::problem(CHECK, error.to_string(), "change the settings of mail");
        }
        Ok(false) => {
            return Finding::good(
                CHECK,
                "none: nobody can confirm an address or ask for a new password",
            );
        }
        Ok(true) => {}
    }
    let dialled = tokio::time::timeout(DIAL, tokio::net::TcpStream::connect((host, port))).await;
    let why = match dialled {
        Ok(Ok(_)) => return Finding::good(CHECK, format!("{host}:{port} takes connections")),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    let fix = "look at mail.host, mail.port and the firewall between";
    Finding::problem(CHECK, format!("{host}:{port}: {why}"), fix)
}

/// Whether nobody on the network reaches it.
fn is_local(listen: &str) -> bool {
    listen.starts_with("unix:")
        || listen
            .parse::<std::net::SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_without_a_trusted_proxy_is_warned_of() {
        let examined = |url: &str, words: &[&str]| {
            proxies(&HubConfig {
                public_url: url.to_owned(),
                trusted_proxies: words.iter().map(|&word| word.to_owned()).collect(),
                ..HubConfig::default()
            })
            .state
        };
        let url = "https://hub.example.org";
        assert_eq!(examined(url, &[]), State::Warning);
        assert_eq!(examined(url, &["10.0.0.0/8"]), State::Good);
        assert_eq!(examined("", &[]), State::Good);
        assert_eq!(examined(url, &["proxy.example.org"]), State::Problem);
    }
}
