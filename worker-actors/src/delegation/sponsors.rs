//! Which channels are open, for whom, and who of them may answer for a tab: a bearer is made for the
//! user of an open channel and no other, and the Hub looks at that channel once more.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use channel_actors::endpoint::access::Roles;
use schema::{
    ids::{ChannelId, UserId, WorkspaceId},
    wire::Role,
};

use super::Tab;

/// The open channels.
#[derive(Clone, Default)]
pub(super) struct Sponsors(Arc<Mutex<BTreeMap<ChannelId, Sponsor>>>);

struct Sponsor {
    user: UserId,
    may_edit: Vec<WorkspaceId>,
}

/// A channel's place; leaving is dropping it.
pub(crate) struct Sponsorship {
    sponsors: Sponsors,
    channel: ChannelId,
}

impl Sponsors {
    pub(super) fn join(&self, channel: ChannelId, user: UserId) -> Sponsorship {
        let may_edit = Vec::new();
        self.lock().insert(channel, Sponsor { user, may_edit });
        Sponsorship {
            sponsors: self.clone(),
            channel,
        }
    }

    /// The channels that may answer for a tab: the one that opened it before all others of its user.
    pub(super) fn of(&self, tab: &Tab) -> Vec<ChannelId> {
        let sponsors = self.lock();
        let fits = |sponsor: &Sponsor| {
            sponsor.user == tab.user && sponsor.may_edit.contains(&tab.workspace)
        };
        let mut fitting: Vec<_> = sponsors
            .iter()
            .filter(|(_, sponsor)| fits(sponsor))
            .map(|(channel, _)| *channel)
            .collect();
        fitting.sort_by_key(|channel| *channel != tab.opener);
        fitting
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChannelId, Sponsor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sponsorship {
    /// What its user may do now.
    pub(crate) fn update(&self, roles: &Roles) {
        if let Some(sponsor) = self.sponsors.lock().get_mut(&self.channel) {
            let editable = roles.iter().filter(|(_, role)| **role >= Role::Editor);
            sponsor.may_edit = editable.map(|(workspace, _)| workspace.clone()).collect();
        }
    }
}

impl Drop for Sponsorship {
    fn drop(&mut self) {
        self.sponsors.lock().remove(&self.channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ChannelId {
        ChannelId::from_bytes([number; 16])
    }

    fn roles(role: Role) -> Roles {
        Roles::from([(WorkspaceId::parse("w").expect("an id"), role)])
    }

    #[test]
    fn the_opener_answers_first_then_the_users_others_and_nobody_elses() {
        let user = |name: &str| UserId::parse(name).expect("an id");
        let sponsors = Sponsors::default();
        let places: Vec<_> = [(1, "ann"), (2, "ann"), (3, "bob"), (4, "ann")]
            .map(|(number, name)| sponsors.join(id(number), user(name)))
            .into();
        let tab = Tab {
            user: user("ann"),
            workspace: WorkspaceId::parse("w").expect("an id"),
            terminal: None,
            opener: id(2),
        };
        assert_eq!(sponsors.of(&tab), []);
        places
            .iter()
            .for_each(|place| place.update(&roles(Role::Editor)));
        assert_eq!(sponsors.of(&tab), [id(2), id(1), id(4)]);
        places[0].update(&roles(Role::Viewer));
        assert_eq!(sponsors.of(&tab), [id(2), id(4)]);
        drop(places);
        assert_eq!(sponsors.of(&tab), []);
    }
}
