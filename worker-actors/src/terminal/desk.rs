//! One terminal: its screen, the clients that look at it, its title and its state.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use schema::{
    ids::{TerminalId, WorkspaceId},
    wire,
};

use super::{
    answers::is_answer,
    screen::{News, Screen},
    size::Size,
    view::{Snapshot, View},
};

/// What was asked for when the terminal was opened.
pub struct Opening {
    /// Its name.
    pub id: TerminalId,
    /// The workspace it is opened in; none = the owner's own.
    pub workspace: Option<WorkspaceId>,
    /// Columns and rows.
    pub size: Size,
    /// The title while neither a person nor the program gave one.
    pub program: String,
    /// The title a person gave; empty = none.
    pub title: String,
    /// When, in Unix milliseconds.
    pub created_ms: i64,
    /// Lines kept above the screen.
    pub scrollback_lines: usize,
}

/// What a terminal is like as a whole; the part of it that survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its program runs.
    Running,
    /// Its program ended with this exit code; 128 + n when signal n ended it.
    Ended(i32),
    /// The Worker restarted under it.
    Lost,
}

/// A terminal, without its pty. Events in; bytes for the pty, for the clients and for the store
/// out.
pub struct Desk {
    id: TerminalId,
    workspace: Option<WorkspaceId>,
    screen: Screen,
    recent: Recent,
    views: BTreeMap<u64, Place>,
    next_view: u64,
    /// Whose terminal answers the program's queries: who typed last, else who came last, of those
    /// who may type.
    active: Option<u64>,
    program: String,
    title_by_person: String,
    title_by_program: Option<String>,
    state: State,
    created_ms: i64,
    bell: bool,
    /// Counts everything that a stored copy would have to repeat.
    changes: u64,
    announcements: u64,
}

/// What a desk knows of one client.
struct Place {
    view: View,
    may_type: bool,
    /// What it asked for last.
    size: Option<Size>,
}

/// What comes of input.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// What the program may read of it.
    pub data: Option<Bytes>,
    /// The size that it has from now on, when it is new.
    pub size: Option<Size>,
}

/// A client's place at a desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewId(u64);

impl Desk {
    /// A terminal whose program was just started.
    #[must_use]
    pub fn new(opening: Opening) -> Self {
        Self {
            id: opening.id,
            workspace: opening.workspace,
            screen: Screen::new(opening.size, opening.scrollback_lines),
            recent: Recent::default(),
            views: BTreeMap::new(),
            next_view: 0,
            active: None,
            program: opening.program,
            title_by_person: opening.title,
            title_by_program: None,
            state: State::Running,
            created_ms: opening.created_ms,
            bell: false,
            changes: 0,
            announcements: 0,
        }
    }

    /// A terminal of an earlier run, with the screen it was left with and where its output stood: a
    /// client that saw more of it keeps its own.
    #[must_use]
    pub fn restored(opening: Opening, state: State, screen: &[u8], sequence: u64) -> Self {
        let mut desk = Self::new(opening);
        desk.screen.write(screen);
        desk.screen.count_from(sequence);
        desk.state = state;
        desk
    }

    /// The program wrote. Gives the answers to its queries that no client will give.
    pub fn output(&mut self, data: Bytes) -> Vec<u8> {
        let news = self.screen.write(&data);
        let sequence = self.screen.sequence();
        for place in self.views.values_mut() {
            place.view.output(sequence, data.clone());
        }
        self.recent.push(sequence, data);
        self.changes += 1;
        self.heed(news)
    }

    /// The program ended.
    pub fn ended(&mut self, exit_code: i32) {
        self.state = State::Ended(exit_code);
        self.announce();
    }

    /// A client comes to look. It already shows everything up to `shown` bytes; 0 = nothing. One
    /// that may not type is never asked for answers: what it says is not heard.
    pub fn attach(&mut self, shown: u64, may_type: bool) -> ViewId {
        let id = self.next_view;
        self.next_view += 1;
        let sequence = self.screen.sequence();
        let missing = (shown != 0)
            .then(|| self.recent.since(shown, sequence))
            .flatten();
        let view = missing.map_or_else(View::new, |bytes| View::continued(sequence, bytes));
        let place = Place {
            view,
            may_type,
            size: None,
        };
        self.views.insert(id, place);
        self.active = self.active.or_else(|| may_type.then_some(id));
        self.announce();
        ViewId(id)
    }

    /// A client has left.
    pub fn detach(&mut self, view: ViewId) {
        self.views.remove(&view.0);
        if self.active == Some(view.0) {
            let mut typists = self.views.iter().filter(|(_, place)| place.may_type);
            self.active = typists.next_back().map(|(id, _)| *id);
        }
        self.announce();
    }

    /// A client typed, or its terminal answered. Typing brings the size back that the client
    /// asked for last.
    pub fn input(&mut self, view: ViewId, data: Bytes) -> Typed {
        let Some(place) = self.views.get(&view.0).filter(|place| place.may_type) else {
            return Typed::default();
        };
        if is_answer(&data) {
            let data = (self.active == Some(view.0)).then_some(data);
            return Typed { data, size: None };
        }
        let size = place.size;
        self.active = Some(view.0);
        if std::mem::take(&mut self.bell) {
            self.announce();
        }
        Typed {
            data: Some(data),
            size: size.and_then(|size| self.take_size(size)),
        }
    }

    /// A client asks for a size; the last one who asks gets it. Gives the size when it is new.
    pub fn resize(&mut self, view: ViewId, size: Size) -> Option<Size> {
        let place = self.views.get_mut(&view.0);
        place.filter(|place| place.may_type)?.size = Some(size);
        self.active = Some(view.0);
        self.take_size(size)
    }

    fn take_size(&mut self, size: Size) -> Option<Size> {
        if size == self.screen.size() || self.state != State::Running {
            return None;
        }
        self.screen.resize(size);
        // Older bytes were drawn on another width.
        self.recent = Recent::default();
        self.announce();
        Some(size)
    }

    /// A person names the terminal; empty = the program's title again.
    pub fn rename(&mut self, title: &str) {
        self.title_by_person = title.chars().take(TITLE_MAX).collect();
        self.announce();
    }

    /// The next event for a client with so much room.
    pub fn next_event(&mut self, view: ViewId, room: usize) -> Option<Bytes> {
        let view = &mut self.views.get_mut(&view.0)?.view;
        if view.wants_snapshot(room) {
            view.take_snapshot(Snapshot {
                sequence: self.screen.sequence(),
                size: self.screen.size(),
                data: self.screen.snapshot(SNAPSHOT_MAX).into(),
            });
        }
        view.next(room)
    }

    /// The screen as bytes, for the store, and where its output stands.
    pub fn kept_screen(&mut self) -> (u64, Vec<u8>) {
        (self.screen.sequence(), self.screen.snapshot(KEPT_MAX))
    }

    /// What lists show of it.
    #[must_use]
    pub fn summary(&self) -> wire::TerminalSummary {
        let size = self.screen.size();
        let (state, exit_code) = match self.state {
            State::Running => (wire::TerminalState::Running, 0),
            State::Ended(code) => (wire::TerminalState::Ended, code),
            State::Lost => (wire::TerminalState::Lost, 0),
        };
        wire::TerminalSummary {
            terminal_id: self.id.as_str().to_owned(),
            title: self.title().to_owned(),
            columns: size.columns.into(),
            rows: size.rows.into(),
            state: state.into(),
            exit_code,
            created_unix_ms: self.created_ms,
            attached: u32::try_from(self.views.len()).unwrap_or(u32::MAX),
            bell: self.bell,
            workspace_id: self
                .workspace
                .as_ref()
                .map_or_else(String::new, |id| id.as_str().to_owned()),
        }
    }

    /// The workspace it was opened in.
    #[must_use]
    pub const fn workspace(&self) -> Option<&WorkspaceId> {
        self.workspace.as_ref()
    }

    /// Rises with everything that a stored copy would have to repeat.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Rises with everything that [`summary`](Self::summary) shows.
    #[must_use]
    pub const fn announcements(&self) -> u64 {
        self.announcements
    }

    /// Whether its program runs, ended or was lost.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The screen, to look at.
    #[must_use]
    pub const fn screen(&self) -> &Screen {
        &self.screen
    }

    fn title(&self) -> &str {
        let by_program = self
            .title_by_program
            .as_deref()
            .filter(|title| !title.is_empty());
        match self.title_by_person.as_str() {
            "" => by_program.unwrap_or(&self.program),
            given => given,
        }
    }

    /// Titles and bells are announced once per piece of output, however many there were.
    fn heed(&mut self, news: Vec<News>) -> Vec<u8> {
        let reader = self.active.and_then(|active| self.views.get(&active));
        let asked_in_vain = reader.is_none_or(|place| place.view.is_behind());
        let before = (self.title_by_program.clone(), self.bell);
        let mut answers = Vec::new();
        for item in news {
            match item {
                News::Title(title) => self.title_by_program = title,
                News::Bell => self.bell = true,
                News::Answer(answer) if asked_in_vain => answers.extend(answer.bytes()),
                News::Answer(_) => {}
            }
        }
        if before != (self.title_by_program.clone(), self.bell) {
            self.announce();
        }
        answers
    }

    fn announce(&mut self) {
        self.changes += 1;
        self.announcements += 1;
        let summary = self.summary();
        for place in self.views.values_mut() {
            place.view.summary(summary.clone());
        }
    }
}

/// The newest output as it came, for clients that missed only a little.
#[derive(Default)]
struct Recent {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    end: u64,
}

impl Recent {
    fn push(&mut self, end: u64, data: Bytes) {
        self.end = end;
        self.bytes += data.len();
        self.pieces.push_back(data);
        while self.bytes > RECENT_MAX
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }

    /// Everything after `shown`, when it is all still here.
    fn since(&self, shown: u64, sequence: u64) -> Option<Bytes> {
        let missing = usize::try_from(sequence.checked_sub(shown)?).ok()?;
        if missing == 0 && self.end == 0 {
            // Nothing was written since the size changed; the client may show another size.
            return None;
        }
        let skip = self.bytes.checked_sub(missing)?;
        let bytes = self.pieces.iter().flatten().copied();
        Some(bytes.skip(skip).collect())
    }
}

/// Characters of a title given by a person.
const TITLE_MAX: usize = 256;
/// Raw output kept for clients that missed only a little.
const RECENT_MAX: usize = 128 << 10;
/// A snapshot for a client.
const SNAPSHOT_MAX: usize = 8 << 20;
/// A snapshot for the store.
const KEPT_MAX: usize = 1 << 20;

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
