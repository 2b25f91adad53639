//! What a command prints: a full disk or a closed pipe is an error, and no panic.

use std::{fmt::Arguments, io::Write as _};

use anyhow::Context as _;

/// One line on standard output, now.
pub(crate) fn line(text: Arguments<'_>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .context("standard output")
}

/// Prints a line, or leaves the function with the error.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*))? };
}
pub(crate) use say;

/// Whether nobody reads what is printed, as in `… | head`.
pub(crate) fn unread(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The exit code of a program that nobody reads any more: 128 and SIGPIPE.
pub(crate) const UNREAD: u8 = 141;
