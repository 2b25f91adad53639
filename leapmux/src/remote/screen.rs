//! A Worker's terminal on this one: what it shows is drawn, what is typed is sent.
//!
//! A lost connection is dialled again, with a back-off, until the person leaves: the Worker keeps
//! the terminal, and its snapshot puts the screen back.

use std::{io::Write as _, process::ExitCode, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use channel_actors::client::{CallError, StreamReceiver, StreamSender};
use prost::Message as _;
use rand::RngExt as _;
use schema::wire::{
    TerminalAttach, TerminalEvent, TerminalInput, TerminalState, TerminalSummary, terminal_event,
    terminal_input,
};
use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::sleep,
};

use super::{
    channel::{self, Open},
    escape::Escape,
    folder::Folder,
    hub::Hub,
    tty::{self, Raw},
};

/// Why a terminal is no longer shown.
enum End {
    /// The person left; it goes on running.
    Detached,
    /// Its program ended.
    Exited(TerminalSummary),
    /// The connection is gone.
    Lost,
}

/// First wait before dialling again; doubled each time, each time made random by half.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// Longest wait before dialling again.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Reads of the keyboard that may wait for a connection.
const TYPED_AHEAD: usize = 64;

/// Shows a terminal until it ends or the person leaves.
///
/// # Errors
///
/// When this is no terminal, or the Worker refuses to show that one.
pub(crate) async fn show(
    hub: &Hub,
    folder: &Folder,
    open: Open,
    id: &str,
) -> anyhow::Result<ExitCode> {
    let raw = Raw::enter()?;
    let mut keyboard = Keyboard::start()?;
    let worker = open.worker().to_owned();
    let mut open = Some(open);
    let mut sequence = 0;
    let mut wait = RETRY_FIRST;
    let end = loop {
        if let Some(open) = open.take() {
            match attached(&open, id, &mut sequence, &mut keyboard).await? {
                End::Lost => wait = RETRY_FIRST,
                end @ (End::Detached | End::Exited(_)) => {
                    open.close().await;
                    break end;
                }
            }
        }
        notice(wait)?;
        if keyboard.detached_within(jittered(wait)).await {
            break End::Detached;
        }
        wait = (wait * 2).min(RETRY_MAX);
        // What the notice covered has to be drawn again.
        sequence = 0;
        open = match channel::open(hub, folder, Some(&worker)).await {
            Ok(open) => Some(open),
            Err(error) => {
                tracing::debug!(error = %error, "still not connected");
                None
            }
        };
    };
    drop(raw);
    Ok(farewell(end, id))
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
        End::Detached | End::Lost => {
            eprintln!("leapmux: detached; come back with 'leapmux remote terminal attach {id}'");
            ExitCode::SUCCESS
        }
    }
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..1.5))
}

fn notice(wait: Duration) -> anyhow::Result<()> {
    let text = format!(
        "\r\n\x1b[7m leapmux: connection lost, trying again in {:.0} s; ~. at the start of a line leaves \x1b[0m\r\n",
        wait.as_secs_f64().max(1.0)
    );
    draw(text.as_bytes())
}

fn draw(bytes: &[u8]) -> anyhow::Result<()> {
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
        .stream("terminal.attach", asked.encode_to_vec().into(), None)
        .await;
    let (pending, sender, receiver) = match stream {
        Ok(stream) => stream,
        Err(error) => return lost_or(error),
    };
    if let Err(error) = pending.answer().await {
        return lost_or(error);
    }
    tokio::select! {
        end = drawn(receiver, sequence) => end,
        typed = keyboard.pass_on(&sender) => match typed {
            Ok(()) => Ok(End::Detached),
            Err(error) => lost_or(error),
        },
    }
}

/// What the Worker said is an error; anything else is a connection to be made again.
fn lost_or(error: CallError) -> anyhow::Result<End> {
    match error {
        CallError::Worker(ref said) if said.code != UNAVAILABLE => Err(channel::worker_said(error)),
        CallError::Worker(_) | CallError::Send(_) | CallError::Closed(_) | CallError::Timeout => {
            Ok(End::Lost)
        }
    }
}

/// gRPC's UNAVAILABLE.
const UNAVAILABLE: u32 = 14;

async fn drawn(mut receiver: StreamReceiver, sequence: &mut u64) -> anyhow::Result<End> {
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

/// What is typed here, and this terminal's changes of size.
struct Keyboard {
    typed: mpsc::Receiver<Vec<u8>>,
    resized: Signal,
    escape: Escape,
}

impl Keyboard {
    fn start() -> anyhow::Result<Self> {
        let (sender, typed) = mpsc::channel(TYPED_AHEAD);
        #[expect(
            clippy::disallowed_methods,
            reason = "standard input has one reader for the whole command"
        )]
        tokio::spawn(read(sender));
        Ok(Self {
            typed,
            resized: signal(SignalKind::window_change())?,
            escape: Escape::new(),
        })
    }

    /// Sends until the person leaves.
    async fn pass_on(&mut self, sender: &StreamSender) -> Result<(), CallError> {
        loop {
            tokio::select! {
                typed = self.typed.recv() => {
                    // Standard input at its end: nobody can type any more.
                    let Some(typed) = typed else { return Ok(()) };
                    let typed = self.escape.take(&typed);
                    if !typed.data.is_empty() {
                        send(sender, terminal_input::Body::Data(typed.data.into())).await?;
                    }
                    if typed.detach {
                        return Ok(());
                    }
                }
                _ = self.resized.recv() => send(sender, terminal_input::Body::Resize(tty::size())).await?,
            }
        }
    }

    /// Waits while there is no connection; what is typed then only counts if it says to leave.
    async fn detached_within(&mut self, wait: Duration) -> bool {
        let waited = sleep(wait);
        tokio::pin!(waited);
        loop {
            tokio::select! {
                () = &mut waited => return false,
                typed = self.typed.recv() => match typed {
                    None => return true,
                    Some(typed) => if self.escape.take(&typed).detach { return true },
                },
            }
        }
    }
}

async fn read(sender: mpsc::Sender<Vec<u8>>) {
    let mut input = tokio::io::stdin();
    let mut chunk = vec![0; 4096];
    while let Ok(count @ 1..) = input.read(&mut chunk).await {
        let typed = chunk.get(..count).unwrap_or_default().to_vec();
        if sender.send(typed).await.is_err() {
            break;
        }
    }
}

async fn send(sender: &StreamSender, body: terminal_input::Body) -> Result<(), CallError> {
    let input = TerminalInput { body: Some(body) };
    sender.send(Bytes::from(input.encode_to_vec())).await
}
