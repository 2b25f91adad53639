//! What a change means for those whom it concerns: whoever became less loses the channels that
//! stand with it, whoever became more is told so, and everybody who sees the workspace hears of it.

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    ids::{CredentialId, OrganisationId, UserId, WorkspaceId},
    wire::{OrganisationRole, Role},
};

use crate::{
    error::Fault,
    notes::{About, Notes},
    store::{
        Connection,
        access::{self, Roles},
        ledger::Reason,
        memberships,
        shares::{self, Host},
        workspaces,
    },
    topic::Topic,
};

/// How a workspace was before an order changed something about it.
pub(crate) struct Before {
    workspace: WorkspaceId,
    people: BTreeMap<UserId, Role>,
    /// Owners and admins of its organisation, who see it as well.
    looking_after: Vec<UserId>,
    hosts: Vec<Host>,
}

impl Before {
    /// Looks, before anything is changed.
    pub(crate) fn of(
        conn: &mut Connection,
        organisation: &OrganisationId,
        workspace: &WorkspaceId,
    ) -> Result<Self, Fault> {
        Ok(Self {
            workspace: workspace.clone(),
            people: access::people_of(conn, workspace)?,
            looking_after: memberships::at_least(conn, organisation, OrganisationRole::Admin)?,
            hosts: shares::hosts(conn, workspace)?,
        })
    }

    /// Looks again, and notes what follows. `why` is for those who became less.
    pub(crate) fn settle(
        self,
        conn: &mut Connection,
        notes: &mut Notes,
        why: Reason,
    ) -> Result<(), Fault> {
        let after = access::people_of(conn, &self.workspace)?;
        let role = |people: &BTreeMap<UserId, Role>, user| people.get(user).copied();
        let everybody: BTreeSet<_> = self.people.keys().chain(after.keys()).cloned().collect();
        let mut changed = Vec::new();
        for user in &everybody {
            let (was, is) = (role(&self.people, user), role(&after, user));
            if is < was {
                notes.revoke(Topic::Access(self.workspace.clone(), user.clone()), why);
            }
            if is > was {
                notes.refresh.push(user.clone());
            }
            if is != was {
                changed.push(user.clone());
            }
        }
        self.tell_of_workers(notes, &changed);
        let seers = everybody.into_iter().chain(self.looking_after);
        notes.tell(once_each(seers), About::Workspace(self.workspace));
        Ok(())
    }

    /// For a workspace that is deleted: nobody is anything there any more.
    pub(crate) fn settle_gone(
        self,
        notes: &mut Notes,
        delegations: Vec<CredentialId>,
        why: Reason,
    ) {
        for user in self.people.keys() {
            notes.revoke(Topic::Access(self.workspace.clone(), user.clone()), why);
        }
        for delegation in delegations {
            notes.revoke(Topic::Credential(delegation), why);
        }
        let people: Vec<_> = self.people.keys().cloned().collect();
        self.tell_of_workers(notes, &people);
        let seers = people.into_iter().chain(self.looking_after);
        notes.tell(once_each(seers), About::Workspace(self.workspace));
    }

    /// Nothing about anybody's rights: a title, a Worker more or less.
    pub(crate) fn tell(self, notes: &mut Notes) {
        let seers = self.people.into_keys().chain(self.looking_after);
        notes.tell(once_each(seers), About::Workspace(self.workspace));
    }

    /// Whoever may do something else now may see other Workers, whose owners have certificates to
    /// make.
    fn tell_of_workers(&self, notes: &mut Notes, changed: &[UserId]) {
        if changed.is_empty() {
            return;
        }
        for Host { worker, owner } in &self.hosts {
            notes.tell(changed.to_vec(), About::Worker(worker.clone()));
            notes.tell([owner.clone()], About::Grants(worker.clone()));
        }
    }
}

/// What a few users are, before an order changes something about them in many workspaces. One look at
/// each of them, and none at everybody in every workspace.
pub(crate) struct BeforeOf(Vec<(UserId, Roles)>);

impl BeforeOf {
    /// Looks, before anything is changed.
    pub(crate) fn of(conn: &mut Connection, users: &[&UserId]) -> Result<Self, Fault> {
        let one = |user: &&UserId| Ok(((*user).clone(), access::roles_of(conn, user)?));
        users.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Looks again, and notes what follows. `why` is for those who became less, by what they were.
    pub(crate) fn settle(
        self,
        conn: &mut Connection,
        notes: &mut Notes,
        why: impl Fn(Role) -> Reason,
    ) -> Result<(), Fault> {
        for (user, before) in self.0 {
            let after = access::roles_of(conn, &user)?;
            let mut changed = BTreeSet::new();
            for id in before.keys().chain(after.keys()) {
                let (was, is) = (before.get(id).copied(), after.get(id).copied());
                if was == is || !changed.insert(id) {
                    continue;
                }
                match was {
                    Some(was) if is < Some(was) => {
                        notes.revoke(Topic::Access(id.clone(), user.clone()), why(was));
                    }
                    Some(_) | None => notes.refresh.push(user.clone()),
                }
                notes.tell([user.clone()], About::Workspace(id.clone()));
            }
            for Host { worker, owner } in shares::hosts_of_all(conn, &changed)? {
                notes.tell([user.clone()], About::Worker(worker.clone()));
                notes.tell([owner], About::Grants(worker));
            }
        }
        Ok(())
    }
}

/// Takes away from a workspace the Workers of those who may no longer put one there: a Worker hosts
/// only where its owner is an editor at least. To be called before [`Before::settle`]; an archived
/// workspace is looked at when it is restored.
pub(crate) fn detach_strays(
    conn: &mut Connection,
    notes: &mut Notes,
    workspace: &WorkspaceId,
    why: Reason,
) -> Result<(), Fault> {
    let found = workspaces::find(conn, workspace)?;
    if found.is_none_or(|found| found.archived_ms.is_some()) {
        return Ok(());
    }
    let people = access::people_of(conn, workspace)?;
    for Host { worker, owner } in shares::hosts(conn, workspace)? {
        if people.get(&owner).copied() < Some(Role::Editor) {
            shares::detach(conn, &worker, workspace)?;
            notes.revoke(Topic::Hosting(worker.clone(), workspace.clone()), why);
            let told = once_each(people.keys().cloned().chain([owner]));
            notes.tell(told, About::Worker(worker));
        }
    }
    Ok(())
}

fn once_each(users: impl IntoIterator<Item = UserId>) -> BTreeSet<UserId> {
    users.into_iter().collect()
}
