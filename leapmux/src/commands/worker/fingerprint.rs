//! `leapmux worker fingerprint`.

use std::{path::PathBuf, process::ExitCode};

use crate::say::say;
use clap::Args;
use worker_actors::identity;

#[derive(Args)]
pub(super) struct Options {
    /// The Worker's data folder; that of 'leapmux solo' is its own with /worker behind it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Reads the key, and never makes one.
pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let data_dir = super::found(options.data_dir)?;
    let identity = identity::load_or_create(&data_dir)?;
    say!("{}", crypto::fingerprint(identity.public().as_bytes()));
    Ok(ExitCode::SUCCESS)
}
