//! Which devices somebody has, for those who sign grants for them.

use std::collections::BTreeSet;

use schema::{ids::UserId, wire};

use super::signed::is_key;
use crate::{
    asked::Asked,
    clock,
    error::{Fault, Field, Quota, Refusal},
    notes::{About, Notes},
    stop::{Stop, quota, sorted},
    store::{
        Connection, access,
        audit::Object,
        devices::{self, Device},
        shares,
    },
};

/// Devices of one user.
const DEVICES_MAX: usize = 32;
/// Longest label, in bytes.
const LABEL_MAX: usize = 128;

/// Makes one of the caller's device keys known; one that is known is noted as seen.
pub(crate) async fn register_device(
    asked: &Asked,
    request: wire::RegisterDeviceRequest,
) -> Result<wire::RegisterDeviceResponse, Refusal> {
    let me = asked.unbound_caller()?.user.clone();
    let algorithm = i32::try_from(request.algorithm).unwrap_or_default();
    if !is_key(request.algorithm, request.key.len()) {
        return Err(Refusal::Malformed(Field::DeviceKey));
    }
    let now_ms = clock::unix_ms();
    let new = Device {
        algorithm,
        key: request.key.into(),
        label: label(&request.label)?,
        created_ms: now_ms,
        last_seen_ms: now_ms,
    };
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(register(conn, notes, &me, &new))
    });
    done.await?;
    Ok(wire::RegisterDeviceResponse {})
}

pub(super) fn register(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    new: &Device,
) -> Result<(), Stop> {
    if devices::touch(conn, me, new)? {
        return Ok(());
    }
    if devices::of(conn, me)?.len() >= DEVICES_MAX {
        return Err(quota(Quota::Devices).into());
    }
    devices::insert(conn, me, new)?;
    notes.audit("device.registered", Object::User, me.as_str());
    want_grants(conn, notes, me)?;
    Ok(())
}

/// The caller's own, oldest first.
pub(crate) async fn list_devices(
    asked: &Asked,
    _: wire::ListDevicesRequest,
) -> Result<wire::ListDevicesResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let listed = asked.state.store.run(move |conn| devices::of(conn, &me));
    let devices = listed.await?.into_iter().map(shown).collect();
    Ok(wire::ListDevicesResponse { devices })
}

fn shown(device: Device) -> wire::UserDevice {
    wire::UserDevice {
        algorithm: u32::try_from(device.algorithm).unwrap_or_default(),
        key: device.key.into(),
        label: device.label,
        created_unix_ms: device.created_ms,
        last_seen_unix_ms: device.last_seen_ms,
    }
}

/// Forgets one, and what speaks for it. A Worker that trusts it is told by its own people.
pub(crate) async fn forget_device(
    asked: &Asked,
    request: wire::ForgetDeviceRequest,
) -> Result<wire::ForgetDeviceResponse, Refusal> {
    let me = asked.caller()?.user.clone();
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(forget(conn, notes, &me, &request.key))
    });
    done.await?;
    Ok(wire::ForgetDeviceResponse {})
}

pub(super) fn forget(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    key: &[u8],
) -> Result<(), Stop> {
    if !devices::delete(conn, me, key)? {
        return Err(Refusal::NotFound.into());
    }
    for certificate in devices::certificates_of(conn, me)? {
        let says = super::signed::device(&certificate.signed);
        if says.is_none_or(|says| says.device == key) {
            devices::delete_certificate(conn, &certificate.id)?;
        }
    }
    notes.audit("device.forgotten", Object::User, me.as_str());
    want_grants(conn, notes, me)?;
    Ok(())
}

/// Owners of Workers that a user reaches by a share have certificates to make.
fn want_grants(conn: &mut Connection, notes: &mut Notes, user: &UserId) -> Result<(), Fault> {
    let mut wanted = BTreeSet::new();
    for workspace in access::roles_of(conn, user)?.keys() {
        let hosts = shares::hosts(conn, workspace)?.into_iter();
        let others = hosts.filter(|host| host.owner != *user);
        wanted.extend(others.map(|host| (host.worker, host.owner)));
    }
    for (worker, owner) in wanted {
        notes.tell([owner], About::Grants(worker));
    }
    Ok(())
}

fn label(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = text.len() <= LABEL_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or(Refusal::Malformed(Field::Label))
}
