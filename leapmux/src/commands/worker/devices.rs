//! `leapmux worker devices`.

use std::{path::PathBuf, process::ExitCode};

use crate::say::say;
use clap::{Args, Subcommand};
use schema::wire::{Device, DeviceState};
use worker_actors::devices;

#[derive(Args)]
pub(super) struct Options {
    /// The Worker's data folder; that of 'leapmux solo' is its own with /worker behind it
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List trusted and waiting devices
    List {
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
    },
    /// Trust a waiting device, named by its four words or its whole key in hexadecimal
    Approve {
        /// Four words, as the device shows them, or the key; USER:WORDS where several users show
        /// the same key
        words: String,
    },
    /// Trust a device no longer; its channels close within a second
    Remove {
        /// Four words, as the list shows them, or the key
        words: String,
    },
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let data_dir = super::found(options.data_dir)?;
    match options.command {
        Command::List { json } => list(&devices::list(&data_dir)?, json)?,
        Command::Approve { words } => {
            let device = devices::approve(&data_dir, &words)?;
            say!("{} is trusted now.", device.fingerprint);
        }
        Command::Remove { words } => {
            let device = devices::remove(&data_dir, &words)?;
            say!("{} is no longer trusted.", device.fingerprint);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(devices: &[Device], json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(devices)?);
    } else if devices.is_empty() {
        say!("No device has been here yet.");
    } else {
        say!(
            "{:<36}  {:<8}  {:<14}  USER",
            "DEVICE",
            "STATE",
            "HOW IT CAME"
        );
        devices.iter().try_for_each(line)?;
    }
    Ok(())
}

fn line(device: &Device) -> anyhow::Result<()> {
    let state = match device.state() {
        DeviceState::Trusted => "trusted",
        DeviceState::Waiting => "waiting",
        DeviceState::Unspecified => "unknown",
    };
    say!(
        "{:<36}  {state:<8}  {:<14}  {}",
        device.fingerprint,
        device.label,
        device.user_id
    );
    Ok(())
}
