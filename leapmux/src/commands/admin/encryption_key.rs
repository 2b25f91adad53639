//! `leapmux admin encryption-key`.

use std::process::ExitCode;

use clap::Subcommand;
use hub_actors::PEPPER_WARNING;
use serde_json::json;

use super::{Context, code, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the versions of the key, and how many rows each has sealed
    List,
    /// Add a key, which seals from now on; the others go on opening
    Rotate,
    /// Seal everything with the active key; can be stopped and run again
    Reencrypt,
    /// Remove a key that seals nothing any more
    #[command(disable_version_flag = true)]
    Remove {
        /// As `encryption-key list` shows it
        #[arg(long, value_name = "N")]
        version: u32,
    },
    /// Make a new pepper; ends every login and token, and every Worker's registration
    RotatePepper {
        /// Say that this is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    if let Command::RotatePepper { yes: false } = command {
        eprintln!("leapmux: {PEPPER_WARNING}");
        return Ok(ExitCode::from(code::REFUSED));
    }
    let operator = context.open().await?;
    match command {
        Command::List => {
            let keys = operator.encryption_keys().await?;
            context.show(&keys, |all| {
                let rows = all.iter().map(|one| {
                    let state = if one.active { "active" } else { "opens only" };
                    [
                        one.version.to_string(),
                        state.to_owned(),
                        one.rows.to_string(),
                    ]
                });
                table::print(["VERSION", "STATE", "ROWS"], rows, "There is no key.")
            })
        }
        Command::Rotate => {
            let version = operator.rotate_encryption_key().await?;
            let words = format!(
                "Version {version} seals from now on. Back up the key file; `leapmux admin \
                 encryption-key reencrypt` seals with it what others sealed."
            );
            context.done(&json!({ "version": version }), &words)
        }
        Command::Reencrypt => {
            let sealed = operator.reencrypt().await?;
            let rows = table::counted(sealed.rows, "row", "rows");
            let words = format!("Sealed anew with version {}: {rows}.", sealed.version);
            context.done(&json!(sealed), &words)
        }
        Command::Remove { version } => {
            operator.remove_encryption_key(version).await?;
            let words = format!(
                "Version {version} was removed. Backups made before need the key file of then."
            );
            context.done(&json!({ "removed": version }), &words)
        }
        Command::RotatePepper { .. } => {
            let gone = operator.rotate_pepper().await?;
            let words = format!(
                "A new pepper. Ended: {} logins and tokens, {} Workers, {} keys, links and codes.",
                gone.credentials, gone.workers, gone.others
            );
            context.done(&json!(gone), &words)
        }
    }
}
