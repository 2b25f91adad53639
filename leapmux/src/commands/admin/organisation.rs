//! `leapmux admin org`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Context, table};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List all organisations, the personal ones too
    List,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    let Command::List = command;
    let organisations = context.open().await?.organisations().await?;
    context.show(&organisations, |all| {
        let head = [
            "SLUG",
            "NAME",
            "KIND",
            "MEMBERS",
            "WORKERS",
            "WORKSPACES",
            "ORGANISATION",
        ];
        let rows = all.iter().map(|one| {
            [
                one.slug.clone(),
                one.name.clone(),
                if one.personal { "personal" } else { "team" }.to_owned(),
                one.members.to_string(),
                one.workers.to_string(),
                one.workspaces.to_string(),
                one.organisation_id.clone(),
            ]
        });
        table::print(head, rows, "There is no organisation.")
    })
}
