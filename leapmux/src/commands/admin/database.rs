//! `leapmux admin db`.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use hub_actors::operator::{self, Backup, Operator, Restored, Restoring, Version};
use serde_json::json;

use super::{Context, code, table};
use crate::say::say;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print where the database is: a path, or a server without its password
    Path,
    /// Bring the database to this version, and make one where there is none
    Migrate,
    /// Show how far the database has come
    Version,
    /// Write database and keys into one file, while the Hub runs or not
    Backup {
        /// The file; one that exists is left alone
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a backup in the place of database and keys; the Hub has to be stopped
    Restore {
        /// A file that `db backup` wrote
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Keep a database that is there aside
        #[arg(long)]
        force: bool,
        /// Put up with an audit log that somebody changed
        #[arg(long)]
        accept_broken_audit: bool,
        /// Let logins, tokens and codes of the backup live again, those too that were revoked since
        #[arg(long)]
        keep_sessions: bool,
    },
    /// End every login, token and code of a database that other tools restored, like pg_restore
    Restored {
        /// Everybody has to sign in again: say that this is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Path => {
            let place = operator::place(&context.config)?;
            context.show(&json!({ "path": place }), |_| {
                say!("{place}");
                Ok(())
            })
        }
        Command::Migrate => {
            let before = operator::version(&context.config).await?;
            drop(Operator::make(context.config.clone()).await?);
            let after = operator::version(&context.config).await?;
            let words = match (&before, &after.applied) {
                (Version { exists: false, .. }, _) => format!("{} was made.", after.place),
                (Version { pending, .. }, _) if pending.is_empty() => {
                    format!("{} is of this version already.", after.place)
                }
                (Version { pending, .. }, _) => {
                    format!(
                        "{}: {} migrations were applied.",
                        after.place,
                        pending.len()
                    )
                }
            };
            context.show(&after, |_| {
                say!("{words}");
                Ok(())
            })
        }
        Command::Backup { to } => {
            let backup = operator::back_up(context.config.clone(), &to).await?;
            context.show(&backup, told_of_backup)
        }
        Command::Restore {
            from,
            force,
            accept_broken_audit,
            keep_sessions,
        } => {
            let restoring = Restoring {
                force,
                accept_broken_audit,
                keep_sessions,
            };
            let restored = operator::restore(&context.config, &from, restoring)?;
            context.show(&restored, told_of_restore)
        }
        Command::Restored { yes: false } => {
            eprintln!("leapmux: everybody would have to sign in again; if so: --yes");
            Ok(ExitCode::from(code::REFUSED))
        }
        Command::Restored { yes: true } => {
            let revoked = context.open().await?.restored().await?;
            context.show(&json!({ "revoked": revoked }), |_| told_of_ended(revoked))
        }
        Command::Version => {
            let version = operator::version(&context.config).await?;
            context.show(&version, |version| {
                table::facts([
                    ("leapmux", version.leapmux.clone()),
                    ("Database", version.place.clone()),
                    ("Kind", version.storage.to_owned()),
                    ("Version", standing(version)),
                ])
            })
        }
    }
}

fn standing(version: &Version) -> String {
    let applied = version.applied.as_deref().unwrap_or("none");
    match (version.exists, version.pending.len()) {
        (false, _) => "there is none yet".to_owned(),
        (true, 0) => format!("{applied}, which is this program's"),
        (true, behind) => {
            format!("{applied}, {behind} behind: run `leapmux admin db migrate`")
        }
    }
}

fn told_of_backup(backup: &Backup) -> anyhow::Result<()> {
    say!("{}: {} bytes", backup.file.display(), backup.bytes);
    say!(
        "The head of its audit log: {}:{}",
        backup.audit_entries,
        backup.audit_head
    );
    say!(
        "It opens what is sealed and lets passwords be guessed: keep it encrypted, and elsewhere."
    );
    Ok(())
}

fn told_of_restore(restored: &Restored) -> anyhow::Result<()> {
    say!(
        "Restored to {} UTC (leapmux {}).",
        table::time(restored.made_unix_ms),
        restored.leapmux
    );
    if let Some(aside) = &restored.kept_aside {
        say!("What was there before: {}", aside.display());
    }
    if let Some(broken) = &restored.broken_audit {
        say!("Its audit log is NOT whole: {broken}. Whatever stands in it may be made up.");
    }
    told_of_ended(restored.revoked)
}

fn told_of_ended(revoked: u32) -> anyhow::Result<()> {
    let ended = table::counted(revoked, "login or token", "logins and tokens");
    say!("Ended, since they may have been revoked after the backup: {ended}.");
    say!(
        "Back are also the passwords, members, shares, admins and Workers of then: take away again \
         what was taken away since."
    );
    Ok(())
}
