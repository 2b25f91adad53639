//! `leapmux admin api-token` and `delegation-token`.

use std::process::ExitCode;

use clap::Subcommand;
use hub_actors::operator::SessionKind;

use super::{Context, session, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List API tokens that are not revoked
    List {
        /// Only those of this user, by name or id
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// Make an API token for a user; its secrets are shown this once
    Issue {
        /// Whose it is, by name or id
        #[arg(long, value_name = "USER")]
        user: String,
        /// What it is called
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// What it is good for: read, workspaces, workers, organisations, channels
        #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',')]
        scopes: Vec<String>,
    },
    /// End an API token with everything that it can still be refreshed to
    Revoke {
        /// As `api-token list` shows it
        #[arg(value_name = "TOKEN")]
        token: String,
    },
}

#[derive(Subcommand)]
pub(super) enum DelegationCommand {
    /// List delegation tokens that are good yet
    List {
        /// Only those of this user, by name or id
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End a delegation token
    Revoke {
        /// As `delegation-token list` shows it
        #[arg(value_name = "DELEGATION")]
        delegation: String,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { user } => {
            session::list(context, SessionKind::ApiTokens, user.as_deref()).await
        }
        Command::Issue {
            user,
            label,
            scopes,
        } => {
            let operator = context.open().await?;
            let issued = operator.issue_api_token(&user, &label, &scopes).await?;
            context.show(&issued, |issued| {
                table::facts([
                    ("Token", issued.token_id.clone()),
                    ("Access token", issued.access_token.clone()),
                    ("good until", table::time(issued.access_expires_unix_ms)),
                    ("Refresh token", issued.refresh_token.clone()),
                    ("good until", table::time(issued.refresh_expires_unix_ms)),
                ])
            })
        }
        Command::Revoke { token } => session::revoke(context, SessionKind::ApiTokens, &token).await,
    }
}

pub(super) async fn run_delegation(
    context: &Context,
    command: DelegationCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        DelegationCommand::List { user } => {
            session::list(context, SessionKind::Delegations, user.as_deref()).await
        }
        DelegationCommand::Revoke { delegation } => {
            session::revoke(context, SessionKind::Delegations, &delegation).await
        }
    }
}
