//! What a client sends to a command. It is read ahead of what the command takes, as far as credit
//! goes, so that a signal never stands behind input that nobody reads.

use std::{collections::VecDeque, future::pending};

use bytes::{Buf as _, Bytes, BytesMut};
use nix::sys::signal::Signal;
use schema::wire::{self, RpcError, exec_input};
use tokio::{io::AsyncWriteExt as _, process::ChildStdin};

use super::{
    super::{decode, invalid, stream::Inlet},
    END_OF_TRANSMISSION, TYPED_BYTES,
};
use crate::terminal::{process_tree::ProcessTree, pty::Pty, size::Size};

/// Input that the command has yet to take, the oldest first. Its bytes are bounded by the credit
/// that is given back only when they are taken.
#[derive(Default)]
struct Ahead {
    waiting: VecDeque<Piece>,
    /// The client has ended its side.
    ended: bool,
}

/// A piece of input and the credit that it holds.
struct Piece {
    what: What,
    credit: usize,
}

enum What {
    Data(BytesMut),
    Closed,
}

impl Ahead {
    fn may_read(&self) -> bool {
        !self.ended
    }

    fn is_over(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn front(&self) -> Option<&What> {
        self.waiting.front().map(|piece| &piece.what)
    }

    /// So much of the front piece was taken. Gives the credit of one that is used up.
    fn taken(&mut self, bytes: usize) -> Option<usize> {
        let piece = self.waiting.front_mut()?;
        if let What::Data(data) = &mut piece.what {
            data.advance(bytes.min(data.len()));
            if !data.is_empty() {
                return None;
            }
        }
        self.waiting.pop_front().map(|piece| piece.credit)
    }

    /// Keeps input, small pieces in one: a client that sends byte by byte costs no more than its
    /// bytes. What comes behind the end of the input is of no use; gives its credit.
    fn put(&mut self, data: Bytes, credit: usize) -> usize {
        match self
            .waiting
            .back_mut()
            .map(|piece| (&mut piece.what, &mut piece.credit))
        {
            Some((What::Closed, _)) => return credit,
            Some((What::Data(back), held)) if back.len() + data.len() <= PIECE_BYTES => {
                back.extend_from_slice(&data);
                *held += credit;
            }
            Some((What::Data(_), _)) | None => {
                let what = What::Data(data.into());
                self.waiting.push_back(Piece { what, credit });
            }
        }
        0
    }

    fn close(&mut self, credit: usize) -> usize {
        if matches!(
            self.waiting.back(),
            Some(Piece {
                what: What::Closed,
                ..
            })
        ) {
            return credit;
        }
        let what = What::Closed;
        self.waiting.push_back(Piece { what, credit });
        0
    }

    /// Takes a message of the client in. What does not wait is carried out at once; gives its
    /// credit.
    fn heed(
        &mut self,
        message: Bytes,
        tree: &ProcessTree,
        resize: impl FnOnce(Size),
    ) -> Result<usize, RpcError> {
        let credit = message.len();
        let input: wire::ExecInput = decode(message)?;
        match input.body {
            Some(exec_input::Body::Stdin(data)) if !data.is_empty() => {
                return Ok(self.put(data, credit));
            }
            Some(exec_input::Body::StdinClosed(_)) => {
                return Ok(self.close(credit));
            }
            Some(exec_input::Body::Signal(number)) => tree.signal(signal(number)?),
            Some(exec_input::Body::Resize(size)) => {
                if let Some(size) = Size::of(&size) {
                    resize(size);
                }
            }
            Some(exec_input::Body::Stdin(_)) | None => {}
        }
        Ok(credit)
    }
}

/// Carries out what the client sends, until its end. A client that ends its side closes the
/// command's input; one that goes away takes this whole service with it.
pub(super) async fn pipe(
    mut stdin: Option<ChildStdin>,
    mut inlet: Inlet,
    tree: ProcessTree,
) -> Result<(), RpcError> {
    let mut ahead = Ahead::default();
    while !ahead.is_over() {
        tokio::select! {
            message = inlet.next(), if ahead.may_read() => match message {
                Some(message) => inlet.consumed(ahead.heed(message, &tree, |_| {})?),
                None => ahead.ended = true,
            },
            taken = write(&mut stdin, ahead.front()), if !ahead.is_idle() => {
                inlet.consumed(ahead.taken(taken).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// Writes what the pipe takes of the front piece; nothing is written when it is dropped before.
async fn write(stdin: &mut Option<ChildStdin>, front: Option<&What>) -> usize {
    match (front, stdin.as_mut()) {
        (Some(What::Data(data)), Some(pipe)) => match pipe.write(data).await {
            Ok(written @ 1..) => written,
            // The command closed its input; what else comes for it is of no use.
            Ok(_) | Err(_) => {
                *stdin = None;
                data.len()
            }
        },
        (Some(What::Data(data)), None) => data.len(),
        (Some(What::Closed), _) => {
            *stdin = None;
            0
        }
        (None, _) => pending().await,
    }
}

/// The same for a command on a terminal, which is closed by a key.
pub(super) async fn keyboard(
    pty: &Pty,
    mut inlet: Inlet,
    tree: ProcessTree,
) -> Result<(), RpcError> {
    let keyboard = pty.keyboard();
    let mut ahead = Ahead::default();
    while !ahead.is_over() {
        tokio::select! {
            message = inlet.next(), if ahead.may_read() => match message {
                Some(message) => {
                    inlet.consumed(ahead.heed(message, &tree, |size| pty.resize(size))?);
                }
                None => ahead.ended = true,
            },
            place = keyboard.reserve(), if !ahead.is_idle() => {
                let typed = match ahead.front() {
                    Some(What::Data(data)) => typed(data),
                    Some(What::Closed) | None => Bytes::from_static(&[END_OF_TRANSMISSION]),
                };
                let bytes = typed.len();
                // A program that ended reads no more; its exit code is under way.
                let _ = place.map(|place| place.send(typed));
                inlet.consumed(ahead.taken(bytes).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// As much as goes to a terminal at a time.
fn typed(data: &[u8]) -> Bytes {
    let some = data.get(..TYPED_BYTES).unwrap_or(data);
    Bytes::copy_from_slice(some)
}

fn signal(number: u32) -> Result<Signal, RpcError> {
    let number = i32::try_from(number).unwrap_or_default();
    Signal::try_from(number).map_err(|_| invalid("no such signal"))
}

/// Input that waits is joined up to this size: credit of 1 MiB makes at most 33 pieces.
const PIECE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_that_comes_byte_by_byte_is_few_pieces_and_gives_all_its_credit_back() {
        let mut ahead = Ahead::default();
        for at in 0..200_000u32 {
            assert_eq!(ahead.put(Bytes::from(vec![at.to_le_bytes()[0]]), 5), 0);
        }
        assert!(
            ahead.may_read() && ahead.waiting.len() <= 4,
            "{}",
            ahead.waiting.len()
        );
        assert_eq!(
            ahead.close(2) + ahead.close(2) + ahead.put(Bytes::from_static(b"late"), 9),
            11
        );
        let (mut bytes, mut credit) = (0usize, 0);
        while let Some(What::Data(data)) = ahead.front() {
            assert_eq!(data.first(), Some(&bytes.to_le_bytes()[0]));
            let taken = data.len().min(1_000);
            bytes += taken;
            credit += ahead.taken(taken).unwrap_or_default();
        }
        assert_eq!((bytes, credit), (200_000, 1_000_000));
        assert_eq!(ahead.taken(0), Some(2));
    }
}
