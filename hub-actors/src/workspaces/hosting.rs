//! Which Workers host a workspace: who is something in it may route to them.

use std::collections::BTreeSet;

use schema::{
    ids::{WorkerId, WorkspaceId},
    wire,
};

use super::{
    making::{before, write_down},
    standing::Standing,
    workspace_id,
};
use crate::{
    asked::Asked,
    caller::Caller,
    error::{Quota, Refusal},
    notes::{About, Notes},
    stop::{Stop, quota, sorted},
    store::{
        Connection, access,
        audit::Object,
        ledger::Reason,
        shares,
        workspaces::{self, Workspace},
    },
    topic::Topic,
};

/// Workspaces that one Worker hosts at most: what may be announced with a channel is 900, and its
/// owner's own have to fit in beside them.
const HOSTED_MAX: i64 = 256;

/// By the Worker's owner, who has to be an editor of the workspace at least.
pub(crate) async fn attach_worker(
    asked: &Asked,
    request: wire::AttachWorkerRequest,
) -> Result<wire::AttachWorkerResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let workspace = workspace_id(&request.workspace_id)?;
    let worker = worker_id(&request.worker_id)?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(attach(conn, notes, &caller, &workspace, &worker))
    });
    done.await?;
    Ok(wire::AttachWorkerResponse {})
}

pub(super) fn attach(
    conn: &mut Connection,
    notes: &mut Notes,
    caller: &Caller,
    workspace: &WorkspaceId,
    worker: &WorkerId,
) -> Result<(), Stop> {
    let standing = Standing::of(conn, caller, workspace)?;
    let reach = access::reach(conn, &caller.user, worker)?.ok_or(Refusal::NotFound)?;
    standing.edits()?;
    if reach.owner != caller.user {
        return Err(Refusal::Forbidden.into());
    }
    standing.is_open()?;
    if shares::count_hosted(conn, worker)? >= HOSTED_MAX {
        return Err(quota(Quota::Hosted).into());
    }
    if shares::attach(conn, worker, workspace)? {
        write_down_of(
            notes,
            &standing.workspace,
            "workspace.worker_attached",
            worker,
        );
        notes
            .refresh
            .extend(access::people_of(conn, workspace)?.into_keys());
        tell(conn, notes, &standing.workspace, worker)?;
        notes.tell([reach.owner], About::Grants(worker.clone()));
    }
    Ok(())
}

/// By the Worker's owner, whatever has become of the workspace, or by the workspace's.
pub(crate) async fn detach_worker(
    asked: &Asked,
    request: wire::DetachWorkerRequest,
) -> Result<wire::DetachWorkerResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let workspace = workspace_id(&request.workspace_id)?;
    let worker = worker_id(&request.worker_id)?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(detach(conn, notes, &caller, &workspace, &worker))
    });
    done.await?;
    Ok(wire::DetachWorkerResponse {})
}

pub(super) fn detach(
    conn: &mut Connection,
    notes: &mut Notes,
    caller: &Caller,
    workspace: &WorkspaceId,
    worker: &WorkerId,
) -> Result<(), Stop> {
    let hosts = shares::hosts(conn, workspace)?;
    let host = hosts.iter().find(|host| host.worker == *worker);
    let is_hers = host.is_some_and(|host| host.owner == caller.user);
    let workspace = if is_hers && caller.binding.is_none() {
        workspaces::find(conn, workspace)?.ok_or(Refusal::NotFound)?
    } else {
        let standing = Standing::of(conn, caller, workspace)?;
        if !is_hers {
            standing.owns()?;
        }
        standing.workspace
    };
    if shares::detach(conn, worker, &workspace.id)? {
        write_down_of(notes, &workspace, "workspace.worker_detached", worker);
        let topic = Topic::Hosting(worker.clone(), workspace.id.clone());
        notes.revoke(topic, Reason::Revoked);
        notes.tell(
            host.map(|host| host.owner.clone()),
            About::Worker(worker.clone()),
        );
        tell(conn, notes, &workspace, worker)?;
    }
    Ok(())
}

/// The audit log's lines: the workspace's, and the Worker's.
fn write_down_of(
    notes: &mut Notes,
    workspace: &Workspace,
    action: &'static str,
    worker: &WorkerId,
) {
    write_down(notes, workspace, action);
    let organisation = Some(workspace.organisation.as_str());
    notes.audit_in(organisation, action, Object::Worker, worker.as_str(), "");
}

fn tell(
    conn: &mut Connection,
    notes: &mut Notes,
    workspace: &Workspace,
    worker: &WorkerId,
) -> Result<(), Stop> {
    let people: BTreeSet<_> = access::people_of(conn, &workspace.id)?
        .into_keys()
        .collect();
    notes.tell(people, About::Worker(worker.clone()));
    before(conn, workspace)?.tell(notes);
    Ok(())
}

pub(super) fn worker_id(text: &str) -> Result<WorkerId, Refusal> {
    WorkerId::parse(text).map_err(|_| Refusal::NotFound)
}
