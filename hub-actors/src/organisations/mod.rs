//! OrganisationService: who belongs together, who may invite whom, and how much they may take.

use schema::{ids::OrganisationId, wire::OrganisationRole};

use crate::error::{Field, Refusal};

mod departing;
mod inviting;
mod joining;
mod making;
mod members;
mod standing;
#[cfg(test)]
mod tests;

pub(crate) use departing::depart;
pub(crate) use inviting::{
    accept_invitation, create_invite_link, decline_invitation, invite_member, list_invitations,
    revoke_invitation,
};
pub(crate) use joining::accept_link;
pub(crate) use making::{
    create_organisation, delete_organisation, list_organisations, set_quotas, update_organisation,
};
pub(crate) use members::{change_role, list_members, remove_member};

/// What is no id names no organisation.
fn organisation_id(text: &str) -> Result<OrganisationId, Refusal> {
    OrganisationId::parse(text).map_err(|_| Refusal::NotFound)
}

/// A role that somebody can be given.
fn given_role(role: OrganisationRole) -> Result<OrganisationRole, Refusal> {
    match role {
        OrganisationRole::Unspecified => Err(Refusal::Malformed(Field::Role)),
        OrganisationRole::Member | OrganisationRole::Admin | OrganisationRole::Owner => Ok(role),
    }
}
