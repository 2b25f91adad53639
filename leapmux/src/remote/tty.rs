//! This terminal: its size, and raw mode for as long as something else draws on it.

use std::{
    io::{IsTerminal as _, Write as _},
    os::fd::AsFd as _,
};

use anyhow::{Context as _, bail};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use schema::wire::TerminalSize;

/// Puts the terminal back when dropped, also after an error.
pub(crate) struct Raw {
    before: Termios,
}

/// Ends what a full-screen program may have left on: alternate screen, mouse, bracketed paste,
/// application keys, colours, a hidden cursor.
const LEAVE: &[u8] = b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[0m\x1b[?25h\r\n";
/// Soft reset, main screen, and nothing on it.
pub(crate) const CLEAR: &[u8] = b"\x1b[!p\x1b[?1049l\x1b[0m\x1b[H\x1b[2J\x1b[3J";

impl Raw {
    /// Takes over standard input and output.
    ///
    /// # Errors
    ///
    /// When they are not a terminal.
    pub(crate) fn enter() -> anyhow::Result<Self> {
        check()?;
        let before = tcgetattr(std::io::stdin().as_fd()).context("this terminal's settings")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, &raw).context("raw mode")?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let mut out = std::io::stdout();
        // Nothing is left to be done about a terminal that is gone.
        let _ = out.write_all(LEAVE).and_then(|()| out.flush());
        let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSADRAIN, &self.before);
    }
}

/// Refuses to go on where nobody sits before a terminal.
///
/// # Errors
///
/// When standard input or output is none.
pub(crate) fn check() -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!("standard input and output are no terminal: use 'leapmux remote exec' here");
    }
    Ok(())
}

/// Columns and rows of this terminal; 80 by 24 when it does not say.
pub(crate) fn size() -> TerminalSize {
    let (columns, rows) = terminal_size::terminal_size().map_or((80, 24), |(columns, rows)| {
        (columns.0.into(), rows.0.into())
    });
    TerminalSize { columns, rows }
}
