//! `docs/access.md`, read: one row a method, one column a kind of caller.

use std::collections::BTreeMap;

/// What the document says of one method: kinds of callers, and how they are answered.
pub(super) type Row = BTreeMap<String, String>;

/// The kinds of callers that have a column.
pub(super) const CALLERS: [&str; 8] = [
    "anonymous",
    "stranger",
    "member",
    "viewer",
    "editor",
    "owner",
    "organisation admin",
    "hub admin",
];

/// Every row, by `Service/Method`.
pub(super) fn read() -> BTreeMap<String, Row> {
    let text = include_str!("../../../../docs/access.md");
    let lines: Vec<Vec<&str>> = text.lines().filter_map(cells).collect();
    let mut table = BTreeMap::new();
    let mut names: &[&str] = &[];
    for line in &lines {
        match line.first() {
            Some(&"method") => names = line,
            Some(method) if names.len() == line.len() && method.contains('/') => {
                let row = names.iter().zip(line).skip(1);
                let row = row.map(|(name, cell)| ((*name).to_owned(), (*cell).to_owned()));
                table.insert(method.trim_matches('`').to_owned(), row.collect());
            }
            _ => {}
        }
    }
    table
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}
