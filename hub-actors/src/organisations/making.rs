//! Listing and making organisations, and what becomes of them.

use std::collections::BTreeSet;

use schema::{
    ids::{OrganisationId, UserId},
    wire::{self, OrganisationRole},
};

use super::{organisation_id, standing::Standing};
use crate::{
    asked::Asked,
    clock,
    config::{OrganisationQuotas, Quotas},
    error::{Fault, Field, Quota, Refusal, Unmet},
    messages::CountChannels,
    names,
    notes::{About, Notes},
    state::ask,
    stop::{Stop, quota, sorted},
    store::{
        Connection,
        audit::Object,
        ledger::Reason,
        memberships,
        organisations::{self, Organisation},
        workspaces,
    },
    workspaces::effects::Before,
};

/// Those that the caller belongs to.
pub(crate) async fn list_organisations(
    asked: &Asked,
    _: wire::ListOrganisationsRequest,
) -> Result<wire::ListOrganisationsResponse, Refusal> {
    let (me, defaults) = (
        asked.caller()?.user.clone(),
        asked.state.config.organisations,
    );
    let listed = asked.state.store.run(move |conn| {
        let all = organisations::of_user(conn, &me)?;
        let shown = |(one, role): &(Organisation, _)| shown(conn, one, *role, &defaults);
        all.iter().map(shown).collect::<Result<Vec<_>, Fault>>()
    });
    let mut organisations = listed.await?;
    count_channels(asked, &mut organisations).await?;
    Ok(wire::ListOrganisationsResponse { organisations })
}

/// Channels are counted where they are open.
async fn count_channels(asked: &Asked, all: &mut [wire::Organisation]) -> Result<(), Refusal> {
    let id = |one: &wire::Organisation| OrganisationId::parse(&one.organisation_id);
    let organisations = all.iter().flat_map(id).collect();
    let counts = ask(&asked.state.registry, CountChannels { organisations }).await?;
    for (one, count) in all.iter_mut().zip(counts) {
        if let Some(usage) = &mut one.usage {
            usage.channels = count;
        }
    }
    Ok(())
}

/// An organisation as a member sees it.
fn shown(
    conn: &mut Connection,
    organisation: &Organisation,
    role: OrganisationRole,
    defaults: &OrganisationQuotas,
) -> Result<wire::Organisation, Fault> {
    let quotas = organisation.quotas(defaults);
    let usage = wire::Usage {
        members: clamped(memberships::count(conn, &organisation.id)?),
        workers: clamped(organisations::count_workers(conn, &organisation.id)?),
        channels: 0,
    };
    Ok(wire::Organisation {
        organisation_id: organisation.id.as_str().to_owned(),
        slug: organisation.slug.clone(),
        name: organisation.name.clone(),
        personal: organisation.personal.is_some(),
        role: role.into(),
        quotas: Some(wire::Quotas {
            members: quotas.members,
            workers: quotas.workers,
            channels: quotas.channels,
            bytes_per_second: quotas.bytes_per_second,
        }),
        usage: Some(usage),
        created_unix_ms: organisation.created_ms,
    })
}

fn clamped(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// An organisation to be made.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub(super) id: OrganisationId,
    pub(super) owner: UserId,
    pub(super) slug: String,
    pub(super) name: String,
}

/// A team's, which the caller owns.
pub(crate) async fn create_organisation(
    asked: &Asked,
    request: wire::CreateOrganisationRequest,
) -> Result<wire::CreateOrganisationResponse, Refusal> {
    let id = OrganisationId::parse(&names::id("o")?).map_err(|_| Fault::Row("a made id"))?;
    let new = New {
        id,
        owner: asked.caller()?.user.clone(),
        name: named(&request.name, &request.slug)?,
        slug: slug(request.slug)?,
    };
    let config = &asked.state.config;
    let (quotas, defaults) = (config.quotas.clone(), config.organisations);
    let made = asked.state.order(asked.author(), move |conn, notes| {
        let made = create(conn, notes, &new, &quotas);
        sorted(made.and_then(|made| Ok(shown(conn, &made, OrganisationRole::Owner, &defaults)?)))
    });
    Ok(wire::CreateOrganisationResponse {
        organisation: Some(made.await?),
    })
}

pub(super) fn create(
    conn: &mut Connection,
    notes: &mut Notes,
    new: &New,
    quotas: &Quotas,
) -> Result<Organisation, Stop> {
    let now_ms = clock::unix_ms();
    let own = organisations::of_user(conn, &new.owner)?;
    let owned = own
        .iter()
        .filter(|(_, role)| *role == OrganisationRole::Owner);
    if owned.count() >= usize::try_from(quotas.organisations_per_user).unwrap_or(usize::MAX) {
        return Err(quota(Quota::Organisations).into());
    }
    if !organisations::insert(conn, &new.id, &new.slug, &new.name, now_ms)? {
        return Err(Refusal::Exists.into());
    }
    memberships::insert(conn, &new.id, &new.owner, OrganisationRole::Owner, now_ms)?;
    write_down(notes, &new.id, "organisation.created");
    notes.tell([new.owner.clone()], About::Organisations);
    Ok(organisations::find(conn, &new.id)?.ok_or(Fault::Row("the organisation just made"))?)
}

/// Its name by an owner or admin, its slug by an owner. A personal one's slug is its user's name.
pub(crate) async fn update_organisation(
    asked: &Asked,
    request: wire::UpdateOrganisationRequest,
) -> Result<wire::UpdateOrganisationResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let id = organisation_id(&request.organisation_id)?;
    let new_slug = (!request.slug.is_empty())
        .then(|| slug(request.slug))
        .transpose()?;
    let new_name = (!request.name.trim().is_empty())
        .then(|| name(&request.name))
        .transpose()?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        let (slug, name) = (new_slug.as_deref(), new_name.as_deref());
        sorted(update(conn, notes, &me, &id, slug, name))
    });
    done.await?;
    Ok(wire::UpdateOrganisationResponse {})
}

pub(super) fn update(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    id: &OrganisationId,
    slug: Option<&str>,
    name: Option<&str>,
) -> Result<(), Stop> {
    let standing = Standing::of(conn, me, id)?;
    standing.looks_after()?;
    let known = &standing.organisation;
    let slug = slug.unwrap_or(&known.slug);
    if slug != known.slug {
        standing.owns()?;
        standing.is_team()?;
        if organisations::is_taken(conn, slug)? {
            return Err(Refusal::Exists.into());
        }
    }
    organisations::rename(conn, id, slug, name.unwrap_or(&known.name))?;
    write_down(notes, id, "organisation.updated");
    tell_members(conn, notes, id)?;
    Ok(())
}

/// By an owner, who types its slug. Refused while Workers of others are registered in it; the
/// deleter's own go home.
pub(crate) async fn delete_organisation(
    asked: &Asked,
    request: wire::DeleteOrganisationRequest,
) -> Result<wire::DeleteOrganisationResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let id = organisation_id(&request.organisation_id)?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(delete(conn, notes, &me, &id, &request.slug))
    });
    done.await?;
    Ok(wire::DeleteOrganisationResponse {})
}

pub(super) fn delete(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    id: &OrganisationId,
    typed: &str,
) -> Result<(), Stop> {
    let standing = Standing::of(conn, me, id)?;
    standing.owns()?;
    standing.is_team()?;
    if standing.organisation.slug != typed {
        return Err(Refusal::Malformed(Field::SlugTyped).into());
    }
    if organisations::count_workers_of_others(conn, id, me)? > 0 {
        return Err(Refusal::Unmet(Unmet::HasWorkers).into());
    }
    tell_members(conn, notes, id)?;
    let mut ended = Vec::new();
    for workspace in workspaces::of_organisation(conn, id)? {
        let delegations = workspaces::delegations_in(conn, &workspace)?;
        ended.push((Before::of(conn, id, &workspace)?, delegations));
    }
    let home = organisations::personal_of(conn, me)?;
    let home = home.ok_or(Fault::Row("organisations.personal_user_id"))?;
    organisations::move_workers(conn, me, id, &home)?;
    organisations::delete(conn, id)?;
    write_down(notes, id, "organisation.deleted");
    for (before, delegations) in ended {
        before.settle_gone(notes, delegations, Reason::OrganisationDeleted);
    }
    Ok(())
}

/// By an admin of the Hub, for whichever organisation.
pub(crate) async fn set_quotas(
    asked: &Asked,
    request: wire::SetQuotasRequest,
) -> Result<wire::SetQuotasResponse, Refusal> {
    let id = organisation_id(&request.organisation_id)?;
    let own = request.quotas.map(|own| OrganisationQuotas {
        members: own.members,
        workers: own.workers,
        channels: own.channels,
        bytes_per_second: own.bytes_per_second,
    });
    if own.is_some_and(|own| !fits(&own)) {
        return Err(Refusal::Malformed(Field::Quotas));
    }
    let state = &asked.state;
    let (of, in_force) = (id.clone(), own.unwrap_or(state.config.organisations));
    let done = asked.state.order(asked.author(), move |conn, notes| {
        if !organisations::set_quotas(conn, &id, own.as_ref())? {
            return Ok(Err(Refusal::NotFound));
        }
        write_down(notes, &id, "organisation.quotas_set");
        tell_members(conn, notes, &id)?;
        Ok(Ok(()))
    });
    done.await?;
    // The others are asked for with the next that comes; this is felt by those that run.
    state.paces.set(&of, in_force.bytes_per_second);
    Ok(wire::SetQuotasResponse {})
}

fn fits(own: &OrganisationQuotas) -> bool {
    [own.members, own.workers, own.channels]
        .into_iter()
        .all(|number| i32::try_from(number).is_ok())
        && i64::try_from(own.bytes_per_second).is_ok()
}

/// Everybody in it hears that something about it changed.
pub(super) fn tell_members(
    conn: &mut Connection,
    notes: &mut Notes,
    id: &OrganisationId,
) -> Result<(), Fault> {
    let members: BTreeSet<_> = memberships::at_least(conn, id, OrganisationRole::Member)?
        .into_iter()
        .collect();
    notes.tell(members, About::Organisations);
    Ok(())
}

/// The audit log's lines of what was done to a member: the organisation's, and the member's.
pub(super) fn write_down_of(
    notes: &mut Notes,
    id: &OrganisationId,
    action: &'static str,
    member: &UserId,
) {
    write_down(notes, id, action);
    notes.audit_in(Some(id.as_str()), action, Object::User, member.as_str(), "");
}

/// The audit log's line.
pub(super) fn write_down(notes: &mut Notes, id: &OrganisationId, action: &'static str) {
    let id = id.as_str();
    notes.audit_in(Some(id), action, Object::Organisation, id, "");
}

fn slug(text: String) -> Result<String, Refusal> {
    if names::is_slug(&text) {
        Ok(text)
    } else {
        Err(Refusal::Malformed(Field::Slug))
    }
}

fn named(name_asked: &str, slug: &str) -> Result<String, Refusal> {
    if name_asked.trim().is_empty() {
        Ok(slug.to_owned())
    } else {
        name(name_asked)
    }
}

/// Longest name, in bytes.
const NAME_MAX: usize = 128;

fn name(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or(Refusal::Malformed(Field::Name))
}
