//! Sign-in by providers: GitHub and whatever speaks OpenID Connect.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn list_providers(
    _asked: &Asked,
    _request: wire::ListProvidersRequest,
) -> Result<wire::ListProvidersResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn list_linked_accounts(
    _asked: &Asked,
    _request: wire::ListLinkedAccountsRequest,
) -> Result<wire::ListLinkedAccountsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}

pub(crate) async fn unlink_account(
    _asked: &Asked,
    _request: wire::UnlinkAccountRequest,
) -> Result<wire::UnlinkAccountResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
