//! OrganisationService: members, roles, invitations, quotas.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn list_organisations(
    _asked: &Asked,
    _request: wire::ListOrganisationsRequest,
) -> Result<wire::ListOrganisationsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn create_organisation(
    _asked: &Asked,
    _request: wire::CreateOrganisationRequest,
) -> Result<wire::CreateOrganisationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn update_organisation(
    _asked: &Asked,
    _request: wire::UpdateOrganisationRequest,
) -> Result<wire::UpdateOrganisationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn delete_organisation(
    _asked: &Asked,
    _request: wire::DeleteOrganisationRequest,
) -> Result<wire::DeleteOrganisationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_members(
    _asked: &Asked,
    _request: wire::ListMembersRequest,
) -> Result<wire::ListMembersResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn invite_member(
    _asked: &Asked,
    _request: wire::InviteMemberRequest,
) -> Result<wire::InviteMemberResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn create_invite_link(
    _asked: &Asked,
    _request: wire::CreateInviteLinkRequest,
) -> Result<wire::CreateInviteLinkResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_invitations(
    _asked: &Asked,
    _request: wire::ListInvitationsRequest,
) -> Result<wire::ListInvitationsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn revoke_invitation(
    _asked: &Asked,
    _request: wire::RevokeInvitationRequest,
) -> Result<wire::RevokeInvitationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn accept_invitation(
    _asked: &Asked,
    _request: wire::AcceptInvitationRequest,
) -> Result<wire::AcceptInvitationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn decline_invitation(
    _asked: &Asked,
    _request: wire::DeclineInvitationRequest,
) -> Result<wire::DeclineInvitationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn change_role(
    _asked: &Asked,
    _request: wire::ChangeRoleRequest,
) -> Result<wire::ChangeRoleResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn remove_member(
    _asked: &Asked,
    _request: wire::RemoveMemberRequest,
) -> Result<wire::RemoveMemberResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn set_quotas(
    _asked: &Asked,
    _request: wire::SetQuotasRequest,
) -> Result<wire::SetQuotasResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
