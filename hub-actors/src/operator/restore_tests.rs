//! Backups and restores of whole data folders.

use std::os::unix::fs::PermissionsExt as _;

use diesel_migrations::MigrationHarness as _;

use super::*;
use crate::{
    config::Mode,
    operator::{AuditSearch, Ending, NewUser, Operator, back_up, version},
    private_file,
    store::both::{Sandbox, block_on, on_both},
    token::SecretText,
};

/// A folder with a Hub's data folder and its backups.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn config(&self) -> HubConfig {
        HubConfig {
            mode: Mode::Hub,
            data_dir: self.folder.path().join("data"),
            ..HubConfig::default()
        }
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup.tar")
    }

    fn restore(&self, restoring: Restoring) -> Result<Restored, OperatorError> {
        restore(&self.config(), &self.backup(), restoring)
    }
}

const FORCE: Restoring = Restoring {
    force: true,
    accept_broken_audit: false,
    keep_sessions: false,
};

async fn make(operator: &Operator, username: &str) {
    let new = NewUser {
        username: username.to_owned(),
        display_name: None,
        email: None,
        admin: true,
        password: SecretText::from("correct horse".to_owned()),
    };
    operator.create_user(new).await.unwrap();
}

async fn actions(operator: &Operator) -> Vec<String> {
    let search = AuditSearch {
        limit: 10,
        ..AuditSearch::default()
    };
    let entries = operator.audit(search).await.unwrap();
    entries.into_iter().map(|entry| entry.action).collect()
}

/// What the first version left: no audit log, and the pepper alone in a file.
fn first_version(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let path = folder.join(FILE);
    let origin = sqlite_file::origin(&path).unwrap();
    let mut conn = sqlite_file::prepare(&path, origin, BUSY).unwrap();
    conn.run_next_migration(migrate::SQLITE).unwrap();
    private_file::write(&folder.join(file::OLD_PEPPER), &[7; 32]).unwrap();
}

#[test]
fn a_database_of_an_older_version_is_backed_up_and_then_migrated() {
    block_on(async {
        let site = Site::new();
        first_version(&site.config().data_dir);
        let older = Operator::open(site.config()).await;
        assert!(matches!(older, Err(OperatorError::Older)));
        let made = back_up(site.config(), &site.backup()).await.unwrap();
        assert_eq!(made.audit_entries, 0);
        assert!(!version(&site.config()).await.unwrap().pending.is_empty());
        let migrated = Operator::make(site.config()).await.unwrap();
        assert_eq!(actions(&migrated).await, ["database.migrated"]);
        drop(migrated);
        // And the backup can be used by this version too.
        site.restore(FORCE).unwrap();
        let restored = Operator::open(site.config()).await.unwrap();
        assert_eq!(actions(&restored).await, ["database.restored"]);
    });
}

#[test]
fn a_database_is_not_migrated_under_a_hub_that_runs() {
    block_on(async {
        let site = Site::new();
        first_version(&site.config().data_dir);
        let hub = take(&site.config().data_dir).unwrap();
        let refused = Operator::make(site.config()).await.err().unwrap();
        assert_eq!(refused.ending(), Ending::Refused);
        drop(hub);
        drop(Operator::make(site.config()).await.unwrap());
        let _hub = take(&site.config().data_dir).unwrap();
        // There is nothing left to be done.
        assert!(Operator::make(site.config()).await.is_ok());
    });
}

#[test]
fn a_restore_waits_for_no_operator_and_refuses() {
    block_on(async {
        let site = Site::new();
        drop(Operator::make(site.config()).await.unwrap());
        back_up(site.config(), &site.backup()).await.unwrap();
        let operator = Operator::open(site.config()).await.unwrap();
        let refused = site.restore(FORCE).unwrap_err();
        assert_eq!(refused.ending(), Ending::Refused);
        assert!(refused.to_string().contains("leapmux admin"), "{refused}");
        drop(operator);
        site.restore(FORCE).unwrap();
    });
}

#[test]
fn a_backup_is_written_down_and_is_readable_by_nobody_else() {
    block_on(async {
        let site = Site::new();
        let operator = Operator::make(site.config()).await.unwrap();
        let made = back_up(site.config(), &site.backup()).await.unwrap();
        assert_eq!(actions(&operator).await, ["database.backed_up"]);
        assert_eq!(made.audit_entries, 1, "the backup knows of itself");
        let mode = std::fs::metadata(&made.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = std::fs::read_dir(site.folder.path()).unwrap().count();
        assert_eq!(left, 2, "the data folder and the backup");
    });
}

#[test]
fn no_backup_is_made_with_the_keys_of_another_database() {
    block_on(async {
        let (site, other) = (Site::new(), Site::new());
        for site in [&site, &other] {
            drop(Operator::make(site.config()).await.unwrap());
        }
        std::fs::copy(other.config().key_file(), site.config().key_file()).unwrap();
        let refused = back_up(site.config(), &site.backup()).await.unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("not the one of this database"),
            "{refused}"
        );
        assert!(!site.backup().exists());
    });
}

#[test]
fn a_broken_audit_log_is_put_up_with_by_name_only_and_that_is_said() {
    block_on(async {
        let site = Site::new();
        let operator = Operator::make(site.config()).await.unwrap();
        make(&operator, "ann").await;
        let changed = operator.store.run(|conn| {
            let Connection::Sqlite(conn) = conn else {
                panic!("it is a file")
            };
            conn.batch_execute(
                "DROP TRIGGER audit_log_kept; UPDATE audit_log SET actor_id = 'x' WHERE seq = 1",
            )?;
            Ok(())
        });
        changed.await.unwrap();
        drop(operator);
        back_up(site.config(), &site.backup()).await.unwrap();
        let refused = site.restore(FORCE).unwrap_err().to_string();
        assert!(refused.contains("--accept-broken-audit"), "{refused}");
        let accepted = Restoring {
            accept_broken_audit: true,
            ..FORCE
        };
        let restored = site.restore(accepted).unwrap();
        assert_eq!(restored.broken_audit.unwrap(), "entry 1 was changed");
        let operator = Operator::open(site.config()).await.unwrap();
        let newest = operator.audit(AuditSearch {
            limit: 1,
            ..AuditSearch::default()
        });
        assert_eq!(newest.await.unwrap()[0].detail, "broken_audit");
    });
}

on_both! {
    a_database_of_another_day_lets_nobody_in,
}

/// An access token that was replaced since, a login that was traded for it, and another login.
async fn a_database_of_another_day_lets_nobody_in(sandbox: &Sandbox) {
    use schema::ids::{CredentialId, UserId};

    use crate::{
        start,
        store::credentials::{self, Kind, NewCredential},
    };
    let admin = start::ensure_admin(&sandbox.store).await.unwrap();
    let user: UserId = admin.id.clone();
    let id = |text| CredentialId::parse(text).unwrap();
    let done = sandbox.store.write(move |conn| {
        let token = id("c_token");
        for (id, kind, parent) in [
            (token.clone(), Kind::AccessToken, None),
            (id("c_traded"), Kind::Login, Some(&token)),
            (id("c_login"), Kind::Login, None),
            (id("c_solo"), Kind::Solo, None),
        ] {
            let new = NewCredential {
                id: &id,
                user: &user,
                kind,
                parent,
                hash: None,
                expires_ms: None,
            };
            credentials::insert(conn, &new, 5)?;
        }
        let mut notes = Notes::default();
        let ended = rewind::end(conn, &mut notes, 7)?;
        let revoked: Vec<String> = notes
            .revoked
            .iter()
            .map(|(topic, _)| topic.to_string())
            .collect();
        let token = credentials::find_sole(conn, Kind::AccessToken)?;
        let solo = credentials::find_sole(conn, Kind::Solo)?;
        Ok(Ok::<_, ()>((
            ended,
            revoked,
            token.is_some(),
            solo.is_some(),
        )))
    });
    let (ended, revoked, token, solo) = done.await.unwrap().unwrap();
    assert_eq!(ended, 2);
    assert_eq!(revoked, ["c_login", "c_traded", "c_token"]);
    assert!(!token && solo);
}
