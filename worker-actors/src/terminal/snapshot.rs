//! The bytes that rebuild a screen in an empty terminal of the same size.
//!
//! Rows are written one by one, each from a fresh style and each ending in one, so that the
//! oldest can be left out. Then follow what no row shows: tab stops, the saved cursor, the
//! scrolling region, modes, colours, and last the cursor, since most of these move it.

use std::{fmt::Write as _, ops::Range};

use alacritty_terminal::{
    grid::{Cursor, Dimensions, Grid},
    index::{Column, Line},
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{CharsetIndex, Color, CursorShape, CursorStyle, NamedColor, Rgb, StandardCharset},
};

use super::{
    pen::{Pen, Style, write_link},
    screen::Screen,
};

/// Everything but the tail of an unfinished sequence.
pub(super) fn rebuild(screen: &mut Screen, budget: usize) -> Vec<u8> {
    let mut out = String::new();
    if let Some(primary) = screen.hidden_primary() {
        rows(&mut out, &primary, budget);
        // 1049 saves the primary cursor, so it has to stand where it stood.
        pointed(&mut out, &primary, &(0..primary.screen_lines()));
        out.push_str("\x1b[?1049h\x1b(B\x1b]8;;\x1b\\\x1b[m\x1b[H\x1b[2J");
    }
    rows(&mut out, screen.term().grid(), budget);
    tab_stops(&mut out, screen);
    saved_cursor(&mut out, screen.term().grid());
    let reach = region_and_origin(&mut out, screen);
    pointed(&mut out, screen.term().grid(), &reach);
    if screen.charset() == CharsetIndex::G1 {
        out.push('\x0e');
    }
    modes(&mut out, screen.mode());
    style_of_cursor(&mut out, screen.term().cursor_style());
    colours(&mut out, screen);
    out.into_bytes()
}

/// All rows that fit, the newest first to be chosen and the last to be written.
fn rows(out: &mut String, grid: &Grid<Cell>, budget: usize) {
    let mut chosen = Vec::with_capacity(grid.total_lines());
    let mut bytes = 0;
    for line in (grid.topmost_line().0..=grid.bottommost_line().0).rev() {
        let row = Row { grid, line };
        let text = row.written(line > grid.topmost_line().0 && row.above().wraps());
        bytes += text.len();
        // The screen itself is always whole.
        if bytes > budget && line < 0 {
            break;
        }
        chosen.push(text);
    }
    chosen.iter().rev().for_each(|text| out.push_str(text));
}

struct Row<'a> {
    grid: &'a Grid<Cell>,
    line: i32,
}

impl<'a> Row<'a> {
    const fn above(&self) -> Self {
        Self {
            grid: self.grid,
            line: self.line - 1,
        }
    }

    fn cell(&self, column: usize) -> &'a Cell {
        &self.grid[Line(self.line)][Column(column)]
    }

    fn columns(&self) -> usize {
        self.grid.columns()
    }

    /// The row goes on in the next one.
    fn wraps(&self) -> bool {
        self.line < self.grid.bottommost_line().0
            && self
                .cell(self.columns() - 1)
                .flags
                .contains(Flags::WRAPLINE)
    }

    /// The bytes of this row, from column 0 with a fresh style to the line feed behind it.
    fn written(&self, continues: bool) -> String {
        let mut out = String::new();
        if continues {
            self.provoke_wrap(&mut out);
        }
        let mut pen = Pen::default();
        let mut column = 0;
        let end = self.end();
        while column < end {
            column += self.put(&mut out, &mut pen, column);
        }
        pen.lift(&mut out);
        if !self.wraps() && self.line < self.grid.bottommost_line().0 {
            out.push_str("\r\n");
        }
        out
    }

    /// Makes the terminal wrap by itself, in a fresh style since the new row takes its
    /// background from it. What is written here is written over.
    fn provoke_wrap(&self, out: &mut String) {
        let (first, _) = self.glyph(0);
        out.push(if self.above().leaves_last_out() {
            first
        } else {
            ' '
        });
        out.push('\r');
    }

    /// One past the last cell that must be written.
    fn end(&self) -> usize {
        if self.wraps() {
            return self.columns() - usize::from(self.leaves_last_out());
        }
        (0..self.columns())
            .rev()
            .find(|column| !blank(self.cell(*column)))
            .map_or(0, |at| at + 1)
    }

    /// The row wrapped one column early, for a wide character that did not fit.
    fn leaves_last_out(&self) -> bool {
        let last = self.cell(self.columns() - 1);
        let next = Self {
            grid: self.grid,
            line: self.line + 1,
        };
        last.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER) && blank(last) && next.glyph(0).1 == 2
    }

    /// Writes the cell and says how many columns that took.
    fn put(&self, out: &mut String, pen: &mut Pen, column: usize) -> usize {
        let cell = self.cell(column);
        pen.take(out, cell);
        let (glyph, width) = self.glyph(column);
        out.push(glyph);
        let half = width == 1
            && cell
                .flags
                .intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER);
        let combining = cell.zerowidth().filter(|_| !half);
        combining
            .unwrap_or_default()
            .iter()
            .for_each(|c| out.push(*c));
        // Terminals disagree on the width of such characters: say where the next one goes.
        let unsure = width == 2 || combining.is_some_and(|marks| !marks.is_empty());
        if unsure && column + width < self.end() {
            let _ = write!(out, "\x1b[{}G", column + width + 1);
        }
        width
    }

    /// What a cell shows and how wide that is; half a wide character shows nothing.
    fn glyph(&self, column: usize) -> (char, usize) {
        let cell = self.cell(column);
        let whole = column + 1 < self.columns()
            && self
                .cell(column + 1)
                .flags
                .contains(Flags::WIDE_CHAR_SPACER);
        match cell.c {
            c if cell.flags.contains(Flags::WIDE_CHAR) && whole => (c, 2),
            _ if cell
                .flags
                .intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER) =>
            {
                (' ', 1)
            }
            c if c.is_control() => (' ', 1),
            c => (c, 1),
        }
    }
}

/// An empty terminal shows the same.
fn blank(cell: &Cell) -> bool {
    let bare = cell.c == ' ' || cell.c == '\t';
    let marks = Flags::INVERSE | Flags::ALL_UNDERLINES | Flags::STRIKEOUT | Flags::WIDE_CHAR_SPACER;
    bare && cell.bg == Color::Named(NamedColor::Background)
        && !cell.flags.intersects(marks)
        && cell.zerowidth().unwrap_or_default().is_empty()
        && cell.hyperlink().is_none()
}

fn tab_stops(out: &mut String, screen: &mut Screen) {
    let stops = screen.tab_stops();
    let last = usize::from(screen.size().columns) - 1;
    if stops.iter().copied().eq((8..last).step_by(8)) {
        return;
    }
    out.push_str("\x1b[3g");
    for column in stops {
        let _ = write!(out, "\x1b[{}G\x1bH", column + 1);
    }
}

fn saved_cursor(out: &mut String, grid: &Grid<Cell>) {
    if grid.saved_cursor != Cursor::default() {
        cursor(out, &grid.saved_cursor);
        out.push_str("\x1b7");
    }
}

/// Position, style and character sets of a cursor.
fn cursor(out: &mut String, cursor: &Cursor<Cell>) {
    move_to(out, cursor, 0);
    dress(out, cursor);
}

fn move_to(out: &mut String, cursor: &Cursor<Cell>, top: usize) {
    let row = usize::try_from(cursor.point.line.0)
        .unwrap_or(0)
        .saturating_sub(top);
    let _ = write!(out, "\x1b[{};{}H", row + 1, cursor.point.column.0 + 1);
}

fn dress(out: &mut String, cursor: &Cursor<Cell>) {
    Style::of(&cursor.template).write(out);
    write_link(out, cursor.template.hyperlink().as_ref());
    for (index, name) in [
        (CharsetIndex::G0, '('),
        (CharsetIndex::G1, ')'),
        (CharsetIndex::G2, '*'),
        (CharsetIndex::G3, '+'),
    ] {
        let set = match cursor.charsets[index] {
            StandardCharset::Ascii => 'B',
            StandardCharset::SpecialCharacterAndLineDrawing => '0',
        };
        let _ = write!(out, "\x1b{name}{set}");
    }
}

/// The cursor of a buffer, and whether the next character wraps first: that state only comes
/// from writing into the last column.
fn pointed(out: &mut String, grid: &Grid<Cell>, reach: &Range<usize>) {
    let at = &grid.cursor;
    out.push_str("\x1b(B\x1b[m\x1b]8;;\x1b\\");
    move_to(out, at, reach.start);
    let reached = usize::try_from(at.point.line.0).is_ok_and(|row| reach.contains(&row));
    let last = grid.columns() - 1;
    if reached && at.input_needs_wrap && at.point.column.0 == last {
        let row = Row {
            grid,
            line: at.point.line.0,
        };
        let half = row.glyph(last - 1).1 == 2;
        if half {
            let _ = write!(out, "\x1b[{last}G");
        }
        let mut pen = Pen::default();
        row.put(out, &mut pen, last - usize::from(half));
        pen.lift(out);
    }
    dress(out, at);
}

/// DECSTBM and DECOM; says which rows the cursor can be sent to, counted from the first of them.
fn region_and_origin(out: &mut String, screen: &mut Screen) -> Range<usize> {
    let rows = usize::from(screen.size().rows);
    let (top, end) = screen.region();
    if (top, end) != (0, rows) {
        let _ = write!(out, "\x1b[{};{end}r", top + 1);
    }
    if screen.mode().contains(TermMode::ORIGIN) {
        out.push_str("\x1b[?6h");
        return top..end;
    }
    0..rows
}

/// Modes that differ from those of an empty terminal.
fn modes(out: &mut String, mode: TermMode) {
    for (flag, set, code) in MODE_CODES {
        if mode.contains(*flag) == *set {
            out.push_str(code);
        }
    }
}

const MODE_CODES: &[(TermMode, bool, &str)] = &[
    (TermMode::APP_CURSOR, true, "\x1b[?1h"),
    (TermMode::APP_KEYPAD, true, "\x1b="),
    (TermMode::LINE_WRAP, false, "\x1b[?7l"),
    (TermMode::SHOW_CURSOR, false, "\x1b[?25l"),
    (TermMode::INSERT, true, "\x1b[4h"),
    (TermMode::LINE_FEED_NEW_LINE, true, "\x1b[20h"),
    (TermMode::MOUSE_REPORT_CLICK, true, "\x1b[?1000h"),
    (TermMode::MOUSE_DRAG, true, "\x1b[?1002h"),
    (TermMode::MOUSE_MOTION, true, "\x1b[?1003h"),
    (TermMode::FOCUS_IN_OUT, true, "\x1b[?1004h"),
    (TermMode::UTF8_MOUSE, true, "\x1b[?1005h"),
    (TermMode::SGR_MOUSE, true, "\x1b[?1006h"),
    (TermMode::ALTERNATE_SCROLL, false, "\x1b[?1007l"),
    (TermMode::URGENCY_HINTS, false, "\x1b[?1042l"),
    (TermMode::BRACKETED_PASTE, true, "\x1b[?2004h"),
];

/// DECSCUSR, when a program chose.
fn style_of_cursor(out: &mut String, style: CursorStyle) {
    let code = match (style.shape, style.blinking) {
        (CursorShape::Underline, blinking) => 4 - u8::from(blinking),
        (CursorShape::Beam, blinking) => 6 - u8::from(blinking),
        (CursorShape::Block | CursorShape::HollowBlock | CursorShape::Hidden, true) => 1,
        (CursorShape::Block | CursorShape::HollowBlock | CursorShape::Hidden, false) => return,
    };
    let _ = write!(out, "\x1b[{code} q");
}

/// OSC 4, 10, 11 and 12 for what was set.
fn colours(out: &mut String, screen: &Screen) {
    let colours = screen.term().colors();
    let named = [
        NamedColor::Foreground,
        NamedColor::Background,
        NamedColor::Cursor,
    ];
    let palette = (0..256_usize).map(|index| (index, format!("4;{index}")));
    let dynamic = named
        .into_iter()
        .zip(10..)
        .map(|(name, code)| (name as usize, code.to_string()));
    for (index, code) in palette.chain(dynamic) {
        if let Some(Rgb { r, g, b }) = colours[index] {
            let _ = write!(out, "\x1b]{code};rgb:{r:02x}/{g:02x}/{b:02x}\x1b\\");
        }
    }
}
