//! Layouts, as the documents that they are.

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::WorkspaceId;

use super::{Connection, tables::workspace_layouts};
use crate::error::Fault;

/// The document of a workspace; empty where nobody has made one.
pub(crate) fn find(conn: &mut Connection, workspace: &WorkspaceId) -> Result<Vec<u8>, Fault> {
    let document = workspace_layouts::table
        .find(workspace.as_str())
        .select(workspace_layouts::document)
        .first::<Vec<u8>>(conn)
        .optional()?;
    Ok(document.unwrap_or_default())
}

/// Puts another one in its place.
pub(crate) fn put(
    conn: &mut Connection,
    workspace: &WorkspaceId,
    document: &[u8],
    now_ms: i64,
) -> Result<(), Fault> {
    let values = (
        workspace_layouts::document.eq(document),
        workspace_layouts::updated_ms.eq(now_ms),
    );
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
