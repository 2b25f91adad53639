//! `exec`: a command without a shell, its input and output, its exit code, and its end.
//!
//! Credit of the stream holds both ways: what the command does not read is not asked for, and a
//! client that does not read stops the command at its pipe. When the stream ends, for whatever
//! reason, so do the command and everything that it started.

mod feed;
mod leash;

use std::{ffi::OsString, path::PathBuf, process::Stdio, time::Duration};

use bytes::{Bytes, BytesMut};
use schema::wire::{self, RpcError, exec_output};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    sync::mpsc,
    time,
};
use tonic::Code;

pub use self::leash::Endings;
use self::leash::Leash;
use super::{
    encoded, error,
    stream::{Outlet, Stream},
};
use crate::{
    entropy,
    terminal::{
        environment::{Environment, Person},
        process_tree::ProcessTree,
        pty::{self, Listener, Program, Pty, SpawnError},
        size::Size,
    },
};

/// Where commands run.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// What they inherit.
    pub environment: &'a Environment,
    /// As whom.
    pub person: &'a Person,
    /// How long they have to hang up before they are killed.
    pub grace: Duration,
    /// Who waits for that at the Worker's end.
    pub endings: &'a Endings,
}

/// Runs a command to its end or the stream's.
///
/// # Errors
///
/// The command could not be started, or the client broke the rules.
pub async fn run(place: Place<'_>, start: wire::ExecStart, stream: Stream) -> Result<(), RpcError> {
    if start.command.first().is_none_or(String::is_empty) {
        return Err(refused(SpawnError::Empty));
    }
    match start.terminal.and_then(|size| Size::of(&size)) {
        Some(size) => on_terminal(place, start, size, stream).await,
        None => on_pipes(place, start, stream).await,
    }
}

async fn on_pipes(
    place: Place<'_>,
    start: wire::ExecStart,
    stream: Stream,
) -> Result<(), RpcError> {
    let mark = entropy::name();
    let mut child = spawn(place, &start, &mark)?;
    let leader = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .ok_or_else(|| refused(SpawnError::Program))?;
    let tree = ProcessTree {
        leader,
        mark: Some(format!("{MARK}={mark}")),
        leaderless: false,
    };
    let mut leash = Leash {
        tree,
        grace: place.grace,
        endings: place.endings.clone(),
    };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let Stream { inlet, mut outlet } = stream;
    let (out, mut pieces) = mpsc::channel(1);
    let reading = async {
        let (from_out, from_err) = (out.clone(), out);
        tokio::join!(
            read(stdout, from_out, exec_output::Body::Stdout),
            read(stderr, from_err, exec_output::Body::Stderr),
        );
    };
    let mut feeding = std::pin::pin!(feed::pipe(stdin, inlet, leash.tree.clone()));
    let mut reading = std::pin::pin!(reading);
    let mut sending = std::pin::pin!(async {
        while let Some(piece) = pieces.recv().await {
            send(&mut outlet, piece).await;
        }
        outlet
    });
    let (mut fed, mut ended, mut read_all, mut released) = (false, None, false, false);
    loop {
        tokio::select! {
            done = &mut feeding, if !fed => {
                done?;
                fed = true;
            }
            status = child.wait(), if ended.is_none() => {
                ended = Some(status.map_or(1, pty::exit_code));
                leash.tree.leaderless = true;
            }
            () = time::sleep(DRAIN), if ended.is_some() && !released => {
                // What the command left behind may hold its pipes open for ever.
                released = true;
                leash.let_go();
            }
            () = &mut reading, if !read_all => read_all = true,
            mut outlet = &mut sending => {
                // Both pipes are at their end, and everything was sent.
                let code = match ended {
                    Some(code) => code,
                    None => child.wait().await.map_or(1, pty::exit_code),
                };
                leash.tree.leaderless = true;
                send(&mut outlet, exec_output::Body::ExitCode(code)).await;
                return Ok(());
            }
        }
    }
}

fn spawn(place: Place<'_>, start: &wire::ExecStart, mark: &str) -> Result<Child, RpcError> {
    let (name, arguments) = start
        .command
        .split_first()
        .ok_or_else(|| refused(SpawnError::Empty))?;
    let directory = directory(place, start)?;
    let environment = place
        .environment
        .for_command(place.person)
        .with(start.environment.clone())
        .marked((MARK, mark));
    Command::new(name)
        .args(arguments)
        .env_clear()
        .envs(environment.iter())
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|_| refused(SpawnError::Program))
}

async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    pieces: mpsc::Sender<exec_output::Body>,
    body: fn(Bytes) -> exec_output::Body,
) {
    let Some(mut pipe) = pipe else { return };
    loop {
        let mut buffer = BytesMut::with_capacity(PIECE_BYTES);
        match pipe.read_buf(&mut buffer).await {
            Ok(1..) if pieces.send(body(buffer.freeze())).await.is_ok() => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// On a terminal both outputs are one.
async fn on_terminal(
    place: Place<'_>,
    start: wire::ExecStart,
    size: Size,
    stream: Stream,
) -> Result<(), RpcError> {
    let mark = entropy::name();
    let program = Program {
        arguments: start.command.iter().map(OsString::from).collect(),
        directory: directory(place, &start)?,
        environment: place
            .environment
            .for_terminal(place.person)
            .with(start.environment)
            .marked((MARK, &mark)),
    };
    let (out, mut pieces) = mpsc::channel(PTY_PIECES);
    let pty = Pty::start(&program, size, Speaker(out)).map_err(refused)?;
    let tree = ProcessTree {
        leader: pty.leader(),
        mark: Some(format!("{MARK}={mark}")),
        leaderless: false,
    };
    let mut leash = Leash {
        tree,
        grace: place.grace,
        endings: place.endings.clone(),
    };
    let Stream { inlet, mut outlet } = stream;
    let mut typing = std::pin::pin!(feed::keyboard(&pty, inlet, leash.tree.clone()));
    let mut typed = false;
    loop {
        tokio::select! {
            done = &mut typing, if !typed => {
                done?;
                typed = true;
            }
            piece = pieces.recv() => {
                let Some(piece) = piece else { return Ok(()) };
                let last = matches!(piece, exec_output::Body::ExitCode(_));
                send(&mut outlet, piece).await;
                if last {
                    leash.tree.leaderless = true;
                    return Ok(());
                }
            }
        }
    }
}

/// The pty's threads wait here when the client does not read.
#[derive(Clone)]
struct Speaker(mpsc::Sender<exec_output::Body>);

impl Listener for Speaker {
    fn output(&self, data: Bytes) {
        // A service that is gone has its program ended.
        let _ = self.0.blocking_send(exec_output::Body::Stdout(data));
    }

    fn ended(&self, exit_code: i32) {
        let _ = self.0.blocking_send(exec_output::Body::ExitCode(exit_code));
    }
}

async fn send(outlet: &mut Outlet, body: exec_output::Body) {
    let message = encoded(&wire::ExecOutput { body: Some(body) });
    outlet.room_for(message.len()).await;
    outlet.send(message);
}

fn directory(place: Place<'_>, start: &wire::ExecStart) -> Result<PathBuf, RpcError> {
    let directory = place.person.home.join(&start.working_directory);
    directory
        .is_dir()
        .then_some(directory)
        .ok_or_else(|| refused(SpawnError::Directory))
}

fn refused(reason: SpawnError) -> RpcError {
    error(Code::FailedPrecondition, &reason.to_string())
}

/// In the environment of everything that a command starts, so that its end finds them all.
const MARK: &str = "LEAPMUX_EXEC";
/// One read of a pipe: as much as Linux keeps in one.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces of a terminal's output under way.
const PTY_PIECES: usize = 2;
/// How long what a command left behind may go on writing.
const DRAIN: Duration = Duration::from_millis(250);
const TYPED_BYTES: usize = 4 << 10;
const END_OF_TRANSMISSION: u8 = 0x04;
