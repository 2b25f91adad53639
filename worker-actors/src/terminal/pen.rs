//! The style of cells, as the sequences that set it.

use std::fmt::Write as _;

use alacritty_terminal::{
    term::cell::{Cell, Flags, Hyperlink},
    vte::ansi::{Color, NamedColor, Rgb},
};

/// The style that is on, so that only changes are written.
#[derive(Default)]
pub(super) struct Pen {
    style: Option<Style>,
    link: Option<Hyperlink>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Style {
    fg: Color,
    bg: Color,
    flags: Flags,
    underline: Option<Color>,
}

impl Pen {
    pub(super) fn take(&mut self, out: &mut String, cell: &Cell) {
        let style = Style::of(cell);
        if self.style.unwrap_or(Style::FRESH) != style {
            style.write(out);
            self.style = Some(style);
        }
        let link = cell.hyperlink();
        if self.link != link {
            write_link(out, link.as_ref());
            self.link = link;
        }
    }

    pub(super) fn lift(&mut self, out: &mut String) {
        if self.style.take().is_some_and(|style| style != Style::FRESH) {
            out.push_str("\x1b[m");
        }
        if self.link.take().is_some() {
            write_link(out, None);
        }
    }
}

impl Style {
    const FRESH: Self = Self {
        fg: Color::Named(NamedColor::Foreground),
        bg: Color::Named(NamedColor::Background),
        flags: Flags::empty(),
        underline: None,
    };

    pub(super) fn of(cell: &Cell) -> Self {
        let shown = Flags::BOLD_ITALIC
            | Flags::DIM
            | Flags::INVERSE
            | Flags::HIDDEN
            | Flags::STRIKEOUT
            | Flags::ALL_UNDERLINES;
        Self {
            fg: cell.fg,
            bg: cell.bg,
            flags: cell.flags & shown,
            underline: cell.underline_color(),
        }
    }

    /// SGR (ECMA-48 §8.3.117, with the extensions of xterm and kitty), from nothing.
    pub(super) fn write(self, out: &mut String) {
        out.push_str("\x1b[0");
        for (flag, code) in FLAG_CODES {
            if self.flags.contains(*flag) {
                let _ = write!(out, ";{code}");
            }
        }
        write_colour(out, self.fg, 30);
        write_colour(out, self.bg, 40);
        if let Some(underline) = self.underline {
            write_colour(out, underline, 50);
        }
        out.push('m');
    }
}

const FLAG_CODES: &[(Flags, &str)] = &[
    (Flags::BOLD, "1"),
    (Flags::DIM, "2"),
    (Flags::ITALIC, "3"),
    (Flags::UNDERLINE, "4"),
    (Flags::DOUBLE_UNDERLINE, "4:2"),
    (Flags::UNDERCURL, "4:3"),
    (Flags::DOTTED_UNDERLINE, "4:4"),
    (Flags::DASHED_UNDERLINE, "4:5"),
    (Flags::INVERSE, "7"),
    (Flags::HIDDEN, "8"),
    (Flags::STRIKEOUT, "9"),
];

/// `base` is 30 for text, 40 for paper, 50 for underlines (which have no named colours).
fn write_colour(out: &mut String, colour: Color, base: usize) {
    let _ = match colour {
        Color::Named(name) if (name as usize) < 8 => write!(out, ";{}", base + name as usize),
        Color::Named(name) if (name as usize) < 16 => write!(out, ";{}", base + 52 + name as usize),
        Color::Named(_) => Ok(()),
        Color::Indexed(index) => write!(out, ";{};5;{index}", base + 8),
        Color::Spec(Rgb { r, g, b }) => write!(out, ";{};2;{r};{g};{b}", base + 8),
    };
}

/// OSC 8.
pub(super) fn write_link(out: &mut String, link: Option<&Hyperlink>) {
    let _ = match link {
        Some(link) => write!(out, "\x1b]8;id={};{}\x1b\\", link.id(), link.uri()),
        None => write!(out, "\x1b]8;;\x1b\\"),
    };
}
