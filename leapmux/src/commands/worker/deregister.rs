//! `leapmux worker deregister`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use worker_actors::farewell;

use crate::{commands::serve, say::say};

#[derive(Args)]
pub(super) struct Options {
    /// The Worker's data folder
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// At the Hub it registered with.
pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let config = super::defaults(super::found(options.data_dir)?);
    serve::runtime()?.block_on(farewell::leave(&config))?;
    say!(
        "The Hub has forgotten this Worker. Its key and data are kept in {}.",
        config.data_dir.display()
    );
    Ok(ExitCode::SUCCESS)
}
