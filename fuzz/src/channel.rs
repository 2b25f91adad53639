//! The rules of a channel, against a second and simpler statement of them.

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use channel_actors::{
    CloseReason, Limits,
    chunks::{Joiner, Splitter},
    mux::{Mux, Route},
    relay::{Relay, Side, Verdict},
    tally::{Place, Tally},
};
use schema::{
    frame::{CIPHERTEXT_MAX, CIPHERTEXT_MIN, FLAG_MORE, Frame},
    ids::ChannelId,
};

/// A small message limit, so that the fuzzer reaches it with small frames.
const MESSAGE_BYTES: usize = 2_000;
const CHUNKS: usize = 6;

fn limits() -> Limits {
    Limits {
        chunks: CHUNKS,
        ..Limits::default()
    }
}

/// The beginning of every scene.
pub(crate) fn clock() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "some instant to count from")]
    *START.get_or_init(Instant::now)
}

#[derive(Arbitrary, Debug, Clone, Copy)]
struct Piece {
    correlation: u8,
    flags: u8,
    bytes: u16,
    epoch: u8,
}

impl Piece {
    fn frame(self) -> Frame {
        // Mostly small; 0xffff leads over the edge.
        let size = match usize::from(self.bytes) {
            bytes @ 0xff00.. => CIPHERTEXT_MAX - 0xfe + (bytes - 0xff00),
            bytes => bytes % 1_200,
        };
        let id = ChannelId::from_bytes([1; 16]);
        let (epoch, correlation) = (u32::from(self.epoch), u64::from(self.correlation));
        Frame::new(
            id,
            epoch,
            correlation,
            self.flags,
            &vec![self.correlation; size],
        )
    }
}

/// What the protocol says of a row of frames (section 6), stated without a state machine's tricks.
#[derive(Default)]
struct Oracle {
    open: Option<(u64, Vec<u8>, usize)>,
}

impl Oracle {
    fn judge(&mut self, frame: &Frame) -> Result<(Place, Option<Vec<u8>>), CloseReason> {
        let ciphertext = frame.ciphertext();
        if !(CIPHERTEXT_MIN..=CIPHERTEXT_MAX).contains(&ciphertext.len()) {
            return Err(CloseReason::FrameSize);
        }
        if frame.flags() > FLAG_MORE {
            return Err(CloseReason::ProtocolError);
        }
        let plaintext = &ciphertext[16..];
        let more = frame.flags() == FLAG_MORE;
        let is_next = self
            .open
            .as_ref()
            .is_some_and(|(id, ..)| *id == frame.correlation());
        if !is_next && !more {
            return if plaintext.len() > MESSAGE_BYTES {
                Err(CloseReason::MessageTooLarge)
            } else {
                Ok((Place::Whole, Some(plaintext.to_vec())))
            };
        }
        if !is_next && self.open.is_some() {
            return Err(CloseReason::InterleavedChunks);
        }
        let (id, mut bytes, count) = self
            .open
            .take()
            .unwrap_or_else(|| (frame.correlation(), vec![], 0));
        bytes.extend_from_slice(plaintext);
        if bytes.len() > MESSAGE_BYTES {
            return Err(CloseReason::MessageTooLarge);
        }
        if count + 1 > CHUNKS {
            return Err(CloseReason::TooManyChunks);
        }
        if more {
            self.open = Some((id, bytes, count + 1));
            return Ok((Place::Chunk, None));
        }
        Ok((Place::Last, Some(bytes)))
    }
}

/// Any row of frames: tally and joiner answer as the rules do, and hold no more than a message.
pub fn chunks(data: &[u8]) {
    let Ok(pieces) = Vec::<Piece>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut tally = Tally::new(&limits(), MESSAGE_BYTES);
    let (mut joiner, mut oracle) = (Joiner::default(), Oracle::default());
    let now = clock();
    for piece in pieces.iter().take(200) {
        let frame = piece.frame();
        let expected = oracle.judge(&frame);
        match (tally.admit(&frame, now), expected) {
            (Ok(place), Ok((rule, message))) => {
                assert_eq!(place, rule);
                let plaintext = frame.as_bytes().slice(46..);
                assert_eq!(joiner.join(place, plaintext).map(Vec::from), message);
                assert_eq!(tally.deadline().is_some(), oracle.open.is_some());
            }
            (Err(reason), Err(rule)) => {
                assert_eq!(reason, rule);
                return;
            }
            (said, rule) => panic!("{said:?} where the rules say {rule:?}"),
        }
    }
}

/// A message split and joined is the message, in as few frames as it takes.
pub fn split(data: &[u8]) {
    let Some((times, seed)) = data.split_first() else {
        return;
    };
    let message = Bytes::from(seed.repeat(usize::from(*times) * 8 + 1));
    if message.is_empty() {
        return;
    }
    let mut splitter = Splitter::new(message.clone());
    let (limits, now) = (Limits::default(), clock());
    let mut tally = Tally::new(&limits, message.len());
    let (mut joiner, mut joined, mut frames) = (Joiner::default(), None, 0);
    while joined.is_none() {
        let chunk = splitter.next_chunk();
        let sealed = [chunk.plaintext.as_ref(), &[0; 16]].concat();
        let frame = Frame::new(ChannelId::from_bytes([1; 16]), 0, 7, chunk.flags, &sealed);
        let place = tally
            .admit(&frame, now)
            .expect("a splitter keeps to the rules");
        joined = joiner.join(place, chunk.plaintext);
        frames += 1;
    }
    assert_eq!(joined, Some(message.clone()));
    assert_eq!(frames, message.len().div_ceil(65_519));
}

#[derive(Arbitrary, Debug)]
enum Passage {
    Frame(bool, Piece),
    Opened(u32),
    Asked,
    Refused,
    Renewed(u8, u16),
    Close(bool),
    Fence,
    Wait(u16),
}

/// Any row of frames and control messages at the Hub.
pub fn relay(data: &[u8]) {
    let Ok(passages) = Vec::<Passage>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut now = clock();
    let mut relay = Relay::opening(&limits(), 2_000, now);
    let (mut asked, mut ended, mut fenced) = (0_i64, false, false);
    for passage in passages.iter().take(300) {
        let (epoch, largest) = (relay.epoch(), relay.message_bytes());
        match passage {
            Passage::Frame(from_client, piece) => {
                let frame = piece.frame();
                let side = if *from_client {
                    Side::Client
                } else {
                    Side::Worker
                };
                let live = relay.is_live();
                let verdict = relay.admit(side, &frame, now);
                if verdict == Verdict::Pass {
                    assert!(live && frame.epoch() == epoch && frame.flags() <= FLAG_MORE);
                    assert!(frame.ciphertext().len() - 16 <= largest);
                }
                if let Verdict::Close(_) = verdict {
                    relay.close();
                    ended = true;
                }
            }
            Passage::Opened(bytes) => {
                let opening = relay.is_opening();
                assert_eq!(relay.opened(*bytes).is_ok(), opening);
                assert!(relay.message_bytes() <= largest);
            }
            Passage::Asked => {
                relay.renewal_asked();
                asked += 1;
            }
            Passage::Refused => asked -= i64::from(relay.renewal_refused().is_ok()),
            Passage::Renewed(serial, bytes) => {
                let answer = relay.renewed(u32::from(*serial), usize::from(*bytes));
                if answer.is_ok() {
                    asked -= 1;
                    assert!(relay.epoch() > epoch && !ended);
                } else {
                    assert_eq!(relay.epoch(), epoch);
                    relay.close();
                    ended = true;
                }
            }
            Passage::Close(by_time) => {
                if !by_time || relay.expire(now).is_some() {
                    assert_eq!(relay.close(), !ended);
                    ended = true;
                }
            }
            Passage::Fence => {
                relay.fence();
                fenced = true;
            }
            Passage::Wait(milliseconds) => now += Duration::from_millis(u64::from(*milliseconds)),
        }
        assert!(asked >= 0, "no answer to a question that nobody asked");
        assert!(!(relay.is_live() && (ended || fenced)));
        assert!(relay.epoch() >= epoch);
        assert_eq!(relay.is_closed(), ended);
        assert!(ended || relay.expire(now).is_none() || relay.deadline().is_some());
    }
}

#[derive(Arbitrary, Debug)]
enum Traffic {
    Insert(u8),
    Remove(u8),
    Route(u8),
    Wait(u16),
}

/// A connection's channels under any traffic: bounded memory, and the 16th stray frame is the end.
pub fn mux(data: &[u8]) {
    let Ok(traffic) = Vec::<Traffic>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let limits = Limits::default();
    let mut mux = Mux::new(&limits);
    let mut live = std::collections::BTreeSet::new();
    let (mut now, mut strays) = (clock(), 0);
    let id = |name: &u8| ChannelId::from_bytes([*name; 16]);
    for event in &traffic {
        match event {
            Traffic::Insert(name) => {
                assert_eq!(mux.insert(id(name), *name).is_ok(), live.insert(*name));
            }
            Traffic::Remove(name) => {
                assert_eq!(mux.remove(&id(name), now).is_some(), live.remove(name));
            }
            Traffic::Route(name) => match mux.route(&id(name), now) {
                Route::To(route) => assert!(route == name && live.contains(name)),
                Route::Late => assert!(!live.contains(name)),
                Route::Foreign => {
                    strays += 1;
                    assert!(!live.contains(name) && strays < limits.foreign_frames);
                }
                Route::Offender => {
                    assert!(!live.contains(name) && strays + 1 >= limits.foreign_frames);
                    return;
                }
            },
            Traffic::Wait(seconds) => now += Duration::from_secs(u64::from(*seconds)),
        }
        assert_eq!(mux.len(), live.len());
    }
}
