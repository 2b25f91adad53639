//! `leapmux remote`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use schema::ids::WorkspaceId;

use crate::{
    layers::LogConfig,
    logging, paths,
    remote::{address::Address, delegation, folder::Folder, hub::Hub, login, way::Way},
};

mod browser_login;
mod device_login;
mod exec;
mod login_command;
mod pins;
mod register;
mod terminal;
mod workers;
mod workspaces;

#[derive(Args)]
pub(crate) struct Options {
    /// The Hub: http://HOST:PORT, https://HOST or unix:PATH [default: http://127.0.0.1:4327]
    #[arg(long, global = true, value_name = "URL")]
    hub: Option<String>,
    /// As the program of a tab that it is, in the tab's workspace, without a login of one's own; the
    /// default in a tab, unless --hub is named
    #[arg(long, global = true, conflicts_with = "hub")]
    delegated: bool,
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    json: bool,
    /// Folder of this device's key, pins and logins [default: ~/.config/leapmux/remote]
    #[arg(long, global = true, value_name = "DIR")]
    remote_dir: Option<PathBuf>,
    /// Least severe level that is written to standard error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    log_level: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List Workers, or look after their pinned keys
    Worker {
        #[command(subcommand)]
        command: WorkerCommand,
    },
    /// List workspaces
    Workspace {
        #[command(subcommand)]
        command: WorkspaceCommand,
    },
    /// Run a command on a Worker; standard input, output and the exit code are carried through
    Exec(exec::Options),
    /// Open a terminal here, or come back to one; ~. at the start of a line leaves it running
    Terminal(terminal::Options),
    /// Log in by a browser, or with the Hub's access token from standard input
    Login(login_command::Options),
    /// End the login at the Hub, and forget it
    Logout,
}

#[derive(Subcommand)]
enum WorkspaceCommand {
    /// List the workspaces in which you have a role
    List,
}

#[derive(Subcommand)]
enum WorkerCommand {
    /// List the Workers you may use
    List,
    /// Make a single-use key with which a machine becomes your Worker
    Register(register::Options),
    /// The keys that Workers had when first met
    Pins {
        #[command(subcommand)]
        command: pins::Command,
    },
}

impl Options {
    /// Whether the exit code belongs to a command on the Worker.
    pub(crate) fn carries_a_code(&self) -> bool {
        matches!(self.command, Command::Exec(_) | Command::Terminal(_))
    }
}

/// What every command of `remote` works with.
struct Context {
    hub: Hub,
    folder: Folder,
    way: Way,
    json: bool,
}

/// A workspace's id, as an argument.
fn workspace(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::parse(text).map_err(|_| "this is no workspace's id".to_owned())
}

/// In a tab, a program is what its Worker says it is; whoever names a Hub means the own login there.
fn way(options: &Options, hub: &Hub, folder: &Folder) -> anyhow::Result<Way> {
    let in_a_tab = paths::variable(delegation::SOCKET).is_some();
    let reaches = options.carries_a_code();
    if options.delegated && !reaches {
        anyhow::bail!(
            "only exec and terminal can be used with --delegated; the others want a login"
        );
    }
    if options.delegated || (in_a_tab && reaches && options.hub.is_none()) {
        return Ok(Way::Delegation(delegation::socket()?));
    }
    Ok(Way::Login(hub.clone(), folder.clone()))
}

/// Where a Hub listens that was told nothing else.
const LOCAL_HUB: &str = "http://127.0.0.1:4327";

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    logging::install(&LogConfig {
        log_level: options.log_level.clone(),
        ..LogConfig::default()
    })?;
    let folder = options.remote_dir.clone();
    let folder = Folder::open(folder.map_or_else(paths::remote_dir, Ok)?)?;
    let address = Address::parse(options.hub.as_deref().unwrap_or(LOCAL_HUB))?;
    let kept = login::Kept::open(&folder, &address)?;
    let hub = Hub::new(address, kept);
    let context = Context {
        way: way(&options, &hub, &folder)?,
        hub,
        folder,
        json: options.json,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let code = runtime.block_on(async {
        match options.command {
            Command::Worker {
                command: WorkerCommand::List,
            } => workers::list(&context).await,
            Command::Worker {
                command: WorkerCommand::Register(options),
            } => register::run(&context, options).await,
            Command::Worker {
                command: WorkerCommand::Pins { command },
            } => pins::run(&context, command),
            Command::Workspace {
                command: WorkspaceCommand::List,
            } => workspaces::list(&context).await,
            Command::Exec(options) => exec::run(&context, options).await,
            Command::Terminal(options) => terminal::run(&context, options).await,
            Command::Login(options) => login_command::login(context, options).await,
            Command::Logout => login_command::logout(&context).await,
        }
    });
    // A read of standard input may still block its thread; nobody waits for it.
    runtime.shutdown_background();
    code
}
