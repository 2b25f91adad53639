//! Registration keys: each opens the door once, within five minutes.

use schema::{
    ids::{OrganisationId, UserId},
    wire::{
        CreateRegistrationKeyRequest, CreateRegistrationKeyResponse, ExtendRegistrationKeyRequest,
        ExtendRegistrationKeyResponse, RevokeRegistrationKeyRequest, RevokeRegistrationKeyResponse,
    },
};

use super::{
    fields::{device_algorithm, name, registration_id, tag},
    spent,
};
use crate::{
    asked::Asked,
    clock,
    config::OrganisationQuotas,
    error::{Fault, Quota, Refusal, Unmet},
    state::State,
    store::{
        Connection,
        audit::Object,
        registration_keys::{self, RegistrationKey},
        workers,
    },
    telemetry::{self, KeyFate},
    token::{Purpose, SecretHash},
};

/// A key is extended in its last two minutes only: by a dialog that is open yet.
const EXTENDABLE_MS: i64 = 120_000;

/// Keeps a registration key's hash and the device that may be trusted by whoever uses it.
pub(crate) async fn create_key(
    asked: &Asked,
    request: CreateRegistrationKeyRequest,
) -> Result<CreateRegistrationKeyResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id = registration_id(&request.registration_id)?;
    let algorithm = device_algorithm(&request)?;
    tag(&request.device_tag)?;
    name(&request.worker_name)?;
    state.abuse.registration_key(&caller.user)?;
    let now_ms = clock::unix_ms();
    let key = RegistrationKey {
        user: caller.user,
        organisation: organisation(&request.organisation_id)?,
        worker_name: request.worker_name,
        device_algorithm: algorithm,
        device_key: request.device_key.into(),
        device_tag: request.device_tag.into(),
        expires_ms: lives_until(state, now_ms),
    };
    let expires_unix_ms = key.expires_ms;
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let quota = i64::from(state.config.quotas.registration_keys_per_user);
    let defaults = state.config.organisations;
    let order = state.order(asked.author(), move |conn, notes| {
        if registration_keys::count(conn, &key.user, now_ms)? >= quota {
            return Ok(Err(spent(Quota::RegistrationKeys)));
        }
        if let Some(organisation) = &key.organisation
            && let Err(refusal) = may_register(conn, &key.user, organisation, &defaults)?
        {
            return Ok(Err(refusal));
        }
        if !registration_keys::insert(conn, hash, &key)? {
            return Ok(Err(Refusal::Exists));
        }
        let place = key.organisation.as_ref().map(OrganisationId::as_str);
        let (object, id) = (Object::RegistrationKey, name_of(hash));
        notes.audit_in(place, "registration_key.made", object, &id, "");
        Ok(Ok(()))
    });
    order.await?;
    telemetry::registration_key(KeyFate::Created);
    Ok(CreateRegistrationKeyResponse { expires_unix_ms })
}

/// None for the personal one.
fn organisation(text: &str) -> Result<Option<OrganisationId>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = OrganisationId::parse(text).map_err(|_| Refusal::NotFound)?;
    Ok(Some(id))
}

/// Whether somebody may bring a Worker into an organisation.
pub(super) fn may_register(
    conn: &mut Connection,
    user: &UserId,
    organisation: &OrganisationId,
    defaults: &OrganisationQuotas,
) -> Result<Result<(), Refusal>, Fault> {
    if workers::membership(conn, organisation, user)?.is_none() {
        return Ok(Err(Refusal::NotFound));
    }
    if !workers::has_room(conn, organisation, defaults)? {
        return Ok(Err(spent(Quota::Workers)));
    }
    Ok(Ok(()))
}

fn lives_until(state: &State, now_ms: i64) -> i64 {
    let lifetime = i64::try_from(state.config.timeouts.registration_key_ms).unwrap_or(i64::MAX);
    now_ms.saturating_add(lifetime)
}

/// How the audit log names a key, whose id is half of a secret: by the beginning of its hash.
pub(super) fn name_of(hash: SecretHash) -> String {
    let bytes = hash.as_bytes().iter().take(8);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// Lets the caller's own key live on, in its last two minutes.
pub(crate) async fn extend_key(
    asked: &Asked,
    request: ExtendRegistrationKeyRequest,
) -> Result<ExtendRegistrationKeyResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id = registration_id(&request.registration_id)?;
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let now_ms = clock::unix_ms();
    let expires_unix_ms = lives_until(state, now_ms);
    let extended = state.store.write(move |conn| {
        let Some(ends) = registration_keys::expiry(conn, hash, &caller.user, now_ms)? else {
            return Ok(Err(Refusal::NotFound));
        };
        if ends - now_ms > EXTENDABLE_MS {
            return Ok(Err(Refusal::Unmet(Unmet::TooEarly)));
        }
        registration_keys::extend(conn, hash, expires_unix_ms)?;
        Ok(Ok(()))
    });
    extended.await??;
    Ok(ExtendRegistrationKeyResponse { expires_unix_ms })
}

/// Takes the caller's own key back; a key that is not there is as good as gone.
pub(crate) async fn revoke_key(
    asked: &Asked,
    request: RevokeRegistrationKeyRequest,
) -> Result<RevokeRegistrationKeyResponse, Refusal> {
    let (state, caller) = (&asked.state, asked.caller()?.clone());
    let id = registration_id(&request.registration_id)?;
    let hash = state.pepper.hash(Purpose::RegistrationId, id);
    let order = state.order(asked.author(), move |conn, notes| {
        let revoked = registration_keys::revoke(conn, hash, &caller.user)?;
        if revoked {
            let (object, id) = (Object::RegistrationKey, name_of(hash));
            notes.audit("registration_key.revoked", object, &id);
        }
        Ok(Ok(revoked))
    });
    if order.await? {
        telemetry::registration_key(KeyFate::Revoked);
    }
    Ok(RevokeRegistrationKeyResponse {})
}
