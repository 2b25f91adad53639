//! BRAIN: two states of a layout become one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use yrs::{
    Doc, ReadTxn as _, StateVector, Transact as _, Update,
    updates::{decoder::Decode as _, encoder::Encode as _},
};

use super::shape;
use crate::error::{Field, Refusal};

/// Longest update, in bytes.
pub(super) const UPDATE_MAX: usize = 64 * 1_024;
/// And what it consists of.
const UPDATE_STRUCTS: usize = 8_192;
/// Largest document, in bytes.
pub(super) const DOCUMENT_MAX: usize = 1_024 * 1_024;
/// And what it consists of: what is put at the same place is compared one by one.
const DOCUMENT_STRUCTS: usize = 32_768;

/// What becomes of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// The new one; none where nothing changed.
    pub(super) document: Option<Vec<u8>>,
    /// What a state vector lacks.
    pub(super) answer: Vec<u8>,
    /// The state vector of what it is now: a page pushes what lies beyond it. All of a document
    /// that has lived for long is more than [`UPDATE_MAX`].
    pub(super) vector: Vec<u8>,
}

/// Merges an update into a document, both of which may be empty, and tells what `vector` lacks.
/// Whatever the library makes of bytes that passed its own and our look: a panic is a refusal.
pub(super) fn merge(document: &[u8], update: &[u8], vector: &[u8]) -> Result<Merged, Refusal> {
    if !vector.is_empty() && !shape::is_state_vector(vector) {
        return Err(Refusal::Malformed(Field::StateVector));
    }
    if !update.is_empty() {
        let structs = shape::structs(update).filter(|structs| *structs <= UPDATE_STRUCTS);
        if update.len() > UPDATE_MAX || structs.is_none() {
            return Err(Refusal::Malformed(Field::LayoutUpdate));
        }
    }
    let merged = catch_unwind(AssertUnwindSafe(|| merged(document, update, vector)));
    let merged = merged.ok().flatten();
    let merged = merged.ok_or(Refusal::Malformed(Field::LayoutUpdate))?;
    match &merged.document {
        Some(document) if !fits(document) => Err(Refusal::Malformed(Field::LayoutSize)),
        Some(_) | None => Ok(merged),
    }
}

fn fits(document: &[u8]) -> bool {
    let structs = shape::structs(document);
    document.len() <= DOCUMENT_MAX && structs.is_some_and(|structs| structs <= DOCUMENT_STRUCTS)
}

fn merged(document: &[u8], update: &[u8], vector: &[u8]) -> Option<Merged> {
    let doc = Doc::new();
    let mut change = doc.transact_mut();
    for bytes in [document, update] {
        if !bytes.is_empty() {
            change.apply_update(Update::decode_v1(bytes).ok()?).ok()?;
        }
    }
    let lacks = match vector {
        [] => StateVector::default(),
        vector => StateVector::decode_v1(vector).ok()?,
    };
    let answer = change.encode_state_as_update_v1(&lacks);
    let document = (!update.is_empty())
        .then(|| change.encode_state_as_update_v1(&StateVector::default()))
        .filter(|new| new != document);
    let vector = change.state_vector().encode_v1();
    Some(Merged {
        document,
        answer,
        vector,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use yrs::{Array as _, GetString as _, Map as _, MapRef, Text as _, TextRef};

    use super::*;

    /// What a page has: an update that sets one key, made by a client of this number.
    fn set(client: u64, key: &str, value: &str) -> Vec<u8> {
        let doc = Doc::with_client_id(client);
        let map: MapRef = doc.get_or_insert_map("tabs");
        let mut change = doc.transact_mut();
        map.insert(&mut change, key, value);
        change.encode_state_as_update_v1(&StateVector::default())
    }

    fn read(document: &[u8], key: &str) -> Option<String> {
        let doc = Doc::new();
        let map: MapRef = doc.get_or_insert_map("tabs");
        let mut change = doc.transact_mut();
        change
            .apply_update(Update::decode_v1(document).unwrap())
            .unwrap();
        map.get(&change, key).map(|value| value.to_string(&change))
    }

    #[test]
    fn two_pages_end_with_the_same_whichever_comes_first() {
        let (one, other) = (set(1, "a", "x"), set(2, "b", "y"));
        let both = |first: &[u8], second: &[u8]| {
            let document = merge(&[], first, &[]).unwrap().document.unwrap();
            merge(&document, second, &[]).unwrap().document.unwrap()
        };
        let merged = both(&one, &other);
        assert_eq!(read(&merged, "a").as_deref(), Some("x"));
        assert_eq!(read(&merged, "b").as_deref(), Some("y"));
        assert_eq!(merged, both(&other, &one));
    }

    #[test]
    fn what_is_known_changes_nothing_and_is_not_told_again() {
        let update = set(1, "a", "x");
        let document = merge(&[], &update, &[]).unwrap().document.unwrap();
        let again = merge(&document, &update, &[1, 1, 1]).unwrap();
        assert_eq!(again.document, None);
        assert_eq!(again.answer, [0, 0]);
        let asked = merge(&document, &[], &[]).unwrap();
        assert_eq!(asked.document, None);
        assert_eq!(read(&asked.answer, "a").as_deref(), Some("x"));
    }

    #[test]
    fn what_outgrew_an_update_is_changed_by_what_is_beyond_its_vector() {
        let page = Doc::with_client_id(1);
        let map: MapRef = page.get_or_insert_map("tabs");
        let mut document = Vec::new();
        let mut vector = Vec::new();
        for at in 0..1_500 {
            let tab = format!("worker-of-somebody-{at}/terminal-{at}-with-a-long-name");
            map.insert(&mut page.transact_mut(), tab.as_str(), "here");
            map.remove(&mut page.transact_mut(), &tab);
            if at % 100 == 0 {
                let known = StateVector::decode_v1(&vector).unwrap_or_default();
                let update = page.transact().encode_state_as_update_v1(&known);
                let merged = merge(&document, &update, &[]).unwrap();
                (document, vector) = (merged.document.unwrap(), merged.vector);
            }
        }
        assert!(document.len() > UPDATE_MAX, "{}", document.len());
        let reader = Doc::with_client_id(2);
        let map: MapRef = reader.get_or_insert_map("tabs");
        let asked = merge(&document, &[], &[]).unwrap();
        let mut change = reader.transact_mut();
        change
            .apply_update(Update::decode_v1(&asked.answer).unwrap())
            .unwrap();
        map.insert(&mut change, "new", "tab");
        let whole = change.encode_state_as_update_v1(&StateVector::default());
        let refused = Err(Refusal::Malformed(Field::LayoutUpdate));
        assert_eq!(merge(&document, &whole, &[]), refused);
        let known = StateVector::decode_v1(&asked.vector).unwrap();
        let news = change.encode_state_as_update_v1(&known);
        let merged = merge(&document, &news, &[]).unwrap();
        assert_eq!(
            read(&merged.document.unwrap(), "new").as_deref(),
            Some("tab")
        );
        assert_eq!(merged.vector, change.state_vector().encode_v1());
    }

    #[test]
    fn nonsense_is_refused() {
        let update = Err(Refusal::Malformed(Field::LayoutUpdate));
        assert_eq!(merge(&[], b"nonsense", &[]), update);
        assert_eq!(merge(&[], &vec![0; UPDATE_MAX + 1], &[]), update);
        let vector = Err(Refusal::Malformed(Field::StateVector));
        assert_eq!(merge(&[], &[], b"nonsense"), vector);
    }

    #[test]
    fn a_document_does_not_outgrow_its_bound() {
        let mut document = Vec::new();
        let text = "x".repeat(60_000);
        for client in 1..40 {
            let update = set(client, &format!("k{client}"), &text);
            match merge(&document, &update, &[]) {
                Ok(merged) => document = merged.document.unwrap(),
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::Malformed(Field::LayoutSize));
                    assert!(document.len() > DOCUMENT_MAX - 2 * text.len());
                    return;
                }
            }
        }
        panic!("{} bytes", document.len());
    }

    #[test]
    fn what_comes_out_of_order_waits_for_what_is_missing() {
        let doc = Doc::with_client_id(1);
        let text: TextRef = doc.get_or_insert_text("t");
        let whole =
            |doc: &Doc, since: &StateVector| doc.transact().encode_state_as_update_v1(since);
        text.push(&mut doc.transact_mut(), "a");
        let first = whole(&doc, &StateVector::default());
        let since = doc.transact().state_vector();
        text.push(&mut doc.transact_mut(), "b");
        let second = whole(&doc, &since);
        let waiting = merge(&[], &second, &[]).unwrap().document.unwrap();
        let merged = merge(&waiting, &first, &[]).unwrap().document.unwrap();
        let copy = Doc::new();
        let text: TextRef = copy.get_or_insert_text("t");
        let mut change = copy.transact_mut();
        change
            .apply_update(Update::decode_v1(&merged).unwrap())
            .unwrap();
        assert_eq!(text.get_string(&change), "ab");
    }

    fn rich() -> Vec<u8> {
        let doc = Doc::with_client_id(7);
        let map: MapRef = doc.get_or_insert_map("tabs");
        let list = doc.get_or_insert_array("order");
        let mut change = doc.transact_mut();
        for at in 0..6 {
            map.insert(&mut change, format!("t{at}"), format!("title {at}"));
            list.push_back(&mut change, f64::from(at));
        }
        list.remove_range(&mut change, 1, 2);
        map.remove(&mut change, "t2");
        change.encode_state_as_update_v1(&StateVector::default())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Whatever is done to an update: an answer, and a document that can be read again.
        #[test]
        fn a_damaged_update_does_no_harm(
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6)
        ) {
            let document = merge(&[], &set(1, "a", "x"), &[]).unwrap().document.unwrap();
            let mut update = rich();
            for (at, byte) in damage {
                let at = at.index(update.len());
                update[at] = byte;
            }
            if let Ok(Merged { document: Some(merged), .. }) = merge(&document, &update, &[]) {
                prop_assert!(merge(&merged, &set(9, "b", "y"), &[]).is_ok());
            }
        }
    }
}
