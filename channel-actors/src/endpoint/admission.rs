//! BRAIN of how many handshakes a Worker takes on, and whose is next (docs/protocol.md, 8.4).
//!
//! A channel id that is live or was seen lately is refused before any cryptography, so that a
//! replayed open costs nothing. What passed the cheap half waits for its signature: users in turn,
//! one per core at a time, never more than can be signed in five seconds.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use schema::ids::{ChannelId, UserId};

use crate::{
    limits::Limits,
    refusal::{Refusal, RefusalReason},
};

/// Handshakes of one Worker; `J` is what waits, a signing job for instance.
#[derive(Debug)]
pub struct Admission<J> {
    numbers: Numbers,
    cores: usize,
    signing: Duration,
    live: BTreeSet<ChannelId>,
    /// With the latest moment until which it counts.
    seen: BTreeMap<ChannelId, Instant>,
    seen_until: VecDeque<(Instant, ChannelId)>,
    waiting: BTreeMap<UserId, VecDeque<(ChannelId, J)>>,
    turns: VecDeque<UserId>,
    running: usize,
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    per_user: usize,
    most: usize,
    backlog: Duration,
    seen_for: Duration,
    seen_most: usize,
}

impl<J> Admission<J> {
    /// Nobody waits. `signing` is what a signature is believed to take until one was measured.
    #[must_use]
    pub fn new(limits: &Limits, cores: usize, signing: Duration) -> Self {
        let numbers = Numbers {
            per_user: limits.handshakes_per_user,
            most: limits.handshakes,
            backlog: limits.signing_backlog,
            seen_for: limits.seen_for,
            seen_most: limits.seen_channels,
        };
        Self {
            numbers,
            cores: cores.max(1),
            signing,
            live: BTreeSet::new(),
            seen: BTreeMap::new(),
            seen_until: VecDeque::new(),
            waiting: BTreeMap::new(),
            turns: VecDeque::new(),
            running: 0,
        }
    }

    /// Lets an open in, before anything is computed for it. Its id counts as seen from now on,
    /// whatever becomes of it.
    ///
    /// # Errors
    ///
    /// `duplicate`, or `busy` with the time after which it is worth trying again.
    pub fn admit(
        &mut self,
        channel: ChannelId,
        user: &UserId,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.forget(now);
        if self.live.contains(&channel) || self.seen.contains_key(&channel) {
            return Err(RefusalReason::Duplicate.into());
        }
        self.check_room(user)?;
        self.remember(channel, now);
        Ok(())
    }

    /// Queues what was admitted and has passed the cheap half.
    pub fn enqueue(&mut self, channel: ChannelId, user: UserId, job: J) {
        self.live.insert(channel);
        let queue = self.waiting.entry(user.clone()).or_default();
        if queue.is_empty() {
            self.turns.push_back(user);
        }
        queue.push_back((channel, job));
    }

    /// The next to sign, unless every core signs already.
    pub fn next_job(&mut self) -> Option<(ChannelId, J)> {
        if self.running >= self.cores {
            return None;
        }
        let user = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&user)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&user);
        } else {
            self.turns.push_back(user);
        }
        self.running += usize::from(next.is_some());
        next
    }

    /// A signature took so long, successful or not. The estimate follows by an eighth.
    pub fn done(&mut self, took: Duration) {
        self.running = self.running.saturating_sub(1);
        self.signing = (self.signing * 7 + took) / 8;
    }

    /// The channel is over; what waits for it is forgotten. Its id stays seen from now on.
    pub fn closed(&mut self, channel: &ChannelId, now: Instant) {
        if !self.live.remove(channel) {
            return;
        }
        for queue in self.waiting.values_mut() {
            queue.retain(|(waiting, _)| waiting != channel);
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
        self.turns.retain(|user| self.waiting.contains_key(user));
        self.remember(*channel, now);
    }

    /// How many wait for a signature.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// How many are being signed.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.running
    }

    fn check_room(&self, user: &UserId) -> Result<(), Refusal> {
        let of_user = self.waiting.get(user).map_or(0, VecDeque::len);
        let in_all = self.waiting() + self.running;
        if of_user < self.numbers.per_user && in_all < self.capacity() {
            return Ok(());
        }
        let ahead = u32::try_from(in_all).unwrap_or(u32::MAX);
        let cores = u32::try_from(self.cores).unwrap_or(u32::MAX);
        let retry_after = (self.signing.saturating_mul(ahead) / cores).max(RETRY_AT_LEAST);
        Err(Refusal {
            reason: RefusalReason::Busy,
            retry_after,
        })
    }

    /// As many as can be signed within the backlog, one at least.
    fn capacity(&self) -> usize {
        let one = self.signing.as_micros().max(1);
        let in_time = self.numbers.backlog.as_micros() / one;
        let in_time = usize::try_from(in_time).unwrap_or(usize::MAX);
        in_time
            .saturating_mul(self.cores)
            .clamp(1, self.numbers.most)
    }

    fn remember(&mut self, channel: ChannelId, now: Instant) {
        let until = now + self.numbers.seen_for;
        self.seen.insert(channel, until);
        self.seen_until.push_back((until, channel));
        while self.seen_until.len() > self.numbers.seen_most {
            self.forget_oldest();
        }
    }

    fn forget(&mut self, now: Instant) {
        while self
            .seen_until
            .front()
            .is_some_and(|(until, _)| *until <= now)
        {
            self.forget_oldest();
        }
    }

    /// An id may be remembered twice, at its open and at its close: the later one counts.
    fn forget_oldest(&mut self) {
        let Some((until, oldest)) = self.seen_until.pop_front() else {
            return;
        };
        if self
            .seen
            .get(&oldest)
            .is_some_and(|latest| *latest <= until)
        {
            self.seen.remove(&oldest);
        }
    }
}

/// Sooner it is not worth trying again.
const RETRY_AT_LEAST: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    fn id(number: u32) -> ChannelId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        ChannelId::from_bytes(bytes)
    }

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a valid id")
    }

    fn admission(cores: usize) -> Admission<&'static str> {
        Admission::new(&Limits::default(), cores, Duration::from_millis(200))
    }

    fn reason(answer: Result<(), Refusal>) -> Option<RefusalReason> {
        answer.err().map(|refusal| refusal.reason)
    }

    #[test]
    fn an_id_that_is_live_or_was_seen_is_refused_for_ten_minutes_after_its_close() {
        let now = Instant::now();
        let mut it = admission(1);
        assert_eq!(it.admit(id(1), &user("a"), now), Ok(()));
        it.enqueue(id(1), user("a"), "job");
        let later = now + Duration::from_secs(3_600);
        assert_eq!(
            reason(it.admit(id(1), &user("b"), later)),
            Some(RefusalReason::Duplicate)
        );
        it.closed(&id(1), later);
        let almost = later + Duration::from_secs(599);
        assert_eq!(
            reason(it.admit(id(1), &user("a"), almost)),
            Some(RefusalReason::Duplicate)
        );
        let after = later + Duration::from_secs(600);
        assert_eq!(it.admit(id(1), &user("a"), after), Ok(()));
    }

    #[test]
    fn an_id_whose_handshake_failed_was_seen_too() {
        let now = Instant::now();
        let mut it = admission(1);
        assert_eq!(it.admit(id(1), &user("a"), now), Ok(()));
        assert_eq!(
            reason(it.admit(id(1), &user("a"), now)),
            Some(RefusalReason::Duplicate)
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let limits = Limits {
            seen_channels: 2,
            ..Limits::default()
        };
        let mut it = Admission::<()>::new(&limits, 1, Duration::from_millis(1));
        for number in 1..=3 {
            assert_eq!(it.admit(id(number), &user("a"), now), Ok(()));
        }
        assert_eq!((it.seen.len(), it.seen_until.len()), (2, 2));
    }

    #[test]
    fn eight_of_one_user_wait_and_no_more() {
        let now = Instant::now();
        let mut it = admission(4);
        for number in 0..8 {
            assert_eq!(it.admit(id(number), &user("a"), now), Ok(()));
            it.enqueue(id(number), user("a"), "job");
        }
        assert_eq!(
            reason(it.admit(id(8), &user("a"), now)),
            Some(RefusalReason::Busy)
        );
        assert_eq!(it.admit(id(9), &user("b"), now), Ok(()));
    }

    #[test]
    fn never_more_wait_than_can_be_signed_in_five_seconds() {
        let now = Instant::now();
        let mut it = admission(1);
        let mut taken = 0;
        let refusal = loop {
            let name = format!("u{taken}");
            match it.admit(id(taken), &user(&name), now) {
                Ok(()) => it.enqueue(id(taken), user(&name), "job"),
                Err(refusal) => break refusal,
            }
            taken += 1;
        };
        assert_eq!(taken, 25);
        assert_eq!(refusal.retry_after, Duration::from_secs(5));
        // A slower machine takes fewer.
        for _ in 0..100 {
            it.done(Duration::from_secs(1));
        }
        assert!(it.capacity() <= 6);
    }

    #[test]
    fn users_take_turns_and_one_core_signs_one() {
        let now = Instant::now();
        let mut it = admission(1);
        for (number, name) in [(1, "a"), (2, "a"), (3, "a"), (4, "b")] {
            assert_eq!(it.admit(id(number), &user(name), now), Ok(()));
            it.enqueue(id(number), user(name), "job");
        }
        let mut order = Vec::new();
        while let Some((channel, _)) = it.next_job() {
            assert!(it.next_job().is_none(), "one core, one signature");
            it.done(Duration::from_millis(200));
            order.push(channel);
        }
        assert_eq!(order, [id(1), id(4), id(2), id(3)]);
    }

    #[test]
    fn what_waits_for_a_closed_channel_is_forgotten() {
        let now = Instant::now();
        let mut it = admission(1);
        assert_eq!(it.admit(id(1), &user("a"), now), Ok(()));
        it.enqueue(id(1), user("a"), "job");
        it.closed(&id(1), now);
        assert_eq!((it.next_job(), it.waiting()), (None, 0));
    }

    #[test]
    fn a_full_memory_is_forgotten_in_one_go() {
        let now = Instant::now();
        let limits = Limits::default();
        let mut it = Admission::<()>::new(&limits, 1, Duration::from_millis(1));
        let most = u32::try_from(limits.seen_channels).expect("it fits");
        for number in 0..most {
            assert_eq!(it.admit(id(number), &user("a"), now), Ok(()));
        }
        // Each forgotten id was once looked for among all others: 2 * 10^9 comparisons.
        let began = Instant::now();
        let later = now + limits.seen_for;
        assert_eq!(it.admit(id(most), &user("a"), later), Ok(()));
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!((it.seen.len(), it.seen_until.len()), (1, 1));
    }
}
