//! What a Worker does for those whom it believes: a request's name to its service, one match.

mod devices;
pub mod exec;
pub mod gate;
pub mod stream;
mod terminal;

use std::sync::Arc;

use bytes::Bytes;
use channel_actors::endpoint::ClaimedDevice;
use prost::Message;
use schema::{
    ids::{ChannelId, TerminalId, WorkspaceId},
    wire::{self, RpcError},
};

use self::{
    gate::{Method, Role},
    stream::Stream,
};
use crate::{
    delegation::{Delegations, Door, Tab},
    device_book::DeviceBook,
    store::StoreError,
    terminal::roster::Roster,
};

/// Everything a service may need.
#[derive(Clone)]
pub(crate) struct Services(pub(crate) Arc<Desks>);

/// Where the work is done.
pub(crate) struct Desks {
    pub(crate) roster: Roster,
    pub(crate) devices: DeviceBook,
    pub(crate) info: wire::WorkerInfo,
    pub(crate) grace: std::time::Duration,
    pub(crate) endings: exec::Endings,
    pub(crate) delegations: Delegations,
}

/// Who calls, and as what.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) channel: ChannelId,
    pub(crate) device: ClaimedDevice,
    pub(crate) role: Role,
    pub(crate) workspace: Option<WorkspaceId>,
}

impl Caller {
    /// The workspace whose terminals the caller may know of; none = all, for the owner.
    fn confined_to(&self) -> Option<&WorkspaceId> {
        self.workspace.as_ref().filter(|_| self.role != Role::Owner)
    }
}

impl Services {
    /// A door for what is started for a caller. Without a workspace there is nothing to confine it to.
    fn door(&self, caller: &Caller, terminal: Option<TerminalId>) -> Option<Door> {
        let tab = Tab {
            user: caller.device.user.clone(),
            workspace: caller.workspace.clone()?,
            terminal,
            opener: caller.channel,
        };
        Door::open(&self.0.delegations, tab)
    }

    /// Answers a request that opened no stream.
    pub(crate) async fn answer(
        self,
        method: Method,
        caller: Caller,
        payload: Bytes,
    ) -> Result<Bytes, RpcError> {
        match method {
            Method::WorkerInfo => Ok(encoded(&self.0.info)),
            Method::TerminalList => Ok(encoded(&self.0.roster.list(caller.confined_to()))),
            Method::TerminalOpen => terminal::open(&self, &caller, decode(payload)?).await,
            Method::TerminalRename => terminal::rename(&self, &caller, &decode(payload)?),
            Method::TerminalClose => terminal::close(&self, &caller, decode(payload)?).await,
            Method::DevicesList => devices::list(&self, &caller).await,
            Method::DevicesApprove => devices::approve(&self, &caller, decode(payload)?).await,
            Method::DevicesRemove => devices::remove(&self, &caller, decode(payload)?).await,
            Method::TerminalWatch
            | Method::TerminalAttach
            | Method::DevicesWatch
            | Method::Exec => Err(invalid("this method needs a stream")),
        }
    }

    /// Serves a stream until it is over.
    pub(crate) async fn serve(
        self,
        method: Method,
        caller: Caller,
        payload: Bytes,
        stream: Stream,
    ) -> Result<(), RpcError> {
        match method {
            Method::TerminalWatch => {
                // Nothing is held that nobody asked for: a stream may last for days.
                drop(payload);
                terminal::watch(&self, &caller, stream).await
            }
            Method::TerminalAttach => {
                terminal::attach(&self, &caller, decode(payload)?, stream).await
            }
            Method::DevicesWatch => {
                drop(payload);
                devices::watch(&self, &caller, stream).await
            }
            Method::Exec => {
                let roster = &self.0.roster;
                let place = exec::Place {
                    environment: roster.environment(),
                    person: roster.person(),
                    grace: self.0.grace,
                    endings: &self.0.endings,
                };
                let door = self.door(&caller, None);
                let mut start: wire::ExecStart = decode(payload)?;
                start.environment.extend(variables(door.as_ref()));
                // The door is open for as long as the command runs.
                let ended = exec::run(place, start, stream).await;
                drop(door);
                ended
            }
            Method::WorkerInfo
            | Method::TerminalList
            | Method::TerminalOpen
            | Method::TerminalRename
            | Method::TerminalClose
            | Method::DevicesList
            | Method::DevicesApprove
            | Method::DevicesRemove => Err(invalid("this method takes no stream")),
        }
    }
}

/// What a program finds its door by, in place of whatever the client calls so.
fn variables(door: Option<&Door>) -> impl Iterator<Item = (String, String)> {
    door.into_iter().flat_map(Door::variables)
}

pub(crate) fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

pub(crate) fn decode<M: Message + Default>(payload: Bytes) -> Result<M, RpcError> {
    M::decode(payload).map_err(|_| invalid("the request cannot be read"))
}

/// gRPC codes that are used, by name.
pub(crate) fn error(code: tonic::Code, message: &str) -> RpcError {
    RpcError {
        code: u32::try_from(i32::from(code)).unwrap_or(2),
        message: message.to_owned(),
    }
}

pub(crate) fn invalid(message: &str) -> RpcError {
    error(tonic::Code::InvalidArgument, message)
}

impl From<StoreError> for Fault {
    fn from(_: StoreError) -> Self {
        Self
    }
}

/// Something of ours failed; it was logged where it happened.
pub(crate) struct Fault;

impl From<Fault> for RpcError {
    fn from(_: Fault) -> Self {
        error(tonic::Code::Internal, "the Worker failed; its log says why")
    }
}
