//! `leapmux remote worker list`.

use std::process::ExitCode;

use schema::wire::{EncryptionMode, ListWorkersRequest, ListWorkersResponse, Worker};

use super::Context;
use crate::remote::channel::plain;
use crate::say::say;

pub(super) async fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let workers = all(context).await?;
    if context.json {
        say!("{}", serde_json::to_string_pretty(&workers)?);
    } else if workers.is_empty() {
        say!(
            "No Worker is registered at {}.",
            context.hub.address().key()
        );
    } else {
        say!("{:<34}  {:<8}  {:<13}  NAME", "WORKER", "STATE", "MODE");
        workers.iter().try_for_each(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(context: &Context) -> anyhow::Result<Vec<Worker>> {
    let listed: ListWorkersResponse = context
        .hub
        .call("WorkerService/ListWorkers", &ListWorkersRequest {})
        .await?;
    Ok(listed.workers)
}

fn line(worker: &Worker) -> anyhow::Result<()> {
    let state = if worker.online { "online" } else { "offline" };
    let mode = match worker.encryption_mode() {
        EncryptionMode::Unspecified => "unknown",
        EncryptionMode::Classic => "classic",
        EncryptionMode::PostQuantum => "post-quantum",
    };
    say!(
        "{:<34}  {state:<8}  {mode:<13}  {}",
        worker.worker_id,
        plain(&worker.name)
    );
    Ok(())
}
