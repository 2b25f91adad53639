//! AdministrationService: what an admin does in the page.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn list_users(
    _asked: &Asked,
    _request: wire::ListUsersRequest,
) -> Result<wire::ListUsersResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn create_user(
    _asked: &Asked,
    _request: wire::CreateUserRequest,
) -> Result<wire::CreateUserResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn set_user_disabled(
    _asked: &Asked,
    _request: wire::SetUserDisabledRequest,
) -> Result<wire::SetUserDisabledResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn set_user_admin(
    _asked: &Asked,
    _request: wire::SetUserAdminRequest,
) -> Result<wire::SetUserAdminResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn set_user_password(
    _asked: &Asked,
    _request: wire::SetUserPasswordRequest,
) -> Result<wire::SetUserPasswordResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn delete_user(
    _asked: &Asked,
    _request: wire::DeleteUserRequest,
) -> Result<wire::DeleteUserResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn force_logout(
    _asked: &Asked,
    _request: wire::ForceLogoutRequest,
) -> Result<wire::ForceLogoutResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_all_organisations(
    _asked: &Asked,
    _request: wire::ListAllOrganisationsRequest,
) -> Result<wire::ListAllOrganisationsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_all_workers(
    _asked: &Asked,
    _request: wire::ListAllWorkersRequest,
) -> Result<wire::ListAllWorkersResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn force_deregister_worker(
    _asked: &Asked,
    _request: wire::ForceDeregisterWorkerRequest,
) -> Result<wire::ForceDeregisterWorkerResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_registration_keys(
    _asked: &Asked,
    _request: wire::ListRegistrationKeysRequest,
) -> Result<wire::ListRegistrationKeysResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn revoke_registration_key_by_id(
    _asked: &Asked,
    _request: wire::RevokeRegistrationKeyByIdRequest,
) -> Result<wire::RevokeRegistrationKeyByIdResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_channels(
    _asked: &Asked,
    _request: wire::ListChannelsRequest,
) -> Result<wire::ListChannelsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_audit(
    _asked: &Asked,
    _request: wire::ListAuditRequest,
) -> Result<wire::ListAuditResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn verify_audit(
    _asked: &Asked,
    _request: wire::VerifyAuditRequest,
) -> Result<wire::VerifyAuditResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn get_settings(
    _asked: &Asked,
    _request: wire::GetSettingsRequest,
) -> Result<wire::HubSettings, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn update_settings(
    _asked: &Asked,
    _request: wire::UpdateSettingsRequest,
) -> Result<wire::HubSettings, Refusal> {
    Err(Refusal::NoSuchMethod)
}
