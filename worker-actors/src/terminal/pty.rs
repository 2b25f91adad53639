//! A program on a pseudo-terminal, and the three threads that serve it.
//!
//! Reading and writing a pty block, and waiting for a child does too; each has a small thread
//! that ends with the program.

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::ExitStatus,
    sync::mpsc as blocking,
    thread,
    time::Duration,
};

use bytes::Bytes;
use portable_pty::{Child, ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};
use thiserror::Error;
use tokio::sync::mpsc;

use super::{environment::Environment, size::Size};

/// What is to be run.
pub struct Program {
    /// The program and its arguments; never empty.
    pub arguments: Vec<OsString>,
    /// Where.
    pub directory: PathBuf,
    /// With which variables.
    pub environment: Environment,
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpawnError {
    /// Nothing to run was named.
    #[error("no command given")]
    Empty,
    /// The working directory is not there, or not a directory.
    #[error("the working directory does not exist")]
    Directory,
    /// The system has no more pseudo-terminals.
    #[error("no pseudo-terminal is available")]
    Pty,
    /// The program is not there or may not be run.
    #[error("the program cannot be started")]
    Program,
    /// The system has no more threads.
    #[error("no thread is available")]
    Thread,
}

/// What a running program's terminal reports. Called on threads of the pty.
pub trait Listener: Send + Sync + 'static {
    /// The program wrote; at most 32 KiB at a time.
    fn output(&self, data: Bytes);
    /// The program ended: its exit code, or 128 + n for signal n.
    fn ended(&self, exit_code: i32);
}

/// The running program's end that is held on to.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    keyboard: mpsc::Sender<Bytes>,
    leader: i32,
}

impl Pty {
    /// Starts a program and its threads.
    ///
    /// # Errors
    ///
    /// Nothing runs then.
    pub fn start(
        program: &Program,
        size: Size,
        listener: impl Listener + Clone,
    ) -> Result<Self, SpawnError> {
        let pair = native_pty_system()
            .openpty(cells(size))
            .map_err(|_| SpawnError::Pty)?;
        let mut reader = pair
            .master
            .try_clone_reader()
            .map_err(|_| SpawnError::Pty)?;
        let mut writer = pair.master.take_writer().map_err(|_| SpawnError::Pty)?;
        let child = pair
            .slave
            .spawn_command(command(program)?)
            .map_err(|_| SpawnError::Program)?;
        drop(pair.slave);
        let leader = child.process_id().and_then(|id| i32::try_from(id).ok());
        let leader = leader.ok_or(SpawnError::Program)?;
        let mut unserved = Unserved(Some(child.clone_killer()));
        let (keyboard, mut typed) = mpsc::channel::<Bytes>(KEYBOARD_PIECES);
        let (read_all, drained) = blocking::channel::<()>();

        let screen = listener.clone();
        serve("pty-read", move || {
            let mut buffer = vec![0; READ_BYTES];
            // The program's side is closed, or its terminal is gone: the same end.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let data = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                // A screen that fails at something goes on with what follows: a program whose
                // output nobody reads would stand still for ever.
                if catch_unwind(AssertUnwindSafe(|| screen.output(data))).is_err() {
                    tracing::error!("a terminal's screen failed at its program's output");
                }
            }
            drop(read_all);
        })?;
        serve("pty-write", move || {
            while let Some(piece) = typed.blocking_recv() {
                if writer
                    .write_all(&piece)
                    .and_then(|()| writer.flush())
                    .is_err()
                {
                    break;
                }
            }
        })?;
        serve("pty-wait", move || {
            let exit_code = wait(child);
            // What it wrote last is shown before its end is told; a job that it left behind may
            // keep the terminal open for ever.
            let _ = drained.recv_timeout(DRAIN);
            listener.ended(exit_code);
        })?;
        unserved.0 = None;
        Ok(Self {
            master: pair.master,
            keyboard,
            leader,
        })
    }

    /// Where input goes; bounded, so that a program that does not read slows its typist.
    #[must_use]
    pub fn keyboard(&self) -> mpsc::Sender<Bytes> {
        self.keyboard.clone()
    }

    /// Tells the program its new size.
    pub fn resize(&self, size: Size) {
        if self.master.resize(cells(size)).is_err() {
            tracing::debug!("a terminal that ended was resized");
        }
    }

    /// The session of the program.
    #[must_use]
    pub const fn leader(&self) -> i32 {
        self.leader
    }
}

/// The exit code as shells have it.
#[must_use]
pub fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}

/// Kills a program for which there were not enough threads.
struct Unserved(Option<Box<dyn ChildKiller + Send + Sync>>);

impl Drop for Unserved {
    fn drop(&mut self) {
        if let Some(program) = &mut self.0 {
            // It may have ended by itself.
            let _ = program.kill();
        }
    }
}

fn wait(child: Box<dyn Child + Send + Sync>) -> i32 {
    let mut child: Box<dyn Child> = child;
    if let Some(process) = child.downcast_mut::<std::process::Child>() {
        return process.wait().map_or(1, exit_code);
    }
    child
        .wait()
        .map_or(1, |status| i32::try_from(status.exit_code()).unwrap_or(1))
}

fn command(program: &Program) -> Result<CommandBuilder, SpawnError> {
    if program
        .arguments
        .first()
        .is_none_or(|first| first.is_empty())
    {
        return Err(SpawnError::Empty);
    }
    if !program.directory.is_dir() {
        return Err(SpawnError::Directory);
    }
    let mut command = CommandBuilder::from_argv(program.arguments.clone());
    command.env_clear();
    for (name, value) in program.environment.iter() {
        command.env(name, value);
    }
    command.cwd(&program.directory);
    Ok(command)
}

fn serve(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), SpawnError> {
    let builder = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES);
    builder
        .spawn(work)
        .map(drop)
        .map_err(|_| SpawnError::Thread)
}

const fn cells(size: Size) -> PtySize {
    PtySize {
        rows: size.rows,
        cols: size.columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// One read, and so one piece of output at most.
const READ_BYTES: usize = 32 << 10;
/// Pieces of input that may wait for a program that does not read.
const KEYBOARD_PIECES: usize = 64;
/// The screen model needs little.
const STACK_BYTES: usize = 512 << 10;
/// How long the last output may take to be read after the end.
const DRAIN: Duration = Duration::from_millis(250);
