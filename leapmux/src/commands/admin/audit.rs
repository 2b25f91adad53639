//! `leapmux admin audit`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hub_actors::operator::{AuditEntry, AuditSearch, KnownHead, Verified};

use super::{Context, code, table};
use crate::say::say;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show what was done, the newest first
    List(Search),
    /// Walk the whole chain, and print the head to keep elsewhere
    Verify {
        /// A head that was printed before: it has to be in the chain
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<KnownHead>,
    },
    /// Print everything, the oldest first, one JSON object a line
    Export {
        /// Only what comes behind this number
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: i64,
    },
}

#[derive(Args)]
pub(super) struct Search {
    /// Only actions that begin with this, like user. or worker.registered
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what this one did: an id, or the operating system's name of an operator
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only what was done to this one
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Only what was done in this organisation
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
    /// Only entries with a lower number
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(search) => list(context, search).await,
        Command::Verify { head } => {
            let verified = context.open().await?.verify_audit(head).await?;
            let code = if verified.intact { 0 } else { code::FOUND };
            context.show(&verified, verdict)?;
            Ok(ExitCode::from(code))
        }
        Command::Export { after } => export(context, after).await,
    }
}

async fn list(context: &Context, search: Search) -> anyhow::Result<ExitCode> {
    let search = AuditSearch {
        action: search.action,
        actor: search.actor,
        object: search.object,
        organisation: search.organisation,
        before: search.before,
        limit: search.limit,
    };
    let entries = context.open().await?.audit(search).await?;
    context.show(&entries, |all| {
        let head = [
            "SEQ",
            "TIME (UTC)",
            "ACTOR",
            "ADDRESS",
            "ACTION",
            "OBJECT",
            "DETAIL",
        ];
        let rows = all.iter().map(|one| {
            [
                one.seq.to_string(),
                table::time(one.at_unix_ms),
                actor(one),
                one.address.clone(),
                one.action.clone(),
                one.object_id.clone(),
                one.detail.clone(),
            ]
        });
        table::print(head, rows, "There is no such entry.")
    })
}

fn actor(entry: &AuditEntry) -> String {
    if entry.actor_id.starts_with("u_") || entry.actor_id.starts_with("w_") {
        entry.actor_id.clone()
    } else {
        format!("{} {}", entry.actor_kind, entry.actor_id)
            .trim_end()
            .to_owned()
    }
}

fn verdict(verified: &Verified) -> anyhow::Result<()> {
    match &verified.problem {
        None => {
            say!(
                "The chain of {} entries is whole. Keep this head elsewhere:",
                verified.entries
            );
            say!("{}:{}", verified.entries, verified.head);
        }
        Some(problem) => {
            say!("The chain is broken: {problem}.");
            say!("Whole up to {}:{}", verified.entries, verified.head);
        }
    }
    Ok(())
}

async fn export(context: &Context, after: i64) -> anyhow::Result<ExitCode> {
    let operator = context.open().await?;
    let mut after = after;
    loop {
        let page = operator.audit_after(after).await?;
        let Some(last) = page.last() else {
            return Ok(ExitCode::SUCCESS);
        };
        after = last.seq;
        for entry in &page {
            say!("{}", serde_json::to_string(entry)?);
        }
    }
}
