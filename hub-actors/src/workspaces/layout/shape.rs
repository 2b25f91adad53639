//! BRAIN: whether bytes are a Yjs update (version 1) of the kind that a layout consists of.
//!
//! The library that merges them trusts what it reads in three ways: it reserves room for as many
//! things as an update says that it has, it goes as deep as values are nested, and it adds clocks
//! without a look at their size. So a walk comes first that needs no memory: whatever is said to be
//! there has to be, nothing is nested deeper than [`DEPTH_MAX`], no clock leaves its range. Kinds of
//! content that no page of ours makes are refused.

/// Values inside values.
const DEPTH_MAX: u8 = 16;
/// Clocks and lengths; the library adds them in 32 bits.
const CLOCK_MAX: u64 = 1 << 30;
/// Clients are whole numbers of JavaScript.
const CLIENT_MAX: u64 = (1 << 53) - 1;

/// How many structs an update has; none when it is no update of a layout.
pub(super) fn structs(update: &[u8]) -> Option<usize> {
    let mut bytes = Bytes(update);
    let mut structs = 0_usize;
    for _ in 0..bytes.count()? {
        let of_client = bytes.count()?;
        structs = structs.checked_add(of_client)?;
        bytes.up_to(CLIENT_MAX)?;
        let mut clock = bytes.up_to(CLOCK_MAX)?;
        for _ in 0..of_client {
            clock = clock.checked_add(bytes.structure()?)?;
            (clock <= CLOCK_MAX).then_some(())?;
        }
    }
    bytes.deletions()?;
    bytes.0.is_empty().then_some(structs)
}

/// Whether it is a state vector.
pub(super) fn is_state_vector(vector: &[u8]) -> bool {
    let mut bytes = Bytes(vector);
    let mut read = || {
        for _ in 0..bytes.count()? {
            bytes.up_to(CLIENT_MAX)?;
            bytes.up_to(CLOCK_MAX)?;
        }
        Some(bytes.0.is_empty())
    };
    read().unwrap_or_default()
}

struct Bytes<'a>(&'a [u8]);

/// What content there is: the lower five bits of a struct's first byte.
mod kind {
    pub(super) const GARBAGE: u8 = 0;
    pub(super) const DELETED: u8 = 1;
    pub(super) const STRING: u8 = 4;
    pub(super) const TYPE: u8 = 7;
    pub(super) const ANY: u8 = 8;
    pub(super) const SKIP: u8 = 10;
}

const HAS_LEFT: u8 = 0x80;
const HAS_RIGHT: u8 = 0x40;
const HAS_KEY: u8 = 0x20;
/// `YArray`, `YMap`, `YText`.
const TYPES: u64 = 2;

impl Bytes<'_> {
    /// One struct; how far it moves the clock.
    fn structure(&mut self) -> Option<u64> {
        let info = self.byte()?;
        let kind = info & 0x1f;
        if matches!(kind, kind::GARBAGE | kind::SKIP) {
            return self.up_to(CLOCK_MAX);
        }
        if info & HAS_LEFT != 0 {
            self.id()?;
        }
        if info & HAS_RIGHT != 0 {
            self.id()?;
        }
        if info & (HAS_LEFT | HAS_RIGHT) == 0 {
            match self.up_to(1)? {
                1 => self.string().map(|_| ())?,
                _ => self.id()?,
            }
            if info & HAS_KEY != 0 {
                self.string()?;
            }
        }
        self.content(kind)
    }

    fn content(&mut self, kind: u8) -> Option<u64> {
        match kind {
            kind::DELETED => self.up_to(CLOCK_MAX),
            kind::STRING => {
                let text = std::str::from_utf8(self.string()?).ok()?;
                u64::try_from(text.encode_utf16().count()).ok()
            }
            kind::TYPE => self.up_to(TYPES).map(|_| 1),
            kind::ANY => {
                let values = self.count()?;
                for _ in 0..values {
                    self.value(0)?;
                }
                u64::try_from(values).ok()
            }
            _ => None,
        }
    }

    /// A value as lib0 writes it; the first byte tells which.
    fn value(&mut self, depth: u8) -> Option<()> {
        (depth < DEPTH_MAX).then_some(())?;
        match self.byte()? {
            120 | 121 | 126 | 127 => Some(()),
            122 | 123 => self.skip(8),
            124 => self.skip(4),
            125 => self.integer(),
            116 => self.string().map(|_| ()),
            119 => self.text(),
            117 => {
                for _ in 0..self.count()? {
                    self.value(depth + 1)?;
                }
                Some(())
            }
            118 => {
                for _ in 0..self.count()? {
                    self.text()?;
                    self.value(depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn deletions(&mut self) -> Option<()> {
        for _ in 0..self.count()? {
            self.up_to(CLIENT_MAX)?;
            for _ in 0..self.count()? {
                let from = self.up_to(CLOCK_MAX)?;
                let len = self.up_to(CLOCK_MAX)?;
                (from + len <= CLOCK_MAX).then_some(())?;
            }
        }
        Some(())
    }

    fn id(&mut self) -> Option<()> {
        self.up_to(CLIENT_MAX)?;
        self.up_to(CLOCK_MAX).map(|_| ())
    }

    /// A number of things, of which each takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    fn up_to(&mut self, most: u64) -> Option<u64> {
        self.number().filter(|number| *number <= most)
    }

    /// Seven bits a byte, the lowest first; no more than eight bytes, since nothing has more bits.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..8 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The same with a sign; its value is of no interest.
    fn integer(&mut self) -> Option<()> {
        for _ in 0..10 {
            if self.byte()? & 0x80 == 0 {
                return Some(());
            }
        }
        None
    }

    fn text(&mut self) -> Option<()> {
        std::str::from_utf8(self.string()?).ok().map(|_| ())
    }

    fn string(&mut self) -> Option<&[u8]> {
        let len = self.count()?;
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.0 = self.0.get(len..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use yrs::{Array as _, Doc, Map as _, MapPrelim, ReadTxn as _, StateVector, Transact as _};

    use super::*;

    fn layout() -> Vec<u8> {
        let doc = Doc::new();
        let tabs = doc.get_or_insert_map("tabs");
        let order = doc.get_or_insert_array("order");
        let mut change = doc.transact_mut();
        for at in 0..20_u32 {
            let entry = MapPrelim::from([("kind", "terminal"), ("title", "ein Titel – 端末")]);
            let entry = tabs.insert(&mut change, format!("t{at}"), entry);
            entry.insert(&mut change, "size", 0.25);
            entry.insert(&mut change, "open", true);
            entry.insert(&mut change, "place", vec![1, -2, 3]);
            order.push_back(&mut change, f64::from(at));
        }
        tabs.remove(&mut change, "t3");
        order.remove_range(&mut change, 2, 5);
        change.encode_state_as_update_v1(&StateVector::default())
    }

    #[test]
    fn what_a_page_makes_passes() {
        let update = layout();
        assert!(structs(&update).is_some_and(|structs| structs > 20));
        assert_eq!(structs(&[0, 0]), Some(0));
        assert!(is_state_vector(&[0]));
        assert!(is_state_vector(&[2, 1, 5, 2, 6]));
    }

    #[test]
    fn what_is_cut_short_does_not() {
        let update = layout();
        for len in 0..update.len() {
            assert_eq!(structs(&update[..len]), None, "{len}");
        }
        assert_eq!(structs(&[&update[..], &[0]].concat()), None);
    }

    #[test]
    fn more_than_is_there_is_no_update() {
        // A client with two hundred million structs, and a set with as many ranges.
        assert_eq!(structs(&[1, 0xff, 0xff, 0xff, 0x7f, 1, 0]), None);
        assert_eq!(structs(&[0, 1, 1, 0xff, 0xff, 0xff, 0x7f]), None);
        assert!(!is_state_vector(&[0xff, 0xff, 0xff, 0x7f]));
    }

    #[test]
    fn nothing_is_nested_without_end() {
        let nested = |depth: usize| {
            let mut update = vec![1, 1, 1, 0, kind::ANY, 1, 1, b'a', 1];
            update.extend(std::iter::repeat_n([117, 1], depth).flatten());
            update.extend([126, 0]);
            structs(&update)
        };
        assert_eq!(nested(15), Some(1));
        assert_eq!(nested(16), None);
        assert_eq!(nested(30_000), None);
    }

    #[test]
    fn a_clock_does_not_leave_its_range() {
        let deleted = |len: [u8; 5]| {
            let mut update = vec![1, 1, 1, 0, kind::GARBAGE];
            update.extend(len);
            update.push(0);
            structs(&update)
        };
        assert_eq!(deleted([0x80, 0x80, 0x80, 0x80, 4]), Some(1));
        assert_eq!(deleted([0x81, 0x80, 0x80, 0x80, 4]), None);
    }

    #[test]
    fn documents_in_documents_and_moves_are_no_layout() {
        for kind in [2, 3, 5, 6, 9, 11, 31] {
            let update = [1, 1, 1, 0, kind, 1, 1, b'a', 1, b'b', 0, 0, 0];
            assert_eq!(structs(&update), None, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _judged = (structs(&bytes), is_state_vector(&bytes));
        }
    }
}
