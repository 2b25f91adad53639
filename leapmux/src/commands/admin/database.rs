//! `leapmux admin db`.

use std::process::ExitCode;

use clap::Subcommand;
use hub_actors::operator::{self, Operator, Version};
use serde_json::json;

use super::{Context, table};
use crate::say::say;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print where the database is: a path, or a server without its password
    Path,
    /// Bring the database to this version, and make one where there is none
    Migrate,
    /// Show how far the database has come
    Version,
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
