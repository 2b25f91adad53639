//! Certificates by which one of a user's devices speaks for another, kept for all of them.

use schema::{ids::UserId, wire};

use super::signed::{self, DeviceSays};
use crate::{
    asked::Asked,
    clock,
    error::{Field, Quota, Refusal},
    names,
    notes::Notes,
    stop::{Stop, quota, sorted},
    store::{
        Connection,
        audit::Object,
        devices::{self, Certificate},
    },
};

/// Certificates of one user: a Worker looks at no more.
const CERTIFICATES_MAX: usize = 32;

/// Keeps one, and drops the older ones for the same device. The Hub cannot tell who signed it.
pub(crate) async fn publish_device_certificate(
    asked: &Asked,
    request: wire::PublishDeviceCertificateRequest,
) -> Result<wire::PublishDeviceCertificateResponse, Refusal> {
    let me = asked.unbound_caller()?.user.clone();
    let says = signed::device(&request.signed);
    let says = says.filter(|says| {
        says.user == me
            && i64::try_from(request.serial) == Ok(says.serial)
            && request.expires_unix_ms.div_euclid(1_000) == says.expires_ms / 1_000
            && says.expires_ms > clock::unix_ms()
    });
    let says = says.ok_or(Refusal::Malformed(Field::Certificate))?;
    let new = Certificate {
        id: names::id("d")?,
        serial: says.serial,
        signed: request.signed.into(),
        expires_ms: says.expires_ms,
    };
    let done = asked.state.order(asked.author(), move |conn, notes| {
        sorted(publish(conn, notes, &me, &says, &new))
    });
    done.await?;
    Ok(wire::PublishDeviceCertificateResponse {})
}

pub(super) fn publish(
    conn: &mut Connection,
    notes: &mut Notes,
    me: &UserId,
    says: &DeviceSays,
    new: &Certificate,
) -> Result<(), Stop> {
    let now_ms = clock::unix_ms();
    let mut kept = 0;
    for known in devices::certificates_of(conn, me)? {
        let same = signed::device(&known.signed).filter(|known| known.device == says.device);
        if same.is_some() && known.serial >= new.serial {
            return Ok(());
        }
        if same.is_some() || known.expires_ms <= now_ms {
            devices::delete_certificate(conn, &known.id)?;
        } else {
            kept += 1;
        }
    }
    if kept >= CERTIFICATES_MAX {
        return Err(quota(Quota::Certificates).into());
    }
    devices::insert_certificate(conn, me, new, now_ms)?;
    notes.audit("device.certified", Object::User, me.as_str());
    notes.refresh.push(me.clone());
    Ok(())
}
