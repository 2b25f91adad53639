//! `leapmux admin worker`.

use std::process::ExitCode;

use clap::Subcommand;
use hub_actors::operator::WorkerAccount;
use serde_json::json;

use super::{Context, registration_key, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List all Workers; whether one is online only the running Hub knows
    List,
    /// Show one Worker
    Get {
        /// As `worker list` shows it
        #[arg(value_name = "WORKER")]
        worker: String,
    },
    /// Take a Worker's registration away; every channel to it closes at once
    Deregister {
        /// As `worker list` shows it
        #[arg(value_name = "WORKER")]
        worker: String,
    },
    /// Look after registration keys that nobody has used yet
    #[command(subcommand)]
    RegKey(registration_key::Command),
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List => {
            let workers = context.open().await?.workers().await?;
            context.show(&workers, |all| list(all))
        }
        Command::Get { worker } => {
            let worker = context.open().await?.worker(&worker).await?;
            context.show(&worker, get)
        }
        Command::Deregister { worker } => {
            context.open().await?.deregister_worker(&worker).await?;
            context.done(
                &json!({ "deregistered": worker }),
                &format!("{worker} is deregistered; its owner can register it again."),
            )
        }
        Command::RegKey(command) => registration_key::run(context, command).await,
    }
}

fn state(worker: &WorkerAccount) -> String {
    match worker {
        WorkerAccount {
            deregistering: true,
            ..
        } => "deregistered",
        WorkerAccount { bundled: true, .. } => "bundled",
        _ => "registered",
    }
    .to_owned()
}

fn list(all: &[WorkerAccount]) -> anyhow::Result<()> {
    let head = [
        "WORKER",
        "NAME",
        "OWNER",
        "ORGANISATION",
        "STATE",
        "VERSION",
        "LAST SEEN",
    ];
    let rows = all.iter().map(|one| {
        [
            one.worker_id.clone(),
            one.name.clone(),
            one.owner.clone(),
            one.organisation.clone(),
            state(one),
            one.version.clone(),
            table::time(one.last_seen_unix_ms),
        ]
    });
    table::print(head, rows, "No Worker is registered.")
}

fn get(worker: &WorkerAccount) -> anyhow::Result<()> {
    table::facts([
        ("Worker", worker.worker_id.clone()),
        ("Name", worker.name.clone()),
        (
            "Owner",
            format!("{} ({})", worker.owner, worker.owner_user_id),
        ),
        (
            "Organisation",
            format!("{} ({})", worker.organisation, worker.organisation_id),
        ),
        ("State", state(worker)),
        ("Encryption", worker.encryption_mode.label().to_owned()),
        ("Version", worker.version.clone()),
        ("Registered", table::time(worker.registered_unix_ms)),
        ("Last seen", table::time(worker.last_seen_unix_ms)),
    ])
}
