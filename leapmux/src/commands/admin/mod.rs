//! `leapmux admin`: the operator's commands, on the Hub's own database and key files.

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use figment::value::Dict;
use hub_actors::{
    HubConfig, Mode,
    operator::{Ending, Operator, OperatorError},
};
use serde::Serialize;

use super::serve::{self, Storing};
use crate::{
    layers::{Layers, LogConfig, set},
    logging, paths,
    say::say,
};

mod audit;
mod database;
mod doctor;
mod encryption_key;
mod oauth_provider;
mod organisation;
mod password;
mod registration_key;
mod session;
mod table;
mod token;
mod user;
mod worker;

/// What every command of `admin` takes, before or behind its name.
#[derive(Args)]
pub(crate) struct Options {
    /// The Hub's data folder [default: ~/.local/share/leapmux/hub]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The Hub's YAML file; the environment and flags win over it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    storing: Storing,
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    json: bool,
    /// Least severe level that is written to standard error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    log_level: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look at organisations
    #[command(subcommand)]
    Org(organisation::Command),
    /// Make, change and remove accounts
    #[command(subcommand)]
    User(user::Command),
    /// Look at logins and end them
    #[command(subcommand)]
    Session(session::Command),
    /// Look at Workers, deregister them, and look after registration keys
    #[command(subcommand)]
    Worker(worker::Command),
    /// Whom to believe about who people are: GitHub, Google, Apple, OpenID Connect
    #[command(subcommand)]
    OauthProvider(oauth_provider::Command),
    /// Look at API tokens, make and end them
    #[command(subcommand)]
    ApiToken(token::Command),
    /// Look at the tokens that Workers gave to child processes, and end them
    #[command(subcommand)]
    DelegationToken(token::DelegationCommand),
    /// The keys of what is sealed in the database, and the pepper of its hashes
    #[command(subcommand)]
    EncryptionKey(encryption_key::Command),
    /// The database: where it is, its version, backup and restore
    #[command(subcommand)]
    Db(database::Command),
    /// Who did what to whom, in a chain that shows what was changed or cut
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look at everything around the Hub, and say what to fix
    Doctor,
}

/// Exit codes of `leapmux admin`, documented in docs/administration.md.
mod code {
    /// Something is broken.
    pub(super) const ERROR: u8 = 1;
    /// The command line, or a value on it, cannot be understood.
    pub(super) const USAGE: u8 = 2;
    /// What was named is not there.
    pub(super) const NOT_FOUND: u8 = 3;
    /// It was understood, and a rule forbids it.
    pub(super) const REFUSED: u8 = 4;
    /// What was looked at is not as it should be: `doctor` and `audit verify`.
    pub(super) const FOUND: u8 = 5;
}

/// What every command works with.
struct Context {
    config: HubConfig,
    json: bool,
}

impl Context {
    async fn open(&self) -> Result<Operator, OperatorError> {
        Operator::open(self.config.clone()).await
    }

    /// The same, and makes the database where there is none: a Hub may be set up before its start.
    async fn open_or_make(&self) -> Result<Operator, OperatorError> {
        match self.open().await {
            Err(OperatorError::NoDatabase(_)) => Operator::make(self.config.clone()).await,
            opened => opened,
        }
    }

    /// Prints what a program or a person wants to see.
    fn show<T: Serialize>(
        &self,
        what: &T,
        people: impl FnOnce(&T) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        if self.json {
            say!("{}", serde_json::to_string_pretty(what)?);
        } else {
            people(what)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Says that it was done; programs get what was done as an object.
    fn done(&self, what: &serde_json::Value, words: &str) -> anyhow::Result<ExitCode> {
        self.show(what, |_| {
            say!("{words}");
            Ok(())
        })
    }
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    logging::install(&LogConfig {
        log_level: options.log_level.clone(),
        ..LogConfig::default()
    })?;
    let context = Context {
        config: merge(&options)?,
        json: options.json,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(dispatch(&context, options.command));
    // A thread that still waits for the database holds nobody up.
    runtime.shutdown_background();
    ended.or_else(explain)
}

fn dispatch(
    context: &Context,
    command: Command,
) -> std::pin::Pin<Box<dyn Future<Output = anyhow::Result<ExitCode>> + '_>> {
    match command {
        Command::Org(command) => Box::pin(organisation::run(context, command)),
        Command::User(command) => Box::pin(user::run(context, command)),
        Command::Session(command) => Box::pin(session::run(context, command)),
        Command::Worker(command) => Box::pin(worker::run(context, command)),
        Command::OauthProvider(command) => Box::pin(oauth_provider::run(context, command)),
        Command::ApiToken(command) => Box::pin(token::run(context, command)),
        Command::DelegationToken(command) => Box::pin(token::run_delegation(context, command)),
        Command::EncryptionKey(command) => Box::pin(encryption_key::run(context, command)),
        Command::Db(command) => Box::pin(database::run(context, command)),
        Command::Audit(command) => Box::pin(audit::run(context, command)),
        Command::Doctor => Box::pin(doctor::run(context)),
    }
}

/// The Hub's own configuration, from the same places.
fn merge(options: &Options) -> anyhow::Result<HubConfig> {
    let mut flags = Dict::new();
    options.storing.set(&mut flags)?;
    set(&mut flags, "data_dir", options.data_dir.as_ref())?;
    let layers = Layers::new("LEAPMUX_HUB_", options.config.as_deref(), flags)?;
    let defaults = HubConfig {
        mode: Mode::Hub,
        data_dir: paths::data_dir_or_none("hub"),
        ..HubConfig::default()
    };
    let (_, config) = serve::merge_hub(&layers, defaults)?;
    paths::check_chosen(&config.data_dir)?;
    Ok(config)
}

/// Turns an error of the operator's into its own exit code; others are 1 as everywhere.
fn explain(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    let code = match error
        .downcast_ref::<OperatorError>()
        .map(OperatorError::ending)
    {
        None | Some(Ending::Error) => code::ERROR,
        Some(Ending::Usage) => code::USAGE,
        Some(Ending::NotFound) => code::NOT_FOUND,
        Some(Ending::Refused) => code::REFUSED,
    };
    if crate::say::unread(&error) {
        return Err(error);
    }
    eprintln!("leapmux: {}", crate::one_line(&error));
    Ok(ExitCode::from(code))
}
