//! All terminals of a Worker: open, find, close, and keep their last screens.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use schema::{
    ids::{TerminalId, WorkspaceId},
    wire,
};
use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle, time};

use super::{
    desk::{Desk, Opening, State},
    environment::{Environment, Person},
    live::Terminal,
    pty::{Program, SpawnError},
    size::Size,
};
use crate::store::{
    Store, StoreError,
    terminals::{self, KeptTerminal},
};

/// What terminals are like on this Worker.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Lines kept above the screen.
    pub scrollback_lines: usize,
    /// Terminals at a time, ended ones included.
    pub most: usize,
    /// How long programs have to hang up before they are killed.
    pub grace: Duration,
    /// How often it is looked whether screens have changed and are to be stored.
    pub keep_every: Duration,
    /// The shell, where it is not the person's own.
    pub shell: Option<PathBuf>,
    /// Whether shells are login shells when a client does not say.
    pub login_shell: bool,
}

/// Why there is no new terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// As many as allowed are running.
    #[error("too many terminals are running")]
    TooMany,
    /// The program did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

/// Every terminal, by name.
#[derive(Clone)]
pub struct Roster(Arc<Inner>);

struct Inner {
    terminals: Mutex<BTreeMap<TerminalId, Arc<Terminal>>>,
    listed: Arc<watch::Sender<u64>>,
    store: Store,
    habits: Habits,
    environment: Environment,
    person: Person,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// Held from looking for a place to taking it.
    opening: Mutex<()>,
}

impl Roster {
    /// Reads what an earlier run left and begins to keep screens. Blocks for the reading; wants
    /// a tokio runtime for the keeping.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn start(
        store: Store,
        habits: Habits,
        environment: Environment,
    ) -> Result<Self, StoreError> {
        let kept = store.run_here(terminals::all)?;
        let (listed, _) = watch::channel(0);
        let listed = Arc::new(listed);
        let restored = kept.into_iter().filter_map(|kept| restore(kept, &listed));
        let terminals = restored
            .map(|terminal| (terminal.id().clone(), terminal))
            .collect();
        let person = Person::of_this_process(&environment);
        let roster = Self(Arc::new(Inner {
            terminals: Mutex::new(terminals),
            listed,
            store,
            habits,
            environment,
            person,
            keeper: Mutex::new(None),
            opening: Mutex::new(()),
        }));
        #[expect(
            clippy::disallowed_methods,
            reason = "the roster owns it and ends it in stop"
        )]
        let keeping = tokio::task::spawn(keep_for_ever(roster.clone()));
        *roster
            .0
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(keeping);
        Ok(roster)
    }

    /// Starts a terminal. Blocks.
    ///
    /// # Errors
    ///
    /// There is none then.
    pub fn open(
        &self,
        id: TerminalId,
        workspace: Option<WorkspaceId>,
        asked: wire::TerminalOpen,
        now_ms: i64,
    ) -> Result<Arc<Terminal>, OpenError> {
        self.open_among(id, workspace, None, asked, now_ms)
    }

    /// The same for somebody who is `confined` to a workspace: half of all places are enough for it,
    /// and none but its own terminals make room. Blocks.
    ///
    /// # Errors
    ///
    /// There is none then.
    pub fn open_among(
        &self,
        id: TerminalId,
        workspace: Option<WorkspaceId>,
        confined: Option<&WorkspaceId>,
        asked: wire::TerminalOpen,
        now_ms: i64,
    ) -> Result<Arc<Terminal>, OpenError> {
        let _opening = self
            .0
            .opening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.make_room(confined)?;
        let program = self.program(&id, &asked);
        let name = asked.command.first().map(PathBuf::from);
        let name = name.as_ref().unwrap_or_else(|| self.shell());
        let opening = Opening {
            id: id.clone(),
            workspace,
            size: Size::asked(asked.columns, asked.rows).unwrap_or(Size::DEFAULT),
            program: name
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            title: asked.title.chars().take(TITLE_MAX).collect(),
            created_ms: now_ms,
            scrollback_lines: self.0.habits.scrollback_lines,
        };
        let listed = Arc::clone(&self.0.listed);
        let terminal = Terminal::start(id.clone(), Desk::new(opening), &program, listed)?;
        self.terminals().insert(id, Arc::clone(&terminal));
        self.tell();
        Ok(terminal)
    }

    /// One terminal.
    #[must_use]
    pub fn find(&self, id: &TerminalId) -> Option<Arc<Terminal>> {
        self.terminals().get(id).cloned()
    }

    /// Those of a workspace, or all; the oldest first.
    #[must_use]
    pub fn list(&self, workspace: Option<&WorkspaceId>) -> wire::TerminalList {
        let mut all = self.all();
        all.retain(|terminal| terminal.is_within(workspace));
        let mut terminals: Vec<_> = all.iter().map(|terminal| terminal.summary()).collect();
        terminals.sort_by(|one, two| {
            (one.created_unix_ms, &one.terminal_id).cmp(&(two.created_unix_ms, &two.terminal_id))
        });
        wire::TerminalList { terminals }
    }

    /// Rises whenever [`list`](Self::list) would read differently.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.listed.subscribe()
    }

    /// Ends a terminal's processes and forgets it, its stored screen too. False = no such one.
    pub async fn close(&self, id: &TerminalId) -> bool {
        let Some(terminal) = self.terminals().remove(id) else {
            return false;
        };
        self.tell();
        let grace = self.0.habits.grace;
        // A thread that died took nothing with it that could be done here.
        let _ = tokio::task::spawn_blocking(move || terminal.end(grace)).await;
        let name = id.as_str().to_owned();
        // Logged where it happened.
        let _ = self
            .0
            .store
            .run(move |connection| terminals::forget(connection, &name))
            .await;
        true
    }

    /// Stores all screens as they are and ends all programs.
    pub async fn stop(&self, now_ms: i64) {
        let keeper = self
            .0
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(keeper) = keeper {
            keeper.abort();
        }
        let all = self.all();
        self.keep(all.clone(), now_ms).await;
        let grace = self.0.habits.grace;
        let ends = all
            .into_iter()
            .map(|terminal| tokio::task::spawn_blocking(move || terminal.end(grace)));
        for end in ends.collect::<Vec<_>>() {
            // As in close().
            let _ = end.await;
        }
    }

    /// The person as whom everything runs.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.0.person
    }

    /// What programs inherit.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    async fn keep(&self, terminals: Vec<Arc<Terminal>>, now_ms: i64) {
        let roster = self.clone();
        let keeping = self.0.store.run(move |connection| {
            let mut terminals = terminals.iter();
            // One that was closed meanwhile is about to be forgotten by the store, or was already.
            terminals.try_for_each(|terminal| match roster.find(terminal.id()) {
                Some(_) => terminals::keep(connection, &kept(terminal, now_ms)),
                None => Ok(()),
            })
        });
        // Logged where it happened; the next change tries again.
        let _ = keeping.await;
    }

    /// Where all places are taken, the oldest terminal without a program makes room.
    fn make_room(&self, confined: Option<&WorkspaceId>) -> Result<(), OpenError> {
        let mut terminals = self.terminals();
        let most = self.0.habits.most;
        let own = |terminal: &&Arc<Terminal>| terminal.is_within(confined);
        let is_full = terminals.len() >= most
            || (confined.is_some() && terminals.values().filter(own).count() >= most.div_ceil(2));
        if !is_full {
            return Ok(());
        }
        let resting = terminals
            .values()
            .filter(|terminal| own(terminal) && !terminal.is_running());
        let oldest = resting
            .min_by_key(|terminal| terminal.summary().created_unix_ms)
            .cloned();
        let oldest = oldest.ok_or(OpenError::TooMany)?;
        terminals.remove(oldest.id());
        let name = oldest.id().as_str().to_owned();
        drop(terminals);
        // Its program is gone; jobs that it left behind go now.
        oldest.end(self.0.habits.grace);
        // Logged where it happened.
        let _ = self
            .0
            .store
            .run_here(|connection| terminals::forget(connection, &name));
        Ok(())
    }

    fn program(&self, id: &TerminalId, asked: &wire::TerminalOpen) -> Program {
        let person = &self.0.person;
        let mut arguments: Vec<OsString> = asked.command.iter().map(OsString::from).collect();
        if arguments.is_empty() {
            arguments.push(self.shell().clone().into());
            if asked.login_shell || self.0.habits.login_shell {
                arguments.push("-l".into());
            }
        }
        let directory = match asked.working_directory.as_str() {
            "" => person.home.clone(),
            // Absolute, or seen from home.
            given => person.home.join(given),
        };
        let environment = self.0.environment.for_terminal(person);
        Program {
            arguments,
            directory,
            environment: environment
                .with(asked.environment.clone())
                .marked((MARK, id.as_str())),
        }
    }

    fn shell(&self) -> &PathBuf {
        self.0.habits.shell.as_ref().unwrap_or(&self.0.person.shell)
    }

    fn all(&self) -> Vec<Arc<Terminal>> {
        self.terminals().values().cloned().collect()
    }

    fn tell(&self) {
        self.0.listed.send_modify(|count| *count += 1);
    }

    fn terminals(&self) -> MutexGuard<'_, BTreeMap<TerminalId, Arc<Terminal>>> {
        self.0
            .terminals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores every screen that changed since it was stored, at most once per round.
async fn keep_for_ever(roster: Roster) {
    let mut stored: BTreeMap<TerminalId, u64> = BTreeMap::new();
    let mut rounds = time::interval(roster.0.habits.keep_every);
    rounds.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let all = roster.all();
        let changes: BTreeMap<_, _> = all
            .iter()
            .map(|terminal| (terminal.id().clone(), terminal.changes()))
            .collect();
        let moved = all
            .into_iter()
            .filter(|terminal| stored.get(terminal.id()) != changes.get(terminal.id()));
        let moved: Vec<_> = moved.collect();
        if !moved.is_empty() {
            roster.keep(moved, crate::clock::unix_ms()).await;
        }
        stored = changes;
    }
}

fn kept(terminal: &Terminal, kept_ms: i64) -> KeptTerminal {
    let (summary, sequence, screen) = terminal.kept();
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    KeptTerminal {
        id: summary.terminal_id,
        title: summary.title,
        workspace_id: terminal
            .workspace()
            .map_or_else(String::new, |id| id.as_str().to_owned()),
        width: number(summary.columns),
        height: number(summary.rows),
        state: summary.state,
        exit_code: summary.exit_code,
        created_ms: summary.created_unix_ms,
        kept_ms,
        screen,
        sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
    }
}

/// A terminal of an earlier run: what ended has ended, what ran is lost.
fn restore(kept: KeptTerminal, listed: &Arc<watch::Sender<u64>>) -> Option<Arc<Terminal>> {
    let id = TerminalId::parse(&kept.id).ok()?;
    let number = |value: i32| u32::try_from(value).unwrap_or_default();
    let state = match kept.state == i32::from(wire::TerminalState::Ended) {
        true => State::Ended(kept.exit_code),
        false => State::Lost,
    };
    let opening = Opening {
        id: id.clone(),
        workspace: WorkspaceId::parse(&kept.workspace_id).ok(),
        size: Size::asked(number(kept.width), number(kept.height)).unwrap_or(Size::DEFAULT),
        program: kept.title,
        title: String::new(),
        created_ms: kept.created_ms,
        scrollback_lines: RESTORED_LINES,
    };
    let sequence = u64::try_from(kept.sequence).unwrap_or_default();
    let desk = Desk::restored(opening, state, &kept.screen, sequence);
    Some(Terminal::resting(id, desk, Arc::clone(listed)))
}

/// In the environment of everything that runs on a terminal, with the terminal's name: so that
/// a prompt or a script can tell where it is.
const MARK: &str = "LEAPMUX_TERMINAL";
/// Characters of a title.
const TITLE_MAX: usize = 256;
/// More than a stored screen ever holds, so that none of it is lost.
const RESTORED_LINES: usize = 50_000;
