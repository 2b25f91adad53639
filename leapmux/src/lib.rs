//! The one binary: `solo`, `hub`, `worker`, `remote`.
//!
//! This crate parses, merges configuration, starts what other crates are, and turns errors into one
//! line that says what to do. It holds no rule of the protocol. Read `commands` next.

use std::process::ExitCode;

use clap::Parser as _;

mod commands;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod layers;
mod lifecycle;
mod logging;
mod paths;
mod remote;
mod say;

/// Parses the command line, runs the command, and answers with its exit code.
///
/// 0 is success, 1 an error that standard error explains, 2 a command line that cannot be
/// understood; `remote exec` carries the command's own code and uses 255 for errors of its own.
#[must_use]
pub fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    let failure = cli.command.failure_code();
    match cli.command.run() {
        Ok(code) => code,
        Err(error) if say::unread(&error) => ExitCode::from(say::UNREAD),
        Err(error) => {
            eprintln!("leapmux: {}", one_line(&error));
            ExitCode::from(failure)
        }
    }
}

/// The whole chain of causes on one line; a cause that its effect already tells is left out.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace(['\r', '\n'], " ")
}
