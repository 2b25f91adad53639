//! The calls of one channel: let through the gate, served, answered, and ended early when they
//! have to be.

use actix::{ActorFutureExt as _, AsyncContext as _, Context, SpawnHandle, WrapFuture as _};
use bytes::Bytes;
use schema::{ids::WorkspaceId, wire::RpcError};
use tonic::Code;

use super::SecureChannel;
use crate::services::{
    Caller, error,
    gate::{self, Role},
    invalid,
};

/// A request as it came.
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) method: String,
    pub(super) payload: Bytes,
    pub(super) opens_stream: bool,
    pub(super) workspace: Option<WorkspaceId>,
}

/// A call that is being served.
pub(super) struct Running {
    task: SpawnHandle,
    role: Role,
    workspace: Option<WorkspaceId>,
}

impl SecureChannel {
    fn role(&self, workspace: Option<&WorkspaceId>) -> Option<Role> {
        let is_owners = self.endpoint.user() == self.devices().owner();
        let is_owner = is_owners && !self.endpoint.is_capped();
        gate::role(
            is_owner,
            workspace.and_then(|workspace| self.endpoint.role(workspace)),
        )
    }

    /// Privileges were lowered: what was begun with higher ones ends.
    pub(super) fn recheck_roles(&mut self, ctx: &mut Context<Self>) {
        let roles = channel_actors::endpoint::access::roles(&self.endpoint.workspaces());
        self.sponsorship.update(&roles);
        let roles = self
            .calls
            .iter()
            .map(|(id, call)| (*id, call.role, self.role(call.workspace.as_ref())));
        let lowered = roles.filter(|(_, then, now)| now.is_none_or(|now| now < *then));
        for id in lowered.map(|(id, ..)| id).collect::<Vec<_>>() {
            let refusal = error(Code::PermissionDenied, "your role was changed");
            if self
                .streams
                .end(id, Some(refusal.clone()), &mut self.endpoint)
            {
                self.forget(id, ctx);
            } else {
                self.forget(id, ctx);
                // It may have been answered in this moment, and then it is over.
                let _ = self.endpoint.respond(id, Err(refusal));
            }
        }
    }

    pub(super) fn call(&mut self, call: Call, ctx: &mut Context<Self>) {
        let Call {
            id,
            method,
            payload,
            opens_stream,
            workspace,
        } = call;
        let role = self.role(workspace.as_ref());
        let admitted = gate::admit(&method, role, opens_stream);
        let (method, role, device) = match (admitted, role, self.device.clone()) {
            (Ok(method), Some(role), Some(device)) => (method, role, device),
            (Err(refusal), ..) => return self.respond(id, Err(refusal)),
            (Ok(_), ..) => return self.respond(id, Err(error(Code::PermissionDenied, "not yet"))),
        };
        if payload.len() > method.longest() {
            return self.respond(id, Err(invalid("the request is too long")));
        }
        let caller = Caller {
            channel: self.id(),
            device,
            role,
            workspace: workspace.clone(),
        };
        let services = self.services.clone();
        let task = if opens_stream {
            self.respond(id, Ok(Bytes::new()));
            let stream = self.streams.open(id, &mut self.endpoint);
            let serving = services.serve(method, caller, payload, stream);
            ctx.spawn(serving.into_actor(self).map(move |served, channel, ctx| {
                channel.calls.remove(&id);
                channel.streams.finish(id, served.err());
                channel.settle(ctx);
            }))
        } else {
            let answering = services.answer(method, caller, payload);
            ctx.spawn(answering.into_actor(self).map(move |answer, channel, ctx| {
                channel.calls.remove(&id);
                channel.respond(id, answer);
                channel.settle(ctx);
            }))
        };
        self.calls.insert(
            id,
            Running {
                task,
                role,
                workspace,
            },
        );
    }

    fn respond(&mut self, id: u64, result: Result<Bytes, RpcError>) {
        if self.endpoint.respond(id, result).is_err() && self.endpoint.closed().is_none() {
            // Cancelled meanwhile, or larger than this channel takes; the second wants a word.
            let refusal = error(Code::ResourceExhausted, "the answer is too large");
            let _ = self.endpoint.respond(id, Err(refusal));
        }
    }

    /// The client wants no more of it.
    pub(super) fn forget(&mut self, id: u64, ctx: &mut Context<Self>) {
        self.streams.forget(id);
        if let Some(call) = self.calls.remove(&id) {
            ctx.cancel_future(call.task);
        }
        // Its place is free when the task is dropped, which is not before all frames of this turn.
        let dropped = async {}.into_actor(self);
        ctx.spawn(dropped.map(move |(), channel, _| channel.endpoint.finished(id)));
    }
}
