//! `leapmux remote terminal`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use schema::{
    ids::WorkspaceId,
    wire::{
        TerminalClose, TerminalClosed, TerminalList, TerminalListRequest, TerminalOpen,
        TerminalState, TerminalSummary,
    },
};

use super::Context;
use crate::remote::{
    channel::{self, Open, plain},
    screen, tty,
    way::Destination,
};
use crate::say::say;

#[derive(Args)]
pub(super) struct Options {
    /// The Worker; needed only when there are several
    #[arg(long, value_name = "ID", global = true)]
    worker_id: Option<String>,
    /// The workspace [default: the only one; at your own Worker that has several, none]
    #[arg(long, value_name = "ID", global = true, value_parser = super::workspace)]
    workspace_id: Option<WorkspaceId>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// List the Worker's terminals
    List,
    /// Open a terminal and leave it running; prints its id
    Open(Opening),
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

#[derive(Args)]
struct Opening {
    /// What people call it [default: the program's name]
    #[arg(long, default_value = "", hide_default_value = true)]
    title: String,
    /// Folder it starts in [default: home]
    #[arg(
        long,
        value_name = "DIR",
        default_value = "",
        hide_default_value = true
    )]
    working_directory: String,
    /// Give its program a delegation now: for an hour it may use 'leapmux remote' in its workspace,
    /// whether anybody is connected or not
    #[arg(long)]
    delegate: bool,
    /// The program and its arguments, run without a shell [default: a shell]
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(context: &Context, options: Options) -> anyhow::Result<ExitCode> {
    if matches!(options.command, None | Some(Command::Attach { .. })) {
        tty::check()?;
    }
    let to = Destination {
        worker: options.worker_id,
        workspace: options.workspace_id,
    };
    let open = context.way.open(&to).await?;
    match options.command {
        None => {
            let size = tty::size();
            let asked = TerminalOpen {
                columns: size.columns,
                rows: size.rows,
                ..TerminalOpen::default()
            };
            let made: TerminalSummary = call(&open, "terminal.open", &asked).await?;
            screen::show(&context.way, open, &made.terminal_id).await
        }
        Some(Command::Open(opening)) => {
            let asked = TerminalOpen {
                command: opening.command,
                working_directory: opening.working_directory,
                title: opening.title,
                delegate: opening.delegate,
                ..TerminalOpen::default()
            };
            let made: TerminalSummary = call(&open, "terminal.open", &asked).await?;
            if context.json {
                say!("{}", serde_json::to_string_pretty(&made)?);
            } else {
                say!("{}", made.terminal_id);
            }
            open.close().await;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Attach { id }) => {
            let found = find(&open, &id).await?;
            screen::show(&context.way, open, &found.terminal_id).await
        }
        Some(Command::List) => {
            list(context, &all(&open).await?)?;
            open.close().await;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Close { id }) => {
            let found = find(&open, &id).await?;
            let asked = TerminalClose {
                terminal_id: found.terminal_id,
            };
            let _: TerminalClosed = call(&open, "terminal.close", &asked).await?;
            open.close().await;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn call<A: prost::Message + Default>(
    open: &Open,
    method: &str,
    asked: &impl prost::Message,
) -> anyhow::Result<A> {
    let payload = asked.encode_to_vec().into();
    let answer = open
        .channel
        .call(method, payload, open.workspace(), PATIENCE)
        .await
        .map_err(channel::worker_said)?;
    A::decode(answer).with_context(|| format!("the Worker's answer to {method} cannot be read"))
}

async fn all(open: &Open) -> anyhow::Result<Vec<TerminalSummary>> {
    let listed: TerminalList = call(open, "terminal.list", &TerminalListRequest {}).await?;
    Ok(listed.terminals)
}

async fn find(open: &Open, beginning: &str) -> anyhow::Result<TerminalSummary> {
    let mut found = all(open).await?;
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
