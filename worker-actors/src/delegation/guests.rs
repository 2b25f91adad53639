//! BRAIN of the keys of programs that the Worker started. They are kept nowhere: each is trusted from
//! the moment its program asked until it stops asking, or until its delegation expires.

use std::collections::BTreeMap;

use bytes::Bytes;
use channel_actors::endpoint::access::Roles;
use schema::{
    ids::{UserId, WorkspaceId},
    wire::Role,
};

/// The keys that are trusted now.
#[derive(Debug, Default)]
pub(crate) struct Guests(BTreeMap<(UserId, Bytes), Guest>);

/// What a program's key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) workspace: WorkspaceId,
    /// In Unix seconds.
    pub(crate) expires_at: u64,
}

/// The key is in use, or there are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

impl Guests {
    /// Trusts a key.
    pub(crate) fn admit(&mut self, user: UserId, key: Bytes, guest: Guest) -> Result<(), NoPlace> {
        if self.0.len() >= MOST || self.0.contains_key(&(user.clone(), key.clone())) {
            return Err(NoPlace);
        }
        self.0.insert((user, key), guest);
        Ok(())
    }

    /// Trusts it no more.
    pub(crate) fn dismiss(&mut self, user: &UserId, key: &Bytes) {
        self.0.remove(&(user.clone(), key.clone()));
    }

    /// What a key is good for at a moment, in Unix seconds.
    pub(crate) fn find(&self, user: &UserId, key: &Bytes, now: u64) -> Option<&Guest> {
        let guest = self.0.get(&(user.clone(), key.clone()))?;
        Some(guest).filter(|guest| guest.expires_at > now)
    }

    /// Whether one has expired after the one moment and not after the other, in Unix seconds.
    pub(crate) fn expired_between(&self, after: u64, until: u64) -> bool {
        let mut ends = self.0.values().map(|guest| guest.expires_at);
        ends.any(|end| end > after && end <= until)
    }
}

impl Guest {
    /// The most that it may do: what an editor may, in its own workspace, and no more than is granted
    /// to its user now. None when that is nothing.
    pub(crate) fn cap(&self, granted: Option<&Roles>) -> Option<Roles> {
        let role = match granted {
            None => Role::Editor,
            Some(roles) => Role::Editor.min(*roles.get(&self.workspace)?),
        };
        Some(Roles::from([(self.workspace.clone(), role)]))
    }
}

/// Programs at a time, of all tabs.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("an id")
    }

    fn guest(expires_at: u64) -> Guest {
        Guest {
            workspace: WorkspaceId::parse("w").expect("an id"),
            expires_at,
        }
    }

    fn key(byte: u8) -> Bytes {
        vec![byte; 32].into()
    }

    #[test]
    fn a_key_is_its_users_own_and_good_until_it_expires_or_is_dismissed() {
        let mut guests = Guests::default();
        assert_eq!(guests.admit(user("ann"), key(1), guest(10)), Ok(()));
        assert_eq!(guests.admit(user("ann"), key(1), guest(99)), Err(NoPlace));
        assert!(guests.find(&user("ann"), &key(1), 9).is_some());
        assert!(guests.find(&user("ann"), &key(1), 10).is_none());
        assert!(guests.find(&user("bob"), &key(1), 9).is_none());
        assert!(guests.expired_between(9, 10) && !guests.expired_between(10, 11));
        guests.dismiss(&user("ann"), &key(1));
        assert!(guests.find(&user("ann"), &key(1), 9).is_none());
    }

    #[test]
    fn there_are_only_so_many() {
        let mut guests = Guests::default();
        for number in 0..=MOST {
            let admitted = guests.admit(user(&format!("u{number}")), key(1), guest(10));
            assert_eq!(admitted.is_ok(), number < MOST);
        }
    }

    #[test]
    fn nobody_gets_more_than_an_editor_has_or_than_the_owner_signed_for() {
        let workspace = || WorkspaceId::parse("w").expect("an id");
        let of = |role| Roles::from([(workspace(), role)]);
        assert_eq!(guest(1).cap(None), Some(of(Role::Editor)));
        assert_eq!(guest(1).cap(Some(&of(Role::Owner))), Some(of(Role::Editor)));
        assert_eq!(
            guest(1).cap(Some(&of(Role::Viewer))),
            Some(of(Role::Viewer))
        );
        assert_eq!(guest(1).cap(Some(&Roles::new())), None);
    }
}
