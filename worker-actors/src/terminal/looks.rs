//! What can be seen of a screen, as text: two screens look the same when it is equal.
//! Tests and fuzzers compare with it what a snapshot rebuilt.

use alacritty_terminal::{
    grid::{Cursor, Dimensions, Grid},
    index::{Column, Line},
    term::cell::{Cell, Flags},
    vte::ansi::{Color, NamedColor},
};

/// Everything that shows, and everything that will show in what is written next.
#[cfg(feature = "fuzzing")]
#[must_use]
pub fn looks(screen: &mut super::screen::Screen) -> Vec<String> {
    let mut looks = Vec::new();
    if let Some(primary) = screen.hidden_primary() {
        looks.extend(picture(&primary));
        looks.push(format!(
            "{:?} {}",
            primary.cursor.point,
            dress(&primary.cursor)
        ));
    }
    let region = screen.region();
    let stops = screen.tab_stops();
    let grid = screen.term().grid();
    looks.extend(picture(grid));
    looks.push(dress(&grid.cursor));
    looks.push(format!(
        "{:?} {}",
        grid.saved_cursor.point,
        dress(&grid.saved_cursor)
    ));
    looks.push(format!(
        "{:?} {:?} {region:?} {stops:?}",
        screen.mode(),
        screen.charset()
    ));
    looks.push(format!("{:?}", screen.term().cursor_style()));
    // With origin mode on, no sequence reaches a row outside the region.
    let row = usize::try_from(grid.cursor.point.line.0).unwrap_or(0);
    if !screen
        .mode()
        .contains(alacritty_terminal::term::TermMode::ORIGIN)
        || (region.0..region.1).contains(&row)
    {
        looks.push(format!("{:?} {}", grid.cursor.point, waits(grid)));
    }
    looks
}

/// What a person would see of a cell.
fn seen(grid: &Grid<Cell>, line: i32, column: usize) -> String {
    let cell = &grid[Line(line)][Column(column)];
    let spacer = |at: usize| {
        at < grid.columns()
            && grid[Line(line)][Column(at)]
                .flags
                .contains(Flags::WIDE_CHAR_SPACER)
    };
    let wide = cell.flags.contains(Flags::WIDE_CHAR) && spacer(column + 1);
    let half = !wide
        && cell
            .flags
            .intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER);
    let c = if half || cell.c.is_control() {
        ' '
    } else {
        cell.c
    };
    let marks = if half {
        &[][..]
    } else {
        cell.zerowidth().unwrap_or_default()
    };
    let inked = c != ' ' || !marks.is_empty();
    let lines = Flags::INVERSE | Flags::ALL_UNDERLINES | Flags::STRIKEOUT;
    let plain = !inked
        && cell.bg == Color::Named(NamedColor::Background)
        && !cell.flags.intersects(lines)
        && cell.hyperlink().is_none();
    if plain {
        return String::from(" ");
    }
    let shown = lines | Flags::BOLD_ITALIC | Flags::DIM | Flags::HIDDEN;
    let link = cell.hyperlink().map(|link| link.uri().to_owned());
    let flags = cell.flags & shown;
    let under = cell.underline_color();
    format!(
        "{c}{marks:?} {:?} {:?} {flags:?} {link:?} {under:?}",
        cell.fg, cell.bg
    )
}

pub(super) fn picture(grid: &Grid<Cell>) -> Vec<String> {
    let mut rows = Vec::new();
    for line in grid.topmost_line().0..=grid.bottommost_line().0 {
        let last = &grid[Line(line)][Column(grid.columns() - 1)];
        // A cursor that waits to wrap is put there by writing the last cell again, which forgets
        // that the row had wrapped once before; only a later change of width would tell.
        let waits = waits(grid) && grid.cursor.point.line.0 == line;
        let below = line < grid.bottommost_line().0;
        let wraps = below && !waits && last.flags.contains(Flags::WRAPLINE);
        let cells = (0..grid.columns()).map(|column| seen(grid, line, column));
        rows.push(format!("{wraps} {}", cells.collect::<Vec<_>>().join("|")));
    }
    rows
}

/// The cursor stands behind the last column. (The model also remembers that after a backward
/// tab, where no terminal does.)
pub(super) fn waits(grid: &Grid<Cell>) -> bool {
    grid.cursor.input_needs_wrap && grid.cursor.point.column.0 + 1 == grid.columns()
}

pub(super) fn dress(cursor: &Cursor<Cell>) -> String {
    let pen = &cursor.template;
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        pen.fg,
        pen.bg,
        pen.flags,
        pen.underline_color(),
        cursor.charsets
    )
}
