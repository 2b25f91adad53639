//! `leapmux admin oauth-provider`.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use hub_actors::{
    SecretText,
    operator::{NewProvider, Preset, ProviderAccount},
};
use serde_json::json;

use super::{Context, password, table};
use crate::say::say;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a provider; its client secret comes from --client-secret-file or standard input
    Add(Box<Add>),
    /// List providers
    List,
    /// Let people in by a provider again
    Enable {
        /// What stands on its button
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Let nobody in by a provider; logins that came by it stay
    Disable {
        /// What stands on its button
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Forget a provider and all links to it
    Remove {
        /// What stands on its button
        #[arg(value_name = "NAME")]
        name: String,
        /// Also if somebody has no other way in
        #[arg(long)]
        force: bool,
    },
}

/// Providers whose addresses are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Github,
    Google,
    Apple,
    Oidc,
}

#[derive(Args)]
pub(super) struct Add {
    /// Which provider it is
    #[arg(long, value_name = "KIND")]
    kind: Kind,
    /// What stands on its button; unique
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Its issuer, like https://login.example.org: for oidc, and for a GitHub Enterprise server
    #[arg(long, value_name = "URL", required_if_eq("kind", "oidc"))]
    issuer: Option<String>,
    /// As the provider gave it
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// What to ask for [default: what signing in needs]
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Believe it when it calls an e-mail address verified: such an address links to the account here
    /// that has it. Only for providers that check
    #[arg(long)]
    trusted_email: bool,
    #[command(flatten)]
    secret: password::Secret,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add(options) => {
            // Before the database is open: whoever types takes his time.
            let secret = options.secret.read()?;
            let new = NewProvider {
                preset: preset(options.kind, options.issuer.clone()),
                name: options.name.clone(),
                client_id: options.client_id.clone(),
                client_secret: SecretText::from(secret.to_string()),
                scopes: options.scopes.clone(),
                trusted_email: options.trusted_email,
            };
            let id = context.open().await?.add_oauth_provider(new).await?;
            let host = match context.config.public_url.as_str() {
                "" => "PUBLIC_URL",
                url => url.trim_end_matches('/'),
            };
            context.show(&json!({ "id": id }), |_| {
                say!("{} was added: {id}", options.name);
                say!("Its redirect address, to be given to the provider: {host}/oauth/callback");
                Ok(())
            })
        }
        Command::List => {
            let providers = context.open().await?.oauth_providers().await?;
            context.show(&providers, |all| list(all))
        }
        Command::Enable { name } => {
            let operator = context.open().await?;
            operator.enable_oauth_provider(&name, true).await?;
            done(context, &name, "lets people in")
        }
        Command::Disable { name } => {
            let operator = context.open().await?;
            operator.enable_oauth_provider(&name, false).await?;
            done(context, &name, "lets nobody in")
        }
        Command::Remove { name, force } => {
            let operator = context.open().await?;
            operator.remove_oauth_provider(&name, force).await?;
            done(context, &name, "was removed")
        }
    }
}

fn preset(kind: Kind, issuer: Option<String>) -> Preset {
    match kind {
        Kind::Github => Preset::Github(issuer),
        Kind::Google => Preset::Google,
        Kind::Apple => Preset::Apple,
        Kind::Oidc => Preset::Oidc(issuer.unwrap_or_default()),
    }
}

fn done(context: &Context, name: &str, what: &str) -> anyhow::Result<ExitCode> {
    context.done(&json!({ "name": name }), &format!("{name} {what}."))
}

fn list(all: &[ProviderAccount]) -> anyhow::Result<()> {
    let head = [
        "NAME",
        "KIND",
        "ISSUER",
        "CLIENT ID",
        "STATE",
        "TRUSTED E-MAIL",
        "ID",
    ];
    let rows = all.iter().map(|one| {
        let state = if one.enabled { "enabled" } else { "disabled" };
        [
            one.name.clone(),
            one.kind.to_owned(),
            one.issuer.clone(),
            one.client_id.clone(),
            state.to_owned(),
            table::yes(one.trusted_email),
            one.id.clone(),
        ]
    });
    table::print(head, rows, "There is no provider.")
}
