//! What a notice means to one watcher, as things are when it is delivered.

use schema::{
    ids::{WorkerId, WorkspaceId},
    wire::{self, hub_event::Body},
};

use crate::{
    caller::Caller,
    error::Fault,
    notes::About,
    state::State,
    store::{Connection, access, workers as rows},
    whereabouts::Whereabout,
    workers, workspaces,
};

/// What to tell; none where it is no longer the watcher's business.
pub(super) fn body(
    conn: &mut Connection,
    state: &State,
    caller: &Caller,
    about: About,
) -> Result<Option<Body>, Fault> {
    match about {
        About::Worker(id) => worker(conn, state, caller, &id).map(Some),
        About::Workspace(id) => workspace(conn, caller, &id).map(Some),
        About::Layout(id) => {
            let told = wire::LayoutChanged {
                workspace_id: id.as_str().to_owned(),
            };
            let may = sees(conn, caller, &id)?;
            Ok(may.then_some(Body::LayoutChanged(told)))
        }
        About::Presence(it) => {
            let may = sees(conn, caller, &it.workspace)?;
            Ok(may.then(|| presence(*it)))
        }
        About::Grants(id) => {
            let told = wire::GrantsWanted {
                worker_id: id.as_str().to_owned(),
            };
            let owned = rows::find(conn, &id)?.is_some_and(|found| found.owner == caller.user);
            Ok(owned.then_some(Body::GrantsWanted(told)))
        }
        About::Organisations => Ok(Some(Body::OrganisationsChanged(
            wire::OrganisationsChanged {},
        ))),
        About::Everything => Ok(Some(Body::Resync(wire::Resync {}))),
    }
}

fn worker(
    conn: &mut Connection,
    state: &State,
    caller: &Caller,
    id: &WorkerId,
) -> Result<Body, Fault> {
    let Some(worker) = workers::seen(conn, state, caller, id)? else {
        return Ok(Body::WorkerGone(wire::WorkerGone {
            worker_id: id.as_str().to_owned(),
        }));
    };
    let worker = Some(worker);
    Ok(Body::WorkerChanged(wire::WorkerChanged { worker }))
}

fn workspace(conn: &mut Connection, caller: &Caller, id: &WorkspaceId) -> Result<Body, Fault> {
    Ok(match workspaces::seen(conn, caller, id)? {
        Some(workspace) => Body::WorkspaceChanged(wire::WorkspaceChanged {
            workspace: Some(workspace),
        }),
        None => Body::WorkspaceGone(wire::WorkspaceGone {
            workspace_id: id.as_str().to_owned(),
        }),
    })
}

fn sees(conn: &mut Connection, caller: &Caller, id: &WorkspaceId) -> Result<bool, Fault> {
    let bound = caller.binding.as_ref();
    let open = bound.is_none_or(|of| of.workspace == *id);
    Ok(open && access::role_in(conn, &caller.user, id)?.is_some())
}

fn presence(it: Whereabout) -> Body {
    Body::PresenceChanged(wire::PresenceChanged {
        workspace_id: it.workspace.as_str().to_owned(),
        user_id: it.user.as_str().to_owned(),
        username: it.username,
        client_id: it.client,
        focus: it.focus,
        left: it.left,
    })
}
