//! How somebody comes to belong to an organisation.

use schema::{
    ids::{OrganisationId, UserId},
    wire::OrganisationRole,
};

use super::{inviting::write_down, making::tell_members};
use crate::{
    clock,
    config::OrganisationQuotas,
    error::{Fault, Quota, Refusal, Unmet},
    notes::{About, Notes},
    stop::{Stop, quota},
    store::{
        Connection,
        invitations::{self, Invitation},
        ledger::Reason,
        memberships, organisations,
    },
    token::SecretHash,
    workspaces::effects::BeforeOf,
};

/// Joins with a link's secret; one that is wrong, used up or too old is all the same.
pub(crate) fn accept_link(
    conn: &mut Connection,
    notes: &mut Notes,
    hash: SecretHash,
    user: &UserId,
    defaults: &OrganisationQuotas,
) -> Result<OrganisationId, Stop> {
    let found = invitations::find_by_secret(conn, hash, clock::unix_ms())?;
    accept(
        conn,
        notes,
        &found.ok_or(Refusal::WrongCode)?,
        user,
        defaults,
    )
}

/// Joins by an invitation to one's name.
pub(super) fn accept_by_name(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &str,
    user: &UserId,
    defaults: &OrganisationQuotas,
) -> Result<OrganisationId, Stop> {
    let found = invitations::find(conn, id, clock::unix_ms())?;
    let its = found.filter(|one| one.user.as_ref() == Some(user));
    accept(conn, notes, &its.ok_or(Refusal::NotFound)?, user, defaults)
}

fn accept(
    conn: &mut Connection,
    notes: &mut Notes,
    invitation: &Invitation,
    user: &UserId,
    defaults: &OrganisationQuotas,
) -> Result<OrganisationId, Stop> {
    let id = &invitation.organisation;
    if memberships::role_of(conn, id, user)?.is_some() {
        return Err(Refusal::Unmet(Unmet::Member).into());
    }
    let organisation = organisations::find(conn, id)?.ok_or(Refusal::NotFound)?;
    if memberships::count(conn, id)? >= i64::from(organisation.quotas(defaults).members) {
        return Err(quota(Quota::Members).into());
    }
    invitations::take_use(conn, invitation)?;
    invitations::delete_to(conn, id, user)?;
    write_down(notes, invitation, "invitation.accepted");
    join(conn, notes, id, user, invitation.role)?;
    notes.tell([user.clone()], About::Organisations);
    Ok(id.clone())
}

/// Makes a member, who sees what is shared with all of them.
fn join(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &OrganisationId,
    user: &UserId,
    role: OrganisationRole,
) -> Result<(), Fault> {
    let before = BeforeOf::of(conn, &[user])?;
    memberships::insert(conn, id, user, role, clock::unix_ms())?;
    before.settle(conn, notes, |_| Reason::RoleLowered)?;
    tell_members(conn, notes, id)
}
