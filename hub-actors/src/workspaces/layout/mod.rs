//! The layout of a workspace: one document that all devices change and the Hub merges.
//!
//! The Hub reads tiles, tabs and titles, and nothing of what is in them.

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkspaceId},
    wire,
};
use tokio::sync::Semaphore;

use self::merge::{Merged, UPDATE_MAX, merge};
use super::{standing::Standing, workspace_id};
use crate::{
    asked::Asked,
    caller::Caller,
    clock,
    error::{Fault, Field, Refusal},
    notes::{About, Notes},
    stop::{Stop, sorted},
    store::{Connection, access, layouts},
};

mod merge;
mod shape;

/// Merges at work at once: each may take a processor for as long as its document is large.
static MERGES: Semaphore = Semaphore::const_new(2);
/// Tries for one update, while others change the same document.
const TRIES: u32 = 8;
/// Then the caller may try.
const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Merges an editor's update, if there is one, and answers with what the caller lacks. Merging
/// takes place beside the database and is undone by whoever was faster.
pub(crate) async fn sync_layout(
    asked: &Asked,
    request: wire::SyncLayoutRequest,
) -> Result<wire::SyncLayoutResponse, Refusal> {
    let (caller, id) = (
        asked.caller()?.clone(),
        workspace_id(&request.workspace_id)?,
    );
    if request.update.len() > UPDATE_MAX {
        return Err(Refusal::Malformed(Field::LayoutUpdate));
    }
    for _ in 0..TRIES {
        let known = read(asked, &caller, &id, !request.update.is_empty()).await?;
        let merged = merged(known.clone(), &request).await?;
        let Some(new) = merged.document else {
            return Ok(answer(merged.answer, merged.vector));
        };
        let (caller, id) = (caller.clone(), id.clone());
        let stored = asked.state.order(asked.author(), move |conn, notes| {
            sorted(store(conn, notes, &caller, &id, &known, &new))
        });
        if stored.await? {
            return Ok(answer(merged.answer, merged.vector));
        }
    }
    Err(Refusal::Unavailable(AGAIN_AFTER))
}

async fn read(
    asked: &Asked,
    caller: &Caller,
    id: &WorkspaceId,
    edits: bool,
) -> Result<Vec<u8>, Refusal> {
    let (caller, id) = (caller.clone(), id.clone());
    let known = asked.state.store.run(move |conn| {
        sorted(may(conn, &caller, &id, edits).and_then(|()| Ok(layouts::find(conn, &id)?)))
    });
    known.await?
}

fn may(conn: &mut Connection, caller: &Caller, id: &WorkspaceId, edits: bool) -> Result<(), Stop> {
    let standing = Standing::of(conn, caller, id)?;
    standing.views()?;
    if edits {
        standing.edits()?;
        standing.is_open()?;
    }
    Ok(())
}

async fn merged(known: Vec<u8>, request: &wire::SyncLayoutRequest) -> Result<Merged, Refusal> {
    let _turn = MERGES.acquire().await.map_err(|_| Fault::Task)?;
    let (update, vector) = (request.update.clone(), request.state_vector.clone());
    let merged = tokio::task::spawn_blocking(move || merge(&known, &update, &vector));
    merged.await.map_err(|_| Fault::Task)?
}

/// `false` where somebody else was faster.
fn store(
    conn: &mut Connection,
    notes: &mut Notes,
    caller: &Caller,
    id: &WorkspaceId,
    known: &[u8],
    new: &[u8],
) -> Result<bool, Stop> {
    may(conn, caller, id, true)?;
    if layouts::find(conn, id)? != known {
        return Ok(false);
    }
    layouts::put(conn, id, new, clock::unix_ms())?;
    let people: Vec<UserId> = access::people_of(conn, id)?.into_keys().collect();
    notes.tell(people, About::Layout(id.clone()));
    Ok(true)
}

fn answer(update: Vec<u8>, vector: Vec<u8>) -> wire::SyncLayoutResponse {
    wire::SyncLayoutResponse {
        update: Bytes::from(update),
        state_vector: Bytes::from(vector),
    }
}
