//! BRAIN: who is in which workspace with which page. Kept nowhere but here, and forgotten when a
//! page says nothing for a while: each Hub tells those who watch at it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use schema::ids::{UserId, WorkspaceId};

/// Where a page of somebody's is, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whereabout {
    pub(crate) workspace: WorkspaceId,
    pub(crate) user: UserId,
    pub(crate) username: String,
    /// Made by the page, one a tab.
    pub(crate) client: String,
    /// What has the focus; empty for nothing.
    pub(crate) focus: String,
    pub(crate) left: bool,
}

/// Something to be told, and to whom.
pub(crate) type Told = (Vec<UserId>, Whereabout);

/// A page that says nothing for so long has left.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// Pages of one user; beyond it the one that was not heard of for longest has left.
const OF_USER: usize = 32;
/// Pages of all users; beyond it nobody new is noted.
const OF_ALL: usize = 16_384;

/// Pages that a new watcher is told of; the others speak when something about them changes.
const SHOWN: usize = 256;

/// Everybody's pages.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts {
    pages: BTreeMap<(UserId, WorkspaceId, String), Page>,
}

#[derive(Debug)]
struct Page {
    username: String,
    focus: String,
    /// Who was something in the workspace when the page last spoke.
    people: Vec<UserId>,
    heard: Instant,
}

impl Whereabouts {
    /// A page speaks; what is new about it. Saying the same again only keeps it here.
    pub(crate) fn hear(
        &mut self,
        said: Whereabout,
        people: Vec<UserId>,
        now: Instant,
    ) -> Vec<Told> {
        let at = (
            said.user.clone(),
            said.workspace.clone(),
            said.client.clone(),
        );
        if said.left {
            let page = self.pages.remove(&at);
            return page.map(|page| (page.people, said)).into_iter().collect();
        }
        let mut told = Vec::new();
        let known = self.pages.get(&at);
        let is_news = known.is_none_or(|page| page.focus != said.focus);
        if known.is_none() {
            told.extend(self.make_room(&said.user));
            if self.pages.len() >= OF_ALL {
                return told;
            }
        }
        let page = Page {
            username: said.username.clone(),
            focus: said.focus.clone(),
            people: people.clone(),
            heard: now,
        };
        self.pages.insert(at, page);
        told.extend(is_news.then_some((people, said)));
        told
    }

    /// The pages that have said nothing for too long.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Told> {
        let silent = |page: &Page| now.saturating_duration_since(page.heard) >= SILENCE;
        let gone: Vec<_> = self
            .pages
            .iter()
            .filter(|(_, page)| silent(page))
            .map(|(at, _)| at.clone())
            .collect();
        gone.into_iter().filter_map(|at| self.leave(at)).collect()
    }

    /// What a user's new watcher does not know yet.
    pub(crate) fn seen_by(&self, user: &UserId) -> Vec<Whereabout> {
        let shown = self
            .pages
            .iter()
            .filter(|(_, page)| page.people.contains(user));
        let shown = shown.map(|(at, page)| whereabout(at, page, false));
        shown.take(SHOWN).collect()
    }

    fn make_room(&mut self, user: &UserId) -> Option<Told> {
        let its = || self.pages.iter().filter(|((whose, ..), _)| whose == user);
        if its().count() < OF_USER {
            return None;
        }
        let oldest = its().min_by_key(|(_, page)| page.heard);
        let at = oldest.map(|(at, _)| at.clone())?;
        self.leave(at)
    }

    fn leave(&mut self, at: (UserId, WorkspaceId, String)) -> Option<Told> {
        let page = self.pages.remove(&at)?;
        let left = whereabout(&at, &page, true);
        Some((page.people, left))
    }
}

fn whereabout(
    (user, workspace, client): &(UserId, WorkspaceId, String),
    page: &Page,
    left: bool,
) -> Whereabout {
    Whereabout {
        workspace: workspace.clone(),
        user: user.clone(),
        username: page.username.clone(),
        client: client.clone(),
        focus: page.focus.clone(),
        left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn said(client: &str, focus: &str, left: bool) -> Whereabout {
        Whereabout {
            workspace: WorkspaceId::parse("desk").unwrap(),
            user: user("ann"),
            username: "ann".to_owned(),
            client: client.to_owned(),
            focus: focus.to_owned(),
            left,
        }
    }

    fn people() -> Vec<UserId> {
        vec![user("ann"), user("bob")]
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (mut all, now) = (Whereabouts::default(), crate::clock::now());
        let first = said("p1", "t1", false);
        assert_eq!(
            all.hear(first.clone(), people(), now),
            [(people(), first.clone())]
        );
        assert_eq!(all.hear(first.clone(), people(), now), []);
        let moved = said("p1", "t2", false);
        assert_eq!(
            all.hear(moved.clone(), people(), now),
            [(people(), moved.clone())]
        );
        assert_eq!(all.seen_by(&user("bob")), [moved]);
        assert_eq!(all.seen_by(&user("eve")), []);
        let left = said("p1", "", true);
        assert_eq!(
            all.hear(left.clone(), people(), now),
            [(people(), left.clone())]
        );
        assert_eq!(all.hear(left, people(), now), []);
    }

    #[test]
    fn a_page_that_says_nothing_has_left() {
        let (mut all, now) = (Whereabouts::default(), crate::clock::now());
        all.hear(said("p1", "t1", false), people(), now);
        all.hear(said("p2", "t1", false), people(), now + SILENCE / 2);
        assert_eq!(all.expire(now + SILENCE / 2), []);
        assert_eq!(
            all.expire(now + SILENCE),
            [(people(), said("p1", "t1", true))]
        );
        assert_eq!(all.seen_by(&user("bob")), [said("p2", "t1", false)]);
    }

    #[test]
    fn one_user_has_so_many_pages_and_no_more() {
        let (mut all, now) = (Whereabouts::default(), crate::clock::now());
        for page in 0..OF_USER {
            let later = now + Duration::from_secs(page.try_into().unwrap());
            all.hear(said(&format!("p{page}"), "", false), people(), later);
        }
        let told = all.hear(said("more", "", false), people(), now + SILENCE);
        let told: Vec<_> = told
            .iter()
            .map(|(_, it)| (it.client.as_str(), it.left))
            .collect();
        assert_eq!(told, [("p0", true), ("more", false)]);
        assert_eq!(all.seen_by(&user("bob")).len(), OF_USER);
    }
}
