//! `leapmux admin session`, and what the tokens share with it.

use std::process::ExitCode;

use clap::Subcommand;
use hub_actors::operator::{SessionAccount, SessionKind};
use serde_json::json;

use super::{Context, code, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List live logins, the newest first
    List {
        /// Only those of this user, by name or id
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End one login; whatever is open with it closes at once, in every running Hub
    Revoke {
        /// As `session list` shows it
        #[arg(value_name = "SESSION")]
        session: String,
    },
    /// End every login, API token and delegation of a user
    RevokeUser {
        /// By name or id
        #[arg(value_name = "USER")]
        user: String,
    },
    /// End every login, API token and delegation of everybody
    RevokeAll {
        /// Everybody has to sign in again: say that this is meant
        #[arg(long)]
        yes: bool,
    },
    /// Remove the rows of logins and tokens that are over
    PurgeExpired,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { user } => list(context, SessionKind::Logins, user.as_deref()).await,
        Command::Revoke { session } => revoke(context, SessionKind::Logins, &session).await,
        Command::RevokeUser { user } => {
            let revoked = context.open().await?.force_logout(&user).await?;
            let words = format!(
                "Ended: {} of {user}.",
                table::counted(revoked, "login or token", "logins and tokens")
            );
            context.done(&json!({ "revoked": revoked }), &words)
        }
        Command::RevokeAll { yes: false } => {
            eprintln!("leapmux: everybody would have to sign in again; if so: --yes");
            Ok(ExitCode::from(code::REFUSED))
        }
        Command::RevokeAll { yes: true } => {
            let revoked = context.open().await?.revoke_everybody().await?;
            let words = format!(
                "Ended: {}.",
                table::counted(revoked, "login or token", "logins and tokens")
            );
            context.done(&json!({ "revoked": revoked }), &words)
        }
        Command::PurgeExpired => {
            let purged = context.open().await?.purge_sessions().await?;
            let words = format!("Removed: {}.", table::counted(purged as u64, "row", "rows"));
            context.done(&json!({ "purged": purged }), &words)
        }
    }
}

/// Lists the live ones of a kind.
pub(super) async fn list(
    context: &Context,
    kind: SessionKind,
    user: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let sessions = context.open().await?.sessions(kind, user).await?;
    context.show(&sessions, |all| match kind {
        SessionKind::Logins => logins(all),
        SessionKind::ApiTokens => tokens(all),
        SessionKind::Delegations => delegations(all),
    })
}

/// Ends one of a kind.
pub(super) async fn revoke(
    context: &Context,
    kind: SessionKind,
    id: &str,
) -> anyhow::Result<ExitCode> {
    context.open().await?.revoke_session(kind, id).await?;
    context.done(&json!({ "revoked": id }), &format!("{id} was ended."))
}

fn logins(all: &[SessionAccount]) -> anyhow::Result<()> {
    let head = [
        "SESSION",
        "USER",
        "KIND",
        "LAST USED",
        "EXPIRES",
        "ADDRESS",
        "CLIENT",
    ];
    let rows = all.iter().map(|one| {
        [
            one.session_id.clone(),
            one.username.clone(),
            one.kind.replace('_', " "),
            table::time(one.last_used_unix_ms),
            table::time_or_never(one.expires_unix_ms),
            one.address.clone(),
            one.user_agent.clone(),
        ]
    });
    table::print(head, rows, "Nobody is signed in.")
}

fn tokens(all: &[SessionAccount]) -> anyhow::Result<()> {
    let head = [
        "TOKEN",
        "USER",
        "LABEL",
        "SCOPES",
        "CREATED",
        "LAST USED",
        "ACCESS UNTIL",
    ];
    let rows = all.iter().map(|one| {
        [
            one.session_id.clone(),
            one.username.clone(),
            one.label.clone(),
            one.scopes.clone(),
            table::time(one.created_unix_ms),
            table::time(one.last_used_unix_ms),
            table::time_or_never(one.expires_unix_ms),
        ]
    });
    table::print(head, rows, "There is no API token.")
}

fn delegations(all: &[SessionAccount]) -> anyhow::Result<()> {
    let head = [
        "DELEGATION",
        "USER",
        "WORKER",
        "WORKSPACE",
        "TAB",
        "CREATED",
        "EXPIRES",
    ];
    let rows = all.iter().map(|one| {
        [
            one.session_id.clone(),
            one.username.clone(),
            one.worker_id.clone().unwrap_or_default(),
            one.workspace_id.clone().unwrap_or_default(),
            one.tab_id.clone().unwrap_or_default(),
            table::time(one.created_unix_ms),
            table::time_or_never(one.expires_unix_ms),
        ]
    });
    table::print(head, rows, "There is no delegation token.")
}
