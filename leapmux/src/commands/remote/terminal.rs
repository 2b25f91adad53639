//! `leapmux remote terminal`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use channel_actors::client::Channel;
use clap::{Args, Subcommand};
use schema::wire::{
    TerminalClose, TerminalClosed, TerminalList, TerminalListRequest, TerminalOpen, TerminalState,
    TerminalSummary,
};

use super::Context;
use crate::remote::{
    channel::{self, plain},
    screen, tty,
};
use crate::say::say;

#[derive(Args)]
pub(super) struct Options {
    /// The Worker; needed only when there are several
    #[arg(long, value_name = "ID", global = true)]
    worker_id: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// List the Worker's terminals
    List,
    /// Come back to a terminal; its id as the list shows it, or the beginning of one
    Attach {
        /// The terminal
        id: String,
    },
    /// End a terminal and everything that runs in it
    Close {
        /// The terminal
        id: String,
    },
}

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(context: &Context, options: Options) -> anyhow::Result<ExitCode> {
    if matches!(options.command, None | Some(Command::Attach { .. })) {
        tty::check()?;
    }
    let worker = options.worker_id.as_deref();
    let open = channel::open(&context.hub, &context.folder, worker).await?;
    match options.command {
        None => {
            let size = tty::size();
            let asked = TerminalOpen {
                columns: size.columns,
                rows: size.rows,
                ..TerminalOpen::default()
            };
            let made: TerminalSummary = call(&open.channel, "terminal.open", &asked).await?;
            screen::show(&context.hub, &context.folder, open, &made.terminal_id).await
        }
        Some(Command::Attach { id }) => {
            let found = find(&open.channel, &id).await?;
            screen::show(&context.hub, &context.folder, open, &found.terminal_id).await
        }
        Some(Command::List) => {
            list(context, &all(&open.channel).await?)?;
            open.close().await;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Close { id }) => {
            let found = find(&open.channel, &id).await?;
            let asked = TerminalClose {
                terminal_id: found.terminal_id,
            };
            let _: TerminalClosed = call(&open.channel, "terminal.close", &asked).await?;
            open.close().await;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn call<A: prost::Message + Default>(
    channel: &Channel,
    method: &str,
    asked: &impl prost::Message,
) -> anyhow::Result<A> {
    let payload = asked.encode_to_vec().into();
    let answer = channel
        .call(method, payload, None, PATIENCE)
        .await
        .map_err(channel::worker_said)?;
    A::decode(answer).with_context(|| format!("the Worker's answer to {method} cannot be read"))
}

async fn all(channel: &Channel) -> anyhow::Result<Vec<TerminalSummary>> {
    let listed: TerminalList = call(channel, "terminal.list", &TerminalListRequest {}).await?;
    Ok(listed.terminals)
}

async fn find(channel: &Channel, beginning: &str) -> anyhow::Result<TerminalSummary> {
    let mut found = all(channel).await?;
    found.retain(|one| one.terminal_id.starts_with(beginning));
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => {
            bail!("several terminals begin like that: see 'leapmux remote terminal list'")
        }
        (None, _) => bail!("there is no such terminal: see 'leapmux remote terminal list'"),
    }
}

fn list(context: &Context, terminals: &[TerminalSummary]) -> anyhow::Result<()> {
    if context.json {
        say!("{}", serde_json::to_string_pretty(terminals)?);
    } else if terminals.is_empty() {
        say!("No terminal is open.");
    } else {
        say!(
            "{:<34}  {:<12}  {:<8}  {:>7}  TITLE",
            "TERMINAL",
            "STATE",
            "SIZE",
            "VIEWERS"
        );
        terminals.iter().try_for_each(line)?;
    }
    Ok(())
}

fn line(terminal: &TerminalSummary) -> anyhow::Result<()> {
    let state = match terminal.state() {
        TerminalState::Unspecified => "unknown".to_owned(),
        TerminalState::Running => "running".to_owned(),
        TerminalState::Ended => format!("ended ({})", terminal.exit_code),
        TerminalState::Lost => "lost".to_owned(),
    };
    let size = format!("{}x{}", terminal.columns, terminal.rows);
    say!(
        "{:<34}  {state:<12}  {size:<8}  {:>7}  {}",
        terminal.terminal_id,
        terminal.attached,
        plain(&terminal.title)
    );
    Ok(())
}
