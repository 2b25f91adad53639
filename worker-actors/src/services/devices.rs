//! `devices.*`

use bytes::Bytes;
use schema::{
    ids::UserId,
    wire::{self, RpcError},
};
use tonic::Code;

use super::{
    Caller, Fault, Services, encoded, error, invalid, stream::Stream, terminal::until_ended,
};
use crate::device_book::Followed;

pub(super) async fn list(services: &Services, caller: &Caller) -> Result<Bytes, RpcError> {
    let list = services
        .0
        .devices
        .list(caller.device.key.clone())
        .await
        .map_err(Fault::from)?;
    Ok(encoded(&list))
}

pub(super) async fn approve(
    services: &Services,
    caller: &Caller,
    asked: wire::DeviceApprove,
) -> Result<Bytes, RpcError> {
    let found = services
        .0
        .devices
        .approve(user(&asked.user_id)?, asked.key)
        .await
        .map_err(Fault::from)?;
    followed(found)?;
    list(services, caller).await
}

pub(super) async fn remove(
    services: &Services,
    caller: &Caller,
    asked: wire::DeviceRemove,
) -> Result<Bytes, RpcError> {
    let found = services
        .0
        .devices
        .remove(user(&asked.user_id)?, asked.key)
        .await
        .map_err(Fault::from)?;
    followed(found)?;
    list(services, caller).await
}

/// The list at once, and again at each change.
pub(super) async fn watch(
    services: &Services,
    caller: &Caller,
    stream: Stream,
) -> Result<(), RpcError> {
    let Stream {
        mut inlet,
        mut outlet,
    } = stream;
    let mut changes = services.0.devices.watch();
    let telling = async {
        loop {
            changes.mark_unchanged();
            let list = list(services, caller).await?;
            outlet.room_for(list.len()).await;
            outlet.send(list);
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        told = telling => told,
        () = until_ended(&mut inlet) => Ok(()),
    }
}

/// Whose device is meant; empty = whoever's it is.
fn user(id: &str) -> Result<Option<UserId>, RpcError> {
    let given = (!id.is_empty()).then(|| UserId::parse(id));
    given.transpose().map_err(|_| invalid("no such user"))
}

fn followed(followed: Followed) -> Result<(), RpcError> {
    match followed {
        Followed::Done => Ok(()),
        Followed::Unknown => Err(error(Code::NotFound, "no such device")),
        Followed::Ambiguous => Err(error(
            Code::FailedPrecondition,
            "several users wait with this key; say whose device it is",
        )),
    }
}
