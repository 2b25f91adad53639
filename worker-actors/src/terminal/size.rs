//! Columns and rows within bounds.

use schema::wire;

/// How many cells a screen has. Never below 2 × 1 (a wide character needs two columns), never
/// above [`Size::LARGEST`]: the model's memory is columns × lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Cells in a row.
    pub columns: u16,
    /// Rows on the screen.
    pub rows: u16,
}

impl Size {
    /// What a terminal has when nobody asked for anything.
    pub const DEFAULT: Self = Self {
        columns: 80,
        rows: 24,
    };
    /// 1,000 × 500 cells: four times an 8K screen with the smallest readable font.
    pub const LARGEST: Self = Self {
        columns: 1000,
        rows: 500,
    };

    /// The nearest size within bounds; zero in either place means "not asked for".
    #[must_use]
    pub fn asked(columns: u32, rows: u32) -> Option<Self> {
        (columns != 0 && rows != 0).then(|| Self {
            columns: within(columns, 2, Self::LARGEST.columns),
            rows: within(rows, 1, Self::LARGEST.rows),
        })
    }

    /// The nearest size within bounds to what a message asks for.
    #[must_use]
    pub fn of(size: &wire::TerminalSize) -> Option<Self> {
        Self::asked(size.columns, size.rows)
    }
}

fn within(value: u32, least: u16, most: u16) -> u16 {
    u16::try_from(value).unwrap_or(most).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_of_nothing_is_not_asked_for() {
        assert_eq!(Size::asked(0, 24), None);
        assert_eq!(Size::asked(80, 0), None);
    }

    #[test]
    fn absurd_sizes_are_brought_within_bounds() {
        assert_eq!(
            Size::asked(1, 1),
            Some(Size {
                columns: 2,
                rows: 1
            })
        );
        assert_eq!(Size::asked(u32::MAX, u32::MAX), Some(Size::LARGEST));
    }
}
