//! Who is where in a workspace: told live to all who watch it.

use schema::{
    ids::{UserId, WorkspaceId},
    wire,
};

use super::{standing::Standing, workspace_id};
use crate::{
    asked::Asked,
    caller::Caller,
    error::{Field, Refusal},
    messages::Speak,
    stop::{Stop, sorted},
    store::{Connection, access},
    whereabouts::Whereabout,
};

/// Notes where the caller's page is. To be said again within a minute, for as long as it is there.
pub(crate) async fn announce_presence(
    asked: &Asked,
    request: wire::AnnouncePresenceRequest,
) -> Result<wire::AnnouncePresenceResponse, Refusal> {
    let (caller, workspace) = (
        asked.caller()?.clone(),
        workspace_id(&request.workspace_id)?,
    );
    if !is_id(&request.client_id) || !(request.focus.is_empty() || is_id(&request.focus)) {
        return Err(Refusal::Malformed(Field::ClientId));
    }
    let said = Whereabout {
        workspace: workspace.clone(),
        user: caller.user.clone(),
        username: caller.username.clone(),
        client: request.client_id,
        focus: request.focus,
        left: request.leaving,
    };
    let people = asked
        .state
        .store
        .run(move |conn| sorted(people(conn, &caller, &workspace)));
    let people = people.await??;
    channel_actors::post::tell_addr(&asked.state.registry, Speak { said, people });
    Ok(wire::AnnouncePresenceResponse {})
}

fn people(
    conn: &mut Connection,
    caller: &Caller,
    workspace: &WorkspaceId,
) -> Result<Vec<UserId>, Stop> {
    Standing::of(conn, caller, workspace)?.views()?;
    Ok(access::people_of(conn, workspace)?.into_keys().collect())
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}
