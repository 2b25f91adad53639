//! What one client has still to be sent.
//!
//! A view is a bounded queue. When its client does not keep up, the queue is thrown away and the
//! view is *behind*: it will be given a fresh snapshot once there is room again. So nobody waits
//! for a slow client, and no client gets half of anything.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use schema::wire;

use super::size::Size;

/// A screen as it stood at `sequence`.
#[derive(Clone)]
pub struct Snapshot {
    /// Bytes of output that made it.
    pub sequence: u64,
    /// Columns and rows.
    pub size: Size,
    /// The bytes that rebuild it.
    pub data: Bytes,
}

/// The queue of one client.
pub struct View {
    queue: VecDeque<Piece>,
    bytes: usize,
    behind: bool,
}

enum Piece {
    Snapshot(Snapshot),
    /// What a snapshot's first event had no room for. Its own size holds it, not the queue's: a
    /// long scrollback is longer than the queue, and throwing the rest away would begin it anew
    /// for ever.
    Rest {
        sequence: u64,
        data: Bytes,
    },
    Output {
        sequence: u64,
        data: Bytes,
    },
    Summary(wire::TerminalSummary),
}

impl View {
    /// A view that is shown everything from the beginning: its first piece is a snapshot.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            behind: true,
        }
    }

    /// A view that already shows the screen and is only missing this.
    #[must_use]
    pub fn continued(sequence: u64, missing: Bytes) -> Self {
        let mut view = Self {
            behind: false,
            ..Self::new()
        };
        view.output(sequence, missing);
        view
    }

    /// New output, which ends at `sequence`.
    pub fn output(&mut self, sequence: u64, data: Bytes) {
        if self.behind || data.is_empty() {
            return;
        }
        self.bytes += data.len();
        self.queue.push_back(Piece::Output { sequence, data });
        if self.bytes > QUEUE_BYTES || self.queue.len() > QUEUE_PIECES {
            self.fall_behind();
        }
    }

    /// Title, size, state or bell changed. Only the newest of several in a row is told.
    pub fn summary(&mut self, summary: wire::TerminalSummary) {
        if matches!(self.queue.back(), Some(Piece::Summary(_))) {
            self.queue.pop_back();
        }
        self.queue.push_back(Piece::Summary(summary));
    }

    /// Whether the next piece is a snapshot that has yet to be taken, given so much room. A
    /// snapshot that was begun is sent to its end first.
    #[must_use]
    pub fn wants_snapshot(&self, room: usize) -> bool {
        self.behind
            && room >= SNAPSHOT_ROOM
            && !matches!(self.queue.front(), Some(Piece::Rest { .. }))
    }

    /// Whether output passes it by until it is given a snapshot.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.behind
    }

    /// The snapshot that was wanted. What is queued is older than it, summaries excepted.
    pub fn take_snapshot(&mut self, snapshot: Snapshot) {
        self.fall_behind();
        self.behind = false;
        self.queue.push_front(Piece::Snapshot(snapshot));
    }

    /// The next event for the client that fits into `room` bytes, encoded.
    pub fn next(&mut self, room: usize) -> Option<Bytes> {
        let room = room.min(MESSAGE_MAX).checked_sub(OVERHEAD)?;
        let body = match self.queue.pop_front()? {
            Piece::Summary(summary) if summary.encoded_len() > room => {
                self.queue.push_front(Piece::Summary(summary));
                return None;
            }
            Piece::Summary(summary) => wire::terminal_event::Body::Summary(summary),
            Piece::Snapshot(snapshot) => self.begin_snapshot(snapshot, room),
            Piece::Rest { sequence, data } => self.go_on(sequence, data, room),
            Piece::Output { sequence, data } => self.merge_output(sequence, data, room),
        };
        Some(
            wire::TerminalEvent { body: Some(body) }
                .encode_to_vec()
                .into(),
        )
    }

    /// A snapshot longer than one message goes on as output that leaves the sequence alone.
    fn begin_snapshot(
        &mut self,
        mut snapshot: Snapshot,
        room: usize,
    ) -> wire::terminal_event::Body {
        let data = snapshot.data.split_to(room.min(snapshot.data.len()));
        let Snapshot {
            sequence,
            size,
            data: rest,
        } = snapshot;
        if !rest.is_empty() {
            self.queue.push_front(Piece::Rest {
                sequence,
                data: rest,
            });
        }
        wire::terminal_event::Body::Snapshot(wire::TerminalSnapshot {
            sequence,
            columns: size.columns.into(),
            rows: size.rows.into(),
            data,
        })
    }

    /// Only with its last piece the screen stands as it stood at `sequence`.
    fn go_on(&mut self, sequence: u64, mut rest: Bytes, room: usize) -> wire::terminal_event::Body {
        let data = rest.split_to(room.min(OUTPUT_MAX).min(rest.len()));
        let missing = rest.len() as u64;
        if missing > 0 {
            self.queue.push_front(Piece::Rest {
                sequence,
                data: rest,
            });
        }
        wire::terminal_event::Body::Output(wire::TerminalOutput {
            sequence: sequence.saturating_sub(missing),
            data,
        })
    }

    /// Joins what is queued in a row, up to one piece's length.
    fn merge_output(
        &mut self,
        mut sequence: u64,
        first: Bytes,
        room: usize,
    ) -> wire::terminal_event::Body {
        let room = room.min(OUTPUT_MAX);
        let mut joined = BytesMut::new();
        let mut piece = first;
        loop {
            let taken = piece.split_to(piece.len().min(room - joined.len()));
            joined.extend_from_slice(&taken);
            if !piece.is_empty() {
                let end = sequence;
                sequence = end.saturating_sub(piece.len() as u64);
                self.queue.push_front(Piece::Output {
                    sequence: end,
                    data: piece,
                });
                break;
            }
            let Some(Piece::Output {
                sequence: end,
                data,
            }) = self
                .queue
                .pop_front_if(|next| matches!(next, Piece::Output { .. }))
            else {
                break;
            };
            if joined.len() == room {
                self.queue.push_front(Piece::Output {
                    sequence: end,
                    data,
                });
                break;
            }
            (sequence, piece) = (end, data);
        }
        self.bytes -= joined.len();
        wire::terminal_event::Body::Output(wire::TerminalOutput {
            sequence,
            data: joined.freeze(),
        })
    }

    /// Throws away what a later snapshot repeats: everything but the rest of one that was begun,
    /// and the newest summary.
    fn fall_behind(&mut self) {
        self.behind = true;
        self.bytes = 0;
        let newest = self
            .queue
            .iter()
            .rposition(|piece| matches!(piece, Piece::Summary(_)));
        let summary = newest.and_then(|at| self.queue.remove(at));
        self.queue
            .retain(|piece| matches!(piece, Piece::Rest { .. }));
        self.queue.extend(summary);
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

/// Output that may wait for one client: what a browser draws in a tenth of a second.
const QUEUE_BYTES: usize = 512 << 10;
/// Pieces that may wait: a program that writes byte by byte must not cost more than its bytes.
const QUEUE_PIECES: usize = 8192;
/// Room at which a client that fell behind is thought to read again.
const SNAPSHOT_ROOM: usize = 64 << 10;
/// One piece of output.
const OUTPUT_MAX: usize = 32 << 10;
/// One stream message (docs/protocol.md §7).
const MESSAGE_MAX: usize = 256 << 10;
/// Tags, lengths and numbers round the data of an event.
const OVERHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use wire::terminal_event::Body;

    use super::*;

    fn event(view: &mut View, room: usize) -> Option<Body> {
        wire::TerminalEvent::decode(view.next(room)?)
            .expect("an event")
            .body
    }

    fn snapshot(sequence: u64, length: usize) -> Snapshot {
        Snapshot {
            sequence,
            size: Size::DEFAULT,
            data: vec![b's'; length].into(),
        }
    }

    #[test]
    fn a_new_view_begins_with_a_snapshot_when_there_is_room() {
        let mut view = View::new();
        assert!(!view.wants_snapshot(SNAPSHOT_ROOM - 1));
        assert!(view.wants_snapshot(SNAPSHOT_ROOM));
        view.take_snapshot(snapshot(7, 10));
        view.output(9, Bytes::from_static(b"ab"));
        let Some(Body::Snapshot(first)) = event(&mut view, 1 << 20) else {
            panic!("no snapshot")
        };
        assert_eq!((first.sequence, first.data.len()), (7, 10));
        let Some(Body::Output(second)) = event(&mut view, 1 << 20) else {
            panic!("no output")
        };
        assert_eq!((second.sequence, &second.data[..]), (9, &b"ab"[..]));
        assert_eq!(event(&mut view, 1 << 20), None);
    }

    #[test]
    fn a_long_snapshot_goes_on_without_moving_the_sequence() {
        let mut view = View::new();
        view.take_snapshot(snapshot(7, 300_000));
        let Some(Body::Snapshot(first)) = event(&mut view, 1 << 20) else {
            panic!("no snapshot")
        };
        let mut length = first.data.len();
        while let Some(Body::Output(next)) = event(&mut view, 1 << 20) {
            length += next.data.len();
            assert!(next.sequence <= 7);
        }
        assert_eq!(length, 300_000);
    }

    #[test]
    fn output_in_a_row_is_joined_and_split_at_the_piece_length() {
        let mut view = View::continued(0, Bytes::new());
        for end in 1..=3_u64 {
            view.output(end * 20_000, vec![b'x'; 20_000].into());
        }
        let Some(Body::Output(first)) = event(&mut view, 1 << 20) else {
            panic!("no output")
        };
        assert_eq!((first.sequence, first.data.len()), (32_768, 32_768));
        let Some(Body::Output(second)) = event(&mut view, 1 << 20) else {
            panic!("no output")
        };
        assert_eq!((second.sequence, second.data.len()), (60_000, 27_232));
        assert_eq!(event(&mut view, 1 << 20), None);
    }

    #[test]
    fn a_client_that_does_not_read_falls_behind_and_is_given_a_snapshot() {
        let mut view = View::continued(0, Bytes::new());
        for end in 1..=40_u64 {
            view.output(end * 20_000, vec![b'x'; 20_000].into());
        }
        assert_eq!(event(&mut view, 1 << 20), None);
        assert!(view.wants_snapshot(1 << 20));
        view.take_snapshot(snapshot(800_000, 5));
        assert!(matches!(event(&mut view, 1 << 20), Some(Body::Snapshot(_))));
    }

    #[test]
    fn a_long_snapshot_of_a_busy_terminal_is_sent_to_its_end() {
        const LONG: usize = 2 << 20;
        let mut view = View::new();
        view.take_snapshot(snapshot(9_000_000, LONG));
        let (mut length, mut sequence, mut snapshots) = (0, 9_000_000, 0);
        for _ in 0..200 {
            sequence += 60_000;
            view.output(sequence, vec![b'x'; 60_000].into());
            match event(&mut view, 1 << 20) {
                Some(Body::Snapshot(first)) => {
                    snapshots += 1;
                    length += first.data.len();
                }
                Some(Body::Output(rest)) => {
                    assert!(rest.data.iter().all(|byte| *byte == b's'));
                    length += rest.data.len();
                    assert_eq!(rest.sequence == 9_000_000, length == LONG);
                }
                Some(Body::Summary(_)) | None => {}
            }
        }
        assert_eq!((snapshots, length), (1, LONG));
        // Only then it is given the present screen.
        assert!(view.is_behind() && view.wants_snapshot(1 << 20));
        view.take_snapshot(snapshot(sequence, 5));
        assert!(matches!(event(&mut view, 1 << 20), Some(Body::Snapshot(_))));
        assert_eq!(event(&mut view, 1 << 20), None);
    }

    #[test]
    fn a_little_output_during_a_long_snapshot_follows_it() {
        let mut view = View::new();
        view.take_snapshot(snapshot(9_000_000, 2 << 20));
        view.output(9_000_002, Bytes::from_static(b"ab"));
        let mut last = None;
        while let Some(body) = event(&mut view, 1 << 20) {
            last = Some(body);
        }
        let Some(Body::Output(output)) = last else {
            panic!("no output")
        };
        assert_eq!((output.sequence, &output.data[..]), (9_000_002, &b"ab"[..]));
        assert!(!view.is_behind());
    }

    #[test]
    fn summaries_between_output_do_not_fill_the_queue_of_one_who_is_behind() {
        let mut view = View::continued(0, Bytes::new());
        for end in 1..=20_000_u64 {
            view.output(end * 100, vec![b'x'; 100].into());
            view.summary(wire::TerminalSummary {
                rows: u32::try_from(end).expect("a number"),
                ..Default::default()
            });
        }
        let Some(Body::Summary(summary)) = event(&mut view, 1 << 20) else {
            panic!("no summary")
        };
        assert_eq!(summary.rows, 20_000);
        assert_eq!(event(&mut view, 1 << 20), None);
    }

    #[test]
    fn only_the_newest_summary_in_a_row_is_told() {
        let mut view = View::continued(0, Bytes::new());
        for rows in 1..=3 {
            view.summary(wire::TerminalSummary {
                rows,
                ..Default::default()
            });
        }
        let Some(Body::Summary(summary)) = event(&mut view, 1 << 20) else {
            panic!("no summary")
        };
        assert_eq!(summary.rows, 3);
        assert_eq!(event(&mut view, 1 << 20), None);
    }

    #[test]
    fn without_room_nothing_is_lost() {
        let mut view = View::continued(1, Bytes::from_static(b"a"));
        assert_eq!(event(&mut view, 10), None);
        assert!(event(&mut view, 100).is_some());
    }
}
