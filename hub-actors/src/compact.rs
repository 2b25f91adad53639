//! Small messages out of large memory.
//!
//! What a socket sent is cut out of the memory that it was read into, and one small piece keeps all
//! of that. While a message waits, only its own bytes are on its channel's account.

use bytes::Bytes;

/// What is shorter gets memory of its own; what is not holds no more than a few times itself: a
/// socket is read 64 KiB at a time, a link 256 KiB.
const COPIED_BELOW: usize = 32 * 1024;

/// The same bytes, which keep little else in memory.
pub(crate) fn compact(raw: Bytes) -> Bytes {
    if raw.len() < COPIED_BELOW {
        Bytes::copy_from_slice(&raw)
    } else {
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_piece_lets_go_of_what_it_was_cut_from_and_a_large_one_is_not_copied() {
        let mut read = Bytes::from(vec![7; 64 * 1024]);
        let small = compact(read.split_to(47));
        assert_eq!(small, vec![7; 47]);
        assert!(read.is_unique());
        let at = read.as_ptr();
        let large = compact(read.split_to(COPIED_BELOW));
        assert_eq!((large.as_ptr(), large.len()), (at, COPIED_BELOW));
    }
}
