//! A swap that is ended after each of its steps.

use diesel::{QueryableByName, RunQueryDsl as _, sql_types::Text};

use super::*;
use crate::operator::backup::Listed;

/// A data folder, and what shall take its place.
struct Scene {
    data: tempfile::TempDir,
    staging: tempfile::TempDir,
}

impl Scene {
    fn config(&self) -> HubConfig {
        HubConfig {
            data_dir: self.data.path().to_owned(),
            ..HubConfig::default()
        }
    }

    /// A Hub that was killed: the newest change is in the journal alone.
    fn new() -> Self {
        let scene = Self {
            data: tempfile::tempdir().unwrap(),
            staging: tempfile::tempdir().unwrap(),
        };
        let running = tempfile::tempdir().unwrap();
        let mut conn = open(&running.path().join(FILE));
        conn.batch_execute(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
             CREATE TABLE said (word TEXT NOT NULL); INSERT INTO said VALUES ('old'); \
             PRAGMA wal_checkpoint(TRUNCATE); UPDATE said SET word = 'newest'",
        )
        .unwrap();
        for name in [FILE, "hub.db-wal"] {
            fs::copy(running.path().join(name), scene.data.path().join(name)).unwrap();
        }
        drop(conn);
        fs::write(scene.data.path().join("encryption.key"), "old key").unwrap();
        scene.stage();
        scene
    }

    fn stage(&self) {
        let path = self.staging.path().join(FILE);
        let _gone = fs::remove_file(&path);
        open(&path)
            .batch_execute(
                "CREATE TABLE said (word TEXT NOT NULL); INSERT INTO said VALUES ('restored')",
            )
            .unwrap();
        fs::write(self.staging.path().join("encryption.key"), "new key").unwrap();
    }

    fn swap(&self, crash: Option<Step>) -> Result<Option<PathBuf>, BackupError> {
        let mut go_on = |step| match Some(step) == crash {
            true => Err(io::Error::other("crash")),
            false => Ok(()),
        };
        swap_by(&self.config(), self.staging.path(), &manifest(), &mut go_on)
    }

    fn key(&self) -> String {
        fs::read_to_string(self.data.path().join("encryption.key")).unwrap()
    }
}

fn manifest() -> Manifest {
    let listed = |name: &str| Listed {
        name: name.to_owned(),
        bytes: 0,
        blake2b_256: String::new(),
    };
    Manifest {
        format: String::new(),
        format_version: 1,
        leapmux: String::new(),
        made_unix_ms: 0,
        audit_seq: 0,
        audit_head: String::new(),
        files: vec![listed(FILE), listed("encryption.key")],
    }
}

fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(&path.to_string_lossy()).unwrap()
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    word: String,
}

fn word(folder: &Path) -> String {
    let said = diesel::sql_query("SELECT word FROM said");
    let said = said.get_result::<Said>(&mut open(&folder.join(FILE)));
    said.unwrap().word
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_the_next_try_succeeds() {
    use Step::{Cleared, Kept, Keyed, Renamed, Settled};
    for (crash, found, key) in [
        (Settled, "newest", "old key"),
        (Kept, "newest", "old key"),
        (Keyed, "newest", "new key"),
        (Cleared, "newest", "new key"),
        (Renamed, "restored", "new key"),
    ] {
        let scene = Scene::new();
        let aside = match scene.swap(Some(crash)) {
            Err(BackupError::Unfinished { aside, .. }) => Some(aside),
            Err(_) => None,
            Ok(_) => panic!("{crash:?} did not end it"),
        };
        assert_eq!(aside.is_none(), crash == Settled);
        assert_eq!(word(scene.data.path()), found, "{crash:?}");
        assert_eq!(scene.key(), key, "{crash:?}");
        scene.stage();
        scene.swap(None).unwrap();
        assert_eq!(word(scene.data.path()), "restored", "{crash:?}");
        assert_eq!(scene.key(), "new key", "{crash:?}");
        if let Some(aside) = aside {
            assert_eq!(word(&aside), "newest", "{crash:?}");
            let key = fs::read_to_string(aside.join("encryption.key")).unwrap();
            assert_eq!(key, "old key", "{crash:?}");
        }
    }
}

#[test]
fn what_is_kept_aside_needs_no_journal_and_none_is_left_for_the_new_one() {
    let scene = Scene::new();
    let aside = scene.swap(None).unwrap().unwrap();
    let names = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&aside), ["encryption.key", "hub.db"]);
    assert_eq!(names(scene.data.path())[1..], ["encryption.key", "hub.db"]);
    assert_eq!(word(&aside), "newest");
}

#[test]
fn what_is_no_database_is_kept_as_it_is() {
    let scene = Scene::new();
    fs::write(scene.data.path().join(FILE), "damaged beyond words").unwrap();
    let aside = scene.swap(None).unwrap().unwrap();
    let kept = fs::read_to_string(aside.join(FILE)).unwrap();
    assert_eq!(kept, "damaged beyond words");
    assert!(aside.join("hub.db-wal").exists());
    assert_eq!(word(scene.data.path()), "restored");
}

#[test]
fn a_signal_waits_until_the_swap_is_over() {
    let set_has = || SigSet::thread_get_mask().unwrap().contains(Signal::SIGTERM);
    let held = Held::signals();
    assert!(set_has());
    drop(held);
    assert!(!set_has());
}
