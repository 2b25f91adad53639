//! A Worker's terminal on this one: what it shows is drawn, what is typed is sent.
//!
//! A lost connection is the session's matter, and the stream goes on where it was; only a notice
//! that was drawn is drawn over, with a snapshot. When the channel itself is over a new one is
//! opened, with a back-off, until the person leaves: the Worker keeps the terminal.

use std::{io::Write as _, process::ExitCode, time::Duration};

use anyhow::Context as _;
use channel_actors::client::{CallError, StreamReceiver, StreamSender};
use prost::Message as _;
use rand::RngExt as _;
use schema::wire::{TerminalAttach, TerminalEvent, TerminalState, TerminalSummary, terminal_event};
use tokio::time::timeout;

use super::{
    channel::{self, NotOpen, Open},
    keyboard::{Keyboard, LAST_WORDS, Left},
    notice,
    tty::{self, Raw},
    way::{Destination, Way},
};

/// Why a terminal is no longer shown.
enum End {
    /// The person left; it goes on running.
    Detached,
    /// Its program ended.
    Exited(TerminalSummary),
    /// The screen is to be drawn anew, on the same channel.
    Stale,
    /// The channel is gone.
    Lost,
}

/// First wait before dialling again; doubled each time, each time made random by half.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// Longest wait before dialling again.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How long a stream that was ended may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// Shows a terminal until it ends or the person leaves.
///
/// # Errors
///
/// When this is no terminal, or the Worker refuses to show that one.
pub(crate) async fn show(way: &Way, open: Open, id: &str) -> anyhow::Result<ExitCode> {
    let raw = Raw::enter()?;
    let mut keyboard = Keyboard::start()?;
    let to = Destination {
        worker: Some(open.worker().to_owned()),
        workspace: open.workspace().cloned(),
    };
    let mut open = Some(open);
    let mut sequence = 0;
    let mut wait = RETRY_FIRST;
    let end = loop {
        if let Some(current) = open.take() {
            match attached(&current, id, &mut sequence, &mut keyboard).await? {
                End::Stale => {
                    sequence = 0;
                    open = Some(current);
                    continue;
                }
                End::Lost => wait = RETRY_FIRST,
                end @ (End::Detached | End::Exited(_)) => {
                    current.close().await;
                    break end;
                }
            }
        }
        notice::cover(&format!(
            "connection lost, trying again in {:.0} s",
            wait.as_secs_f64().max(1.0)
        ));
        if keyboard.left_within(jittered(wait)).await {
            break End::Detached;
        }
        wait = (wait * 2).min(RETRY_MAX);
        // What the notice covered has to be drawn again.
        sequence = 0;
        open = tokio::select! {
            opened = opened_anew(way, &to) => opened?,
            () = keyboard.left() => break End::Detached,
        };
    };
    drop(raw);
    Ok(farewell(end, id))
}

/// None = it is worth another try.
async fn opened_anew(way: &Way, to: &Destination) -> anyhow::Result<Option<Open>> {
    match way.open(to).await {
        Ok(open) => Ok(Some(open)),
        Err(NotOpen::Device(error) | NotOpen::Final(error)) => Err(error),
        Err(NotOpen::Passing(error)) => {
            tracing::debug!(error = %error, "still not connected");
            Ok(None)
        }
    }
}

fn farewell(end: End, id: &str) -> ExitCode {
    match end {
        End::Exited(summary) if summary.state() == TerminalState::Lost => {
            eprintln!(
                "leapmux: the Worker restarted under this terminal; this was its last screen"
            );
            ExitCode::from(255)
        }
        End::Exited(summary) => {
            ExitCode::from(u8::try_from(summary.exit_code & 0xFF).unwrap_or(255))
        }
        End::Detached | End::Stale | End::Lost => {
            eprintln!("leapmux: detached; come back with 'leapmux remote terminal attach {id}'");
            ExitCode::SUCCESS
        }
    }
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..1.5))
}

/// Writes to this terminal, now.
pub(super) fn draw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .context("standard output")
}

async fn attached(
    open: &Open,
    id: &str,
    sequence: &mut u64,
    keyboard: &mut Keyboard,
) -> anyhow::Result<End> {
    let size = tty::size();
    let asked = TerminalAttach {
        terminal_id: id.to_owned(),
        after_sequence: *sequence,
        columns: size.columns,
        rows: size.rows,
    };
    let stream = open
        .channel
        .stream(
            "terminal.attach",
            asked.encode_to_vec().into(),
            open.workspace(),
        )
        .await;
    let (pending, sender, mut receiver) = match stream {
        Ok(stream) => stream,
        Err(error) => return lost_or(error),
    };
    if let Err(error) = pending.answer().await {
        return lost_or(error);
    }
    let left = tokio::select! {
        end = drawn(&mut receiver, sequence) => return end,
        left = keyboard.pass_on(&open.channel, &sender) => left,
    };
    match left {
        Ok(Left::Person) => {
            // What was typed is used before the channel goes; a connection that is lost just now
            // is not waited for.
            let _ = timeout(LAST_WORDS, ended(&sender, receiver)).await;
            Ok(End::Detached)
        }
        Ok(Left::Unheard) => Ok(End::Detached),
        Ok(Left::Covered) => ended(&sender, receiver).await,
        Err(error) => lost_or(error),
    }
}

/// Ends the stream behind what was typed, which is all used once the Worker has ended it too.
async fn ended(sender: &StreamSender, mut receiver: StreamReceiver) -> anyhow::Result<End> {
    let ending = async {
        sender.end().await?;
        while receiver.next().await?.is_some() {}
        Ok(())
    };
    match timeout(ENDING, ending).await {
        Ok(Ok(())) | Err(_) => Ok(End::Stale),
        Ok(Err(error)) => lost_or(error),
    }
}

/// What the Worker said is an error; anything else is a connection to be made again.
fn lost_or(error: CallError) -> anyhow::Result<End> {
    match error {
        CallError::Worker(ref said) if said.code == ABORTED => Ok(End::Stale),
        CallError::Worker(ref said) if said.code != UNAVAILABLE => Err(channel::worker_said(error)),
        CallError::Worker(_) | CallError::Send(_) | CallError::Closed(_) | CallError::Timeout => {
            Ok(End::Lost)
        }
    }
}

/// gRPC's ABORTED: the terminal went on without this stream, see docs/protocol.md, section 7.
const ABORTED: u32 = 10;
/// gRPC's UNAVAILABLE.
const UNAVAILABLE: u32 = 14;

async fn drawn(receiver: &mut StreamReceiver, sequence: &mut u64) -> anyhow::Result<End> {
    loop {
        let data = match receiver.next().await {
            Ok(Some(data)) => data,
            Ok(None) => return Ok(End::Lost),
            Err(error) => return lost_or(error),
        };
        let event = TerminalEvent::decode(data).context("the Worker's event cannot be read")?;
        match event.body.context("the Worker's event is empty")? {
            terminal_event::Body::Snapshot(snapshot) => {
                draw(&[tty::CLEAR, &snapshot.data].concat())?;
                *sequence = snapshot.sequence;
            }
            terminal_event::Body::Output(output) => {
                draw(&output.data)?;
                *sequence = output.sequence.max(*sequence);
            }
            terminal_event::Body::Summary(summary) => match summary.state() {
                TerminalState::Ended | TerminalState::Lost => return Ok(End::Exited(summary)),
                TerminalState::Running | TerminalState::Unspecified => {}
            },
        }
    }
}
