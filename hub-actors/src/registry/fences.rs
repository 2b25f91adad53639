//! BRAIN of what a revocation stops: every fence that was raised on a topic, for as long as anything
//! is under it.
//!
//! A channel that has ended may have left frames behind, in the mailbox of a socket whose peer does
//! not read or in the queue of a link. They are under its fences, and nobody else remembers those.
//! Each is known by a line that does not hold it, under every topic that it stands with.

use std::collections::BTreeMap;

use channel_actors::fence::{Fence, Line};

use crate::{directory::Topics, topic::Topic};

/// The fences of one Hub.
#[derive(Debug)]
pub(crate) struct Fences {
    raised: BTreeMap<Topic, Vec<Raised>>,
    count: usize,
    /// So many, and it is looked which are held no more: as often as they double.
    sweep_at: usize,
}

#[derive(Debug)]
struct Raised {
    as_of: i64,
    line: Line,
}

impl Fences {
    pub(crate) const fn new() -> Self {
        Self {
            raised: BTreeMap::new(),
            count: 0,
            sweep_at: SWEEP_AT_LEAST,
        }
    }

    /// A fence that falls with each of these topics.
    pub(crate) fn raise(&mut self, topics: &Topics) -> Fence {
        let fence = Fence::new();
        self.make_room();
        for (topic, as_of) in topics {
            self.tie(topic, *as_of, &fence);
        }
        fence
    }

    /// Lets a fence fall with more topics than before; with those that it falls with it stays as it
    /// was.
    pub(crate) fn extend(&mut self, fence: &Fence, topics: &Topics) {
        self.make_room();
        for (topic, as_of) in topics {
            let of_topic = self.raised.get(topic).into_iter().flatten();
            let mut of_topic = of_topic.map(|raised| &raised.line);
            if !of_topic.any(|line| line.is_of(fence)) {
                self.tie(topic, *as_of, fence);
            }
        }
    }

    fn tie(&mut self, topic: &Topic, as_of: i64, fence: &Fence) {
        let line = fence.line();
        let of_topic = self.raised.entry(topic.clone()).or_default();
        of_topic.push(Raised { as_of, line });
        self.count += 1;
    }

    fn make_room(&mut self) {
        if self.count >= self.sweep_at {
            self.sweep();
        }
    }

    /// What was let in by this topic before the revocation of this number passes no more.
    pub(crate) fn fall(&mut self, topic: &Topic, seq: i64) {
        let Some(of_topic) = self.raised.get_mut(topic) else {
            return;
        };
        let before = of_topic.len();
        of_topic.retain(|raised| {
            let stays = raised.as_of >= seq;
            if !stays {
                raised.line.fall();
            }
            stays
        });
        self.count -= before - of_topic.len();
        if of_topic.is_empty() {
            self.raised.remove(topic);
        }
    }

    /// Nothing passes any more of all that was let in so far.
    pub(crate) fn fall_all(&mut self) {
        let all = std::mem::take(&mut self.raised);
        all.values().flatten().for_each(|raised| raised.line.fall());
        self.count = 0;
    }

    fn sweep(&mut self) {
        self.raised.retain(|_, fences| {
            fences.retain(|raised| raised.line.is_held());
            !fences.is_empty()
        });
        self.count = self.raised.values().map(Vec::len).sum();
        self.sweep_at = (2 * self.count).max(SWEEP_AT_LEAST);
    }
}

const SWEEP_AT_LEAST: usize = 1_024;

#[cfg(test)]
mod tests {
    use schema::ids::{CredentialId, WorkerId};

    use super::*;

    fn credential(name: &str) -> Topic {
        Topic::Credential(CredentialId::parse(name).unwrap())
    }

    fn topics(names: &[&str], as_of: i64) -> Topics {
        let names = names.iter();
        names.map(|name| (credential(name), as_of)).collect()
    }

    #[test]
    fn all_of_a_topic_fall_and_no_other() {
        let mut fences = Fences::new();
        let its = [(); 3].map(|()| fences.raise(&topics(&["a"], 0)));
        let other = fences.raise(&topics(&["b"], 0));
        fences.fall(&credential("a"), 1);
        assert!(its.iter().all(Fence::is_down) && !other.is_down());
        assert_eq!((fences.count, fences.raised.len()), (1, 1));
    }

    #[test]
    fn a_fence_falls_with_each_of_its_topics_also_with_those_that_came_later() {
        let worker = Topic::Worker(WorkerId::parse("w").unwrap());
        for falls in [credential("a"), credential("b"), worker.clone()] {
            let mut fences = Fences::new();
            let fence = fences.raise(&topics(&["a", "b"], 0));
            fences.extend(&fence, &[(worker.clone(), 3)].into());
            fences.fall(&falls, 4);
            assert!(fence.is_down(), "{falls}");
        }
    }

    #[test]
    fn one_that_was_raised_in_knowledge_of_the_revocation_stands() {
        let mut fences = Fences::new();
        let [older, newer] = [6, 7].map(|as_of| fences.raise(&topics(&["a"], as_of)));
        fences.fall(&credential("a"), 7);
        assert!(older.is_down() && !newer.is_down());
        fences.fall(&credential("a"), 8);
        assert!(newer.is_down());
    }

    #[test]
    fn all_that_was_let_in_falls_at_once_and_what_comes_later_stands() {
        let mut fences = Fences::new();
        let before = ["a", "b"].map(|name| fences.raise(&topics(&[name], 9)));
        fences.fall_all();
        assert!(before.iter().all(Fence::is_down));
        assert_eq!((fences.count, fences.raised.len()), (0, 0));
        let later = fences.raise(&topics(&["a"], 9));
        assert!(!later.is_down());
        fences.fall(&credential("a"), 10);
        assert!(later.is_down());
    }

    #[test]
    fn one_that_only_a_waiting_frame_is_under_falls_too() {
        let mut fences = Fences::new();
        let under = fences.raise(&topics(&["a"], 0)).clone();
        for _ in 0..2 * SWEEP_AT_LEAST {
            drop(fences.raise(&topics(&["a"], 0)));
        }
        fences.fall(&credential("a"), 1);
        assert!(under.is_down());
    }

    #[test]
    fn those_that_nothing_is_under_are_forgotten() {
        let mut fences = Fences::new();
        for number in 0..10 * SWEEP_AT_LEAST {
            drop(fences.raise(&topics(&[&format!("login-{number}"), "one"], 0)));
            assert!(fences.raised.len() <= SWEEP_AT_LEAST);
        }
    }
}
