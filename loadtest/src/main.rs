//! `leapmux-loadtest`: a client like any other, without a private door to the Hub.
//!
//! A result is worth as much as the machine it came from, so the first command says what this
//! machine can hold before a Hub is asked for anything.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod doctor;

/// Size a LeapMux Hub.
#[derive(Parser)]
#[command(name = "leapmux-loadtest", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what this machine can hold: files, ports, cores, and the largest population that fits
    Doctor,
}

fn main() -> ExitCode {
    let Command::Doctor = Cli::parse().command;
    match doctor::examine() {
        Ok(report) => {
            report.print();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("leapmux-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
