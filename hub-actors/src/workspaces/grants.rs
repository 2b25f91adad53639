//! The certificates that make shares true: who needs one of which Worker, and those that there are.
//!
//! The Hub keeps and passes them on. It cannot make one, and whoever relies on one checks it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire::{self, Role},
};

use super::hosting::worker_id;
use crate::{
    asked::Asked,
    caller::Caller,
    clock,
    devices::signed::{self, GrantSays},
    error::{Fault, Field, Quota, Refusal},
    names,
    notes::{About, Notes},
    stop::{Stop, quota, sorted},
    store::{
        Connection, access,
        audit::Object,
        devices,
        grants::{self, Grant},
        users,
    },
};

/// Certificates of one request.
const PUBLISHED_MAX: usize = 64;
/// Certificates of one Worker for one grantee: what comes with an announcement.
const GRANTEE_MAX: usize = 64;
/// A grant holds for 30 days at most; clocks may differ by so much more.
const LONGEST_MS: i64 = 30 * 86_400_000 + 600_000;

/// For the owner of a Worker: everybody else who is something in a workspace that it hosts, and
/// those who no longer are and could still show a certificate.
pub(crate) async fn list_grantees(
    asked: &Asked,
    request: wire::ListGranteesRequest,
) -> Result<wire::ListGranteesResponse, Refusal> {
    let (caller, worker) = (asked.caller()?.clone(), worker_id(&request.worker_id)?);
    let listed = asked.state.store.run(move |conn| {
        let owned = owns(conn, &caller, &worker);
        sorted(owned.and_then(|()| Ok(grantees(conn, &caller.user, &worker)?)))
    });
    Ok(wire::ListGranteesResponse {
        grantees: listed.await??,
    })
}

pub(super) fn owns(conn: &mut Connection, caller: &Caller, worker: &WorkerId) -> Result<(), Stop> {
    let reach = access::reach(conn, &caller.user, worker)?.ok_or(Refusal::NotFound)?;
    if reach.owner == caller.user {
        Ok(())
    } else {
        Err(Refusal::Forbidden.into())
    }
}

/// By workspace and person.
type Pairs<T> = BTreeMap<(WorkspaceId, UserId), T>;

pub(super) fn grantees(
    conn: &mut Connection,
    owner: &UserId,
    worker: &WorkerId,
) -> Result<Vec<wire::GranteeDevices>, Fault> {
    let mut roles: Pairs<Role> = people(conn, worker)?;
    let known = published(conn, worker)?;
    let now_ms = clock::unix_ms();
    for (at, (_, says)) in &known {
        if says.role != Role::Unspecified && says.expires_ms > now_ms {
            roles.entry(at.clone()).or_insert(Role::Unspecified);
        }
    }
    roles.retain(|(_, user), _| user != owner);
    let people: BTreeSet<_> = roles.keys().map(|(_, user)| user.clone()).collect();
    let names = users::names_of(conn, &people)?;
    let mut keys = BTreeMap::new();
    for user in &people {
        keys.insert(user.clone(), device_keys(conn, user)?);
    }
    let one = |((workspace, user), role): ((WorkspaceId, UserId), Role)| {
        let certified = known.get(&(workspace.clone(), user.clone()));
        let mut shown = wire::GranteeDevices {
            workspace_id: workspace.as_str().to_owned(),
            user_id: user.as_str().to_owned(),
            username: names.get(&user).cloned().unwrap_or_default(),
            role: role.into(),
            devices: keys.get(&user).cloned().unwrap_or_default(),
            ..wire::GranteeDevices::default()
        };
        if let Some((_, says)) = certified {
            shown.newest_serial = u64::try_from(says.serial).unwrap_or_default();
            shown.certified_role = says.role.into();
            shown.certified_device_key = says.device.clone().into();
            shown.certified_until_unix_ms = says.expires_ms;
        }
        shown
    };
    Ok(roles.into_iter().map(one).collect())
}

fn people(conn: &mut Connection, worker: &WorkerId) -> Result<Pairs<Role>, Fault> {
    let mut roles = Pairs::new();
    for workspace in access::hosted_by(conn, worker)? {
        for (user, role) in access::people_of(conn, &workspace)? {
            roles.insert((workspace.clone(), user), role);
        }
    }
    Ok(roles)
}

fn published(conn: &mut Connection, worker: &WorkerId) -> Result<Pairs<(Grant, GrantSays)>, Fault> {
    let mut known = Pairs::new();
    for grant in grants::at(conn, worker)? {
        let says = signed::grant(&grant.signed).ok_or(Fault::Row("grant_certificates.signed"))?;
        known.insert(
            (grant.workspace.clone(), grant.grantee.clone()),
            (grant, says),
        );
    }
    Ok(known)
}

fn device_keys(conn: &mut Connection, user: &UserId) -> Result<Vec<wire::UserDeviceKey>, Fault> {
    let key = |device: devices::Device| wire::UserDeviceKey {
        algorithm: u32::try_from(device.algorithm).unwrap_or_default(),
        key: device.key.into(),
        label: device.label,
        created_unix_ms: device.created_ms,
    };
    Ok(devices::of(conn, user)?.into_iter().map(key).collect())
}

/// Keeps certificates that a device of the Worker's owner made. One that is older than what is
/// known, or grants something to somebody who meanwhile is nothing there, is passed over: whoever
/// made it could not know, and will be asked for another one.
pub(crate) async fn publish_grants(
    asked: &Asked,
    request: wire::PublishGrantsRequest,
) -> Result<wire::PublishGrantsResponse, Refusal> {
    let (caller, worker) = (asked.caller()?.clone(), worker_id(&request.worker_id)?);
    let new = read(&request.signed, &worker)?;
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(publish(conn, notes, &caller, &worker, &new))
    });
    done.await?;
    Ok(wire::PublishGrantsResponse {})
}

pub(super) fn read(
    signed: &[Bytes],
    worker: &WorkerId,
) -> Result<Vec<(Grant, GrantSays)>, Refusal> {
    const REFUSED: Refusal = Refusal::Malformed(Field::Certificate);
    if signed.is_empty() || signed.len() > PUBLISHED_MAX {
        return Err(REFUSED);
    }
    let latest = clock::unix_ms() + LONGEST_MS;
    let one = |bytes: &Bytes| {
        let says = signed::grant(bytes);
        let fits = |says: &GrantSays| says.worker == *worker && says.expires_ms <= latest;
        let says = says.filter(fits).ok_or(REFUSED)?;
        let grant = Grant {
            id: names::id("g")?,
            workspace: says.workspace.clone(),
            grantee: says.grantee.clone(),
            serial: says.serial,
            signed: bytes.to_vec(),
            expires_ms: says.expires_ms,
        };
        Ok((grant, says))
    };
    signed.iter().map(one).collect()
}

pub(super) fn publish(
    conn: &mut Connection,
    notes: &mut Notes,
    caller: &Caller,
    worker: &WorkerId,
    new: &[(Grant, GrantSays)],
) -> Result<(), Stop> {
    owns(conn, caller, worker)?;
    // They speak for nobody any more, and take no place.
    grants::delete_expired(conn, worker, clock::unix_ms())?;
    let roles = people(conn, worker)?;
    let mut known = published(conn, worker)?;
    let mut told = BTreeSet::new();
    for (grant, says) in new {
        let at = (grant.workspace.clone(), grant.grantee.clone());
        if grant.grantee == caller.user {
            return Err(Refusal::Malformed(Field::Certificate).into());
        }
        let before = known.get(&at).map(|(before, _)| before.serial);
        let wanted = match before {
            Some(before) => before < grant.serial,
            None => roles.contains_key(&at),
        };
        let is_something = roles.contains_key(&at) || says.role == Role::Unspecified;
        if !wanted || !is_something {
            continue;
        }
        let its = known
            .keys()
            .filter(|(_, user)| *user == grant.grantee)
            .count();
        if before.is_none() && its >= GRANTEE_MAX {
            return Err(quota(Quota::Certificates).into());
        }
        grants::replace(conn, worker, grant, clock::unix_ms())?;
        notes.shown.push((worker.clone(), grant.signed.clone()));
        known.insert(at, (grant.clone(), says.clone()));
        told.insert(grant.grantee.clone());
    }
    if told.is_empty() {
        return Ok(());
    }
    notes.audit("worker.grants_published", Object::Worker, worker.as_str());
    notes.refresh.extend(told.iter().cloned());
    notes.tell(told, About::Worker(worker.clone()));
    Ok(())
}

/// For whoever may route to a Worker: what to show it with a claim, the newest first. What was taken
/// back the Hub shows it.
pub(crate) async fn list_certificates(
    asked: &Asked,
    request: wire::ListCertificatesRequest,
) -> Result<wire::ListCertificatesResponse, Refusal> {
    let (caller, worker) = (asked.caller()?.clone(), worker_id(&request.worker_id)?);
    let bound = caller.binding.as_ref();
    if bound.is_some_and(|binding| binding.worker != worker) {
        return Err(Refusal::NotFound);
    }
    let listed = asked
        .state
        .store
        .run(move |conn| sorted(certificates(conn, &caller.user, &worker)));
    Ok(wire::ListCertificatesResponse {
        signed: listed.await??,
    })
}

pub(super) fn certificates(
    conn: &mut Connection,
    user: &UserId,
    worker: &WorkerId,
) -> Result<Vec<Bytes>, Stop> {
    access::reach(conn, user, worker)?.ok_or(Refusal::NotFound)?;
    let now_ms = clock::unix_ms();
    let mut its = grants::of(conn, worker, user, now_ms)?;
    let is_withdrawal = |says: GrantSays| says.role == Role::Unspecified;
    its.retain(|one| !signed::grant(one).is_some_and(is_withdrawal));
    let of_devices = devices::certificates_of(conn, user)?.into_iter();
    let of_devices = of_devices.filter(|one| one.expires_ms > now_ms);
    Ok(its
        .into_iter()
        .chain(of_devices.map(|one| one.signed))
        .map(Bytes::from)
        .collect())
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
