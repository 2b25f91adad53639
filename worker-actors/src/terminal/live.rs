//! One terminal as it lives: a desk behind a lock, and a pty when its program runs.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use schema::{
    ids::{TerminalId, WorkspaceId},
    wire,
};
use tokio::sync::{mpsc, watch};

use super::{
    desk::{Desk, State, Typed, ViewId},
    process_tree::ProcessTree,
    pty::{Listener, Program, Pty, SpawnError},
    size::Size,
};
use crate::delegation::Door;

/// A terminal that anybody may hold; the pty's threads do too.
pub struct Terminal {
    id: TerminalId,
    workspace: Option<WorkspaceId>,
    desk: Mutex<Desk>,
    pty: Mutex<Option<Pty>>,
    /// Where its programs ask for delegations.
    door: Mutex<Option<Door>>,
    /// Rises whenever a client may have something to be sent.
    moved: watch::Sender<u64>,
    /// Rises whenever a list of terminals would read differently.
    listed: Arc<watch::Sender<u64>>,
}

/// A client's place at a terminal; leaving is dropping it.
pub struct Seat {
    terminal: Arc<Terminal>,
    view: ViewId,
    moved: watch::Receiver<u64>,
}

impl Terminal {
    /// Starts a program.
    ///
    /// # Errors
    ///
    /// Nothing runs then.
    pub fn start(
        id: TerminalId,
        desk: Desk,
        program: &Program,
        listed: Arc<watch::Sender<u64>>,
    ) -> Result<Arc<Self>, SpawnError> {
        let size = desk.screen().size();
        let terminal = Self::resting(id, desk, listed);
        let pty = Pty::start(program, size, Eyes(Arc::clone(&terminal)))?;
        *terminal.pty() = Some(pty);
        Ok(terminal)
    }

    /// A terminal without a program, to look at.
    #[must_use]
    pub fn resting(id: TerminalId, desk: Desk, listed: Arc<watch::Sender<u64>>) -> Arc<Self> {
        let (moved, _) = watch::channel(0);
        let workspace = desk.workspace().cloned();
        Arc::new(Self {
            id,
            workspace,
            desk: Mutex::new(desk),
            pty: Mutex::new(None),
            door: Mutex::new(None),
            moved,
            listed,
        })
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &TerminalId {
        &self.id
    }

    /// Whether somebody with a role in this workspace may know of it; none = the owner, who may
    /// know of all.
    #[must_use]
    pub fn is_within(&self, workspace: Option<&WorkspaceId>) -> bool {
        workspace.is_none() || workspace == self.workspace.as_ref()
    }

    /// The workspace it was opened in.
    #[must_use]
    pub const fn workspace(&self) -> Option<&WorkspaceId> {
        self.workspace.as_ref()
    }

    /// What lists show of it.
    #[must_use]
    pub fn summary(&self) -> wire::TerminalSummary {
        self.desk().summary()
    }

    /// Rises with every change that a stored copy would have to repeat.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.desk().changes()
    }

    /// Its summary, the sequence, and the bytes of its screen, for the store.
    #[must_use]
    pub fn kept(&self) -> (wire::TerminalSummary, u64, Vec<u8>) {
        let mut desk = self.desk();
        let (sequence, screen) = desk.kept_screen();
        (desk.summary(), sequence, screen)
    }

    /// Whether its program runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        *self.desk().state() == State::Running
    }

    /// A client sits down. `shown` is what it already shows, in bytes of output.
    #[must_use]
    pub fn sit(self: &Arc<Self>, shown: u64, may_type: bool) -> Seat {
        let view = self.change(|desk| desk.attach(shown, may_type));
        Seat {
            terminal: Arc::clone(self),
            view,
            moved: self.moved.subscribe(),
        }
    }

    /// A person names it.
    pub fn rename(&self, title: &str) {
        self.change(|desk| desk.rename(title));
    }

    /// Keeps a door open until its program ends.
    pub(crate) fn keep(&self, door: Option<Door>) {
        *self.door() = door;
        if !self.is_running() {
            self.door().take();
        }
    }

    /// Ends its program with everything the program started. Blocks.
    pub fn end(&self, grace: Duration) {
        self.door().take();
        let Some(leader) = self.pty().as_ref().map(Pty::leader) else {
            return;
        };
        let leaderless = !self.is_running();
        ProcessTree {
            leader,
            mark: None,
            leaderless,
        }
        .end(grace);
        // Dropping the pty closes the terminal under whatever escaped.
        self.pty().take();
    }

    /// Does something at the desk and tells whom it concerns.
    fn change<T>(&self, act: impl FnOnce(&mut Desk) -> T) -> T {
        let (result, listed) = {
            let mut desk = self.desk();
            let before = desk.announcements();
            let result = act(&mut desk);
            (result, desk.announcements() != before)
        };
        self.moved.send_modify(|count| *count += 1);
        if listed {
            self.listed.send_modify(|count| *count += 1);
        }
        result
    }

    /// A panic at the desk leaves a screen that may look wrong, and nothing worse.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pty(&self) -> MutexGuard<'_, Option<Pty>> {
        self.pty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn door(&self) -> MutexGuard<'_, Option<Door>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_size(&self, size: Size) {
        if let Some(pty) = self.pty().as_ref() {
            pty.resize(size);
        }
    }

    fn keyboard(&self) -> Option<mpsc::Sender<Bytes>> {
        self.pty().as_ref().map(Pty::keyboard)
    }
}

impl Seat {
    /// The next event that fits into so much room; None = wait with [`moved`](Self::moved).
    pub fn next_event(&mut self, room: usize) -> Option<Bytes> {
        self.moved.mark_unchanged();
        self.terminal.desk().next_event(self.view, room)
    }

    /// Waits until there may be another event.
    pub async fn moved(&mut self) {
        // The sender lives in the terminal that this seat holds.
        let _ = self.moved.changed().await;
    }

    /// The typing half of this place, which waits while the program does not read.
    #[must_use]
    pub fn typist(&self) -> Typist {
        Typist {
            terminal: Arc::clone(&self.terminal),
            view: self.view,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.terminal.change(|desk| desk.detach(self.view));
    }
}

/// The typing half of a place at a terminal.
pub struct Typist {
    terminal: Arc<Terminal>,
    view: ViewId,
}

impl Typist {
    /// Types; waits while the program does not read.
    pub async fn type_in(&self, data: Bytes) {
        let Typed { data, size } = self.terminal.change(|desk| desk.input(self.view, data));
        if let Some(size) = size {
            self.terminal.tell_size(size);
        }
        let Some(mut data) = data else {
            return;
        };
        let Some(keyboard) = self.terminal.keyboard() else {
            return;
        };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(TYPED_BYTES));
            if keyboard.send(piece).await.is_err() {
                return;
            }
        }
    }

    /// Asks for a size.
    pub fn resize(&self, size: Size) {
        if let Some(size) = self.terminal.change(|desk| desk.resize(self.view, size)) {
            self.terminal.tell_size(size);
        }
    }
}

/// The pty's view of its terminal.
#[derive(Clone)]
struct Eyes(Arc<Terminal>);

impl Listener for Eyes {
    fn output(&self, data: Bytes) {
        let answers = self.0.change(|desk| desk.output(data));
        if !answers.is_empty()
            && let Some(keyboard) = self.0.keyboard()
        {
            // A program that does not read its answers does not need them.
            let _ = keyboard.try_send(answers.into());
        }
    }

    fn ended(&self, exit_code: i32) {
        self.0.change(|desk| desk.ended(exit_code));
        self.0.door().take();
        tracing::info!(terminal = self.0.id.as_str(), exit_code, "terminal ended");
    }
}

/// One piece of input; the line discipline takes 4 KiB at a time.
const TYPED_BYTES: usize = 4 << 10;
