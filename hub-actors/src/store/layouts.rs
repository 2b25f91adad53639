//! Layouts: of each the document that some page put together, and the log of what was said since.
//!
//! Bytes to us, all of them. Sequences go up by one with each update and each new document, so that a
//! page that names one it knows is told the rest.

use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _,
    dsl::{count_star, max, sum},
    sql_types::Binary,
};
use schema::ids::WorkspaceId;

use super::{
    Connection,
    tables::{workspace_layout_updates, workspace_layouts},
};
use crate::error::Fault;

/// What somebody lacks who knows everything up to some sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Since {
    /// The document, where the log alone would not do; else empty.
    pub(crate) base: Vec<u8>,
    /// What came behind that, oldest first.
    pub(crate) updates: Vec<Vec<u8>>,
    /// Up to which this goes.
    pub(crate) sequence: i64,
    /// All of the log.
    pub(crate) log: Log,
}

/// How long the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) updates: i64,
    pub(crate) bytes: i64,
}

diesel::define_sql_function! {
    /// Of bytes, on both databases.
    fn length(bytes: Binary) -> Integer;
}

/// What came behind a sequence. All there is, where the sequence is one that we have not reached.
pub(crate) fn since(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    after: i64,
) -> Result<Since, Fault> {
    // In this order: what a compaction takes out of the log meanwhile is in the document by then.
    let rows = updates_after(conn, workspace, after)?;
    let base = base_after(conn, workspace, after)?;
    let (log, newest) = (log(conn, workspace)?, newest(conn, workspace)?);
    if newest < after {
        return since(conn, workspace, 0);
    }
    let (from, base) = base.unwrap_or((after, Vec::new()));
    let rows = rows.into_iter().filter(|(sequence, _)| *sequence > from);
    let (sequences, updates): (Vec<i64>, Vec<_>) = rows.unzip();
    Ok(Since {
        base,
        updates,
        sequence: sequences.last().map_or(from, |last| *last),
        log,
    })
}

/// The highest sequence; 0 where nothing was ever said.
pub(crate) fn newest(conn: &mut Connection, workspace: &WorkspaceId) -> Result<i64, Fault> {
    let base = workspace_layouts::table
        .find(workspace.as_str())
        .select(workspace_layouts::base_sequence)
        .first::<i64>(conn)
        .optional()?;
    let update = workspace_layout_updates::table
        .filter(workspace_layout_updates::workspace_id.eq(workspace.as_str()))
        .select(max(workspace_layout_updates::sequence))
        .first::<Option<i64>>(conn)?;
    Ok(base.max(update).unwrap_or_default())
}

/// How long the log is.
pub(crate) fn log(conn: &mut Connection, workspace: &WorkspaceId) -> Result<Log, Fault> {
    let (updates, bytes) = workspace_layout_updates::table
        .filter(workspace_layout_updates::workspace_id.eq(workspace.as_str()))
        .select((count_star(), sum(length(workspace_layout_updates::content))))
        .first::<(i64, Option<i64>)>(conn)?;
    Ok(Log {
        updates,
        bytes: bytes.unwrap_or_default(),
    })
}

/// Adds to the log. For a transaction that writes: the sequence is the next.
pub(crate) fn append(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    update: &[u8],
) -> Result<(), Fault> {
    let sequence = newest(conn, workspace)? + 1;
    diesel::insert_into(workspace_layout_updates::table)
        .values((
            workspace_layout_updates::workspace_id.eq(workspace.as_str()),
            workspace_layout_updates::sequence.eq(sequence),
            workspace_layout_updates::content.eq(update),
        ))
        .execute(conn)?;
    Ok(())
}

/// Puts a document in place of everything. It has a sequence of its own, for it may say more.
pub(crate) fn replace(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    document: &[u8],
    now_ms: i64,
) -> Result<(), Fault> {
    let values = (
        workspace_layouts::document.eq(document),
        workspace_layouts::base_sequence.eq(newest(conn, workspace)? + 1),
        workspace_layouts::updated_ms.eq(now_ms),
    );
    let its = workspace_layout_updates::workspace_id.eq(workspace.as_str());
    diesel::delete(workspace_layout_updates::table.filter(its)).execute(conn)?;
    let changed = diesel::update(workspace_layouts::table.find(workspace.as_str()))
        .set(values)
        .execute(conn)?;
    if changed == 0 {
        diesel::insert_into(workspace_layouts::table)
            .values((
                workspace_layouts::workspace_id.eq(workspace.as_str()),
                values,
            ))
            .execute(conn)?;
    }
    Ok(())
}

fn updates_after(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    after: i64,
) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
    Ok(workspace_layout_updates::table
        .filter(workspace_layout_updates::workspace_id.eq(workspace.as_str()))
        .filter(workspace_layout_updates::sequence.gt(after))
        .order(workspace_layout_updates::sequence.asc())
        .select((
            workspace_layout_updates::sequence,
            workspace_layout_updates::content,
        ))
        .load(conn)?)
}

/// The document and its sequence, if that is higher.
fn base_after(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    after: i64,
) -> Result<Option<(i64, Vec<u8>)>, Fault> {
    Ok(workspace_layouts::table
        .find(workspace.as_str())
        .filter(workspace_layouts::base_sequence.gt(after))
        .select((
            workspace_layouts::base_sequence,
            workspace_layouts::document,
        ))
        .first(conn)
        .optional()?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::{
        Store,
        both::{Sandbox, on_both},
        cast::{person, team, workspace},
        workspaces,
    };

    on_both! {
        what_is_said_is_read_in_its_order_by_whoever_lacks_it,
        a_document_takes_the_place_of_what_was_said,
        a_document_of_the_version_before_is_what_everybody_lacks,
        appends_at_once_get_sequences_without_a_gap,
        who_follows_appends_and_compactions_misses_nothing,
        a_layout_goes_with_its_workspace,
    }

    async fn desk(sandbox: &Sandbox) -> WorkspaceId {
        let ann = person(sandbox, "ann").await;
        let crew = team(sandbox, "crew", &[]).await;
        workspace(sandbox, "desk", &crew, &ann).await
    }

    async fn add(store: &Store, desk: &WorkspaceId, update: &[u8]) {
        let (desk, update) = (desk.clone(), update.to_vec());
        let done = store.write(move |conn| append(conn, &desk, &update).map(Ok::<_, ()>));
        done.await.unwrap().unwrap();
    }

    /// Puts everything that is there into one, if nothing has come behind it meanwhile.
    async fn compact(store: &Store, desk: &WorkspaceId) -> bool {
        let known = read(store, desk, 0).await;
        let document = [vec![known.base], known.updates].concat().concat();
        let desk = desk.clone();
        let done = store.write(move |conn| {
            if newest(conn, &desk)? != known.sequence {
                return Ok(Err(()));
            }
            replace(conn, &desk, &document, 9).map(Ok)
        });
        done.await.unwrap().is_ok()
    }

    async fn read(store: &Store, desk: &WorkspaceId, after: i64) -> Since {
        let desk = desk.clone();
        let read = store.run(move |conn| since(conn, &desk, after));
        read.await.unwrap()
    }

    fn known(base: &[u8], updates: &[&[u8]], sequence: i64, log: (i64, i64)) -> Since {
        Since {
            base: base.to_vec(),
            updates: updates.iter().map(|update| update.to_vec()).collect(),
            sequence,
            log: Log {
                updates: log.0,
                bytes: log.1,
            },
        }
    }

    async fn what_is_said_is_read_in_its_order_by_whoever_lacks_it(sandbox: &Sandbox) {
        let (store, desk) = (&sandbox.store, desk(sandbox).await);
        assert_eq!(read(store, &desk, 0).await, known(b"", &[], 0, (0, 0)));
        add(store, &desk, b"one").await;
        add(store, &desk, b"more").await;
        let log = (2, 7);
        let all = known(b"", &[b"one", b"more"], 2, log);
        assert_eq!(read(store, &desk, 0).await, all);
        assert_eq!(read(store, &desk, 1).await, known(b"", &[b"more"], 2, log));
        assert_eq!(read(store, &desk, 2).await, known(b"", &[], 2, log));
        assert_eq!(read(store, &desk, 3).await, all);
        assert_eq!(read(store, &desk, i64::MAX).await, all);
    }

    async fn a_document_takes_the_place_of_what_was_said(sandbox: &Sandbox) {
        let (store, desk) = (&sandbox.store, desk(sandbox).await);
        add(store, &desk, b"a").await;
        add(store, &desk, b"b").await;
        assert!(compact(store, &desk).await);
        let whole = known(b"ab", &[], 3, (0, 0));
        assert_eq!(read(store, &desk, 0).await, whole);
        assert_eq!(read(store, &desk, 2).await, whole);
        assert_eq!(read(store, &desk, 4).await, whole);
        assert_eq!(read(store, &desk, 3).await, known(b"", &[], 3, (0, 0)));
        add(store, &desk, b"c").await;
        assert_eq!(
            read(store, &desk, 2).await,
            known(b"ab", &[b"c"], 4, (1, 1))
        );
        assert!(compact(store, &desk).await);
        assert_eq!(read(store, &desk, 3).await, known(b"abc", &[], 5, (0, 0)));
    }

    async fn a_document_of_the_version_before_is_what_everybody_lacks(sandbox: &Sandbox) {
        let (store, desk) = (&sandbox.store, desk(sandbox).await);
        let id = desk.clone();
        let stored = store.run(move |conn| {
            diesel::insert_into(workspace_layouts::table)
                .values((
                    workspace_layouts::workspace_id.eq(id.as_str()),
                    workspace_layouts::document.eq(b"old".as_slice()),
                    workspace_layouts::updated_ms.eq(1),
                ))
                .execute(conn)?;
            Ok(())
        });
        stored.await.unwrap();
        assert_eq!(read(store, &desk, 0).await, known(b"old", &[], 1, (0, 0)));
        add(store, &desk, b"new").await;
        assert_eq!(
            read(store, &desk, 1).await,
            known(b"", &[b"new"], 2, (1, 3))
        );
    }

    async fn appends_at_once_get_sequences_without_a_gap(sandbox: &Sandbox) {
        let desk = desk(sandbox).await;
        let hubs = (0..4_u8).map(|hub| {
            let desk = desk.clone();
            async move {
                let store = sandbox.again().await;
                for at in 0..10 {
                    add(&store, &desk, &[hub, at]).await;
                }
            }
        });
        futures_util::future::join_all(hubs).await;
        let all = read(&sandbox.store, &desk, 0).await;
        assert_eq!((all.updates.len(), all.sequence), (40, 40));
        for hub in 0..4 {
            let its = all.updates.iter().filter(|update| update[0] == hub);
            assert!(its.map(|update| update[1]).eq(0..10));
        }
    }

    /// Two Hubs append, one puts documents in place of the log, and a page follows: it hears every
    /// byte, and each once in what it has at the end.
    async fn who_follows_appends_and_compactions_misses_nothing(sandbox: &Sandbox) {
        let desk = desk(sandbox).await;
        let over = AtomicBool::new(false);
        let writers = (0..2_u8).map(|hub| {
            let desk = desk.clone();
            async move {
                let store = sandbox.again().await;
                for at in 0..25 {
                    add(&store, &desk, &[hub * 100 + at]).await;
                }
            }
        });
        let writers = async {
            futures_util::future::join_all(writers).await;
            over.store(true, Ordering::SeqCst);
        };
        let compactor = async {
            let store = sandbox.again().await;
            let mut done = 0;
            while !over.load(Ordering::SeqCst) || done == 0 {
                done += usize::from(compact(&store, &desk).await);
            }
        };
        let page = async {
            let (mut has, mut after) = (Vec::new(), 0);
            while has.len() < 50 {
                let since = read(&sandbox.store, &desk, after).await;
                assert!(since.sequence >= after);
                if !since.base.is_empty() {
                    has = since.base;
                }
                has.extend(since.updates.concat());
                after = since.sequence;
            }
            has
        };
        let all = futures_util::future::join3(writers, compactor, page);
        let all = tokio::time::timeout(std::time::Duration::from_secs(120), all);
        let ((), (), mut has) = all.await.expect("the page hears all of it");
        has.sort_unstable();
        let said: Vec<u8> = (0..25).chain(100..125).collect();
        assert_eq!(has, said);
    }

    async fn a_layout_goes_with_its_workspace(sandbox: &Sandbox) {
        let (store, desk) = (&sandbox.store, desk(sandbox).await);
        add(store, &desk, b"a").await;
        assert!(compact(store, &desk).await);
        add(store, &desk, b"b").await;
        let id = desk.clone();
        let deleted = store.run(move |conn| workspaces::delete(conn, &id));
        deleted.await.unwrap();
        assert_eq!(read(store, &desk, 0).await, known(b"", &[], 0, (0, 0)));
    }
}
