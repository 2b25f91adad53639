//! `devices.*`

use bytes::Bytes;
use schema::wire::{self, RpcError};
use tonic::Code;

use super::{Caller, Fault, Services, encoded, error, stream::Stream, terminal::until_ended};

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
        .approve(asked.key)
        .await
        .map_err(Fault::from)?;
    known(found)?;
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
        .remove(asked.key)
        .await
        .map_err(Fault::from)?;
    known(found)?;
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

fn known(found: bool) -> Result<(), RpcError> {
    found
        .then_some(())
        .ok_or_else(|| error(Code::NotFound, "no such device"))
}
