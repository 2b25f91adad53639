//! Frames for a relay that knows none: a length, big-endian u32, and so many bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

const LENGTH_LEN: usize = 4;

/// Puts a length before a payload.
pub(super) fn frame(payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(LENGTH_LEN + payload.len());
    frame.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    frame.put_slice(payload);
    frame.freeze()
}

/// Takes whole frames off the front; gives their number and their bytes, lengths included.
pub(super) fn take_whole(buffer: &mut BytesMut) -> (usize, Bytes) {
    let (mut count, mut end) = (0, 0);
    while let Some(whole) = first_len(buffer.get(end..).unwrap_or_default()) {
        count += 1;
        end += whole;
    }
    (count, buffer.split_to(end).freeze())
}

fn first_len(bytes: &[u8]) -> Option<usize> {
    let mut head = bytes.get(..LENGTH_LEN)?;
    let whole = LENGTH_LEN + usize::try_from(head.get_u32()).ok()?;
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_frames_are_taken() {
        let mut buffer = BytesMut::new();
        buffer.put_slice(&frame(b"one"));
        buffer.put_slice(&frame(b""));
        let third = frame(b"three");
        buffer.put_slice(&third[..6]);
        let (count, bytes) = take_whole(&mut buffer);
        assert_eq!((count, bytes.len()), (2, 7 + 4));
        assert_eq!(buffer, third[..6]);
        buffer.put_slice(&third[6..]);
        assert_eq!(take_whole(&mut buffer), (1, third));
        assert!(buffer.is_empty());
    }
}
