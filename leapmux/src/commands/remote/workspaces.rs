//! `leapmux remote workspace list`.

use std::process::ExitCode;

use schema::wire::{ListWorkspacesRequest, ListWorkspacesResponse, Role, Workspace};

use super::Context;
use crate::remote::channel::plain;
use crate::say::say;

pub(super) async fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let listed: ListWorkspacesResponse = context
        .hub
        .call("WorkspaceService/ListWorkspaces", &ListWorkspacesRequest {})
        .await?;
    let mut workspaces = listed.workspaces;
    // Whoever only keeps order in an organisation opens nothing in its workspaces.
    workspaces.retain(|one| one.role() != Role::Unspecified);
    if context.json {
        say!("{}", serde_json::to_string_pretty(&workspaces)?);
    } else if workspaces.is_empty() {
        say!("There is no workspace; make one in the page.");
    } else {
        say!("{:<34}  {:<7}  {:<16}  TITLE", "WORKSPACE", "ROLE", "OWNER");
        workspaces.iter().try_for_each(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(workspace: &Workspace) -> anyhow::Result<()> {
    let role = match workspace.role() {
        Role::Unspecified => "none",
        Role::Viewer => "viewer",
        Role::Editor => "editor",
        Role::Owner => "owner",
    };
    say!(
        "{:<34}  {role:<7}  {:<16}  {}",
        workspace.workspace_id,
        plain(&workspace.owner_username),
        plain(&workspace.title)
    );
    Ok(())
}
