//! Who belongs to an organisation, as what, and no longer.

use schema::{
    ids::{OrganisationId, UserId},
    wire::{self, OrganisationRole},
};

use super::{
    departing::depart,
    given_role,
    making::{tell_members, write_down_of},
    organisation_id,
    standing::Standing,
};
use crate::{
    asked::Asked,
    error::{Refusal, Unmet},
    notes::Notes,
    stop::{Stop, sorted},
    store::{
        Connection, invitations,
        memberships::{self, Member},
    },
};

/// For every member.
pub(crate) async fn list_members(
    asked: &Asked,
    request: wire::ListMembersRequest,
) -> Result<wire::ListMembersResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let id = organisation_id(&request.organisation_id)?;
    let listed = asked.state.store.run(move |conn| {
        let standing = Standing::of(conn, &me, &id);
        sorted(standing.and_then(|_| Ok(memberships::members(conn, &id)?)))
    });
    let members = listed.await??.into_iter().map(shown).collect();
    Ok(wire::ListMembersResponse { members })
}

fn shown(member: Member) -> wire::Member {
    wire::Member {
        user_id: member.user.as_str().to_owned(),
        username: member.username,
        display_name: member.display_name,
        role: member.role.into(),
        joined_unix_ms: member.joined_ms,
    }
}

/// By an owner or admin. It changes nothing about anybody's workspaces: what somebody is there
/// rests on shares.
pub(crate) async fn change_role(
    asked: &Asked,
    request: wire::ChangeRoleRequest,
) -> Result<wire::ChangeRoleResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let id = organisation_id(&request.organisation_id)?;
    let user = member_id(&request.user_id)?;
    let role = given_role(request.role())?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(change(conn, notes, &me, &id, &user, role))
    });
    done.await?;
    Ok(wire::ChangeRoleResponse {})
}

pub(super) fn change(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    id: &OrganisationId,
    user: &UserId,
    role: OrganisationRole,
) -> Result<(), Stop> {
    let standing = Standing::of(conn, me, id)?;
    standing.looks_after()?;
    standing.is_team()?;
    let was = memberships::role_of(conn, id, user)?.ok_or(Refusal::NotFound)?;
    standing.may_give(was.max(role))?;
    if was == role {
        return Ok(());
    }
    if was == OrganisationRole::Owner {
        keeps_an_owner(conn, id)?;
    }
    memberships::set_role(conn, id, user, role)?;
    if role < was {
        // What somebody could not give out any more should not have been given out either.
        let may_give = match role {
            OrganisationRole::Admin | OrganisationRole::Owner => role,
            OrganisationRole::Member | OrganisationRole::Unspecified => {
                OrganisationRole::Unspecified
            }
        };
        invitations::delete_by(conn, id, user, may_give)?;
    }
    write_down_of(notes, id, "organisation.role_changed", user);
    tell_members(conn, notes, id)?;
    Ok(())
}

/// By an owner or admin, and by whoever wants to leave.
pub(crate) async fn remove_member(
    asked: &Asked,
    request: wire::RemoveMemberRequest,
) -> Result<wire::RemoveMemberResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let id = organisation_id(&request.organisation_id)?;
    let user = member_id(&request.user_id)?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(remove(conn, notes, &me, &id, &user))
    });
    done.await?;
    Ok(wire::RemoveMemberResponse {})
}

pub(super) fn remove(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    id: &OrganisationId,
    user: &UserId,
) -> Result<(), Stop> {
    let standing = Standing::of(conn, me, id)?;
    if me != user {
        standing.looks_after()?;
    }
    standing.is_team()?;
    let was = memberships::role_of(conn, id, user)?.ok_or(Refusal::NotFound)?;
    if me != user {
        standing.may_give(was)?;
    }
    if was == OrganisationRole::Owner {
        keeps_an_owner(conn, id)?;
    }
    let heir = if me == user {
        longest_owner(conn, id, user)?
    } else {
        me.clone()
    };
    depart(conn, notes, id, user, &heir)
}

fn keeps_an_owner(conn: &mut Connection, id: &OrganisationId) -> Result<(), Stop> {
    let owners = memberships::at_least(conn, id, OrganisationRole::Owner)?;
    if owners.len() < 2 {
        return Err(Refusal::Unmet(Unmet::LastOwner).into());
    }
    Ok(())
}

/// Who keeps the workspaces of somebody who leaves.
fn longest_owner(conn: &mut Connection, id: &OrganisationId, but: &UserId) -> Result<UserId, Stop> {
    let owners = memberships::at_least(conn, id, OrganisationRole::Owner)?;
    let other = owners.into_iter().find(|owner| owner != but);
    other.ok_or_else(|| Refusal::Unmet(Unmet::LastOwner).into())
}

fn member_id(text: &str) -> Result<UserId, Refusal> {
    UserId::parse(text).map_err(|_| Refusal::NotFound)
}
