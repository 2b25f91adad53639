//! `leapmux worker owner`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use schema::ids::UserId;
use worker_actors::{farewell, registration};

use crate::say::say;

#[derive(Args)]
pub(super) struct Options {
    /// The Worker's data folder
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show whom this Worker takes for its owner
    Show,
    /// Take another user for its owner, as the Worker's log names him after a transfer
    Accept {
        /// The user's id at the Hub
        #[arg(long, value_name = "ID")]
        user: String,
    },
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let data_dir = super::found(options.data_dir)?;
    match options.command {
        Command::Show => {
            let Some(kept) = registration::stored(&data_dir)? else {
                bail!("this Worker belongs to no Hub");
            };
            say!("{}", kept.owner.as_str());
        }
        Command::Accept { user } => {
            let user = UserId::parse(&user).ok();
            let user = user.context("--user takes the id of a user, like u_0123")?;
            farewell::accept_owner(&data_dir, user)?;
            say!(
                "Accepted. Start the Worker again, and approve the new owner's first device with \
                 'leapmux worker devices approve'."
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
