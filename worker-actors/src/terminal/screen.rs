//! The screen as it stands after so many bytes of output.

use std::{sync::mpsc, time::Duration};

use alacritty_terminal::{
    Term,
    event::Event,
    grid::{Dimensions, Grid},
    index::{Column, Line},
    term::{Config, TermMode, cell::Cell},
    vte::ansi::{
        CharsetIndex, Handler, NamedColor, NamedPrivateMode, PrivateMode, Processor, Rgb, Timeout,
    },
};

use super::{
    boundary::{Boundary, Fate},
    model::{Guarded, Scribe},
    size::Size,
    snapshot,
};

pub use super::model::News;

/// A screen with its scrollback, both buffers, cursor, modes, and the count of bytes that made
/// it so. Bytes in; news and snapshots out.
pub struct Screen {
    term: Term<Scribe>,
    parser: Processor<Unhurried>,
    events: mpsc::Receiver<Event>,
    boundary: Boundary,
    charset: CharsetIndex,
    /// The bytes of a character whose rest has not come yet.
    held: Vec<u8>,
    size: Size,
    sequence: u64,
}

impl Screen {
    /// An empty screen that remembers so many lines above it.
    #[must_use]
    pub fn new(size: Size, scrollback_lines: usize) -> Self {
        let (scribe, events) = Scribe::new();
        let config = Config {
            scrolling_history: scrollback_lines,
            ..Config::default()
        };
        Self {
            term: Term::new(config, &Cells(size), scribe),
            parser: Processor::new(),
            events,
            boundary: Boundary::default(),
            charset: CharsetIndex::default(),
            held: Vec::new(),
            size,
            sequence: 0,
        }
    }

    /// Takes output of the program.
    pub fn write(&mut self, bytes: &[u8]) -> Vec<News> {
        let mut feed = std::mem::take(&mut self.held);
        feed.reserve(bytes.len());
        for byte in bytes {
            let begun = self.boundary.begun_character();
            if begun > 0 && !is_continuation(*byte) {
                // It never ends. Left to the parser it would wait there for what may come later.
                feed.truncate(feed.len().saturating_sub(begun));
                feed.extend_from_slice(REPLACEMENT);
            }
            match self.boundary.step(*byte) {
                Fate::Feed => feed.push(*byte),
                Fate::Skip => {}
                Fate::Abort => feed.push(CANCEL),
            }
        }
        // The parser loses what follows a character that it was given in two parts.
        let whole = feed.len().saturating_sub(self.boundary.begun_character());
        self.held = feed.split_off(whole);
        self.feed(&feed);
        self.sequence += bytes.len() as u64;
        self.news()
    }

    /// Counts from there on: what was written so far rebuilt a screen that stood at `sequence`.
    pub const fn count_from(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Takes another size. The model reflows its primary buffer as browsers' terminals do.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.term.resize(Cells(size));
    }

    /// The bytes that rebuild this screen in an empty terminal of the same size, the oldest
    /// scrollback left out where they would be more than `budget`.
    pub fn snapshot(&mut self, budget: usize) -> Vec<u8> {
        let mut bytes = snapshot::rebuild(self, budget);
        bytes.extend_from_slice(self.boundary.tail());
        bytes
    }

    /// Bytes of output taken so far.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Columns and rows.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// The visible rows as text, without styles and trailing blanks.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        let grid = self.term.grid();
        let row = |line: i32| {
            let cells = (0..grid.columns()).map(|column| &grid[Line(line)][Column(column)]);
            let shown = |c: char| if c.is_control() { ' ' } else { c };
            cells
                .map(|cell| shown(cell.c))
                .collect::<String>()
                .trim_end()
                .to_owned()
        };
        (0..i32::from(self.size.rows)).map(row).collect()
    }

    pub(super) fn mode(&self) -> TermMode {
        *self.term.mode()
    }

    pub(super) const fn term(&self) -> &Term<Scribe> {
        &self.term
    }

    pub(super) const fn charset(&self) -> CharsetIndex {
        self.charset
    }

    /// The primary buffer while the alternate one is shown; the two are swapped for a moment.
    pub(super) fn hidden_primary(&mut self) -> Option<Grid<Cell>> {
        self.mode().contains(TermMode::ALT_SCREEN).then(|| {
            let alternate = self.term.grid().clone();
            self.term.swap_alt();
            let primary = self.term.grid().clone();
            self.term.swap_alt();
            *self.term.grid_mut() = alternate;
            primary
        })
    }

    /// First row and the row after the last of the scrolling region, which the model keeps to
    /// itself: origin mode shows it.
    pub(super) fn region(&mut self) -> (usize, usize) {
        let cursor = self.term.grid().cursor.clone();
        let origin = PrivateMode::Named(NamedPrivateMode::Origin);
        let was_set = self.mode().contains(TermMode::ORIGIN);
        self.term.set_private_mode(origin);
        let first = self.term.grid().cursor.point.line.0;
        self.term.goto(i32::from(u16::MAX), 0);
        let last = self.term.grid().cursor.point.line.0;
        if !was_set {
            self.term.unset_private_mode(origin);
        }
        self.term.grid_mut().cursor = cursor;
        (
            usize::try_from(first).unwrap_or(0),
            usize::try_from(last + 1).unwrap_or(0),
        )
    }

    /// Columns with a tab stop, the first excepted: found by walking from stop to stop.
    pub(super) fn tab_stops(&mut self) -> Vec<usize> {
        let cursor = self.term.grid().cursor.clone();
        let last = self.term.columns() - 1;
        self.term.grid_mut().cursor.point.column = Column(0);
        let mut stops = Vec::new();
        loop {
            self.term.move_forward_tabs(1);
            let column = self.term.grid().cursor.point.column.0;
            if column >= last {
                break;
            }
            stops.push(column);
        }
        self.term.grid_mut().cursor = cursor;
        stops
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut guarded = Guarded {
            term: &mut self.term,
            charset: &mut self.charset,
        };
        self.parser.advance(&mut guarded, bytes);
    }

    fn news(&self) -> Vec<News> {
        let mut news = Vec::new();
        for event in self.events.try_iter() {
            match event {
                Event::Title(title) => news.push(News::Title(Some(title))),
                Event::ResetTitle => news.push(News::Title(None)),
                Event::Bell => news.push(News::Bell),
                Event::PtyWrite(answer) => news.push(News::Answer(answer)),
                Event::ColorRequest(index, format) => {
                    news.extend(
                        self.colour(index)
                            .map(|colour| News::Answer(format(colour))),
                    );
                }
                Event::MouseCursorDirty
                | Event::ClipboardStore(..)
                | Event::ClipboardLoad(..)
                | Event::TextAreaSizeRequest(_)
                | Event::CursorBlinkingChange
                | Event::Wakeup
                | Event::Exit
                | Event::ChildExit(_) => {}
            }
        }
        news
    }

    /// What the program set, else what a dark terminal has.
    fn colour(&self, index: usize) -> Option<Rgb> {
        const TEXT: usize = NamedColor::Foreground as usize;
        const PAPER: usize = NamedColor::Background as usize;
        const CURSOR: usize = NamedColor::Cursor as usize;
        let usual = match index {
            TEXT | CURSOR => Some(Rgb {
                r: 0xe5,
                g: 0xe5,
                b: 0xe5,
            }),
            PAPER => Some(Rgb { r: 0, g: 0, b: 0 }),
            _ => None,
        };
        let known = index < alacritty_terminal::term::color::COUNT;
        known.then(|| self.term.colors()[index]).flatten().or(usual)
    }
}

struct Cells(Size);

impl Dimensions for Cells {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.0.rows)
    }

    fn columns(&self) -> usize {
        usize::from(self.0.columns)
    }
}

/// Synchronised updates (mode 2026) are for drawing; a model that is only read in between needs
/// no waiting, and the clock stays out of it.
#[derive(Default)]
struct Unhurried;

impl Timeout for Unhurried {
    fn set_timeout(&mut self, _duration: Duration) {}
    fn clear_timeout(&mut self) {}
    fn pending_timeout(&self) -> bool {
        false
    }
}

/// A byte in the middle or at the end of a UTF-8 character.
fn is_continuation(byte: u8) -> bool {
    (0x80..=0xbf).contains(&byte)
}

const CANCEL: u8 = 0x18;
/// U+FFFD, which stands for what is no character.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
