//! What becomes of all that a member had in an organisation when the membership ends.

use std::collections::BTreeSet;

use schema::{
    ids::{OrganisationId, UserId, WorkspaceId},
    wire::{OrganisationRole, Role},
};

use super::making::{tell_members, write_down_of};
use crate::{
    error::{Fault, Refusal},
    notes::{About, Notes},
    stop::Stop,
    store::{
        Connection, access, audit::Object, invitations, ledger::Reason, memberships, organisations,
        shares, workspaces,
    },
    topic::Topic,
    workspaces::effects::BeforeOf,
};

/// Ends a membership:
///
/// * channels that stand with the member's access to a workspace of it end, and shares go;
/// * workspaces that the member owned there are the heir's;
/// * the member's Workers host none of its workspaces any more;
/// * the member's Workers that were registered in it go home, with their channels: they are his;
/// * invitations that the member gave out are void.
///
/// Whether the member may go is the caller's business.
pub(crate) fn depart(
    conn: &mut Connection,
    notes: &mut Notes,
    organisation: &OrganisationId,
    user: &UserId,
    heir: &UserId,
) -> Result<(), Stop> {
    tell_members(conn, notes, organisation)?;
    let before = BeforeOf::of(conn, &[user, heir])?;
    detach_workers(conn, notes, organisation, user)?;
    let home = organisations::personal_of(conn, user)?.ok_or(Refusal::NotFound)?;
    organisations::move_workers(conn, user, organisation, &home)?;
    for id in workspaces::owned_in(conn, organisation, user)? {
        workspaces::set_owner(conn, &id, heir)?;
        shares::delete(conn, &id, &shares::Grantee::User(heir.clone()))?;
        pass_on(conn, notes, organisation, id)?;
    }
    shares::delete_in(conn, organisation, user)?;
    invitations::delete_by(conn, organisation, user, OrganisationRole::Unspecified)?;
    memberships::delete(conn, organisation, user)?;
    write_down_of(notes, organisation, "organisation.member_removed", user);
    before.settle(conn, notes, |role| match role {
        Role::Owner => Reason::Transferred,
        Role::Unspecified | Role::Viewer | Role::Editor => Reason::MemberRemoved,
    })?;
    Ok(())
}

/// Whoever sees a workspace hears that it has another owner.
fn pass_on(
    conn: &mut Connection,
    notes: &mut Notes,
    organisation: &OrganisationId,
    id: WorkspaceId,
) -> Result<(), Fault> {
    let (place, action) = (Some(organisation.as_str()), "workspace.passed_on");
    notes.audit_in(place, action, Object::Workspace, id.as_str(), "");
    let looking_after = memberships::at_least(conn, organisation, OrganisationRole::Admin)?;
    let people = access::people_of(conn, &id)?.into_keys();
    let seers: BTreeSet<_> = people.chain(looking_after).collect();
    notes.tell(seers, About::Workspace(id));
    Ok(())
}

fn detach_workers(
    conn: &mut Connection,
    notes: &mut Notes,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<(), Fault> {
    for (worker, workspace) in shares::hosted_in(conn, organisation, user)? {
        let people = access::people_of(conn, &workspace)?;
        shares::detach(conn, &worker, &workspace)?;
        let topic = Topic::Hosting(worker.clone(), workspace);
        notes.revoke(topic, Reason::MemberRemoved);
        let told: BTreeSet<_> = people.into_keys().chain([user.clone()]).collect();
        notes.tell(told, About::Worker(worker));
    }
    Ok(())
}
