//! Questions about many things at once, and what they counted.

use std::collections::BTreeMap;

use diesel::QueryResult;

use crate::error::Fault;

/// A statement takes only so many values, in SQLite 32,766; far fewer are as fast.
pub(super) const AT_ONCE: usize = 500;

/// Asks for so many at a time.
pub(super) fn in_pieces<K: Ord, V>(
    ids: &[&str],
    mut ask: impl FnMut(&[&str]) -> QueryResult<Vec<(K, V)>>,
) -> Result<BTreeMap<K, V>, Fault> {
    let mut all = BTreeMap::new();
    for some in ids.chunks(AT_ONCE) {
        all.extend(ask(some)?);
    }
    Ok(all)
}

/// How many there are of `id`; nobody has counted none.
pub(super) fn count<K: Ord>(counted: &BTreeMap<K, i64>, id: &K) -> u32 {
    let counted = counted.get(id).copied().unwrap_or_default();
    u32::try_from(counted).unwrap_or(u32::MAX)
}
