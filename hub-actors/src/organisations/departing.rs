//! What becomes of all that a member had in an organisation when the membership ends.

use std::collections::BTreeSet;

use schema::{
    ids::{OrganisationId, UserId, WorkspaceId},
    wire::Role,
};

use super::making::{tell_members, write_down};
use crate::{
    error::{Fault, Refusal},
    notes::{About, Notes},
    stop::Stop,
    store::{
        Connection, access, invitations, ledger::Reason, memberships, organisations, shares,
        workspaces,
    },
    topic::Topic,
    workspaces::effects::Before,
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
pub(super) fn depart(
    conn: &mut Connection,
    notes: &mut Notes,
    organisation: &OrganisationId,
    user: &UserId,
    heir: &UserId,
) -> Result<(), Stop> {
    tell_members(conn, notes, organisation)?;
    let had = workspaces_of(conn, organisation, user)?;
    detach_workers(conn, notes, organisation, user)?;
    let home = organisations::personal_of(conn, user)?.ok_or(Refusal::NotFound)?;
    organisations::move_workers(conn, user, organisation, &home)?;
    for id in workspaces::owned_in(conn, organisation, user)? {
        workspaces::set_owner(conn, &id, heir)?;
        shares::delete(conn, &id, &shares::Grantee::User(heir.clone()))?;
    }
    shares::delete_in(conn, organisation, user)?;
    invitations::delete_by(conn, organisation, user)?;
    memberships::delete(conn, organisation, user)?;
    write_down(notes, organisation, "organisation.member_removed");
    for (before, role) in had {
        let why = match role {
            Role::Owner => Reason::Transferred,
            Role::Unspecified | Role::Viewer | Role::Editor => Reason::MemberRemoved,
        };
        before.settle(conn, notes, why)?;
    }
    Ok(())
}

/// Those of the organisation that a user is something in.
fn workspaces_of(
    conn: &mut Connection,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<Vec<(Before, Role)>, Fault> {
    let all: BTreeSet<WorkspaceId> = workspaces::of_organisation(conn, organisation)?
        .into_iter()
        .collect();
    let roles = access::roles_of(conn, user)?;
    let its = roles.into_iter().filter(|(id, _)| all.contains(id));
    its.map(|(id, role)| Ok((Before::of(conn, organisation, &id)?, role)))
        .collect()
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
