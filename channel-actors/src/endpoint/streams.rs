//! Streams and their credit: totals since the stream began, each way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limits::Limits;

/// The open streams of a channel.
#[derive(Debug)]
pub(super) struct Streams {
    open: BTreeMap<u64, Stream>,
    /// Worker: over, but their handlers run.
    lingering: BTreeSet<u64>,
    /// Messages of all streams that the application has not used.
    waiting: usize,
    most: usize,
    credit: u64,
    message: usize,
    messages: usize,
    messages_in_all: usize,
}

#[derive(Debug)]
struct Stream {
    sent: u64,
    may_send: u64,
    received: u64,
    consumed: u64,
    /// Where each message ends that is not consumed, in bytes since the stream began.
    unused: VecDeque<u64>,
    granted: u64,
    ended_here: bool,
    ended_there: bool,
    wants_room: bool,
}

/// The other end broke a rule of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// The application gets it.
    Taken,
    /// More small messages wait than may: the stream is to be ended.
    Flood,
}

impl Streams {
    pub(super) const fn new(limits: &Limits) -> Self {
        let Limits {
            streams,
            stream_credit,
            stream_message,
            stream_messages,
            stream_messages_in_all,
            ..
        } = limits;
        Self {
            open: BTreeMap::new(),
            lingering: BTreeSet::new(),
            waiting: 0,
            most: *streams,
            credit: *stream_credit,
            message: *stream_message,
            messages: *stream_messages,
            messages_in_all: *stream_messages_in_all,
        }
    }

    pub(super) fn has_room_for_another(&self) -> bool {
        self.open.len() + self.lingering.len() < self.most
    }

    pub(super) fn begin(&mut self, id: u64) {
        self.open.insert(id, Stream::new(self.credit));
    }

    pub(super) fn is_open(&self, id: u64) -> bool {
        self.open.contains_key(&id)
    }

    /// Forgets a stream with all it had.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let removed = self.open.remove(&id);
        self.waiting -= removed.as_ref().map_or(0, |stream| stream.unused.len());
        removed.is_some()
    }

    /// Worker: the client gives a stream up. It counts until its handler has ended.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        self.remove(id) && self.lingering.insert(id)
    }

    /// Worker: the handler of a stream that was given up has ended.
    pub(super) fn finish(&mut self, id: u64) {
        self.lingering.remove(&id);
    }

    /// Bytes that may be sent now, of one message; none when this side has ended, or there is no
    /// such stream.
    pub(super) fn room(&self, id: u64) -> Option<usize> {
        let stream = self.open.get(&id).filter(|stream| !stream.ended_here)?;
        let left = usize::try_from(stream.may_send - stream.sent).unwrap_or(usize::MAX);
        Some(left.min(self.message))
    }

    /// Whether credit holds a message of so many bytes.
    pub(super) fn covers(&self, id: u64, bytes: usize) -> bool {
        self.room(id).is_some_and(|room| bytes <= room)
    }

    pub(super) fn sent(&mut self, id: u64, bytes: usize) {
        if let Some(stream) = self.open.get_mut(&id) {
            stream.sent = (stream.sent + bytes as u64).min(stream.may_send);
        }
    }

    /// Remembers to tell when there is room.
    pub(super) fn want_room(&mut self, id: u64) {
        if let Some(stream) = self.open.get_mut(&id) {
            stream.wants_room = true;
        }
    }

    /// The streams that wanted room and have some, each told once.
    pub(super) fn take_wanting(&mut self) -> Vec<u64> {
        let has_room = |stream: &Stream| stream.wants_room && stream.may_send > stream.sent;
        let wanting = self.open.iter_mut().filter(|(_, stream)| has_room(stream));
        let told = wanting.map(|(id, stream)| {
            stream.wants_room = false;
            *id
        });
        told.collect()
    }

    /// This side ends; false when it has before, or there is no such stream.
    pub(super) fn end_here(&mut self, id: u64) -> bool {
        let Some(stream) = self.open.get_mut(&id).filter(|stream| !stream.ended_here) else {
            return false;
        };
        stream.ended_here = true;
        self.sweep(id);
        true
    }

    /// The other side ends.
    pub(super) fn end_there(&mut self, id: u64) -> Result<(), Breach> {
        let Some(stream) = self.open.get_mut(&id).filter(|stream| !stream.ended_there) else {
            return Err(Breach);
        };
        stream.ended_there = true;
        self.sweep(id);
        Ok(())
    }

    /// Payload came in.
    pub(super) fn received(&mut self, id: u64, bytes: usize) -> Result<Received, Breach> {
        let stream = self.open.get_mut(&id).ok_or(Breach)?;
        let total = stream.received + bytes as u64;
        if stream.ended_there || bytes > self.message || total > stream.granted {
            return Err(Breach);
        }
        if stream.unused.len() >= self.messages || self.waiting >= self.messages_in_all {
            return Ok(Received::Flood);
        }
        stream.received = total;
        stream.unused.push_back(total);
        self.waiting += 1;
        Ok(Received::Taken)
    }

    /// The application has used payload. The total to grant, when half the credit is used up.
    pub(super) fn consumed(&mut self, id: u64, bytes: usize) -> Option<u64> {
        let stream = self.open.get_mut(&id)?;
        stream.consumed = (stream.consumed + bytes as u64).min(stream.received);
        while stream
            .unused
            .pop_front_if(|end| *end <= stream.consumed)
            .is_some()
        {
            self.waiting -= 1;
        }
        let total = stream.consumed + self.credit;
        if stream.ended_there || total - stream.granted < self.credit / 2 {
            return None;
        }
        stream.granted = total;
        Some(total)
    }

    /// The other side grants more. A total never falls, nor rises over what it can have consumed.
    pub(super) fn credited(&mut self, id: u64, total: u64) -> Result<(), Breach> {
        let stream = self.open.get_mut(&id).ok_or(Breach)?;
        if total < stream.may_send || total > stream.sent + self.credit {
            return Err(Breach);
        }
        stream.may_send = total;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.lingering.clear();
        self.waiting = 0;
    }

    fn sweep(&mut self, id: u64) {
        let over = |stream: &Stream| stream.ended_here && stream.ended_there;
        if self.open.get(&id).is_some_and(over) {
            self.remove(id);
        }
    }
}

impl Stream {
    const fn new(credit: u64) -> Self {
        Self {
            sent: 0,
            may_send: credit,
            received: 0,
            consumed: 0,
            unused: VecDeque::new(),
            granted: credit,
            ended_here: false,
            ended_there: false,
            wants_room: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn one_stream() -> Streams {
        let mut streams = Streams::new(&Limits::default());
        streams.begin(1);
        streams
    }

    #[test]
    fn a_message_is_begun_only_when_credit_covers_it() {
        let mut streams = one_stream();
        assert_eq!(streams.room(1), Some(256 * 1024));
        (0..4).for_each(|_| streams.sent(1, 256 * 1024));
        assert_eq!(streams.room(1), Some(0));
        assert_eq!(streams.credited(1, MIB + 10), Ok(()));
        assert_eq!(streams.room(1), Some(10));
    }

    #[test]
    fn credit_neither_falls_nor_exceeds_what_can_be_consumed() {
        let mut streams = one_stream();
        assert_eq!(streams.credited(1, MIB - 1), Err(Breach));
        assert_eq!(streams.credited(1, MIB + 1), Err(Breach));
        assert_eq!(streams.credited(2, MIB), Err(Breach));
    }

    #[test]
    fn more_than_was_granted_is_a_breach() {
        let mut streams = one_stream();
        for _ in 0..4 {
            assert_eq!(streams.received(1, 256 * 1024), Ok(Received::Taken));
        }
        assert_eq!(streams.received(1, 1), Err(Breach));
        assert_eq!(one_stream().received(1, 256 * 1024 + 1), Err(Breach));
    }

    #[test]
    fn half_the_credit_used_is_granted_anew() {
        let mut streams = one_stream();
        assert_eq!(streams.received(1, 256 * 1024), Ok(Received::Taken));
        assert_eq!(streams.received(1, 256 * 1024), Ok(Received::Taken));
        assert_eq!(streams.consumed(1, 512 * 1024 - 1), None);
        assert_eq!(streams.consumed(1, 1), Some(MIB + MIB / 2));
        // Nobody can consume what did not come.
        assert_eq!(streams.consumed(1, 10 * 1024 * 1024), None);
    }

    #[test]
    fn a_stream_lives_until_both_sides_have_ended_it() {
        let mut streams = one_stream();
        assert!(streams.end_here(1) && !streams.end_here(1));
        assert_eq!(streams.room(1), None);
        assert_eq!(streams.received(1, 1), Ok(Received::Taken));
        assert_eq!(streams.end_there(1), Ok(()));
        assert!(!streams.is_open(1));
    }

    #[test]
    fn small_messages_that_nobody_uses_are_a_flood() {
        let mut streams = one_stream();
        for _ in 0..16_384 {
            assert_eq!(streams.received(1, 1), Ok(Received::Taken));
        }
        assert_eq!(streams.received(1, 0), Ok(Received::Flood));
        assert_eq!(streams.consumed(1, 1), None);
        assert_eq!(streams.received(1, 0), Ok(Received::Taken));
        assert_eq!(streams.received(1, 0), Ok(Received::Flood));
        // Other streams have their own count, and all of them one.
        (2..=4).for_each(|id| streams.begin(id));
        for id in 2..=4 {
            for _ in 0..16_384 {
                assert_eq!(streams.received(id, 1), Ok(Received::Taken));
            }
        }
        streams.begin(5);
        assert_eq!(streams.received(5, 1), Ok(Received::Flood));
        assert!(streams.remove(4));
        assert_eq!(streams.received(5, 1), Ok(Received::Taken));
    }

    #[test]
    fn a_stream_that_was_given_up_counts_until_its_handler_has_ended() {
        let mut streams = Streams::new(&Limits::default());
        for id in 1..=256 {
            streams.begin(id);
            assert!(streams.cancel(id) && !streams.cancel(id));
        }
        assert!(!streams.has_room_for_another());
        streams.finish(7);
        assert!(streams.has_room_for_another());
    }
}
