//! `leapmux admin worker reg-key`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{Context, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the keys that are good yet
    List,
    /// Take a key back before somebody uses it
    Revoke {
        /// As `reg-key list` shows it: names the key, opens nothing
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Remove the rows of keys that are over
    PurgeExpired,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    let operator = context.open().await?;
    match command {
        Command::List => {
            let keys = operator.registration_keys().await?;
            context.show(&keys, |all| {
                let rows = all.iter().map(|one| {
                    [
                        one.key_id.clone(),
                        one.username.clone(),
                        one.worker_name.clone(),
                        table::time(one.expires_unix_ms),
                    ]
                });
                let none = "There is no unused registration key.";
                table::print(["KEY", "USER", "WORKER'S NAME", "EXPIRES"], rows, none)
            })
        }
        Command::Revoke { key } => {
            operator.revoke_registration_key(&key).await?;
            context.done(
                &json!({ "revoked": key }),
                &format!("{key} was taken back."),
            )
        }
        Command::PurgeExpired => {
            let purged = operator.purge_registration_keys().await?;
            let words = format!("Removed: {}.", table::counted(purged as u64, "row", "rows"));
            context.done(&json!({ "purged": purged }), &words)
        }
    }
}
