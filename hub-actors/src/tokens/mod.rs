//! TokenService and DelegationService: credentials for programs.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn create_api_token(
    _asked: &Asked,
    _request: wire::CreateApiTokenRequest,
) -> Result<wire::TokenPair, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_api_tokens(
    _asked: &Asked,
    _request: wire::ListApiTokensRequest,
) -> Result<wire::ListApiTokensResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn revoke_api_token(
    _asked: &Asked,
    _request: wire::RevokeApiTokenRequest,
) -> Result<wire::RevokeApiTokenResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn refresh_token(
    _asked: &Asked,
    _request: wire::RefreshTokenRequest,
) -> Result<wire::TokenPair, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn authorise_command_line(
    _asked: &Asked,
    _request: wire::AuthoriseCommandLineRequest,
) -> Result<wire::AuthoriseCommandLineResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn exchange_authorisation(
    _asked: &Asked,
    _request: wire::ExchangeAuthorisationRequest,
) -> Result<wire::TokenPair, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn start_device_login(
    _asked: &Asked,
    _request: wire::StartDeviceLoginRequest,
) -> Result<wire::StartDeviceLoginResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn describe_device_login(
    _asked: &Asked,
    _request: wire::DescribeDeviceLoginRequest,
) -> Result<wire::DescribeDeviceLoginResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn decide_device_login(
    _asked: &Asked,
    _request: wire::DecideDeviceLoginRequest,
) -> Result<wire::DecideDeviceLoginResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn poll_device_login(
    _asked: &Asked,
    _request: wire::PollDeviceLoginRequest,
) -> Result<wire::PollDeviceLoginResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_delegations(
    _asked: &Asked,
    _request: wire::ListDelegationsRequest,
) -> Result<wire::ListDelegationsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn revoke_delegation(
    _asked: &Asked,
    _request: wire::RevokeDelegationRequest,
) -> Result<wire::RevokeDelegationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn mint_delegation(
    _asked: &Asked,
    _request: wire::MintDelegationRequest,
) -> Result<wire::MintDelegationResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
