//! AccountService: the providers, and the caller's accounts there.

use schema::wire::{
    BeginLinkRequest, BeginLinkResponse, LinkedAccount, ListLinkedAccountsRequest,
    ListLinkedAccountsResponse, ListProvidersRequest, ListProvidersResponse, Provider,
    UnlinkAccountRequest, UnlinkAccountResponse,
};

use crate::{
    accounts::profile,
    asked::Asked,
    caller::Kind,
    clock,
    config::Mode,
    error::{Refusal, Unmet},
    store::{audit::Object, oauth},
};

/// Those that are switched on; anybody may ask, since they stand on the first page.
pub(crate) async fn list_providers(
    asked: &Asked,
    _: ListProvidersRequest,
) -> Result<ListProvidersResponse, Refusal> {
    if asked.state.config.mode == Mode::Solo {
        return Ok(ListProvidersResponse::default());
    }
    let found = asked.state.store.run_for_stranger(oauth::providers).await?;
    let enabled = found.into_iter().filter(|one| one.enabled);
    let providers = enabled.map(|one| Provider {
        provider_id: one.id,
        name: one.name,
        kind: one.kind.label().to_owned(),
    });
    Ok(ListProvidersResponse {
        providers: providers.collect(),
    })
}

/// The caller's own.
pub(crate) async fn list_linked_accounts(
    asked: &Asked,
    _: ListLinkedAccountsRequest,
) -> Result<ListLinkedAccountsResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    let links = asked
        .state
        .store
        .run(move |conn| oauth::links_of(conn, &user));
    let accounts = links.await?.into_iter().map(|link| LinkedAccount {
        provider_id: link.provider,
        provider_name: link.provider_name,
        subject: link.subject,
        email: link.email.unwrap_or_default(),
        linked_unix_ms: link.created_ms,
    });
    Ok(ListLinkedAccountsResponse {
        accounts: accounts.collect(),
    })
}

/// So long after the password was shown the way to a provider may begin.
const LINK_WITHIN_MS: i64 = 300_000;

/// Lets the login that asks link one account: a further way in that a browser which was left open must
/// not give to whoever sits down at it. No secret goes to the page, for it would have to come back in an
/// address.
pub(crate) async fn begin_link(
    asked: &Asked,
    request: BeginLinkRequest,
) -> Result<BeginLinkResponse, Refusal> {
    let caller = asked.caller()?.clone();
    if asked.state.config.mode == Mode::Solo {
        return Err(Refusal::Unmet(Unmet::Solo));
    }
    // Providers send browsers back, and only a login is a browser's.
    if caller.kind != Kind::Login {
        return Err(Refusal::OutOfScope);
    }
    let proof = profile::confirm(asked, &caller, request.password).await?;
    asked
        .state
        .order(asked.author(), move |conn, _| {
            if !proof.holds(conn)? {
                return Ok(Err(Refusal::WrongPassword));
            }
            let expires_ms = clock::unix_ms().saturating_add(LINK_WITHIN_MS);
            oauth::allow_link(conn, &caller.credential, expires_ms)?;
            Ok(Ok(BeginLinkResponse {}))
        })
        .await
}

/// Takes one away, unless nothing else lets its user in.
pub(crate) async fn unlink_account(
    asked: &Asked,
    request: UnlinkAccountRequest,
) -> Result<UnlinkAccountResponse, Refusal> {
    let user = asked.caller()?.user.clone();
    asked
        .state
        .order(asked.author(), move |conn, notes| {
            if !oauth::unlink(conn, &request.provider_id, &request.subject, &user)? {
                return Ok(Err(Refusal::NotFound));
            }
            let others = oauth::links_of(conn, &user)?;
            if !others.iter().any(|link| link.enabled) && !oauth::has_password(conn, &user)? {
                return Ok(Err(Refusal::Unmet(Unmet::LastWayIn)));
            }
            notes.audit("oauth.unlinked", Object::User, user.as_str());
            Ok(Ok(UnlinkAccountResponse {}))
        })
        .await
}
