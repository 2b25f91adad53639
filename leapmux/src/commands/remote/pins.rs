//! `leapmux remote worker pins list|show|remove`.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::Context;
use crate::remote::pins::{Entry, Pins};
use crate::say::say;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List all pins
    List,
    /// Show one Worker's pin, the whole key included
    Show(Which),
    /// Forget one Worker's key; the next contact pins what it shows then
    Remove(Which),
}

#[derive(Args)]
pub(super) struct Which {
    /// The Worker
    #[arg(long, value_name = "ID")]
    worker_id: String,
}

pub(super) fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    let pins = Pins::new(&context.folder);
    match command {
        Command::List => list(context, &pins)?,
        Command::Show(which) => show(context, &pins, &which.worker_id)?,
        Command::Remove(which) => remove(&pins, &which.worker_id)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context, pins: &Pins<'_>) -> anyhow::Result<()> {
    let all = pins.all()?;
    if context.json {
        say!("{}", serde_json::to_string_pretty(&all)?);
    } else if all.is_empty() {
        say!("No Worker is pinned.");
    } else {
        say!("{:<34}  {:<13}  FINGERPRINT", "WORKER", "MODE");
        for (worker, entry) in &all {
            say!("{worker:<34}  {:<13}  {}", entry.mode, entry.fingerprint);
        }
    }
    Ok(())
}

fn show(context: &Context, pins: &Pins<'_>, worker: &str) -> anyhow::Result<()> {
    let Some(entry) = pins.all()?.remove(worker) else {
        bail!("no Worker of that id is pinned")
    };
    if context.json {
        say!("{}", serde_json::to_string_pretty(&entry)?);
        return Ok(());
    }
    let Entry {
        public_key,
        mode,
        fingerprint,
        verified,
        first_seen,
        last_used,
    } = entry;
    let trust = if verified {
        "verified at registration"
    } else {
        "trusted on first use"
    };
    say!(
        "worker       {worker}\nfingerprint  {fingerprint}\nmode         {mode}\ntrust        {trust}"
    );
    say!("first seen   {first_seen} (Unix seconds)\nlast used    {last_used} (Unix seconds)");
    say!("public key   {public_key}");
    Ok(())
}

fn remove(pins: &Pins<'_>, worker: &str) -> anyhow::Result<()> {
    if !pins.remove(worker)? {
        bail!("no Worker of that id is pinned");
    }
    say!("The pin is removed; the next contact pins the key that the Worker shows then.");
    Ok(())
}
