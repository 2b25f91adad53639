//! What a user may do in which workspace: the least of signed, announced and claimed.

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    ids::WorkspaceId,
    wire::{Role, WorkspaceAccess},
};

use crate::limits::WORKSPACES;

/// Roles by workspace.
pub type Roles = BTreeMap<WorkspaceId, Role>;

/// The three opinions about one channel's user.
#[derive(Debug, Default)]
pub struct Access {
    announced: Roles,
    claimed: Option<BTreeSet<WorkspaceId>>,
    signed: Option<Roles>,
}

impl Access {
    /// What the Hub announced.
    #[must_use]
    pub fn announced(workspaces: &[WorkspaceAccess]) -> Self {
        Self {
            announced: roles(workspaces),
            ..Self::default()
        }
    }

    /// What the Hub announces now. It takes effect at once.
    pub fn announce(&mut self, workspaces: &[WorkspaceAccess]) {
        self.announced = roles(workspaces);
    }

    /// What the client asked for; nothing = all that it may have.
    pub fn claim(&mut self, workspaces: Vec<WorkspaceId>) {
        self.claimed = (!workspaces.is_empty()).then(|| workspaces.into_iter().collect());
    }

    /// What the owner's certificates grant at most; none for the owner.
    pub fn sign(&mut self, cap: Option<Roles>) {
        self.signed = cap;
    }

    /// Whether anything was said about what certificates grant at most.
    #[must_use]
    pub const fn is_capped(&self) -> bool {
        self.signed.is_some()
    }

    /// The role in one workspace.
    #[must_use]
    pub fn role(&self, workspace: &WorkspaceId) -> Option<Role> {
        let announced = *self.announced.get(workspace)?;
        let claimed = self.claimed.as_ref();
        if claimed.is_some_and(|claimed| !claimed.contains(workspace)) {
            return None;
        }
        match &self.signed {
            None => Some(announced),
            Some(signed) => signed.get(workspace).map(|role| announced.min(*role)),
        }
    }

    /// All roles, in the order of the workspaces' ids.
    #[must_use]
    pub fn effective(&self) -> Vec<WorkspaceAccess> {
        let role = |id: &WorkspaceId| self.role(id).map(|role| (id.clone(), role));
        self.announced
            .keys()
            .filter_map(role)
            .map(to_wire)
            .collect()
    }
}

/// Reads roles; what has no valid id or no role, or comes behind the 900th, grants nothing.
#[must_use]
pub fn roles(workspaces: &[WorkspaceAccess]) -> Roles {
    let mut roles = Roles::new();
    for access in workspaces.iter().take(WORKSPACES) {
        let Ok(workspace) = WorkspaceId::parse(&access.workspace_id) else {
            continue;
        };
        match access.role() {
            Role::Unspecified => {}
            // A workspace that is named twice gets the lesser role.
            role @ (Role::Viewer | Role::Editor | Role::Owner) => {
                let least = roles.entry(workspace).or_insert(role);
                *least = role.min(*least);
            }
        }
    }
    roles
}

fn to_wire((workspace, role): (WorkspaceId, Role)) -> WorkspaceAccess {
    WorkspaceAccess {
        workspace_id: workspace.as_str().to_owned(),
        role: role.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(list: &[(&str, Role)]) -> Vec<WorkspaceAccess> {
        let one = |(id, role): &(&str, Role)| WorkspaceAccess {
            workspace_id: (*id).to_owned(),
            role: (*role).into(),
        };
        list.iter().map(one).collect()
    }

    fn id(text: &str) -> WorkspaceId {
        WorkspaceId::parse(text).expect("a valid id")
    }

    #[test]
    fn the_least_of_signed_announced_and_claimed_counts() {
        let mut it = Access::announced(&access(&[("a", Role::Owner), ("b", Role::Editor)]));
        assert_eq!(it.role(&id("a")), Some(Role::Owner));
        it.claim(vec![id("b"), id("c")]);
        assert_eq!(it.role(&id("a")), None);
        assert_eq!(it.role(&id("b")), Some(Role::Editor));
        assert_eq!(it.role(&id("c")), None);
        it.sign(Some(roles(&access(&[("b", Role::Viewer)]))));
        assert_eq!(it.role(&id("b")), Some(Role::Viewer));
        it.announce(&access(&[("a", Role::Owner)]));
        assert_eq!(it.effective(), []);
    }

    #[test]
    fn no_role_and_no_id_grant_nothing() {
        let it = Access::announced(&access(&[("a", Role::Unspecified), ("", Role::Owner)]));
        assert_eq!(it.effective(), []);
    }

    #[test]
    fn what_is_granted_fits_one_frame() {
        use prost::Message as _;
        let long = |number: usize| WorkspaceAccess {
            workspace_id: format!("{number:064}"),
            role: Role::Owner.into(),
        };
        let announced: Vec<_> = (0..1_800).map(long).collect();
        let workspaces = Access::announced(&announced).effective();
        assert_eq!(workspaces.len(), WORKSPACES);
        let accepted = schema::wire::ClaimAccepted { workspaces };
        assert!(accepted.encoded_len() + 8 <= crate::limits::PLAINTEXT_MAX);
    }
}
