//! `leapmux-loadtest`: a client like any other, without a private door to the Hub.
//!
//! A result is worth as much as the machine it came from, so `doctor` says what this machine can
//! hold before a Hub is asked for anything, and a run whose harness was the limit is told apart
//! from one that failed.
//!
//! | module | holds |
//! |---|---|
//! | [`schedule`], [`payload`], [`audit`], [`recorder`], [`threshold`], [`verdict`] | brains: what to send, whether it came back, what it means |
//! | [`hub`] | the Hub under load: started, asked, scraped, and its cost |
//! | [`worker`] | simulated Workers over the real link |
//! | [`client`] | sessions and the channels on them |
//! | [`conservation`] | brain: whether what came is here or went |
//! | [`echo`], [`churn`], [`memory`], [`restart`], [`mod@bench`] | the scenarios |
//!
//! What it never does: it makes no load for anything but loopback, runs without an end, or ends a
//! process that it did not start.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::cli::{Bench, Cli, Command};

mod audit;
mod bench;
mod churn;
mod cli;
mod client;
mod clock;
mod conservation;
mod doctor;
mod echo;
mod hub;
mod memory;
mod pacer;
mod payload;
mod recorder;
mod redial;
mod restart;
mod schedule;
mod target;
mod threshold;
mod verdict;
mod worker;

/// The Hub cannot be reached.
const UNREACHABLE: u8 = 3;
/// Ctrl+C, or asked to end.
const INTERRUPTED: u8 = 98;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("leapmux-loadtest: {error:#}");
            let unreachable = error.downcast_ref::<target::Unreachable>().is_some();
            if unreachable {
                UNREACHABLE.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Doctor => {
            doctor::examine()?.print();
            Ok(ExitCode::SUCCESS)
        }
        Command::Echo(options) => interruptible(echo::run(&options)),
        Command::Churn(options) => interruptible(churn::run(&options)),
        Command::Memory(options) => interruptible(memory::run(&options)),
        Command::Restart(options) => interruptible(restart::run(&options)),
        Command::Bench {
            what: Bench::Relay(options),
        } => interruptible(bench::run(&options)),
        Command::Splice { upstream } => {
            runtime()?.block_on(bench::splice::run(upstream))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Dropping a scenario ends its processes and connections.
fn interruptible(
    scenario: impl Future<Output = anyhow::Result<verdict::Verdict>>,
) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            verdict = scenario => Ok(verdict?.exit_code().into()),
            _ = tokio::signal::ctrl_c() => Ok(INTERRUPTED.into()),
            _ = terminate.recv() => Ok(INTERRUPTED.into()),
        }
    })
}

/// Signatures run on the blocking threads: one per core at a time.
fn runtime() -> anyhow::Result<Runtime> {
    let cores = std::thread::available_parallelism()?.get();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.enable_all().max_blocking_threads(cores);
    builder.build().context("the runtime cannot start")
}
