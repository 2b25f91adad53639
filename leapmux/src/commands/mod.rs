//! What can be typed after `leapmux`, and where it goes.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod admin;
mod hub;
mod remote;
mod serve;
mod solo;
mod worker;

/// Drive terminals on your own machines from a browser, through a server you need not trust.
#[derive(Parser)]
#[command(
    name = "leapmux",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run Hub and Worker in one process, for the person at this machine
    Solo(solo::Options),
    /// Run the Hub: accounts, Worker registration, and a relay of what it cannot read
    Hub(hub::Options),
    /// Look after a Hub: accounts, logins, Workers, keys, backups, audit log
    Admin(admin::Options),
    /// Run the Worker of this machine, or look after the devices it trusts
    Worker(worker::Options),
    /// Use a Worker from this shell, over the same encrypted channel as the page
    Remote(remote::Options),
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Solo(options) => solo::run(options),
            Self::Hub(options) => hub::run(options),
            Self::Admin(options) => admin::run(options),
            Self::Worker(options) => worker::run(options),
            Self::Remote(options) => remote::run(options),
        }
    }

    /// The exit code of an error: 255 where the command's own code is carried through.
    pub(crate) fn failure_code(&self) -> u8 {
        match self {
            Self::Remote(options) if options.carries_a_code() => 255,
            Self::Solo(_) | Self::Hub(_) | Self::Admin(_) | Self::Worker(_) | Self::Remote(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_sound() {
        super::Cli::command().debug_assert();
    }
}
