//! Invitations into an organisation, by name and by link.

use schema::{
    ids::{OrganisationId, UserId},
    wire::{self, OrganisationRole},
};

use super::{
    given_role,
    joining::{accept_by_name, accept_link},
    making::tell_members,
    organisation_id,
    standing::Standing,
};
use crate::{
    asked::Asked,
    clock,
    error::{Field, Quota, Refusal, Unmet},
    names,
    notes::{About, Notes},
    stop::{Stop, quota, sorted},
    store::{
        Connection,
        audit::Object,
        invitations::{self, Invitation, Named},
        memberships, users,
    },
    token::{Purpose, SecretHash, SecretText},
};

/// Longest life of an invitation, and that of one by name, in milliseconds.
const LIFETIME_MAX_MS: i64 = 30 * DAY_MS;
/// Of a link that asks for none.
const LIFETIME_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// Uses of one link.
const USES_MAX: u32 = 100;
/// Invitations of one organisation that are open at once.
const OPEN_MAX: i64 = 500;
/// Longest user name, in bytes.
const NAME_MAX: usize = 32;
/// Longer secrets are nobody's.
const SECRET_MAX: usize = 256;

/// Invites somebody by name, who decides.
///
/// A name that nobody has gets the same answer, and an invitation that looks like any other: who has
/// an account here is known within organisations only, and a difference would tell everybody.
pub(crate) async fn invite_member(
    asked: &Asked,
    request: wire::InviteMemberRequest,
) -> Result<wire::InviteMemberResponse, Refusal> {
    let new = Invitation {
        id: names::id("i")?,
        organisation: organisation_id(&request.organisation_id)?,
        role: given_role(request.role())?,
        user: None,
        by: asked.caller()?.user.clone(),
        created_ms: 0,
        expires_ms: 0,
        uses_left: 1,
        nobody: None,
    };
    let username = name(&request.username)?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        let now_ms = clock::unix_ms();
        let new = Invitation {
            created_ms: now_ms,
            expires_ms: now_ms + LIFETIME_MAX_MS,
            ..new.clone()
        };
        sorted(invite(conn, notes, new, &username))
    });
    done.await?;
    Ok(wire::InviteMemberResponse {})
}

pub(super) fn invite(
    conn: &mut Connection,
    notes: &mut Notes,
    new: Invitation,
    username: &str,
) -> Result<(), Stop> {
    may_invite(conn, &new)?;
    let user = users::find_by_name(conn, username)?;
    if let Some(user) = &user {
        if memberships::role_of(conn, &new.organisation, user)?.is_some() {
            return Err(Refusal::Unmet(Unmet::Member).into());
        }
        invitations::delete_to(conn, &new.organisation, user)?;
    }
    invitations::delete_to_nobody(conn, &new.organisation, username)?;
    let new = Invitation {
        nobody: user.is_none().then(|| username.to_owned()),
        user: user.clone(),
        ..new
    };
    invitations::insert(conn, &new, None)?;
    write_down(notes, &new, "invitation.created");
    notes.tell(user, About::Organisations);
    tell_members(conn, notes, &new.organisation)?;
    Ok(())
}

/// Names are of these, those of older versions too.
fn name(text: &str) -> Result<String, Refusal> {
    let name = text.trim().to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_one = (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits);
    is_one
        .then_some(name)
        .ok_or(Refusal::Malformed(Field::Username))
}

/// Makes a link for whoever holds it. Its secret is shown this once, and kept as a hash.
pub(crate) async fn create_invite_link(
    asked: &Asked,
    request: wire::CreateInviteLinkRequest,
) -> Result<wire::CreateInviteLinkResponse, Refusal> {
    let now_ms = clock::unix_ms();
    let new = Invitation {
        id: names::id("i")?,
        organisation: organisation_id(&request.organisation_id)?,
        role: link_role(request.role())?,
        user: None,
        by: asked.caller()?.user.clone(),
        created_ms: now_ms,
        expires_ms: now_ms + lifetime_ms(request.lifetime_seconds)?,
        uses_left: uses(request.uses)?,
        nobody: None,
    };
    let secret = SecretText::from_random(Purpose::Invitation, clock::random()?);
    let hash = asked
        .state
        .pepper
        .hash(Purpose::Invitation, secret.expose());
    let stored = asked.state.order(asked.author(), move |conn, notes| {
        sorted(link(conn, notes, &new, hash))
    });
    Ok(wire::CreateInviteLinkResponse {
        invitation: stored.await?.map(shown),
        secret: secret.expose().to_owned(),
    })
}

pub(super) fn link(
    conn: &mut Connection,
    notes: &mut Notes,
    new: &Invitation,
    hash: SecretHash,
) -> Result<Option<Named>, Stop> {
    may_invite(conn, new)?;
    invitations::insert(conn, new, Some(hash))?;
    write_down(notes, new, "invitation.link_created");
    tell_members(conn, notes, &new.organisation)?;
    let all = invitations::of_organisation(conn, &new.organisation, new.created_ms)?;
    Ok(all.into_iter().find(|one| one.invitation.id == new.id))
}

fn may_invite(conn: &mut Connection, new: &Invitation) -> Result<(), Stop> {
    let standing = Standing::of(conn, &new.by, &new.organisation)?;
    standing.may_give(new.role)?;
    standing.is_team()?;
    if invitations::count(conn, &new.organisation, new.created_ms)? >= OPEN_MAX {
        return Err(quota(Quota::Invitations).into());
    }
    Ok(())
}

/// Those of an organisation, for its owners and admins; with no organisation, those to the caller.
pub(crate) async fn list_invitations(
    asked: &Asked,
    request: wire::ListInvitationsRequest,
) -> Result<wire::ListInvitationsResponse, Refusal> {
    let (me, now_ms) = (asked.caller()?.user.clone(), clock::unix_ms());
    let of = match request.organisation_id.as_str() {
        "" => None,
        id => Some(organisation_id(id)?),
    };
    let listed = asked.state.store.run(move |conn| {
        sorted(match of {
            None => invitations::to_user(conn, &me, now_ms).map_err(Stop::from),
            Some(id) => list(conn, &me, &id, now_ms),
        })
    });
    let invitations = listed.await??.into_iter().map(shown).collect();
    Ok(wire::ListInvitationsResponse { invitations })
}

fn list(
    conn: &mut Connection,
    me: &UserId,
    id: &OrganisationId,
    now_ms: i64,
) -> Result<Vec<Named>, Stop> {
    Standing::of(conn, me, id)?.looks_after()?;
    Ok(invitations::of_organisation(conn, id, now_ms)?)
}

pub(super) fn shown(named: Named) -> wire::Invitation {
    let one = named.invitation;
    wire::Invitation {
        invitation_id: one.id,
        organisation_id: one.organisation.as_str().to_owned(),
        organisation_name: named.organisation_name,
        organisation_slug: named.organisation_slug,
        role: one.role.into(),
        username: named.username,
        invited_by: named.invited_by,
        created_unix_ms: one.created_ms,
        expires_unix_ms: one.expires_ms,
        uses_left: u32::try_from(one.uses_left).unwrap_or_default(),
    }
}

/// By an owner or admin; one that makes an owner by an owner.
pub(crate) async fn revoke_invitation(
    asked: &Asked,
    request: wire::RevokeInvitationRequest,
) -> Result<wire::RevokeInvitationResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(revoke(conn, notes, &me, &request.invitation_id))
    });
    done.await?;
    Ok(wire::RevokeInvitationResponse {})
}

pub(super) fn revoke(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    id: &str,
) -> Result<(), Stop> {
    let found = invitations::find(conn, id, clock::unix_ms())?;
    let found = found.ok_or(Refusal::NotFound)?;
    Standing::of(conn, me, &found.organisation)?.may_give(found.role)?;
    invitations::delete(conn, id)?;
    write_down(notes, &found, "invitation.revoked");
    notes.tell(found.user, About::Organisations);
    tell_members(conn, notes, &found.organisation)?;
    Ok(())
}

/// Joins: by an invitation to the caller's name, or with a link's secret.
pub(crate) async fn accept_invitation(
    asked: &Asked,
    request: wire::AcceptInvitationRequest,
) -> Result<wire::AcceptInvitationResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let defaults = asked.state.config.organisations;
    if request.secret.len() > SECRET_MAX {
        return Err(Refusal::WrongCode);
    }
    let pepper = &asked.state.pepper;
    let hash =
        (!request.secret.is_empty()).then(|| pepper.hash(Purpose::Invitation, &request.secret));
    let joined = asked.state.order(asked.author(), move |conn, notes| {
        sorted(match hash {
            Some(hash) => accept_link(conn, notes, hash, &me, &defaults),
            None => accept_by_name(conn, notes, &request.invitation_id, &me, &defaults),
        })
    });
    Ok(wire::AcceptInvitationResponse {
        organisation_id: joined.await?.as_str().to_owned(),
    })
}

pub(crate) async fn decline_invitation(
    asked: &Asked,
    request: wire::DeclineInvitationRequest,
) -> Result<wire::DeclineInvitationResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(decline(conn, notes, &me, &request.invitation_id))
    });
    done.await?;
    Ok(wire::DeclineInvitationResponse {})
}

pub(super) fn decline(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    id: &str,
) -> Result<(), Stop> {
    let found = invitations::find(conn, id, clock::unix_ms())?;
    let its = found.filter(|one| one.user.as_ref() == Some(me));
    let found = its.ok_or(Refusal::NotFound)?;
    invitations::delete(conn, id)?;
    write_down(notes, &found, "invitation.declined");
    notes.tell([me.clone()], About::Organisations);
    tell_members(conn, notes, &found.organisation)?;
    Ok(())
}

/// The audit log's line.
pub(super) fn write_down(notes: &mut Notes, of: &Invitation, action: &'static str) {
    let organisation = Some(of.organisation.as_str());
    notes.audit_in(organisation, action, Object::Invitation, &of.id, "");
}

fn link_role(role: OrganisationRole) -> Result<OrganisationRole, Refusal> {
    match role {
        OrganisationRole::Member | OrganisationRole::Admin => Ok(role),
        OrganisationRole::Unspecified | OrganisationRole::Owner => {
            Err(Refusal::Malformed(Field::Role))
        }
    }
}

fn uses(uses: u32) -> Result<i32, Refusal> {
    let fits = (1..=USES_MAX).contains(&uses);
    let uses = i32::try_from(uses).ok().filter(|_| fits);
    uses.ok_or(Refusal::Malformed(Field::Uses))
}

fn lifetime_ms(seconds: u32) -> Result<i64, Refusal> {
    match i64::from(seconds) * 1_000 {
        0 => Ok(LIFETIME_MS),
        lifetime if lifetime <= LIFETIME_MAX_MS => Ok(lifetime),
        _ => Err(Refusal::Malformed(Field::Lifetime)),
    }
}
