//! `terminal.*`

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use schema::{
    ids::TerminalId,
    wire::{self, RpcError, terminal_input},
};
use tokio::time;
use tonic::Code;

use super::{
    Caller, Services, decode, encoded, error,
    gate::Role,
    stream::{Inlet, Outlet, Stream},
};
use crate::{
    clock, entropy,
    terminal::{
        live::{Seat, Terminal, Typist},
        roster::OpenError,
        size::Size,
    },
};

pub(super) async fn open(
    services: &Services,
    caller: &Caller,
    mut asked: wire::TerminalOpen,
) -> Result<Bytes, RpcError> {
    let id = TerminalId::parse(&entropy::name()).map_err(|_| super::Fault)?;
    let (roster, workspace) = (services.0.roster.clone(), caller.workspace.clone());
    let door = services.door(caller, Some(id.clone()));
    asked.environment.extend(super::variables(door.as_ref()));
    if asked.delegate {
        let filled = match &door {
            Some(door) => door.fill(&services.0.delegations).await.is_ok(),
            None => false,
        };
        filled.then_some(()).ok_or_else(|| {
            let none = "there is no delegation for it: name a workspace that you may edit, and see the \
                        Worker's log";
            error(Code::FailedPrecondition, none)
        })?;
    }
    // A file system that does not answer holds up nobody else.
    let confined = caller.confined_to().cloned();
    let opening = tokio::task::spawn_blocking(move || {
        roster.open_among(id, workspace, confined.as_ref(), asked, clock::unix_ms())
    });
    let opened = opening.await.map_err(|_| super::Fault)?;
    let terminal = opened.map_err(|refused| match refused {
        OpenError::TooMany => error(Code::ResourceExhausted, &refused.to_string()),
        OpenError::Spawn(_) => error(Code::FailedPrecondition, &refused.to_string()),
    })?;
    terminal.keep(door);
    Ok(encoded(&terminal.summary()))
}

pub(super) fn rename(
    services: &Services,
    caller: &Caller,
    asked: &wire::TerminalRename,
) -> Result<Bytes, RpcError> {
    let terminal = find(services, caller, &asked.terminal_id)?;
    terminal.rename(&asked.title);
    Ok(encoded(&terminal.summary()))
}

pub(super) async fn close(
    services: &Services,
    caller: &Caller,
    asked: wire::TerminalClose,
) -> Result<Bytes, RpcError> {
    let terminal = find(services, caller, &asked.terminal_id)?;
    services.0.roster.close(terminal.id()).await;
    Ok(encoded(&wire::TerminalClosed {}))
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
    let mut changes = services.0.roster.watch();
    let telling = async {
        loop {
            changes.mark_unchanged();
            let list = encoded(&services.0.roster.list(caller.confined_to()));
            outlet.room_for(list.len()).await;
            outlet.send(list);
            if changes.changed().await.is_err() {
                return;
            }
            // A title that changes with every key is told some times a second, and its last
            // value always.
            time::sleep(LIST_PACE).await;
        }
    };
    tokio::select! {
        () = telling => {}
        () = until_ended(&mut inlet) => {}
    }
    Ok(())
}

/// Output to the client, input from it, side by side: a program that does not read holds up
/// typing and nothing else. Output beyond the client's credit waits up to a bound; then it is left
/// out, and a snapshot takes its place once there is room again. So the stream goes on while the
/// client is away, and takes what was typed meanwhile.
pub(super) async fn attach(
    services: &Services,
    caller: &Caller,
    asked: wire::TerminalAttach,
    stream: Stream,
) -> Result<(), RpcError> {
    let terminal = find(services, caller, &asked.terminal_id)?;
    if usize::try_from(terminal.summary().attached).unwrap_or(usize::MAX) >= SEATS {
        let full = "too many clients look at this terminal";
        return Err(error(Code::ResourceExhausted, full));
    }
    let may_type = caller.role >= Role::Editor;
    let seat = terminal.sit(asked.after_sequence, may_type);
    let typist = may_type.then(|| seat.typist());
    if let (Some(typist), Some(size)) = (&typist, Size::asked(asked.columns, asked.rows)) {
        typist.resize(size);
    }
    let Stream { inlet, outlet } = stream;
    tokio::select! {
        never = show(seat, outlet) => match never {},
        ended = type_in(typist, inlet) => ended,
    }
}

async fn show(mut seat: Seat, mut outlet: Outlet) -> Infallible {
    loop {
        let Some(event) = seat.next_event(outlet.room()) else {
            tokio::select! {
                () = seat.moved() => {}
                () = outlet.more_room() => {}
            }
            continue;
        };
        let small = event.len() < PACE_BELOW;
        outlet.send(event);
        if small {
            // What a program writes within this time goes out together.
            time::sleep(PACE).await;
        }
    }
}

/// A viewer types nothing: who sends a key all the same is told so, and the stream is over. Its size
/// does not count, and is no offence: every client says it.
async fn type_in(typist: Option<Typist>, mut inlet: Inlet) -> Result<(), RpcError> {
    while let Some(message) = inlet.next().await {
        let bytes = message.len();
        let input: wire::TerminalInput = decode(message)?;
        match (input.body, &typist) {
            (Some(terminal_input::Body::Data(data)), Some(typist)) => typist.type_in(data).await,
            (Some(terminal_input::Body::Data(_)), None) => {
                let refusal = "you may look at this terminal and not type";
                return Err(error(Code::PermissionDenied, refusal));
            }
            (Some(terminal_input::Body::Resize(size)), Some(typist)) => {
                if let Some(size) = Size::of(&size) {
                    typist.resize(size);
                }
            }
            (Some(terminal_input::Body::Resize(_)) | None, _) => {}
        }
        inlet.consumed(bytes);
    }
    Ok(())
}

fn find(services: &Services, caller: &Caller, id: &str) -> Result<Arc<Terminal>, RpcError> {
    let found = TerminalId::parse(id)
        .ok()
        .and_then(|id| services.0.roster.find(&id));
    let visible = found.filter(|terminal| terminal.is_within(caller.confined_to()));
    visible.ok_or_else(|| error(Code::NotFound, "no such terminal"))
}

/// Waits until the client has ended its side; what it sends is used up.
pub(super) async fn until_ended(inlet: &mut Inlet) {
    while let Some(message) = inlet.next().await {
        inlet.consumed(message.len());
    }
}

/// Clients at one terminal: each may hold a whole screen that it does not read.
const SEATS: usize = 32;
/// Between two small pieces of output: half a frame of a screen.
const PACE: Duration = Duration::from_millis(4);
/// Pieces from this size on are not waited for.
const PACE_BELOW: usize = 16 << 10;
/// Between two lists.
const LIST_PACE: Duration = Duration::from_millis(100);
