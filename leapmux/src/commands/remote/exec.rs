//! `leapmux remote exec`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use channel_actors::client::{CallError, Pending, StreamReceiver, StreamSender};
use clap::Args;
use prost::Message as _;
use schema::{
    ids::WorkspaceId,
    wire::{ExecInput, ExecOutput, ExecStart, exec_input, exec_output},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    signal::unix::{SignalKind, signal},
};

use super::Context;
use crate::remote::{channel, notice::Notice, way::Destination};

#[derive(Args)]
pub(super) struct Options {
    /// The Worker; needed only when there are several
    #[arg(long, value_name = "ID")]
    worker_id: Option<String>,
    /// The workspace [default: the only one; at your own Worker that has several, none]
    #[arg(long, value_name = "ID", value_parser = super::workspace)]
    workspace_id: Option<WorkspaceId>,
    /// Folder the command starts in [default: home]
    #[arg(
        long,
        value_name = "DIR",
        default_value = "",
        hide_default_value = true
    )]
    working_directory: String,
    /// One more variable of the command's environment; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// The command and its arguments, run without a shell
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        Some(_) | None => Err("takes NAME=VALUE".into()),
    }
}

/// One read of standard input.
const INPUT_CHUNK: usize = 64 * 1024;
/// Credit that input leaves for signals: a hundred of them, which the Worker gives back at once.
const SIGNAL_CREDIT: usize = 1024;

pub(super) async fn run(context: &Context, options: Options) -> anyhow::Result<ExitCode> {
    if context.way.is_delegated() {
        bail!(
            "a program in a tab runs commands itself, or in a terminal of their own: 'leapmux remote \
             terminal open -- CMD'; name --hub to use your own login"
        );
    }
    let to = Destination {
        worker: options.worker_id,
        workspace: options.workspace_id,
    };
    let open = context.way.open(&to).await?;
    let start = ExecStart {
        command: options.command,
        working_directory: options.working_directory,
        environment: options.environment.into_iter().collect(),
        terminal: None,
    };
    let stream = open
        .channel
        .stream("exec", start.encode_to_vec().into(), open.workspace())
        .await;
    let (pending, sender, receiver) = stream.map_err(channel::worker_said)?;
    let code = tokio::select! {
        code = show(receiver, context.json) => code?,
        error = refused(pending) => return Err(error),
        code = feed(sender) => code,
        never = Notice::new(&open.channel).tell() => match never {},
    };
    open.close().await;
    Ok(ExitCode::from(code))
}

/// Comes back only when the Worker would not run the command at all.
async fn refused(pending: Pending) -> anyhow::Error {
    match pending.answer().await {
        Ok(_) => std::future::pending().await,
        Err(error) => channel::worker_said(error),
    }
}

/// Standard input and signals, for as long as the command runs. What ends the command also ends
/// its output, and that is where the reason stands; so this ends only for somebody who does not
/// want to wait for the Worker, with the code for it.
async fn feed(sender: StreamSender) -> u8 {
    let input = async {
        if let Err(error) = feed_input(&sender).await {
            tracing::debug!(error = %error, "standard input is no longer passed on");
        }
        std::future::pending().await
    };
    let signals = async {
        match feed_signals(&sender).await {
            Ok(code) => code,
            Err(error) => {
                tracing::debug!(error = %error, "signals are no longer passed on");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        code = input => code,
        code = signals => code,
    }
}

async fn feed_input(sender: &StreamSender) -> anyhow::Result<()> {
    let mut input = tokio::io::stdin();
    let mut chunk = vec![0; INPUT_CHUNK];
    loop {
        let count = input.read(&mut chunk).await.context("standard input")?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        let input = encoded(exec_input::Body::Stdin(Bytes::copy_from_slice(read)));
        sent(sender.send_leaving(input, SIGNAL_CREDIT).await)?;
    }
    let closed = encoded(exec_input::Body::StdinClosed(true));
    sent(sender.send_leaving(closed, SIGNAL_CREDIT).await)
}

/// A signal goes before all input that waits, with credit that input leaves for it; it waits only
/// for a connection. Who sends another one before it went out has waited long enough: the channel
/// closes, and the Worker ends the command with it.
async fn feed_signals(sender: &StreamSender) -> anyhow::Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut next = async || {
        let kind = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hangup.recv() => SignalKind::hangup(),
        };
        kind.as_raw_value().unsigned_abs()
    };
    loop {
        let number = next().await;
        tokio::select! {
            done = sender.send_first(encoded(exec_input::Body::Signal(number))) => sent(done)?,
            number = next() => return Ok(u8::try_from(128 + number)?),
        }
    }
}

fn encoded(body: exec_input::Body) -> Bytes {
    ExecInput { body: Some(body) }.encode_to_vec().into()
}

fn sent(done: Result<(), CallError>) -> anyhow::Result<()> {
    done.map_err(channel::worker_said)
}

/// Standard output and error of the command, as they come; ends with its exit code.
async fn show(mut receiver: StreamReceiver, json: bool) -> anyhow::Result<u8> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    while let Some(data) = receiver.next().await.map_err(channel::worker_said)? {
        let output = ExecOutput::decode(data).context("the Worker's output cannot be read")?;
        match output.body.context("the Worker's output is empty")? {
            exec_output::Body::ExitCode(code) => return finish(out, code, json).await,
            body if json => out.write_all(json_line(&body)?.as_bytes()).await?,
            exec_output::Body::Stdout(bytes) => out.write_all(&bytes).await?,
            exec_output::Body::Stderr(bytes) => err.write_all(&bytes).await?,
        }
        // Both are written by threads that nobody waits for at the end.
        tokio::try_join!(out.flush(), err.flush())?;
    }
    bail!("the command's stream ended before the command did")
}

async fn finish(mut out: tokio::io::Stdout, code: i32, json: bool) -> anyhow::Result<u8> {
    if json {
        out.write_all(json_line(&exec_output::Body::ExitCode(code))?.as_bytes())
            .await?;
    }
    out.flush().await?;
    // Exit codes of a process have eight bits; the Worker says 128 + n for a signal.
    Ok(u8::try_from(code & 0xFF)?)
}

/// One JSON object a line; text where it is text, base64 where it is not.
fn json_line(body: &exec_output::Body) -> anyhow::Result<String> {
    let value = match body {
        exec_output::Body::Stdout(bytes) => json_bytes("stdout", bytes),
        exec_output::Body::Stderr(bytes) => json_bytes("stderr", bytes),
        exec_output::Body::ExitCode(code) => serde_json::json!({ "exit_code": code }),
    };
    Ok(serde_json::to_string(&value)? + "\n")
}

fn json_bytes(name: &str, bytes: &[u8]) -> serde_json::Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::json!({ name: text }),
        Err(_) => serde_json::json!({ format!("{name}_base64"): STANDARD.encode(bytes) }),
    }
}
