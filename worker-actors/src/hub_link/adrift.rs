//! BRAIN of the channels whose clients have lost their way: who has to go when there are too many.
//!
//! Each waits for its client for some minutes and holds what it had under way for as long. So
//! their number is bounded for each user, that one cannot drive out another, and in all.

use std::collections::BTreeMap;

use schema::ids::{ChannelId, UserId};

/// Detached channels, in the order in which they were lost.
#[derive(Debug)]
pub(super) struct Adrift {
    bounds: Bounds,
    turn: u64,
    by_turn: BTreeMap<u64, (ChannelId, UserId)>,
    turns: BTreeMap<ChannelId, u64>,
    of_user: BTreeMap<UserId, usize>,
}

/// How many may be detached at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) per_user: usize,
    pub(super) in_all: usize,
}

impl Default for Bounds {
    /// All that a Hub lets one user have by default, and four such users.
    fn default() -> Self {
        Self {
            per_user: 1_024,
            in_all: 4_096,
        }
    }
}

impl Adrift {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            turn: 0,
            by_turn: BTreeMap::new(),
            turns: BTreeMap::new(),
            of_user: BTreeMap::new(),
        }
    }

    /// A channel was lost. The one that has to go for it: the user's oldest, or the oldest.
    pub(super) fn lost(&mut self, channel: ChannelId, user: &UserId) -> Option<ChannelId> {
        if self.turns.contains_key(&channel) {
            return None;
        }
        self.turn += 1;
        self.by_turn.insert(self.turn, (channel, user.clone()));
        self.turns.insert(channel, self.turn);
        let of_user = self.of_user.entry(user.clone()).or_default();
        *of_user += 1;
        let excess = if *of_user > self.bounds.per_user {
            self.oldest_of(user)
        } else if self.turns.len() > self.bounds.in_all {
            self.by_turn.values().next().map(|(oldest, _)| *oldest)
        } else {
            None
        };
        excess.inspect(|oldest| self.found(oldest))
    }

    /// A channel's client is back, or the channel is no more.
    pub(super) fn found(&mut self, channel: &ChannelId) {
        let turn = self.turns.remove(channel);
        let Some((_, user)) = turn.and_then(|turn| self.by_turn.remove(&turn)) else {
            return;
        };
        if let Some(of_user) = self.of_user.get_mut(&user) {
            *of_user -= 1;
            if *of_user == 0 {
                self.of_user.remove(&user);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether a channel is detached.
    pub(super) fn has(&self, channel: &ChannelId) -> bool {
        self.turns.contains_key(channel)
    }

    fn oldest_of(&self, user: &UserId) -> Option<ChannelId> {
        let mut its = self.by_turn.values().filter(|(_, whose)| whose == user);
        its.next().map(|(oldest, _)| *oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ChannelId {
        ChannelId::from_bytes([number; 16])
    }

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a valid id")
    }

    fn adrift() -> Adrift {
        Adrift::new(Bounds {
            per_user: 2,
            in_all: 3,
        })
    }

    #[test]
    fn a_users_third_drives_out_that_users_oldest() {
        let mut it = adrift();
        assert_eq!(it.lost(id(9), &user("b")), None);
        assert_eq!(it.lost(id(1), &user("a")), None);
        assert_eq!(it.lost(id(2), &user("a")), None);
        assert_eq!(it.lost(id(2), &user("a")), None, "it is counted once");
        assert_eq!(it.lost(id(3), &user("a")), Some(id(1)));
    }

    #[test]
    fn when_all_are_too_many_the_oldest_goes() {
        let mut it = adrift();
        for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
            assert_eq!(it.lost(id(number), &user(name)), None);
        }
        assert_eq!(it.lost(id(4), &user("d")), Some(id(1)));
    }

    #[test]
    fn who_is_back_leaves_nothing_behind() {
        let mut it = adrift();
        for number in 1..=2 {
            assert_eq!(it.lost(id(number), &user("a")), None);
        }
        it.found(&id(1));
        it.found(&id(1));
        assert_eq!(it.lost(id(3), &user("a")), None);
        it.found(&id(2));
        it.found(&id(3));
        assert!(it.by_turn.is_empty() && it.turns.is_empty() && it.of_user.is_empty());
    }
}
