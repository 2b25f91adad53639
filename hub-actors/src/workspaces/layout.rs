//! The layout of a workspace: what its pages say, kept and passed on as bytes.
//!
//! Pages merge, with the library that they are built on. The Hub reads none of it: a document made for
//! the purpose takes a merging program its memory or its time, and here that would be everybody's.

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkspaceId},
    wire,
};

use super::{standing::Standing, workspace_id};
use crate::{
    asked::Asked,
    caller::Caller,
    clock,
    error::{Field, Refusal, Unmet},
    notes::{About, Notes},
    stop::{Stop, sorted},
    store::{
        Connection, access,
        layouts::{self, Log, Since},
    },
};

/// Longest update, in bytes.
const UPDATE_MAX: usize = 64 * 1_024;
/// Largest document, in bytes.
const DOCUMENT_MAX: usize = 512 * 1_024;
/// The log, when somebody should put a document in its place.
const LONG: Log = Log {
    updates: 64,
    bytes: 64 * 1_024,
};
/// The log, when somebody has to.
const FULL: Log = Log {
    updates: 1_024,
    bytes: 1_024 * 1_024,
};

/// What an editor does to a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Edit {
    Append(Bytes),
    /// Puts a document in place of everything up to a sequence.
    Replace(i64, Bytes),
}

/// Keeps an editor's edit, if there is one, and answers with what the caller lacks.
pub(crate) async fn sync_layout(
    asked: &Asked,
    request: wire::SyncLayoutRequest,
) -> Result<wire::SyncLayoutResponse, Refusal> {
    let caller = asked.caller()?.clone();
    let id = workspace_id(&request.workspace_id)?;
    let after = sequence(request.after);
    let known = if let Some(edit) = edit(request)? {
        let done = asked.state.order(asked.author(), move |conn, notes| {
            sorted(
                carry_out(conn, notes, &caller, &id, &edit)
                    .and_then(|()| Ok(layouts::since(conn, &id, after)?)),
            )
        });
        done.await?
    } else {
        let read = asked.state.store.run(move |conn| {
            sorted(
                Standing::of(conn, &caller, &id)
                    .and_then(|standing| Ok(standing.views()?))
                    .and_then(|()| Ok(layouts::since(conn, &id, after)?)),
            )
        });
        read.await??
    };
    Ok(answer(known))
}

fn edit(request: wire::SyncLayoutRequest) -> Result<Option<Edit>, Refusal> {
    let update = request.update;
    let len = update.len();
    match request.replaces {
        None if len == 0 => Ok(None),
        None if len > UPDATE_MAX => Err(Refusal::Malformed(Field::LayoutUpdate)),
        None => Ok(Some(Edit::Append(update))),
        Some(_) if len == 0 || len > DOCUMENT_MAX => Err(Refusal::Malformed(Field::LayoutSize)),
        Some(replaces) => Ok(Some(Edit::Replace(sequence(replaces), update))),
    }
}

/// One that is beyond all numbers is beyond all that we have said.
fn sequence(said: u64) -> i64 {
    i64::try_from(said).unwrap_or(i64::MAX)
}

fn carry_out(
    conn: &mut Connection,
    notes: &mut Notes,
    caller: &Caller,
    id: &WorkspaceId,
    edit: &Edit,
) -> Result<(), Stop> {
    let standing = Standing::of(conn, caller, id)?;
    standing.views()?;
    standing.edits()?;
    standing.is_open()?;
    match edit {
        Edit::Append(update) => {
            has_room(layouts::log(conn, id)?, update.len())?;
            layouts::append(conn, id, update)?;
        }
        Edit::Replace(replaces, document) => {
            if layouts::newest(conn, id)? != *replaces {
                return Err(Refusal::Overtaken.into());
            }
            layouts::replace(conn, id, document, clock::unix_ms())?;
        }
    }
    let people: Vec<UserId> = access::people_of(conn, id)?.into_keys().collect();
    notes.tell(people, About::Layout(id.clone()));
    Ok(())
}

fn has_room(log: Log, len: usize) -> Result<(), Refusal> {
    let bytes = i64::try_from(len).map_or(i64::MAX, |len| log.bytes.saturating_add(len));
    (log.updates < FULL.updates && bytes <= FULL.bytes)
        .then_some(())
        .ok_or(Refusal::Unmet(Unmet::LayoutFull))
}

const fn is_long(log: Log) -> bool {
    log.updates >= LONG.updates || log.bytes >= LONG.bytes
}

fn answer(known: Since) -> wire::SyncLayoutResponse {
    wire::SyncLayoutResponse {
        base: known.base.into(),
        updates: known.updates.into_iter().map(Bytes::from).collect(),
        sequence: u64::try_from(known.sequence).unwrap_or_default(),
        compact: is_long(known.log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_takes_what_fits_and_no_more() {
        let full = Err(Refusal::Unmet(Unmet::LayoutFull));
        let log = |updates, bytes| Log { updates, bytes };
        assert_eq!(has_room(log(1_023, 0), 1), Ok(()));
        assert_eq!(has_room(log(1_024, 0), 1), full);
        assert_eq!(has_room(log(0, 1_024 * 1_024 - 5), 5), Ok(()));
        assert_eq!(has_room(log(0, 1_024 * 1_024 - 5), 6), full);
    }

    #[test]
    fn a_log_is_long_by_number_or_by_size() {
        let log = |updates, bytes| Log { updates, bytes };
        assert!(!is_long(log(63, 65_535)));
        assert!(is_long(log(64, 64)) && is_long(log(1, 65_536)));
    }
}
