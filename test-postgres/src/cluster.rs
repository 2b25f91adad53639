//! The programs of PostgreSQL on this machine, and a fresh cluster as a copy of one made before.

use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use nix::{
    fcntl::{Flock, FlockArg},
    unistd::{User, geteuid},
};

const MISSING: &str = "PostgreSQL is not installed: run `apt-get install postgresql`";

/// Where `initdb` and `postgres` are: the newest of Debian's folders, else wherever the path leads.
pub(crate) fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .map(|(version, folder)| (version, folder.join("bin")))
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    found.sort();
    if let Some((_, newest)) = found.pop() {
        return newest;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .expect(MISSING)
}

/// The account that PostgreSQL runs under where we are root: it refuses to be root.
pub(crate) fn account() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let user = User::from_name("postgres").expect("the user database can be read");
    Some(user.expect(MISSING))
}

/// `program`, run as [`account`].
pub(crate) fn command(program: &Path) -> Command {
    match account() {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={}", user.uid))
                .arg(format!("--regid={}", user.gid))
                .arg("--clear-groups")
                .arg(program);
            command
        }
    }
}

/// A folder that is [`account`]'s alone.
pub(crate) fn folder(path: &Path) {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .expect("the folder can be made");
    hand_over(path);
}

/// Makes a file or folder [`account`]'s.
pub(crate) fn hand_over(path: &Path) {
    if let Some(user) = account() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("we are root");
    }
}

/// Runs to the end.
///
/// # Panics
///
/// Where it fails, with what it said.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// Puts an empty cluster at `data`.
pub(crate) fn make(programs: &Path, data: &Path) {
    let pattern = pattern(programs);
    run(command(Path::new("cp"))
        .arg("-a")
        .arg("--reflink=auto")
        .args([&pattern, data]));
}

/// The cluster that all are copied from; who comes first makes it, the others wait.
fn pattern(programs: &Path) -> PathBuf {
    let version = run(Command::new(programs.join("postgres")).arg("--version"));
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.split_whitespace().nth(2).unwrap_or("unknown");
    let home = env::temp_dir().join(format!("test-postgres-{version}-{}", geteuid()));
    if !home.exists() {
        let made = fs::DirBuilder::new().mode(0o711).create(&home);
        assert!(
            made.is_ok() || home.exists(),
            "{} can be made",
            home.display()
        );
    }
    let lock = fs::File::create(home.join("lock")).expect("our folder can be written");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error);
    let pattern = home.join("cluster");
    if !pattern.join("PG_VERSION").exists() || !home.join("done").exists() {
        let _unfinished = fs::remove_dir_all(&pattern);
        folder(&pattern);
        run(command(&programs.join("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "--no-instructions", "-D"])
            .arg(&pattern)
            .current_dir("/"));
        fs::write(home.join("done"), "").expect("our folder can be written");
    }
    pattern
}
