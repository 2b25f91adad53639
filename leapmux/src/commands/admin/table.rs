//! Tables for people: aligned columns of bounded width, times in UTC, and no control characters.

use time::OffsetDateTime;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::say::say;

/// Longer cells are cut, the last column's too.
const WIDEST: usize = 48;
/// Between two columns.
const GAP: &str = "  ";

/// Prints a table; `none` where it has no rows.
pub(super) fn print<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    none: &str,
) -> anyhow::Result<()> {
    let rows: Vec<[String; N]> = rows.into_iter().map(|row| row.map(cell)).collect();
    if rows.is_empty() {
        say!("{none}");
        return Ok(());
    }
    let mut widths = head.map(str::width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    line(&head.map(str::to_owned), &widths)?;
    rows.iter().try_for_each(|row| line(row, &widths))
}

/// Prints one thing, a line for each of what is known of it.
pub(super) fn facts<const N: usize>(facts: [(&str, String); N]) -> anyhow::Result<()> {
    let widest = facts.iter().map(|(name, _)| name.width()).max();
    let widest = widest.unwrap_or_default();
    for (name, value) in facts {
        say!("{name:<widest$}{GAP}{}", plain(&value));
    }
    Ok(())
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> anyhow::Result<()> {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(cell);
        // Letters of East Asia take two columns, which the formatter does not know.
        text.push_str(&" ".repeat(width.saturating_sub(cell.width())));
        text.push_str(GAP);
    }
    say!("{}", text.trim_end());
    Ok(())
}

fn cell(text: String) -> String {
    let text = plain(&text);
    if text.is_empty() {
        return "-".to_owned();
    }
    if text.width() <= WIDEST {
        return text;
    }
    let mut cut = String::new();
    let mut width = 1;
    for letter in text.chars() {
        width += letter.width().unwrap_or_default();
        if width > WIDEST {
            break;
        }
        cut.push(letter);
    }
    cut.push('…');
    cut
}

/// What a terminal may be shown of somebody else's text.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// `2026-11-29 20:44:05`, or `-` for never.
pub(super) fn time(unix_ms: i64) -> String {
    if unix_ms <= 0 {
        return "-".to_owned();
    }
    let Ok(at) = OffsetDateTime::from_unix_timestamp(unix_ms / 1_000) else {
        return "-".to_owned();
    };
    let (month, (hour, minute, second)) = (u8::from(at.month()), at.to_hms());
    format!(
        "{:04}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}",
        at.year(),
        at.day(),
    )
}

/// The same for what may have no time.
pub(super) fn time_or_never(unix_ms: Option<i64>) -> String {
    unix_ms.map_or_else(|| "never".to_owned(), time)
}

/// `1 row`, `2 rows`.
pub(super) fn counted(count: impl Into<u64>, one: &str, more: &str) -> String {
    let count = count.into();
    format!("{count} {}", if count == 1 { one } else { more })
}

/// For flags in a table.
pub(super) fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "-");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(time(1_767_225_599_999), "2025-12-31 23:59:59");
        assert_eq!(time(1_796_083_200_000), "2026-12-01 00:00:00");
    }

    #[test]
    fn a_cell_is_cut_and_shows_no_escapes() {
        assert_eq!(cell("a\u{1b}[2Jb".to_owned()), "a[2Jb");
        assert_eq!(cell(String::new()), "-");
        assert_eq!(cell("漢".repeat(60)).width(), WIDEST - 1);
        assert_eq!(cell("a".repeat(49)).width(), WIDEST);
    }
}
